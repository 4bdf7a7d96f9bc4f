"""EcsParameters of a templated target, as Scheduler and rules both have them, and the RunTask that they become.

Knows how their members are called in ECS, and which of them exclude each other. Refuses to know what ECS makes of the
request. Documented: Scheduler's API Reference, EcsParameters; EventBridge's, EcsParameters, which say the same.
"""

from __future__ import annotations

import re
from typing import Any

from localaws.contract import Params

_CLUSTER = re.compile(r"arn:aws[a-z-]*:ecs:([a-z0-9-]+):[0-9]{12}:cluster/[a-zA-Z0-9_-]{1,255}")
_DEFINITION = re.compile(r"arn:aws[a-z-]*:ecs:[a-z0-9-]+:[0-9]{12}:task-definition/[a-zA-Z0-9_-]{1,255}(?::[0-9]+)?")
_RENAMED = {"TaskDefinitionArn": "taskDefinition", "TaskCount": "count"}
_STARTED_BY = 36


def cluster_region(arn: str) -> str | None:
    """The region of a cluster by its ARN; None where the ARN is not one of a cluster."""
    found = _CLUSTER.fullmatch(arn)
    return found[1] if found else None


def problem(parameters: Params) -> str | None:
    """What is wrong with EcsParameters, as a sentence; None where nothing is.

    Documented: API, EcsParameters: TaskDefinitionArn is an ARN; "if a capacityProviderStrategy is specified, the
    launchType parameter must be omitted"; NetworkConfiguration "is required if LaunchType is FARGATE". Assumed: that
    this is looked at when the target is set and not only by ECS, and the wording.
    """
    if not _DEFINITION.fullmatch(parameters["TaskDefinitionArn"]):
        return "EcsParameters.TaskDefinitionArn must be the ARN of a task definition."
    if "LaunchType" in parameters and parameters.get("CapacityProviderStrategy"):
        return "EcsParameters.LaunchType must be omitted where CapacityProviderStrategy is specified."
    if parameters.get("LaunchType") == "FARGATE" and "NetworkConfiguration" not in parameters:
        return "EcsParameters.NetworkConfiguration is required where LaunchType is FARGATE."
    if any(tag.keys() - {"key", "value", "Key", "Value"} for tag in parameters.get("Tags", [])):
        return "EcsParameters.Tags must hold maps of a key and a value."
    return None


def run_task(cluster: str, parameters: Params, *, started_by: str) -> Params:
    """The RunTask request of a target, without overrides.

    `count` is 1 unless told otherwise (documented: API, TaskCount). Reported (startedBy of tasks seen in public, for
    Scheduler): it is cut to 36 characters. Assumed: the same for rules.
    """
    request: Params = {"cluster": cluster, "count": 1, "startedBy": started_by[:_STARTED_BY]}
    return request | {_RENAMED.get(name, _camel(name)): _members(value) for name, value in parameters.items()}


def _members(value: Any) -> Any:  # noqa: ANN401  # any member of EcsParameters
    match value:
        case dict():
            return {_camel(name): _members(item) for name, item in value.items()}
        case list():
            return [_members(item) for item in value]
        case _:
            return value


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]
