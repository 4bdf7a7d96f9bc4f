"""When scheduled rules trigger themselves."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest

from localaws.events.schedule import Schedule, parse_schedule

NOW = dt.datetime(2026, 6, 1, 12, 0, 30, 500, tzinfo=dt.UTC)


def first(schedule: Schedule, count: int = 3) -> list[str]:
    found, moment = [], NOW
    for _ in itertools.repeat(None, count):
        following = schedule.next_after(moment)
        if following is None:
            break
        found.append(f"{following:%Y-%m-%dT%H:%M:%S}")
        moment = following
    return found


@pytest.mark.parametrize(
    ("text", "slots", "why"),
    [
        (
            "rate(1 minute)",
            ["2026-06-01T12:01:30", "2026-06-01T12:02:30", "2026-06-01T12:03:30"],
            "a rate counts from the creation of the rule, and is first due after one period",
        ),
        ("rate(5 hours)", ["2026-06-01T17:00:30", "2026-06-01T22:00:30", "2026-06-02T03:00:30"], "the plural"),
        ("rate(999999999 days)", [], "beyond all calendars"),
        (
            "cron(0 12 * * ? *)",
            ["2026-06-02T12:00:00", "2026-06-03T12:00:00", "2026-06-04T12:00:00"],
            "noon has just passed",
        ),
        ("cron(30 8 1 1 ? 2027)", ["2027-01-01T08:30:00"], "once"),
        ("cron(0/20 12 1 6 ? 2026)", ["2026-06-01T12:20:00", "2026-06-01T12:40:00"], "what lies behind is not made up"),
    ],
)
def test_a_schedule_is_due(text: str, slots: list[str], why: str) -> None:
    assert first(parse_schedule(text, NOW)) == slots, why


def test_a_cron_of_a_rule_knows_no_daylight_saving() -> None:
    schedule = parse_schedule("cron(0 1 25-26 10 ? 2026)", NOW)

    assert first(schedule) == ["2026-10-25T01:00:00", "2026-10-26T01:00:00"]


@pytest.mark.parametrize(
    "text",
    [
        "rate(1 minutes)",
        "rate(2 minute)",
        "rate(0 minutes)",
        "rate(5 seconds)",
        "rate(5)",
        "rate(1.5 hours)",
        "cron(0 12 * * ?)",
        "cron(0 12 * * * *)",
        "cron(bad)",
        "at(2026-06-01T12:00:00)",
        "0 12 * * ? *",
        "",
    ],
)
def test_what_is_no_schedule_of_a_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_schedule(text, NOW)


def test_an_unchanged_schedule_goes_on_counting_and_a_changed_one_starts_afresh() -> None:
    later = NOW + dt.timedelta(minutes=7)
    before = parse_schedule("rate(5 minutes)", NOW)

    assert parse_schedule("rate(5 minutes)", later).resuming(before) is before
    assert parse_schedule("rate(6 minutes)", later).resuming(before).since == later.replace(microsecond=0)
    assert parse_schedule("rate(5 minutes)", later).resuming(None).since == later.replace(microsecond=0)
