"""The contract of EventBridge Scheduler, by what boto3 sees of it.

Each test is named after a rule of AWS and says in its docstring how it is known: documented (UG is the EventBridge
Scheduler User Guide, API its API Reference), reported from the field, or assumed. What moves the clock or injects a
fault needs localaws; the rest could be asked of an account.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.running import Running

RUN_TASK = "arn:aws:scheduler:::aws-sdk:ecs:runTask"
SEND_MESSAGE = "arn:aws:scheduler:::aws-sdk:sqs:sendMessage"
GROUP = "bgt-contract"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
REASON = "Invalid RequestJson provided. Reason Request payload"


class Account:
    """What the tests do on an account: a role, a group, a queue `ticks`, one for dead letters, and a frozen clock."""

    def __init__(self, aws: Running) -> None:
        aws.set_rate(0)
        self.aws = aws
        self.scheduler = aws.client("scheduler")
        self.sqs = aws.client("sqs")
        self.role: str = aws.client("iam").create_role(
            RoleName="scheduler", AssumeRolePolicyDocument=json.dumps(TRUST)
        )["Role"]["Arn"]
        self.scheduler.create_schedule_group(Name=GROUP)
        self.ticks, self.dead_letters = (self._queue(name) for name in ("ticks", "dead-letters"))

    def create(self, name: str = "nightly", **members: Any) -> str:
        arn: str = self.scheduler.create_schedule(**self.asked(name, **members))["ScheduleArn"]
        return arn

    def asked(self, name: str = "nightly", **members: Any) -> dict[str, Any]:
        return {
            "Name": name,
            "GroupName": GROUP,
            "ScheduleExpression": "cron(* * * * ? *)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": self.tick(),
            **members,
        }

    def tick(self, text: str = "<aws.scheduler.scheduled-time>", **members: Any) -> dict[str, Any]:
        return {"Arn": self.ticks, "RoleArn": self.role, "Input": text, **members}

    def universal(self, arn: str, request: object, **members: Any) -> dict[str, Any]:
        return {"Arn": arn, "RoleArn": self.role, "Input": json.dumps(request), **members}

    def get(self, name: str = "nightly") -> dict[str, Any]:
        answer: dict[str, Any] = self.scheduler.get_schedule(Name=name, GroupName=GROUP)
        return answer

    def now(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.aws.control("GET", "clock")["now"])

    def next_minutes(self, count: int) -> list[str]:
        first = self.now().replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
        return [f"{first + dt.timedelta(minutes=n):%Y-%m-%dT%H:%M:%SZ}" for n in range(count)]

    def received(self, queue: str = "ticks") -> list[dict[str, Any]]:
        url = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        found: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            found += messages
        return found

    def bodies(self) -> list[str]:
        return sorted(message["Body"] for message in self.received())

    def _queue(self, name: str) -> str:
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        arn: str = attributes["QueueArn"]
        return arn


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


def refusal(call: Callable[..., Any], **params: Any) -> tuple[int, str, str]:
    """HTTP status, code and message of a refused call."""
    with pytest.raises(ClientError) as refused:
        call(**params)
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def test_a_schedule_is_read_back_as_it_was_sent_with_defaults_added(account: Account) -> None:
    """documented: API: GetSchedule; reported: Terraform's provider for the defaults of zone and retry policy."""
    start = (account.now() + dt.timedelta(hours=1)).replace(microsecond=0)

    arn = account.create(Description="of reports", StartDate=start)

    got = account.get()
    assert arn == f"arn:aws:scheduler:eu-west-1:123456789012:schedule/{GROUP}/nightly"
    assert (got["Arn"], got["GroupName"], got["Name"], got["Description"]) == (arn, GROUP, "nightly", "of reports")
    assert (got["State"], got["ScheduleExpressionTimezone"], got["ActionAfterCompletion"]) == ("ENABLED", "UTC", "NONE")
    assert got["StartDate"] == start
    assert abs(got["CreationDate"] - account.now()) < dt.timedelta(seconds=1)
    assert got["Target"] == {
        **account.tick(),
        "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185},
    }


def test_an_update_replaces_the_whole_schedule(account: Account) -> None:
    """documented: API: UpdateSchedule."""
    retry = {"MaximumEventAgeInSeconds": 3000, "MaximumRetryAttempts": 3}
    account.create(
        State="DISABLED",
        Description="of reports",
        ScheduleExpressionTimezone="Europe/Berlin",
        Target=account.tick(DeadLetterConfig={"Arn": account.dead_letters}, RetryPolicy=retry),
    )

    account.scheduler.update_schedule(**account.asked())

    got = account.get()
    assert (got["State"], got["ScheduleExpressionTimezone"]) == ("ENABLED", "UTC")
    assert "Description" not in got
    assert "DeadLetterConfig" not in got["Target"]
    assert got["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}


def test_a_name_conflicts_within_its_group_only(account: Account) -> None:
    """documented: API: CreateSchedule, Errors; reported: the wording."""
    account.create()

    refused = refusal(account.scheduler.create_schedule, **account.asked())
    account.create(GroupName="default")

    assert refused == (409, "ConflictException", "Schedule nightly already exists.")


def test_what_does_not_exist_is_not_found(account: Account) -> None:
    """documented: API: Errors; reported: the wording."""
    gone = (404, "ResourceNotFoundException", "Schedule gone does not exist.")
    no_group = (404, "ResourceNotFoundException", "Schedule group gone does not exist.")
    client = account.scheduler

    assert refusal(client.get_schedule, Name="gone", GroupName=GROUP) == gone
    assert refusal(client.delete_schedule, Name="gone", GroupName=GROUP) == gone
    assert refusal(client.update_schedule, **account.asked("gone")) == gone
    assert refusal(client.create_schedule, **account.asked(GroupName="gone")) == no_group
    assert refusal(client.list_schedules, GroupName="gone") == no_group
    assert refusal(client.get_schedule_group, Name="gone") == no_group
    assert refusal(client.delete_schedule_group, Name="gone") == no_group


def test_a_repeated_request_with_its_client_token_is_answered_alike(account: Account) -> None:
    """documented: API: ClientToken."""
    client = account.scheduler

    created = {account.create(ClientToken="create") for _ in range(2)}
    groups = {client.create_schedule_group(Name="g", ClientToken="group")["ScheduleGroupArn"] for _ in range(2)}
    for _ in range(2):
        client.delete_schedule(Name="nightly", GroupName=GROUP, ClientToken="delete")

    assert len(created) == len(groups) == 1
    assert client.list_schedules(GroupName=GROUP)["Schedules"] == []


@pytest.mark.parametrize("action", ["drop-after", "drop-before"])
def test_a_create_whose_answer_was_lost_can_be_retried_by_the_sdk(account: Account, action: str) -> None:
    """documented: API: ClientToken, which SDKs send by themselves."""
    patient = account.aws.client("scheduler", retries=True)
    account.aws.fault(action, "scheduler", "CreateSchedule", times=1)

    arn = patient.create_schedule(**account.asked())["ScheduleArn"]

    assert arn == account.get()["Arn"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"ScheduleExpression": "rate(30 seconds)"}, "Invalid Schedule Expression rate(30 seconds)."),
        (
            {"ScheduleExpression": "cron(*/30 * * * * ? *)"},
            "Invalid Schedule Expression cron(*/30 * * * * ? *).",
        ),
        (
            {"ScheduleExpression": "at(2026-09-08T03:54:26.439)"},
            "Invalid Schedule Expression at(2026-09-08T03:54:26.439).",
        ),
        (
            {"StartDate": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)},
            "The StartDate you specify cannot be earlier than 5 minutes ago.",
        ),
    ],
)
def test_a_request_is_refused_in_these_words(account: Account, members: dict[str, Any], message: str) -> None:
    """reported: each of them from a live account."""
    account.create("there")

    assert refusal(account.scheduler.create_schedule, **account.asked(**members)) == (
        400,
        "ValidationException",
        message,
    )
    assert refusal(account.scheduler.update_schedule, **account.asked("there", **members))[2] == message


@pytest.mark.parametrize(
    "members",
    [
        {"ScheduleExpressionTimezone": "Europe/Foo"},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1441}},
        {"Name": "n" * 65},
        {"Name": "a b"},
        {"State": "PAUSED"},
        {"ScheduleExpression": "cron(" + "0," * 130 + "0 * * * ? *)"},
    ],
    ids=["zone", "window", "window length", "name length", "name", "state", "expression length"],
)
def test_a_request_out_of_bounds_is_refused(account: Account, members: dict[str, Any]) -> None:
    """documented: API: CreateSchedule, its constraints."""
    lenient = account.aws.client("scheduler", parameter_validation=False)

    status, code, _ = refusal(lenient.create_schedule, **account.asked(**members))

    assert (status, code) == (400, "ValidationException")
    assert account.scheduler.list_schedules()["Schedules"] == []


@pytest.mark.parametrize(
    "policy",
    [
        {"MaximumEventAgeInSeconds": 59},
        {"MaximumEventAgeInSeconds": 86401},
        {"MaximumRetryAttempts": 186},
        {"MaximumRetryAttempts": -1},
    ],
)
def test_a_retry_policy_has_bounds(account: Account, policy: dict[str, int]) -> None:
    """documented: API: RetryPolicy."""
    lenient = account.aws.client("scheduler", parameter_validation=False)

    refused = refusal(lenient.create_schedule, **account.asked(Target=account.tick(RetryPolicy=policy)))

    assert refused[:2] == (400, "ValidationException")


def test_an_execution_role_must_exist_and_trust_scheduler(account: Account) -> None:
    """documented: UG, "Setting up the execution role"; reported: the wording."""
    other = json.dumps(TRUST).replace("scheduler.amazonaws.com", "events.amazonaws.com")
    role = account.aws.client("iam").create_role(RoleName="rules", AssumeRolePolicyDocument=other)["Role"]["Arn"]
    message = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."

    for arn in (role, role.replace("rules", "gone")):
        refused = refusal(account.scheduler.create_schedule, **account.asked(Target=account.tick(RoleArn=arn)))

        assert refused == (400, "ValidationException", message)


def test_camel_case_input_of_run_task_is_refused(account: Account) -> None:
    """reported: from a live account, wording included."""
    wanted = account.universal(RUN_TASK, {"taskDefinition": "report", "cluster": "main"})

    refused = refusal(account.scheduler.create_schedule, **account.asked(Target=wanted))

    assert refused == (400, "ValidationException", f"{REASON} is missing the following field(s): TaskDefinition.")


def test_an_unknown_member_of_a_universal_input_is_refused(account: Account) -> None:
    """assumed: that it is refused, and the wording."""
    wanted = account.universal(RUN_TASK, {"TaskDefinition": "report", "Overrides": {"containerOverrides": []}})

    refused = refusal(account.scheduler.create_schedule, **account.asked(Target=wanted))

    assert refused[2] == f"{REASON} has the following unknown field(s): Overrides.containerOverrides."


def test_schedules_are_listed_by_group_prefix_and_state_in_pages(account: Account) -> None:
    """documented: API: ListSchedules."""
    for name in ("a-1", "a-2", "b-1"):
        account.create(name)
    account.create("a-3", State="DISABLED")
    account.create("a-1", GroupName="default")
    pages = account.scheduler.get_paginator("list_schedules")

    def listed(**params: Any) -> list[str]:
        found = pages.paginate(PaginationConfig={"PageSize": 2}, **params).build_full_result()["Schedules"]
        return [f"{entry['GroupName']}/{entry['Name']}" for entry in found]

    assert listed(GroupName=GROUP) == [f"{GROUP}/{name}" for name in ("a-1", "a-2", "a-3", "b-1")]
    assert listed(GroupName=GROUP, State="DISABLED") == [f"{GROUP}/a-3"]
    assert listed(NamePrefix="a-1") == [f"{GROUP}/a-1", "default/a-1"]
    assert len(listed()) == 5


def test_a_group_has_tags_and_a_schedule_has_none(account: Account) -> None:
    """documented: API: TagResource."""
    tags = [{"Key": "cluster", "Value": "1"}]
    arn = account.scheduler.create_schedule_group(Name="g", Tags=tags)["ScheduleGroupArn"]
    lenient = account.aws.client("scheduler", parameter_validation=False)

    account.scheduler.tag_resource(ResourceArn=arn, Tags=[{"Key": "owner", "Value": "a"}])
    account.scheduler.untag_resource(ResourceArn=arn, TagKeys=["cluster"])

    assert account.scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "owner", "Value": "a"}]
    refused = refusal(lenient.list_tags_for_resource, ResourceArn=account.create())
    assert refused[:2] == (400, "ValidationException")


def test_a_group_is_deleted_in_the_background_with_its_schedules(account: Account) -> None:
    """documented: API: DeleteScheduleGroup; assumed: how long it takes."""
    account.create(State="DISABLED")

    account.scheduler.delete_schedule_group(Name=GROUP)

    assert account.scheduler.get_schedule_group(Name=GROUP)["State"] == "DELETING"
    account.aws.advance(60)
    assert refusal(account.scheduler.get_schedule_group, Name=GROUP)[:2] == (404, "ResourceNotFoundException")
    assert account.scheduler.list_schedules()["Schedules"] == []


def test_the_default_group_cannot_be_deleted_nor_a_group_created_twice(account: Account) -> None:
    """documented: UG, "Managing a schedule group"; assumed: the wording for the default one."""
    refused = refusal(account.scheduler.delete_schedule_group, Name="default")
    twice = refusal(account.scheduler.create_schedule_group, Name=GROUP)

    assert refused[:2] == (400, "ValidationException")
    assert twice == (409, "ConflictException", f"Schedule group {GROUP} already exists.")


def test_every_slot_fires_with_its_own_scheduled_time_however_the_clock_moves(account: Account) -> None:
    """documented: UG, "Cron-based schedules" and "Adding context attributes"."""
    account.create()
    slots = account.next_minutes(60)

    account.aws.advance(3600)

    assert account.bodies() == slots


def test_a_disabled_or_deleted_schedule_does_not_fire(account: Account) -> None:
    """documented: UG, "Changing the schedule state"."""
    account.create("disabled", State="DISABLED")
    account.create("deleted")
    account.scheduler.delete_schedule(Name="deleted", GroupName=GROUP)

    account.aws.advance(600)

    assert account.received() == []


def test_a_rate_without_start_date_starts_at_once(account: Account) -> None:
    """documented: UG, "Rate-based schedules"."""
    first = account.now()
    account.create(ScheduleExpression="rate(2 hours)")

    account.aws.advance(2 * 3600)

    assert account.bodies() == [f"{first + dt.timedelta(hours=n):%Y-%m-%dT%H:%M:%SZ}" for n in (0, 2)]


def test_a_one_time_schedule_fires_once_in_its_time_zone_and_deletes_itself_if_told_to(account: Account) -> None:
    """documented: UG, "One-time schedules" and "Deleting a schedule"."""
    moment = (account.now() + dt.timedelta(hours=3)).replace(microsecond=0)
    tokyo = moment + dt.timedelta(hours=9)
    account.create(
        ScheduleExpression=f"at({tokyo:%Y-%m-%dT%H:%M:%S})",
        ScheduleExpressionTimezone="Asia/Tokyo",
        ActionAfterCompletion="DELETE",
    )

    account.aws.advance(3 * 86400)

    assert account.bodies() == [f"{moment:%Y-%m-%dT%H:%M:%SZ}"]
    assert account.scheduler.list_schedules()["Schedules"] == []


def test_a_one_time_schedule_in_the_past_is_taken_and_fires_at_once(account: Account) -> None:
    """reported: measured on a live account."""
    account.create(ScheduleExpression="at(2024-01-01T00:00:00)")

    account.aws.advance(1)

    assert account.bodies() == ["2024-01-01T00:00:00Z"]


def test_a_universal_target_sends_to_a_queue(account: Account) -> None:
    """documented: UG, "Using universal targets"."""
    url = account.sqs.get_queue_url(QueueName="ticks")["QueueUrl"]
    arn = account.create(
        Target=account.universal(SEND_MESSAGE, {"QueueUrl": url, "MessageBody": "<aws.scheduler.schedule-arn>"})
    )

    account.aws.advance(60)

    assert account.bodies() == [arn]


def test_a_failing_target_is_retried_and_told_the_number_of_the_attempt(account: Account) -> None:
    """documented: API: RetryPolicy; UG, "Adding context attributes"."""
    account.create(Target=account.tick("attempt <aws.scheduler.attempt-number>"))
    account.aws.fault("error", "sqs", "SendMessage", code="ServiceUnavailable", status=503, times=2)

    account.aws.advance(66)

    assert account.bodies() == ["attempt 3"]


def test_an_exhausted_retry_policy_makes_a_dead_letter(account: Account) -> None:
    """documented: UG, "Configuring a dead-letter queue"; reported: the names of the attributes."""
    account.aws.fault("error", "ecs", "RunTask", code="ServerException", message="not now", status=500)
    policy = {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60}
    request = {"TaskDefinition": "report", "StartedBy": "a"}
    arn = account.create(
        Target=account.universal(RUN_TASK, request, RetryPolicy=policy, DeadLetterConfig={"Arn": account.dead_letters})
    )
    (slot,) = account.next_minutes(1)

    account.aws.advance(70)

    (letter,) = account.received("dead-letters")
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert json.loads(letter["Body"]) == request
    assert attributes.pop("EXECUTION_ID")
    assert attributes == {
        "ERROR_CODE": "ServerException",
        "ERROR_MESSAGE": "not now",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "1",
        "SCHEDULED_TIME": slot,
        "SCHEDULE_ARN": arn,
        "TARGET_ARN": RUN_TASK,
    }


def test_a_request_that_ecs_refuses_makes_a_dead_letter_at_once(account: Account) -> None:
    """assumed: errors of the caller are not retried."""
    wanted = account.universal(
        RUN_TASK, {"Cluster": "gone", "TaskDefinition": "gone:1"}, DeadLetterConfig={"Arn": account.dead_letters}
    )
    account.create(Target=wanted)

    account.aws.advance(60)

    (letter,) = account.received("dead-letters")
    assert letter["MessageAttributes"]["RETRY_ATTEMPTS"]["StringValue"] == "0"
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "ClusterNotFoundException"


class TestRunningTasks:
    """The universal target ecs:runTask, on ECS itself."""

    @pytest.fixture
    def ecs(self, account: Account) -> Any:
        client = account.aws.client("ecs")
        client.create_cluster(clusterName="main")
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
        arns = ecs.list_tasks(cluster="main", startedBy="reports")["taskArns"]
        found: list[dict[str, Any]] = ecs.describe_tasks(cluster="main", tasks=arns)["tasks"] if arns else []
        return found

    def test_a_schedule_runs_a_task_that_knows_its_slot(self, account: Account, ecs: Any) -> None:
        """documented: UG, "Using universal targets"."""
        (slot,) = account.next_minutes(1)
        account.create(Target=account.universal(RUN_TASK, self.request()))

        account.aws.advance(60)

        (task,) = self.tasks(ecs)
        assert task["taskDefinitionArn"].endswith(":task-definition/report:1")
        (override,) = task["overrides"]["containerOverrides"]
        assert override["environment"] == [{"name": "BGT_SCHEDULED_TIME", "value": slot}]

    def test_two_schedules_with_one_client_token_a_slot_run_one_task_a_slot(self, account: Account, ecs: Any) -> None:
        """documented: ECS API Reference, "Ensuring idempotency"."""
        for name in ("day-of-month", "day-of-week"):
            account.create(name, Target=account.universal(RUN_TASK, self.request()))

        account.aws.advance(120)

        assert len(self.tasks(ecs)) == 2

    def test_a_launch_whose_answer_was_lost_is_retried_and_runs_one_task(self, account: Account, ecs: Any) -> None:
        """documented: API: RetryPolicy; ECS API Reference, "Ensuring idempotency"."""
        account.aws.fault("drop-after", "ecs", "RunTask", times=1)
        account.create(Target=account.universal(RUN_TASK, self.request()))

        account.aws.advance(60)

        runs = account.aws.journal(service="ecs", operation="RunTask")
        assert [run["principal"] for run in runs] == ["scheduler.amazonaws.com"] * 2
        assert len(self.tasks(ecs)) == 1
