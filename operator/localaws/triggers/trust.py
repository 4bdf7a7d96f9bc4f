"""Trust policies: may a service assume a role on behalf of a resource?

Knows trust policies as far as EventBridge and its Scheduler meet them. Refuses to judge what a role may do: that is
not enforced. A condition that is not understood does not hold.
"""

from __future__ import annotations

import fnmatch
import json
import urllib.parse
from typing import Any

from localaws.contract import AwsError, Params, World

_IAM_REGION = "us-east-1"


async def trust_policy(world: World, role: str, principal: str) -> Params | None:
    """The trust policy of the role of this ARN; None where there is none of that ARN.

    Raises:
        AwsError: IAM did not answer.
    """
    name = {"RoleName": role.rpartition("/")[2]}
    try:
        answer = await world.call("iam", "GetRole", name, region=_IAM_REGION, principal=principal)
    except AwsError as error:
        if error.code == "NoSuchEntity":
            return None
        raise
    found: Params = answer["Role"]
    return _document(found["AssumeRolePolicyDocument"]) if found["Arn"] == role else None


def trusts(policy: Params, principal: str, source: str) -> bool:
    """Does a trust policy let a service assume its role on behalf of the resource of this ARN?"""
    matching = [
        statement for statement in _listed(policy.get("Statement", [])) if _applies(statement, principal, source)
    ]
    effects = {statement.get("Effect") for statement in matching}
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Params, principal: str, source: str) -> bool:
    actions = [action.lower() for action in _listed(statement.get("Action", []))]
    if not any(fnmatch.fnmatchcase("sts:assumerole", action) for action in actions):
        return False
    named = statement.get("Principal", {})
    services = _listed(named.get("Service", [])) if isinstance(named, dict) else [named]
    if not {principal, "*"}.intersection(services):
        return False
    return all(
        _holds(operator, key, wanted, source)
        for operator, conditions in statement.get("Condition", {}).items()
        for key, wanted in conditions.items()
    )


def _holds(operator: str, key: str, wanted: object, source: str) -> bool:
    """One condition; one that the call has no value for does not hold."""
    values = {"aws:sourcearn": source, "aws:sourceaccount": source.split(":")[4]}
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
