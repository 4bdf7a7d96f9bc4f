"""The contract of Amazon SQS, by what boto3 sees of it: FIFO queues.

Each test is named after a rule of AWS and marked with how it is known (`API` is the SQS API Reference, `DG` the SQS
Developer Guide).
"""

from __future__ import annotations

import json

import pytest

from fixtures.sqs_account import Account, refusal
from localaws.running import Running


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


@pytest.mark.documented("DG, FIFO queue delivery logic")
def test_a_group_comes_in_order_and_waits_while_a_message_of_it_is_in_flight(account: Account) -> None:
    queue = account.fifo(ContentBasedDeduplication="true")
    queue.send("a1", "a2", "a3", MessageGroupId="a")
    queue.send("b1", MessageGroupId="b")

    (first,) = queue.receive(1)
    others = queue.receive()
    queue.delete(first)

    assert first["Body"] == "a1"
    assert [message["Body"] for message in others] == ["b1"]
    assert queue.bodies() == ["a2", "a3"]


@pytest.mark.documented("DG, FIFO queue delivery logic: the order stays where a message becomes visible again")
def test_a_released_message_comes_before_those_behind_it(account: Account) -> None:
    queue = account.fifo(ContentBasedDeduplication="true")
    queue.send("a1", "a2", MessageGroupId="a")

    (first,) = queue.receive(1)
    queue.hide(first, 0)

    assert queue.bodies() == ["a1", "a2"]


@pytest.mark.documented("DG, Exactly-once processing in Amazon SQS: five minutes")
@pytest.mark.localaws_only("it moves the clock")
def test_the_same_deduplication_id_is_taken_once_in_five_minutes(account: Account) -> None:
    account.aws.set_rate(0)
    queue = account.fifo()
    wanted = {"QueueUrl": queue.url, "MessageGroupId": "a", "MessageDeduplicationId": "one"}

    first = account.sqs.send_message(MessageBody="x", **wanted)
    again = account.sqs.send_message(MessageBody="y", **wanted)
    queue.delete(*queue.receive())
    account.aws.advance(299)
    account.sqs.send_message(MessageBody="z", **wanted)
    within = queue.bodies()
    account.aws.advance(1)
    account.sqs.send_message(MessageBody="later", **wanted)

    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    assert (within, queue.bodies()) == ([], ["later"])


@pytest.mark.documented(
    "API: SendMessage, SequenceNumber, MessageDeduplicationId; CreateQueue, ContentBasedDeduplication"
)
def test_messages_are_numbered_in_order_and_told_apart_by_their_body_where_the_queue_says_so(account: Account) -> None:
    queue = account.fifo(ContentBasedDeduplication="true")

    queue.send("x", "x", "y", MessageGroupId="a")

    first, second = (message["Attributes"] for message in queue.receive(AttributeNames=["All"]))
    assert int(first["SequenceNumber"]) < int(second["SequenceNumber"])
    assert len(first["MessageDeduplicationId"]) == 64
    assert first["MessageGroupId"] == "a"


@pytest.mark.documented("API: SendMessage, MessageGroupId, MessageDeduplicationId, DelaySeconds")
def test_a_message_needs_a_group_and_a_deduplication_id_and_has_no_delay_of_its_own(account: Account) -> None:
    queue = account.fifo()
    wanted = {"QueueUrl": queue.url, "MessageBody": "x", "MessageGroupId": "a", "MessageDeduplicationId": "b"}

    def code_without(name: str) -> str:
        return refusal(account.sqs.send_message, **{key: it for key, it in wanted.items() if key != name})[0]

    assert code_without("MessageGroupId") == "MissingParameter"
    assert code_without("MessageDeduplicationId") == "InvalidParameterValue"
    assert refusal(account.sqs.send_message, **wanted, DelaySeconds=5)[0] == "InvalidParameterValue"


@pytest.mark.reported("localstack/localstack#12442, measured on AWS")
def test_an_expired_receipt_handle_deletes_nothing(account: Account) -> None:
    queue = account.fifo(ContentBasedDeduplication="true")
    queue.send("x", MessageGroupId="a")
    (message,) = queue.receive(VisibilityTimeout=0)

    code, said = refusal(account.sqs.delete_message, QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])

    assert code == "InvalidParameterValue"
    assert said.endswith("Reason: The receipt handle has expired.")


@pytest.mark.documented("API: CreateQueue, RedrivePolicy: the dead-letter queue of a FIFO queue is one too")
def test_a_poison_message_of_a_group_lets_the_others_go_on(account: Account) -> None:
    queue, dead = account.fifo(VisibilityTimeout="0", ContentBasedDeduplication="true"), account.fifo("dead.fifo")
    standard = account.queue("standard")
    queue.redrive_to(dead, 1)
    queue.send("poison", "next", MessageGroupId="a")

    first, second = queue.bodies(1), queue.bodies(1)

    assert (first, second, dead.bodies()) == (["poison"], ["next"], ["poison"])
    policy = json.dumps({"deadLetterTargetArn": standard.arn, "maxReceiveCount": 1})
    refused = refusal(queue.sqs.set_queue_attributes, QueueUrl=queue.url, Attributes={"RedrivePolicy": policy})
    assert refused[0] == "InvalidParameterValue"
