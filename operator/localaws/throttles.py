"""Throttling as AWS does it: token buckets an account and region, filled by the virtual clock.

Knows which operations share a bucket and how an AWS service says that one is empty. None is in force until somebody
asks for it, so that nothing is throttled by accident.

Source: "Request throttling for the Amazon ECS API", ECS API Reference: a bucket holds its burst at most, each request
takes one token, and the refill rate is what may be asked for in the long run; so do the other services.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from localaws.contract import AwsError, Clock

AWS = "aws"
"""The name of the buckets that an account has whose quotas nobody has raised."""

_MEMBERS = frozenset({"name", "service", "operations", "burst", "rate"})
_MOST = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Operations of one service that share a bucket: `burst` tokens at most, `rate` more a second."""

    name: str
    service: str
    operations: tuple[str, ...]
    burst: float
    rate: float

    def as_json(self) -> dict[str, Any]:
        """The limit as `/_localaws/throttles` takes and answers it."""
        return {
            "name": self.name,
            "service": self.service,
            "operations": list(self.operations),
            "burst": self.burst,
            "rate": self.rate,
        }


def _limit(name: str, service: str, operations: str, burst: float, rate: float) -> Limit:
    return Limit(name=name, service=service, operations=tuple(operations.split()), burst=burst, rate=rate)


LIMITS: tuple[Limit, ...] = (
    # documented: "Request throttling for the Amazon ECS API", its table of buckets
    _limit("task-definition-modify", "ecs", "RegisterTaskDefinition DeregisterTaskDefinition", 20, 1),
    _limit("task-definition-read", "ecs", "DescribeTaskDefinition ListTaskDefinitions", 50, 20),
    _limit("tag-modify", "ecs", "TagResource UntagResource", 20, 10),
    _limit("cluster-read", "ecs", "DescribeClusters", 50, 20),
    _limit("cluster-resource-modify", "ecs", "StopTask", 100, 40),
    _limit("cluster-resource-read", "ecs", "DescribeTasks ListTasks", 100, 20),
    # documented: ECS Developer Guide, "AWS Fargate throttling quotas": calls of RunTask, and beside them tasks launched
    _limit("run-task", "ecs", "RunTask", 20, 20),
    _limit("fargate-on-demand", "fargate", "FARGATE", 100, 20),
    _limit("fargate-spot", "fargate", "FARGATE_SPOT", 100, 20),
    # documented: quotas of EventBridge Scheduler, outside the eleven regions that allow 5000
    _limit("create-schedule", "scheduler", "CreateSchedule", 250, 250),
    # documented: quotas of EventBridge Scheduler
    _limit("create-schedule-group", "scheduler", "CreateScheduleGroup", 10, 10),
    # documented: quotas of CloudWatch Logs
    _limit("describe-log-groups", "logs", "DescribeLogGroups", 10, 10),
)
"""The buckets called `aws`."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: dt.datetime


@dataclass(slots=True)
class _Counted:
    limit: Limit
    buckets: dict[str, _Bucket] = field(default_factory=dict)  # by region
    refused: int = 0


class Throttles:
    """The limits in force, and what is left in their buckets."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counted: dict[str, _Counted] = {}
        self._by_operation: dict[tuple[str, str], _Counted] = {}

    def put(self, limits: Iterable[Limit]) -> None:
        """Put these limits in force instead of all others, with full buckets."""
        self._counted = {limit.name: _Counted(limit) for limit in limits}
        self._by_operation = {
            (counted.limit.service, operation): counted
            for counted in self._counted.values()
            for operation in counted.limit.operations
        }

    def take(self, service: str, operation: str, region: str, *, tokens: int = 1) -> None:
        """Take the token of one call, or those of all that it asks for at once.

        Raises:
            AwsError: there is none, in the words of the service.
        """
        counted = self._by_operation.get((service, operation))
        if counted is None:
            return
        bucket = self._filled(counted, region)
        if bucket.tokens < tokens:
            counted.refused += 1
            raise throttled(service)
        bucket.tokens -= tokens

    def as_json(self) -> list[dict[str, Any]]:
        """The limits in force, with the number of calls that each has refused."""
        return [{**counted.limit.as_json(), "refused": counted.refused} for counted in self._counted.values()]

    def _filled(self, counted: _Counted, region: str) -> _Bucket:
        now, limit = self._clock.now(), counted.limit
        bucket = counted.buckets.setdefault(region, _Bucket(limit.burst, now))
        passed = max((now - bucket.filled).total_seconds(), 0.0)
        bucket.tokens = min(limit.burst, bucket.tokens + passed * limit.rate)
        bucket.filled = now
        return bucket


def parse_limits(wanted: object) -> Sequence[Limit]:
    """Read what is to be in force: the name `aws`, or a list of limits; an empty list is none.

    Raises:
        ValueError: it makes no sense; the text says what to change.
    """
    if wanted == AWS:
        return LIMITS
    if not isinstance(wanted, list):
        raise ValueError(f"'limits' must be {AWS!r} or a list of limits")  # noqa: TRY004 - what JSON says, not a bug
    limits = [_parse_limit(one) for one in wanted]
    for kind, names in (("limits", [one.name for one in limits]), ("operations", _operations(limits))):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two of the {kind} are {twice[0]!r}: name each once")
    return limits


def _operations(limits: Iterable[Limit]) -> list[str]:
    return [f"{limit.service}.{operation}" for limit in limits for operation in limit.operations]


def _parse_limit(wanted: object) -> Limit:
    if not isinstance(wanted, dict) or wanted.keys() != _MEMBERS:
        raise ValueError(f"a limit is an object with just these members: {', '.join(sorted(_MEMBERS))}")
    for name in ("name", "service"):
        if not isinstance(wanted[name], str) or not wanted[name]:
            raise ValueError(f"{name!r} of a limit must be a non-empty string")
    operations = wanted["operations"]
    if not isinstance(operations, list) or not operations or not all(isinstance(one, str) for one in operations):
        raise ValueError("'operations' of a limit must be a list of at least one name, as RunTask")
    for name, least in (("burst", 1), ("rate", 0)):
        value = wanted[name]
        if type(value) not in (int, float) or not least <= value <= _MOST:
            raise ValueError(f"{name!r} of a limit must be a number from {least} to {_MOST:.0f}")
    return Limit(**{**wanted, "operations": tuple(operations)})


_RATE = "Rate exceeded"
_REFUSALS: dict[str, tuple[str, str, int]] = {
    "sqs": ("RequestThrottled", "The request was denied due to request throttling.", 403),
    "scheduler": ("ThrottlingException", _RATE, 429),
    "s3": ("SlowDown", "Please reduce your request rate.", 503),
    "ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503),
    **dict.fromkeys(("iam", "sts", "cloudformation"), ("Throttling", _RATE, 400)),
}


def throttled(service: str) -> AwsError:
    """How a service says that it was asked too often: `ThrottlingException` where it has no way of its own.

    documented: ECS, "Request throttling for the Amazon ECS API"; Scheduler and Logs, ThrottlingException of their API
    models; SQS, IAM, STS and CloudFormation, common errors of their API Reference; EC2 API Reference, "Error codes";
    S3 API Reference, "Error responses"
    """
    code, message, status = _REFUSALS.get(service, ("ThrottlingException", _RATE, 400))
    return AwsError(code, message, status=status)
