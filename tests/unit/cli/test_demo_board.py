"""What the demo shows: tables that fit, lines of what is new, and a report only of what the status says."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest
import yaml
from rich.console import Console, RenderableType

from backgroundtask.api.parsing import parse_task
from backgroundtask.cli.board import Board, news, tables

NOW = datetime(2026, 11, 30, 3, 0, 37, tzinfo=UTC)
SLOT = "2026-11-30T03:00:00Z"
ARN = "arn:aws:ecs:eu-west-1:123456789012:task/bgt-local/"


def task(name: str = "failing", **status: Any) -> dict[str, Any]:
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Reconciled",
        "message": "It is there.",
        "lastTransitionTime": "2026-11-30T02:59:00Z",
    }
    return {
        "kind": "BackgroundTask",
        "metadata": {"name": name, "namespace": "default", "uid": "1", "generation": 1},
        "spec": {"image": "busybox:1", "cpu": 256, "memory": 512, "cron": "* * * * *"},
        "status": {"conditions": [ready], "nextScheduleTime": "2026-11-30T03:01:00Z", **status},
    }


def run(name: str = "failing-29921010", *, slot: str | None = SLOT, **status: Any) -> dict[str, Any]:
    return {
        "kind": "BackgroundTaskRun",
        "metadata": {"name": name, "namespace": "default", "uid": "2", "generation": 1},
        "spec": {"task": name.rpartition("-")[0], "scheduledTime": slot},
        "status": {"phase": "Failed", "taskArn": ARN + "0123456789abcdef" * 2, **status},
    }


def last(phase: str = "Failed", name: str = "failing-29921010") -> dict[str, Any]:
    return {"name": name, "phase": phase, "exitCode": 3}


def shown(renderable: RenderableType, *, width: int = 100) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_tables_fit_a_hundred_columns_with_whole_names_and_ids() -> None:
    ended = {"exitCode": 3, "reason": "NonZeroExitCode", "startTime": SLOT, "completionTime": SLOT}
    board = Board.of([task(lastRun=last()), run(**ended)])

    lines = shown(tables(board, NOW))

    assert max(map(len, lines)) <= 100
    [told] = [line for line in lines if line.startswith("failing-29921010")]
    assert told.split() == ["failing-29921010", "Failed", "3", "0123456789abcdef" * 2] + ["03:00:00"] * 2 + [
        "NonZeroExitCode"
    ]
    assert any("03:01:00, in 23 s" in line for line in lines)


def test_a_narrow_terminal_keeps_every_character_of_the_id() -> None:
    lines = shown(tables(Board.of([run(reason="NonZeroExitCode", startTime=SLOT, completionTime=SLOT)]), NOW), width=80)

    body = "".join(line[26:].split()[0] for line in lines if "0123" in line or "cdef" in line)
    assert max(map(len, lines)) <= 80
    assert "0123456789abcdef" in body.replace("-", "")


def test_colours_are_left_to_terminals() -> None:
    assert "\x1b" not in "\n".join(shown(tables(Board.of([task(), run()]), NOW)))


def test_a_report_needs_a_scheduled_run_that_the_task_names_as_its_last() -> None:
    board = Board.of([task(lastRun=last()), run()])

    found = board.report("Failed")

    assert found is not None
    assert (found.task.metadata.name, found.run.metadata.name) == ("failing", "failing-29921010")
    assert board.report("Succeeded") is None


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([task(), run()], "the run has ended, but the task's status does not say so yet"),
        ([task(lastRun=last()), run("failing-1")], "the status names a run that is not there"),
        ([task(lastRun=last(), nextScheduleTime=None), run()], "nobody knows when it runs next"),
        ([task(lastRun=last()), run(phase="Running")], "the run itself has not ended"),
    ],
)
def test_less_than_that_is_no_report(items: list[dict[str, Any]], why: str) -> None:
    assert Board.of(items).report("Failed") is None, why


def test_news_are_told_once() -> None:
    before = Board.of([task(conditions=[])])
    after = Board.of([task(), run(exitCode=3, reason="NonZeroExitCode")])

    assert news(Board(), before) == []
    assert news(before, after) == [
        "failing: ready True, schedule * * * * *, next run 2026-11-30T03:01:00Z",
        f"failing-29921010: Failed, exit code 3, NonZeroExitCode, {ARN}{'0123456789abcdef' * 2}",
    ]
    assert news(after, after) == []


def test_newest_runs_come_first_and_only_so_many() -> None:
    runs = [run(f"failing-{minute}", slot=f"2026-11-30T03:{minute}:00Z") for minute in range(10, 30)]

    lines = [line for line in shown(tables(Board.of(runs), NOW)) if line.startswith("failing-")]

    assert [line.split()[0] for line in lines] == [f"failing-{minute}" for minute in range(29, 21, -1)]


def test_what_the_demo_applies_is_what_a_user_may_write() -> None:
    documents = list(yaml.safe_load_all(files("backgroundtask.cli").joinpath("demo.yaml").read_text(encoding="utf-8")))

    tasks = [parse_task(one) for one in documents]

    assert [one.metadata.name for one in tasks] == ["hello", "failing"]
    assert {one.spec.cron for one in tasks} == {"* * * * *"}
