"""The keyed queue between what happens and who acts on it.

A key is queued once however often it is touched, never worked on twice at the same time, and queued again when it is
touched while it is worked on: the newest state wins and nothing is decided twice at once. Failures come back after an
exponential delay with jitter; what is new about a key (`add`, a timer) does not wait for that delay, as it may be just
what ends the failure: so a failing key is tried as often as there is news of it, and rarely without. New work goes
ahead of resync. Knows keys and time, and nothing of what a key means.
"""

import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable, Hashable
from enum import IntEnum
from typing import Generic, TypeVar


class Priority(IntEnum):
    """Who goes first: lower values do."""

    CHANGE = 0  # a user or an event asks for it
    RESYNC = 1  # nothing is known to have changed


Key = TypeVar("Key", bound=Hashable)

_FIRST_DELAY = 0.5  # seconds
_LONGEST_DELAY = 300.0


class WorkQueue(Generic[Key]):
    """All methods may be called from any thread; times are seconds of a monotonic clock."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, jitter: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._jitter = jitter  # answers 0 ≤ x < 1
        self._changed = threading.Condition()
        self._order = itertools.count()
        self._ready: list[tuple[Priority, int, Key]] = []  # a heap; entries that _queued does not confirm are stale
        self._queued: dict[Key, tuple[Priority, int, float]] = {}
        self._timers: list[tuple[float, int, Key, Priority]] = []
        self._due: dict[Key, tuple[float, Priority]] = {}
        self._working: dict[Key, Priority | None] = {}  # the value: touched meanwhile, and how
        self._taken: dict[Key, Priority] = {}  # those that are worked on, as they were queued
        self._failures: dict[Key, int] = {}
        self._closed = False

    def add(self, key: Key, priority: Priority = Priority.CHANGE) -> None:
        """Ask for work on a key, now. Asking again with a better priority moves it forward."""
        with self._changed:
            self._add(key, priority)

    def add_after(self, key: Key, delay: float, priority: Priority = Priority.CHANGE) -> None:
        """Ask for work on a key in `delay` seconds. Of several requests the earliest counts; it is met once."""
        with self._changed:
            due = self._clock() + max(delay, 0.0)
            if key in self._due and self._due[key][0] <= due:
                return
            self._due[key] = (due, priority)
            heapq.heappush(self._timers, (due, next(self._order), key, priority))
            self._changed.notify()

    def hasten(self, key: Key) -> None:
        """Let a key that waits for its time come now, as urgent as it was asked for; one that does not is left."""
        with self._changed:
            if key in self._working:
                self._add(key, self._taken[key])
            elif key in self._due:
                self._add(key, self._due.pop(key)[1])

    def retry(self, key: Key, at_least: float = 0.0) -> float:
        """Ask for work on a key after its backoff, and not before `at_least` seconds; answers the delay in seconds.

        A key that is worked on keeps its priority: what nobody asked for is asked for by nobody when it fails, either.
        """
        with self._changed:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            priority = self._taken.get(key, Priority.CHANGE)
        delay = min(_FIRST_DELAY * 2.0 ** min(failures - 1, 16), _LONGEST_DELAY) * (0.5 + self._jitter() / 2)
        delay = max(delay, at_least * (1 + self._jitter() / 4))
        self.add_after(key, delay, priority)
        return delay

    def failures(self, key: Key) -> int:
        """How often in a row work on the key failed."""
        with self._changed:
            return self._failures.get(key, 0)

    def forgive(self, key: Key) -> None:
        """The key succeeded: its next failure starts with the shortest delay."""
        with self._changed:
            self._failures.pop(key, None)

    def get(self, timeout: float | None = None) -> Key | None:
        """The next key to work on, which is then ours until `done`. None after `timeout` seconds or `close`."""
        end = None if timeout is None else self._clock() + timeout
        with self._changed:
            while not self._closed:
                self._ring()
                key = self._pop()
                if key is not None:
                    self._working[key] = None
                    self._changed.notify()  # somebody else has to mind the rest, and the timers
                    return key
                wait = self._until_next(end)
                if wait is not None and wait <= 0 and end is not None and self._clock() >= end:
                    return None
                self._changed.wait(wait)
        return None

    def priority(self, key: Key) -> Priority:
        """How a key that is worked on was queued."""
        with self._changed:
            return self._taken.get(key, Priority.CHANGE)

    def done(self, key: Key) -> None:
        """Give a key back. It is queued again if it was touched meanwhile."""
        with self._changed:
            self._taken.pop(key, None)
            touched = self._working.pop(key, None)
            if touched is not None:
                self._add(key, touched)

    def close(self) -> None:
        """Answer None to everybody who waits; keys being worked on are given back with `done` as usual."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether nobody gets a key any more."""
        return self._closed

    def depth(self) -> tuple[int, float]:
        """How many keys wait, and for how many seconds the oldest of them has."""
        with self._changed:
            now = self._clock()
            oldest = min((since for _, _, since in self._queued.values()), default=now)
            return len(self._queued), now - oldest

    def _add(self, key: Key, priority: Priority) -> None:
        if key in self._working:
            touched = self._working[key]
            self._working[key] = priority if touched is None else min(touched, priority)
            return
        queued = self._queued.get(key)
        if queued and queued[0] <= priority:
            return
        order = next(self._order)
        since = queued[2] if queued else self._clock()
        self._queued[key] = (priority, order, since)
        heapq.heappush(self._ready, (priority, order, key))
        self._changed.notify()

    def _pop(self) -> Key | None:
        while self._ready:
            priority, order, key = heapq.heappop(self._ready)
            queued = self._queued.get(key)
            if queued and queued[:2] == (priority, order):
                del self._queued[key]
                self._taken[key] = priority
                return key
        return None

    def _ring(self) -> None:
        now = self._clock()
        while self._timers and self._timers[0][0] <= now:
            due, _, key, priority = heapq.heappop(self._timers)
            if self._due.get(key) == (due, priority):
                del self._due[key]
                self._add(key, priority)

    def _until_next(self, end: float | None) -> float | None:
        moments = [moment for moment in (end, self._timers[0][0] if self._timers else None) if moment is not None]
        return max(min(moments) - self._clock(), 0.0) if moments else None
