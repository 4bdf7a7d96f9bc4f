"""Until when the run of a slot may have its first launch, who makes it, and what it is when that time is over.

A schedule launches by itself and tries for a while; only then does the operator look for what has become of the slot.
Before the operator says anything of a slot that the schedule launches, ECS is searched, and what it has told has to be
read.
"""

from datetime import datetime, timedelta
from typing import Final

from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.plan.attempts import first_launch
from backgroundtask.plan.identity import is_awaited, slot_of_run
from backgroundtask.plan.leave import siblings_of
from backgroundtask.plan.moments import moment
from backgroundtask.plan.scene import End, Policy, Scene
from backgroundtask.plan.schedule import MAXIMUM_AGE

LATEST: Final = timedelta(seconds=3500)
"""Time after its slot within which a run may be launched with the slot's token: an hour after a task has ended ECS may
have forgotten its token, and would start a second one (Amazon ECS API, "Ensuring idempotency")."""
_PATIENCE = timedelta(seconds=MAXIMUM_AGE)
_READING = timedelta(minutes=10)  # that the queue of events is given to be read, before a slot is called missed


def patience_over(run: BackgroundTaskRun, scene: Scene) -> datetime | None:
    """Until when the schedule is left alone with the slot; None where the operator launches, or the schedule gave up.

    That is the schedule's maximum event age (`plan.schedule`).
    """
    slot = slot_of_run(run)
    if slot is None or not is_awaited(run) or run.metadata.name in scene.given_up:
        return None
    return slot + min(scene.policy.starting_deadline or _PATIENCE, _PATIENCE)


def is_read_since(scene: Scene, since: datetime | None) -> bool:
    """Whether all that AWS told before `since` was read from the queue of events."""
    return scene.drained is not None and since is not None and scene.drained >= since


def known_since(run: BackgroundTaskRun) -> datetime | None:
    """Since when there is a run for the slot: what ECS told of it before has to be read first."""
    return moment(run.metadata.creation_timestamp) or slot_of_run(run)


def reading_over(run: BackgroundTaskRun) -> datetime | None:
    """When a slot is called missed though the queue of events was not read to its end."""
    since = known_since(run)
    return since + _READING if since else None


def launch_until(run: BackgroundTaskRun, scene: Scene) -> datetime | None:
    """Until when the run may have its first launch; None: at any time.

    A series of items has begun in time with its first one: the others wait for as long as those before them take.
    """
    slot = slot_of_run(run)
    if slot is None or any(first_launch(one.status) for one in siblings_of(run, scene)):
        return None
    deadline = scene.policy.starting_deadline
    if is_awaited(run):
        return slot + (min(deadline, LATEST) if deadline else LATEST)
    return slot + deadline if deadline else _if_late_from_the_start(run, slot)


def _if_late_from_the_start(run: BackgroundTaskRun, slot: datetime) -> datetime | None:
    """Without a deadline a run waits as long as it has to, but none is begun for a slot of long ago.

    So an operator that was down for a day does not launch all of that day at once.
    """
    created = moment(run.metadata.creation_timestamp)
    return slot + LATEST if created is not None and created - slot > LATEST else None


def barred(run: BackgroundTaskRun, scene: Scene) -> End | None:
    """How a run of a slot ends that may no longer have its first launch; None while it may."""
    if slot_of_run(run) is None:
        return None
    until = launch_until(run, scene)
    if until is not None and scene.now >= until:
        message = "It could not be launched in time after its slot."
        return End(run=run, phase="Missed", reason="MissSchedule", message=message)
    return _not_wished(run, scene.policy)


def _not_wished(run: BackgroundTaskRun, policy: Policy) -> End | None:
    """How a run of a slot ends that its task asked for, and does so no longer."""
    if policy.items and run.spec.item is None:
        message = "It did not start before its task was given forEach: it is not launched without an item."
        return End(run=run, phase="Missed", reason="MissSchedule", message=message)
    if policy.items is not None and run.spec.item is not None and run.spec.item not in policy.items:
        message = "Its item was taken out of the task's forEach before it was its turn."
        return End(run=run, phase="Skipped", reason="ItemRemoved", message=message)
    if not policy.suspended:
        return None
    if is_awaited(run):  # its schedule was to launch it before the task was suspended, and has not
        message = "Its schedule did not launch it, and then the task was suspended."
        return End(run=run, phase="Missed", reason="MissSchedule", message=message)
    return End(run=run, phase="Skipped", reason="Suspended", message="The task is suspended: spec.suspend is true.")
