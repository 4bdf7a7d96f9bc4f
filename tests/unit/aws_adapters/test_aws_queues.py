"""Queues: found by ARN, read message by message, deleted receipt by receipt."""

import pytest

from backgroundtask.aws import Message, QueueFacts, Queues
from backgroundtask.errors import Blocked, Rejected
from fixtures.wire import Wire

ARN = "arn:aws:sqs:eu-west-1:111122223333:events"
URL = "https://sqs.eu-west-1.amazonaws.com/111122223333/events"


def received(number: int) -> dict[str, object]:
    return {
        "MessageId": f"id-{number}",
        "ReceiptHandle": f"receipt-{number}",
        "Body": f"body-{number}",
    }


def test_a_queue_is_looked_up_by_name_and_account_once(wire: Wire) -> None:
    wire.says("GetQueueUrl", {"QueueUrl": URL})
    queues = Queues(wire.clients())

    assert [queues.url(ARN), queues.url(ARN)] == [URL, URL]
    assert wire.bodies("GetQueueUrl") == [{"QueueName": "events", "QueueOwnerAWSAccountId": "111122223333"}]


@pytest.mark.parametrize(
    ("arn", "advice"),
    [
        ("events", "is not the ARN of an SQS queue: correct spec.queues"),
        ("arn:aws:sns:eu-west-1:111122223333:events", "is not the ARN of an SQS queue: correct spec.queues"),
        ("arn:aws:sqs:us-east-1:111122223333:events", "has to be in spec.region"),
    ],
)
def test_an_arn_that_cannot_be_right_is_refused_without_a_call(wire: Wire, arn: str, advice: str) -> None:
    with pytest.raises(Rejected, match=advice):
        Queues(wire.clients()).url(arn)

    assert wire.sent == []


def test_a_queue_that_is_not_there_is_for_someone_to_create(wire: Wire) -> None:
    wire.refuses("GetQueueUrl", "QueueDoesNotExist")

    with pytest.raises(Blocked) as caught:
        Queues(wire.clients()).url(ARN)

    assert caught.value.reason == "QueueNotFound"


@pytest.mark.parametrize(
    ("policy", "poison"),
    [
        ({"RedrivePolicy": f'{{"maxReceiveCount":"5","deadLetterTargetArn":"{ARN}-poison"}}'}, f"{ARN}-poison"),
        ({}, None),
    ],
)
def test_a_queue_tells_how_it_is_set_up(wire: Wire, policy: dict[str, str], poison: str | None) -> None:
    wire.says("GetQueueUrl", {"QueueUrl": URL})
    wire.says(
        "GetQueueAttributes",
        {"Attributes": {"VisibilityTimeout": "60", "MessageRetentionPeriod": "1209600", **policy}},
    )

    facts = Queues(wire.clients()).describe(ARN)

    assert facts == QueueFacts(url=URL, visibility_timeout=60, retention=1209600, poison=poison)
    assert facts.has_redrive is (poison is not None)


def test_what_waits_in_a_queue_is_counted_without_receiving_it(wire: Wire) -> None:
    wire.says("GetQueueUrl", {"QueueUrl": URL})
    wire.says("GetQueueAttributes", {"Attributes": {"ApproximateNumberOfMessages": "7"}})

    assert Queues(wire.clients()).waiting(ARN) == 7
    assert wire.operations() == ["GetQueueUrl", "GetQueueAttributes"]


def test_a_message_has_its_receipt(wire: Wire) -> None:
    wire.says("ReceiveMessage", {"Messages": [received(1)]})

    messages = Queues(wire.clients()).receive(URL, wait_seconds=5, most=4)

    assert messages == [
        Message(
            id="id-1",
            receipt="receipt-1",
            body="body-1",
        )
    ]
    assert {key: wire.sent[0].body[key] for key in ("WaitTimeSeconds", "MaxNumberOfMessages")} == {
        "WaitTimeSeconds": 5,
        "MaxNumberOfMessages": 4,
    }


def test_a_message_does_not_show_its_body_in_a_log(wire: Wire) -> None:
    wire.says("ReceiveMessage", {"Messages": [received(1)]})

    assert "body-1" not in repr(Queues(wire.clients()).receive(URL))


def test_an_empty_queue_gives_no_messages(wire: Wire) -> None:
    wire.says("ReceiveMessage", {})

    assert Queues(wire.clients()).receive(URL) == []


def test_messages_are_deleted_in_tens_and_the_refused_receipts_are_told(wire: Wire) -> None:
    wire.says("DeleteMessageBatch", {"Successful": [], "Failed": []})
    wire.says("DeleteMessageBatch", {"Successful": [], "Failed": [{"Id": "1", "Code": "x", "SenderFault": False}]})

    refused = Queues(wire.clients()).delete(URL, [f"receipt-{number}" for number in range(12)])

    assert refused == {"receipt-11"}
    assert [len(body["Entries"]) for body in wire.bodies("DeleteMessageBatch")] == [10, 2]


def test_nothing_to_delete_is_no_call(wire: Wire) -> None:
    assert Queues(wire.clients()).delete(URL, []) == frozenset()
    assert wire.sent == []


def test_released_messages_can_be_received_at_once(wire: Wire) -> None:
    wire.says("ChangeMessageVisibilityBatch", {"Successful": [], "Failed": []})

    Queues(wire.clients()).release(URL, ["receipt-1"])

    assert wire.sent[0].body["Entries"] == [{"Id": "0", "ReceiptHandle": "receipt-1", "VisibilityTimeout": 0}]


def test_a_long_poll_is_not_cut_off_by_the_clients_time_out(wire: Wire) -> None:
    config = wire.clients().sqs.meta.config

    assert config.read_timeout > 20  # type: ignore[attr-defined]  # the stubs know none of Config's members


def test_the_readers_of_many_queues_have_connections_of_their_own(wire: Wire) -> None:
    clients = wire.clients()

    workers = clients.ecs.meta.config.max_pool_connections  # type: ignore[attr-defined]  # the stubs know none of Config's members
    assert clients.sqs.meta.config.max_pool_connections >= workers + 2 * 50  # type: ignore[attr-defined]  # as above
