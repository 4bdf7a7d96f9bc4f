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
from backgroundtask.errors import Busy, Expected

Reconcile = Callable[[Key], None]


class Workers:
    """`count` threads that take keys from a queue until it is closed."""

    def __init__(self, queue: WorkQueue[Key], reconcile: Reconcile, *, count: int) -> None:
        self._queue = queue
        self._reconcile = reconcile
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
            thread.join(max(end - time.monotonic(), 0.0))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (key := self._queue.get()) is not None:
            self._work_on(key)
            self._queue.done(key)

    def _work_on(self, key: Key) -> None:
        kind = type(key).__name__.removesuffix("Key")
        with metrics.reconciling(kind):
            outcome = self._outcome(key, kind)
        metrics.RECONCILES.labels(kind, outcome).inc()

    def _outcome(self, key: Key, kind: str) -> str:
        try:
            self._reconcile(key)
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
