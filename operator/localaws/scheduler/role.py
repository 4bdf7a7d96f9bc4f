"""May Scheduler assume the role of a schedule? Asked of IAM when a schedule is created or updated, as AWS does.

Knows for how long a yes may be old; what a trust policy says is read in `triggers.trust`.
"""

from __future__ import annotations

import datetime as dt

from localaws.contract import World
from localaws.scheduler import refusals
from localaws.triggers.trust import trust_policy, trusts

PRINCIPAL = "scheduler.amazonaws.com"
_NOT_ASSUMABLE = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."  # reported
_TRUSTED_FOR = dt.timedelta(
    seconds=10
)  # documented: IAM is eventually consistent; a yes may be this old, a no never is


class Roles:
    """The roles that schedules run with."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._trusted: dict[tuple[str, str], dt.datetime] = {}

    async def require_assumable(self, role: str, group: str) -> None:
        """Return if the role exists and trusts Scheduler for the schedule group of this ARN.

        Reported, and documented (UG, "Confused deputy prevention"): aws:SourceArn is the group's ARN, not the
        schedule's.

        Raises:
            AwsError: ValidationException, as AWS words it.
        """
        now = self._world.clock.now()
        if (until := self._trusted.get((role, group))) is not None and now < until:
            return
        self._trusted.pop((role, group), None)
        policy = await trust_policy(self._world, role, PRINCIPAL)
        if policy is None or not trusts(policy, PRINCIPAL, group):
            raise refusals.invalid(_NOT_ASSUMABLE)
        self._trusted[role, group] = now + _TRUSTED_FOR
