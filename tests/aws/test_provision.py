"""What `bgt local up` makes in an AWS: found again by a second start, and working together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backgroundtask.api.parsing import parse_template
from backgroundtask.cli.provision import Provisioned, provision
from backgroundtask.errors import Blocked
from localaws import Running


def test_a_second_start_finds_what_the_first_made(aws: Running) -> None:
    first = provision("local", aws.environment)

    assert provision("local", aws.environment) == first
    assert len(aws.client("sqs").list_queues()["QueueUrls"]) == 4
    assert len(aws.client("ecs").list_clusters()["clusterArns"]) == 1


def test_what_an_older_start_made_for_schedules_serves_rules_after_the_next(aws: Running) -> None:
    allowed = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    aws.client("iam").create_role(RoleName="bgt-local-scheduler", AssumeRolePolicyDocument=trust)
    aws.client("sqs").create_queue(QueueName="bgt-local-ticks")

    made = provision("local", aws.environment)

    events, arn = aws.client("events"), f"arn:aws:events:{aws.region}:{aws.account}:rule/hourly"
    assert events.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")["RuleArn"] == arn
    parameters = {"TaskDefinitionArn": f"arn:aws:ecs:{aws.region}:{aws.account}:task-definition/hello:1"}
    starts = {"Id": "starts", "Arn": made.cluster, "RoleArn": made.scheduler_role, "EcsParameters": parameters}
    answer = events.put_targets(Rule="hourly", Targets=[starts, {"Id": "ticks", "Arn": made.ticks}])
    assert answer["FailedEntryCount"] == 0
    aws.advance(3600)
    assert [one["resources"] for one in _received(aws, "bgt-local-ticks")] == [[arn]]


def test_two_installations_share_nothing_but_the_subnets(aws: Running) -> None:
    one, other = provision("one", aws.environment), provision("other", aws.environment)

    assert one.subnets == other.subnets
    assert not {one.cluster, one.events, one.ticks, one.task_role} & {
        other.cluster,
        other.events,
        other.ticks,
        other.task_role,
    }


def test_the_template_is_one_that_the_operator_takes(aws: Running) -> None:
    template = provision("local", aws.environment).template("/bgt/local")

    parsed = parse_template({**template, "metadata": {**template["metadata"], "uid": "1", "generation": 1}})

    assert parsed.spec.namespaces == ("*",)
    assert parsed.spec.region == aws.region


@pytest.mark.parametrize(
    ("family", "arrives", "why"),
    [
        ("bgt_local_default_hello", True, "a task of this installation"),
        ("bgt_other_default_hello", False, "a task of another one in the same cluster"),
        ("hello", False, "a stranger's task"),
    ],
)
def test_events_of_our_tasks_alone_come_into_the_queue(aws: Running, family: str, *, arrives: bool, why: str) -> None:
    made = provision("local", aws.environment)

    _run(aws, made, family)
    aws.advance(300)

    seen = _received(aws, "bgt-local-events")
    assert bool(seen) is arrives, why
    assert all(one["detail"]["group"] == f"family:{family}" for one in seen)


def test_what_cannot_be_read_ends_in_the_poison_queue(aws: Running) -> None:
    provision("local", aws.environment)
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName="bgt-local-events")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="nonsense")

    for _ in range(6):
        sqs.receive_message(QueueUrl=url)
        aws.advance(61)

    poison = sqs.get_queue_url(QueueName="bgt-local-events-poison")["QueueUrl"]
    assert [one["Body"] for one in sqs.receive_message(QueueUrl=poison).get("Messages", [])] == ["nonsense"]


def test_a_refusal_says_what_aws_refused(aws: Running) -> None:
    aws.fault(
        "error",
        "iam",
        "CreateRole",
        code="AccessDenied",
        message="not authorized to perform: iam:CreateRole",
        status=403,
    )

    with pytest.raises(Blocked, match="AWS refuses CreateRole: AccessDenied: not authorized to perform") as refused:
        provision("local", aws.environment)

    assert refused.value.reason == "ProvisioningRefused"


def test_an_account_without_default_subnets_is_told_what_to_do(aws: Running) -> None:
    ec2 = aws.client("ec2")
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])

    with pytest.raises(Blocked, match="no default VPC in eu-west-1: create one, or set AWS_REGION"):
        provision("local", aws.environment)


def _run(aws: Running, made: Provisioned, family: str) -> None:
    ecs = aws.client("ecs")
    ecs.register_task_definition(
        family=family,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "aws-bg-task", "image": "busybox:1", "command": ["true"]}],
    )
    network = {"awsvpcConfiguration": {"subnets": list(made.subnets)}}
    ecs.run_task(cluster=made.cluster, taskDefinition=family, launchType="FARGATE", networkConfiguration=network)


def _received(aws: Running, name: str) -> list[dict[str, Any]]:
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(one["Body"]) for one in messages]
