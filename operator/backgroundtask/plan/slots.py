"""The slots of a task's schedules, and which of them nobody has told of: none may pass without a record.

A run says that its slot was seen. The status remembers up to where every slot has, or had, its run (the cursor); what
lies behind it is compared with the schedules that AWS holds. A slot that has no run when its time is over gets one, and
what became of it is decided there. Knows schedules, moments and names; refuses to know ECS and why a slot passed.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from backgroundtask.api.conditions import SCHEDULED, find
from backgroundtask.api.task_status import TaskStatus
from backgroundtask.cron import parse, times_between
from backgroundtask.errors import Rejected
from backgroundtask.plan.identity import AccountedSlots
from backgroundtask.plan.lateness import LATEST
from backgroundtask.plan.moments import moment, stamp
from backgroundtask.plan.schedule import MAXIMUM_AGE
from backgroundtask.plan.status import Configured, Refused, Settled

MOST_AT_ONCE = 20
"""Runs that a pass makes for slots that passed without one."""
MOST_LOOKED_AT = 1000
"""Slots that a pass goes through, with a run or without."""
OF_THE_OPERATOR = timedelta(seconds=120)
"""How long a tick may take before its slot is looked for: Scheduler promises the minute, and SQS takes seconds."""
FUTURE = timedelta(days=366)
"""How far ahead of our clock a tick is believed: ours may be wrong, and AWS's is not; what is beyond was made up."""
_AUDIT_GRACE = timedelta(minutes=5)  # for the pass that is due to have its turn


@dataclass(frozen=True, slots=True)
class Firing:
    """A schedule that is on: what fires, and who launches then."""

    expression: str
    time_zone: str
    is_queued: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """A time at which a schedule fires, and whether the operator is to launch then."""

    time: datetime
    is_queued: bool = False


Firings = tuple[Firing, ...]
HasRun = Callable[[datetime], bool]
"""Whether there is a run for each thing that a slot asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a look at the slots found.

    `until`: once the runs of `due` exist, each slot up to here has its run. `look_at`: when the next slot without a run
    is due to be looked for. `is_behind`: there are more than a pass goes through.
    """

    until: datetime
    due: tuple[Slot, ...] = ()
    look_at: datetime | None = None
    is_behind: bool = False


def firings(status: TaskStatus) -> Firings:
    """The schedules that fire, as the status tells of them."""
    scheduled = find(status.conditions, SCHEDULED)
    if scheduled is None or scheduled.status != "True":
        return ()
    return tuple(Firing(one.expression, one.time_zone, one.launch == "Queue") for one in status.schedules)


def firings_after(status: TaskStatus, configured: Configured) -> Firings:
    """What fires once the AWS side of a task, of which `status` tells, is `configured`."""
    match configured:
        case Settled(desired=desired):
            return tuple(
                Firing(one.expression, one.time_zone, one.launch == "Queue") for one in desired.schedules if one.enabled
            )
        case Refused(switched_off=True):
            return ()
        case _:
            return firings(status)


def slots_between(fires: Firings, start: datetime, end: datetime) -> Iterator[Slot]:
    """The slots after `start` up to and with `end`, ascending; a time that two schedules share is one slot."""
    seen = None
    for slot in heapq.merge(*(_slots(one, start, end) for one in fires)):
        if slot.time != seen:
            yield slot
        seen = slot.time


def patience(slot: Slot, deadline: timedelta | None) -> timedelta:
    """How long after its time a slot may be without a run, and nothing be wrong.

    A schedule that launches by itself tries for its maximum age, which is the task's `deadline` if that is shorter.
    """
    longest = timedelta(seconds=MAXIMUM_AGE)
    return OF_THE_OPERATOR if slot.is_queued else min(deadline or longest, longest)


def account(
    fires: Firings, *, since: datetime, now: datetime, has_run: HasRun, deadline: timedelta | None, closes: bool = False
) -> Account:
    """Look at the slots after `since`, the cursor.

    `closes`: after this look others fire, so each slot up to `now` is due, and none is left to look for.
    """
    until, due, look_at, is_whole = since, list[Slot](), None, True
    slots = slots_between(fires, since, now)
    for slot in islice(slots, MOST_LOOKED_AT):
        is_there, overdue_at = has_run(slot.time), slot.time + patience(slot, deadline)
        if not is_there and not closes and now < overdue_at:
            look_at, is_whole = min(look_at or overdue_at, overdue_at), False
            continue
        if not is_there and len(due) == MOST_AT_ONCE:
            return Account(until=until, due=tuple(due), look_at=look_at, is_behind=True)
        if not is_there:
            due.append(slot)
        until = slot.time if is_whole else until
    is_behind = next(slots, None) is not None
    if is_whole and not is_behind:
        ahead = (slot.time for slot in islice(slots_between(fires, now, now + FUTURE), MOST_LOOKED_AT))
        until = max(takewhile(has_run, ahead), default=until)  # AWS's clock is ahead of ours, or somebody moved it
    done = now.replace(microsecond=0) if closes and not is_behind else until
    return Account(until=max(done, since), due=tuple(due), look_at=look_at, is_behind=is_behind)


def overdue(status: TaskStatus, *, now: datetime, has_run: HasRun, deadline: timedelta | None) -> int:
    """How many slots of a task have no run though it is past time for them to be looked for: 0 where all is well."""
    since = moment(status.slots_accounted_until)
    if since is None:
        return 0
    late = now - _AUDIT_GRACE
    slots = islice(slots_between(firings(status), since, late), MOST_LOOKED_AT)
    return sum(not has_run(slot.time) and slot.time + patience(slot, deadline) < late for slot in slots)


def next_to_look_at(status: TaskStatus, *, since: datetime, now: datetime) -> datetime | None:
    """The first slot after `since`, up to when a pass has seen slots pass: it may be over before the pass is."""
    passed = next((slot.time for slot in slots_between(firings(status), since, now)), None)
    return passed or moment(status.next_schedule_time)


def prunable_until(status: TaskStatus, now: datetime) -> datetime | None:
    """Up to which slot the runs of a task may be pruned; None: whatever their slots.

    The run of a slot that is looked for, as the status tells, is its lock. Nobody looks for slots that no schedule is
    known to have, such as those of a `rate(...)`: their runs go once a word that comes again could start nothing more.
    """
    since = moment(status.slots_accounted_until)
    if since is None:
        return None
    until, coming = now - LATEST, next(slots_between(firings(status), since, now), None)
    before = until if coming is None else min(until, coming.time - timedelta(seconds=1))
    return max(since, before)


def account_of(status: TaskStatus) -> AccountedSlots:
    """Which slots of a task had their run, as its status tells."""
    return AccountedSlots(since=status.slots_accounted_from, until=status.slots_accounted_until)


def refusal(slot: datetime, uid: str, *, task_uid: str, accounted: AccountedSlots, now: datetime) -> str | None:
    """Why a word about a slot that has no run makes none, or None where it makes one."""
    if uid != task_uid:
        return "it is for a task that bore this name before"
    if slot > now + FUTURE:
        return "its slot is in the future"
    if accounted.has(slot):
        return "its slot had its run, or came long before the schedule was settled"
    return None


def with_cursor(
    before: TaskStatus, after: TaskStatus, until: datetime | None, *, is_behind: bool, begins: bool = False
) -> TaskStatus:
    """The status with the cursor where that costs no write of its own, or is worth one: a long way is kept.

    `begins`: the account begins there.
    """
    told = stamp(until) if until else after.slots_accounted_until
    if told == after.slots_accounted_until or (before == after and not is_behind):
        return after
    start = {"slots_accounted_from": told} if begins else {}
    return after.model_copy(update={"slots_accounted_until": told, **start})


def _slots(fires: Firing, start: datetime, end: datetime) -> Iterable[Slot]:
    try:
        times = times_between(parse(fires.expression), time_zone=fires.time_zone, start=start, end=end)
    except Rejected:  # somebody edited the status: the next full look writes it anew
        return ()
    return (Slot(time, fires.is_queued) for time in times)
