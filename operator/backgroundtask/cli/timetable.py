"""When tasks run next: of a task in the cluster what AWS has been given, of one in a file what its spec asks for.

Pure: the moment to look from is an argument. What a schedule means, it leaves to `cron`.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby, islice, takewhile
from typing import Any

from backgroundtask.api.conditions import READY, SCHEDULED, Condition, find
from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.parsing import parse_task, read_metadata, read_task_status
from backgroundtask.api.task import BackgroundTask
from backgroundtask.api.task_status import TaskStatus
from backgroundtask.cron import Expression, next_times, parse, time_zone
from backgroundtask.cron.expression import Rate
from backgroundtask.errors import Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An expression, the name of the time zone that it is read in, and who launches what it fires, if that is known."""

    expression: Expression
    zone: str
    launch: str = ""

    def times(self, after: datetime) -> Iterator[datetime]:
        """Its moments after another one, in UTC."""
        return next_times(self.expression, time_zone=self.zone, after=after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """One task. `why` says, where no slot is known, why not; `note` what else a person should know."""

    namespace: str
    name: str
    lines: tuple[Line, ...] = ()
    items: int = 1  # runs of a slot
    why: str = ""
    note: str = ""

    def slots(self, after: datetime) -> Iterator["Slot"]:
        """Its slots after a moment; the two schedules of an *or* pair are one timetable, and a slot of both is one."""
        moments = heapq.merge(*(line.times(after) for line in self.lines))
        return (Slot(moment, self.namespace, self.name, self) for moment, _ in groupby(moments))

    def as_of(self, moment: datetime) -> "Timetable":
        """The same, or why there is nothing after a moment: what runs once has run."""
        is_over = not self.why and next(self.slots(moment), None) is None
        return replace(self, why="Its moments are past.") if is_over else self

    @property
    def zone(self) -> str:
        """The name of its time zone."""
        return self.lines[0].zone if self.lines else "UTC"


@dataclass(frozen=True, slots=True)
class Slot:
    """A moment, in UTC, at which a task is due."""

    moment: datetime
    namespace: str
    name: str
    table: Timetable

    @property
    def local(self) -> datetime:
        """The same moment on the clocks of the task's time zone."""
        return self.moment.astimezone(time_zone(self.table.zone))

    @property
    def _order(self) -> tuple[datetime, str, str]:
        return self.moment, self.namespace, self.name


def upcoming(tables: Iterable[Timetable], *, after: datetime, until: datetime | None = None, most: int) -> list[Slot]:
    """The first slots of all tables after a moment and up to another one, in order of time, namespace and name."""
    merged = heapq.merge(*(table.slots(after) for table in tables), key=lambda slot: slot._order)  # noqa: SLF001 - our own
    return list(islice(takewhile(lambda slot: until is None or slot.moment <= until, merged), most))


def of_file(task: BackgroundTask) -> Timetable:
    """What the spec of a task asks for.

    Raises:
        Rejected: its schedule or time zone is not understood.
    """
    name, spec = task.metadata, task.spec
    if spec.cron is None:
        return _silent(name, "It has no cron: it runs on demand.")
    time_zone(spec.time_zone)
    if spec.suspend:
        return _silent(name, "It is suspended.")
    return _table(name, (Line(expression=parse(spec.cron), zone=spec.time_zone),), len(spec.for_each) or 1)


def of_object(body: Mapping[str, Any]) -> Timetable:
    """What AWS fires for a task of the cluster, as the operator has reported it."""
    name, status = read_metadata(body), read_task_status(body)
    task = _readable(body)
    scheduled = find(status.conditions, SCHEDULED)
    if scheduled is not None and scheduled.status == "True" and status.schedules:
        table = _table(name, _lines(status), len(task.spec.for_each) if task and task.spec.for_each else 1)
        return _noted(table, _unapplied(name, status))
    if task is not None and task.spec.suspend:
        return _silent(name, f"It is suspended: `bgt resume {name.name} -n {name.namespace}` goes on.")
    if task is not None and task.spec.cron is None:
        return _silent(name, "It has no cron: it runs on demand.")
    if scheduled is not None and scheduled.status == "False" and not _unapplied(name, status):
        return _silent(name, scheduled.message)
    return _silent(name, f"It is not scheduled yet. {_unapplied(name, status)}".strip())


def _lines(status: TaskStatus) -> tuple[Line, ...]:
    return tuple(
        Line(expression=parse(one.expression), zone=one.time_zone, launch=one.launch) for one in status.schedules
    )


def _table(name: ObjectMeta, lines: tuple[Line, ...], items: int) -> Timetable:
    rate = next((line.expression for line in lines if isinstance(line.expression, Rate)), None)
    if rate is not None:
        every = rate.unit if rate.value == 1 else f"{rate.value} {rate.unit}s"
        return _silent(name, f"It runs every {every}, counted from a moment that only AWS knows.")
    return Timetable(namespace=name.namespace, name=name.name, lines=lines, items=items)


def _silent(name: ObjectMeta, why: str) -> Timetable:
    return Timetable(namespace=name.namespace, name=name.name, why=why)


def _noted(table: Timetable, note: str) -> Timetable:
    if not note:
        return table
    return replace(table, note=f"AWS has the schedule of an earlier spec. {note}")


def _unapplied(name: ObjectMeta, status: TaskStatus) -> str:
    """Why AWS is not as the newest spec asks; empty where it is."""
    verdict: Condition | None = find(status.conditions, READY)
    if status.observed_generation != name.generation or verdict is None:
        return "The operator has not answered the newest spec."
    return "" if verdict.status == "True" else f"{verdict.reason}: {verdict.message}"


def _readable(body: Mapping[str, Any]) -> BackgroundTask | None:
    try:
        return parse_task(body)
    except Rejected:
        return None
