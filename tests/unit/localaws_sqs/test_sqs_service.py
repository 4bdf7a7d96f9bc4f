"""SQS as a service: what of it no client can see, or only after 120,000 messages."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from fixtures.sqs_world import ACCOUNT, SqsWorld
from localaws.contract import AwsError, Caller, Params
from localaws.sqs.habits import Habits


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 30))


async def sent(world: SqsWorld, url: str, count: int) -> None:
    for number in range(count):
        await world.ask("SendMessage", QueueUrl=url, MessageBody=str(number))


def test_a_queue_gives_out_no_more_messages_than_may_be_in_flight() -> None:
    async def scenario() -> None:
        world = SqsWorld(most_in_flight=12)
        url = await world.queue()
        await sent(world, url, 20)

        taken = [await world.ask("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10) for _ in range(2)]

        assert [len(one["Messages"]) for one in taken] == [10, 2]
        with pytest.raises(AwsError, match="OverLimit"):
            await world.ask("ReceiveMessage", QueueUrl=url)
        handle = taken[0]["Messages"][0]["ReceiptHandle"]
        poll = asyncio.ensure_future(world.ask("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
        await asyncio.sleep(0)
        await world.ask("DeleteMessage", QueueUrl=url, ReceiptHandle=handle)
        assert len((await poll)["Messages"]) == 1

    run(scenario())


def test_a_client_that_has_left_takes_no_message_with_it() -> None:
    async def scenario() -> None:
        world = SqsWorld()
        url = await world.queue()
        gone = Caller(gone=lambda: True)
        poll = asyncio.ensure_future(world.ask("ReceiveMessage", gone, QueueUrl=url, WaitTimeSeconds=20))
        await asyncio.sleep(0)

        await sent(world, url, 1)

        assert await poll == {}
        assert len((await world.ask("ReceiveMessage", QueueUrl=url))["Messages"]) == 1

    run(scenario())


def test_a_message_wakes_the_next_poll_where_the_first_ones_client_has_left() -> None:
    async def scenario() -> None:
        world = SqsWorld()
        url = await world.queue()
        gone = Caller(gone=lambda: True)
        left = asyncio.ensure_future(world.ask("ReceiveMessage", gone, QueueUrl=url, WaitTimeSeconds=20))
        await asyncio.sleep(0)
        waits = asyncio.ensure_future(world.ask("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
        await asyncio.sleep(0)

        await sent(world, url, 1)

        assert await left == {}
        assert len((await waits)["Messages"]) == 1

    run(scenario())


def test_all_polls_end_when_the_world_does() -> None:
    async def scenario() -> None:
        world = SqsWorld()
        url = await world.queue()
        poll = asyncio.ensure_future(world.ask("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
        await asyncio.sleep(0)

        await world.sqs.stop()

        with pytest.raises(AwsError, match="does not exist"):
            await poll

    run(scenario())


def test_a_message_that_comes_twice_comes_with_a_note() -> None:
    async def scenario() -> None:
        world, notes = SqsWorld(), list[str]()
        world.sqs.be(Habits(deliver_twice=1, seed=1))
        url = await world.queue()
        await sent(world, url, 1)
        answers: list[Params] = []

        for _ in range(3):
            answer = await world.ask("ReceiveMessage", Caller(note=notes.append), QueueUrl=url)
            answers += answer.get("Messages", [])
            for message in answer.get("Messages", []):
                await world.ask("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

        first, second = answers
        assert first["MessageId"] == second["MessageId"]
        assert first["ReceiptHandle"] != second["ReceiptHandle"]
        assert notes == [f"delivered twice: {first['MessageId']}"]

    run(scenario())


def test_only_the_end_of_a_queue_url_counts() -> None:
    async def scenario() -> None:
        world = SqsWorld()
        await world.queue()

        for url in (f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/work", f"http://other:1/{ACCOUNT}/work"):
            await sent(world, url, 1)

        for url in ("http://other:1/999999999999/work", f"http://other:1/{ACCOUNT}/play", "work"):
            with pytest.raises(AwsError, match="does not exist"):
                await sent(world, url, 1)

    run(scenario())


def test_the_policy_of_a_queue_is_told_to_the_world() -> None:
    async def scenario() -> None:
        world = SqsWorld()
        await world.queue("open", Policy='{"Statement": []}')
        await world.queue("plain")

        assert world.sqs.policy("eu-west-1", "open") == '{"Statement": []}'
        assert world.sqs.policy("eu-west-1", "plain") is None
        with pytest.raises(AwsError, match="does not exist"):
            world.sqs.policy("us-east-1", "open")

    run(scenario())


def test_what_is_not_offered_is_refused_by_name() -> None:
    async def scenario() -> None:
        with pytest.raises(AwsError, match="localaws does not offer StartMessageMoveTask"):
            await SqsWorld().ask("StartMessageMoveTask", SourceArn="arn")

    run(scenario())
