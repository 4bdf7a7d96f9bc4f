"""Work in the background: started, awaited at the end, its failures told; and knowing when all is quiet.

Knows nothing of what the work is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

QUIET_TURNS = 20
"""Turns of the event loop without a stir after which all is quiet: more than any chain of awaits in between has."""

LONGEST_SETTLING = 1.0
"""Real seconds after which settling ends although something still stirs."""

_log = logging.getLogger(__name__)


class Background:
    """The tasks of one world. `stirs` counts what happens elsewhere; `busy`: does something go on there?"""

    def __init__(self, *, stirs: Callable[[], int], busy: Callable[[], bool]) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._stirs = stirs
        self._busy = busy
        self._changes = 0

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` until it ends or all is cancelled; its exceptions are logged, never lost."""
        self._changes += 1
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def cancel(self) -> None:
        """End all work, and return when it has ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Return when nothing has stirred for some turns of the loop: no work begun or ended, nothing elsewhere."""
        end = time.monotonic() + LONGEST_SETTLING
        quiet, before = 0, -1
        while quiet < QUIET_TURNS and time.monotonic() < end:
            await asyncio.sleep(0.001 if self._busy() else 0)
            now = self._changes + self._stirs()
            quiet = 0 if self._busy() or now != before else quiet + 1
            before = now

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._changes += 1
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("work in the background failed", exc_info=error)
