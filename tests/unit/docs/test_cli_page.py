"""The page about the command line shows calls that the program takes, and leaves out no command for tasks and runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from backgroundtask.cli.main import main

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
CALLS = [
    found[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if (found := re.search(r"\bbgt [^|)>#]+", line))
]
ELSEWHERE = {"cron", "crd", "controller", "local", "demo"}  # in the README and in docs/operations.md


@pytest.mark.parametrize("call", CALLS)
def test_every_call_on_the_page_is_one_that_the_program_takes(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tasks.yaml").touch()
    _, *words = shlex.split(call)

    command: click.Command = main
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None
        command = found

    # A command remembers its option for help: with that of no parent, others would find it without -h.
    with command.make_context("bgt", words, parent=click.Context(main, **main.context_settings)):
        pass


def test_every_command_for_tasks_and_runs_is_shown() -> None:
    assert isinstance(main, click.Group)

    shown = {shlex.split(call)[1] for call in CALLS}

    assert shown == set(main.list_commands(click.Context(main))) - ELSEWHERE
