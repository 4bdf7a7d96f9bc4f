"""What one process knows of the AWS side of a task beyond its status, to save questions: forgetting it costs some."""

from dataclasses import dataclass, replace
from datetime import datetime

from backgroundtask.errors import Paced, Rejected
from backgroundtask.plan.changes import Desired, Observed, Plan, Revision


@dataclass(frozen=True, slots=True)
class Refusal:
    """AWS refused a wish, and would again: it is not asked for some time."""

    wish: str  # digest
    error: Rejected
    until: datetime


@dataclass(slots=True)
class Memory:
    """What one process knows of a task beyond its status."""

    schedules: frozenset[str] | None = None  # names that may exist; None: not known
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
        self.schedules = frozenset(one.name for one in wanted.schedules)
        self.registered = None
        self.postponed = postponed
        self.retire_at = now if postponed else done.retire_at
        waits = self.retire_at is not None and not wanted.schedules
        self.unchanged_since = (self.unchanged_since or now) if waits else None
