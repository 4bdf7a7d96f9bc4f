"""When rate and at are due, and what StartDate, EndDate and clock changes do."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest

from localaws.scheduler.timing import Timing, parse_expression, time_zone

NOW = dt.datetime(2026, 6, 1, 12, 0, 30, 500, tzinfo=dt.UTC)


def timing(expression: str, zone: str = "UTC", anchor: dt.datetime = NOW, **bounds: Any) -> Timing:
    return Timing(expression=parse_expression(expression), zone=time_zone(zone), anchor=anchor, **bounds)


def first(timing: Timing, count: int = 3) -> list[str]:
    found, moment = [], timing.opening
    for _ in itertools.repeat(None, count):
        following = timing.next_after(moment)
        if following is None:
            break
        found.append(following.isoformat(timespec="seconds").removesuffix("+00:00"))
        moment = following
    return found


def test_a_rate_without_start_date_is_due_at_once_and_then_every_period() -> None:
    assert first(timing("rate(5 minutes)")) == ["2026-06-01T12:00:30", "2026-06-01T12:05:30", "2026-06-01T12:10:30"]


def test_a_rate_with_start_date_is_first_due_on_the_whole_minute_at_or_after_it() -> None:
    start = dt.datetime(2026, 6, 1, 18, 59, 30, tzinfo=dt.UTC)

    assert first(timing("rate(1 hour)", start=start)) == [
        "2026-06-01T19:00:00",
        "2026-06-01T20:00:00",
        "2026-06-01T21:00:00",
    ]


def test_a_day_of_a_rate_is_24_hours_across_a_clock_change() -> None:
    start = dt.datetime(2026, 10, 24, 10, 0, tzinfo=dt.UTC)

    assert first(timing("rate(1 day)", "Europe/Berlin", anchor=start), 2) == [
        "2026-10-24T10:00:00",
        "2026-10-25T10:00:00",
    ]


def test_a_rate_beyond_all_calendars_is_due_once() -> None:
    assert first(timing("rate(999999999 days)")) == ["2026-06-01T12:00:30"]


def test_slots_before_the_anchor_are_not_due() -> None:
    start = NOW - dt.timedelta(minutes=4)

    assert first(timing("cron(* * * * ? *)", start=start), 1) == ["2026-06-01T12:01:00"]


def test_start_and_end_date_bound_a_cron_both_inclusive() -> None:
    start, end = dt.datetime(2026, 6, 2, 3, tzinfo=dt.UTC), dt.datetime(2026, 6, 3, 3, tzinfo=dt.UTC)

    assert first(timing("cron(0 3 * * ? *)", start=start, end=end)) == ["2026-06-02T03:00:00", "2026-06-03T03:00:00"]


def test_a_one_time_schedule_ignores_start_and_end_date() -> None:
    end = dt.datetime(2026, 6, 2, tzinfo=dt.UTC)

    assert first(timing("at(2026-07-01T09:30:15)", start=NOW, end=end)) == ["2026-07-01T09:30:15"]


def test_a_one_time_schedule_in_the_past_is_still_due() -> None:
    assert first(timing("at(2020-01-01T00:00:00)")) == ["2020-01-01T00:00:00"]


@pytest.mark.parametrize(
    ("expression", "slots", "why"),
    [
        ("at(2026-03-29T02:30:00)", [], "Berlin's clocks never show it"),
        ("at(2026-10-25T02:30:00)", ["2026-10-25T00:30:00"], "they show it twice: the first counts"),
        ("cron(30 2 25 10 ? 2026)", ["2026-10-25T00:30:00"], "once, although shown twice"),
        ("cron(30 2 28-30 3 ? 2026)", ["2026-03-28T01:30:00", "2026-03-30T00:30:00"], "the day without it is left out"),
    ],
)
def test_daylight_saving(expression: str, slots: list[str], why: str) -> None:
    before = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    assert first(timing(expression, "Europe/Berlin", anchor=before)) == slots, why


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("Europe/Berlin", "2026-03-29T01:00", "an hour is skipped at two"),
        ("Europe/Berlin", "2026-10-25T01:00", "an hour is repeated at three"),
        ("America/Havana", "2026-03-08T05:00", "midnight itself is skipped"),
        ("America/Havana", "2026-11-01T05:00", "midnight itself is repeated"),
        ("Australia/Lord_Howe", "2026-10-03T15:30", "half an hour is skipped"),
        ("Australia/Lord_Howe", "2027-04-03T15:00", "half an hour is repeated"),
        ("Asia/Kathmandu", "2026-05-01T00:00", "no clock changes, and the offset is no whole hour"),
    ],
)
def test_a_cron_fires_each_local_time_that_clocks_show_when_they_show_it_first(
    name: str, change: str, why: str
) -> None:
    start = dt.datetime.fromisoformat(f"{change}+00:00") - dt.timedelta(hours=4)
    minutes = [start + dt.timedelta(minutes=n) for n in range(-120, 480)]
    shown: dict[dt.datetime, dt.datetime] = {}
    for minute in minutes:
        shown.setdefault(minute.astimezone(time_zone(name)).replace(tzinfo=None), minute)
    wanted = [moment for local, moment in shown.items() if local.minute % 10 == 0 and moment > start]

    found = first(timing("cron(0/10 * * * ? *)", name, anchor=start), len(wanted))

    assert found == [f"{moment:%Y-%m-%dT%H:%M:%S}" for moment in sorted(wanted)], why


@pytest.mark.parametrize("name", ["Europe/Foo", "europe/berlin", "../etc/passwd", "+01:00", ""])
def test_a_zone_that_tzdata_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not an IANA time zone"):
        time_zone(name)


def test_an_unchanged_rate_goes_on_counting_from_its_anchor_and_a_changed_one_starts_afresh() -> None:
    later = NOW + dt.timedelta(minutes=7)
    before = timing("rate(5 minutes)")

    assert timing("rate(5 minutes)", anchor=later).resuming(before).anchor == NOW
    assert timing("rate(6 minutes)", anchor=later).resuming(before).anchor == later
