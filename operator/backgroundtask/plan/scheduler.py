"""The documents of EventBridge Scheduler: what a schedule is to CreateSchedule, and what GetSchedule tells of one.

A schedule starts its task by the universal target `ecs:runTask`, or sends a tick to an SQS queue. Calls nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from backgroundtask.plan.schedule import MAXIMUM_AGE, RETRY_ATTEMPTS, Schedule, is_queue, marks_in, tick

SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"
"""Scheduler replaces it with the slot's time, as text, wherever it stands in the target's Input."""

RUN_TASK: Final = "arn:aws:scheduler:::aws-sdk:ecs:runTask"


def to_scheduler(schedule: Schedule) -> dict[str, Any]:
    """The request of CreateSchedule and UpdateSchedule."""
    edited = schedule.edited_target
    return {
        "Name": schedule.name,
        "GroupName": schedule.group,
        "Description": str(schedule.marks),
        "ScheduleExpression": schedule.expression,
        "ScheduleExpressionTimezone": schedule.time_zone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED" if schedule.enabled else "DISABLED",
        "ActionAfterCompletion": "NONE",
        "Target": _target(schedule) if edited is None else dict(edited),
    }


def from_scheduler(answer: Mapping[str, Any]) -> Schedule:
    """The schedule that GetSchedule answers. A stranger's, or one that someone edited, differs from any we want."""
    target = answer["Target"]
    marks = marks_in(answer.get("Description", ""))
    found = Schedule(
        name=answer["Name"],
        group=answer.get("GroupName", "default"),
        expression=answer["ScheduleExpression"],
        time_zone=answer.get("ScheduleExpressionTimezone", "UTC"),
        enabled=answer.get("State", "ENABLED") == "ENABLED",
        request=_request_in(target),
        role=target["RoleArn"],
        dead_letters=target.get("DeadLetterConfig", {}).get("Arn"),
        owner=marks.owner,
        uid=marks.uid,
        ticks=target["Arn"] if is_queue(target["Arn"]) else None,
        maximum_age=target.get("RetryPolicy", {}).get("MaximumEventAgeInSeconds", MAXIMUM_AGE),
        retained=marks.retained,
    )
    return found if _is_as_sent(found, answer) else replace(found, edited_target=target)


def _target(schedule: Schedule) -> dict[str, Any]:
    target: dict[str, Any] = {
        "Arn": schedule.ticks or RUN_TASK,
        "RoleArn": schedule.role,
        "Input": _text(_input(schedule)),
        "RetryPolicy": {
            "MaximumEventAgeInSeconds": schedule.maximum_age,
            "MaximumRetryAttempts": RETRY_ATTEMPTS,
        },
    }
    return target | ({"DeadLetterConfig": {"Arn": schedule.dead_letters}} if schedule.dead_letters else {})


def _input(schedule: Schedule) -> Any:  # noqa: ANN401 - any JSON document
    """Context attributes are replaced in any target's Input (Scheduler User Guide, "Adding context attributes")."""
    if schedule.ticks:
        return tick(schedule.owner or "", schedule.uid or "", SCHEDULED_TIME)
    return _capitalised(schedule.request)


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


def _is_as_sent(found: Schedule, answer: Mapping[str, Any]) -> bool:
    """Whether the members that we always send the same way, or never, are so."""
    sent, target = to_scheduler(found), answer["Target"]
    return (
        all(target.get(key) == sent["Target"][key] for key in ("Arn", "RetryPolicy"))
        and _canonical(target.get("Input", "")) == sent["Target"]["Input"]
        and answer.get("FlexibleTimeWindow", {}).get("Mode") == "OFF"
        and answer.get("ActionAfterCompletion", "NONE") == "NONE"
        and not any(answer.get(key) for key in ("StartDate", "EndDate", "KmsKeyArn"))
        and not any(target[key] for key in target if key.endswith("Parameters"))  # of other kinds of targets
    )


def _canonical(text: str) -> str | None:
    try:
        return _text(json.loads(text))
    except ValueError:
        return None


def _text(document: Any) -> str:  # noqa: ANN401 - any JSON document
    """Neither `<` nor `>` may be escaped: Scheduler looks for its context attributes in the text as it stands."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))
