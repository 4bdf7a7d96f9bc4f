"""The attributes of a queue that somebody can set: which there are, what they may be, what they are by default.

Knows one queue's attributes; not which other queues there are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from localaws.sqs import refusals
from localaws.sqs.redrive import Allowance, Redrive, read_allowance, read_redrive

LARGEST_MESSAGE = 1024 * 1024

NUMBERS: Mapping[str, tuple[int, int, int]] = {  # documented: API: CreateQueue; least, most, default
    "DelaySeconds": (0, 900, 0),
    "MaximumMessageSize": (1024, LARGEST_MESSAGE, LARGEST_MESSAGE),
    "MessageRetentionPeriod": (60, 1_209_600, 345_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20, 0),
    "VisibilityTimeout": (0, 43_200, 30),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400, 300),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {"SqsManagedSseEnabled": ("true", "false")}
_FIFO_CHOICES: Mapping[str, tuple[str, ...]] = {
    "ContentBasedDeduplication": ("false", "true"),
    "DeduplicationScope": ("queue", "messageGroup"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
_TEXTS = ("Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId")
FIFO = "FifoQueue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The attributes that were set, as texts, and what they mean. Times are in seconds, sizes in bytes."""

    texts: Mapping[str, str]
    fifo: bool
    redrive: Redrive | None
    allowance: Allowance
    delay: int
    retention: int
    wait: int
    visibility: int
    largest: int

    def changed(self, wanted: Mapping[str, str]) -> Settings:
        """With further attributes set; an empty text takes back a policy or a key (assumed).

        Raises:
            AwsError: as `read`.
        """
        kept = {**self.texts, **wanted}
        if wanted.get("KmsMasterKeyId") and "SqsManagedSseEnabled" not in wanted:
            kept.pop("SqsManagedSseEnabled", None)
        if wanted.get("SqsManagedSseEnabled") == "true" and "KmsMasterKeyId" not in wanted:
            kept.pop("KmsMasterKeyId", None)
        _check_names(wanted, fifo=self.fifo)
        return _parsed(kept, fifo=self.fifo)

    def differing(self, wanted: Mapping[str, str]) -> str | None:
        """The first attribute that is wanted to be other than it is; attributes that are not given are not compared.

        documented: API: CreateQueue, "the exact same names and values for all its attributes"; assumed: those left
        out may be anything.
        """
        _check_names(wanted, fifo=self.fifo)
        new = _parsed(dict(wanted), fifo=self.fifo).shown()
        own = self.shown()
        return next((name for name in wanted if _folded(new.get(name)) != _folded(own.get(name))), None)

    def shown(self) -> dict[str, str]:
        """The attributes as GetQueueAttributes answers them; policies and keys only where they are set."""
        sealed = "KmsMasterKeyId" in self.texts
        numbers = {name: str(default) for name, (_, _, default) in NUMBERS.items()}
        if not sealed:
            del numbers["KmsDataKeyReusePeriodSeconds"]
        fifo = {FIFO: "true", **{name: values[0] for name, values in _FIFO_CHOICES.items()}} if self.fifo else {}
        # documented: API: SetQueueAttributes, SSE-SQS is on unless another kind is chosen
        return {**numbers, "SqsManagedSseEnabled": "false" if sealed else "true", **fifo, **self.texts}


def read(wanted: Mapping[str, str], *, fifo: bool) -> Settings:
    """The settings of a new queue.

    Raises:
        AwsError: InvalidAttributeName, InvalidAttributeValue or InvalidParameterValue.
    """
    _check_names(wanted, fifo=fifo)
    return _parsed(dict(wanted), fifo=fifo)


def _check_names(wanted: Mapping[str, str], *, fifo: bool) -> None:
    known = {*NUMBERS, *_CHOICES, *_TEXTS, *((FIFO, *_FIFO_CHOICES) if fifo else ())}
    for name, text in wanted.items():
        if name not in known:  # reported: aws/aws-sdk-php#1331, a standard queue does not know FifoQueue, be it false
            raise refusals.unknown_attribute(name)
        if name == FIFO and text != "true":
            raise refusals.invalid_attribute(name)


def _parsed(texts: dict[str, str], *, fifo: bool) -> Settings:
    for name in _TEXTS:
        if not texts.get(name):
            texts.pop(name, None)
    numbers = {name: _number(name, texts) for name in NUMBERS}
    for name, values in {**_CHOICES, **_FIFO_CHOICES}.items():
        if texts.get(name, values[0]) not in values:
            raise refusals.invalid_attribute(name)
    if "KmsMasterKeyId" in texts and texts.get("SqsManagedSseEnabled") == "true":
        message = "You can use one type of server-side encryption (SSE) at one time: KMS SSE or SQS SSE."
        raise refusals.invalid(message)  # documented: API: CreateQueue, only one option; assumed: code and wording
    _check_policy(texts.get("Policy"))
    redrive = read_redrive(texts["RedrivePolicy"]) if "RedrivePolicy" in texts else None
    if redrive is not None:
        texts["RedrivePolicy"] = redrive.as_text()
    allowance = texts.get("RedriveAllowPolicy")
    return Settings(
        texts=texts,
        fifo=fifo,
        redrive=redrive,
        allowance=read_allowance(allowance) if allowance else Allowance("allowAll"),
        delay=numbers["DelaySeconds"],
        retention=numbers["MessageRetentionPeriod"],
        wait=numbers["ReceiveMessageWaitTimeSeconds"],
        visibility=numbers["VisibilityTimeout"],
        largest=numbers["MaximumMessageSize"],
    )


def _number(name: str, texts: Mapping[str, str]) -> int:
    least, most, default = NUMBERS[name]
    text = texts.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        raise refusals.invalid_attribute(name)
    return int(text)


def _check_policy(text: str | None) -> None:
    if text is None:
        return
    try:
        policy = json.loads(text)
    except ValueError:
        raise refusals.invalid_attribute("Policy") from None
    if not isinstance(policy, dict):
        raise refusals.invalid_attribute("Policy")


def _folded(text: str | None) -> object:
    """A document as what it says: blanks and the order of members make no difference (assumed)."""
    try:
        return json.loads(text or "null")
    except ValueError:
        return text
