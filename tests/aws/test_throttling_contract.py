"""The contract of AWS's throttling, and of the order in which ECS's events come, by what boto3 sees of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.running import Running

DEFINITION: dict[str, Any] = {
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [{"name": "app", "image": "app:1", "command": ["true"]}],
}


def registered(aws: Running, times: int) -> list[str]:
    """What became of so many registrations: `ok` or the code of the refusal."""
    ecs, outcomes = aws.client("ecs"), []
    for number in range(times):
        try:
            ecs.register_task_definition(family=f"throttled-{number}", **DEFINITION)
            outcomes.append("ok")
        except ClientError as e:
            outcomes.append(e.response["Error"]["Code"])
    return outcomes


@pytest.mark.documented("Request throttling for the Amazon ECS API: task definition modify actions")
@pytest.mark.localaws_only("it stops the clock, and would throttle everybody else on the account")
def test_twenty_task_definitions_may_be_registered_at_once_and_then_one_a_second(aws: Running) -> None:
    aws.set_rate(0)
    aws.set_throttles("aws")

    at_once = registered(aws, 22)
    aws.advance(3)
    later = registered(aws, 5)

    assert at_once == ["ok"] * 20 + ["ThrottlingException"] * 2
    assert later == ["ok"] * 3 + ["ThrottlingException"] * 2


@pytest.mark.documented("Request throttling for the Amazon ECS API: the bucket of cluster read actions holds 50 tokens")
@pytest.mark.localaws_only("it stops the clock, and would throttle everybody else on the account")
def test_fifty_cluster_reads_may_be_made_at_once(aws: Running) -> None:
    aws.set_rate(0)
    aws.set_throttles("aws")
    ecs = aws.client("ecs")

    for _ in range(50):
        ecs.describe_clusters()

    with pytest.raises(ClientError, match="Rate exceeded"):
        ecs.describe_clusters()


@pytest.mark.documented("AWS Fargate throttling quotas: 100 tasks at once and 20 a second, On-Demand and Spot apart")
@pytest.mark.localaws_only("it stops the clock, and would run 230 tasks")
def test_a_hundred_tasks_may_be_launched_at_once_and_then_twenty_a_second(aws: Running) -> None:
    aws.set_rate(0)
    ecs = aws.client("ecs")
    ecs.create_cluster(clusterName="throttled", capacityProviders=["FARGATE_SPOT"])
    ecs.register_task_definition(family="many", **DEFINITION)
    aws.set_throttles("aws")
    spot = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]}

    at_once = _launched(aws, 11, launchType="FARGATE")
    of_spot = _launched(aws, 1, **spot)
    aws.advance(1)
    later = _launched(aws, 3, launchType="FARGATE")

    assert at_once == [10] * 10 + ["ThrottlingException"]
    assert of_spot == [10]
    assert later == [10, 10, "ThrottlingException"]


@pytest.mark.assumed("a throttled call has no effect; the API Reference calls it a request that failed")
@pytest.mark.localaws_only("it sets a limit")
def test_a_throttled_call_has_no_effect_and_stands_in_the_journal(aws: Running) -> None:
    limit = {"name": "one", "service": "ecs", "operations": ["RegisterTaskDefinition"], "burst": 1, "rate": 0}
    aws.set_throttles([limit])

    outcomes = registered(aws, 2)

    assert outcomes == ["ok", "ThrottlingException"]
    assert aws.client("ecs").list_task_definitions()["taskDefinitionArns"] == [
        f"arn:aws:ecs:{aws.region}:{aws.account}:task-definition/throttled-0:1"
    ]
    told = [(one["outcome"], one["effect"]) for one in aws.journal(operation="RegisterTaskDefinition")]
    assert told == [("ok", True), ("ThrottlingException", False)]


@pytest.mark.documented("ECS Developer Guide, Handling Amazon ECS events: at-least-once delivery, in any order")
@pytest.mark.localaws_only("it asks for what an account does now and then")
def test_events_of_a_task_may_come_twice_and_in_another_order(aws: Running) -> None:
    queue = _queue_of_events(aws)
    aws.set_event_habits(deliver_twice=1, reorder=0.5, seed=3)

    _run_to_its_end(aws)

    versions = _versions(aws, queue)
    assert versions != sorted(versions)
    assert all(versions.count(version) == 2 for version in versions)


def _launched(aws: Running, calls: int, **where: Any) -> list[int | str]:
    """What became of so many calls of RunTask for ten tasks each: how many it answers, or the code of the refusal."""
    ecs, outcomes = aws.client("ecs"), []
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    for _ in range(calls):
        wanted = {"taskDefinition": "many", "count": 10, "networkConfiguration": network, **where}
        try:
            outcomes.append(len(ecs.run_task(cluster="throttled", **wanted)["tasks"]))
        except ClientError as e:
            outcomes.append(e.response["Error"]["Code"])
    return outcomes


def _queue_of_events(aws: Running) -> str:
    sqs, events = aws.client("sqs"), aws.client("events")
    rule = events.put_rule(Name="tasks", EventPattern=json.dumps({"source": ["aws.ecs"]}))["RuleArn"]
    arn = f"arn:aws:sqs:{aws.region}:{aws.account}:tasks"
    allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Statement": [{**allow, "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": rule}}}]}
    url = sqs.create_queue(QueueName="tasks", Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
    events.put_targets(Rule="tasks", Targets=[{"Id": "queue", "Arn": arn}])
    return str(url)


def _run_to_its_end(aws: Running) -> None:
    ecs = aws.client("ecs")
    ecs.create_cluster(clusterName="throttled")
    ecs.register_task_definition(family="eventful", **DEFINITION)
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    ran = ecs.run_task(
        cluster="throttled", taskDefinition="eventful", launchType="FARGATE", networkConfiguration=network
    )
    arn = ran["tasks"][0]["taskArn"]
    waiter = ecs.get_waiter("tasks_stopped")
    waiter.config.delay, waiter.config.max_attempts = 0.1, 300
    waiter.wait(cluster="throttled", tasks=[arn])


def _versions(aws: Running, queue: str) -> list[int]:
    """The versions of the events that came, in the order in which they were sent to the queue."""
    aws.advance(5)
    aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
    sent = [one["params"] for one in aws.journal(operation="SendMessage")]
    return [json.loads(one["MessageBody"])["detail"]["version"] for one in sent]
