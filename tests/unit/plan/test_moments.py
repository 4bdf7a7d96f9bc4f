"""Moments as the API writes them."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from backgroundtask.api.fields import Time
from backgroundtask.plan.moments import moment, stamp

moments = st.datetimes(
    datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=11, minutes=30))]),
)


@given(moments)
def test_a_stamp_is_a_time_of_the_api_and_reads_back_but_for_its_fraction(when: datetime) -> None:
    text = stamp(when)

    assert TypeAdapter(Time).validate_python(text) == text
    assert moment(text) == when.replace(microsecond=0)


def test_a_moment_is_told_in_utc() -> None:
    berlin = datetime(2026, 11, 30, 4, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))

    assert stamp(berlin) == "2026-11-30T03:00:00Z"


def test_a_moment_that_is_not_there_is_none() -> None:
    assert moment(None) is None
    assert moment("") is None
