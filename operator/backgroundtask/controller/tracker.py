"""The readers of the SQS queues: from messages to deliveries, and from stored deliveries to deleted messages.

A message is deleted only after what it says is stored, or after it is certain that it concerns nobody. One that cannot
be read is left alone: SQS moves it to the poison queue, for people to look at. Queues are read only while the API
server answers, so that an outage does not push good messages there. What a message means is `messages`' business.
"""

import queue
import threading
import time
from collections.abc import Callable

from backgroundtask.api.template import TemplateSpec
from backgroundtask.aws import Cloud, Malformed, Message
from backgroundtask.controller import metrics
from backgroundtask.controller.context import Context, log
from backgroundtask.controller.messages import DeadLetters, Events
from backgroundtask.errors import Busy, Expected

_MOST_UNDER_WAY = 2000  # messages of one queue that were received and not yet deleted
_GATHER = 0.2  # seconds that a receipt waits for others, to be deleted in one call
_BATCH = 10  # Amazon SQS API, DeleteMessageBatch: Entries
_ASSURED = 2.0  # seconds that an answer of the API server vouches for the next one
_FIRST_PAUSE = 1.0  # seconds before a queue that could not be read is tried again
_LONGEST_PAUSE = 30.0

Take = Callable[[Message, Callable[[], None]], None]
"""Take a message up; call the second argument, from any thread, once it may be deleted. Malformed or Expected."""


class Tracker:
    """One reader a queue, for as long as a template names it; templates may share queues."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._readers: dict[str, Reader] = {}
        self._named: dict[str, frozenset[str]] = {}  # template -> ARNs of its queues

    def follow(self, template: str, cloud: Cloud, spec: TemplateSpec) -> None:
        """Read the queues that a template names now, and no longer those that it named before."""
        takers: tuple[tuple[str, Take], ...] = (
            (spec.queues.events, Events(self._context, cloud).take),
            (spec.queues.ticks, DeadLetters(self._context).take),
        )
        with self._lock:
            self._named[template] = frozenset(arn for arn, _ in takers)
            for arn, take in takers:
                if arn not in self._readers:
                    self._readers[arn] = Reader(self._context, cloud, arn, take)
                    self._readers[arn].start()
            self._drop_unnamed()

    def forget(self, template: str) -> None:
        """The template is gone."""
        with self._lock:
            self._named.pop(template, None)
            self._drop_unnamed()

    def stop(self, timeout: float) -> None:
        """End all readers within `timeout` seconds; what is stored by then is still deleted."""
        with self._lock:
            readers = list(self._readers.values())
        for reader in readers:
            reader.ask_to_stop()
        end = time.monotonic() + timeout
        for reader in readers:
            reader.join(max(end - time.monotonic(), 0.0))

    def _drop_unnamed(self) -> None:
        for arn in self._readers.keys() - frozenset().union(*self._named.values()):
            self._readers.pop(arn).ask_to_stop()


class Reader:
    """Two threads for one queue: one receives, one deletes."""

    def __init__(self, context: Context, cloud: Cloud, arn: str, take: Take) -> None:
        self._context, self._cloud, self._arn, self._take = context, cloud, arn, take
        self._stopping = threading.Event()
        self._stored: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(_MOST_UNDER_WAY)
        self._assured_until = 0.0
        name = arn.rpartition(":")[2]
        self._receiver = threading.Thread(target=self._receive, name=f"receive {name}", daemon=True)
        self._deleter = threading.Thread(target=self._delete, name=f"delete {name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._receiver.start()
        self._deleter.start()

    def ask_to_stop(self) -> None:
        """End: the receiver after its long poll (nobody waits for that), the deleter after what is stored."""
        self._stopping.set()
        self._stored.put(None)

    def join(self, timeout: float) -> None:
        """Wait for the deleter, for `timeout` seconds at most."""
        self._deleter.join(timeout)

    def _receive(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                self._assure()
                messages = self._cloud.queues.receive(self._cloud.queues.url(self._arn))
            except Exception as error:  # noqa: BLE001 - a reader that ends reads nothing ever after
                self._complain("Cannot read queue", error)
                self._stopping.wait(max(pause, error.retry_after if isinstance(error, Busy) else 0.0))
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            pause = _FIRST_PAUSE
            for message in messages:
                self._take_up(message)

    def _assure(self) -> None:
        """Raise Expected while the API server does not answer."""
        if time.monotonic() >= self._assured_until:
            self._context.kube.cluster_uid()
            self._assured_until = time.monotonic() + _ASSURED

    def _take_up(self, message: Message) -> None:
        self._room.acquire()
        try:
            self._take(message, lambda: self._stored.put(message.receipt))
        except Malformed as error:
            metrics.MESSAGES.labels("malformed").inc()
            log.warning("Message %s of queue %s is left to its poison queue: %s", message.id, self._arn, error)
            self._room.release()
        except Exception as error:  # noqa: BLE001 - a message that is a bug to us must not keep the others
            self._complain(f"Message {message.id} comes again later from queue", error)
            self._room.release()

    def _complain(self, what: str, error: Exception) -> None:
        """Expected is told in a line, a bug with its traceback."""
        if isinstance(error, Expected):
            log.warning("%s %s: %s", what, self._arn, error.message)
            return
        log.error("%s %s: a bug", what, self._arn, exc_info=error)

    def _delete(self) -> None:
        ending = False
        while not ending:
            receipts, ending = self._gathered()
            if not receipts:
                continue
            try:
                self._cloud.queues.delete(self._cloud.queues.url(self._arn), receipts)
            except Exception as error:  # noqa: BLE001 - they come again, are no news then, and are deleted then
                self._complain("Cannot delete messages of queue", error)
            for _ in receipts:
                self._room.release()

    def _gathered(self) -> tuple[list[str], bool]:
        """Up to a batch of receipts, and whether they are the last."""
        first = self._stored.get()
        receipts = [first] if first is not None else []
        end = time.monotonic() + _GATHER
        while receipts and len(receipts) < _BATCH:
            try:
                receipt = self._stored.get(timeout=max(end - time.monotonic(), 0.0))
            except queue.Empty:
                return receipts, False
            if receipt is None:
                return receipts, True
            receipts.append(receipt)
        return receipts, not receipts
