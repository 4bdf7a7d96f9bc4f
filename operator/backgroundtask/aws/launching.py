"""What ECS answers to RunTask, in our nouns: a task, a failure with status 200, or what a token stands for already.

Knows the words in which ECS says that it has no room; launches nothing. Sources: Amazon ECS API Reference, "API failure
reasons" and "Ensuring idempotency"; the two sentences about capacity and limits are reported (airflow #48001, dagster
PR #24691).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backgroundtask.aws.tasks import Malformed, task_of
from backgroundtask.plan.outcome import Task, plain

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import FailureTypeDef


@dataclass(frozen=True, slots=True)
class Started:
    """ECS has this task for the token: started now, or by the same request before."""

    task: Task


@dataclass(frozen=True, slots=True)
class Known:
    """ECS has started these tasks (ARNs, one at least) for the token before, and says nothing more of them here."""

    arns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotStarted:
    """ECS took the request and started nothing. The token stands for that from now on: the next launch needs another.

    `reason` is a CamelCase word, `message` a sentence with ECS's own words. Where `is_transient` is False the same
    launch cannot work later either.
    """

    reason: str
    message: str
    is_transient: bool


Launched = Started | Known | NotStarted


@dataclass(frozen=True, slots=True)
class _Failure:
    says: str  # a regular expression
    reason: str
    message: str
    is_transient: bool = True


_FAILURES = (  # read from the top: the first that fits counts
    _Failure("rate exceeded|throttl", "Throttled", "AWS limits how often tasks may be started"),
    _Failure("reached the limit", "LimitReached", "A quota of Fargate is used up: let tasks end, or have it raised"),
    _Failure("capacity is unavailable", "CapacityUnavailable", "AWS has no capacity for the task at the moment"),
    _Failure("^RESOURCE", "ResourceUnavailable", "ECS has no room for the task at the moment"),
    _Failure("^AGENT$", "AgentDisconnected", "ECS cannot reach what would run the task"),
    _Failure("^MISSING$", "ResourceMissing", "ECS does not find what would run the task", is_transient=False),
    _Failure("^INACTIVE$", "ResourceInactive", "What would run the task is inactive", is_transient=False),
    _Failure("^ATTRIBUTE", "AttributeMissing", "Nothing offers what the task requires", is_transient=False),
    _Failure("", "NotStarted", "ECS has started nothing"),
)


def launched_of(tasks: Sequence[Mapping[str, Any]], failures: "Sequence[FailureTypeDef]") -> Launched:
    """What an answer of RunTask for one task means.

    A repeated request is answered by the tasks of the first, of a stopped one only its ARN and statuses, and its
    failures an hour later by their number only.
    """
    if not tasks:
        return _not_started(failures)
    try:
        return Started(task_of(tasks[0]))
    except Malformed:
        return Known(tuple(str(one["taskArn"]) for one in tasks))


def _not_started(failures: "Sequence[FailureTypeDef]") -> NotStarted:
    failure: Mapping[str, Any] = failures[0] if failures else {}
    reason, detail = str(failure.get("reason") or ""), str(failure.get("detail") or "")
    row = next(one for one in _FAILURES if re.search(one.says, reason, re.IGNORECASE))
    said = plain(": ".join(filter(None, (reason, detail)))).rstrip(". ")
    message = f"{row.message}. ECS says: {said}." if said else f"{row.message}, and does not say why."
    return NotStarted(row.reason, message, row.is_transient)
