"""Who waits for a message, in real time: long polls, each of which waits for a ring or its end.

Knows no message and no virtual time.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools


class Bell:
    """Wakes those who wait, the longest waiting first."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], None] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    async def wait(self, seconds: float) -> None:
        """Return when it rings for this caller, or after so many real seconds."""
        rung = asyncio.get_running_loop().create_future()
        self._waiting[rung] = None
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(rung, seconds)
        finally:
            self._waiting.pop(rung, None)

    def ring(self, most: int) -> None:
        """Wake up to `most` of those who wait."""
        for rung in list(itertools.islice(self._waiting, most)):
            del self._waiting[rung]
            if not rung.done():
                rung.set_result(None)
