"""What may be asked of rules and targets, and what of it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fixtures.bus import CLUSTER, DEFINITION, QUEUE, ROLE, TRUST, Stage, on_cluster, staged
from localaws.contract import Params


def run(scenario: Callable[[Stage], Awaitable[None]]) -> None:
    async def main() -> None:
        async with staged() as stage:
            await scenario(stage)

    asyncio.run(main())


@pytest.mark.parametrize(("region", "most"), [("eu-west-1", 300), ("af-south-1", 100), ("eu-south-1", 100)])
def test_a_bus_has_room_for_so_many_rules(region: str, most: int) -> None:
    async def scenario(stage: Stage) -> None:
        for number in range(most):
            await stage.call("PutRule", region=region, Name=f"r{number}", ScheduleExpression="rate(1 day)")

        refused = await stage.refusal("PutRule", region=region, Name="more", ScheduleExpression="rate(1 day)")

        assert refused[0] == "LimitExceededException"

    run(scenario)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "Parameter(s) EventPattern or ScheduleExpression must be specified."),
        ({"ScheduleExpression": "rate(1 hours)"}, "Parameter ScheduleExpression is not valid."),
        (
            {"ScheduleExpression": "rate(1 hour)", "EventBusName": "mine"},
            "ScheduleExpression is supported only on the default event bus.",
        ),
    ],
)
def test_a_rule_is_refused(settings: dict[str, str], message: str) -> None:
    async def scenario(stage: Stage) -> None:
        assert await stage.refusal("PutRule", Name="r", **settings) == ("ValidationException", message)

    run(scenario)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"Arn": CLUSTER}, f"RoleArn is required for target {CLUSTER}."),
        ({"Arn": CLUSTER, "RoleArn": ROLE}, "Parameter(s) EcsParameters must be specified for target: t."),
        (on_cluster(EcsParameters={"LaunchType": "FARGATE"}), "NetworkConfiguration is required"),
        (on_cluster(EcsParameters={"TaskDefinitionArn": "report"}), "must be the ARN of a task definition"),
        (on_cluster(SqsParameters={"MessageGroupId": "g"}), "SqsParameters cannot be specified for target t"),
        (
            {"Arn": QUEUE, "EcsParameters": {"TaskDefinitionArn": DEFINITION}},
            "EcsParameters cannot be specified for target t",
        ),
        (
            {"Arn": QUEUE, "Input": "{}", "InputTransformer": {"InputTemplate": "{}"}},
            "Only one of Input, InputPath, or InputTransformer must be provided for target t.",
        ),
        (on_cluster(RoleArn=f"{ROLE}-gone"), "cannot be assumed by principal 'events.amazonaws.com'."),
    ],
)
def test_a_target_is_refused_with_the_whole_call(target: Params, said: str) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule()
        entries = [{"Id": "good", "Arn": QUEUE}, {"Id": "t", **target}]

        code, message = await stage.refusal("PutTargets", Rule="orders", Targets=entries)

        assert (code, said in message) == ("ValidationException", True), message
        assert (await stage.call("ListTargetsByRule", Rule="orders"))["Targets"] == []

    run(scenario)


def test_a_role_has_to_trust_event_bridge() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule()
        entry = {"Id": "t", **on_cluster()}
        stage.world.roles[ROLE] = {
            "Statement": [{**TRUST["Statement"][0], "Principal": {"Service": "ecs.amazonaws.com"}}]
        }

        refused = await stage.refusal("PutTargets", Rule="orders", Targets=[entry])

        message = f"Provided role '{ROLE}' cannot be assumed by principal 'events.amazonaws.com'."
        assert refused == ("ValidationException", message)

    run(scenario)


def test_entries_fail_by_themselves_where_that_is_asked_for_and_the_others_are_put() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule()
        stage.events.drive({"failing-entries": 1})
        entries = [{"Id": number, "Arn": QUEUE} for number in ("1", "2")]

        answer = await stage.call("PutTargets", Rule="orders", Targets=entries)
        kept = await stage.call("ListTargetsByRule", Rule="orders")
        again = await stage.call("PutTargets", Rule="orders", Targets=entries[:1])

        assert answer["FailedEntryCount"] == 1
        assert [target["Id"] for target in kept["Targets"]] == ["2"]
        assert [(it["TargetId"], it["ErrorCode"]) for it in answer["FailedEntries"]] == [
            ("1", "ConcurrentModificationException")
        ]
        assert again == {"FailedEntryCount": 0, "FailedEntries": []}

    run(scenario)


def test_a_target_that_is_not_there_is_a_failed_entry_of_its_removal() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule({"Arn": QUEUE})

        answer = await stage.call("RemoveTargets", Rule="orders", Ids=["1", "gone"])

        (failed,) = answer["FailedEntries"]
        assert (answer["FailedEntryCount"], failed["TargetId"], failed["ErrorCode"]) == (
            1,
            "gone",
            "ResourceNotFoundException",
        )
        assert (await stage.call("ListTargetsByRule", Rule="orders"))["Targets"] == []

    run(scenario)


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("PutTargets", {"Targets": [{"Id": str(n), "Arn": QUEUE} for n in range(11)]}),
        ("RemoveTargets", {"Ids": [str(n) for n in range(11)]}),
    ],
)
def test_a_call_has_at_most_ten_entries(operation: str, params: dict[str, Any]) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule()

        code, message = await stage.refusal(operation, Rule="orders", **params)

        assert (code, "less than or equal to 10" in message) == ("ValidationException", True)

    run(scenario)


def test_a_fifo_queue_gets_its_messages_in_a_group() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule({"Arn": f"{QUEUE}.fifo", "SqsParameters": {"MessageGroupId": "g"}})

        await stage.receive()

        assert [sent.group for sent in stage.world.sent] == ["g"]

    run(scenario)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("{", "it is not JSON"),
        ("[]", "it lacks account, detail-type"),
        ('{"id": "1"}', "it lacks account, detail-type, region"),
    ],
)
def test_what_is_no_event_is_not_tested_against_a_pattern(event: str, said: str) -> None:
    async def scenario(stage: Stage) -> None:
        code, message = await stage.refusal("TestEventPattern", EventPattern='{"source": ["a"]}', Event=event)

        assert (code, said in message) == ("ValidationException", True), message

    run(scenario)
