"""What AWS holds without an object: by intention, retained, or not, orphaned; and what of that may be taken, and when.

    an orphan is seen             | what follows
    ------------------------------+--------------------------------------------------------------
    for the first time            | it is reported
    again, before the grace ended | nothing
    again, after it               | it is taken, unless there are more orphans at once than a cap

The cap is for a wrong kubeconfig or a cluster that lost its objects: what looks like an orphan then is not one, and
nothing at all is taken. Nor does such a sighting count: of objects that come back one by one the last are no orphans,
either. Whoever is no longer seen has to be seen twice again. Pure: time is an argument, in seconds of a clock that
never goes back.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from backgroundtask.plan.changes import Update
from backgroundtask.plan.names import Owner
from backgroundtask.plan.observed import Observed, Revision

SHARE = 0.2
"""The share of all owners that bear our mark of which more at once are not believed to be orphans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to do about the orphans of one sighting; `since` is what to remember of it: each one's first that counts.

    `is_over_cap`: there are more than `cap`, and none is taken.
    """

    since: Mapping[Owner, float]
    report: tuple[Owner, ...] = ()
    take: tuple[Owner, ...] = ()
    cap: int
    is_over_cap: bool = False


def judge(
    orphans: frozenset[Owner], *, owners: int, before: Mapping[Owner, float], now: float, grace: float
) -> Verdict:
    """What follows from a sighting of `orphans` among `owners` that have anything in AWS, and nothing retained.

    `before` is what the last sighting is to be remembered by; `grace` seconds lie between two that count.
    """
    cap = max(1, int(owners * SHARE))
    is_over_cap = len(orphans) > cap
    seen_long_enough = (one for one in orphans if one in before and now - before[one] >= grace)
    return Verdict(
        since={one: math.inf if is_over_cap else min(before.get(one, now), now) for one in orphans},
        report=tuple(sorted(orphans - before.keys())),
        take=() if is_over_cap else tuple(sorted(seen_long_enough)),
        cap=cap,
        is_over_cap=is_over_cap,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What has to be marked, so that what stays by intention is never taken for an orphan."""

    schedules: tuple[Update, ...]
    revisions: tuple[Revision, ...]


def retention(observed: Observed, owner: str) -> Retention:
    """The plan for a task that goes and leaves AWS as it is. What a stranger owns stays unmarked."""
    found = (one.schedule for one in observed.schedules.values())
    ours = sorted((one for one in found if one.owner == owner and not one.retained), key=lambda one: one.key)
    return Retention(
        schedules=tuple(Update(one, replace(one, retained=True)) for one in ours),
        revisions=tuple(one for one in observed.revisions if one.owner == owner and not one.retained),
    )


def is_retained(observed: Observed, owner: str) -> bool:
    """Whether anything of the owner's is marked as retained: then all of it is left alone.

    Where an object took it up again, its schedules bear its UID and no mark; the mark of a revision that it replaced
    says nothing any more.
    """
    schedules = [found.schedule for found in observed.schedules.values() if found.schedule.owner == owner]
    taken_up = {one.uid for one in schedules if not one.retained}
    return any(one.retained for one in schedules) or any(
        one.retained and (not taken_up or one.uid in taken_up) for one in observed.revisions if one.owner == owner
    )
