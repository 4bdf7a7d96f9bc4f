"""Token buckets let through what AWS would, and say what to change where a limit makes no sense."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaws.contract import AwsError
from localaws.throttles import LIMITS, Limit, Throttles, parse_limits

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
SHARED = Limit(name="write", service="ecs", operations=("RegisterTaskDefinition", "Deregister"), burst=2, rate=0.5)


class Hands:
    """A clock whose hands a test moves."""

    def __init__(self) -> None:
        self.moment = START

    def now(self) -> dt.datetime:
        return self.moment

    async def sleep_until(self, moment: dt.datetime) -> None:
        raise AssertionError(f"nobody sleeps here, and certainly not until {moment}")


def passes(throttles: Throttles, operation: str = "RegisterTaskDefinition", region: str = "eu-west-1") -> bool:
    try:
        throttles.take("ecs", operation, region)
    except AwsError:
        return False
    return True


@given(
    burst=st.integers(1, 30),
    rate=st.sampled_from([0.0, 0.25, 1.0, 20.0]),
    gaps=st.lists(st.sampled_from([0.0, 0.1, 1.0, 7.0]), min_size=1, max_size=60),
)
def test_no_window_lets_more_through_than_the_burst_and_what_was_refilled(
    burst: int, rate: float, gaps: list[float]
) -> None:
    hands = Hands()
    throttles = Throttles(hands)
    throttles.put([Limit(name="one", service="ecs", operations=("RegisterTaskDefinition",), burst=burst, rate=rate)])
    passed: list[dt.datetime] = []

    for gap in gaps:
        hands.moment += dt.timedelta(seconds=gap)
        if passes(throttles):
            passed.append(hands.moment)

    for first, since in enumerate(passed):
        for last, until in enumerate(passed[first:], first):
            assert last - first + 1 <= burst + rate * (until - since).total_seconds() + 1e-6


def test_operations_of_one_limit_share_its_tokens() -> None:
    throttles = Throttles(Hands())
    throttles.put([SHARED])

    answers = [passes(throttles, "RegisterTaskDefinition"), passes(throttles, "Deregister"), passes(throttles)]

    assert answers == [True, True, False]
    assert throttles.as_json() == [{**SHARED.as_json(), "refused": 1}]


def test_each_region_has_a_bucket_of_its_own() -> None:
    throttles = Throttles(Hands())
    throttles.put([SHARED])

    assert [passes(throttles) for _ in range(3)] == [True, True, False]
    assert passes(throttles, region="eu-central-1")


def test_an_empty_bucket_gives_again_once_a_token_is_refilled() -> None:
    hands = Hands()
    throttles = Throttles(hands)
    throttles.put([SHARED])
    while passes(throttles):
        pass

    hands.moment += dt.timedelta(seconds=1.9)
    assert not passes(throttles)
    hands.moment += dt.timedelta(seconds=0.2)

    assert passes(throttles)


def test_operations_without_a_limit_pass() -> None:
    throttles = Throttles(Hands())
    throttles.put(LIMITS)

    assert all(passes(throttles, "DescribeCapacityProviders") for _ in range(1000))


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("ecs", "ThrottlingException", 400),
        ("scheduler", "ThrottlingException", 429),
        ("sqs", "RequestThrottled", 403),
    ],
)
def test_each_service_refuses_in_its_own_words(service: str, code: str, status: int) -> None:
    throttles = Throttles(Hands())
    throttles.put([Limit(name="one", service=service, operations=("Do",), burst=1, rate=0)])
    throttles.take(service, "Do", "eu-west-1")

    with pytest.raises(AwsError) as refused:
        throttles.take(service, "Do", "eu-west-1")

    assert (refused.value.code, refused.value.status) == (code, status)


def test_the_limits_of_an_account_go_by_a_name() -> None:
    assert parse_limits("aws") == LIMITS


def test_what_is_answered_can_be_put_again() -> None:
    assert parse_limits([limit.as_json() for limit in LIMITS]) == list(LIMITS)


@pytest.mark.parametrize(
    ("wanted", "words", "why"),
    [
        ("azure", "must be 'aws' or a list", "an unknown name"),
        ([{"name": "x"}], "just these members: burst, name, operations, rate, service", "members are missing"),
        ([{**SHARED.as_json(), "refused": 1}], "just these members", "a member too many"),
        ([{**SHARED.as_json(), "name": ""}], "'name' of a limit must be a non-empty string", "an empty name"),
        ([{**SHARED.as_json(), "operations": []}], "at least one name", "no operations"),
        ([{**SHARED.as_json(), "burst": 0}], "'burst' of a limit must be a number from 1", "nothing would ever pass"),
        ([{**SHARED.as_json(), "rate": -1}], "'rate' of a limit must be a number from 0", "time runs forward"),
        ([{**SHARED.as_json(), "rate": True}], "'rate' of a limit must be a number", "a truth is no number"),
        ([SHARED.as_json(), SHARED.as_json()], "two of the limits are 'write'", "a name twice"),
        (
            [SHARED.as_json(), {**SHARED.as_json(), "name": "again"}],
            "two of the operations are 'ecs.Deregister'",
            "an operation in two buckets",
        ),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_with_words(wanted: Any, words: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"limit|operations") as refused:
        parse_limits(wanted)

    assert words in str(refused.value), why
