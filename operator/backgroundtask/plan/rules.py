"""The documents of EventBridge rules: a rule that fires on a schedule, its one target, and what is read of both.

The target starts an ECS task, or sends a tick to an SQS queue; either learns its slot from the event's time, which an
input transformer puts in. A rule has no client token, so that a slot may start two tasks ("Troubleshooting Amazon
EventBridge": "my rule ran more than once"); it knows UTC only. Calls nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from backgroundtask.plan.names import owner_of_mark
from backgroundtask.plan.schedule import MAXIMUM_AGE, RETRY_ATTEMPTS, Schedule, is_queue, marks_in, tick

RULE_SLOT: Final = "<slot>"
"""The input transformer replaces it with the time of the event: the slot, as text."""
TARGET_ID: Final = "bgt"
"""The id of the only target that our rules have."""
UNTOLD: Final = ("startedBy", "clientToken")
"""Members of a RunTask request that a rule's target has no room for: EventBridge says itself who started a task."""

_PATHS = {"slot": "$.time"}
_SAME = {"count": "TaskCount", "propagateTags": "PropagateTags", "launchType": "LaunchType"} | {
    "taskDefinition": "TaskDefinitionArn",
    "platformVersion": "PlatformVersion",
    "capacityProviderStrategy": "CapacityProviderStrategy",
    "enableExecuteCommand": "EnableExecuteCommand",
}
"""Members of a RunTask request, and what EcsParameters call them (EventBridge API, EcsParameters)."""


def rule_group(installation: str) -> str:
    """What all rules of an installation are called together; a rule of this name bears the mark of the cluster."""
    return f"bgt-{installation}"


def is_in(group: str, description: str) -> bool:
    """Whether the description of a rule tells an owner of that group's installation."""
    owner = owner_of_mark(marks_in(description).owner)
    return owner is not None and rule_group(owner.installation) == group


def to_rule(schedule: Schedule) -> dict[str, Any]:
    """The request of PutRule, without tags: it ignores them where the rule is there (EventBridge API, PutRule)."""
    return {
        "Name": schedule.name,
        "Description": str(schedule.marks),
        "ScheduleExpression": schedule.expression,
        "State": "ENABLED" if schedule.enabled else "DISABLED",
    }


def to_target(schedule: Schedule) -> dict[str, Any]:
    """The entry of PutTargets."""
    target: dict[str, Any] = {
        "Id": TARGET_ID,
        "InputTransformer": {"InputPathsMap": dict(_PATHS), "InputTemplate": _template(schedule)},
        "RetryPolicy": {
            "MaximumEventAgeInSeconds": schedule.maximum_age,
            "MaximumRetryAttempts": RETRY_ATTEMPTS,
        },
    }
    if schedule.dead_letters:
        target["DeadLetterConfig"] = {"Arn": schedule.dead_letters}
    if schedule.ticks:
        return target | {"Arn": schedule.ticks}
    cluster = {"Arn": schedule.request.get("cluster", ""), "EcsParameters": _parameters(schedule.request)}
    return target | cluster | ({"RoleArn": schedule.role} if schedule.role else {})


def from_rule(rule: Mapping[str, Any], targets: Sequence[Mapping[str, Any]], group: str) -> Schedule:
    """The rule that DescribeRule and ListTargetsByRule answer.

    A stranger's, or one that someone edited, differs from any that we want.
    """
    marks = marks_in(rule.get("Description", ""))
    target: Mapping[str, Any] = targets[0] if len(targets) == 1 else {"Arn": ""}
    sends = is_queue(target["Arn"])
    found = Schedule(
        name=rule["Name"],
        group=group,
        clock="Rule",
        expression=rule.get("ScheduleExpression", ""),
        time_zone="UTC",
        enabled=rule.get("State", "ENABLED") != "DISABLED",
        request={} if sends else _request(target),
        role=target.get("RoleArn"),
        dead_letters=target.get("DeadLetterConfig", {}).get("Arn"),
        owner=marks.owner,
        uid=marks.uid,
        ticks=target["Arn"] if sends else None,
        maximum_age=target.get("RetryPolicy", {}).get("MaximumEventAgeInSeconds", MAXIMUM_AGE),
        retained=marks.retained,
    )
    as_sent = not rule.get("EventPattern") and [_without_defaults(to_target(found))] == [
        _without_defaults(one) for one in targets
    ]
    return found if as_sent else replace(found, edited_target={"Targets": list(targets)})


def _template(schedule: Schedule) -> str:
    """Outside of quotes a variable stands for a JSON value (EventBridge User Guide, "Input transformation")."""
    document = schedule.request.get("overrides", {})
    if schedule.ticks:
        document = tick(schedule.owner or "", schedule.uid or "", RULE_SLOT)
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return text.replace(f'"{RULE_SLOT}"', RULE_SLOT)


def _overrides(template: str) -> dict[str, Any]:
    try:
        document = json.loads(template.replace(RULE_SLOT, f'"{RULE_SLOT}"'))
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _parameters(request: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {theirs: request[ours] for ours, theirs in _SAME.items() if ours in request}
    network = request.get("networkConfiguration", {}).get("awsvpcConfiguration")
    if network is None:
        return parameters
    members = {_capitalised(name): value for name, value in network.items() if value}
    return parameters | {"NetworkConfiguration": {"awsvpcConfiguration": members}}


def _request(target: Mapping[str, Any]) -> dict[str, Any]:
    parameters = target.get("EcsParameters")
    if not parameters:
        return {}
    request = {ours: parameters[theirs] for ours, theirs in _SAME.items() if parameters.get(theirs)}
    network = parameters.get("NetworkConfiguration", {}).get("awsvpcConfiguration", {})
    members = {f"{name[:1].lower()}{name[1:]}": value for name, value in network.items()}
    return request | {
        "cluster": target["Arn"],
        "networkConfiguration": {"awsvpcConfiguration": {"securityGroups": [], **members}},
        "overrides": _overrides(target.get("InputTransformer", {}).get("InputTemplate", "")),
    }


def _without_defaults(target: Mapping[str, Any]) -> dict[str, Any]:
    """EventBridge may name a member that was not sent, with the value that stands for its absence."""
    parameters = {name: value for name, value in target.get("EcsParameters", {}).items() if value}
    return {**target, "EcsParameters": parameters}


def _capitalised(name: str) -> str:
    return name[:1].upper() + name[1:]
