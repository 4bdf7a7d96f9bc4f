"""The contract of Amazon SQS, by what boto3 sees of it: messages that are sent, received and deleted.

Each test is named after a rule of AWS and marked with how it is known (`API` is the SQS API Reference, `DG` the SQS
Developer Guide).
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from fixtures.sqs_account import Account, Queue, refusal
from localaws.running import Running

TEXT = {"DataType": "String", "StringValue": "red"}
NUMBER = {"DataType": "Number.int", "StringValue": "7"}
BINARY = {"DataType": "Binary", "BinaryValue": b"\x00\xff"}


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


@pytest.fixture
def queue(account: Account) -> Queue:
    return account.queue()


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.documented("API: SendMessage, ReceiveMessage")
def test_a_message_is_received_as_it_was_sent_with_its_digest(account: Account, queue: Queue) -> None:
    sent = account.sqs.send_message(QueueUrl=queue.url, MessageBody="héllo")

    (message,) = queue.receive()

    assert (message["Body"], message["MessageId"]) == ("héllo", sent["MessageId"])
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"] == md5("héllo")
    assert "Attributes" not in message
    assert "MessageAttributes" not in message


@pytest.mark.documented("DG, Calculating the MD5 message digest for message attributes")
def test_the_digest_of_attributes_is_that_of_their_names_types_and_values_in_order(
    account: Account, queue: Queue
) -> None:
    sent = account.sqs.send_message(
        QueueUrl=queue.url, MessageBody="x", MessageAttributes={"size": NUMBER, "colour": TEXT, "raw": BINARY}
    )

    parts: list[tuple[bytes, bytes, bytes, bytes]] = [
        (b"colour", b"String", b"\x01", b"red"),
        (b"raw", b"Binary", b"\x02", b"\x00\xff"),
        (b"size", b"Number.int", b"\x01", b"7"),
    ]
    summed = hashlib.md5(usedforsecurity=False)
    for name, kind, transport, value in parts:
        for part in (name, kind):
            summed.update(len(part).to_bytes(4, "big") + part)
        summed.update(transport + len(value).to_bytes(4, "big") + value)
    (message,) = queue.receive(MessageAttributeNames=["All"])
    assert sent["MD5OfMessageAttributes"] == message["MD5OfMessageAttributes"] == summed.hexdigest()
    assert message["MessageAttributes"] == {"colour": TEXT, "raw": BINARY, "size": NUMBER}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["All"], {"a.x", "a.y", "b"}),
        ([".*"], {"a.x", "a.y", "b"}),
        (["a.*"], {"a.x", "a.y"}),
        (["b", "c"], {"b"}),
        (["a"], set()),
        ([], set()),
    ],
)
@pytest.mark.documented("API: ReceiveMessage, MessageAttributeNames")
def test_attributes_are_received_by_name_by_prefix_or_all(queue: Queue, names: list[str], found: set[str]) -> None:
    queue.send("x", MessageAttributes=dict.fromkeys(("a.x", "a.y", "b"), TEXT))

    (message,) = queue.receive(MessageAttributeNames=names)

    assert message.get("MessageAttributes", {}).keys() == found
    assert ("MD5OfMessageAttributes" in message) == bool(found)


@pytest.mark.parametrize("parameter", ["AttributeNames", "MessageSystemAttributeNames"])
@pytest.mark.documented("API: ReceiveMessage, MessageSystemAttributeNames and its discontinued name")
def test_what_sqs_knows_of_a_message_is_received_by_either_name(queue: Queue, parameter: str) -> None:
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
    queue.send("x", MessageSystemAttributes=trace, MessageGroupId="tenant")

    (some,) = queue.receive(VisibilityTimeout=0, **{parameter: ["ApproximateReceiveCount"]})
    (everything,) = queue.receive(**{parameter: ["All"]})

    assert some["Attributes"] == {"ApproximateReceiveCount": "1"}
    facts = everything["Attributes"]
    assert facts.keys() == {
        *("SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"),
        *("AWSTraceHeader", "MessageGroupId"),
    }
    assert (facts["ApproximateReceiveCount"], facts["MessageGroupId"]) == ("2", "tenant")
    assert 0 <= int(facts["ApproximateFirstReceiveTimestamp"]) - int(facts["SentTimestamp"]) < 60_000


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"MessageBody": ""}, "MissingParameter"),
        ({"MessageBody": "bell \x07"}, "InvalidMessageContents"),
        ({"MessageBody": "x", "DelaySeconds": 901}, "InvalidParameterValue"),
        ({"MessageBody": "x", "DelaySeconds": -1}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageDeduplicationId": "a"}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageGroupId": "a b"}, "InvalidParameterValue"),
    ],
)
@pytest.mark.documented("API: SendMessage")
def test_a_message_that_breaks_a_rule_is_refused(queue: Queue, params: dict[str, Any], code: str) -> None:
    assert refusal(queue.sqs.send_message, QueueUrl=queue.url, **params)[0] == code
    assert queue.counts() == (0, 0, 0)


@pytest.mark.parametrize(
    "attributes",
    [
        {"AWS.x": TEXT},
        {"Amazon.x": TEXT},
        {"a..b": TEXT},
        {"a.": TEXT},
        {".a": TEXT},
        {"a b": TEXT},
        {"a": {"DataType": "Text", "StringValue": "b"}},
        {"a": {"DataType": "String", "StringValue": ""}},
        {"a": {"DataType": "Number", "StringValue": "b"}},
        {f"a{at}": TEXT for at in range(11)},
    ],
    ids=str,
)
@pytest.mark.documented("API: MessageAttributeValue; DG, Message quotas, Amazon SQS message attributes")
def test_an_attribute_that_breaks_a_rule_is_refused(queue: Queue, attributes: dict[str, Any]) -> None:
    refused = refusal(queue.sqs.send_message, QueueUrl=queue.url, MessageBody="x", MessageAttributes=attributes)

    assert refused[0] == "InvalidParameterValue"
    assert queue.counts() == (0, 0, 0)


@pytest.mark.documented("API: MessageAttributeValue: all parts count; CreateQueue, MaximumMessageSize")
def test_a_message_is_as_large_as_its_body_and_its_attributes(account: Account) -> None:
    queue = account.queue(MaximumMessageSize="1024")
    attributes = {"a": TEXT}
    room = 1024 - len("a") - len("String") - len("red")

    queue.send("x" * room, MessageAttributes=attributes)
    refused = refusal(queue.sqs.send_message, QueueUrl=queue.url, MessageBody="x" * 1025)
    with_attributes = refusal(
        queue.sqs.send_message, QueueUrl=queue.url, MessageBody="é" * (room // 2 + 1), MessageAttributes=attributes
    )

    what = "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."
    assert refused == with_attributes == ("InvalidParameterValue", what)


@pytest.mark.documented("API: DeleteMessage")
@pytest.mark.localaws_only("it moves the clock")
def test_a_deleted_message_does_not_return_and_deleting_it_again_is_no_error(account: Account, queue: Queue) -> None:
    queue.send("x")
    (message,) = queue.receive()

    queue.delete(message, message)
    account.aws.advance(31)

    assert queue.receive() == []
    assert queue.counts() == (0, 0, 0)


@pytest.mark.documented("API: DeleteMessage: with an old receipt handle the message might not be deleted")
def test_an_old_receipt_handle_deletes_nothing_and_is_no_error(queue: Queue) -> None:
    queue.send("x")
    (old,) = queue.receive(VisibilityTimeout=0)
    (new,) = queue.receive()

    queue.delete(old)
    kept = queue.counts()
    queue.delete(new)

    assert (kept, queue.counts()) == ((0, 1, 0), (0, 0, 0))
    assert old["ReceiptHandle"] != new["ReceiptHandle"]


@pytest.mark.reported("localstack/localstack#12442, measured on AWS")
@pytest.mark.localaws_only("it moves the clock")
def test_a_receipt_handle_deletes_after_its_visibility_as_long_as_nobody_else_received_the_message(
    account: Account, queue: Queue
) -> None:
    queue.send("x")
    (message,) = queue.receive()
    account.aws.advance(31)

    queue.delete(message)

    assert queue.counts() == (0, 0, 0)


@pytest.mark.reported("getmoto/moto#4765; documented: API: DeleteMessage, ReceiptHandleIsInvalid")
def test_a_receipt_handle_that_this_queue_has_not_given_is_invalid(account: Account, queue: Queue) -> None:
    other = account.queue("other")
    other.send("x")
    (message,) = other.receive()

    for handle in ("garbage", message["ReceiptHandle"]):
        refused = refusal(queue.sqs.delete_message, QueueUrl=queue.url, ReceiptHandle=handle)
        assert refused == (
            "ReceiptHandleIsInvalid",
            f'The input receipt handle "{handle}" is not a valid receipt handle.',
        )


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"MaxNumberOfMessages": 0}, "MaxNumberOfMessages"),
        ({"MaxNumberOfMessages": 11}, "MaxNumberOfMessages"),
        ({"WaitTimeSeconds": 21}, "WaitTimeSeconds"),
        ({"VisibilityTimeout": 43_201}, "VisibilityTimeout"),
    ],
)
@pytest.mark.documented("API: ReceiveMessage")
def test_a_receive_out_of_range_is_refused(queue: Queue, params: dict[str, int], name: str) -> None:
    code, message = refusal(queue.sqs.receive_message, QueueUrl=queue.url, **params)

    assert code == "InvalidParameterValue"
    assert message.startswith(f"Value {params[name]} for parameter {name} is invalid.")
