"""The virtual clock: who sleeps is woken in order and sees the moment that was asked for."""

from __future__ import annotations

import asyncio
import datetime as dt
import tracemalloc
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaws.clock import VirtualClock

START = dt.datetime(2026, 3, 29, tzinfo=dt.UTC)


class RealTime:
    """Real seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def frozen() -> VirtualClock:
    return VirtualClock(rate=0, start=START)


def after(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def run(scenario: Callable[[VirtualClock], Awaitable[None]], clock: VirtualClock | None = None) -> None:
    async def main() -> None:
        await scenario(clock or frozen())

    asyncio.run(main())


@pytest.mark.parametrize(("rate", "virtual"), [(1.0, 10), (60.0, 600), (0.5, 5), (0.0, 0)])
def test_time_runs_at_its_rate(rate: float, virtual: float) -> None:
    real = RealTime()
    clock = VirtualClock(rate=rate, start=START, monotonic=real)

    real.seconds = 10

    assert clock.now() == after(virtual)


def test_a_change_of_rate_makes_no_jump() -> None:
    async def scenario(clock: VirtualClock) -> None:
        real.seconds = 10
        clock.set_rate(60)
        real.seconds = 11

        assert clock.now() == after(10 + 60)

    real = RealTime()
    run(scenario, VirtualClock(start=START, monotonic=real))


@given(st.lists(st.integers(0, 7200), max_size=30))
def test_an_advance_wakes_earliest_first_each_at_its_moment(seconds: list[int]) -> None:
    woken: list[dt.datetime] = []

    async def sleep(clock: VirtualClock, moment: dt.datetime) -> None:
        await clock.sleep_until(moment)
        woken.append(clock.now())

    async def scenario(clock: VirtualClock) -> None:
        sleepers = [asyncio.create_task(sleep(clock, after(s))) for s in seconds]
        await clock.advance(3600)

        assert woken == sorted(after(s) for s in seconds if s <= 3600)
        assert clock.now() == after(3600)
        await clock.advance(3600)
        await asyncio.gather(*sleepers)

    run(scenario)
    assert woken == sorted(after(s) for s in seconds)


def test_what_a_sleeper_begins_within_an_advance_happens_within_it() -> None:
    ticks: list[dt.datetime] = []

    async def tick_every_minute(clock: VirtualClock) -> None:
        while True:
            await clock.sleep_until(clock.now() + dt.timedelta(minutes=1))
            ticks.append(clock.now())

    async def scenario(clock: VirtualClock) -> None:
        ticker = asyncio.create_task(tick_every_minute(clock))
        await clock.advance(3600)
        ticker.cancel()

    run(scenario)
    assert ticks == [after(60 * n) for n in range(1, 61)]


def test_an_advance_waits_until_what_it_woke_has_settled() -> None:
    done: list[str] = []

    async def wait_for_a_chain_of_tasks(clock: VirtualClock) -> None:
        await clock.sleep_until(after(1))
        for _ in range(5):
            await asyncio.create_task(asyncio.sleep(0))
        done.append("chain")

    async def scenario(clock: VirtualClock) -> None:
        task = asyncio.create_task(wait_for_a_chain_of_tasks(clock))
        await clock.advance(1)

        assert done == ["chain"]
        await task

    run(scenario)


def test_two_advances_at_once_add_up() -> None:
    async def scenario(clock: VirtualClock) -> None:
        await asyncio.gather(clock.advance(10), clock.advance(20))

        assert clock.now() == after(30)

    run(scenario)


def test_who_gave_up_sleeping_is_not_woken() -> None:
    async def scenario(clock: VirtualClock) -> None:
        sleeper = asyncio.create_task(clock.sleep_until(after(10)))
        await asyncio.sleep(0)
        sleeper.cancel()
        await clock.advance(20)

        assert sleeper.cancelled()
        assert clock.now() == after(20)

    run(scenario)


def test_who_gave_up_sleeping_takes_no_memory() -> None:
    async def scenario(clock: VirtualClock) -> None:
        before, _ = tracemalloc.get_traced_memory()
        for seconds in range(1_000):
            sleeper = asyncio.create_task(clock.sleep_until(after(1_000_000 + seconds)))
            await asyncio.sleep(0)
            sleeper.cancel()
            await asyncio.gather(sleeper, return_exceptions=True)
        now, _ = tracemalloc.get_traced_memory()

        assert now - before < 200_000, "bytes: two hundred for each would be as much"

    tracemalloc.start()
    try:
        run(scenario)
    finally:
        tracemalloc.stop()


def test_a_reset_ends_an_advance_that_is_under_way() -> None:
    async def scenario(clock: VirtualClock) -> None:
        async def tick() -> None:
            for seconds in range(1, 100):
                await clock.sleep_until(after(seconds))

        ticking = asyncio.create_task(tick())
        advance = asyncio.create_task(clock.advance(1_000_000_000))
        await clock.sleep_until(after(50))
        ticking.cancel()
        clock.reset(0)
        begun = clock.now()
        reached = await advance

        assert clock.now() == begun
        assert reached == begun
        assert await clock.advance(5) == begun + dt.timedelta(seconds=5)

    run(scenario)


def test_a_moment_that_has_passed_is_not_slept_for() -> None:
    async def scenario(clock: VirtualClock) -> None:
        await asyncio.wait_for(clock.sleep_until(after(-1)), 1)

    run(scenario)


def test_real_time_wakes_sleepers_too() -> None:
    async def scenario(clock: VirtualClock) -> None:
        began = clock.now()

        await asyncio.wait_for(clock.sleep_until(began + dt.timedelta(hours=1)), 1)

        assert clock.now() - began >= dt.timedelta(hours=1)

    run(scenario, VirtualClock(rate=360_000.0))


def test_a_sleeper_of_a_frozen_clock_wakes_when_it_runs_again() -> None:
    async def scenario(clock: VirtualClock) -> None:
        sleeper = asyncio.create_task(clock.sleep_until(after(3600)))
        await asyncio.sleep(0.01)
        slept = not sleeper.done()
        clock.set_rate(3_600_000.0)

        await asyncio.wait_for(sleeper, 1)
        assert slept

    run(scenario)
