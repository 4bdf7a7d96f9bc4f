"""What a sender sends: a body with attributes, checked, measured and digested.

Knows the parameters of SendMessage that a standard queue takes; nothing of queues but their largest message.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from localaws.contract import Params
from localaws.sqs import refusals

MOST_ATTRIBUTES = 10  # documented: DG, "Message quotas": metadata

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # documented: API: SendMessage
_NAME = re.compile(r"(?!\.|(?:aws|amazon)\.)(?:[\w-]|\.(?!\.|\Z)){1,256}", re.ASCII | re.IGNORECASE)
_TYPE = re.compile(r"(String|Number|Binary)(?:\..+)?")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_LONGEST_TYPE = 256
_GROUP = re.compile(r"[!-~]{1,128}")  # documented: API: SendMessage, MessageGroupId
_STRING, _BINARY = b"\x01", b"\x02"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message as it was sent. `attributes` are as the API has them, `trace` is the AWSTraceHeader.

    `group` is empty where there is none; `deduplication` and `sequence` are those of a FIFO queue, else empty.
    """

    id: str
    body: str
    body_digest: str
    sender: str
    attributes: Mapping[str, Params] = field(default_factory=dict)
    attributes_digest: str = ""
    trace: str = ""
    trace_digest: str = ""
    group: str = ""
    deduplication: str = ""
    sequence: str = ""

    def numbered(self, sequence: str, deduplication: str) -> Letter:
        """The same letter as a FIFO queue keeps it."""
        return dataclasses.replace(self, sequence=sequence, deduplication=deduplication)


def read(params: Params, *, sender: str, largest: int) -> Letter:
    """The letter in the parameters of SendMessage, or in an entry of a batch.

    Raises:
        AwsError: MissingParameter, InvalidParameterValue or InvalidMessageContents.
    """
    body = params.get("MessageBody")
    if not body:  # documented: API: SendMessage, "The minimum size is one character"
        raise refusals.missing("MessageBody")
    if _FORBIDDEN.search(body):
        raise refusals.bad_contents()
    attributes = params.get("MessageAttributes") or {}
    system = params.get("MessageSystemAttributes") or {}
    _check_attributes(attributes)
    _check_system(system)
    if size(params) > largest:
        message = f"One or more parameters are invalid. Reason: Message must be shorter than {largest} bytes."
        raise refusals.invalid(message)
    return Letter(
        id=str(uuid.uuid4()),
        body=body,
        body_digest=hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        sender=sender,
        attributes=attributes,
        attributes_digest=digest(attributes) if attributes else "",
        trace=system.get("AWSTraceHeader", {}).get("StringValue", ""),
        trace_digest=digest(system) if system else "",
        group=_group(params),
    )


def size(params: Params) -> int:
    """The bytes of a message, be it one that is refused.

    documented: API: MessageAttributeValue: name, type and value of each attribute count; SendMessage,
    MessageSystemAttributes: those do not.
    """
    total = len((params.get("MessageBody") or "").encode())
    for name, value in (params.get("MessageAttributes") or {}).items():
        content = value.get("BinaryValue") or (value.get("StringValue") or "").encode()
        total += len(name.encode()) + len((value.get("DataType") or "").encode()) + len(content)
    return total


def digest(attributes: Mapping[str, Params]) -> str:
    """The MD5 of attributes; documented: DG, "Calculating the MD5 message digest for message attributes"."""
    summed = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        kind, data = _value(value)
        for part in (name.encode(), value["DataType"].encode()):
            summed.update(len(part).to_bytes(4, "big") + part)
        summed.update(kind + len(data).to_bytes(4, "big") + data)
    return summed.hexdigest()


def _value(value: Params) -> tuple[bytes, bytes]:
    if value["DataType"].startswith("Binary"):
        return _BINARY, value["BinaryValue"]
    return _STRING, value["StringValue"].encode()


def _group(params: Params) -> str:
    group: str = params.get("MessageGroupId") or ""
    if group and not _GROUP.fullmatch(group):
        reason = "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length."
        raise refusals.invalid_value(group, "MessageGroupId", reason)
    return group


def _check_attributes(attributes: Mapping[str, Params]) -> None:
    if len(attributes) > MOST_ATTRIBUTES:
        message = f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{MOST_ATTRIBUTES}]."
        raise refusals.invalid(message)
    for name, value in attributes.items():
        # documented: API: ReceiveMessage, MessageAttributeNames; assumed: the wording
        if not _NAME.fullmatch(name):
            raise refusals.invalid(f"The message attribute name '{name}' is invalid.")
        _check_value(name, value)


def _check_value(name: str, value: Params) -> None:
    kind = value.get("DataType") or ""
    if not kind:
        raise refusals.invalid(f"The message attribute '{name}' must contain non-empty message attribute type.")
    found = _TYPE.fullmatch(kind)
    if found is None or len(kind) > _LONGEST_TYPE:
        supported = "the set of supported type prefixes is Binary, Number, and String."
        raise refusals.invalid(f"The message attribute '{name}' has an invalid message attribute type, {supported}")
    member = "BinaryValue" if found[1] == "Binary" else "StringValue"
    content = value.get(member)
    if not content:
        what = "must contain non-empty message attribute value for message attribute type"
        raise refusals.invalid(f"The message attribute '{name}' {what} '{found[1]}'.")
    if member == "StringValue" and _FORBIDDEN.search(content):
        raise refusals.bad_contents()
    if found[1] == "Number" and not _NUMBER.fullmatch(content):
        raise refusals.invalid(f"Can't cast the value of message (user) attribute '{name}' to a number.")


def _check_system(system: Mapping[str, Params]) -> None:
    # documented: API: SendMessage, MessageSystemAttributes: AWSTraceHeader, of the type String; assumed: the wording
    for name, value in system.items():
        if name != "AWSTraceHeader":
            raise refusals.invalid(f"Message system attribute name '{name}' is invalid.")
        if value.get("DataType") != "String" or not value.get("StringValue"):
            raise refusals.invalid("The message system attribute 'AWSTraceHeader' must be a non-empty String.")
