"""What is wanted against what is there: the plan that leads from one to the other.

    definition            | schedules                      | retire
    ----------------------+--------------------------------+---------------------------------------------
    the digest is there   | missing: Create                | every other revision, once it is old enough
    → Keep                | differs, ours: Update          | and no active run uses it
    it is not → Register  | not wanted, ours: Remove       |
                          | differs, a stranger's: refused |

The types carry the order: a schedule is rendered only with the revision that `Keep` or `Register` brings, and what is
retired was replaced before. Pure: an empty plan writes nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from backgroundtask.plan.definition import Definition, digest_of
from backgroundtask.plan.observed import Observed, Revision
from backgroundtask.plan.ownership import refuse_strangers
from backgroundtask.plan.rules import to_rule, to_target
from backgroundtask.plan.schedule import Schedule
from backgroundtask.plan.scheduler import to_scheduler


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What a task asks for. The schedules point at no revision yet.

    `launch_reason` is what asks for it that the operator launches, where it does.
    """

    definition: Definition
    schedules: tuple[Schedule, ...]
    uid: str
    launch_reason: str | None = None

    @property
    def owner(self) -> str:
        """The mark that everything of this task bears."""
        return str(self.definition.owner)

    @property
    def digest(self) -> str:
        """Equal for equal wishes: what the status remembers, so that a restart need not ask AWS."""
        wishes = [self.definition.digest, [_document(one) for one in self.schedules]]
        return digest_of([*wishes, self.launch_reason] if self.launch_reason else wishes)


def _document(schedule: Schedule) -> object:
    return to_scheduler(schedule) if schedule.clock == "Scheduler" else [to_rule(schedule), to_target(schedule)]


@dataclass(frozen=True, slots=True)
class Keep:
    """The revision is there; one that was retained is taken back."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class Register:
    """The revision has to be registered."""

    definition: Definition


@dataclass(frozen=True, slots=True)
class Create:
    """A schedule that is missing."""

    after: Schedule
    before: None = None


@dataclass(frozen=True, slots=True)
class Update:
    """A schedule that differs; both sides, as UpdateSchedule replaces the whole."""

    before: Schedule
    after: Schedule


@dataclass(frozen=True, slots=True)
class Remove:
    """A schedule that is no longer wanted."""

    before: Schedule
    after: None = None


Change = Create | Update | Remove


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do, in the order of its fields.

    `pause` switches schedules off before anything that may be refused, so that `suspend` holds whatever else is in the
    spec. `retire` holds what may be deregistered now; `retire_at` is the moment when more may be.
    """

    definition: Keep | Register
    pause: tuple[Update, ...] = ()
    schedules: tuple[Change, ...] = ()
    retire: tuple[Revision, ...] = ()
    retire_at: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing is to be written."""
        is_there = isinstance(self.definition, Keep) and not self.definition.revision.retained
        return is_there and not (self.pause or self.schedules or self.retire)


@dataclass(frozen=True, slots=True, kw_only=True)
class Teardown:
    """The end of a task: schedules first, so that nothing starts; then the tasks; then the revisions."""

    schedules: tuple[Remove, ...]
    retire: tuple[Revision, ...]


def plan(
    desired: Desired,
    observed: Observed,
    *,
    now: datetime,
    retire_after: timedelta,
    unchanged_since: datetime,
    in_use: frozenset[str] = frozenset(),
) -> Plan:
    """The plan for a task that is to exist.

    `retire_after` is how long a firing may still start the revision that its schedule pointed at; `unchanged_since`
    stands in for the schedules' last change where AWS tells none; `in_use` are the revisions (ARNs) of active runs.

    Raises:
        Rejected: NotOwned, where a schedule or the family belongs to someone else.
    """
    refuse_strangers(observed, desired.owner)
    kept = next((one for one in observed.revisions if one.digest == desired.definition.digest), None)
    arn = kept.arn if kept else None
    changes = tuple(_changes(desired, observed, arn))
    waiting = [one for one in observed.revisions if one.arn != arn and one.arn not in in_use]
    replaced = max((one.changed or unchanged_since for one in observed.schedules.values()), default=unchanged_since)
    due = replaced + retire_after
    settled = kept is not None and not changes
    return Plan(
        definition=Keep(kept) if kept else Register(desired.definition),
        pause=() if kept else tuple(_pauses(changes)),
        schedules=changes,
        retire=tuple(waiting) if settled and due <= now else (),
        retire_at=_next_retirement(waiting, settled=settled, due=due, now=now, retire_after=retire_after),
    )


def pause(observed: Observed, owner: str) -> tuple[Update, ...]:
    """Switch off every schedule that is ours and leave the rest: the answer to a right that was taken away."""
    ours = (found.schedule for found in observed.schedules.values() if found.schedule.owner == owner)
    return tuple(Update(one, replace(one, enabled=False)) for one in ours if one.enabled)


def teardown(observed: Observed, owner: str) -> Teardown:
    """The plan for a task that is to go. What a stranger owns stays where it is."""
    ours = (found.schedule for found in observed.schedules.values() if found.schedule.owner == owner)
    return Teardown(
        schedules=tuple(Remove(one) for one in sorted(ours, key=lambda one: one.key)),
        retire=tuple(one for one in observed.revisions if one.owner == owner),
    )


def _changes(desired: Desired, observed: Observed, arn: str | None) -> list[Change]:
    """Each schedule that is missing is made before any is removed: on a change of clock a slot is never without one."""
    wanted = {one.key: one.pointing_at(arn) if arn else one for one in desired.schedules}
    changes: list[Change] = []
    for key, schedule in sorted(wanted.items()):
        found = observed.schedules.get(key)
        if found is None:
            changes.append(Create(schedule))
        elif found.schedule != schedule:
            changes.append(Update(found.schedule, schedule))
    unwanted = sorted(observed.schedules.keys() - wanted.keys())
    return changes + [Remove(observed.schedules[key].schedule) for key in unwanted]


def _pauses(changes: tuple[Change, ...]) -> list[Update]:
    is_off = any(change.after is not None and not change.after.enabled for change in changes)
    paused = []
    for change in changes:
        match change:
            case Update(before, after) if before.enabled and not after.enabled:
                paused.append(Update(before, replace(before, enabled=False)))
            case Remove(before) if before.enabled and is_off:  # the other clock's
                paused.append(Update(before, replace(before, enabled=False)))
            case Create() | Update() | Remove():
                continue
            case _:
                assert_never(change)
    return paused


def _next_retirement(
    waiting: list[Revision], *, settled: bool, due: datetime, now: datetime, retire_after: timedelta
) -> datetime | None:
    if not waiting or (settled and due <= now):
        return None
    return due if settled else now + retire_after
