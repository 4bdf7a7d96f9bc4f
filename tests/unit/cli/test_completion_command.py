"""`bgt completion`: scripts that ask this very program."""

from __future__ import annotations

import pytest
from click.shell_completion import get_completion_class

from backgroundtask.cli.main import COMPLETE_VARIABLE, main
from fixtures.command_line import Person


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_script_asks_bgt_by_the_variable_that_it_listens_to(bgt: Person, shell: str) -> None:
    told = bgt("completion", shell)

    assert told.code == 0
    assert f"{COMPLETE_VARIABLE}={shell}_complete" in told.out
    assert "bgt" in told.out


def test_a_shell_that_nobody_knows_is_refused_with_those_that_are(bgt: Person) -> None:
    told = bgt("completion", "csh")

    assert told.code == 2
    assert all(shell in told.err for shell in ("bash", "zsh", "fish"))


def test_commands_are_completed() -> None:
    shell = get_completion_class("zsh")
    assert shell is not None

    found = shell(main, {}, "bgt", COMPLETE_VARIABLE).get_completions(["completion"], "")

    assert [one.value for one in found] == ["bash", "zsh", "fish"]
