"""What one process knows of a task and its runs beyond their status, to save questions: forgetting it costs some."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.errors import Paced, Rejected
from backgroundtask.plan.changes import Desired, Plan
from backgroundtask.plan.observed import Observed, Revision

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """AWS refused a wish, and would again: it is not asked for some time."""

    wish: str  # digest
    error: Rejected
    until: datetime


@dataclass(slots=True)
class Memory:
    """What one process knows of a task beyond its status."""

    schedules: frozenset[str] | None = None  # keys of those that may exist; None: not known
    suspect: int = 0  # how often somebody saw AWS differ since a pass has looked
    unchanged_since: datetime | None = None
    retire_at: datetime | None = None
    too_late_at: datetime | None = None  # when a one-time schedule has to be switched off
    refused: Refusal | None = None
    registered: Revision | None = None  # by a pass that went no further; ECS may not list it yet
    postponed: Paced | None = None  # by the last pass: what is to be retired waits for its turn

    def complete(self, observed: Observed) -> Observed:
        """What was observed, and the revision that this process knows of though the listing does not show it yet."""
        registered = self.registered
        if registered is None or registered.arn in {one.arn for one in observed.revisions}:
            return observed
        return replace(observed, revisions=(registered, *observed.revisions))

    def settle(self, wanted: Desired, done: Plan, now: datetime, *, postponed: Paced | None = None) -> None:
        """A plan was carried out: AWS holds what was wanted, and what is not yet to be retired, or waits for that."""
        self.schedules = frozenset(one.key for one in wanted.schedules)
        self.registered = None
        self.postponed = postponed
        self.retire_at = now if postponed else done.retire_at
        is_untold = all(one.clock == "Rule" for one in wanted.schedules)  # AWS tells of none when it was changed
        since = now if done.schedules else self.unchanged_since or now
        self.unchanged_since = since if self.retire_at is not None and is_untold else None


@dataclass(slots=True)
class RunMemory:
    """What one process knows of the runs of a task beyond their status."""

    stopping: dict[str, datetime] = field(default_factory=dict)  # ECS tasks that were asked to stop, and when
    told: set[str] = field(default_factory=set)  # UIDs of runs that stay though their time is over, as was told

    def keep(self, runs: Sequence[BackgroundTaskRun]) -> None:
        """Forget what is about no run any more. `runs` are all that there are."""
        arns = {one.task_arn for run in runs for one in run.status.attempts} | {run.status.task_arn for run in runs}
        self.told &= {run.metadata.uid for run in runs}
        for arn in self.stopping.keys() - arns:
            del self.stopping[arn]


class Ends:
    """ARNs of tasks whose end was recorded by this process: an event that comes again must not revive a deleted run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arns: OrderedDict[str, None] = OrderedDict()

    def add(self, arn: str) -> None:
        """Remember an ARN; of many the oldest are forgotten."""
        with self._lock:
            self._arns[arn] = None
            while len(self._arns) > _REMEMBERED:
                self._arns.popitem(last=False)

    def __contains__(self, arn: str) -> bool:
        with self._lock:
            return arn in self._arns
