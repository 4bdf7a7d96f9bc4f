"""The laws of a token bucket that gives way when AWS throttles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.aws.bucket import RECOVERY, Bucket
from backgroundtask.aws.rates import Rate

RATES = st.builds(Rate, burst=st.integers(1, 50), refill=st.floats(0.1, 100))
PAUSES = st.lists(st.floats(0, 20), min_size=1, max_size=40)


@given(rate=RATES, pauses=PAUSES, throttles=st.sets(st.integers(0, 39)))
def test_no_window_sees_more_than_the_burst_and_what_came_meanwhile(
    rate: Rate, pauses: list[float], throttles: set[int]
) -> None:
    bucket, now, spent = Bucket(rate, now=0), 0.0, []
    for number, pause in enumerate(pauses):
        now += pause
        if number in throttles:
            bucket.throttled(now)
        while bucket.wait(1, now) == 0:
            bucket.spend(now)
            spent.append(now)

    for first in range(len(spent)):
        for last in range(first, len(spent)):
            assert last - first + 1 <= rate.burst + rate.refill * (spent[last] - spent[first]) + 1e-6


@given(rate=RATES, spent=st.integers(1, 80), wanted=st.integers(1, 60), cuts=st.integers(0, 6))
def test_it_holds_what_was_waited_for_at_the_moment_that_it_told(
    rate: Rate, spent: int, wanted: int, cuts: int
) -> None:
    wanted = min(wanted, int(rate.burst))
    bucket, now = Bucket(rate, now=0), 0.0
    for _ in range(cuts):
        now += 1.5
        bucket.throttled(now)
    for _ in range(spent):
        bucket.spend(now)

    wait = bucket.wait(wanted, now)

    if wait > 1e-3:
        assert bucket.wait(wanted, now + wait * 0.99) > 0
    assert bucket.wait(wanted, now + wait + 1e-6) == 0


@given(rate=RATES, cuts=st.integers(1, 20))
def test_the_refill_recovers_within_a_minute_and_never_beyond_what_was_configured(rate: Rate, cuts: int) -> None:
    bucket, now = Bucket(rate, now=0), 0.0
    for _ in range(cuts):
        now += 2
        bucket.throttled(now)
    low = bucket.refill(now)

    assert low < rate.refill
    assert low < bucket.refill(now + 1) <= rate.refill
    assert bucket.refill(now + RECOVERY) == pytest.approx(rate.refill)
    assert bucket.refill(now + 10 * RECOVERY) <= rate.refill


def test_a_throttle_empties_the_bucket_and_halves_the_refill() -> None:
    bucket = Bucket(Rate(20, 4), now=0)

    bucket.throttled(0)

    assert bucket.refill(0) == 2
    assert bucket.wait(1, 0) > 0


def test_calls_that_were_throttled_together_count_as_one() -> None:
    bucket = Bucket(Rate(20, 4), now=0)

    for moment in (0, 0.1, 0.2, 0.9):
        bucket.throttled(moment)

    assert 2 <= bucket.refill(0.9) < 2.1


def test_throttled_for_ever_it_still_fills() -> None:
    bucket = Bucket(Rate(20, 16), now=0)

    for moment in range(0, 200, 2):
        bucket.throttled(moment)

    assert bucket.refill(198) >= 1


def test_a_token_that_is_given_back_makes_it_no_fuller_than_full() -> None:
    bucket = Bucket(Rate(3, 1), now=0)

    bucket.give_back(0)

    assert bucket.wait(3, 0) == 0
    assert bucket.wait(4, 0) == pytest.approx(1)


def test_a_clock_that_was_read_a_little_earlier_by_another_thread_changes_nothing() -> None:
    bucket = Bucket(Rate(2, 1), now=0)
    bucket.spend(10)

    assert bucket.wait(2, 9.9) == pytest.approx(1)
