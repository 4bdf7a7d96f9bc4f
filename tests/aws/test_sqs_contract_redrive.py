"""The contract of Amazon SQS, by what boto3 sees of it: dead-letter queues, and messages that come twice or shuffled.

Each test is named after a rule of AWS and marked with how it is known (`API` is the SQS API Reference, `DG` the SQS
Developer Guide).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from fixtures.sqs_account import Account, entries, refusal
from localaws.running import Running

ALL = ["All"]


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


@pytest.mark.documented("DG, Dead-letter queues; API: CreateQueue, RedrivePolicy: maxReceiveCount")
def test_a_message_goes_to_the_dead_letter_queue_after_exactly_so_many_receives(account: Account) -> None:
    queue, dead = account.queue(VisibilityTimeout="0"), account.queue("dead")
    queue.redrive_to(dead, 3)
    attributes = {"a": {"DataType": "String", "StringValue": "b"}}
    queue.send("poison", MessageAttributes=attributes)

    received = [queue.receive(AttributeNames=ALL) for _ in range(4)]

    counted = [message["Attributes"]["ApproximateReceiveCount"] for (message,) in received[:3]]
    assert (counted, received[3]) == (["1", "2", "3"], [])
    (letter,) = dead.receive(AttributeNames=ALL, MessageAttributeNames=ALL)
    (first,) = received[0]
    assert (letter["MessageId"], letter["Body"]) == (first["MessageId"], "poison")
    assert letter["MessageAttributes"] == attributes
    assert letter["Attributes"]["SentTimestamp"] == first["Attributes"]["SentTimestamp"]
    assert letter["Attributes"]["DeadLetterQueueSourceArn"] == queue.arn
    assert letter["Attributes"]["ApproximateReceiveCount"] == "4"


@pytest.mark.documented("DG, Dead-letter queues: expiration is based on the original enqueue timestamp")
@pytest.mark.localaws_only("it moves the clock")
def test_a_dead_letter_is_as_old_as_the_message_was(account: Account) -> None:
    account.aws.set_rate(0)
    queue, dead = account.queue(VisibilityTimeout="0"), account.queue("dead", MessageRetentionPeriod="100")
    queue.redrive_to(dead, 1)
    queue.send("poison")
    account.aws.advance(60)
    moved = (queue.bodies(), queue.bodies(), dead.counts())

    account.aws.advance(40)

    assert moved == (["poison"], [], (1, 0, 0))
    assert dead.counts() == (0, 0, 0)


@pytest.mark.reported(
    "the words: crossplane-contrib/provider-aws#443, serverless/serverless#5215; documented: API: RedrivePolicy"
)
@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("no JSON", "Redrive policy is not a valid JSON map."),
        ({"maxReceiveCount": 3}, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
        ({"deadLetterTargetArn": "DEAD"}, "Redrive policy does not contain mandatory attribute: maxReceiveCount."),
        (
            {"deadLetterTargetArn": "DEAD", "maxReceiveCount": 1001},
            "Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both inclusive.",
        ),
        ({"deadLetterTargetArn": "DEAD-not", "maxReceiveCount": 3}, "Dead letter target does not exist."),
    ],
)
def test_a_redrive_policy_that_makes_no_sense_is_refused(account: Account, policy: Any, reason: str) -> None:
    queue, dead = account.queue(), account.queue("dead")
    text = (policy if isinstance(policy, str) else json.dumps(policy)).replace("DEAD", dead.arn)

    code, said = refusal(account.sqs.set_queue_attributes, QueueUrl=queue.url, Attributes={"RedrivePolicy": text})

    assert code == "InvalidParameterValue"
    assert said.endswith(f"for parameter RedrivePolicy is invalid. Reason: {reason}")


@pytest.mark.documented("API: CreateQueue, RedriveAllowPolicy")
def test_a_queue_says_whose_dead_letter_queue_it_is(account: Account) -> None:
    queue, other, dead = account.queue(), account.queue("other"), account.queue("dead")
    dead.set(RedriveAllowPolicy=json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [queue.arn]}))

    queue.redrive_to(dead, 3)
    refused = refusal(other.redrive_to, dead=dead, most=3)

    assert refused[0] == "InvalidParameterValue"


@pytest.mark.documented("API: ListDeadLetterSourceQueues")
def test_the_sources_of_a_dead_letter_queue_are_listed(account: Account) -> None:
    dead, *sources = (account.queue(name) for name in ("dead", "a", "b", "c"))
    for source in sources[:2]:
        source.redrive_to(dead, 3)

    answer = account.sqs.list_dead_letter_source_queues(QueueUrl=dead.url)

    assert answer["queueUrls"] == [source.url for source in sources[:2]]


@pytest.mark.documented("DG, Dead-letter queues; reported: faiscadev/fakecloud#1675")
def test_a_message_stays_where_its_dead_letter_queue_is_gone(account: Account) -> None:
    queue, dead = account.queue(VisibilityTimeout="0"), account.queue("dead")
    queue.redrive_to(dead, 1)
    account.sqs.delete_queue(QueueUrl=dead.url)
    queue.send("poison")

    assert [queue.bodies() for _ in range(3)] == [["poison"]] * 3


@pytest.mark.documented("DG, Amazon SQS standard queues: at-least-once delivery")
@pytest.mark.localaws_only("AWS does it when it likes")
def test_every_message_comes_twice_where_that_is_asked_for_and_the_journal_tells(account: Account) -> None:
    queue = account.queue()
    account.aws.set_queue_habits(deliver_twice=1, seed=7)
    account.sqs.send_message_batch(QueueUrl=queue.url, Entries=entries("abcdefgh"))

    first = queue.receive()
    while len(first) < 8:
        first += queue.receive()
    queue.delete(*first)
    later = queue.receive()
    queue.delete(*later)

    known = {message["MessageId"] for message in first}
    assert sorted(message["MessageId"] for message in (*first, *later)) == sorted([*known, *known])
    assert queue.counts() == (0, 0, 0)
    notes = [note for entry in account.aws.journal(operation="ReceiveMessage") for note in entry["notes"]]
    assert sorted(notes) == sorted(f"delivered twice: {message_id}" for message_id in known)


@pytest.mark.documented("DG, Amazon SQS standard queues: best-effort ordering")
@pytest.mark.localaws_only("AWS does it when it likes")
def test_messages_come_out_of_order_where_that_is_asked_for_and_by_the_seed(account: Account) -> None:
    orders = []
    for seed in (1, 1, 2):
        queue = account.queue(f"shuffled-{len(orders)}")
        queue.send(*"abcdefgh")
        account.aws.set_queue_habits(reorder=1, seed=seed)
        orders.append(queue.bodies())

    assert [sorted(order) for order in orders] == [[*"abcdefgh"]] * 3
    assert orders[0] == orders[1]
    assert len({*map(tuple, orders), tuple("abcdefgh")}) == 3
