"""The contract of EventBridge Scheduler, by what boto3 sees of it: what schedules call, and with what.

Each test is named after a rule of AWS and marked with how it is known (UG is the EventBridge Scheduler User Guide, API
its API Reference).
"""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.scheduler_account import REASON, RUN_TASK, SEND_MESSAGE, Account, refusal
from localaws.running import Running


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


@pytest.mark.reported("from a live account, wording included")
def test_camel_case_input_of_run_task_is_refused(account: Account) -> None:
    wanted = account.universal(RUN_TASK, {"taskDefinition": "report", "cluster": "main"})

    refused = refusal(account.scheduler.create_schedule, **account.asked(Target=wanted))

    assert refused == (400, "ValidationException", f"{REASON} is missing the following field(s): TaskDefinition.")


@pytest.mark.assumed("that it is refused, and the wording")
def test_an_unknown_member_of_a_universal_input_is_refused(account: Account) -> None:
    wanted = account.universal(RUN_TASK, {"TaskDefinition": "report", "Overrides": {"containerOverrides": []}})

    refused = refusal(account.scheduler.create_schedule, **account.asked(Target=wanted))

    assert refused[2] == f"{REASON} has the following unknown field(s): Overrides.containerOverrides."


@pytest.mark.documented('UG, "Using universal targets"')
@pytest.mark.localaws_only("it moves the clock")
def test_a_universal_target_sends_to_a_queue(account: Account) -> None:
    url = account.sqs.get_queue_url(QueueName="ticks")["QueueUrl"]
    account.freeze()
    arn = account.create(
        Target=account.universal(SEND_MESSAGE, {"QueueUrl": url, "MessageBody": "<aws.scheduler.schedule-arn>"})
    )

    account.aws.advance(60)

    assert account.bodies() == [arn]


@pytest.mark.documented('UG, "Using templated targets", Amazon SQS, and API: SqsParameters')
@pytest.mark.localaws_only("it moves the clock")
def test_a_fifo_queue_gets_its_messages_in_the_group_that_the_target_names(account: Account) -> None:
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = account.sqs.create_queue(QueueName="in-order.fifo", Attributes=attributes)["QueueUrl"]
    arn = f"{account.ticks.rpartition(':')[0]}:in-order.fifo"
    account.freeze()
    account.create(
        Target={"Arn": arn, "RoleArn": account.role, "Input": "tick", "SqsParameters": {"MessageGroupId": "g"}}
    )

    account.aws.advance(60)

    (message,) = account.sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"]
    assert (message["Body"], message["Attributes"]["MessageGroupId"]) == ("tick", "g")


@pytest.mark.documented("UG, templated targets: AWS takes these targets; localaws says that it does not fire them")
@pytest.mark.localaws_only("AWS takes these targets")
@pytest.mark.parametrize(
    ("arn", "members"),
    [
        ("arn:aws:lambda:eu-west-1:123456789012:function:f", {}),
        (
            "arn:aws:kinesis:eu-west-1:123456789012:stream/s",
            {"KinesisParameters": {"PartitionKey": "k"}},
        ),
        (
            "arn:aws:events:eu-west-1:123456789012:event-bus/default",
            {"EventBridgeParameters": {"DetailType": "d", "Source": "s"}},
        ),
    ],
)
def test_a_target_that_is_not_fired_is_refused_in_words(account: Account, arn: str, members: dict[str, Any]) -> None:
    wanted = {"Arn": arn, "RoleArn": account.role, "Input": "{}", **members}

    status, code, message = refusal(account.scheduler.create_schedule, **account.asked(Target=wanted))

    assert (status, code) == (400, "ValidationException")
    assert message.startswith(f"localaws does not fire the target {arn}: it fires ")


@pytest.mark.reported("boto/boto3#4370, the words before the colon")
def test_an_input_that_is_no_task_override_is_refused(account: Account) -> None:
    wanted = account.on_cluster({"VAR1": "string"})

    refused = refusal(account.scheduler.create_schedule, **account.asked(Target=wanted))

    assert refused[:2] == (400, "ValidationException")
    assert refused[2].startswith("Unable to convert target input to TaskOverride, JSON syntax error in input: ")


@pytest.mark.assumed("that it is looked at when the schedule is created; documented: API: EcsParameters")
@pytest.mark.parametrize(
    "parameters",
    [
        {"TaskDefinitionArn": "report:1"},
        {"LaunchType": "FARGATE", "NetworkConfiguration": None},
        {"CapacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]},
        {"TaskCount": 11},
        {"PropagateTags": "SERVICE"},
        {"Tags": [{"team": "a"}]},
    ],
    ids=["definition", "network", "launch type and strategy", "count", "propagation", "tags"],
)
def test_ecs_parameters_that_make_no_sense_are_refused(account: Account, parameters: dict[str, Any]) -> None:
    lenient = account.aws.client("scheduler", parameter_validation=False)

    refused = refusal(lenient.create_schedule, **account.asked(Target=account.on_cluster(**parameters)))

    assert refused[:2] == (400, "ValidationException")


@pytest.mark.localaws_only("it moves the clock")
class TestRunningTasks:
    """The universal target ecs:runTask and the templated ECS target, on ECS itself."""

    @pytest.fixture
    def ecs(self, account: Account) -> Any:
        account.freeze()
        client = account.aws.client("ecs")
        client.create_cluster(clusterName="main", capacityProviders=["FARGATE", "FARGATE_SPOT"])
        client.register_task_definition(
            family="report",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "aws-bg-task", "image": "report:1", "command": ["sleep", "1000"]}],
        )
        return client

    def request(self) -> dict[str, Any]:
        slot = {"Name": "BGT_SCHEDULED_TIME", "Value": "<aws.scheduler.scheduled-time>"}
        return {
            "Cluster": "main",
            "TaskDefinition": "report:1",
            "LaunchType": "FARGATE",
            "StartedBy": "reports",
            "ClientToken": "reports-nightly-<aws.scheduler.scheduled-time>",
            "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": ["subnet-1"], "AssignPublicIp": "DISABLED"}},
            "Overrides": {"ContainerOverrides": [{"Name": "aws-bg-task", "Environment": [slot]}]},
        }

    def tasks(self, ecs: Any) -> list[dict[str, Any]]:
        arns = ecs.list_tasks(cluster="main", family="report")["taskArns"]
        described = ecs.describe_tasks(cluster="main", tasks=arns, include=["TAGS"])["tasks"] if arns else []
        found: list[dict[str, Any]] = described
        return found

    @pytest.mark.documented('UG, "Using universal targets"')
    def test_a_schedule_runs_a_task_that_knows_its_slot(self, account: Account, ecs: Any) -> None:
        (slot,) = account.next_minutes(1)
        account.create(Target=account.universal(RUN_TASK, self.request()))

        account.aws.advance(60)

        (task,) = self.tasks(ecs)
        assert task["taskDefinitionArn"].endswith(":task-definition/report:1")
        (override,) = task["overrides"]["containerOverrides"]
        assert override["environment"] == [{"name": "BGT_SCHEDULED_TIME", "value": slot}]

    @pytest.mark.documented('ECS API Reference, "Ensuring idempotency"')
    def test_two_schedules_with_one_client_token_a_slot_run_one_task_a_slot(self, account: Account, ecs: Any) -> None:
        for name in ("day-of-month", "day-of-week"):
            account.create(name, Target=account.universal(RUN_TASK, self.request()))

        account.aws.advance(120)

        assert len(self.tasks(ecs)) == 2

    @pytest.mark.documented('API: RetryPolicy; ECS API Reference, "Ensuring idempotency"')
    def test_a_launch_whose_answer_was_lost_is_retried_and_runs_one_task(self, account: Account, ecs: Any) -> None:
        account.aws.fault("drop-after", "ecs", "RunTask", times=1)
        account.create(Target=account.universal(RUN_TASK, self.request()))

        account.aws.advance(65)

        runs = account.aws.journal(service="ecs", operation="RunTask")
        assert [run["principal"] for run in runs] == ["scheduler.amazonaws.com"] * 2
        assert len(self.tasks(ecs)) == 1

    @pytest.mark.documented('UG, "Using templated targets", Amazon ECS RunTask, and API: EcsParameters')
    def test_a_templated_target_runs_tasks_as_its_parameters_and_its_input_say(
        self, account: Account, ecs: Any
    ) -> None:
        (slot,) = account.next_minutes(1)
        told = {"name": "BGT_SCHEDULED_TIME", "value": "<aws.scheduler.scheduled-time>"}
        overrides = {
            "containerOverrides": [{"name": "aws-bg-task", "environment": [told]}],
            "cpu": "512",
            "memory": "1024",
        }
        tags = [{"key": "team", "value": "a"}]
        account.create(Target=account.on_cluster(overrides, TaskCount=2, Group="reports", Tags=tags))

        account.aws.advance(60)

        first, second = self.tasks(ecs)
        assert first["taskArn"] != second["taskArn"]
        (override,) = first["overrides"]["containerOverrides"]
        assert override["environment"] == [{"name": "BGT_SCHEDULED_TIME", "value": slot}]
        assert (first["cpu"], first["memory"], first["group"], first["tags"]) == ("512", "1024", "reports", tags)

    @pytest.mark.documented("API: EcsParameters, CapacityProviderStrategy")
    def test_a_templated_target_may_name_capacity_providers(self, account: Account, ecs: Any) -> None:
        strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
        account.create(Target=account.on_cluster(LaunchType=None, CapacityProviderStrategy=strategy))

        account.aws.advance(60)

        (task,) = self.tasks(ecs)
        assert task["capacityProviderName"] == "FARGATE_SPOT"

    @pytest.mark.reported("startedBy of tasks seen in public: chronos-schedule/mtsai-datalake-test")
    def test_a_templated_target_starts_tasks_in_the_name_of_the_schedule_cut_short(
        self, account: Account, ecs: Any
    ) -> None:
        account.create("mtsai-datalake-test-nightly", Target=account.on_cluster())

        account.aws.advance(60)

        (task,) = self.tasks(ecs)
        assert task["startedBy"] == "chronos-schedule/mtsai-datalake-test"
