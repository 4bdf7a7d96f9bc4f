"""When a schedule runs next, and what the clock changes of a time zone do to it."""

import datetime as dt
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backgroundtask.cron import next_times, parse, time_zone, times_between
from backgroundtask.errors import Rejected
from unit.cron.aws_model import AwsModel
from unit.cron.schedules import AWS, UNIX
from unit.cron.unix_model import UnixModel

MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)

CLOCK_CHANGES = [
    ("Europe/Berlin", "2027-03-28T01:00Z"),
    ("Europe/Berlin", "2027-10-31T01:00Z"),
    ("America/New_York", "2027-03-14T07:00Z"),
    ("America/New_York", "2027-11-07T06:00Z"),
    ("Australia/Lord_Howe", "2027-04-03T15:00Z"),  # by half an hour
    ("Australia/Lord_Howe", "2027-10-02T15:30Z"),
    ("Africa/Casablanca", "2026-02-15T02:00Z"),  # for Ramadan
    ("Africa/Casablanca", "2026-03-22T02:00Z"),
    ("Antarctica/Troll", "2027-03-28T01:00Z"),  # by two hours
    ("America/Havana", "2027-03-14T05:00Z"),  # at midnight
    ("America/Santiago", "2027-04-04T03:00Z"),  # from midnight back to the day before
    ("Asia/Kathmandu", "1985-12-31T18:30Z"),  # by a quarter of an hour, for good
    ("Pacific/Apia", "2011-12-30T10:00Z"),  # by a day
    ("UTC", "2028-02-29T00:00Z"),
]


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def runs(text: str, zone: str, after: str, count: int = 3) -> list[str]:
    times = itertools.islice(next_times(parse(text), time_zone=zone, after=moment(after)), count)
    return [f"{time:%Y-%m-%dT%H:%MZ}" for time in times]


@pytest.mark.parametrize(
    ("text", "zone", "after", "expected", "why"),
    [
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2027-03-26T12:00Z",
            ["2027-03-27T01:30Z", "2027-03-29T00:30Z", "2027-03-30T00:30Z"],
            "02:30 is skipped on the 28th and does not run",
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2027-10-30T12:00Z",
            ["2027-10-31T00:30Z", "2027-11-01T01:30Z", "2027-11-02T01:30Z"],
            "02:30 comes twice on the 31st and runs the first time",
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2027-10-31T00:45Z",
            ["2027-11-01T01:30Z", "2027-11-02T01:30Z", "2027-11-03T01:30Z"],
            "the second 02:30 does not run, asked between the two",
        ),
        (
            "0 * * * *",
            "Europe/Berlin",
            "2027-10-30T23:30Z",
            ["2027-10-31T00:00Z", "2027-10-31T02:00Z", "2027-10-31T03:00Z"],
            "an hourly schedule has a gap of two hours where an hour is repeated",
        ),
        (
            "0 12 30 * *",
            "Pacific/Apia",
            "2011-11-01T00:00Z",
            ["2011-11-30T22:00Z", "2012-01-29T22:00Z", "2012-03-29T22:00Z"],
            "Samoa had no 30th of December in 2011, and no February has a 30th",
        ),
    ],
)
def test_a_skipped_time_does_not_run_and_a_repeated_one_runs_once(
    text: str, zone: str, after: str, expected: list[str], why: str
) -> None:
    assert runs(text, zone, after) == expected, why


@pytest.mark.parametrize(
    ("text", "after", "expected", "why"),
    [
        ("0 3 * * *", "2026-11-20T03:00:00Z", "2026-11-21T03:00Z", "strictly after"),
        ("0 3 * * *", "2026-11-20T02:59:59.999999Z", "2026-11-20T03:00Z", "to the microsecond"),
        ("0 3 * * *", "2026-11-20T04:30:00+02:00", "2026-11-20T03:00Z", "whatever the offset of the question"),
        ("59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59Z", "over the year"),
        ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00Z", "2100 is no leap year"),
        ("0 0 13 * FRI", "2026-11-13T00:00:00Z", "2026-11-20T00:00Z", "a Friday that is no 13th"),
        ("0 0 13 * FRI", "2026-12-12T00:00:00Z", "2026-12-13T00:00Z", "a 13th that is no Friday"),
        ("cron(0 0 L * ? *)", "2028-02-01T00:00:00Z", "2028-02-29T00:00Z", "last day"),
        ("cron(0 0 L-3 * ? *)", "2027-02-01T00:00:00Z", "2027-02-25T00:00Z", "three days before the last"),
        ("cron(0 0 LW * ? *)", "2027-01-30T00:00:00Z", "2027-02-26T00:00Z", "the 28th of February 2027 is a Sunday"),
        ("cron(0 0 1W * ? *)", "2027-04-30T12:00:00Z", "2027-05-03T00:00Z", "a Saturday the 1st moves forward"),
        ("cron(0 0 31W * ? *)", "2027-01-30T12:00:00Z", "2027-03-31T00:00Z", "February has no 31st"),
        ("cron(0 0 ? * 6L *)", "2027-01-01T00:00:00Z", "2027-01-29T00:00Z", "last Friday"),
        ("cron(0 0 ? * 1 *)", "2027-01-01T00:00:00Z", "2027-01-03T00:00Z", "AWS's 1 is Sunday"),
        ("cron(0 20-2/3 1 1 ? *)", "2027-01-01T02:00:00Z", "2027-01-01T20:00Z", "a step goes on over the wrap"),
        ("cron(0 5-23/9 1 1 ? *)", "2027-01-01T05:00:00Z", "2027-01-01T14:00Z", "a step within a range"),
        ("cron(0 0 ? * L *)", "2027-01-01T00:00:00Z", "2027-01-02T00:00Z", "Saturday"),
        ("cron(0 0 ? 2 FRI#5 *)", "2036-03-01T00:00:00Z", "2064-02-29T00:00Z", "five Fridays in a February"),
        ("cron(0 0 1 1 ? 2190)", "2026-01-01T00:00:00Z", "2190-01-01T00:00Z", "far away"),
        ("cron(0 22-2 1 * ? *)", "2027-01-01T02:00:00Z", "2027-01-01T22:00Z", "the wrap stays within the day"),
        ("at(2026-12-31T23:59:00)", "2026-11-20T00:00:00Z", "2026-12-31T23:59Z", "one time"),
    ],
)
def test_the_next_time_is_the_first_after_the_moment(text: str, after: str, expected: str, why: str) -> None:
    assert runs(text, "UTC", after, 1) == [expected], why


@pytest.mark.parametrize(
    ("text", "zone", "after", "why"),
    [
        ("rate(5 minutes)", "UTC", "2026-11-20T00:00Z", "only AWS knows from when it counts"),
        ("@every 5m", "UTC", "2026-11-20T00:00Z", "the same"),
        ("at(2026-11-20T00:00:00)", "UTC", "2026-11-20T00:00Z", "it is over"),
        ("at(2027-03-28T02:30:00)", "Europe/Berlin", "2026-11-20T00:00Z", "the clock skips it"),
        ("cron(0 0 * * ? 2020-2025)", "UTC", "2026-11-20T00:00Z", "the years are over"),
        ("* * * * *", "UTC", "2199-12-31T23:59Z", "so is the last that AWS knows"),
        ("* * * * *", "Pacific/Kiritimati", "9999-12-31T23:59Z", "at the end of the calendar"),
    ],
)
def test_a_schedule_without_a_next_time_has_none(text: str, zone: str, after: str, why: str) -> None:
    assert runs(text, zone, after) == [], why


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_the_times_begin_and_end_with_the_local_years_of_aws(zone: str) -> None:
    expression = parse("0 0,23 * * *")

    first = next(next_times(expression, time_zone=zone, after=dt.datetime.min.replace(tzinfo=dt.UTC)))
    *_, last = next_times(expression, time_zone=zone, after=moment("2199-12-30T00:00Z"))

    assert f"{first.astimezone(time_zone(zone)):%Y-%m-%d %H:%M}" == "1970-01-01 00:00"
    assert f"{last.astimezone(time_zone(zone)):%Y-%m-%d %H:%M}" == "2199-12-31 23:00"


def test_the_last_time_in_the_west_is_in_the_year_after_in_utc() -> None:
    assert runs("0 23 * * *", "America/Los_Angeles", "2200-01-01T01:00Z") == ["2200-01-01T07:00Z"]


def test_times_between_leaves_out_the_start_and_takes_the_end() -> None:
    times = times_between(
        parse("0 * * * *"), time_zone="UTC", start=moment("2026-11-20T00:00Z"), end=moment("2026-11-20T02:00Z")
    )

    assert list(times) == [moment("2026-11-20T01:00Z"), moment("2026-11-20T02:00Z")]


def test_an_unknown_time_zone_is_refused_at_once() -> None:
    with pytest.raises(Rejected) as refused:
        next_times(parse("@daily"), time_zone="Europe/Berln", after=moment("2026-11-20T00:00Z"))

    assert refused.value.reason == "UnknownTimeZone"


def test_a_moment_without_a_zone_is_a_bug_of_the_caller() -> None:
    with pytest.raises(TypeError):
        next_times(parse("@daily"), time_zone="UTC", after=dt.datetime(2026, 11, 20))  # noqa: DTZ001 - the point


@pytest.mark.timeout(60)
@settings(max_examples=400, deadline=None)
@given(
    text=UNIX,
    change=st.sampled_from(CLOCK_CHANGES),
    lead=st.integers(0, 36 * 3600),
)
def test_next_times_are_what_a_look_at_every_minute_finds(text: str, change: tuple[str, str], lead: int) -> None:
    name, at = change
    after = moment(at) - dt.timedelta(seconds=lead)
    end = after + 3 * DAY
    model = UnixModel(text)
    assume(any(model.has_day(dt.date(2028, 1, 1) + DAY * n) for n in range(366)))  # else it is refused

    found = list(times_between(parse(text), time_zone=name, start=after, end=end))

    assert found == list(look_at_every_minute(model, time_zone(name), after, end))


def look_at_every_minute(
    model: UnixModel, zone: dt.tzinfo, after: dt.datetime, end: dt.datetime
) -> Iterator[dt.datetime]:
    """Walks the moments, so a skipped local time never comes by; fold marks the second passing of a repeated one."""
    time = after.replace(second=0, microsecond=0)
    while time <= end:
        local = time.astimezone(zone)
        passes = model.has_day(local.date()) and model.has_time(local.hour, local.minute) and not local.fold
        if passes and time > after:
            yield time
        time += MINUTE


@pytest.mark.timeout(60)
@settings(max_examples=300, deadline=None)
@given(AWS)
def test_the_days_of_an_aws_expression_are_the_days_of_the_model(text: str) -> None:
    model = AwsModel(text)
    expected = [day for year in range(2027, 2030) for day in model.days(year)]
    start, end = moment("2026-12-31T23:59:59Z"), moment("2029-12-31T23:59:59Z")

    try:
        times = times_between(parse(f"cron(0 0 {text.split(maxsplit=2)[2]}"), time_zone="UTC", start=start, end=end)
    except Rejected:
        assert expected == []
    else:
        assert [time.date() for time in times] == expected


@pytest.mark.timeout(60)
@settings(max_examples=200, deadline=None)
@given(AWS)
def test_the_minutes_of_an_aws_expression_are_the_minutes_of_the_model(text: str) -> None:
    model = AwsModel(text)
    minute, hour, *_ = text.removeprefix("cron(").split()

    times = times_between(
        parse(f"cron({minute} {hour} * * ? *)"),
        time_zone="UTC",
        start=moment("2027-05-31T23:59Z"),
        end=moment("2027-06-01T23:59Z"),
    )

    assert [(time.hour, time.minute) for time in times] == [
        (hour, minute) for hour in range(24) for minute in range(60) if model.has_time(hour, minute)
    ]
