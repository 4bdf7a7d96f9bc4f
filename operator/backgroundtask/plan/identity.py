"""Which run is meant: by a run's own name, and by what an ECS task says of itself.

A run of a slot bears the slot's name, which is its lock; every other run was asked for. An ECS task that the operator
launched names its run and the run's UID; one that a schedule launched names its slot only. Whoever may run tasks may
write these names: they are compared with runs that exist, and create none but a slot's.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from backgroundtask.api.names import LAUNCH_LABEL, TRIGGER_LABEL
from backgroundtask.api.phases import ENDS
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.plan.moments import moment, stamp
from backgroundtask.plan.names import run_name
from backgroundtask.plan.outcome import Task

QUEUE = "Queue"
"""Value of the label `LAUNCH_LABEL`: the operator has to launch the run."""
BY_ANNOTATION = "annotation"
"""Value of the label `TRIGGER_LABEL`: the annotation run-requested-at asked for the run."""
BY_HAND = "manual"
"""Value of the label `TRIGGER_LABEL`: somebody asked for the run at the command line, for one run an item if any."""

_OF_ITS_SLOT = timedelta(hours=1)  # no schedule tries for longer
_SKEW = timedelta(hours=1)  # by which AWS's clock may be behind ours
_ITEM = re.compile(r"(?P<unit>.+)-(?P<index>0|[1-9][0-9]{0,2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOf:
    """The run that an ECS task says it is of. `uid` is None where a schedule launched it: then `slot` names the run."""

    name: str
    uid: str | None
    slot: datetime | None


def run_of(task: Task, owner_name: str) -> RunOf | None:
    """The run that an ECS task of the BackgroundTask `owner_name` says it is of; None where it names none."""
    if task.run is not None:
        return RunOf(name=task.run, uid=task.run_uid, slot=task.slot) if task.run_uid else None
    if task.slot is None:
        return None
    return RunOf(name=run_name(owner_name, task.slot), uid=None, slot=task.slot)


def is_of(task: Task, run: BackgroundTaskRun, task_uid: str) -> bool:
    """Whether an ECS task says that it is of this run, of the BackgroundTask with this UID."""
    said = run_of(task, run.spec.task)
    return (
        said is not None
        and task.uid == task_uid
        and said.name == run.metadata.name
        and said.uid in {None, run.metadata.uid}
    )


@dataclass(frozen=True, slots=True)
class AccountedSlots:
    """For which slots of a task there is, or was, a run: those after `since`, up to and with `until` (both `Time`s).

    A schedule is settled at a time of our clock, and fires by AWS's: where that is behind, slots of the last hour
    before `since` may fire, too, and nobody has told of them.
    """

    since: str | None = None
    until: str | None = None

    def has(self, slot: datetime) -> bool:
        """Whether the slot is known to have had its run."""
        told = stamp(slot)
        if self.until is None or told > self.until:
            return False
        return self.since is None or told > self.since or stamp(slot + _SKEW) <= self.since


def is_told_again(task: Task, slot: datetime, accounted: AccountedSlots) -> bool:
    """Whether an ECS task whose slot has no run is one of long ago, whose run was pruned: it revives none.

    One that runs and was started much later than its slot is news all the same.
    """
    if not accounted.has(slot):
        return False
    return task.has_ended or task.created_at is None or task.created_at - slot < _OF_ITS_SLOT


def has_ended(run: BackgroundTaskRun) -> bool:
    """Nothing more will happen to the run."""
    return run.status.phase in ENDS


def slot_of_run(run: BackgroundTaskRun) -> datetime | None:
    """The slot of the schedule that the run is for; None where it was asked for, whatever time it is given."""
    slot = moment(run.spec.scheduled_time)
    if slot is None:
        return None
    return slot if run_name(run.spec.task, slot) == _base(run) else None


def is_awaited(run: BackgroundTaskRun) -> bool:
    """Whether the schedule itself launches the run: the operator does so only where the schedule failed to."""
    return slot_of_run(run) is not None and run.metadata.labels.get(LAUNCH_LABEL) != QUEUE


def unit_of(run: BackgroundTaskRun) -> str:
    """What the run is an item of: all items of its slot or its request. A run without item is a unit by itself."""
    is_made_by_us = slot_of_run(run) is not None or run.metadata.labels.get(TRIGGER_LABEL) in {BY_ANNOTATION, BY_HAND}
    base = _base(run) if is_made_by_us else run.metadata.name
    return base if base == run.metadata.name else f"{base}-*"


def index_of(run: BackgroundTaskRun) -> int | None:
    """The place of the run among the items of its slot or request, from 0; None where it is of none."""
    if unit_of(run) == run.metadata.name:
        return None
    found = _ITEM.fullmatch(run.metadata.name)
    return int(found["index"]) if found else None


def _base(run: BackgroundTaskRun) -> str:
    """The name without the index of the item."""
    found = _ITEM.fullmatch(run.metadata.name) if run.spec.item is not None else None
    return found["unit"] if found else run.metadata.name
