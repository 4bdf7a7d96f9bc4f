"""What a FIFO queue was sent within the last five minutes, so that it takes the same thing once.

documented: DG, "Exactly-once processing in Amazon SQS": the deduplication interval is five minutes, and it goes on
although the message was received and deleted.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from localaws.contract import Params
from localaws.sqs import refusals
from localaws.sqs.agenda import Agenda

INTERVAL = 5 * 60 * 1000
"""Milliseconds."""

_ID = re.compile(r"[!-~]{1,128}")  # documented: API: SendMessage, MessageDeduplicationId


@dataclass(frozen=True, slots=True)
class Sent:
    """What was answered to the first of several equal sends."""

    message_id: str
    sequence: str


class Deduplication:
    """The deduplication ids of one FIFO queue, and its sequence numbers."""

    __slots__ = ("_ages", "_keys", "_last", "_sent")

    def __init__(self) -> None:
        self._sent: dict[tuple[str, str], Sent] = {}
        self._keys: dict[int, tuple[str, str]] = {}
        self._ages = Agenda()
        self._last = 0

    def find(self, scope: str, deduplication: str, now: int) -> Sent | None:
        """What was sent with that id within the interval; `scope` is the group, or empty for the whole queue."""
        while (key := self._ages.pop_due(now - INTERVAL)) is not None:
            del self._sent[self._keys.pop(key)]
        return self._sent.get((scope, deduplication))

    def remember(self, scope: str, deduplication: str, message_id: str, now: int) -> Sent:
        """Note a message as sent, under the next sequence number."""
        self._last += 1
        # documented: API: SendMessage, SequenceNumber: 128 bits, increasing; reported: twenty digits
        sent = Sent(message_id, f"{_FIRST + self._last:020d}")
        self._sent[scope, deduplication] = sent
        self._keys[self._last] = (scope, deduplication)
        self._ages.put(self._last, now)
        return sent


_FIRST = 18_850_000_000_000_000_000


def deduplication_id(params: Params, *, by_content: bool) -> str:
    """The deduplication id of a message to a FIFO queue.

    Raises:
        AwsError: InvalidParameterValue, where there is none.
    """
    given: str | None = params.get("MessageDeduplicationId")
    if given is None and by_content:  # documented: API: CreateQueue, ContentBasedDeduplication: the body, no attributes
        return hashlib.sha256(params["MessageBody"].encode()).hexdigest()
    if given is None:
        message = "The queue should either have ContentBasedDeduplication enabled "
        raise refusals.invalid(message + "or MessageDeduplicationId provided explicitly")
    if not _ID.fullmatch(given):
        reason = "MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length."
        raise refusals.invalid_value(given, "MessageDeduplicationId", reason)
    return given
