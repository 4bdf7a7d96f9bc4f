"""The page about the command line shows calls that the program takes, and leaves out no command for runs and tasks."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from backgroundtask.cli.main import main

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
CALLS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
SHOWN = ("run", "logs", "wait", "cancel", "rerun", "history", "status", "suspend", "resume")


@pytest.mark.parametrize("call", CALLS)
def test_every_call_on_the_page_is_one_that_the_program_takes(call: str) -> None:
    words = shlex.split(re.split(" [>|] ", call)[0], comments=True)
    assert isinstance(main, click.Group)
    group: click.Command = main
    program, *words = words

    while isinstance(group, click.Group):
        command = group.get_command(click.Context(group), words[0])
        assert command is not None, words[0]
        group, words = command, words[1:]

    assert program == "bgt"
    group.make_context("bgt", words)


@pytest.mark.parametrize("command", SHOWN)
def test_every_command_for_runs_and_tasks_is_shown(command: str) -> None:
    assert any(call.startswith(f"bgt {command} ") for call in CALLS)
