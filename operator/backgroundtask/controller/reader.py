"""The reader of one SQS queue: what it brings is taken up, and deleted once that is stored.

A message is deleted only after what it says is stored, or after it is certain that it concerns nobody. One that cannot
be read is left alone: SQS moves it to the poison queue, for people to look at. The queue is read only while the API
server answers, so that an outage does not push good messages there, and only while there is room. What a message means
is `messages`' business.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from backgroundtask.aws import Cloud, Malformed, Message
from backgroundtask.controller import metrics
from backgroundtask.controller.context import log
from backgroundtask.controller.drains import Drain, Report
from backgroundtask.controller.leases import Leases
from backgroundtask.errors import Busy, Expected

_MOST_UNDER_WAY = 5000  # messages; one task leaves a tenth of them at most (`keys.MOST_OF_A_TASK`)
_POLL = 5  # seconds of a long poll: who stops waits for it, so that nothing is received that nobody handles
_FULL = 1.0  # seconds between two looks for room
_GATHER = 0.2  # seconds that a receipt waits for others, to be deleted in one call
_BATCH = 10  # Amazon SQS API, DeleteMessageBatch: Entries
_FIRST_PAUSE = 1.0  # seconds before a queue that could not be read is tried again
_LONGEST_PAUSE = 30.0
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

Take = Callable[[Message, Callable[[], None], Callable[[], None]], None]
"""Take a message up. Call, later and from any thread, the second argument once the message may be deleted, or the third
where it is given up and left to come again. Raises Malformed or Expected."""


class Reader:
    """Two threads for one queue: one receives, one deletes. `assure` raises Expected while nothing should be read."""

    def __init__(
        self,
        cloud: Cloud,
        arn: str,
        take: Take,
        assure: Callable[[], None],
        *,
        report: Report | None = None,
    ) -> None:
        """`report` is told up to which moment all that was sent is stored."""
        self.cloud = cloud
        self._report = report
        self._arn, self._take, self._assure = arn, take, assure
        self._stopping = threading.Event()
        self._stored: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._leases = Leases(_MOST_UNDER_WAY)
        self._drain = Drain(self._leases, clock=time.monotonic)
        self._lease: int | None = None  # seconds; asked for once: a lease that is somewhat off loses nothing
        self._had_room = True
        name = arn.rpartition(":")[2]
        self._receiver = threading.Thread(target=self._receive, name=f"receive {name}", daemon=True)
        self._deleter = threading.Thread(target=self._delete, name=f"delete {name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._receiver.start()
        self._deleter.start()

    def stop_receiving(self) -> None:
        """Take nothing up any more; what is stored is still deleted."""
        self._stopping.set()

    def stop(self) -> None:
        """Delete what is stored by now, let go of all else that was received, and end."""
        self._stopping.set()
        self._stored.put(None)

    def ended(self) -> list[str]:
        """What those of its threads did that ended though nobody told them to."""
        if self._stopping.is_set():
            return []
        threads = {"receiver": self._receiver, "deleter": self._deleter}
        return [name for name, thread in threads.items() if thread.ident is not None and not thread.is_alive()]

    def join(self, timeout: float) -> None:
        """Wait for the end, for `timeout` seconds at most."""
        end = time.monotonic() + timeout
        for thread in (self._deleter, self._receiver):
            thread.join(max(end - time.monotonic(), 0.0))

    def _receive(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                self._receive_batch()
            except Exception as error:  # noqa: BLE001 - a reader that ends reads nothing ever after
                self._complain("Cannot read queue", error)
                self._stopping.wait(max(pause, error.retry_after if isinstance(error, Busy) else 0.0))
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            pause = _FIRST_PAUSE

    def _receive_batch(self) -> None:
        if not self._has_room():
            return
        self._assure()
        queues = self.cloud.queues
        if self._lease is None:
            self._lease = queues.describe(self._arn).visibility_timeout
        url = queues.url(self._arn)
        self._drain.begin(self._report.now() if self._report else _LONG_AGO)
        messages = queues.receive(url, wait_seconds=_POLL)
        if self._stopping.is_set():
            self._release([message.receipt for message in messages])
            return
        self._leases.take(messages, self._lease)
        self._drain.received(messages)
        for message in messages:
            self._take_up(message)
        drained = self._drain.settled()
        if drained is not None and self._report is not None:
            self._report.drained(drained)

    def _has_room(self) -> bool:
        """Whether more may be received; a lack of room is told once, and counted for as long as it lasts."""
        had_room, self._had_room = self._had_room, self._leases.wait_for_room(_FULL)
        if self._had_room:
            return True
        metrics.FULL.inc(_FULL)
        if had_room:
            log.warning(
                "Queue %s is not read for now: %d of its messages wait to be stored. What keeps them is told of their "
                "tasks; after the queue's visibility timeout others get room.",
                self._arn,
                _MOST_UNDER_WAY,
            )
        return False

    def _take_up(self, message: Message) -> None:
        try:
            self._take(message, lambda: self._stored.put(message), lambda: self._leases.give_up(message))
        except Malformed as error:
            metrics.MESSAGES.labels("malformed").inc()
            log.warning("Message %s of queue %s is left to its poison queue: %s", message.id, self._arn, error)
            self._leases.give_up(message, is_readable=False)
        except Exception as error:  # noqa: BLE001 - a message that is a bug to us must not keep the others
            self._complain(f"Message {message.id} comes again later from queue", error)
            self._leases.give_up(message)

    def _complain(self, what: str, error: Exception) -> None:
        """Expected is told in a line, a bug with its traceback."""
        if isinstance(error, Expected):
            log.warning("%s %s: %s", what, self._arn, error.message)
            return
        log.error("%s %s: a bug", what, self._arn, exc_info=error)

    def _delete(self) -> None:
        ending = False
        while not ending:
            messages, ending = self._gathered()
            receipts = [self._leases.answer(message) for message in messages]
            if not receipts:
                continue
            try:
                self.cloud.queues.delete(self.cloud.queues.url(self._arn), receipts)
            except Exception as error:  # noqa: BLE001 - they come again, are no news then, and are deleted then
                self._complain("Cannot delete messages of queue", error)
        self._release(self._leases.receipts())

    def _release(self, receipts: Sequence[str]) -> None:
        """Let whoever reads the queue next have messages at once."""
        if not receipts:
            return
        try:
            self.cloud.queues.release(self.cloud.queues.url(self._arn), receipts)
        except Exception as error:  # noqa: BLE001 - they come again all the same, when their time is over
            self._complain("Cannot release messages of queue", error)

    def _gathered(self) -> tuple[list[Message], bool]:
        """Up to a batch of stored messages, and whether they are the last."""
        first = self._stored.get()
        messages = [first] if first is not None else []
        end = time.monotonic() + _GATHER
        while messages and len(messages) < _BATCH:
            try:
                message = self._stored.get(timeout=max(end - time.monotonic(), 0.0))
            except queue.Empty:
                return messages, False
            if message is None:
                return messages, True
            messages.append(message)
        return messages, not messages
