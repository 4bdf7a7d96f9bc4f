"""`limits.concurrentRuns` of a LaunchTemplate: which runs of all its tasks may be launched, and which wait for a place.

Whoever was due first goes first. Nothing of it is stored: what has a place shows in the runs themselves (Launching,
Running), and so does what waits (its reason), so a process that begins to lead counts the cache once, and then keeps
count pass by pass. Knows places and turns; launches nothing and stops nothing.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from backgroundtask.api.parsing import parse_run
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.controller.context import Context
from backgroundtask.controller.keys import TaskKey
from backgroundtask.errors import Rejected
from backgroundtask.plan.moments import moment

CONCURRENT_RUNS_LIMIT = "ConcurrentRunsLimit"
"""Reason of a run that waits for a place."""
_HAS_A_PLACE = frozenset({"Launching", "Running"})
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class _Turn:
    """A run that waits, in the order in which they come."""

    due: datetime
    key: TaskKey
    run: str


@dataclass(slots=True)
class _Line:
    """The runs of one template: those with a place, by task, and those that wait."""

    limit: int
    placed: dict[TaskKey, set[str]] = field(default_factory=dict)
    waiting: set[_Turn] = field(default_factory=set)
    asked: dict[TaskKey, set[_Turn]] = field(default_factory=dict)  # in the pass that is under way

    @property
    def free(self) -> int:
        """How many places nobody has."""
        return max(self.limit - sum(map(len, self.placed.values())), 0)

    def next(self) -> list[_Turn]:
        """Those whose turn it is: as many of the first in line as there are places."""
        free = self.free
        return sorted(self.waiting)[:free] if free else []


class Admission:
    """The places of all templates; any thread may ask."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}  # by template

    def admits(self, template: str, limit: int | None, run: BackgroundTaskRun) -> bool:
        """Whether a run may be launched now; it has its place from then on. Else it is in line, and its key is woken.

        `limit` is what the template says now; None lets everybody go.
        """
        with self._lock:
            if limit is None:
                self._lines.pop(template, None)
                return True
            line = self._line(template, limit)
            key = TaskKey(run.metadata.namespace, run.spec.task)
            if run.metadata.name in line.placed.get(key, ()):
                return True
            turn = _Turn(_due(run), key, run.metadata.name)
            line.waiting.add(turn)
            line.asked.setdefault(key, set()).add(turn)
            if turn not in line.next():
                return False
            line.waiting.discard(turn)
            line.placed.setdefault(key, set()).add(turn.run)
            return True

    def settle(self, key: TaskKey, template: str, runs: Iterable[BackgroundTaskRun]) -> None:
        """A pass over a task has ended: `runs` show who has a place, and who did not ask waits no longer."""
        with self._lock:
            line = self._lines.get(template)
            if line is None:
                return
            asked = line.asked.pop(key, set())
            line.waiting -= {turn for turn in line.waiting if turn.key == key and turn not in asked}
            self._place(line, key, {run.metadata.name for run in runs if run.status.phase in _HAS_A_PLACE})
            woken = [turn.key for turn in line.next()]
        for one in dict.fromkeys(woken):
            self._context.queue.add(one)

    def forget(self, key: TaskKey) -> None:
        """The task is gone, and so is all that it had or waited for."""
        with self._lock:
            templates = [name for name, line in self._lines.items() if key in line.placed or _waits(line, key)]
        for template in templates:
            self.settle(key, template, ())

    def _line(self, template: str, limit: int) -> _Line:
        if template not in self._lines:
            self._lines[template] = self._counted(template, limit)
        line = self._lines[template]
        line.limit = limit
        return line

    def _counted(self, template: str, limit: int) -> _Line:
        """The line as the cache shows it: once, for whoever begins to lead finds runs that others launched."""
        line = _Line(limit)
        for namespace, name in self._context.cache.tasks_using(template):
            key, runs = TaskKey(namespace, name), self._runs(namespace, name)
            self._place(line, key, {run.metadata.name for run in runs if run.status.phase in _HAS_A_PLACE})
            waits = (run for run in runs if run.status.phase == "Pending" and _is_in_line(run))
            line.waiting |= {_Turn(_due(run), key, run.metadata.name) for run in waits}
        return line

    def _runs(self, namespace: str, task: str) -> list[BackgroundTaskRun]:
        runs = []
        for body in self._context.cache.runs_of(namespace, task):
            try:
                runs.append(parse_run(body))
            except Rejected:  # nobody launches what cannot be read
                continue
        return runs

    @staticmethod
    def _place(line: _Line, key: TaskKey, names: set[str]) -> None:
        if names:
            line.placed[key] = names
        else:
            line.placed.pop(key, None)


def _waits(line: _Line, key: TaskKey) -> bool:
    return any(turn.key == key for turn in line.waiting)


def _is_in_line(run: BackgroundTaskRun) -> bool:
    return run.status.reason == CONCURRENT_RUNS_LIMIT and run.metadata.deletion_timestamp is None


def _due(run: BackgroundTaskRun) -> datetime:
    """When it was to run: its slot, or when it was asked for."""
    return moment(run.spec.scheduled_time or run.metadata.creation_timestamp) or _LONG_AGO
