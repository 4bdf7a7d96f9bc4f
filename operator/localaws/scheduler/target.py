"""What a schedule calls: universal targets and queues, and which target a schedule asks for.

Knows target ARNs and Input; each target is rendered into one request per attempt. Calls nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from localaws.contract import Params
from localaws.scheduler import refusals
from localaws.scheduler.cluster import cluster_target
from localaws.scheduler.invocation import Attempt, Invocation, Target, zulu
from localaws.scheduler.request import input_shape, read_request
from localaws.triggers.ecs import cluster_region

_UNIVERSAL = re.compile(r"arn:aws[a-z-]*:scheduler:::aws-sdk:([a-zA-Z0-9-]+):([a-zA-Z0-9]+)")
_QUEUE = re.compile(r"arn:aws[a-z-]*:sqs:([a-z0-9-]+):([0-9]{12}):([a-zA-Z0-9_-]{1,80}(?:\.fifo)?)")
_ARN = re.compile(r"arn:aws[a-z-]*:[a-zA-Z0-9-]+:[a-z0-9-]*:[0-9]*:.+")
FIRED = (("ecs", "RunTask"), ("sqs", "SendMessage"))
"""The operations that universal targets may call here, by service."""

_INPUT_BYTES = 256 * 1024  # documented: API, Target.Input
_TEMPLATES = (
    "EcsParameters",
    "EventBridgeParameters",
    "EventBridgePutEventsV2Parameters",
    "EventBridgePutRawEventsParameters",
    "KinesisParameters",
    "SageMakerPipelineParameters",
    "SqsParameters",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UniversalTarget:
    """Any operation of the API by its name, with its whole request as Input."""

    arn: str
    service: str
    operation: str
    region: str
    template: str

    def invocation(self, attempt: Attempt) -> Invocation:
        """The Input with its context attributes filled in, by API member names."""
        body = attempt.fill(self.template)
        params = read_request(body, input_shape(self.service, self.operation))
        return Invocation(service=self.service, operation=self.operation, region=self.region, params=params, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTarget:
    """The templated SQS target: a queue ARN, and the text to send to it."""

    arn: str
    text: str | None
    message_group: str | None

    def invocation(self, attempt: Attempt) -> Invocation:
        """SendMessage with the Input, or without one with the default notification."""
        queue = Queue.of(self.arn)
        text = _default_notification(attempt) if self.text is None else attempt.fill(self.text)
        params: Params = {"MessageBody": text, "QueueUrl": queue.url}
        if self.message_group is not None:
            params["MessageGroupId"] = self.message_group
        return Invocation(
            service="sqs", operation="SendMessage", region=queue.region, params=params, body=json.dumps(params)
        )


@dataclass(frozen=True, slots=True)
class Queue:
    """An SQS queue, known by its ARN."""

    region: str
    account: str
    name: str

    @classmethod
    def of(cls, arn: str) -> Queue:
        """The queue of an ARN.

        Raises:
            AwsError: ValidationException.
        """
        match = _QUEUE.fullmatch(arn)
        if match is None:
            raise refusals.invalid("Provided Arn is not in correct format.")
        return cls(*match.groups())

    @property
    def url(self) -> str:
        """The URL under which AWS knows the queue."""
        return f"https://sqs.{self.region}.amazonaws.com/{self.account}/{self.name}"


def read_target(target: Params, region: str) -> Target:
    """Read the Target of a Create or Update.

    Raises:
        AwsError: ValidationException; also for a target that AWS would take, but localaws does not fire.
    """
    arn, text = target["Arn"], target.get("Input")
    if text is not None and len(text.encode()) > _INPUT_BYTES:
        raise refusals.invalid(f"Input is limited to {_INPUT_BYTES} bytes.")
    if not _ARN.fullmatch(arn):  # reported, for an ARN that no target type fits
        raise refusals.invalid("Provided Arn is not in correct format.")
    if (match := _UNIVERSAL.fullmatch(arn)) is not None:
        _refuse_templates(target, _TEMPLATES)
        return _universal(arn, (match[1], match[2]), region, text)
    if _QUEUE.fullmatch(arn):
        _refuse_templates(target, tuple(name for name in _TEMPLATES if name != "SqsParameters"))
        return _queue(arn, text, target.get("SqsParameters", {}).get("MessageGroupId"))
    if (cluster_in := cluster_region(arn)) is not None:
        _refuse_templates(target, tuple(name for name in _TEMPLATES if name != "EcsParameters"))
        return cluster_target(arn, cluster_in, target)
    raise _not_fired(arn)


def _universal(arn: str, action: tuple[str, str], region: str, text: str | None) -> UniversalTarget:
    service, operation = action[0], action[1][:1].upper() + action[1][1:]
    if (service, operation) not in FIRED or action[1] == operation:  # the ARN has it in camelCase (documented: UG)
        raise _not_fired(arn)
    template = "{}" if text is None else text
    read_request(template, input_shape(service, operation))
    return UniversalTarget(arn=arn, service=service, operation=operation, region=region, template=template)


def _queue(arn: str, text: str | None, message_group: str | None) -> QueueTarget:
    # Assumed: the message group is required for a FIFO queue and refused for any other.
    if arn.endswith(".fifo") != (message_group is not None):
        raise refusals.invalid("SqsParameters.MessageGroupId must be specified for a FIFO queue, and only for one.")
    return QueueTarget(arn=arn, text=text, message_group=message_group)


def _refuse_templates(target: Params, names: tuple[str, ...]) -> None:
    # Documented: API, Target, "you can only specify one templated or universal target for a schedule".
    if given := [name for name in names if name in target]:
        raise refusals.invalid(f"{', '.join(given)} cannot be specified for the target {target['Arn']}.")


def _not_fired(arn: str) -> Exception:
    return refusals.invalid(
        f"localaws does not fire the target {arn}: it fires arn:aws:scheduler:::aws-sdk:ecs:runTask, "
        "arn:aws:scheduler:::aws-sdk:sqs:sendMessage, and the ARNs of an ECS cluster and of an SQS queue."
    )


def _default_notification(attempt: Attempt) -> str:
    # Documented: API, Target.Input, "delivers a default notification". Reported: these members, the detail a string.
    arn = attempt.schedule_arn
    region, account = arn.split(":")[3:5]
    return json.dumps(
        {
            "version": "0",
            "id": attempt.execution_id,
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": account,
            "time": zulu(attempt.scheduled_time),
            "region": region,
            "resources": [arn],
            "detail": "{}",
        }
    )
