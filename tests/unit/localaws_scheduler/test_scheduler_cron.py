"""AWS's cron grammar, and its evaluation against a scan of every minute."""

from __future__ import annotations

import datetime as dt
import itertools
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localaws.scheduler.timing import Timing, parse_expression, time_zone
from localaws.triggers.cron import Cron

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
CLOCK_CHANGES = (
    ("Europe/Berlin", dt.datetime(2026, 3, 28, tzinfo=dt.UTC), "skips 02:00 to 03:00"),
    ("Europe/Berlin", dt.datetime(2026, 10, 24, tzinfo=dt.UTC), "repeats 02:00 to 03:00"),
    ("America/New_York", dt.datetime(2026, 3, 7, tzinfo=dt.UTC), "skips at another moment of UTC"),
    ("America/New_York", dt.datetime(2026, 10, 31, tzinfo=dt.UTC), "repeats at another moment of UTC"),
    ("Australia/Lord_Howe", dt.datetime(2026, 4, 4, tzinfo=dt.UTC), "repeats half an hour"),
    ("Australia/Lord_Howe", dt.datetime(2026, 10, 3, tzinfo=dt.UTC), "skips half an hour"),
    ("America/Santiago", dt.datetime(2026, 9, 5, tzinfo=dt.UTC), "skips midnight"),
    ("Africa/Casablanca", dt.datetime(2026, 2, 14, tzinfo=dt.UTC), "has negative daylight saving time"),
    ("Pacific/Apia", dt.datetime(2011, 12, 29, tzinfo=dt.UTC), "skips a whole day"),
    ("Asia/Kathmandu", dt.datetime(2026, 6, 1, tzinfo=dt.UTC), "has an odd offset and no changes"),
    ("UTC", dt.datetime(2024, 2, 28, tzinfo=dt.UTC), "a leap day"),
)


@dataclass(frozen=True)
class Field:
    """A field as text, and which values it means, told apart from the code under test."""

    text: str
    matches: Callable[[int], bool]


def numbers(low: int, high: int, names: tuple[str, ...] = (), *, steps: bool = True) -> st.SearchStrategy[Field]:
    """Any list of values, ranges, wrapped ranges and steps."""
    value = st.integers(low, high)

    def name(number: int, *, named: bool) -> str:
        return names[number - low] if named and names else str(number)

    def one(number: int, named: bool) -> Field:  # noqa: FBT001  # hypothesis passes positionally
        return Field(name(number, named=named), lambda candidate: candidate == number)

    def between(first: int, last: int, named: bool) -> Field:  # noqa: FBT001  # as above
        text = f"{name(first, named=named)}-{name(last, named=named)}"
        if first <= last:
            return Field(text, lambda candidate: first <= candidate <= last)
        return Field(text, lambda candidate: candidate >= first or candidate <= last)

    def every(first: int, step: int) -> Field:
        return Field(f"{first}/{step}", lambda candidate: candidate >= first and (candidate - first) % step == 0)

    def every_within(first: int, extent: int, step: int) -> Field:
        last = min(first + extent, high)
        return Field(f"{first}-{last}/{step}", lambda c: first <= c <= last and (c - first) % step == 0)

    star = st.just(Field("*", lambda _: True))
    items = [st.builds(one, value, st.booleans()), st.builds(between, value, value, st.booleans())]
    if steps:
        items += [
            st.builds(every, value, st.integers(1, high)),
            st.builds(every_within, value, value, st.integers(1, 9)),
        ]
    lists = st.lists(st.one_of(items), min_size=1, max_size=3).map(
        lambda found: Field(",".join(f.text for f in found), lambda c: any(f.matches(c) for f in found))
    )
    return st.one_of(star, lists)


def weekday(day: dt.date) -> int:
    return day.isoweekday() % 7 + 1


def working_days(day: dt.date) -> list[int]:
    length = monthrange(day.year, day.month)[1]
    return [d for d in range(1, length + 1) if 2 <= weekday(day.replace(day=d)) <= 6]


def nearest_working_day(day: dt.date, wanted: int) -> int | None:
    if wanted > monthrange(day.year, day.month)[1]:
        return None
    return min(working_days(day), key=lambda d: (abs(d - wanted), d))


@dataclass(frozen=True)
class Days:
    """The two day fields, and which days they mean."""

    text: tuple[str, str]
    matches: Callable[[dt.date], bool]


def days() -> st.SearchStrategy[Days]:
    """Every kind of day rule."""
    weekdays = st.integers(1, 7)
    return st.one_of(
        numbers(1, 31).map(lambda f: Days((f.text, "?"), lambda day: f.matches(day.day))),
        numbers(1, 7, WEEKDAYS, steps=False).map(lambda f: Days(("?", f.text), lambda day: f.matches(weekday(day)))),
        st.just(Days(("L", "?"), lambda day: (day + dt.timedelta(days=1)).day == 1)),
        st.just(Days(("LW", "?"), lambda day: day.day == working_days(day)[-1])),
        st.integers(1, 31).map(lambda n: Days((f"{n}W", "?"), lambda day: day.day == nearest_working_day(day, n))),
        st.just(Days(("?", "L"), lambda day: day.isoweekday() == 6)),
        weekdays.map(
            lambda n: Days(("?", f"{n}L"), lambda d: weekday(d) == n and (d + dt.timedelta(days=7)).month != d.month)
        ),
        st.tuples(weekdays, st.integers(1, 5)).map(
            lambda pair: Days(
                ("?", f"{pair[0]}#{pair[1]}"), lambda d: weekday(d) == pair[0] and (d.day - 1) // 7 + 1 == pair[1]
            )
        ),
    )


def slots(expression: str, zone: str, start: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    """What Timing says, from `start` (exclusive) to `end`."""
    timing = Timing(expression=parse_expression(expression), zone=time_zone(zone), anchor=start)
    found, moment = [], timing.next_after(start)
    while moment is not None and moment <= end:
        found.append(moment)
        moment = timing.next_after(moment)
    return found


@pytest.mark.timeout(60)  # a law over many days, minute by minute
@settings(max_examples=60, deadline=None)
@given(
    minutes=numbers(0, 59),
    hours=numbers(0, 23),
    day=days(),
    months=numbers(1, 12, MONTHS),
    change=st.sampled_from(CLOCK_CHANGES),
    offset=st.integers(0, 86_399),
)
def test_the_slots_are_the_local_minutes_that_match_skipped_ones_left_out_and_repeated_ones_taken_once(
    minutes: Field, hours: Field, day: Days, months: Field, change: tuple[str, dt.datetime, str], offset: int
) -> None:
    zone, first_day, _ = change
    start = first_day + dt.timedelta(seconds=offset)
    end = first_day + dt.timedelta(days=3)
    expression = f"cron({minutes.text} {hours.text} {day.text[0]} {months.text} {day.text[1]} *)"

    found = slots(expression, zone, start, end)

    wanted = []
    for minute in range(3 * 1440 + 1):
        moment = first_day + dt.timedelta(minutes=minute)
        local = moment.astimezone(time_zone(zone))
        if (
            moment > start
            and local.fold == 0
            and minutes.matches(local.minute)
            and hours.matches(local.hour)
            and months.matches(local.month)
            and day.matches(local.date())
        ):
            wanted.append(moment)
    assert found == wanted


@pytest.mark.timeout(60)  # a law over every day of some years
@settings(max_examples=60, deadline=None)
@given(day=days(), months=numbers(1, 12, MONTHS), year=st.integers(1999, 2101))
def test_the_days_are_those_of_the_calendar_over_whole_years(day: Days, months: Field, year: int) -> None:
    cron = Cron.parse(f"0 0 {day.text[0]} {months.text} {day.text[1]} {year}-{year + 1}")

    found = [time.date() for time in cron.local_times(dt.datetime(year, 1, 1))]  # noqa: DTZ001  # local by definition

    calendar = (dt.date(year, 1, 1) + dt.timedelta(days=n) for n in range(366 + 365))
    wanted = [date for date in calendar if date.year <= year + 1 and months.matches(date.month) and day.matches(date)]
    assert found == wanted


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("cron(15 10 ? * 6L 2026-2028)", "documented: the last Friday of the month, in given years"),
        ("cron(0/5 8-17 ? * MON-FRI *)", "documented: steps from a value, names"),
        ("cron(0 8 1 * ? *)", "documented: a day of the month"),
        ("cron(0 9 3W * ? *)", "documented: the weekday closest to the third"),
        ("cron(0 9 ? * 3#2 *)", "documented: the second Tuesday"),
        ("cron(0 9 LW * ? *)", "the last working day"),
        ("cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)", "reported: taken by AWS"),
        ("cron(30-30 13-13 ? * 2,4,6 *)", "reported: taken by AWS"),
        ("cron(1-31/30 1-1 ? * 1,7 *)", "reported: taken by AWS"),
        ("cron(0 20-2 ? * fri-mon *)", "ranges that wrap, names in any case"),
        ("cron(0 3 * * ?)", "documented: the year is optional"),
        ("cron(0 0 30 2 ? *)", "a day that no year has is still well-formed"),
        ("rate(1 minute)", "documented"),
        ("rate(1 minutes)", "reported: the unit's number is not held against the value"),
        ("rate(12 hour)", "as above"),
        ("at(2026-11-20T13:00:00)", "documented"),
    ],
)
def test_aws_takes(expression: str, why: str) -> None:
    assert parse_expression(expression), why


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("0 3 * * ? *", "bare"),
        ("cron(0 3 * * *)", "neither day field is ?"),
        ("cron(*/30 * * * * ? *)", "reported: seven fields"),
        ("cron(0 3 ? * ? *)", "both day fields are ?"),
        ("cron(0 3 1 * 2 *)", "documented: both day fields are set"),
        ("cron(0 3 * * * *)", "documented: * in both day fields"),
        ("cron(*/60 * * * ? *)", "reported: a step beyond the maximum"),
        ("cron(*/0 * * * ? *)", "a step of nothing"),
        ("cron(60 * * * ? *)", "minute 60"),
        ("cron(0 24 * * ? *)", "hour 24"),
        ("cron(0 0 0 * ? *)", "day 0"),
        ("cron(0 0 32 * ? *)", "day 32"),
        ("cron(0 0 ? * 0 *)", "days of the week start at 1"),
        ("cron(0 0 ? * 2/2 *)", "documented: no steps of days of the week"),
        ("cron(0 0 ? * 3#1,6#3 *)", "documented: only one expression with #"),
        ("cron(0 0 ? * 3#6 *)", "no sixth Tuesday"),
        ("cron(0 0 ? * 3# *)", "no count"),
        ("cron(0 0 L,5 * ? *)", "L in a list"),
        ("cron(0 0 W * ? *)", "W without its day"),
        ("cron(0 0 1 FOO ? *)", "no such month"),
        ("cron(0 0 1 * ? 1969)", "before the first year"),
        ("cron(0 0 1 * ? 2030-2026)", "years do not wrap"),
        ("cron(1,,2 * * * ? *)", "an empty item"),
        ("cron(5- * * * ? *)", "half a range"),
        ("cron(1-2-3 * * * ? *)", "too much of a range"),
        ("cron(٣ * * * ? *)", "digits of another script"),
        ("cron()", "nothing"),
        ("CRON(0 3 * * ? *)", "upper case"),
        ("rate(30 seconds)", "reported: seconds"),
        ("rate(0 minutes)", "never"),
        ("rate(-1 minutes)", "backwards"),
        ("rate(1.5 hours)", "a fraction"),
        ("rate(5)", "no unit"),
        ("at(2026-09-08T03:54:26.439)", "reported: fractional seconds"),
        ("at(2026-09-08T03:54:26Z)", "reported: an offset"),
        ("at(2026-02-30T00:00:00)", "no such day"),
        ("at(2026-09-08 03:54:26)", "no T"),
        ("at(9999-12-31T23:59:59)", "beyond the last year"),
        ("", "nothing at all"),
    ],
)
def test_aws_refuses(expression: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        assert not parse_expression(expression), why


@pytest.mark.parametrize(
    ("field", "hours"), [("20-2", [0, 1, 2, 20, 21, 22, 23]), ("20-2/3", [2, 20, 23]), ("5/9", [5, 14, 23])]
)
def test_a_range_wraps_around_the_maximum_and_steps_go_on_across_it(field: str, hours: list[int]) -> None:
    assert list(Cron.parse(f"0 {field} * * ? *").hours) == hours


def test_the_next_slot_of_an_expression_that_never_comes_is_none_after_bounded_work() -> None:
    timing = Timing(
        expression=parse_expression("cron(* * 30 2 ? *)"), zone=time_zone("UTC"), anchor=dt.datetime.now(dt.UTC)
    )

    assert timing.next_after(dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) is None


def test_the_slots_of_a_leap_day_are_found_across_a_century_that_has_none() -> None:
    found = itertools.islice(Cron.parse("0 0 29 2 ? *").local_times(dt.datetime(2095, 1, 1)), 2)  # noqa: DTZ001  # local by definition

    assert [time.year for time in found] == [2096, 2104]
