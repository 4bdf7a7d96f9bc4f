"""From what ECS tells of a task to our `Task`. An event and DescribeTasks tell the same, but for the form of times.

AWS promises that events gain members over time ("Amazon ECS events", "be tolerant of unknown properties"), and tells
less of a task that failed to start: so what is unknown is ignored and what is missing is None. What is there and of the
wrong kind is refused: nobody should act on it.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from backgroundtask.api.names import ENV_RUN, ENV_RUN_UID, ENV_SCHEDULED_TIME, ENV_TASK_UID, MAIN_CONTAINER
from backgroundtask.plan.names import slot_of
from backgroundtask.plan.outcome import Task

_TASK = re.compile(r"arn:[^:]+:ecs:[^:]+:\d+:task/[^/:]+/[^/:]+")
_DEFINITION = re.compile(r"arn:[^:]+:ecs:[^:]+:\d+:task-definition/[^/:]+:\d+")

_Kind = TypeVar("_Kind", str, int)


class Malformed(ValueError):  # noqa: N818 - says what a text is; whether that is an error, its reader decides
    """This does not describe an ECS task. The message names the member and never its value.

    Retrying cannot help: a queue's message like this belongs into the poison queue, for a person to look at.
    """


def task_of(detail: Mapping[str, Any]) -> Task:
    """The task that the `detail` of an "ECS Task State Change" event or an item of DescribeTasks tells of.

    Raises:
        Malformed: it is no task.
    """
    if not isinstance(detail, Mapping):
        raise Malformed("This is no JSON object.")
    container = _main(detail.get("containers"), "containers")
    environment = _environment(detail)
    return Task(
        arn=_arn(detail, "taskArn", _TASK),
        definition_arn=_arn(detail, "taskDefinitionArn", _DEFINITION),
        version=_required(detail, "version", int),
        last_status=_required(detail, "lastStatus", str),
        desired_status=_required(detail, "desiredStatus", str),
        exit_code=_optional(container, "exitCode", int),
        container_reason=_optional(container, "reason", str) or "",
        stop_code=_optional(detail, "stopCode", str),
        stopped_reason=_optional(detail, "stoppedReason", str) or "",
        created_at=_moment(detail, "createdAt"),
        started_at=_moment(detail, "startedAt"),
        stopped_at=_moment(detail, "stoppedAt"),
        uid=environment.get(ENV_TASK_UID),
        slot=slot_of(environment.get(ENV_SCHEDULED_TIME, "")),
        run=environment.get(ENV_RUN),
        run_uid=environment.get(ENV_RUN_UID),
    )


def _arn(detail: Mapping[str, Any], key: str, shape: re.Pattern[str]) -> str:
    arn = _required(detail, key, str)
    if not shape.fullmatch(arn):
        raise Malformed(f"{key} is not such an ARN.")
    return arn


def _main(containers: object, where: str) -> Mapping[str, Any]:
    """Ours by name: ECS promises no order, and names no container of a task that failed to start."""
    return next((one for one in _objects(containers, where) if one.get("name") == MAIN_CONTAINER), {})


def _environment(detail: Mapping[str, Any]) -> dict[str, str]:
    overrides = detail.get("overrides") or {}
    if not isinstance(overrides, Mapping):
        raise Malformed("overrides is no object.")
    override = _main(overrides.get("containerOverrides"), "containerOverrides")
    pairs = list(_objects(override.get("environment"), "environment"))
    return {_required(pair, "name", str): _optional(pair, "value", str) or "" for pair in pairs}


def _objects(value: object, where: str) -> Iterator[Mapping[str, Any]]:
    if value is None:
        return
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise Malformed(f"{where} is no list of objects.")
    yield from value


def _required(source: Mapping[str, Any], key: str, kind: type[_Kind]) -> _Kind:
    value = _optional(source, key, kind)
    if value is None:
        raise Malformed(f"{key} is missing.")
    return value


def _optional(source: Mapping[str, Any], key: str, kind: type[_Kind]) -> _Kind | None:
    value = source.get(key)
    if value is None:
        return None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Malformed(f"{key} is not of type {kind.__name__}.")
    return value


def _moment(source: Mapping[str, Any], key: str) -> datetime | None:
    """Events write ISO 8601 (`2026-01-23T17:57:58.103Z`); botocore has parsed the API's times already."""
    value = source.get(key)
    if value is None:
        return None
    moment = _parsed(value, key) if isinstance(value, str) else value
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise Malformed(f"{key} is no time with a time zone.")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise Malformed(f"{key} is no time in UTC.") from error


def _parsed(text: str, key: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise Malformed(f"{key} is no time.") from error
