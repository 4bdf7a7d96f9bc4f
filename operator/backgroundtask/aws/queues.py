"""SQS: the queues that bring events of tasks, and dead letters of schedules.

Standard queues: a message can come twice, and in any order. It is deleted only after its effect is stored, so what a
deletion did not reach comes again. An empty answer to a receive proves nothing.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backgroundtask.aws.clients import LONGEST_POLL, Clients
from backgroundtask.aws.errors import translated
from backgroundtask.errors import Rejected

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_BATCH = 10  # SQS API: entries of a batch, and messages of a receive
_ARN_PARTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as it was received: `id` is the message's, `receipt` names this one receive."""

    id: str
    receipt: str
    body: str = field(repr=False)  # a tenant's text
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)  # as text, those of the sender
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """How a queue is set up. Both times are in seconds; `poison` is the ARN of where what nobody can read ends."""

    url: str
    visibility_timeout: int
    retention: int
    poison: str | None
    takes_from_rules: bool = False  # its policy lets EventBridge send, for some rules at least

    @property
    def has_redrive(self) -> bool:
        """Whether what nobody can read ends in another queue."""
        return self.poison is not None


class Queues:
    """SQS of one account and region."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._lock = threading.Lock()
        self._urls: dict[str, str] = {}

    @translated()
    def url(self, arn: str) -> str:
        """The URL of a queue, asked for once.

        Raises:
            Rejected: InvalidQueue, where the ARN is none of a queue in this region.
            Blocked: QueueNotFound.
        """
        known = self._urls.get(arn)
        if known is not None:
            return known
        account, name = self._parts(arn)
        url = self._clients.sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
        with self._lock:
            self._urls[arn] = url
        return url

    @translated()
    def describe(self, arn: str) -> QueueFacts:
        """How a queue is set up, asked anew each time.

        Raises:
            Rejected, Blocked: as `url`.
        """
        url = self.url(arn)
        answer = self._clients.sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["VisibilityTimeout", "MessageRetentionPeriod", "RedrivePolicy", "Policy"]
        )
        facts = answer["Attributes"]
        return QueueFacts(
            url=url,
            visibility_timeout=int(facts["VisibilityTimeout"]),
            retention=int(facts["MessageRetentionPeriod"]),
            poison=json.loads(facts.get("RedrivePolicy", "{}")).get("deadLetterTargetArn"),
            takes_from_rules=_lets_in(json.loads(facts.get("Policy", "{}")), "events.amazonaws.com"),
        )

    @translated()
    def waiting(self, arn: str) -> int:
        """About how many messages can be received (SQS API, GetQueueAttributes: ApproximateNumberOfMessages).

        Raises:
            Rejected, Blocked: as `url`.
        """
        answer = self._clients.sqs.get_queue_attributes(
            QueueUrl=self.url(arn), AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    @translated()
    def receive(self, url: str, *, wait_seconds: int = LONGEST_POLL, most: int = _BATCH) -> list[Message]:
        """Up to `most` (1 to 10) messages, waiting up to `wait_seconds` (0 to 20) for the first.

        Raises:
            Blocked: QueueNotFound.
        """
        answer = self._clients.sqs.receive_message(
            QueueUrl=url,
            WaitTimeSeconds=wait_seconds,
            MaxNumberOfMessages=most,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        return [_message(one) for one in answer.get("Messages", [])]

    @translated()
    def delete(self, url: str, receipts: Sequence[str]) -> frozenset[str]:
        """Delete messages; the receipts that SQS refused, whose messages come again.

        Raises:
            Blocked: QueueNotFound.
        """
        refused: set[str] = set()
        for batch in _batches(receipts):
            answer = self._clients.sqs.delete_message_batch(
                QueueUrl=url,
                Entries=[{"Id": str(at), "ReceiptHandle": receipt} for at, receipt in enumerate(batch)],
            )
            refused |= {batch[int(failure["Id"])] for failure in answer.get("Failed", [])}
        return frozenset(refused)

    @translated()
    def release(self, url: str, receipts: Sequence[str]) -> None:
        """Let messages be received again at once. One that SQS refuses to release comes when its time is over.

        Raises:
            Blocked: QueueNotFound.
        """
        for batch in _batches(receipts):
            self._clients.sqs.change_message_visibility_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(at), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                    for at, receipt in enumerate(batch)
                ],
            )

    def _parts(self, arn: str) -> tuple[str, str]:
        parts = arn.split(":")
        if len(parts) != _ARN_PARTS or parts[2] != "sqs":
            raise Rejected("InvalidQueue", f"{arn} is not the ARN of an SQS queue: correct spec.queues.")
        region, account, name = parts[3:]
        if region != self._clients.region:
            raise Rejected("InvalidQueue", f"{arn} is not in {self._clients.region}: a queue has to be in spec.region.")
        return account, name


def _message(message: "MessageTypeDef") -> Message:
    return Message(
        id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message["Body"],
        attributes={name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()},
        sent_at=_moment(message.get("Attributes", {}).get("SentTimestamp")),
    )


def _moment(milliseconds: str | None) -> datetime | None:
    """SQS API, ReceiveMessage, SentTimestamp: "epoch time in milliseconds"."""
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds else None


def _lets_in(policy: Mapping[str, Any], service: str) -> bool:
    """Whether a statement lets a service send. For which resources' sake, and what else denies it, only AWS knows."""
    return any(
        one.get("Effect") == "Allow"
        and {service, "*"} & set(_principals(one.get("Principal", {})))
        and {"sqs:sendmessage", "sqs:*", "*"} & {action.lower() for action in _listed(one.get("Action", []))}
        for one in _listed(policy.get("Statement", []))
    )


def _principals(principal: Any) -> list[Any]:  # noqa: ANN401 - JSON: "*", or names by kind
    if not isinstance(principal, Mapping):
        return _listed(principal)
    return [name for names in principal.values() for name in _listed(names)]


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - JSON: policies write one thing with or without a list around it
    return list(value) if isinstance(value, list) else [value]


def _batches(receipts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (receipts[start : start + _BATCH] for start in range(0, len(receipts), _BATCH))
