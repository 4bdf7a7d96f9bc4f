"""Virtual time: real time times a rate, plus what it was moved forward.

Knows nothing of what sleeps on it. One timer wakes the sleepers, earliest first, on the event loop that they sleep on.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable

LONGEST_TIMER = 3600.0
"""Real seconds after which a timer looks again; the event loop refuses very distant ones."""

QUIET_TURNS = 20
"""Turns of the event loop that a woken coroutine gets when nobody told the clock how to see that all is done."""

_FEW = 256
"""Sleepers that are not worth sweeping."""


async def twenty_turns() -> None:
    """Let whatever was just woken run for a while."""
    for _ in range(QUIET_TURNS):
        await asyncio.sleep(0)


class VirtualClock:
    """`contract.Clock`, and the means to drive it.

    `rate` is virtual seconds a real second; 0 freezes the clock, so that only `advance` moves it. `start` is the first
    virtual moment (aware), and `monotonic` counts real seconds. `changes` counts who began to sleep and who was woken.
    """

    def __init__(
        self,
        *,
        rate: float = 1.0,
        start: dt.datetime | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        settle: Callable[[], Awaitable[None]] = twenty_turns,
    ) -> None:
        self._monotonic = monotonic
        self._settle = settle
        self._rate = rate
        self._base = start or dt.datetime.now(dt.UTC)
        self._base_real = monotonic()
        self._pinned = False
        self._sleepers: list[tuple[dt.datetime, int, asyncio.Future[None]]] = []
        self._sweep_at = _FEW
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._advancing = asyncio.Lock()
        self.changes = 0

    @property
    def rate(self) -> float:
        """Virtual seconds a real second."""
        return self._rate

    def now(self) -> dt.datetime:
        """The virtual moment, aware, in UTC; during an advance, the moment of the sleeper that was woken last."""
        if self._pinned or not self._rate:
            return self._base
        return self._base + dt.timedelta(seconds=(self._monotonic() - self._base_real) * self._rate)

    async def sleep_until(self, moment: dt.datetime) -> None:
        """Return once `now() >= moment`; those whose moment has come are woken earliest first."""
        if moment <= self.now():
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        self._put_to_sleep(moment, woken)
        self.changes += 1
        if self._sleepers[0][2] is woken:
            self._set_timer()
        await woken

    def set_rate(self, rate: float) -> None:
        """Run at `rate` virtual seconds a real second from now on."""
        self._rebase(self.now())
        self._rate = rate
        self._set_timer()

    async def advance(self, seconds: float) -> dt.datetime:
        """Move the clock forward, through every sleeper's moment on the way, and return the moment reached.

        The clock stops at each moment for which somebody sleeps, shows that moment, wakes all who wait for it, and goes
        on when what they do has settled (`settle`); so what they begin then, further sleeps among it, happens in order
        and on time. Work that waits for something else than this clock (a process, a client) is not waited for. Real
        time that passes meanwhile does not count. Advances queue up behind each other.
        """
        async with self._advancing:
            target = self.now() + dt.timedelta(seconds=seconds)
            self._rebase(self.now())
            self._pinned = True
            try:
                await self._step_to(target)
            finally:
                self._unpin()
            return self._base

    def reset(self, rate: float) -> None:
        """Go back to real time at `rate`, also out of an advance, which then ends where it is.

        Who still sleeps is forgotten, and must have been cancelled before.
        """
        self._sleepers.clear()
        self._pinned = False
        self._rebase(dt.datetime.now(dt.UTC))
        self.set_rate(rate)

    async def _step_to(self, target: dt.datetime) -> None:
        await self._settle()
        while self._pinned and (moment := self._next_moment()) is not None and moment <= target:
            self._base = max(self._base, moment)
            self._wake()
            await self._settle()
        if self._pinned:
            self._base = target

    def _unpin(self) -> None:
        if self._pinned:
            self._pinned = False
            self._rebase(self._base)
            self._set_timer()

    def _put_to_sleep(self, moment: dt.datetime, woken: asyncio.Future[None]) -> None:
        heapq.heappush(self._sleepers, (moment, next(self._order), woken))
        if len(self._sleepers) > self._sweep_at:
            # Who gave up sleeping stays behind until its moment comes up, which may be in a year.
            self._sleepers = [sleeper for sleeper in self._sleepers if not sleeper[2].done()]
            heapq.heapify(self._sleepers)
            self._sweep_at = max(_FEW, 2 * len(self._sleepers))

    def _next_moment(self) -> dt.datetime | None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _wake(self) -> None:
        now = self.now()
        while (moment := self._next_moment()) is not None and moment <= now:
            heapq.heappop(self._sleepers)[2].set_result(None)
            self.changes += 1

    def _rebase(self, now: dt.datetime) -> None:
        self._base = now
        self._base_real = self._monotonic()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moment = self._next_moment()
        if moment is None or self._pinned or not self._rate:
            return
        delay = max(0.0, (moment - self.now()).total_seconds() / self._rate)
        self._timer = asyncio.get_running_loop().call_later(min(delay, LONGEST_TIMER), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._wake()
        self._set_timer()
