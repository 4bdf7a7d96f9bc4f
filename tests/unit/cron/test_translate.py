"""A Unix schedule and what is sent to AWS for it run at the same times."""

import datetime as dt

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backgroundtask.cron import parse, to_aws
from backgroundtask.errors import Rejected
from unit.cron.aws_model import AwsModel
from unit.cron.schedules import UNIX
from unit.cron.unix_model import UnixModel

YEARS = range(2026, 2031)  # 2028 has a 29th of February
DAYS = [dt.date(2026, 1, 1) + dt.timedelta(days=n) for n in range(365 * 5 + 1)]
TIMES = [(hour, minute) for hour in range(24) for minute in range(60)]


@pytest.mark.timeout(120)
@settings(max_examples=3000, deadline=None)
@given(UNIX)
def test_both_say_the_same_days_and_the_same_minutes(text: str) -> None:
    unix = UnixModel(text)
    days = {day for day in DAYS if unix.has_day(day)}
    assume(days)  # what never runs is refused: below

    schedules = [AwsModel(expression) for expression in to_aws(parse(text))]

    assert {day for schedule in schedules for year in YEARS for day in schedule.days(year)} == days
    for schedule in schedules:
        assert [time for time in TIMES if schedule.has_time(*time) != unix.has_time(*time)] == []


@settings(max_examples=200, deadline=None)
@given(
    month_days=st.sets(st.integers(28, 31), min_size=1), months=st.sets(st.sampled_from([2, 4, 6, 9, 11]), min_size=1)
)
def test_what_is_refused_as_impossible_never_runs_and_nothing_else_is(month_days: set[int], months: set[int]) -> None:
    text = f"0 0 {','.join(map(str, month_days))} {','.join(map(str, months))} *"
    runs = any(UnixModel(text).has_day(day) for day in DAYS if day.year == 2028)

    try:
        parse(text)
    except Rejected:
        assert not runs
    else:
        assert runs


@pytest.mark.parametrize(
    ("text", "sent", "why"),
    [
        ("0 3 * * *", ["cron(0 3 * * ? *)"], "every day"),
        ("0 3 * * 1-5", ["cron(0 3 ? * MON,TUE,WED,THU,FRI *)"], "AWS counts weekdays from 1, so names"),
        ("0 3 1 * *", ["cron(0 3 1 * ? *)"], "days of the month"),
        ("*/15 * * * *", ["cron(0/15 * * * ? *)"], "steps to the end of the hour"),
        ("5/20 * * * *", ["cron(5/20 * * * ? *)"], "steps that begin later"),
        ("0-40/20 * * * *", ["cron(0/20 * * * ? *)"], "the same minutes, said otherwise"),
        ("0-30/15 * * * *", ["cron(0,15,30 * * * ? *)"], "steps that end before the hour does"),
        ("0 9-17 * * *", ["cron(0 9-17 * * ? *)"], "a run"),
        ("30-59 * * * *", ["cron(30-59 * * * ? *)"], "a run to the end is a run, not a step of 1"),
        ("0 9,10,12-14 * * *", ["cron(0 9,10,12-14 * * ? *)"], "runs and single values"),
        ("0 0 */2 * *", ["cron(0 0 1/2 * ? *)"], "a step without a star bit, and nothing on the other side"),
        ("0 0 1 */3 *", ["cron(0 0 1 1/3 ? *)"], "months begin at 1"),
        ("0 0 13 * FRI", ["cron(0 0 13 * ? *)", "cron(0 0 ? * FRI *)"], "either day field: two schedules"),
        ("0 0 */2 * 1", ["cron(0 0 1/2 * ? *)", "cron(0 0 ? * MON *)"], "*/2 is no star to Kubernetes"),
        ("0 0 1 * */2", ["cron(0 0 1 * ? *)", "cron(0 0 ? * SUN,TUE,THU,SAT *)"], "nor in day-of-week"),
        ("0 0 */1 * 1", ["cron(0 0 ? * MON *)"], "*/1 is one"),
        ("0 0 ? * 1", ["cron(0 0 ? * MON *)"], "and so is ?"),
        ("0 0 1,* * 1", ["cron(0 0 ? * MON *)"], "and * within a list"),
        ("0 0 1-31 * 1", ["cron(0 0 * * ? *)"], "1-31 is none: every day, or Mondays"),
        ("0 0 1 * 0-6", ["cron(0 0 * * ? *)"], "0-6 is none: the first, or every day"),
        ("0 0 1-29 2 1", ["cron(0 0 * 2 ? *)"], "every day that February has, or Mondays"),
        ("0 0 30 2 1", ["cron(0 0 ? 2 MON *)"], "a 30th of February adds nothing"),
        ("@weekly", ["cron(0 0 ? * SUN *)"], "macro"),
        ("@every 1h", ["rate(60 minutes)"], "a distance"),
    ],
)
def test_schedules_are_written_for_aws(text: str, sent: list[str], why: str) -> None:
    assert list(to_aws(parse(text))) == sent, why


def test_equal_schedules_are_sent_equally() -> None:
    assert to_aws(parse("0,30 6-8,7 * jan-DEC 1,MON")) == to_aws(parse("*/30 6,7,8 * * mon"))


def test_an_expression_of_256_characters_is_as_long_as_aws_takes_it() -> None:
    longest = f"cron(10,{','.join(['5'] * 119)} 0 * * ? *)"
    longer = f"cron({','.join(['5'] * 121)} 0 * * ? *)"
    assert (len(longest), len(longer)) == (256, 257)

    assert to_aws(parse(longest)) == (longest,)
    with pytest.raises(Rejected, match="257 characters for AWS, which takes 256; write fewer"):
        to_aws(parse(longer))
