"""What a rule invokes: SQS queues and ECS clusters, and which targets EventBridge refuses.

Knows how each is called. Refuses to know retries and dead letters. Messages: reported from Terraform, CDK and command
line users, unless marked.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Protocol

from localaws.contract import AwsError, Clock, Params
from localaws.events.jsonpath import is_path
from localaws.events.refusals import invalid
from localaws.events.transformer import Occasion, body, problem
from localaws.triggers import ecs

PRINCIPAL = "events.amazonaws.com"

_QUEUE_ARN = re.compile(r"arn:aws[\w-]*:sqs:([a-z0-9-]+):(\d{12}):([\w-]{1,80}(?:\.fifo)?)", re.ASCII)
_OF_ALL = frozenset({"Id", "Arn", "RoleArn", "DeadLetterConfig", "RetryPolicy"})
_INPUTS = ("Input", "InputPath", "InputTransformer")


class Courier(Protocol):
    """What invoking a target needs of the world."""

    @property
    def clock(self) -> Clock:
        """Virtual time."""

    async def send_message(
        self, queue_arn: str, body: str, attributes: dict[str, str], *, principal: str, source_arn: str, group: str = ""
    ) -> None:
        """Send to a queue whose policy must allow it.

        Raises:
            AwsError: AccessDenied, or what SQS answered.
        """

    async def call(self, service: str, operation: str, params: Params, *, region: str, principal: str) -> Params:
        """Call an operation of a service; see `contract.World`.

        Raises:
            AwsError: what the service answered.
        """


class Target(Protocol):
    """A target that can be invoked."""

    @property
    def params(self) -> Params:
        """The target as PutTargets had it."""

    async def invoke(self, courier: Courier, occasion: Occasion) -> None:
        """Invoke it.

        Raises:
            AwsError: it was not invoked.
        """


@dataclass(frozen=True, slots=True)
class QueueTarget:
    """An SQS queue, which gets a message; its own policy lets EventBridge send (documented: User Guide)."""

    params: Params

    async def invoke(self, courier: Courier, occasion: Occasion) -> None:
        """SendMessage."""
        group = self.params.get("SqsParameters", {}).get("MessageGroupId", "")
        text = body(self.params, occasion)
        await courier.send_message(
            self.params["Arn"], text, {}, principal=PRINCIPAL, source_arn=occasion.rule_arn, group=group
        )


@dataclass(frozen=True, slots=True)
class ClusterTarget:
    """An ECS cluster, which runs tasks; what the target gets is their TaskOverride."""

    params: Params
    region: str

    async def invoke(self, courier: Courier, occasion: Occasion) -> None:
        """RunTask.

        Documented: API, PutTargets: without Input, InputPath and InputTransformer nothing of the event is passed on.
        Reported: the tasks are startedBy `events-rule/NAME`. Assumed: what RunTask tells in `failures` is an invocation
        that failed for good.
        """
        request = ecs.run_task(
            self.params["Arn"], self.params["EcsParameters"], started_by=f"events-rule/{occasion.rule_name}"
        )
        if any(name in self.params for name in _INPUTS):
            request["overrides"] = _task_override(body(self.params, occasion))
        answer = await courier.call("ecs", "RunTask", request, region=self.region, principal=PRINCIPAL)
        if answer["failures"]:
            reasons = ", ".join(sorted({failure["reason"] for failure in answer["failures"]}))
            raise AwsError("RunTaskFailures", f"RunTask started {len(answer['tasks'])} tasks: {reasons}")


def read_target(params: Params) -> Target:
    """Read a target of PutTargets.

    Raises:
        AwsError: ValidationException; also for a target that AWS would take, but localaws does not invoke.
    """
    arn, label = params["Arn"], f"target {params['Id']}"
    if not arn.startswith("arn:"):
        raise invalid(f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.")
    region = ecs.cluster_region(arn)
    if region is None and _QUEUE_ARN.fullmatch(arn) is None:
        raise invalid(f"localaws delivers to SQS queues and ECS clusters only, not to {arn}.")
    foreign = sorted(params.keys() - _OF_ALL - set(_INPUTS) - {"EcsParameters" if region else "SqsParameters"})
    if foreign:
        raise invalid(f"{foreign[0]} cannot be specified for {label}: {arn}.")  # assumed: that it is refused
    _check_input(params, label)
    if "Arn" in params.get("DeadLetterConfig", {}) and not _QUEUE_ARN.fullmatch(params["DeadLetterConfig"]["Arn"]):
        raise invalid(f"The dead-letter queue of {label} must be an SQS queue.")  # assumed: the wording
    return _queue(params) if region is None else _cluster(params, region)


def _queue(params: Params) -> QueueTarget:
    if params["Arn"].endswith(".fifo") and "MessageGroupId" not in params.get("SqsParameters", {}):
        raise invalid(f"Parameter(s) SqsParameters must be specified for target: {params['Id']}.")
    return QueueTarget(params)


def _cluster(params: Params, region: str) -> ClusterTarget:
    if "RoleArn" not in params:
        raise invalid(f"RoleArn is required for target {params['Arn']}.")
    if "EcsParameters" not in params:
        raise invalid(f"Parameter(s) EcsParameters must be specified for target: {params['Id']}.")
    if (wrong := ecs.problem(params["EcsParameters"])) is not None:
        raise invalid(f"{wrong} (target {params['Id']})")
    return ClusterTarget(params, region)


def _check_input(params: Params, label: str) -> None:
    if sum(name in params for name in _INPUTS) > 1:
        raise invalid(f"Only one of Input, InputPath, or InputTransformer must be provided for {label}.")
    if "Input" in params and not _is_json(params["Input"]):
        raise invalid(f"JSON syntax error in input for {label}.")
    if "InputPath" in params and not is_path(params["InputPath"]):
        raise invalid(f"Invalid InputPath for {label}.")
    if "InputTransformer" in params and (wrong := problem(params["InputTransformer"])) is not None:
        raise invalid(f"Invalid InputTransformer for {label}: {wrong}.")


def _task_override(text: str) -> Params:
    parsed = json.loads(text) if _is_json(text) else None
    if not isinstance(parsed, dict):
        raise AwsError("InvalidParameterException", "The input of the target is no TaskOverride.")
    return parsed


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
