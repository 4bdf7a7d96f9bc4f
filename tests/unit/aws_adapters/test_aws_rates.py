"""What AWS allows: as documented, and as somebody tells whose quotas were raised."""

from collections import Counter

import pytest

from backgroundtask.aws.rates import CATEGORIES, DOCUMENTED, STEP, Rate, category_of, rates_of


def test_registering_and_deregistering_share_the_bucket_that_aws_documents_for_both() -> None:
    category = category_of("ecs", "RegisterTaskDefinition")

    assert category is category_of("ecs", "DeregisterTaskDefinition")
    assert category is not None
    assert category.rate == Rate(20, 1)


def test_queues_are_not_paced() -> None:
    assert category_of("sqs", "ReceiveMessage") is None


def test_the_same_word_of_two_services_is_two_operations_that_only_their_buckets_name() -> None:
    assert category_of("scheduler", "TagResource") is not category_of("ecs", "TagResource")

    with pytest.raises(ValueError, match="There is no bucket TagResource"):
        rates_of("TagResource=1/1")
    told = {name for name, rate in rates_of("TagModify=40/20").items() if rate != DOCUMENTED[name]}
    assert told == {"TagModify"}


def test_every_other_operation_names_its_bucket() -> None:
    operations = [(one, operation) for one in CATEGORIES for operation in one.operations]
    twice = {name for name, count in Counter(operation for _, operation in operations).items() if count > 1}

    assert twice == {"TagResource", "ListTagsForResource"}
    for category, operation in operations:
        if operation not in twice:
            assert rates_of(f"{operation}=4/2")[category.name] == Rate(3, 2 * STEP)


def test_we_stay_a_step_below_what_aws_documents() -> None:
    for category in CATEGORIES:
        ours = DOCUMENTED[category.name]

        assert ours.refill < category.rate.refill
        assert 1 <= ours.burst < category.rate.burst


@pytest.mark.parametrize("name", ["TaskDefinitionModify", "RegisterTaskDefinition", "DeregisterTaskDefinition"])
def test_a_bucket_is_named_by_itself_or_by_an_operation_of_it(name: str) -> None:
    rates = rates_of(f"{name}=100/10")

    assert rates["TaskDefinitionModify"] == Rate(97, 10 * STEP)
    assert {**rates, "TaskDefinitionModify": 0} == {**DOCUMENTED, "TaskDefinitionModify": 0}


def test_a_raised_quota_is_kept_below_too_but_for_a_burst_of_one() -> None:
    rates = rates_of(" RunTask=1/0.5, ListSchedules=40/20 ")

    assert rates["RunTask"] == Rate(1, 0.5 * STEP)
    assert rates["ListSchedules"] == Rate(38, 20 * STEP)


def test_nothing_told_is_what_aws_documents() -> None:
    assert rates_of("") == DOCUMENTED


@pytest.mark.parametrize(
    ("text", "says", "why"),
    [
        ("RunTask", "form NAME=BURST/REFILL", "no numbers"),
        ("RunTask=20", "form NAME=BURST/REFILL", "one number"),
        ("RunTask=20/-1", "form NAME=BURST/REFILL", "a negative refill"),
        ("RunTask=1e3/1", "form NAME=BURST/REFILL", "no plain number"),
        ("RunTask=2.5/1", "form NAME=BURST/REFILL", "half a call"),
        ("RunTask=20/nan", "form NAME=BURST/REFILL", "no number"),
        ("RunTask=20/20;ListTasks=1/1", "form NAME=BURST/REFILL", "another separator"),
        ("runtask=20/20", "There is no bucket runtask", "AWS's words are as AWS writes them"),
        ("ReceiveMessage=1/1", "There is no bucket ReceiveMessage", "it is not paced"),
        ("RunTask=0/1", "a burst is 1 to", "nothing would ever be called"),
        ("RunTask=1/0", "a refill more than 0", "the second call would never come"),
        ("RunTask=1/1000001", "at most 1000000", "more than anybody gets"),
        ("RunTask=1/1,RunTask=2/2", "told twice", "which of them?"),
        ("RegisterTaskDefinition=2/1,DeregisterTaskDefinition=3/1", "told twice", "one bucket under two names"),
    ],
)
def test_what_says_something_else_is_refused_in_words_that_help(text: str, says: str, why: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        rates_of(text)

    assert str(refused.value).endswith("."), why
