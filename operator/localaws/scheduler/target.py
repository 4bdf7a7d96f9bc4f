"""What a schedule calls: universal and templated targets, each rendered into one request per attempt.

Knows target ARNs, Input and context attributes. Calls nothing.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import Protocol

from localaws.contract import Params
from localaws.scheduler import refusals
from localaws.scheduler.request import input_shape, read_request

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
class Attempt:
    """One try at one slot; gives the context attributes their values (documented: UG, "Adding context attributes")."""

    schedule_arn: str
    scheduled_time: dt.datetime
    execution_id: str  # a new one for each attempt
    number: int  # from 1

    def fill(self, text: str) -> str:
        """Replace the context attributes, as text: in keys, in values and inside longer strings alike."""
        for name, value in (
            ("schedule-arn", self.schedule_arn),
            ("scheduled-time", zulu(self.scheduled_time)),
            ("execution-id", self.execution_id),
            ("attempt-number", str(self.number)),
        ):
            text = text.replace(f"<aws.scheduler.{name}>", value)
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The call of one attempt; `body` is the same request as a dead letter shows it."""

    service: str
    operation: str
    region: str
    params: Params
    body: str


class Target(Protocol):
    """What a schedule calls."""

    @property
    def arn(self) -> str:
        """The ARN as the schedule has it."""

    def invocation(self, attempt: Attempt) -> Invocation:
        """The request of one attempt."""


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
    raise _not_fired(arn)


def zulu(moment: dt.datetime) -> str:
    """A moment as Scheduler writes it: 2022-03-22T18:59:43Z."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


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
        "arn:aws:scheduler:::aws-sdk:sqs:sendMessage and the ARN of an SQS queue."
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
