"""Keys by moment, earliest first.

Knows numbers only. A heap whose outdated entries are left in place until they come up, and swept out once they are the
most; so everything costs O(log n) at most, in the long run, and memory follows the number of keys.
"""

from __future__ import annotations

import heapq

_SMALL = 64
"""Entries of a heap that is not worth sweeping."""


class Agenda:
    """Each key has one moment. Moments are whole numbers: milliseconds, or turns."""

    __slots__ = ("_heap", "_moments")

    def __init__(self) -> None:
        self._moments: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._moments)

    def __contains__(self, key: int) -> bool:
        return key in self._moments

    def put(self, key: int, moment: int) -> None:
        """Give a key this moment, whatever it had before."""
        self._moments[key] = moment
        heapq.heappush(self._heap, (moment, key))
        if len(self._heap) > _SMALL + 2 * len(self._moments):
            self._heap = [(moment, key) for key, moment in self._moments.items()]
            heapq.heapify(self._heap)

    def discard(self, key: int) -> bool:
        """Take a key out; whether it was there."""
        return self._moments.pop(key, None) is not None

    def first(self) -> int | None:
        """The earliest moment; None where there is no key."""
        while self._heap:
            moment, key = self._heap[0]
            if self._moments.get(key) == moment:
                return moment
            heapq.heappop(self._heap)
        return None

    def pop(self) -> tuple[int, int] | None:
        """Take the earliest out: key and moment."""
        while self._heap:
            moment, key = heapq.heappop(self._heap)
            if self._moments.get(key) == moment:
                del self._moments[key]
                return key, moment
        return None

    def pop_due(self, now: int) -> int | None:
        """Take the earliest key out whose moment is not after `now`."""
        moment = self.first()
        if moment is None or moment > now:
            return None
        _, key = heapq.heappop(self._heap)
        del self._moments[key]
        return key
