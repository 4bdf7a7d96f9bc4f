"""Which of the awaited names have come to what they were awaited for, and when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any


class Board:
    """Names that are awaited; `sent` is for whoever asks for them to fill. Times are of the monotonic clock."""

    def __init__(self, names: Iterable[str]) -> None:
        self.sent: dict[str, float] = {}
        self.came: dict[str, float] = {}
        self._awaited = set(names)
        self._all = asyncio.Event()

    def arrive(self, name: str) -> None:
        """The name has come to it now; the first time counts."""
        if name not in self._awaited:
            return
        self._awaited.discard(name)
        self.came[name] = time.monotonic()
        if not self._awaited:
            self._all.set()

    async def wait(self, seconds: float, following: asyncio.Task[None]) -> list[str]:
        """Wait for all, while they are followed; the names that did not come."""
        if self._awaited:
            all_came = asyncio.create_task(self._all.wait())
            await asyncio.wait({all_came, following}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            all_came.cancel()
            if following.done():
                raise RuntimeError(f"the watch ended: {following.exception()!r}")
        return sorted(self._awaited)

    def answer(self, missing: list[str], **more: object) -> dict[str, Any]:
        """What the job answers: when it began, seconds of each name, seconds until the last."""
        began = min(self.sent.values(), default=0.0)
        return {
            "began": began,
            "seconds": {name: came - self.sent[name] for name, came in self.came.items()},
            "total": max(self.came.values(), default=began) - began,
            "missing": missing,
            **more,
        }
