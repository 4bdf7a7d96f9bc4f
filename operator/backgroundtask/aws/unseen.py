"""What this process has just made and AWS may not show yet: until a read shows it, no read proves that it is not there.

The reads of AWS lag behind its writes (Amazon ECS API, RunTask: "an eventual consistency model"; EventBridge Scheduler
says nothing of it). Who concludes from such a read that something is absent makes it twice, or leaves it behind.

Knows names and until when each counts as there; asks nothing. Another process knows nothing of it: what it concludes is
allowed to it once after a crash, and found again by the looks.
"""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

GRACE = 300.0
"""Seconds after which what no read has shown is not there: somebody else has deleted it. No lag so long is known."""

_Known = TypeVar("_Known")


class Unseen(Generic[_Known]):
    """Things by place (a family, a schedule group) and name, each with what is known of it."""

    def __init__(self, *, grace: float = GRACE, clock: Callable[[], float] = time.monotonic) -> None:
        self._grace = grace
        self._clock = clock
        self._lock = threading.Lock()
        self._places: dict[str, dict[str, tuple[float, _Known]]] = {}  # each with the moment at which its grace ends
        self._order: dict[tuple[str, str], float] = {}  # the same, in order of these moments

    def made(self, place: str, name: str, known: _Known) -> None:
        """Something was made."""
        with self._lock:
            self._expire()
            until = self._clock() + self._grace
            self._forget(place, name)
            self._places.setdefault(place, {})[name] = (until, known)
            self._order[place, name] = until

    def changed(self, place: str, name: str, known: _Known) -> None:
        """Something was changed; of what a read has shown before, nothing needs to be known."""
        with self._lock:
            before = self._places.get(place, {}).get(name)
            if before is not None:
                self._places[place][name] = (before[0], known)

    def settled(self, place: str, names: Iterable[str]) -> None:
        """Reads have shown these, or they were deleted: AWS is to be believed."""
        with self._lock:
            for name in names if place in self._places else ():
                self._forget(place, name)

    def has(self, place: str, name: str) -> bool:
        """Whether something is there that no read has shown."""
        with self._lock:
            self._expire()
            return name in self._places.get(place, {})

    def of(self, place: str) -> dict[str, _Known]:
        """All that is there and no read has shown, in one place."""
        with self._lock:
            self._expire()
            return {name: known for name, (_, known) in self._places.get(place, {}).items()}

    def places(self) -> tuple[str, ...]:
        """The places in which there is something."""
        with self._lock:
            self._expire()
            return tuple(self._places)

    def _expire(self) -> None:
        now = self._clock()
        while self._order:
            (place, name), until = next(iter(self._order.items()))
            if until > now:
                return
            self._forget(place, name)

    def _forget(self, place: str, name: str) -> None:
        if self._order.pop((place, name), None) is None:
            return
        del self._places[place][name]
        if not self._places[place]:
            del self._places[place]
