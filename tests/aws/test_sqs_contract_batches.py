"""The contract of Amazon SQS, by what boto3 sees of it: batches, as a whole and entry by entry.

Each test is named after a rule of AWS and marked with how it is known (`API` is the SQS API Reference, `DG` the SQS
Developer Guide).
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from fixtures.sqs_account import Account, Queue, entries, refusal
from localaws.running import Running

TEXT = {"DataType": "String", "StringValue": "a text as long"}


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


@pytest.fixture
def queue(account: Account) -> Queue:
    return account.queue()


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.documented("API: SendMessageBatch, ReceiveMessage, DeleteMessageBatch")
def test_ten_messages_are_sent_received_and_deleted_at_once(account: Account, queue: Queue) -> None:
    bodies = [f"message {number}" for number in range(10)]

    sent = account.sqs.send_message_batch(QueueUrl=queue.url, Entries=entries(bodies))
    found = queue.receive(10)
    deleted = account.sqs.delete_message_batch(
        QueueUrl=queue.url,
        Entries=[{"Id": str(at), "ReceiptHandle": one["ReceiptHandle"]} for at, one in enumerate(found)],
    )

    assert sorted(one["Body"] for one in found) == bodies
    assert [one["MD5OfMessageBody"] for one in sent["Successful"]] == list(map(md5, bodies))
    assert ([one["Id"] for one in deleted["Successful"]], deleted.get("Failed", [])) == ([*"0123456789"], [])
    assert queue.counts() == (0, 0, 0)


@pytest.mark.documented("API: SendMessageBatch: the result of each message is reported individually")
def test_a_batch_is_sent_but_for_its_bad_entries(account: Account, queue: Queue) -> None:
    answer = account.sqs.send_message_batch(QueueUrl=queue.url, Entries=entries(["good", "\x07", "better"]))

    assert [one["Id"] for one in answer["Successful"]] == ["0", "2"]
    (failed,) = answer["Failed"]
    assert (failed["Id"], failed["SenderFault"], failed["Code"]) == ("1", True, "InvalidMessageContents")
    assert sorted(queue.bodies()) == ["better", "good"]


@pytest.mark.documented("API: DeleteMessageBatch, BatchResultErrorEntry")
def test_a_batch_of_deletions_tells_which_receipt_it_did_not_know(account: Account, queue: Queue) -> None:
    queue.send("x")
    (message,) = queue.receive()

    answer = account.sqs.delete_message_batch(
        QueueUrl=queue.url,
        Entries=[
            {"Id": "good", "ReceiptHandle": message["ReceiptHandle"]},
            {"Id": "bad", "ReceiptHandle": "garbage"},
        ],
    )

    assert [one["Id"] for one in answer["Successful"]] == ["good"]
    assert [(one["Id"], one["Code"]) for one in answer["Failed"]] == [("bad", "ReceiptHandleIsInvalid")]


@pytest.mark.parametrize(
    ("batch", "code"),
    [
        ([], "EmptyBatchRequest"),
        (entries(["x"] * 11), "TooManyEntriesInBatchRequest"),
        ([{"Id": "a", "MessageBody": "x"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "MessageBody": "x"}], "InvalidBatchEntryId"),
        ([{"Id": "a" * 81, "MessageBody": "x"}], "InvalidBatchEntryId"),
        (entries(["x" * 600_000] * 2), "BatchRequestTooLong"),
        (
            [{**entry, "MessageAttributes": {"a": TEXT}} for entry in entries(["x" * 524_270] * 2)],
            "BatchRequestTooLong",
        ),
    ],
)
@pytest.mark.documented("API: SendMessageBatch, Errors")
def test_a_batch_that_is_none_is_refused_as_a_whole(queue: Queue, batch: list[dict[str, Any]], code: str) -> None:
    refused = refusal(queue.sqs.send_message_batch, QueueUrl=queue.url, Entries=batch)

    assert refused[0] == f"AWS.SimpleQueueService.{code}"
    assert queue.counts() == (0, 0, 0)
