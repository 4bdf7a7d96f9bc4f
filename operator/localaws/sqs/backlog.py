"""The messages of one queue and what becomes of each: delayed, waiting, in flight, gone.

Pure: knows moments (milliseconds since 1970) as arguments, nothing of AWS's requests, of clocks or of other queues.
Nothing looks at every message; each call costs O(log n) for each message that it moves.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from localaws.sqs.agenda import Agenda
from localaws.sqs.letter import Letter
from localaws.sqs.lines import Line
from localaws.sqs.receipts import Receipt


@dataclass(slots=True, eq=False)
class Message:
    """A letter in this queue. `key` is its place in the order of arrival; moments are 0 before the first receive.

    `sent` is when it was sent to its first queue, `source` the ARN of the queue that it was moved from, and `double`
    tells a second delivery that somebody asked for from the first.
    """

    key: int
    letter: Letter
    sent: int
    receives: int = 0
    first_received: int = 0
    last_received: int = 0
    source: str = ""
    double: bool = False

    @property
    def receipt(self) -> Receipt:
        """That of the latest receive."""
        return Receipt(self.key, self.receives)


@dataclass(slots=True)
class Taken:
    """What a receive took: messages to deliver, and those that were received too often and have left the queue."""

    delivered: list[Message] = field(default_factory=list)
    exhausted: list[Message] = field(default_factory=list)


class Backlog:
    """See the module. `line` says who is next."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._messages: dict[int, Message] = {}
        self._delayed = Agenda()
        self._in_flight = Agenda()
        self._ages = Agenda()
        self._afterwards: dict[int, Message] = {}
        self._last = 0

    @property
    def waiting(self) -> int:
        """How many can be received."""
        return len(self._line)

    @property
    def delayed(self) -> int:
        """How many have not become receivable yet."""
        return len(self._delayed)

    @property
    def in_flight(self) -> int:
        """How many are received and neither deleted nor visible again."""
        return len(self._in_flight)

    def add(self, message: Message, *, now: int, visible: int) -> None:
        """Take a message in, under the next key; it can be received from the moment `visible` on."""
        self._last += 1
        message.key = self._last
        self._messages[message.key] = message
        self._ages.put(message.key, message.sent)
        if visible > now:
            self._delayed.put(message.key, visible)
            return
        self._line.put(message.key, message.letter.group)

    def add_after(self, deleted: Message, message: Message) -> None:
        """Take `message` in when `deleted` is deleted, if it ever is."""
        self._afterwards[deleted.key] = message

    def settle(self, now: int, retention: int) -> None:
        """Let time have passed: forget what is older than `retention` milliseconds, show what is hidden no more."""
        while (key := self._ages.pop_due(now - retention)) is not None:
            self._forget(self._messages[key])
        while (key := self._delayed.pop_due(now)) is not None:
            self._line.put(key, self._messages[key].letter.group)
        while (key := self._in_flight.pop_due(now)) is not None:
            self._return(self._messages[key])

    def next_moment(self) -> int | None:
        """When the next message becomes receivable by itself."""
        moments = [moment for moment in (self._delayed.first(), self._in_flight.first()) if moment is not None]
        return min(moments, default=None)

    def take(
        self, most: int, *, now: int, hidden: int, receives: int | None = None, chance: random.Random | None = None
    ) -> Taken:
        """Receive up to `most` messages, which are then in flight until the moment `hidden`.

        Who was received `receives` times before leaves the queue instead (None: nobody does).
        """
        taken = Taken()
        while len(taken.delivered) < most and (keys := self._line.take(most - len(taken.delivered), chance)):
            for message in map(self._messages.__getitem__, keys):
                if receives is not None and message.receives >= receives:
                    self._line.free(message.key, message.letter.group)
                    self._forget(message)
                    taken.exhausted.append(message)
                    continue
                message.receives += 1
                message.first_received = message.first_received or now
                message.last_received = now
                self._in_flight.put(message.key, hidden)
                taken.delivered.append(message)
        return taken

    def find(self, receipt: Receipt) -> Message | None:
        """The message of a receipt, if it is there and was not received again since."""
        message = self._messages.get(receipt.key)
        return message if message is not None and message.receives == receipt.receive else None

    def is_in_flight(self, message: Message) -> bool:
        """Whether it is received and not visible again."""
        return message.key in self._in_flight

    def hide(self, message: Message, until: int, now: int) -> None:
        """Keep a message in flight until another moment; one that is not in the future shows it at once."""
        if until > now:
            self._in_flight.put(message.key, until)
            return
        self._in_flight.discard(message.key)
        self._return(message)

    def delete(self, message: Message, now: int) -> None:
        """Forget a message, in flight or not."""
        again = self._afterwards.get(message.key)
        if self._in_flight.discard(message.key):
            self._line.free(message.key, message.letter.group)
        self._forget(message)
        if again is not None:
            self.add(again, now=now, visible=now)

    def purge(self) -> None:
        """Forget all messages."""
        for message in list(self._messages.values()):
            self._forget(message)

    def _return(self, message: Message) -> None:
        self._line.free(message.key, message.letter.group)
        self._line.put(message.key, message.letter.group)

    def _forget(self, message: Message) -> None:
        key, group = message.key, message.letter.group
        del self._messages[key]
        self._ages.discard(key)
        self._delayed.discard(key)
        self._line.discard(key, group)
        if self._in_flight.discard(key):
            self._line.free(key, group)
        self._afterwards.pop(key, None)
