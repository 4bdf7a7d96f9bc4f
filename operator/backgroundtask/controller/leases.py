"""The messages of one queue that are ours for now: received, and neither answered nor given up.

SQS hides a message that was received for the queue's visibility timeout; after that it comes again, or goes to the
poison queue (Amazon SQS Developer Guide, "Visibility timeout"). So nobody has to remember it for longer, and what
cannot be stored fills neither the memory nor the room of others. Knows identities, receipts and time; refuses to know
what messages say.
"""

import threading
import time
from collections.abc import Callable, Iterable

from backgroundtask.aws import Message
from backgroundtask.controller import metrics


class Leases:
    """Up to about `most` messages at a time; any thread may call. `clock` tells seconds."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._hidden_until: float | None = None  # the end of the last lease of what comes again; None: not known yet
        self._unsettled = 0
        self._changed = threading.Condition()
        self._held: dict[
            str, tuple[str, float]
        ] = {}  # id -> newest receipt, end of the lease; those that end first first

    def take(self, messages: Iterable[Message], seconds: float) -> None:
        """Messages were received, and are ours for `seconds`. One that came again takes no second place."""
        with self._changed:
            end = self._clock() + seconds
            if self._hidden_until is None:  # what an earlier reader received is hidden for as long
                self._hidden_until = end
            for message in messages:
                self._held.pop(message.id, None)
                self._held[message.id] = (message.receipt, end)

    def answer(self, message: Message) -> str:
        """The message is done with: the newest receipt that it came with, by which it can be deleted."""
        with self._changed:
            receipt, _ = self._held.pop(message.id, (message.receipt, 0.0))
            self._changed.notify_all()
        return receipt

    def give_up(self, message: Message, *, is_readable: bool = True) -> None:
        """The message is nobody's here until it comes again; if it has come again already, that one stays ours.

        One that nobody can read tells nothing, however often it comes.
        """
        with self._changed:
            receipt, end = self._held.get(message.id, ("", 0.0))
            if receipt == message.receipt:
                del self._held[message.id]
                if is_readable:
                    self._unsettled += 1
                    self._hidden_until = max(end, self._hidden_until or end)
                self._changed.notify_all()

    @property
    def unsettled(self) -> int:
        """How many messages were let go without an answer, though they tell something, and come again."""
        with self._changed:
            self._forget_the_late()
            return self._unsettled

    def held(self) -> frozenset[str]:
        """The ids of what is ours."""
        with self._changed:
            self._forget_the_late()
            return frozenset(self._held)

    def may_hide_any(self) -> bool:
        """Whether a message may be hidden from everybody that is not ours: a receive would not show it."""
        with self._changed:
            return self._hidden_until is None or self._clock() < self._hidden_until

    def wait_for_room(self, timeout: float) -> bool:
        """Whether more may be received; False after `timeout` seconds without room."""
        with self._changed:
            return self._changed.wait_for(self._has_room, timeout)

    def receipts(self) -> list[str]:
        """What is ours, oldest first."""
        with self._changed:
            self._forget_the_late()
            return [receipt for receipt, _ in self._held.values()]

    def _has_room(self) -> bool:
        self._forget_the_late()
        return len(self._held) < self._most

    def _forget_the_late(self) -> None:
        now = self._clock()
        while self._held:
            first, (_, end) = next(iter(self._held.items()))
            if end > now:
                return
            del self._held[first]
            self._unsettled += 1
            metrics.MESSAGES.labels("late").inc()
