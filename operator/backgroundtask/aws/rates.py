"""How often AWS lets one account call what in one region: operations that share a bucket, its burst and its refill.

Knows the documented numbers and how a person tells others, for an account whose quotas were raised. We stay a step
below either, since other programs of the account call, too. SQS is not in the table: a standard queue takes a nearly
unlimited number of calls a second (Amazon SQS Developer Guide, "Amazon SQS quotas").
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

STEP = 0.97
"""The part of what AWS allows that we use: 200 registrations take 187 s, where all that AWS allows would take 180 s."""

_MOST = 1_000_000
_ENTRY = re.compile(r"(?P<name>\w+)=(?P<burst>\d+)/(?P<refill>\d+(?:\.\d+)?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: calls at once, and calls a second in the long run."""

    burst: float
    refill: float

    @property
    def below(self) -> "Rate":
        """A step below; a burst of whole calls, one at least."""
        return Rate(max(1.0, math.floor(self.burst * STEP)), self.refill * STEP)


@dataclass(frozen=True, slots=True)
class Category:
    """Operations that share a bucket. `service` is botocore's word; `patience` are seconds that a thread waits there.

    Where a turn may be minutes away no thread waits for it: whoever asks comes back at its moment.
    """

    name: str
    service: str
    operations: frozenset[str]
    rate: Rate
    patience: float = 5.0


def _category(name: str, service: str, operations: str, burst: float, refill: float, patience: float = 5.0) -> Category:
    return Category(name, service, frozenset(operations.split()), Rate(burst, refill), patience)


CATEGORIES = (
    # Amazon ECS API Reference, "Request throttling for the Amazon ECS API": names, buckets and numbers.
    _category("TaskDefinitionModify", "ecs", "RegisterTaskDefinition DeregisterTaskDefinition", 20, 1, patience=0.2),
    _category("TaskDefinitionRead", "ecs", "DescribeTaskDefinition ListTaskDefinitions", 50, 20),
    _category("TagModify", "ecs", "TagResource UntagResource", 20, 10),
    _category("ClusterRead", "ecs", "DescribeClusters", 50, 20),
    _category("ClusterResourceModify", "ecs", "StopTask", 100, 40),
    _category("ClusterResourceRead", "ecs", "DescribeTasks ListTasks", 100, 20),
    # Amazon ECS Developer Guide, "AWS Fargate throttling quotas": 20 a second; tighter than the bucket of StopTask.
    _category("RunTask", "ecs", "RunTask", 20, 20),
    # EventBridge Scheduler User Guide, "Quotas": CreateSchedule, outside eleven regions that allow 5000. No number was
    # found for the others in every region, so they are taken for no better.
    _category("CreateSchedule", "scheduler", "CreateSchedule", 250, 250),
    _category("UpdateSchedule", "scheduler", "UpdateSchedule", 250, 250),
    _category("DeleteSchedule", "scheduler", "DeleteSchedule", 250, 250),
    _category("GetSchedule", "scheduler", "GetSchedule", 250, 250),
    _category("ListSchedules", "scheduler", "ListSchedules", 250, 250),
    # The same page: CreateScheduleGroup; the others as it.
    _category(
        "ScheduleGroups", "scheduler", "CreateScheduleGroup GetScheduleGroup ListTagsForResource TagResource", 10, 10
    ),
    # EventBridge User Guide, "Quotas": 50 a second for all APIs but PutEvents, as it said for years; taken together.
    _category(
        "Rules",
        "eventbridge",
        "PutRule PutTargets RemoveTargets DeleteRule DescribeRule ListTargetsByRule ListRules "
        "ListTagsForResource TagResource",
        50,
        50,
    ),
    # Amazon ECR User Guide, "Amazon ECR service quotas", has numbers for pushing and pulling only, the least of them
    # 10 a second (PutImage); these are taken for no better.
    _category(
        "Repositories",
        "ecr",
        "CreateRepository DescribeRepositories ListTagsForResource TagResource "
        "PutImageScanningConfiguration GetLifecyclePolicy PutLifecyclePolicy DeleteLifecyclePolicy DeleteRepository",
        10,
        10,
    ),
    # CloudWatch Logs User Guide, "CloudWatch Logs quotas": DescribeLogGroups; the others as it.
    _category("LogGroups", "cloudwatch-logs", "DescribeLogGroups CreateLogGroup PutRetentionPolicy", 10, 10),
    # AWS General Reference, "Amazon CloudWatch Logs endpoints and quotas": 10 in most regions, and not to be raised.
    _category("LogEvents", "cloudwatch-logs", "GetLogEvents", 10, 10),
)
"""All that is paced, with what AWS allows an account whose quotas nobody has raised."""

Rates = Mapping[str, Rate]
"""What we keep to, by category."""

DOCUMENTED: Rates = MappingProxyType({one.name: one.rate.below for one in CATEGORIES})
"""A step below what AWS documents."""

_BY_OPERATION = {(one.service, operation): one for one in CATEGORIES for operation in one.operations}
# Operations of several services: their buckets are named by the category only.
_SHARED = frozenset({"TagResource", "ListTagsForResource"})
_BY_NAME = {word: one for one in CATEGORIES for word in (one.name, *(one.operations - _SHARED))}


def category_of(service: str, operation: str) -> Category | None:
    """The bucket that a call takes from: `ecs`, `RunTask`; None where it is not paced."""
    return _BY_OPERATION.get((service, operation))


def rates_of(text: str) -> Rates:
    """A step below what `text` says that AWS allows: `RegisterTaskDefinition=50/10,RunTask=40/20`, burst/refill.

    A bucket is named by its category or by an operation that shares it; what is not named is as AWS documents it.

    Raises:
        ValueError: it says something else; the message is a sentence for whoever wrote it.
    """
    told: dict[str, Rate] = {}
    for entry in filter(None, text.split(",")):
        category, rate = _read(entry.strip())
        if category.name in told:
            raise ValueError(f"The bucket of {_names(category)} is told twice: tell it once.")
        told[category.name] = rate.below
    return MappingProxyType({**DOCUMENTED, **told})


def _read(entry: str) -> tuple[Category, Rate]:
    said = _ENTRY.fullmatch(entry)
    if said is None:
        raise ValueError(f"'{entry}' is not of the form NAME=BURST/REFILL, such as RegisterTaskDefinition=50/10.")
    name, rate = said["name"], Rate(int(said["burst"]), float(said["refill"]))
    if name not in _BY_NAME:
        raise ValueError(f"There is no bucket {name}: name one of {', '.join(one.name for one in CATEGORIES)}.")
    if not 1 <= rate.burst <= _MOST or not 0 < rate.refill <= _MOST:
        raise ValueError(
            f"'{entry}': a burst is 1 to {_MOST} calls, a refill more than 0 and at most {_MOST} a second."
        )
    return _BY_NAME[name], rate


def _names(category: Category) -> str:
    return ", ".join(sorted(category.operations))
