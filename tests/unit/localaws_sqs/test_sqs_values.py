"""The values of SQS: receipt handles, the settings of queues, the habits that a test asks for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from localaws.contract import AwsError
from localaws.sqs import receipts, settings
from localaws.sqs.habits import Chance, Habits, parse_habits
from localaws.sqs.receipts import Receipt
from localaws.sqs.redrive import read_allowance

DEAD = "arn:aws:sqs:eu-west-1:123456789012:dead"


@pytest.mark.timeout(60)  # many examples
@examples(deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 1000))
def test_a_receipt_is_read_from_its_handle(key: int, receive: int) -> None:
    handle = receipts.write("seal", Receipt(key, receive))

    assert receipts.read("seal", handle) == Receipt(key, receive)


@pytest.mark.timeout(60)  # many examples
@examples(deadline=None)
@given(st.one_of(st.text(), st.integers().map(lambda n: receipts.write("other", Receipt(n, 1)))))
def test_a_handle_that_the_queue_has_not_given_is_refused(handle: str) -> None:
    with pytest.raises(AwsError, match="is not a valid receipt handle"):
        receipts.read("seal", handle)


def test_a_redrive_policy_is_shown_with_a_number_however_it_was_set() -> None:
    policy = json.dumps({"maxReceiveCount": "5", "deadLetterTargetArn": DEAD})

    shown = settings.read({"RedrivePolicy": policy}, fifo=False).shown()

    assert json.loads(shown["RedrivePolicy"]) == {"deadLetterTargetArn": DEAD, "maxReceiveCount": 5}


@pytest.mark.parametrize(
    ("wanted", "differing", "why"),
    [
        ({}, None, "nothing is asked for"),
        ({"VisibilityTimeout": "60"}, None, "it is so"),
        ({"DelaySeconds": "0"}, None, "it is so by default"),
        ({"Policy": '{ "Statement":[] }'}, None, "documents are compared by what they say"),
        ({"VisibilityTimeout": "61"}, "VisibilityTimeout", "it is another"),
        ({"RedrivePolicy": json.dumps({"deadLetterTargetArn": DEAD, "maxReceiveCount": 1})}, "RedrivePolicy", "none"),
    ],
)
def test_a_queue_differs_by_the_attributes_that_are_named(
    wanted: dict[str, str], differing: str | None, why: str
) -> None:
    queue = settings.read({"VisibilityTimeout": "60", "Policy": '{"Statement": []}'}, fifo=False)

    assert queue.differing(wanted) == differing, why


@pytest.mark.parametrize(
    ("policy", "allowed", "why"),
    [
        ({"redrivePermission": "allowAll"}, True, "anybody's"),
        ({"redrivePermission": "denyAll"}, False, "nobody's"),
        ({"redrivePermission": "byQueue", "sourceQueueArns": ["arn:source"]}, True, "that one's"),
        ({"redrivePermission": "byQueue", "sourceQueueArns": ["arn:other"]}, False, "another one's"),
    ],
)
def test_a_dead_letter_queue_is_that_of_whom_it_allows(policy: object, allowed: bool, why: str) -> None:  # noqa: FBT001  # a column of the table
    assert read_allowance(json.dumps(policy)).allows("arn:source") == allowed, why


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ({"redrivePermission": "some"}, "no such permission"),
        ({"redrivePermission": "byQueue"}, "no queue is named"),
        ({"redrivePermission": "denyAll", "sourceQueueArns": ["arn:source"]}, "queues are named for nothing"),
        ({"redrivePermission": "byQueue", "sourceQueueArns": ["a"] * 11}, "more than ten"),
        (["allowAll"], "no object"),
    ],
)
def test_a_redrive_allow_policy_that_makes_no_sense_is_refused(policy: object, why: str) -> None:
    with pytest.raises(AwsError, match="RedriveAllowPolicy is invalid"):
        pytest.fail(f"{why}: {read_allowance(json.dumps(policy))}")


def test_habits_are_read_from_json_and_told_again() -> None:
    habits = parse_habits({"deliver-twice": 0.5, "reorder": 1, "seed": 7})

    assert habits == Habits(deliver_twice=0.5, reorder=1.0, seed=7)
    assert habits.as_json() == {"deliver-twice": 0.5, "reorder": 1.0, "seed": 7}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"deliver-thrice": 1}, "queues have no 'deliver-thrice'"),
        ({"deliver-twice": 2}, "'deliver-twice' must be a number from 0 to 1"),
        ({"reorder": "yes"}, "'reorder' must be a number from 0 to 1"),
        ({"seed": 1.5}, "'seed' must be a whole number"),
    ],
)
def test_habits_that_make_no_sense_are_refused(wanted: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_habits(wanted)


def test_the_same_seed_gives_the_same_fate() -> None:
    def fates(seed: int) -> list[bool]:
        chance = Chance()
        chance.be(Habits(deliver_twice=0.5, seed=seed))
        return [chance.doubles() for _ in range(50)]

    assert fates(1) == fates(1)
    assert fates(1) != fates(2)
    assert 0 < sum(fates(1)) < 50
