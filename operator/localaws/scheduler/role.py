"""May Scheduler assume the role of a schedule? Asked of IAM when a schedule is created or updated, as AWS does.

Knows trust policies as far as Scheduler meets them. Refuses to judge what the role may do: that is not enforced.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import json
import urllib.parse
from typing import Any

from localaws.contract import AwsError, Params, World
from localaws.scheduler import refusals

PRINCIPAL = "scheduler.amazonaws.com"
_NOT_ASSUMABLE = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."  # reported
_IAM_REGION = "us-east-1"
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

        Raises:
            AwsError: ValidationException, as AWS words it.
        """
        now = self._world.clock.now()
        if (until := self._trusted.get((role, group))) is not None and now < until:
            return
        self._trusted.pop((role, group), None)
        policy = await self._trust_policy(role)
        if policy is None or not trusts(policy, group):
            raise refusals.invalid(_NOT_ASSUMABLE)
        self._trusted[role, group] = now + _TRUSTED_FOR

    async def _trust_policy(self, role: str) -> Params | None:
        name = {"RoleName": role.rpartition("/")[2]}
        try:
            answer = await self._world.call("iam", "GetRole", name, region=_IAM_REGION, principal=PRINCIPAL)
        except AwsError as error:
            if error.code == "NoSuchEntity":
                return None
            raise
        found: Params = answer["Role"]
        return _document(found["AssumeRolePolicyDocument"]) if found["Arn"] == role else None


def trusts(policy: Params, group: str) -> bool:
    """Does a trust policy let Scheduler assume its role on behalf of a schedule group?

    Reported, and documented (UG, "Confused deputy prevention"): aws:SourceArn is the group's ARN, not the schedule's.
    """
    matching = [statement for statement in _listed(policy.get("Statement", [])) if _applies(statement, group)]
    effects = {statement.get("Effect") for statement in matching}
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Params, group: str) -> bool:
    actions = [action.lower() for action in _listed(statement.get("Action", []))]
    if not any(fnmatch.fnmatchcase("sts:assumerole", action) for action in actions):
        return False
    principal = statement.get("Principal", {})
    services = _listed(principal.get("Service", [])) if isinstance(principal, dict) else [principal]
    if not {PRINCIPAL, "*"}.intersection(services):
        return False
    return all(
        _holds(operator, key, wanted, group)
        for operator, conditions in statement.get("Condition", {}).items()
        for key, wanted in conditions.items()
    )


def _holds(operator: str, key: str, wanted: object, group: str) -> bool:
    """One condition; one that Scheduler's call has no value for does not hold."""
    values = {"aws:sourcearn": group, "aws:sourceaccount": group.split(":")[4]}
    value = values.get(key.lower())
    patterns = [str(pattern) for pattern in _listed(wanted)]
    if value is None:
        return operator.endswith("IfExists")
    if operator.removesuffix("IfExists") in {"StringLike", "ArnLike", "ArnEquals"}:
        return any(fnmatch.fnmatchcase(value, pattern.replace("[", "[[]")) for pattern in patterns)
    return operator.removesuffix("IfExists") == "StringEquals" and value in patterns


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _document(value: Params | str) -> Params:
    """A policy document, which IAM sends URL-encoded and SDKs hand on decoded."""
    if not isinstance(value, str):
        return value
    document: Params = json.loads(urllib.parse.unquote(value))
    return document
