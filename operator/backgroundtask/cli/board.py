"""What the demo shows of the cluster: a table for a terminal, lines for a log, and what proves that all of it works.

Pure: from objects as kubectl prints them, and the time, to what is shown. Asks nobody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from backgroundtask.api.conditions import READY, find
from backgroundtask.api.names import TASK_KIND
from backgroundtask.api.parsing import parse_run, parse_task
from backgroundtask.api.phases import ENDS, EndPhase
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.api.task import BackgroundTask
from backgroundtask.plan.moments import moment

_RUNS_SHOWN = 8
_STYLES = {"True": "green", "False": "red", "Succeeded": "green", "Failed": "red", "Running": "cyan"}
_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Report:
    """A scheduled run that its task reports in its status as the last one."""

    task: BackgroundTask
    run: BackgroundTaskRun


@dataclass(frozen=True, slots=True)
class Board:
    """Tasks by name, and runs, the newest first."""

    tasks: tuple[BackgroundTask, ...] = ()
    runs: tuple[BackgroundTaskRun, ...] = ()

    @classmethod
    def of(cls, items: Iterable[Mapping[str, Any]]) -> Self:
        """The board of the items of `kubectl get bgt,bgtr -o json`."""
        bodies = list(items)
        tasks = [parse_task(body) for body in bodies if body["kind"] == TASK_KIND]
        runs = [parse_run(body) for body in bodies if body["kind"] != TASK_KIND]
        return cls(
            tasks=tuple(sorted(tasks, key=lambda task: task.metadata.name)),
            runs=tuple(sorted(runs, key=_recency, reverse=True)),
        )

    def report(self, phase: EndPhase) -> Report | None:
        """A task whose status reports a scheduled run that ended so, and when it runs next; None while none does."""
        runs = {run.metadata.name: run for run in self.runs if run.status.phase == phase}
        for task in self.tasks:
            last = task.status.last_run
            if last and last.phase == phase and last.name in runs and task.status.next_schedule_time:
                return Report(task, runs[last.name])
        return None


def tables(board: Board, now: datetime) -> RenderableType:
    """Two tables that fit 100 columns."""
    return Group(_tasks(board, now), Text(), _runs(board))


def news(before: Board, after: Board) -> list[str]:
    """What changed between two looks, as lines for a log."""
    known = {run.metadata.name: run.status.phase for run in before.runs}
    ready = {task.metadata.name: _ready(task) for task in before.tasks}
    tasks = [_task_line(task) for task in after.tasks if _ready(task) not in (_NOTHING, ready.get(task.metadata.name))]
    moved = (
        run for run in reversed(after.runs) if run.status.phase and known.get(run.metadata.name) != run.status.phase
    )
    return tasks + [_run_line(run) for run in moved]


def _tasks(board: Board, now: datetime) -> Table:
    table = _table("Task", "Ready", "Schedule", "Next run (UTC)", "Last result", "Exit code")
    for task in board.tasks:
        last = task.status.last_run
        table.add_row(
            task.metadata.name,
            _coloured(_ready(task)),
            task.spec.cron or _NOTHING,
            _due(moment(task.status.next_schedule_time), now),
            _coloured(last.phase if last else None),
            _number(last.exit_code if last else None),
        )
    return table


def _runs(board: Board) -> Table:
    place = next((run.status.task_arn for run in board.runs if run.status.task_arn), "")
    table = _table("Run", "Phase", "Exit", "Task ARN", "Started", "Finished", "Reason")
    if place:
        table.caption = f"Task ARNs begin with {place.rpartition('/')[0]}/"
        table.caption_justify = "left"
    for run in board.runs[:_RUNS_SHOWN]:
        status = run.status
        table.add_row(
            run.metadata.name,
            _coloured(status.phase),
            _number(status.exit_code),
            Text((status.task_arn or _NOTHING).rpartition("/")[2], overflow="fold"),
            _clock(status.start_time),
            _clock(status.completion_time),
            status.reason or _NOTHING,
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for column in columns:
        # Of all columns the ARN alone may take a second line: the rest is read at a glance.
        table.add_column(column, no_wrap=column != "Task ARN", justify="right" if column.startswith("Exit") else "left")
    return table


def _task_line(task: BackgroundTask) -> str:
    due = task.status.next_schedule_time
    return f"{task.metadata.name}: ready {_ready(task)}, schedule {task.spec.cron}, next run {due or _NOTHING}"


def _run_line(run: BackgroundTaskRun) -> str:
    status = run.status
    code = f", exit code {status.exit_code}" if status.exit_code is not None else ""
    reason = f", {status.reason}" if status.phase in ENDS - {"Succeeded"} else ""
    return f"{run.metadata.name}: {status.phase}{code}{reason}, {status.task_arn or _NOTHING}"


def _ready(task: BackgroundTask) -> str:
    condition = find(task.status.conditions, READY)
    return condition.status if condition else _NOTHING


def _due(due: datetime | None, now: datetime) -> str:
    if due is None:
        return _NOTHING
    return f"{due:%H:%M:%S}, in {max(round((due - now).total_seconds()), 0):2d} s"


def _clock(text: str | None) -> str:
    seen = moment(text)
    return f"{seen:%H:%M:%S}" if seen else _NOTHING


def _number(value: int | None) -> str:
    return _NOTHING if value is None else str(value)


def _coloured(word: str | None) -> Text:
    return Text(word or _NOTHING, style=_STYLES.get(word or "", ""))


def _recency(run: BackgroundTaskRun) -> tuple[str, str]:
    return run.spec.scheduled_time or "", run.metadata.name
