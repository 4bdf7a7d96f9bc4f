"""`bgt completion`: scripts that ask this very program."""

from __future__ import annotations

import pytest
from click.shell_completion import get_completion_class

from backgroundtask.cli.completion import complete_plugin
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


def asked_by_kubectl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    monkeypatch.setattr("sys.argv", ["/usr/local/bin/kubectl_complete-bgtask", *arguments])
    complete_plugin()
    return capsys.readouterr().out.splitlines()


def test_kubectl_is_told_commands_with_what_they_do_and_that_no_file_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked_by_kubectl(monkeypatch, capsys, "sus") == ["suspend\tStop the schedule of a task.", ":4"]
    assert asked_by_kubectl(monkeypatch, capsys, "status", "-o", "") == ["wide", "json", "yaml", ":4"]
    assert asked_by_kubectl(monkeypatch, capsys)[-1] == ":4"


def test_kubectl_is_told_where_a_file_is_wanted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked_by_kubectl(monkeypatch, capsys, "diff", "-f", "") == [":0"]
