"""A schedule as we want it in AWS, on whichever clock, and the RunTask request that it makes.

One function renders the request for every way of launching, so a late launch by the operator is, to the letter, the
launch that the schedule would have made. Refuses to know the documents of AWS: `scheduler` has EventBridge Scheduler's,
`rules` those of EventBridge rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, get_args

from backgroundtask.api.names import (
    ENV_ITEM,
    ENV_RUN,
    ENV_RUN_UID,
    ENV_SCHEDULED_TIME,
    ENV_TASK_UID,
    MAIN_CONTAINER,
    TAG_PREFIX,
)
from backgroundtask.api.template import Clock, Launch
from backgroundtask.plan.names import Owner

CLOCKS: tuple[Clock, ...] = get_args(Clock)
MAXIMUM_AGE = 3000
"""Seconds after its slot that a schedule may still start a task: ECS forgets the token of a short task an hour after it
ended, and a retry that comes later would start a second one (Amazon ECS API, "Ensuring idempotency")."""
RETRY_ATTEMPTS = 185
"""The maximum of both clocks: the age decides."""
TICK = f"{TAG_PREFIX}tick"
"""The only member of a tick: what a schedule sends that leaves the launch to the operator."""

_OWNER_MARK = f"{TAG_PREFIX}owner="
_UID_MARK = " uid="
_RETAINED_MARK = " retained=true"


class Marks(NamedTuple):
    """What the description of a schedule tells. `owner` is None where it bears no mark: it is a stranger's."""

    owner: str | None = None
    uid: str | None = None
    retained: bool = False

    def __str__(self) -> str:
        """The description that tells it."""
        if self.owner is None:
            return ""
        return f"{_OWNER_MARK}{self.owner}{_UID_MARK}{self.uid or ''}{_RETAINED_MARK if self.retained else ''}"


def marks_in(description: str) -> Marks:
    """What a description tells."""
    if not description.startswith(_OWNER_MARK):
        return Marks()
    retained = description.endswith(_RETAINED_MARK)
    owner, _, uid = description.removeprefix(_OWNER_MARK).removesuffix(_RETAINED_MARK).partition(_UID_MARK)
    return Marks(owner, uid or None, retained)


class Shelf(NamedTuple):
    """Where schedules of one clock lie: in a schedule group, or among the rules that bear an installation's mark."""

    clock: Clock
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a task runs: what a LaunchTemplate says beyond the definition."""

    cluster: str  # ARN
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...] = ()
    public_ip: bool = False
    providers: tuple[tuple[str, int, int], ...] = ()  # (capacity provider, weight, base); none: launch type FARGATE
    platform_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What a launch by the operator says beyond what the schedule's says; what is absent adds nothing to the request.

    `task_role` is the ARN of the role that the run gets instead of its definition's.
    """

    run: str | None = None  # name
    run_uid: str | None = None
    item: str | None = None
    task_role: str | None = None


NO_EXTRAS = Extras()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One schedule of Scheduler, or one EventBridge rule, complete: all of it is compared and sent.

    `request` is the RunTask request in the API's own camelCase, empty where the operator launches: then `ticks` is the
    ARN of the queue that is told of each slot. `role` is what AWS starts tasks as, or sends with; None where it needs
    none. `maximum_age` are the seconds after a slot for which AWS tries. `owner` is None where it bears no mark.
    `retained`: it stays though its object went, as deletionPolicy Retain asked.
    `edited_target` is the target as AWS holds it where somebody changed what we always send the same way: no schedule
    that we want has one, so it differs, and it can still be switched off as it stands.
    """

    name: str
    group: str
    expression: str
    time_zone: str
    enabled: bool
    request: Mapping[str, Any] = field(default_factory=dict)
    role: str | None
    dead_letters: str | None  # ARN of a queue
    owner: str | None
    uid: str | None
    clock: Clock = "Scheduler"
    ticks: str | None = None
    maximum_age: int = MAXIMUM_AGE
    retained: bool = False
    edited_target: Mapping[str, Any] | None = None

    @property
    def launch(self) -> Launch:
        """Who starts the ECS task."""
        return "Queue" if self.ticks else "Direct"

    @property
    def key(self) -> str:
        """Its name, and apart from it that of the rule of the same name (names have no `/`)."""
        return key_of(self.clock, self.name)

    @property
    def shelf(self) -> Shelf:
        """Where it lies."""
        return Shelf(self.clock, self.group)

    @property
    def marks(self) -> Marks:
        """What its description tells."""
        return Marks(self.owner, self.uid, self.retained)

    def pointing_at(self, definition_arn: str) -> "Schedule":
        """This schedule, starting another revision; one that sends ticks starts none."""
        return self if self.ticks else replace(self, request={**self.request, "taskDefinition": definition_arn})

    @property
    def definition_arn(self) -> str | None:
        """The revision that it starts."""
        return self.request.get("taskDefinition")


def key_of(clock: Clock, name: str) -> str:
    """What tells a schedule of Scheduler from a rule of the same name."""
    return name if clock == "Scheduler" else f"rule/{name}"


def clock_of(arn: str | None) -> Clock:
    """The clock of a schedule by its ARN, where it is known: `arn:aws:events:…:rule/…` is a rule's."""
    return "Rule" if arn and arn.split(":")[2:3] == ["events"] else "Scheduler"


def is_queue(arn: str) -> bool:
    """Whether an ARN is that of an SQS queue: both clocks send ticks there."""
    return arn.split(":")[2:3] == ["sqs"]


def tick(owner: str, uid: str, slot: str) -> dict[str, Any]:
    """What a schedule sends that leaves the launch to the operator. `slot` is the time that it was due, as AWS says it.

    `owner` is `str` of an Owner.
    """
    return {TICK: {"owner": owner, "uid": uid, "slot": slot}}


def run_task_request(
    *,
    owner: Owner,
    uid: str,
    definition_arn: str,
    placement: Placement,
    slot: str | None,
    token: str,
    execute_command: bool = False,
    extras: Extras = NO_EXTRAS,
) -> dict[str, Any]:
    """The RunTask request, in camelCase. `slot` is what the task learns as BGT_SCHEDULED_TIME; None: nothing.

    Nothing in it may differ between two attempts at one slot: ECS answers a known token with other parameters by a
    ConflictException.
    """
    told = {
        ENV_TASK_UID: uid,
        ENV_SCHEDULED_TIME: slot,
        ENV_RUN: extras.run,
        ENV_RUN_UID: extras.run_uid,
        ENV_ITEM: extras.item,
    }
    environment = [{"name": name, "value": value} for name, value in told.items() if value is not None]
    request: dict[str, Any] = {
        "cluster": placement.cluster,
        "taskDefinition": definition_arn,
        "count": 1,
        "startedBy": owner.started_by,
        "clientToken": token,
        "propagateTags": "TASK_DEFINITION",
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": list(placement.subnets),
                "securityGroups": list(placement.security_groups),
                "assignPublicIp": "ENABLED" if placement.public_ip else "DISABLED",
            }
        },
        "overrides": {"containerOverrides": [{"name": MAIN_CONTAINER, "environment": environment}]},
    }
    if extras.task_role:
        request["overrides"]["taskRoleArn"] = extras.task_role
    if execute_command:
        request["enableExecuteCommand"] = True
    return request | _compute(placement)


def _compute(placement: Placement) -> dict[str, Any]:
    """What of the request says on which kind of machine a task runs."""
    request: dict[str, Any] = {}
    if placement.platform_version:
        request["platformVersion"] = placement.platform_version
    if not placement.providers:
        return request | {"launchType": "FARGATE"}
    strategy = [
        {"capacityProvider": name, "weight": weight, "base": base} for name, weight, base in placement.providers
    ]
    return request | {"capacityProviderStrategy": strategy}
