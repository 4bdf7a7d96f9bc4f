"""The templated ECS target: a cluster's ARN, EcsParameters, and a TaskOverride as Input.

Documented: UG, "Using templated targets", Amazon ECS RunTask. Knows Input and who the tasks say started them; what
EcsParameters become is in `triggers.ecs`.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass

from botocore.model import StructureShape

from localaws.contract import Params
from localaws.scheduler import refusals
from localaws.scheduler.invocation import Attempt, Invocation
from localaws.scheduler.request import as_in_the_api, input_shape, read
from localaws.triggers import ecs

_NO_TASK_OVERRIDE = "Unable to convert target input to TaskOverride, JSON syntax error in input"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTarget:
    """A cluster, and how its tasks are run; `template` is the TaskOverride before its context attributes are known."""

    arn: str
    region: str
    parameters: Params
    template: str | None

    def invocation(self, attempt: Attempt) -> Invocation:
        """RunTask. Reported: the tasks are startedBy `chronos-schedule/NAME`, cut to 36 characters."""
        request = ecs.run_task(self.arn, self.parameters, started_by=f"chronos-schedule/{attempt.schedule_name}")
        if self.template is not None:
            request["overrides"] = _task_override(attempt.fill(self.template))
        return Invocation(
            service="ecs", operation="RunTask", region=self.region, params=request, body=json.dumps(request)
        )


def cluster_target(arn: str, region: str, target: Params) -> ClusterTarget:
    """Read the Target of a Create or Update.

    Raises:
        AwsError: ValidationException.
    """
    if "EcsParameters" not in target:
        raise refusals.invalid(f"EcsParameters must be specified for the target {arn}.")  # assumed: the wording
    parameters, template = target["EcsParameters"], target.get("Input")
    if (problem := ecs.problem(parameters)) is not None:
        raise refusals.invalid(problem)
    if template is not None:
        _task_override(template)
    return ClusterTarget(arn=arn, region=region, parameters=parameters, template=template)


def _task_override(text: str) -> Params:
    """Read a TaskOverride, with the names that the API has for its members.

    Reported (boto/boto3#4370): unknown members are refused when the schedule is created, in these words as far as the
    colon. After it AWS quotes the Input, which may hold secrets; here only names are told.
    """
    try:
        overrides, faults = read(json.loads(text), _shape(), as_in_the_api)
    except ValueError as error:
        raise refusals.invalid(f"{_NO_TASK_OVERRIDE}: it is not valid JSON.") from error
    if faults is not None:
        raise refusals.invalid(f"{_NO_TASK_OVERRIDE}: it {faults}.")
    return overrides


@functools.cache
def _shape() -> StructureShape:
    shape = input_shape("ecs", "RunTask").members["overrides"]
    if not isinstance(shape, StructureShape):
        raise TypeError("RunTask.overrides is no structure")
    return shape
