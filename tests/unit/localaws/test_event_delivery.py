"""Rules keep to their limits, and what they send gets through, is tried again, or ends as a dead letter."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from localaws.clock import VirtualClock
from localaws.contract import AwsError, Call, Clock
from localaws.events import EventsService

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:work"
DEAD = "arn:aws:sqs:eu-west-1:123456789012:dead"
EVENT = {"source": "shop", "detail": {"kind": "order", "items": [{"id": 7}]}}


@dataclass
class PostOffice:
    """A world with queues that refuse as often as told."""

    time: VirtualClock = field(default_factory=lambda: VirtualClock(rate=0, start=START))
    refusals: list[AwsError] = field(default_factory=list)
    sent: list[tuple[dt.timedelta, str, str, dict[str, str]]] = field(default_factory=list)
    work: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        return self.time

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.work.append(asyncio.create_task(work))

    async def send_message(
        self, queue_arn: str, body: str, attributes: dict[str, str], *, principal: str, source_arn: str, group: str = ""
    ) -> None:
        assert (principal, source_arn.rpartition("/")[2], group) == ("events.amazonaws.com", "orders", "")
        if queue_arn == QUEUE and self.refusals:
            raise self.refusals.pop(0)
        self.sent.append((self.time.now() - START, queue_arn, body, attributes))


async def call(service: EventsService, operation: str, **params: Any) -> dict[str, Any]:
    wanted = Call(service="events", operation=operation, params=params, region="eu-west-1", account="123456789012")
    return await service.handle(wanted)


def deliver(office: PostOffice, **target: Any) -> None:
    """Put a rule with one target, send one event through it, and let a day pass."""

    async def scenario(service: EventsService) -> None:
        await call(service, "PutRule", Name="orders", EventPattern='{"source": ["shop"]}')
        await call(service, "PutTargets", Rule="orders", Targets=[{"Id": "t", "Arn": QUEUE, **target}])
        service.receive("eu-west-1", EVENT)
        await office.time.advance(2 * 86400)
        await asyncio.gather(*office.work)

    run(scenario, office)


def run(scenario: Callable[[EventsService], Awaitable[None]], office: PostOffice | None = None) -> None:
    async def main() -> None:
        await scenario(EventsService(office or PostOffice()))

    asyncio.run(main())


def refusal(service: EventsService, operation: str, **params: Any) -> Awaitable[AwsError]:
    async def refused() -> AwsError:
        with pytest.raises(AwsError) as error:
            await call(service, operation, **params)
        return error.value

    return refused()


@pytest.mark.parametrize(
    ("target", "body", "why"),
    [
        ({}, EVENT, "the whole event"),
        ({"Input": '{"fixed": 1}'}, {"fixed": 1}, "a constant"),
        ({"InputPath": "$.detail"}, EVENT["detail"], "a part"),
        ({"InputPath": "$.detail.items[0].id"}, 7, "an element's part"),
        ({"InputPath": "$.detail['kind']"}, "order", "a quoted key"),
        ({"InputPath": "$.detail.none"}, None, "what is not there"),
    ],
)
def test_a_target_gets_what_it_asks_for(target: dict[str, str], body: object, why: str) -> None:
    office = PostOffice()

    deliver(office, **target)

    assert [json.loads(sent) for _, _, sent, _ in office.sent] == [body], why


def test_what_can_pass_is_tried_again_with_growing_pauses() -> None:
    throttled = AwsError("ThrottlingException", "slow down")
    office = PostOffice(refusals=[throttled, AwsError("InternalFailure", "oops", status=500), throttled])

    deliver(office)

    assert [(late.total_seconds(), queue) for late, queue, *_ in office.sent] == [(1 + 2 + 4, QUEUE)]


def test_what_cannot_pass_is_not_tried_again() -> None:
    office = PostOffice(refusals=[AwsError("AccessDenied", "no", status=403)])

    deliver(office)

    assert office.sent == []


@pytest.mark.parametrize(
    ("policy", "late", "attempts", "condition"),
    [
        ({"MaximumRetryAttempts": 2}, 3, "2", "MaximumRetryAttempts"),
        ({"MaximumRetryAttempts": 0}, 0, "0", "MaximumRetryAttempts"),
        ({"MaximumEventAgeInSeconds": 60}, 31, "5", "MaximumEventAgeInSeconds"),
    ],
)
def test_a_used_up_retry_policy_ends_in_a_dead_letter(
    policy: dict[str, int], late: int, attempts: str, condition: str
) -> None:
    office = PostOffice(refusals=[AwsError("ThrottlingException", "slow down")] * 300)

    deliver(office, RetryPolicy=policy, DeadLetterConfig={"Arn": DEAD})

    ((when, queue, body, told),) = office.sent
    assert (when.total_seconds(), queue, json.loads(body)) == (late, DEAD, EVENT)
    assert (told["RETRY_ATTEMPTS"], told["EXHAUSTED_RETRY_CONDITION"]) == (attempts, condition)
    assert (told["ERROR_CODE"], told["TARGET_ARN"]) == ("THROTTLING", QUEUE)


def test_there_are_at_most_three_hundred_rules_a_bus_but_each_can_be_changed() -> None:
    async def scenario(service: EventsService) -> None:
        for number in range(300):
            await call(service, "PutRule", Name=f"r{number}", EventPattern='{"a": ["b"]}')

        refused = await refusal(service, "PutRule", Name="one-more", EventPattern='{"a": ["b"]}')
        await call(service, "PutRule", Name="r0", EventPattern='{"a": ["c"]}')

        assert refused.code == "LimitExceededException"

    run(scenario)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"Arn": "work"}, "Provided Arn is not in correct format"),
        ({"Arn": "arn:aws:lambda:eu-west-1:123456789012:function:f"}, "delivers to SQS queues and ECS clusters only"),
        ({"Arn": f"{QUEUE}.fifo"}, r"Parameter\(s\) SqsParameters must be specified"),
        ({"EcsParameters": {}}, "EcsParameters cannot be specified for target t"),
        ({"HttpParameters": {}}, "HttpParameters cannot be specified for target t"),
        ({"InputTransformer": {"InputTemplate": "<a>"}}, "Invalid InputTransformer for target t: .* uses <a>"),
        ({"Input": "{"}, "JSON syntax error in input for target t"),
        ({"Input": "{}", "InputPath": "$"}, "Only one of Input, InputPath"),
        ({"InputPath": "detail"}, "Invalid InputPath"),
        ({"DeadLetterConfig": {"Arn": "arn:aws:sns:eu-west-1:123456789012:t"}}, "must be an SQS queue"),
    ],
)
def test_a_target_that_cannot_be_delivered_to_is_refused(target: dict[str, Any], said: str) -> None:
    async def scenario(service: EventsService) -> None:
        await call(service, "PutRule", Name="orders", EventPattern='{"a": ["b"]}')

        refused = await refusal(service, "PutTargets", Rule="orders", Targets=[{"Id": "t", "Arn": QUEUE, **target}])

        assert refused.code == "ValidationException"
        with pytest.raises(AwsError, match=said):
            raise refused
        assert (await call(service, "ListTargetsByRule", Rule="orders"))["Targets"] == []

    run(scenario)


def test_rules_of_one_region_hear_nothing_of_another() -> None:
    async def scenario(service: EventsService) -> None:
        await call(service, "PutRule", Name="orders", EventPattern='{"source": ["shop"]}')
        await call(service, "PutTargets", Rule="orders", Targets=[{"Id": "t", "Arn": QUEUE}])

        service.receive("us-east-1", EVENT)
        await asyncio.gather(*office.work)

        assert (office.sent, service.counts()[0]["triggeredRules"]) == ([], 0)

    office = PostOffice()
    run(scenario, office)


def test_rules_are_found_by_their_target() -> None:
    async def scenario(service: EventsService) -> None:
        for name in ("b", "a", "c"):
            await call(service, "PutRule", Name=name, EventPattern='{"a": ["b"]}')
        for name in ("b", "a"):
            await call(service, "PutTargets", Rule=name, Targets=[{"Id": "t", "Arn": QUEUE}])

        assert await call(service, "ListRuleNamesByTarget", TargetArn=QUEUE) == {"RuleNames": ["a", "b"]}

    run(scenario)
