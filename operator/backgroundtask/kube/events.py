"""Events for people: what happened to an object, as `kubectl describe` shows it, written beside the work.

Knows how to hand on without waiting; refuses to be relied on: an Event may be lost (a full queue, an API server that
does not answer, a process that ends), so nothing but a reader may depend on one. Which repeats are counted and which
floods are cut is the correlator's decision.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from backgroundtask.errors import Busy, Expected
from backgroundtask.kube.client import Kube
from backgroundtask.kube.correlator import Correlator, Happening, Record, first
from backgroundtask.kube.resource import EVENTS, Ref

log = logging.getLogger(__name__)

MOST_WAITING: Final = 1000
ATTEMPTS: Final = 4
MOST_MESSAGE: Final = 1024
"""Bytes of an Event's note that the API server takes (events.k8s.io/v1)."""


class Recorder:
    """Writes Events from a thread of its own; `emit` is safe from any thread.

    `component` names the operator in the column From. `clock` says the time in UTC.
    """

    def __init__(
        self, kube: Kube, component: str, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._kube = kube
        self._component = component
        self._clock = clock
        self._correlator = Correlator()
        self._waiting: deque[tuple[Happening, datetime]] = deque()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._refused: set[str] = set()
        self.dropped = 0
        """Events that were lost since the start: for metrics."""
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def emit(self, ref: Ref, *, type: str, reason: str, message: str) -> None:  # noqa: A002 - the Event's own word
        """Hand on an Event about `ref`; never waits, never raises.

        `type` is "Normal" or "Warning", `reason` a CamelCase word, `message` one sentence; it is cut to 1024 bytes and
        cleaned of control characters. The same three about the same object within ten minutes count up one Event; an
        object may have 25 at once and one more every five minutes.
        """
        happening = Happening(replace(ref, resource_version=None), type, reason, presentable(message))
        with self._changed:
            if self._stopping.is_set() or len(self._waiting) >= MOST_WAITING:
                self.dropped += 1
                return
            self._waiting.append((happening, self._clock()))
            self._changed.notify()

    def stop(self, timeout: float) -> None:
        """Write what is waiting, at most for `timeout` seconds, and take no more."""
        with self._changed:
            self._stopping.set()
            self._changed.notify()
        self._thread.join(timeout)

    def ended(self) -> list[str]:
        """`events` where its thread ended though nobody told it to."""
        return [] if self._stopping.is_set() or self._thread.is_alive() else [self._thread.name]

    def _run(self) -> None:
        while (waiting := self._next()) is not None:
            happening, moment = waiting
            record = self._correlator.record(happening, moment)
            if record is None:
                self.dropped += 1
                continue
            self._write(record)

    def _next(self) -> tuple[Happening, datetime] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping.is_set())
            return self._waiting.popleft() if self._waiting else None

    def _write(self, record: Record) -> None:
        try:
            self._persist(record)
        except Expected as error:
            self.dropped += 1
            self._complain_once(error)
        except Exception:
            self.dropped += 1
            log.exception("Could not write an Event with reason %s", record.happening.reason)

    def _persist(self, record: Record) -> None:
        """Try a few times while the API server is busy; when the process ends, once."""
        for _ in range(ATTEMPTS - 1):
            try:
                return self._send(record)
            except Busy as busy:
                if self._stopping.wait(busy.retry_after):
                    break
        return self._send(record)

    def _send(self, record: Record) -> None:
        if record.uid and self._count_up(record):
            return
        new = first(record.happening, record.last) if record.uid else record
        event, _ = self._kube.create(EVENTS, new.as_event(self._component))
        self._correlator.written(new, event["metadata"]["uid"])

    def _count_up(self, record: Record) -> bool:
        event = Ref(EVENTS, record.namespace, record.name, record.uid)
        return self._kube.patch(event, record.as_repeat()) is not None

    def _complain_once(self, error: Expected) -> None:
        """An Event that the API server refuses says so once a reason: who reads Events misses them all."""
        if error.reason in self._refused:
            return
        self._refused.add(error.reason)
        log.warning("Events are lost (%s): %s", error.reason, error.message)


def presentable(message: str) -> str:
    """`message` in one line, without control characters, in at most 1024 bytes."""
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    encoded = line.encode(errors="replace")
    if len(encoded) <= MOST_MESSAGE:
        return line
    return encoded[: MOST_MESSAGE - len("…".encode())].decode(errors="ignore") + "…"
