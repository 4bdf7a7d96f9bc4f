"""Rules that run: by the clock, on tasks of ECS, twice, late, or not at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fixtures.bus import ACCOUNT, CLUSTER, DEAD, DEFINITION, EVENT, QUEUE, REGION, Stage, on_cluster, staged
from localaws.contract import AwsError, Params

NETWORK = {"awsvpcConfiguration": {"Subnets": ["subnet-1"], "AssignPublicIp": "DISABLED"}}


def run(scenario: Callable[[Stage], Awaitable[None]]) -> None:
    async def main() -> None:
        async with staged() as stage:
            await scenario(stage)

    asyncio.run(main())


def test_a_scheduled_rule_triggers_itself_with_an_event_that_names_it() -> None:
    async def scenario(stage: Stage) -> None:
        arn = await stage.rule({"Arn": QUEUE}, ScheduleExpression="cron(5 12 * * ? *)")

        await stage.after(hours=1)

        (sent,) = stage.world.sent
        event = json.loads(sent.body)
        assert event.pop("id")
        assert event == {
            "version": "0",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            "time": "2026-03-01T12:05:00Z",
            "region": REGION,
            "resources": [arn],
            "detail": {},
        }

    run(scenario)


def test_a_rate_is_first_due_one_period_after_the_rule_was_made() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule({"Arn": QUEUE}, ScheduleExpression="rate(10 minutes)")

        await stage.after(minutes=25)

        assert stage.moments() == ["12:10:30", "12:20:30"]

    run(scenario)


def test_a_rule_with_a_pattern_and_a_schedule_runs_on_both() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule({"Arn": QUEUE}, EventPattern='{"source": ["shop"]}', ScheduleExpression="rate(1 hour)")

        await stage.receive()
        await stage.after(hours=1)

        assert [json.loads(sent.body)["source"] for sent in stage.world.sent] == ["shop", "aws.events"]

    run(scenario)


def test_the_event_of_a_schedule_reaches_no_other_rule() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule(ScheduleExpression="rate(1 hour)")
        await stage.rule({"Arn": QUEUE}, name="other", EventPattern='{"source": ["aws.events"]}')

        await stage.after(hours=2)

        assert stage.world.sent == []

    run(scenario)


@pytest.mark.parametrize("ending", ["disable", "delete"])
def test_a_rule_that_was_disabled_or_deleted_is_silent(ending: str) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule({"Arn": QUEUE}, ScheduleExpression="rate(1 hour)")
        if ending == "disable":
            await stage.call("DisableRule", Name="orders")
        else:
            await stage.call("RemoveTargets", Rule="orders", Ids=["1"])
            await stage.call("DeleteRule", Name="orders")

        await stage.after(hours=3)

        assert stage.world.sent == []

    run(scenario)


def test_a_rule_that_is_enabled_again_makes_nothing_up_and_counts_from_its_creation() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule({"Arn": QUEUE}, ScheduleExpression="rate(1 hour)", State="DISABLED")
        await stage.after(hours=2, minutes=30)

        await stage.call("EnableRule", Name="orders")
        await stage.after(hours=1)

        assert stage.moments() == ["15:00:30"]

    run(scenario)


def test_an_update_with_another_schedule_replaces_the_old_one() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule({"Arn": QUEUE}, ScheduleExpression="rate(1 hour)")
        await stage.after(minutes=30)

        await stage.rule(ScheduleExpression="rate(20 minutes)")
        await stage.after(minutes=45)

        assert stage.moments() == ["12:50:30", "13:10:30"]

    run(scenario)


def test_an_update_with_the_same_schedule_goes_on_counting() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule({"Arn": QUEUE}, ScheduleExpression="rate(1 hour)")
        await stage.after(minutes=30)

        await stage.rule(ScheduleExpression="rate(1 hour)", Description="new")
        await stage.after(minutes=45)

        assert stage.moments() == ["13:00:30"]

    run(scenario)


def test_a_disabled_rule_hears_no_event() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule({"Arn": QUEUE}, State="DISABLED")

        await stage.receive()

        assert (stage.world.sent, stage.counts()) == ([], (0, 0, 0))

    run(scenario)


def test_an_update_without_its_schedule_ends_it() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule({"Arn": QUEUE}, ScheduleExpression="rate(1 hour)")

        await stage.rule()
        await stage.after(hours=3)

        assert stage.world.sent == []
        assert "ScheduleExpression" not in await stage.call("DescribeRule", Name="orders")

    run(scenario)


def test_a_task_is_run_as_the_parameters_say_and_nothing_of_the_event_is_passed_on() -> None:
    async def scenario(stage: Stage) -> None:
        parameters = {
            "TaskCount": 2,
            "LaunchType": "FARGATE",
            "NetworkConfiguration": NETWORK,
            "PlatformVersion": "1.4.0",
            "Group": "orders",
            "EnableECSManagedTags": True,
            "EnableExecuteCommand": True,
            "PropagateTags": "TASK_DEFINITION",
            "Tags": [{"Key": "team", "Value": "a"}],
        }
        await stage.rule(on_cluster(EcsParameters=parameters))

        await stage.receive()

        ((_, region, request),) = stage.world.asked
        assert region == REGION
        assert request == {
            "cluster": CLUSTER,
            "taskDefinition": DEFINITION,
            "count": 2,
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "DISABLED"}},
            "platformVersion": "1.4.0",
            "group": "orders",
            "enableECSManagedTags": True,
            "enableExecuteCommand": True,
            "propagateTags": "TASK_DEFINITION",
            "tags": [{"key": "team", "value": "a"}],
            "startedBy": "events-rule/orders",
        }

    run(scenario)


def test_the_transformed_event_is_the_override_of_the_task() -> None:
    async def scenario(stage: Stage) -> None:
        template = '{"containerOverrides": [{"name": "main", "environment": [{"name": "KIND", "value": <kind>}]}]}'
        transformer = {"InputPathsMap": {"kind": "$.detail.kind"}, "InputTemplate": template}
        await stage.rule(on_cluster(InputTransformer=transformer))

        await stage.receive()

        ((_, _, request),) = stage.world.asked
        environment = [{"name": "KIND", "value": "order"}]
        assert request["overrides"] == {"containerOverrides": [{"name": "main", "environment": environment}]}

    run(scenario)


def test_started_by_names_the_rule_in_thirty_six_characters() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule(on_cluster(), name="a-rule-with-a-name-of-some-length")

        await stage.receive()

        assert stage.world.asked[0][2]["startedBy"] == "events-rule/a-rule-with-a-name-of-so"

    run(scenario)


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (
            {"tasks": [{}], "failures": [{"reason": "RESOURCE:MEMORY"}, {"reason": "AGENT"}]},
            "SDK_CLIENT_ERROR",
            "RunTask started 1 tasks: AGENT, RESOURCE:MEMORY",
        ),
        (AwsError("ClusterNotFoundException", "Cluster not found."), "NO_RESOURCE", "Cluster not found."),
        (AwsError("AccessDeniedException", "no"), "NO_PERMISSIONS", "no"),
    ],
)
def test_a_launch_that_failed_for_good_counts_and_leaves_the_event_as_a_dead_letter(
    answer: Params | AwsError, code: str, message: str
) -> None:
    async def scenario(stage: Stage) -> None:
        arn = await stage.rule(on_cluster(DeadLetterConfig={"Arn": DEAD}, Input="{}"))
        stage.world.answers.append(answer)

        await stage.receive()

        (letter,) = stage.world.sent
        assert (letter.queue, json.loads(letter.body)) == (DEAD, EVENT)
        assert letter.attributes == {
            "RULE_ARN": arn,
            "TARGET_ARN": CLUSTER,
            "ERROR_CODE": code,
            "ERROR_MESSAGE": message,
            "RETRY_ATTEMPTS": "0",
        }
        assert stage.counts() == (1, 1, 1)

    run(scenario)


def test_a_launch_that_can_pass_is_tried_again() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule(on_cluster())
        stage.world.answers += [AwsError("ThrottlingException", "slow"), AwsError("ServerException", "x", status=500)]

        await stage.receive()
        await stage.after(seconds=10)

        assert len(stage.world.asked) == 3
        assert stage.counts() == (1, 1, 0)

    run(scenario)


def test_an_input_that_is_no_override_fails_for_good() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.rule(on_cluster(Input="[]"))

        await stage.receive()

        assert (stage.world.asked, stage.counts()) == ([], (1, 1, 1))

    run(scenario)


def test_a_rule_may_run_twice_on_one_event_and_late() -> None:
    async def scenario(stage: Stage) -> None:
        stage.events.drive({"deliver-twice": 1, "late-seconds": 30, "second-after-seconds": 60, "only": "ord*"})
        await stage.rule({"Arn": QUEUE})
        await stage.rule({"Arn": QUEUE}, name="other")

        await stage.receive()
        await stage.after(minutes=5)

        assert stage.moments() == ["12:00:30", "12:01:00", "12:02:00"]
        assert {count["arn"][-6:]: count["triggeredRules"] for count in stage.events.counts()} == {
            "orders": 2,
            "/other": 1,
        }

    run(scenario)


def test_a_scheduled_rule_may_run_twice_for_one_time() -> None:
    async def scenario(stage: Stage) -> None:
        stage.events.drive({"deliver-twice": 1})
        await stage.rule({"Arn": QUEUE}, ScheduleExpression="rate(1 hour)")

        await stage.after(hours=1)

        first, second = (json.loads(sent.body) for sent in stage.world.sent)
        assert first == second

    run(scenario)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"failing-entries": -1}, "'failing-entries' must be a whole number"),
        ({"failing-entries": True}, "'failing-entries' must be a whole number"),
        ({"reorder": 1}, "firings have no 'reorder'"),
    ],
)
def test_what_makes_no_sense_is_not_driven(wanted: dict[str, Any], said: str) -> None:
    async def scenario(stage: Stage) -> None:
        with pytest.raises(ValueError, match=said):
            stage.events.drive(wanted)
        assert stage.events.firing()["failing-entries"] == 0

    run(scenario)
