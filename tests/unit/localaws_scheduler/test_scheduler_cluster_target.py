"""The templated ECS target: what is asked of ECS, and what is refused when the schedule is created."""

from __future__ import annotations

import asyncio
import datetime as dt
import json

import pytest

from fixtures.scheduling import ACCOUNT, REGION, ROLE, START, staged
from localaws.contract import AwsError, Params
from localaws.scheduler.invocation import Attempt
from localaws.scheduler.target import read_target

CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/main"
DEFINITION = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/report:1"
NETWORK = {"awsvpcConfiguration": {"Subnets": ["subnet-1"], "SecurityGroups": ["sg-1"], "AssignPublicIp": "ENABLED"}}


def wanted(text: str | None = None, **parameters: object) -> Params:
    given: Params = {"Arn": CLUSTER, "RoleArn": ROLE, "EcsParameters": {"TaskDefinitionArn": DEFINITION} | parameters}
    return given if text is None else given | {"Input": text}


def asked_of_ecs(target: Params, name: str = "nightly") -> Params:
    attempt = Attempt(
        schedule_arn=f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{name}",
        scheduled_time=START,
        execution_id="id-1",
        number=1,
    )
    invocation = read_target(target, REGION).invocation(attempt)
    assert (invocation.service, invocation.operation, invocation.region) == ("ecs", "RunTask", REGION)
    assert json.loads(invocation.body) == invocation.params
    return invocation.params


def test_the_least_that_a_target_says_runs_one_task_of_the_definition() -> None:
    assert asked_of_ecs(wanted()) == {
        "cluster": CLUSTER,
        "taskDefinition": DEFINITION,
        "count": 1,
        "startedBy": "chronos-schedule/nightly",
    }


def test_every_ecs_parameter_reaches_ecs_under_its_name_there() -> None:
    target = wanted(
        TaskCount=3,
        LaunchType="FARGATE",
        NetworkConfiguration=NETWORK,
        PlatformVersion="1.4.0",
        Group="reports",
        EnableECSManagedTags=True,
        EnableExecuteCommand=True,
        PlacementConstraints=[{"type": "distinctInstance"}],
        PlacementStrategy=[{"type": "spread", "field": "host"}],
        PropagateTags="TASK_DEFINITION",
        ReferenceId="r",
        Tags=[{"key": "team", "value": "a"}],
    )

    assert asked_of_ecs(target) == {
        "cluster": CLUSTER,
        "taskDefinition": DEFINITION,
        "count": 3,
        "launchType": "FARGATE",
        "networkConfiguration": {
            "awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}
        },
        "platformVersion": "1.4.0",
        "group": "reports",
        "enableECSManagedTags": True,
        "enableExecuteCommand": True,
        "placementConstraints": [{"type": "distinctInstance"}],
        "placementStrategy": [{"type": "spread", "field": "host"}],
        "propagateTags": "TASK_DEFINITION",
        "referenceId": "r",
        "tags": [{"key": "team", "value": "a"}],
        "startedBy": "chronos-schedule/nightly",
    }


def test_a_capacity_provider_strategy_takes_the_place_of_the_launch_type() -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]

    request = asked_of_ecs(wanted(CapacityProviderStrategy=strategy, NetworkConfiguration=NETWORK))

    assert (request["capacityProviderStrategy"], "launchType" in request) == (strategy, False)


def test_the_input_is_the_task_override_with_its_context_attributes_filled_in() -> None:
    slot = {"name": "SLOT", "value": "<aws.scheduler.scheduled-time>"}

    request = asked_of_ecs(wanted(json.dumps({"containerOverrides": [{"name": "main", "environment": [slot]}]})))

    assert request["overrides"] == {
        "containerOverrides": [{"name": "main", "environment": [{"name": "SLOT", "value": "2026-06-01T12:00:30Z"}]}]
    }


def test_started_by_names_the_schedule_in_thirty_six_characters() -> None:
    request = asked_of_ecs(wanted(), "mtsai-datalake-test-of-everything")

    assert request["startedBy"] == "chronos-schedule/mtsai-datalake-test"
    assert len(request["startedBy"]) == 36


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"Arn": CLUSTER, "RoleArn": ROLE}, "EcsParameters must be specified"),
        (wanted(TaskDefinitionArn="report:1"), "must be the ARN of a task definition"),
        (wanted(LaunchType="FARGATE"), "NetworkConfiguration is required where LaunchType is FARGATE"),
        (
            wanted(LaunchType="EC2", CapacityProviderStrategy=[{"capacityProvider": "c"}]),
            "LaunchType must be omitted where CapacityProviderStrategy is specified",
        ),
        (wanted(Tags=[{"team": "a"}]), "Tags must hold maps of a key and a value"),
        (wanted("{"), "JSON syntax error in input: it is not valid JSON"),
        (wanted("[]"), "the payload itself"),
        (wanted('{"VAR1": "hunter2"}'), "JSON syntax error in input: it has the following unknown field(s): VAR1."),
        (wanted('{"ContainerOverrides": []}'), "unknown field(s): ContainerOverrides"),
        (wanted('{"containerOverrides": [{"command": "run"}]}'), "wrong type: containerOverrides[0].command"),
        (wanted() | {"SqsParameters": {"MessageGroupId": "g"}}, "SqsParameters cannot be specified for the target"),
    ],
)
def test_an_ecs_target_is_refused(target: Params, said: str) -> None:
    with pytest.raises(AwsError) as refused:
        read_target(target, REGION)

    assert refused.value.code == "ValidationException"
    assert said in refused.value.message
    assert "hunter2" not in refused.value.message


def test_the_task_is_run_in_the_region_of_its_cluster() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            far = wanted() | {"Arn": CLUSTER.replace(REGION, "us-east-1")}
            await stage.create(Target=far)

            await stage.after(minutes=1)

            (started,) = stage.world.started
            assert (started.region, started.at) == ("us-east-1", START.replace(second=0) + dt.timedelta(minutes=1))

    asyncio.run(scenario())
