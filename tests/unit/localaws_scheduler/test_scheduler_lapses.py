"""Firings that come twice or late, as a test asks for it, and those with a flexible time window."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.scheduling import DEAD_LETTERS, Stage, staged, target
from localaws.contract import AwsError, NoSuchControlError
from localaws.triggers.lapses import Lapses, chance, parse_lapses

SLOTS = [f"2026-06-01T12:{minute:02}:00Z" for minute in range(1, 11)]


def moments(stage: Stage) -> list[str]:
    return [f"{started.at:%H:%M:%S}" for started in stage.world.started]


def test_a_firing_delivered_twice_has_one_scheduled_time_and_two_execution_ids() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.lapse(deliver_twice=1)
            told = "<aws.scheduler.scheduled-time> <aws.scheduler.execution-id>"
            await stage.create(Target=target({"TaskDefinition": "t", "StartedBy": told}))

            await stage.after(minutes=1)

            assert sorted(stage.scheduled_times()) == [f"{SLOTS[0]} id-1", f"{SLOTS[0]} id-2"]

    asyncio.run(scenario())


def test_the_second_delivery_may_come_later_than_the_first() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.lapse(deliver_twice=1, second_after_seconds=600)
            await stage.create(ScheduleExpression="cron(1 12 1 6 ? 2026)")

            await stage.after(minutes=20)

            assert moments(stage) == ["12:01:00", "12:11:00"]
            assert stage.scheduled_times() == [SLOTS[0]] * 2

    asyncio.run(scenario())


def test_a_late_firing_keeps_its_scheduled_time() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.lapse(late_seconds=90)
            await stage.create()

            await stage.after(minutes=3)

            assert moments(stage) == ["12:02:30", "12:03:30"]
            assert stage.scheduled_times() == SLOTS[:2]

    asyncio.run(scenario())


@pytest.mark.parametrize("only", ["night*", "default/nightly"])
def test_lapses_are_of_the_schedules_that_are_named(only: str) -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.lapse(deliver_twice=1, only=only)
            for name in ("nightly", "weekly"):
                await stage.create(name, Target=target({"TaskDefinition": "t", "StartedBy": name}))

            await stage.after(minutes=1)

            assert sorted(stage.scheduled_times()) == ["nightly", "nightly", "weekly"]

    asyncio.run(scenario())


def test_the_same_firings_come_twice_under_the_same_seed() -> None:
    async def twice(seed: int) -> list[str]:
        async with staged() as stage:
            stage.lapse(deliver_twice=0.5, seed=seed)
            await stage.create()
            await stage.after(minutes=10)
            return stage.scheduled_times()

    first, again, other = asyncio.run(twice(1)), asyncio.run(twice(1)), asyncio.run(twice(2))

    assert first == again != other
    assert set(first) == set(other) == set(SLOTS)
    assert len(SLOTS) < len(first) < 2 * len(SLOTS)


def test_a_schedule_deletes_itself_only_after_the_second_delivery() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.lapse(deliver_twice=1, second_after_seconds=600)
            await stage.create(ScheduleExpression="at(2026-06-01T12:01:00)", ActionAfterCompletion="DELETE")

            await stage.after(minutes=5)
            between = await stage.names()
            await stage.after(minutes=10)

            assert (between, await stage.names(), len(stage.world.started)) == (["nightly"], [], 2)

    asyncio.run(scenario())


def test_each_delivery_of_one_firing_is_retried_by_itself() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.lapse(deliver_twice=1)
            forbidden = AwsError("AccessDeniedException", "no")
            stage.world.refusals.append(forbidden)
            await stage.create(
                ScheduleExpression="cron(1 12 1 6 ? 2026)", Target=target(DeadLetterConfig={"Arn": DEAD_LETTERS})
            )

            await stage.after(minutes=1)

            assert (len(stage.world.started), len(stage.world.queues["dead-letters"])) == (1, 1)

    asyncio.run(scenario())


def test_a_flexible_time_window_delivers_each_slot_once_within_it() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 30}
            await stage.create(ScheduleExpression="cron(0 * * * ? *)", FlexibleTimeWindow=window)

            await stage.after(hours=5)

            slots = [dt.datetime.fromisoformat(slot) for slot in stage.scheduled_times()]
            late = [started.at - slot for started, slot in zip(stage.world.started, slots, strict=True)]
            assert [slot.hour for slot in slots] == [13, 14, 15, 16, 17][: len(slots)]
            assert len(slots) >= 4
            assert all(dt.timedelta(0) <= each < dt.timedelta(minutes=30) for each in late)
            assert len(set(late)) > 1

    asyncio.run(scenario())


@pytest.mark.timeout(20)  # words are drawn slowly on a busy machine
@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=5), min_size=1, max_size=3))
def test_a_chance_is_a_number_below_one_and_always_the_same(words: list[str]) -> None:
    assert 0 <= chance(*words) < 1
    assert chance(*words) == chance(*words)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"twice": 1}, "firings have no 'twice'; they have deliver-twice"),
        ({"deliver-twice": 2}, "'deliver-twice' must be a number from 0 to 1"),
        ({"deliver-twice": True}, "'deliver-twice' must be a number from 0 to 1"),
        ({"late-seconds": -1}, "'late-seconds' must be a number from 0 to"),
        ({"seed": 1.5}, "'seed' must be a whole number"),
        ({"only": ""}, "'only' must be a pattern of names"),
        ({"only": 3}, "'only' must be a pattern of names"),
    ],
)
def test_lapses_that_make_no_sense_are_refused(wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_lapses(wanted)


def test_lapses_are_told_as_they_were_asked_for() -> None:
    wanted = {"deliver-twice": 0.5, "late-seconds": 3, "second-after-seconds": 60, "only": "a*", "seed": 7}

    assert parse_lapses(wanted).as_json() == wanted
    assert parse_lapses({}) == Lapses()


def test_nothing_else_of_the_scheduler_is_driven() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            for method, path in (("DELETE", ""), ("PUT", "nightly")):
                with pytest.raises(NoSuchControlError, match="GET and PUT /_localaws/scheduler"):
                    stage.scheduler.control(method, path, {})

    asyncio.run(scenario())
