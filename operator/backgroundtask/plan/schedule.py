"""A schedule of EventBridge Scheduler as we want it, and the RunTask request that it carries.

One function renders the request for every way of launching, so a late launch by the operator is, to the letter, the
launch that the schedule would have made. Knows Scheduler's documents; calls nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from backgroundtask.api.names import (
    ENV_ITEM,
    ENV_RUN,
    ENV_RUN_UID,
    ENV_SCHEDULED_TIME,
    ENV_TASK_UID,
    MAIN_CONTAINER,
    TAG_PREFIX,
)
from backgroundtask.plan.names import Owner

SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
"""Scheduler replaces it with the slot's time, as text, wherever it stands in the target's Input."""

RUN_TASK = "arn:aws:scheduler:::aws-sdk:ecs:runTask"
MAXIMUM_AGE = 3000
"""Seconds after its slot that Scheduler may still start a task: ECS forgets the token of a short task an hour after it
ended, and a retry that comes later would start a second one (Amazon ECS API, "Ensuring idempotency")."""

_RETRY_ATTEMPTS = 185  # Scheduler's own maximum: the age decides
_OWNER_MARK = f"{TAG_PREFIX}owner="
_UID_MARK = " uid="
_RETAINED_MARK = " retained=true"


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
    """One schedule, complete: UpdateSchedule replaces all of it, so all of it is compared and sent.

    `request` is the RunTask request in the API's own camelCase; `owner` is None where the description bears no mark.
    `retained`: it stays though its object went, as deletionPolicy Retain asked.
    `edited_target` is the target as AWS holds it where somebody changed what we always send the same way: no schedule
    that we want has one, so it differs, and it can still be switched off as it stands.
    """

    name: str
    group: str
    expression: str
    time_zone: str
    enabled: bool
    request: Mapping[str, Any]
    role: str
    dead_letters: str | None  # ARN of a queue
    owner: str | None
    uid: str | None
    retained: bool = False
    edited_target: Mapping[str, Any] | None = None

    def pointing_at(self, definition_arn: str) -> "Schedule":
        """This schedule, starting another revision."""
        return replace(self, request={**self.request, "taskDefinition": definition_arn})

    @property
    def definition_arn(self) -> str | None:
        """The revision that it starts."""
        return self.request.get("taskDefinition")

    def to_scheduler(self) -> dict[str, Any]:
        """The request of CreateSchedule and UpdateSchedule."""
        return {
            "Name": self.name,
            "GroupName": self.group,
            "Description": self._description(),
            "ScheduleExpression": self.expression,
            "ScheduleExpressionTimezone": self.time_zone,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "State": "ENABLED" if self.enabled else "DISABLED",
            "ActionAfterCompletion": "NONE",
            "Target": self._target() if self.edited_target is None else dict(self.edited_target),
        }

    def _description(self) -> str:
        if self.owner is None:
            return ""
        return f"{_OWNER_MARK}{self.owner}{_UID_MARK}{self.uid or ''}{_RETAINED_MARK if self.retained else ''}"

    def _target(self) -> dict[str, Any]:
        target: dict[str, Any] = {
            "Arn": RUN_TASK,
            "RoleArn": self.role,
            "Input": _text(_capitalised(self.request)),
            "RetryPolicy": {"MaximumEventAgeInSeconds": MAXIMUM_AGE, "MaximumRetryAttempts": _RETRY_ATTEMPTS},
        }
        return target | ({"DeadLetterConfig": {"Arn": self.dead_letters}} if self.dead_letters else {})


def from_scheduler(answer: Mapping[str, Any]) -> Schedule:
    """The schedule that GetSchedule answers. A stranger's, or one that someone edited, differs from any we want."""
    target = answer["Target"]
    owner, uid, retained = _marks_in(answer.get("Description", ""))
    found = Schedule(
        name=answer["Name"],
        group=answer.get("GroupName", "default"),
        expression=answer["ScheduleExpression"],
        time_zone=answer.get("ScheduleExpressionTimezone", "UTC"),
        enabled=answer.get("State", "ENABLED") == "ENABLED",
        request=_request_in(target),
        role=target["RoleArn"],
        dead_letters=target.get("DeadLetterConfig", {}).get("Arn"),
        owner=owner,
        uid=uid,
        retained=retained,
    )
    return found if _is_as_sent(found, answer) else replace(found, edited_target=target)


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


def _capitalised(value: Any) -> Any:  # noqa: ANN401 - any JSON document
    """Universal targets take PascalCase members; our requests hold no map whose keys are a user's."""
    return _with_keys(value, lambda key: key[:1].upper() + key[1:])


def _with_keys(value: Any, name: Any) -> Any:  # noqa: ANN401 - any JSON document
    if isinstance(value, Mapping):
        return {name(key): _with_keys(member, name) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_with_keys(item, name) for item in value]
    return value


def _request_in(target: Mapping[str, Any]) -> dict[str, Any]:
    if target["Arn"] != RUN_TASK:
        return {}
    try:
        request = json.loads(target.get("Input", "{}"))
    except ValueError:
        return {}
    return _with_keys(request, lambda key: key[:1].lower() + key[1:]) if isinstance(request, dict) else {}


def _marks_in(description: str) -> tuple[str | None, str | None, bool]:
    """Owner, UID and whether it is retained."""
    if not description.startswith(_OWNER_MARK):
        return None, None, False
    retained = description.endswith(_RETAINED_MARK)
    owner, _, uid = description.removeprefix(_OWNER_MARK).removesuffix(_RETAINED_MARK).partition(_UID_MARK)
    return owner, uid or None, retained


def _is_as_sent(found: Schedule, answer: Mapping[str, Any]) -> bool:
    """Whether the members that we always send the same way, or never, are so."""
    sent, target = found.to_scheduler(), answer["Target"]
    return (
        all(target.get(key) == sent["Target"][key] for key in ("Arn", "RetryPolicy"))
        and _canonical(target.get("Input", "")) == sent["Target"]["Input"]
        and answer.get("FlexibleTimeWindow", {}).get("Mode") == "OFF"
        and answer.get("ActionAfterCompletion", "NONE") == "NONE"
        and not any(answer.get(key) for key in ("StartDate", "EndDate", "KmsKeyArn"))
        and not any(target[key] for key in target if key.endswith("Parameters"))  # of targets that are not universal
    )


def _canonical(text: str) -> str | None:
    try:
        return _text(json.loads(text))
    except ValueError:
        return None


def _text(document: Any) -> str:  # noqa: ANN401 - any JSON document
    """Neither `<` nor `>` may be escaped: Scheduler looks for its context attributes in the text as it stands."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))
