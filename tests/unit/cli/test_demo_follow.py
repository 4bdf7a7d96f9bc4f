"""How long the demo waits, and what ends the waiting."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from backgroundtask.cli.board import Board
from backgroundtask.cli.demo import follow
from backgroundtask.cli.remembered import Stack
from backgroundtask.errors import Blocked
from localkube.process import ProcessId


@pytest.fixture
def world(tmp_path: Path) -> Stack:
    """A world whose kubectl always answers one task, freshly applied."""
    task = {
        "kind": "BackgroundTask",
        "metadata": {"name": "hello", "namespace": "default", "uid": "1", "generation": 1},
        "spec": {"image": "busybox:1", "cpu": 256, "memory": 512, "cron": "* * * * *"},
    }
    (tmp_path / "answer.json").write_text(json.dumps({"items": [task]}))
    (tmp_path / "kubectl").write_text(f'#!/bin/sh\nexec cat "{tmp_path}/answer.json"\n')
    (tmp_path / "kubectl").chmod(0o755)
    return Stack(folder=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})


def quiet() -> Console:
    return Console(file=io.StringIO(), force_terminal=False)


def test_what_is_found_ends_it(world: Stack) -> None:
    found: Any = follow(world, quiet(), lambda _, board: [one.metadata.name for one in board.tasks])

    assert found == ["hello"]


def test_patience_has_an_end_that_says_what_was_missing(world: Stack) -> None:
    with pytest.raises(Blocked, match=r"No scheduled success and failure were reported within 0 s\."):
        follow(world, quiet(), _nothing, seconds=0.3)


def test_a_part_of_the_world_that_ends_by_itself_ends_the_demo_by_name(world: Stack) -> None:
    gone = ProcessId(pid=2**22 + 1, started="never")  # beyond the largest pid of Linux

    with pytest.raises(Blocked, match=r"Ended by itself: operator\."):
        follow(world.with_(processes={"operator": gone}), quiet(), _nothing)


def _nothing(_world: Stack, _board: Board) -> None:
    return None
