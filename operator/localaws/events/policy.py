"""Resource policies: whether a queue's policy lets an AWS service send to it on behalf of a resource.

Pure. Source: "Policy evaluation logic", IAM User Guide; "Permissions for Amazon SQS", EventBridge User Guide. What this
evaluator does not understand never allows: an unknown condition in an Allow does not hold, in a Deny it does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who wants to do what: service principal, action, resource, and on behalf of which resource and account."""

    service: str
    action: str
    resource: str
    source_arn: str
    source_account: str

    def context(self) -> dict[str, str]:
        """The condition keys of the request, in lower case as policies may write them in any."""
        return {
            "aws:sourcearn": self.source_arn,
            "aws:sourceaccount": self.source_account,
            "aws:principalisawsservice": "true",
            "aws:principalservicename": self.service,
            "aws:securetransport": "true",
        }


def allows(policy: str | None, access: Access) -> bool:
    """Whether a policy (JSON, or None where the resource has none) allows the access."""
    if not policy:
        return False
    statements = _listed(json.loads(policy).get("Statement", []))
    effects = {statement.get("Effect") for statement in statements if _applies(statement, access)}
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Mapping[str, Any], access: Access) -> bool:
    unknown = statement.get("Effect") == "Deny"
    return (
        _principal(statement, access.service, unknown=unknown)
        and _either(statement, "Action", access.action.lower(), str.lower)
        and _either(statement, "Resource", access.resource, str)
        and _conditions(statement.get("Condition", {}), access.context(), unknown=unknown)
    )


def _principal(statement: Mapping[str, Any], service: str, *, unknown: bool) -> bool:
    if "NotPrincipal" in statement:
        return unknown
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        return service in _listed(principal.get("Service", [])) or "*" in _listed(principal.get("AWS", []))
    return principal == "*"


def _either(statement: Mapping[str, Any], name: str, value: str, fold: Callable[[str], str]) -> bool:
    if name in statement:
        return any(_like(value, fold(pattern)) for pattern in _listed(statement[name]))
    if f"Not{name}" in statement:
        return not any(_like(value, fold(pattern)) for pattern in _listed(statement[f"Not{name}"]))
    return False


def _conditions(conditions: Mapping[str, Any], context: Mapping[str, str], *, unknown: bool) -> bool:
    for operator, keys in conditions.items():
        name = operator.removesuffix("IfExists")
        test = _TESTS.get(name)
        if test is None:
            return unknown
        for key, wanted in keys.items():
            found = context.get(key.lower())
            if found is None and operator != name:
                continue
            if found is None or not any(test(found, str(value)) for value in _listed(wanted)):
                return False
    return True


def _listed(value: Any) -> list[Any]:  # noqa: ANN401  # policies write one thing with or without a list around it
    return value if isinstance(value, list) else [value]


def _like(value: str, pattern: str) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(expression, value, re.DOTALL) is not None


def _arn_like(value: str, pattern: str) -> bool:
    # Each of an ARN's six parts is matched by itself, so a wildcard does not reach across a colon into the next.
    values, patterns = value.split(":", 5), pattern.split(":", 5)
    return len(values) == len(patterns) and all(map(_like, values, patterns))


def _same(value: str, wanted: str) -> bool:
    return value == wanted


def _same_in_any_case(value: str, wanted: str) -> bool:
    return value.casefold() == wanted.casefold()


_TESTS: dict[str, Callable[[str, str], bool]] = {
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "StringEquals": _same,
    "StringEqualsIgnoreCase": _same_in_any_case,
    "StringLike": _like,
    "Bool": _same_in_any_case,
}
