"""The contract of Amazon SQS, by what boto3 sees of it: long polls.

Each test is named after a rule of AWS and marked with how it is known (`API` is the SQS API Reference, `DG` the SQS
Developer Guide).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fixtures.sqs_account import Account, Queue, entries, refusal
from localaws.running import Running


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


def polled(account: Account, queue: Queue, act: Callable[[], Any], **params: Any) -> list[dict[str, Any]]:
    """What a long poll of 20 seconds receives when something is done while it waits, well before its end."""
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(queue.receive, WaitTimeSeconds=20, **params)
        until = time.monotonic() + 30
        while not account.aws.journal(operation="ReceiveMessage", outcome="pending"):
            assert time.monotonic() < until, "the poll did not arrive"
        begun = time.monotonic()
        act()
        found = poll.result(60)
    assert not found or time.monotonic() - begun < 15, "the poll was not woken"
    return found


@pytest.mark.documented("DG, Amazon SQS short and long polling")
@pytest.mark.localaws_only("the journal tells when the poll has begun")
def test_a_long_poll_ends_when_a_message_is_sent(account: Account) -> None:
    queue = account.queue()

    found = polled(account, queue, lambda: queue.send("x"))

    assert [message["Body"] for message in found] == ["x"]


@pytest.mark.documented("API: CreateQueue, ReceiveMessageWaitTimeSeconds")
def test_a_queue_says_how_long_a_receive_waits_that_does_not_say_so_itself(account: Account) -> None:
    queue = account.queue(ReceiveMessageWaitTimeSeconds="1")
    begun = time.monotonic()

    queue.receive()
    waited = time.monotonic() - begun

    assert waited >= 0.9


@pytest.mark.documented("API: ReceiveMessage, WaitTimeSeconds: a call returns as soon as a message is available")
@pytest.mark.localaws_only("it moves the clock")
def test_a_long_poll_ends_when_the_clock_shows_a_hidden_or_a_delayed_message(account: Account) -> None:
    account.aws.set_rate(0)
    queue = account.queue(VisibilityTimeout="3600")
    queue.send("hidden")
    queue.receive()
    shown = polled(account, queue, lambda: account.aws.advance(3600))
    queue.delete(*shown)
    queue.send("delayed", DelaySeconds=900)

    late = polled(account, queue, lambda: account.aws.advance(900))

    assert [message["Body"] for message in (*shown, *late)] == ["hidden", "delayed"]


@pytest.mark.documented("API: ChangeMessageVisibility")
@pytest.mark.localaws_only("the journal tells when the poll has begun")
def test_a_long_poll_ends_when_another_receiver_releases_a_message(account: Account) -> None:
    queue = account.queue(VisibilityTimeout="3600")
    queue.send("x")
    (message,) = queue.receive()

    found = polled(account, queue, lambda: queue.hide(message, 0))

    assert [one["Body"] for one in found] == ["x"]


@pytest.mark.documented("API: ReceiveMessage: a message is received by one receiver at a time")
@pytest.mark.localaws_only("the journal tells when the poll has begun")
def test_each_message_wakes_one_of_many_long_polls(account: Account) -> None:
    queue = account.queue()
    with ThreadPoolExecutor(8) as pool:
        polls = [pool.submit(queue.bodies, 1, WaitTimeSeconds=20) for _ in range(8)]

        account.sqs.send_message_batch(QueueUrl=queue.url, Entries=entries("abcdefgh"))

        assert sorted(body for poll in polls for body in poll.result(60)) == [*"abcdefgh"]


@pytest.mark.assumed("nobody says what a long poll of a queue is answered that is deleted meanwhile")
@pytest.mark.localaws_only("the journal tells when the poll has begun")
def test_a_long_poll_of_a_queue_that_is_deleted_ends(account: Account) -> None:
    queue = account.queue()

    def poll() -> list[dict[str, Any]]:
        return polled(account, queue, lambda: account.sqs.delete_queue(QueueUrl=queue.url))

    assert refusal(poll)[0] == "AWS.SimpleQueueService.NonExistentQueue"
