"""ReceiveMessage: short and long polls, what is shown of a message, and the way to the dead-letter queue.

A long poll lasts real time; visibility is virtual time.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from localaws.contract import Call, Params
from localaws.sqs import receipts, refusals
from localaws.sqs.backlog import Message, Taken
from localaws.sqs.habits import Chance
from localaws.sqs.letter import digest
from localaws.sqs.queue import SECOND, Queue
from localaws.sqs.region import Region
from localaws.sqs.settings import NUMBERS

MOST_MESSAGES = 10  # documented: API: ReceiveMessage
MOST_IN_FLIGHT = 120_000  # documented: API: ChangeMessageVisibility
LOOK = 0.25
"""Real seconds between two looks of a long poll at whether its client is still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a receive asks for: times in seconds, names of attributes as they were given."""

    most: int
    wait: int
    visibility: int
    system: frozenset[str]
    names: frozenset[str]


class Receiving:
    """Receives for the service of one world. `chance` says what comes twice or out of order."""

    def __init__(self, chance: Chance, *, most_in_flight: int) -> None:
        self._chance = chance
        self._most_in_flight = most_in_flight

    async def receive(self, region: Region, call: Call) -> Params:
        """ReceiveMessage; a client that has left takes no message with it."""
        queue = region.by_url(call.params)
        wish = _wish(queue, call.params)
        clock = asyncio.get_running_loop().time
        end = clock() + wish.wait
        while True:
            found = self._take(region, queue, wish)
            left = end - clock()
            if found or left <= 0:
                return self._answer(queue, wish, found, call)
            await queue.wait(min(left, LOOK))
            if queue.gone:  # assumed: the poll of a queue that is deleted meanwhile ends so
                raise refusals.no_queue()
            if call.caller.gone():
                queue.stirred()  # the message that woke this poll is the next one's
                return {}

    def _take(self, region: Region, queue: Queue, wish: Wish) -> list[Message]:
        now = queue.settle()
        room = self._most_in_flight - queue.backlog.in_flight
        if room <= 0:
            return _full(queue, wish)
        target = region.by_arn(queue.settings.redrive.arn) if queue.settings.redrive else None
        taken = queue.backlog.take(
            min(wish.most, room),
            now=now,
            hidden=now + wish.visibility * SECOND,
            # reported: faiscadev/fakecloud#1675: where there is no dead-letter queue any more, messages stay
            receives=queue.settings.redrive.most if queue.settings.redrive and target else None,
            chance=None if queue.settings.fifo else self._chance.of_order(),
        )
        if target is not None:
            _move(taken, queue, target)
        if not queue.settings.fifo:
            self._double(taken, queue, now)
        return taken.delivered

    def _double(self, taken: Taken, queue: Queue, now: int) -> None:
        for message in taken.delivered:
            if message.double or not self._chance.doubles():
                continue
            again = dataclasses.replace(message, receives=message.receives - 1, double=True)
            if self._chance.after_deletion():
                queue.backlog.add_after(message, again)
                continue
            queue.add(again, now=now)

    def _answer(self, queue: Queue, wish: Wish, found: list[Message], call: Call) -> Params:
        for message in found:
            if message.double:
                call.caller.note(f"delivered twice: {message.letter.id}")
        return {"Messages": [_shown(queue, wish, message) for message in found]} if found else {}


def _full(queue: Queue, wish: Wish) -> list[Message]:
    # documented: DG, "Amazon SQS standard queues": a long poll gets no error, nor does a FIFO queue's
    if wish.wait or queue.settings.fifo:
        return []
    raise refusals.too_many_in_flight()


def _move(taken: Taken, queue: Queue, target: Queue) -> None:
    """Move what was received too often.

    documented: DG, "Dead-letter queues": the original enqueue timestamp stays for a standard queue, and a FIFO queue's
    is set anew; API: ReceiveMessage: the receive count is that "across all queues".
    """
    for message in taken.exhausted:
        now = target.settle()
        sent = now if queue.settings.fifo else message.sent
        moved = dataclasses.replace(message, sent=sent, source=queue.arn, double=False)
        target.add(moved, now=now)


def _wish(queue: Queue, params: Params) -> Wish:
    settings = queue.settings
    if params.get("ReceiveRequestAttemptId"):
        raise refusals.unsupported("localaws does not remember ReceiveRequestAttemptId: leave it out.")
    # documented: AttributeNames is the discontinued name of MessageSystemAttributeNames
    system = [*(params.get("AttributeNames") or ()), *(params.get("MessageSystemAttributeNames") or ())]
    for name in system:
        if name not in _SYSTEM:
            raise refusals.unknown_attribute(name)
    return Wish(
        most=_number(params, "MaxNumberOfMessages", 1, (1, MOST_MESSAGES)),
        wait=_number(params, "WaitTimeSeconds", settings.wait, NUMBERS["ReceiveMessageWaitTimeSeconds"]),
        visibility=_number(params, "VisibilityTimeout", settings.visibility, NUMBERS["VisibilityTimeout"]),
        system=frozenset(system),
        names=frozenset(params.get("MessageAttributeNames") or ()),
    )


def _number(params: Params, name: str, default: int, bounds: tuple[int, ...]) -> int:
    value = params.get(name)
    if value is None:
        return default
    least, most = bounds[:2]
    if not least <= value <= most:
        raise refusals.invalid_value(value, name, f"Must be between {least} and {most}, if provided.")
    return int(value)


def _shown(queue: Queue, wish: Wish, message: Message) -> Params:
    written = message.letter
    shown: Params = {
        "MessageId": written.id,
        "ReceiptHandle": receipts.write(queue.seal, message.receipt),
        "MD5OfBody": written.body_digest,
        "Body": written.body,
    }
    if wish.system:
        facts = {name: fact(message) for name, fact in _SYSTEM.items() if name in wish.system or "All" in wish.system}
        shown["Attributes"] = {name: text for name, text in facts.items() if text}
    chosen = {name: value for name, value in written.attributes.items() if _asked_for(name, wish.names)}
    if chosen:
        whole = len(chosen) == len(written.attributes)
        shown["MD5OfMessageAttributes"] = written.attributes_digest if whole else digest(chosen)
        shown["MessageAttributes"] = chosen
    return shown


def _asked_for(name: str, wanted: frozenset[str]) -> bool:
    # documented: API: ReceiveMessage, MessageAttributeNames: a name, All or .*, and a prefix as in bar.*
    if name in wanted or "All" in wanted:
        return True
    return any(one.endswith(".*") and name.startswith(one[:-1] if one != ".*" else "") for one in wanted)


_SYSTEM: Mapping[str, Callable[[Message], str]] = {
    "All": lambda _: "",
    "SenderId": lambda message: message.letter.sender,
    "SentTimestamp": lambda message: str(message.sent),
    "ApproximateReceiveCount": lambda message: str(message.receives),
    "ApproximateFirstReceiveTimestamp": lambda message: str(message.first_received),
    "AWSTraceHeader": lambda message: message.letter.trace,
    "MessageGroupId": lambda message: message.letter.group,
    "MessageDeduplicationId": lambda message: message.letter.deduplication,
    "SequenceNumber": lambda message: message.letter.sequence,
    "DeadLetterQueueSourceArn": lambda message: message.source,
    "SqsManagedSseEnabled": lambda _: "",  # documented: it may be asked for; assumed: a message has none
}
