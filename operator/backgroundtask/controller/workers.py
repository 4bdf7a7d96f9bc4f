"""The threads that work on keys, and what follows from how a reconcile ends.

boto3 and the Kubernetes client are synchronous, so a reconcile reads from top to bottom, and threads are what waits.
"""

import logging
import threading
import time
from collections.abc import Callable

from backgroundtask.controller import metrics
from backgroundtask.controller.context import log
from backgroundtask.controller.keys import Key
from backgroundtask.controller.workqueue import WorkQueue
from backgroundtask.errors import Busy, Expected, Paced

Reconcile = Callable[[Key], None]


class Workers:
    """`count` threads that take keys from a queue until it is closed."""

    def __init__(
        self,
        queue: WorkQueue[Key],
        reconcile: Reconcile,
        *,
        count: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._queue = queue
        self._reconcile = reconcile
        self._since: dict[str, float] = {}  # by thread: when it took up the key that it is at
        self._threads = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True) for number in range(count)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def join(self, timeout: float) -> bool:
        """After the queue was closed: wait until every key in work is given back. False if `timeout` seconds passed."""
        end = time.monotonic() + timeout
        for thread in self._threads:
            if thread.ident is not None:  # a standby's never started
                thread.join(max(end - time.monotonic(), 0.0))
        return not any(thread.is_alive() for thread in self._threads)

    def started(self) -> bool:
        """Whether they were told to begin."""
        return any(thread.ident is not None for thread in self._threads)

    def ended(self) -> list[str]:
        """The names of those that ended though the queue is open: what they held is worked on by nobody."""
        if self._queue.is_closed:
            return []
        return [thread.name for thread in self._threads if thread.ident is not None and not thread.is_alive()]

    def longest(self) -> float:
        """Seconds that the longest of them is at its key already; 0 where none has one."""
        since = min(self._since.copy().values(), default=None)
        return 0.0 if since is None else self._clock() - since

    def _work(self) -> None:
        name = threading.current_thread().name
        while (key := self._queue.get()) is not None:
            self._since[name] = self._clock()
            self._work_on(key)
            del self._since[name]
            self._queue.done(key)

    def _work_on(self, key: Key) -> None:
        kind = type(key).__name__.removesuffix("Key")
        with metrics.reconciling(kind):
            outcome = self._outcome(key, kind)
        metrics.RECONCILES.labels(kind, outcome).inc()

    def _outcome(self, key: Key, kind: str) -> str:
        try:
            self._reconcile(key)
        except Paced as turn:
            self._queue.add_after(key, turn.retry_after, self._queue.priority(key))
            log.debug("%s %s waits %.1f s for its turn.", kind, key, turn.retry_after)
            return "Paced"
        except Expected as error:
            delay = self._queue.retry(key, at_least=error.retry_after if isinstance(error, Busy) else 0.0)
            level = logging.INFO if isinstance(error, Busy) else logging.WARNING
            message = error.message.rstrip(".")
            told = {kind.lower(): str(key), "reason": error.reason}
            log.log(level, "%s %s: %s: %s. Again in %.0f s.", kind, key, error.reason, message, delay, extra=told)
            return type(error).__name__
        except Exception:  # noqa: BLE001 - a bug: told with its traceback, counted, and tried again like everything else
            log.exception("%s %s failed", kind, key, extra={kind.lower(): str(key)})
            self._queue.retry(key)
            return "Bug"
        self._queue.forgive(key)
        return "OK"
