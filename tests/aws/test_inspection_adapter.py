"""What people ask of AWS is answered by the adapter as the memory of tests answers it, over localaws."""

from __future__ import annotations

import pytest

from backgroundtask.aws import Cloud, Clouds, Pacing
from backgroundtask.cli.provision import Provisioned, provision
from backgroundtask.errors import Blocked
from backgroundtask.plan.comparison import of_definitions
from backgroundtask.plan.definition import Definition, EfsVolume, Logs
from backgroundtask.plan.names import Owner
from fixtures.fake_clouds import UNHURRIED
from localaws.running import Running

INSTALLATION = "test"
DEFINITION = Definition(
    owner=Owner(INSTALLATION, "reports", "nightly"),
    image="reports:1",
    cpu=256,
    memory=512,
    command=("python", "-m", "reports"),
    env={"B": "2", "A": "1", "EMPTY": ""},
    secrets={"TOKEN": "/reports/token"},
    execution_role="arn:aws:iam::123456789012:role/execution",
    storage=30,
    stop_timeout=30,
    logs=Logs(group="/bgt/test", region="eu-west-1", stream_prefix="reports/nightly", mode="non-blocking"),
    volumes=(EfsVolume(name="data", mount_path="/data", file_system="fs-0123456789abcdef0"),),
    tags={"cost": "1"},
)


@pytest.fixture
def cloud(aws: Running, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    clouds = Clouds(installation=INSTALLATION, pacing=Pacing(UNHURRIED))
    return clouds.of(region=aws.region, assume_role_arn=None, template="default")


@pytest.fixture
def made(aws: Running) -> Provisioned:
    return provision(INSTALLATION, aws.environment)


def test_who_calls_is_told_with_the_account(aws: Running, cloud: Cloud) -> None:
    assert cloud.inspection.caller().split(":")[4] == aws.account


def test_what_was_registered_does_not_differ_from_what_ecs_describes(cloud: Cloud) -> None:
    revision = cloud.ecs.register(DEFINITION, "uid-1")

    content = cloud.inspection.definition(revision.arn)

    assert of_definitions(content, DEFINITION) == ()


def test_the_services_that_a_role_trusts_are_told_and_a_role_that_is_not_there(cloud: Cloud, made: Provisioned) -> None:
    execution, scheduler = cloud.inspection.trust(made.execution_role), cloud.inspection.trust(made.scheduler_role)

    assert execution is not None
    assert execution.services == {"ecs-tasks.amazonaws.com"}
    assert scheduler is not None
    assert "scheduler.amazonaws.com" in scheduler.services
    assert cloud.inspection.trust(f"{made.execution_role}-2") is None


def test_the_rule_that_feeds_a_queue_is_told_with_its_state_and_pattern(
    aws: Running, cloud: Cloud, made: Provisioned
) -> None:
    [feed] = cloud.inspection.feeds(made.events)
    aws.client("events").disable_rule(Name=feed.name)
    [off] = cloud.inspection.feeds(made.events)

    assert (feed.is_enabled, off.is_enabled) == (True, False)
    assert feed.pattern is not None
    assert feed.arn.endswith(f":rule/{feed.name}")
    assert cloud.inspection.feeds(made.ticks) == ()


def test_a_pattern_is_judged_as_eventbridge_judges_it(cloud: Cloud) -> None:
    event = {
        "id": "1", "version": "0", "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": "eu-west-1",
        "resources": [], "source": "aws.ecs", "detail-type": "ECS Task State Change",
        "detail": {"group": "family:bgt_a_"},
    }  # fmt: skip

    assert cloud.inspection.matches('{"detail": {"group": [{"prefix": "family:bgt_a_"}]}}', event)
    assert not cloud.inspection.matches('{"detail": {"group": [{"prefix": "family:bgt_b_"}]}}', event)


def test_the_policy_of_a_queue_is_told_and_none_where_it_has_none(
    aws: Running, cloud: Cloud, made: Provisioned
) -> None:
    url = aws.client("sqs").create_queue(QueueName="closed")["QueueUrl"]
    arn = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    assert any(one["Principal"] == {"Service": "events.amazonaws.com"} for one in cloud.inspection.senders(made.events))
    assert cloud.inspection.senders(arn) == ()


def test_a_queue_that_is_not_there_has_no_policy_to_tell(cloud: Cloud, made: Provisioned) -> None:
    with pytest.raises(Blocked) as refused:
        cloud.inspection.senders(f"{made.events}-2")

    assert refused.value.reason == "QueueNotFound"
