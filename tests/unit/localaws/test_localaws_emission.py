"""Events of services arrive as AWS promises: at least once, in any order, some time later; never not at all."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaws.clock import VirtualClock
from localaws.emission import LONGEST_WAIT, Emission, Habits, parse_habits

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
REGION = "eu-west-1"


class Bus:
    """What arrived at EventBridge, and how many virtual seconds after the start."""

    def __init__(self, habits: Habits) -> None:
        self.clock = VirtualClock(rate=0, start=START)
        self.arrived: list[tuple[float, int]] = []
        self._work: list[asyncio.Task[None]] = []
        self.emission = Emission(self.clock, self._spawn, self._receive)
        self.emission.be(habits)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._work.append(asyncio.get_running_loop().create_task(work))

    def _receive(self, region: str, event: dict[str, Any]) -> None:
        assert region == REGION
        self.arrived.append(((self.clock.now() - START).total_seconds(), event["n"]))

    def after(self, count: int, seconds: float) -> list[int]:
        """The numbers of `count` events in the order in which they arrived within so many virtual seconds."""

        async def scenario() -> None:
            for number in range(count):
                self.emission.emit(REGION, {"n": number})
            await self.clock.advance(seconds)
            await asyncio.gather(*self._work)

        asyncio.run(scenario())
        return [number for _, number in self.arrived]


def test_unless_asked_each_event_arrives_once_in_order_and_at_once() -> None:
    bus = Bus(Habits())

    assert bus.after(5, seconds=0) == [0, 1, 2, 3, 4]


def test_events_can_come_twice() -> None:
    bus = Bus(Habits(deliver_twice=1))

    assert bus.after(3, seconds=0) == [0, 0, 1, 1, 2, 2]


def test_an_event_can_be_overtaken_by_the_next_one() -> None:
    bus = Bus(Habits(reorder=1))

    assert sorted(arrived := bus.after(4, seconds=LONGEST_WAIT)) == [0, 1, 2, 3]
    assert arrived != [0, 1, 2, 3]


def test_new_habits_begin_their_chance_anew_whatever_still_waits_to_be_overtaken() -> None:
    bus = Bus(Habits(reorder=1))

    async def scenario() -> None:
        bus.emission.emit(REGION, {"n": 0})
        bus.emission.be(Habits(reorder=1))
        for number in (1, 2):
            bus.emission.emit(REGION, {"n": number})
        await bus.clock.advance(LONGEST_WAIT)

    asyncio.run(scenario())

    assert [number for _, number in bus.arrived] == [2, 1, 0]


def test_the_last_event_does_not_wait_for_ever_to_be_overtaken() -> None:
    bus = Bus(Habits(reorder=1))

    assert bus.after(1, seconds=LONGEST_WAIT) == [0]
    assert bus.arrived == [(LONGEST_WAIT, 0)]


def test_events_can_be_late_but_no_later_than_said() -> None:
    bus = Bus(Habits(late_seconds=30))

    bus.after(20, seconds=30)

    assert len(bus.arrived) == 20
    assert 0 < max(seconds for seconds, _ in bus.arrived) <= 30


@given(
    st.builds(
        Habits,
        deliver_twice=st.floats(0, 1),
        reorder=st.floats(0, 1),
        late_seconds=st.sampled_from([0.0, 5.0]),
        seed=st.integers(0, 99),
    ),
    st.integers(0, 12),
)
def test_no_event_is_lost_or_comes_more_than_twice_and_chance_repeats_itself(habits: Habits, count: int) -> None:
    arrived = Bus(habits).after(count, seconds=10)

    assert all(1 <= arrived.count(number) <= 2 for number in range(count))
    assert Bus(habits).after(count, seconds=10) == arrived


def test_habits_are_answered_as_they_were_given() -> None:
    given_ = {"deliver-twice": 0.5, "reorder": 1, "late-seconds": 60, "seed": 7}

    assert parse_habits(given_).as_json() == given_


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"twice": 1}, "events have no 'twice'; they have deliver-twice, reorder, late-seconds, seed"),
        ({"reorder": 2}, "'reorder' must be a number from 0 to 1"),
        ({"deliver-twice": True}, "'deliver-twice' must be a number from 0 to 1"),
        ({"late-seconds": -1}, "'late-seconds' must be a number from 0 to 86400"),
        ({"seed": 0.5}, "'seed' must be a whole number"),
    ],
)
def test_habits_that_make_no_sense_are_refused_with_words(wanted: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=r"must be|have no") as refused:
        parse_habits(wanted)

    assert words in str(refused.value)
