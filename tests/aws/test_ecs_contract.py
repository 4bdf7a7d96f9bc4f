"""The contract of Amazon ECS, by what boto3 sees of it.

Each test is named after a rule of AWS and says in its docstring how it is known: documented, reported from the field,
or assumed. What moves the clock or says what an image runs needs localaws; the rest could be asked of an account.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.running import Running

ROLE = "arn:aws:iam::123456789012:role/execution"
GROUP = "/bgt/contract"
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "DISABLED"}}
LOGS = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": GROUP, "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "bgt"},
}


class Account:
    """What the tests do on an account: clients, a cluster `contract`, and a definition of family `contract`."""

    def __init__(self, aws: Running) -> None:
        self.aws = aws
        self.ecs = aws.client("ecs")
        self.logs = aws.client("logs")
        self.logs.create_log_group(logGroupName=GROUP)
        self.ecs.create_cluster(clusterName="contract", capacityProviders=["FARGATE", "FARGATE_SPOT"])

    def register(self, *command: str, container: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
        app = {"name": "app", "image": "app:1", "command": list(command), "logConfiguration": LOGS, **(container or {})}
        answer: dict[str, Any] = self.ecs.register_task_definition(
            **{
                "family": "contract",
                "requiresCompatibilities": ["FARGATE"],
                "networkMode": "awsvpc",
                "cpu": "256",
                "memory": "512",
                "executionRoleArn": ROLE,
                "containerDefinitions": [app],
                **members,
            }
        )
        return answer

    def run(self, **params: Any) -> dict[str, Any]:
        wanted = {
            "cluster": "contract",
            "taskDefinition": "contract",
            "launchType": "FARGATE",
            "networkConfiguration": NETWORK,
            **params,
        }
        answer = self.ecs.run_task(**{name: value for name, value in wanted.items() if value is not None})
        assert answer["failures"] == []
        task: dict[str, Any] = answer["tasks"][0]
        return task

    def describe(self, task: dict[str, Any], **params: Any) -> dict[str, Any]:
        answer = self.ecs.describe_tasks(cluster="contract", tasks=[task["taskArn"]], **params)
        found: dict[str, Any] = answer["tasks"][0]
        return found

    def ended(self, task: dict[str, Any]) -> dict[str, Any]:
        until(lambda: self.describe(task)["lastStatus"] == "STOPPED")
        return self.describe(task)

    def output(self, task: dict[str, Any], container: str = "app") -> list[str]:
        stream = f"bgt/{container}/{task['taskArn'].rpartition('/')[2]}"
        events = self.logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)["events"]
        return [event["message"] for event in events]


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What the condition says once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.02)
    return found


def refusal(call: Callable[..., Any], **params: Any) -> tuple[int, str, str]:
    """HTTP status, code and message of a refused call."""
    with pytest.raises(ClientError) as refused:
        call(**params)
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def test_a_revision_number_is_never_used_again_even_after_deletion(account: Account) -> None:
    """documented: API: DeleteTaskDefinitions."""
    first = account.register("true")["taskDefinition"]["taskDefinitionArn"]
    account.ecs.deregister_task_definition(taskDefinition=first)
    deleted = account.ecs.delete_task_definitions(taskDefinitions=[first])

    second = account.register("true")["taskDefinition"]

    assert deleted["taskDefinitions"][0]["status"] == "DELETE_IN_PROGRESS"
    assert (second["revision"], second["taskDefinitionArn"]) == (2, first.removesuffix("1") + "2")


def test_deleting_an_active_revision_is_a_failure_with_http_200(account: Account) -> None:
    """documented: API: DeleteTaskDefinitions; reported: moto's tests for the wording."""
    arn = account.register("true")["taskDefinition"]["taskDefinitionArn"]

    answer = account.ecs.delete_task_definitions(taskDefinitions=[arn])

    assert answer["taskDefinitions"] == []
    assert [failure["arn"] for failure in answer["failures"]] == [arn]
    assert answer["failures"][0]["reason"].startswith("The specified task definition is still in ACTIVE status.")


def test_a_bare_family_is_its_latest_active_revision_and_inactive_ones_answer_to_their_number(
    account: Account,
) -> None:
    """documented: API: DescribeTaskDefinition.taskDefinition."""
    for _ in range(3):
        account.register("true")
    account.ecs.deregister_task_definition(taskDefinition="contract:3")

    latest = account.ecs.describe_task_definition(taskDefinition="contract")["taskDefinition"]
    inactive = account.ecs.describe_task_definition(taskDefinition="contract:3")["taskDefinition"]

    assert (latest["revision"], latest["status"]) == (2, "ACTIVE")
    assert (inactive["revision"], inactive["status"]) == (3, "INACTIVE")
    assert inactive["deregisteredAt"] >= inactive["registeredAt"]


def test_an_unknown_definition_is_a_client_exception(account: Account) -> None:
    """reported: hashicorp/terraform-provider-aws."""
    assert refusal(account.ecs.describe_task_definition, taskDefinition="no") == (
        400,
        "ClientException",
        "Unable to describe task definition.",
    )


def test_tags_of_a_definition_are_beside_it_and_only_where_asked_for(account: Account) -> None:
    """documented: API: DescribeTaskDefinition.include."""
    tags = [{"key": "bgt:owner", "value": "prod/reports/nightly"}]

    registered = account.register("true", tags=tags)
    plain = account.ecs.describe_task_definition(taskDefinition="contract")
    full = account.ecs.describe_task_definition(taskDefinition="contract", include=["TAGS"])

    assert registered["tags"] == full["tags"] == tags
    assert "tags" not in plain


def test_the_order_of_variables_is_not_kept(account: Account) -> None:
    """reported: prefect `_task_definitions_equal`."""
    sent = [{"name": f"V{n}", "value": str(n)} for n in range(8)]

    answer = account.register("true", container={"environment": sent})["taskDefinition"]

    found = answer["containerDefinitions"][0]["environment"]
    assert found != sent
    assert sorted(found, key=lambda pair: pair["name"]) == sent


def test_defaults_are_added_to_what_was_sent(account: Account) -> None:
    """reported: prefect `_task_definitions_equal`."""
    found = account.register("true")["taskDefinition"]

    container = found["containerDefinitions"][0]
    assert (container["cpu"], container["essential"]) == (0, True)
    for name in ("portMappings", "environment", "mountPoints", "volumesFrom", "systemControls"):
        assert container[name] == []
    assert "FARGATE" in found["compatibilities"]
    assert {"registeredAt", "registeredBy", "requiresAttributes"} <= found.keys()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"cpu": "512", "memory": "512"}, "No Fargate configuration exists for given values: 512 CPU, 512 memory."),
        ({"cpu": "plenty"}, "Invalid 'cpu' setting for task."),
        ({"family": "a.b"}, "Family contains invalid characters."),
        ({"networkMode": "bridge"}, "Fargate only supports network mode ‘awsvpc’."),  # noqa: RUF001 - AWS's own quotes
        ({"executionRoleArn": ""}, "Fargate requires task definition to have execution role ARN to support log driver"),
    ],
)
def test_a_definition_that_fargate_cannot_run_is_a_client_exception(
    account: Account, members: dict[str, str], message: str
) -> None:
    """documented: developer guide, "Invalid CPU or memory value"; reported: see `localaws.ecs.checks`."""
    status, code, said = refusal(account.register, **members)

    assert (status, code) == (400, "ClientException")
    assert said.startswith(message)


def test_definitions_are_listed_in_pages_in_order_of_family_and_number(account: Account) -> None:
    """documented: API: ListTaskDefinitions.sort, .familyPrefix, .maxResults."""
    for family in ("b", "a", "b", "ab", "b"):
        account.register("true", family=family)
    pages = account.ecs.get_paginator("list_task_definitions")

    def names(**params: Any) -> list[str]:
        found = pages.paginate(PaginationConfig={"PageSize": 2}, **params).build_full_result()["taskDefinitionArns"]
        return [arn.rpartition("/")[2] for arn in found]

    assert names() == ["a:1", "ab:1", "b:1", "b:2", "b:3"]
    assert names(sort="DESC") == ["b:3", "b:2", "b:1", "ab:1", "a:1"]
    assert names(familyPrefix="a") == ["a:1"]


def test_a_task_runs_its_command_and_tells_its_exit_code(account: Account) -> None:
    """documented: developer guide, "Amazon ECS task lifecycle", "Stopped tasks error messages"."""
    account.register("sh", "-c", "echo started; exit 3")

    task = account.run()
    ended = account.ended(task)

    assert (task["lastStatus"], task["desiredStatus"]) == ("PROVISIONING", "RUNNING")
    assert "exitCode" not in task["containers"][0]
    assert (ended["stopCode"], ended["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert (ended["containers"][0]["name"], ended["containers"][0]["exitCode"]) == ("app", 3)
    assert ended["createdAt"] <= ended["startedAt"] <= ended["stoppedAt"]


def test_the_waiter_of_the_sdk_sees_the_end(account: Account) -> None:
    """documented: botocore's waiters-2 model of ECS."""
    account.register("true")
    task = account.run()

    account.ecs.get_waiter("tasks_stopped").wait(
        cluster="contract", tasks=[task["taskArn"]], WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )

    assert account.describe(task)["containers"][0]["exitCode"] == 0


def test_output_is_in_the_stream_prefix_container_task_id(account: Account) -> None:
    """documented: developer guide, "Using the awslogs log driver"."""
    account.register("sh", "-c", "echo one; echo two >&2")

    task = account.run()
    account.ended(task)

    assert account.output(task) == ["one", "two"]


def test_overrides_change_command_and_variables_and_are_always_shown(account: Account) -> None:
    """documented: API: ContainerOverride; reported: `overrides` is never absent."""
    account.register("sh", "-c", "echo $A$B", container={"environment": [{"name": "A", "value": "1"}]})
    entry = {"name": "app", "environment": [{"name": "B", "value": "2"}]}

    plain, changed = account.run(), account.run(overrides={"containerOverrides": [entry]})
    account.ended(changed)

    assert plain["overrides"]["containerOverrides"] == [{"name": "app"}]
    assert account.describe(changed)["overrides"]["containerOverrides"] == [entry]
    assert account.output(changed) == ["12"]


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"cluster": "no"}, "ClusterNotFoundException", "Cluster not found."),
    ({"taskDefinition": "no"}, "ClientException", "TaskDefinition not found."),
    ({"taskDefinition": "contract:1"}, "InvalidParameterException", "TaskDefinition is inactive"),
    ({"count": 11}, "InvalidParameterException", "count"),
    (
        {"networkConfiguration": None},
        "InvalidParameterException",
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
    ),
    (
        {"overrides": {"containerOverrides": [{"name": "other"}]}},
        "InvalidParameterException",
        "Override for container named other is not a container in the TaskDefinition.",
    ),
    (
        {"overrides": {"containerOverrides": [{"name": "app", "command": ["x" * 8192]}]}},
        "InvalidParameterException",
        "Container Overrides length must be at most 8192",
    ),
    (
        {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
        "InvalidParameterException",
        "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
    ),
    ({"launchType": None}, "InvalidParameterException", "No Container Instances were found in your cluster."),
]


@pytest.mark.parametrize(("params", "code", "message"), REFUSED, ids=[row[2].split(".")[0] for row in REFUSED])
def test_a_request_that_cannot_be_run_is_refused(
    account: Account, params: dict[str, Any], code: str, message: str
) -> None:
    """documented: API: RunTask; reported: the issues named in `localaws.ecs.requests`."""
    account.register("true")
    account.ecs.deregister_task_definition(taskDefinition="contract:1")
    account.register("true")

    status, said_code, said = refusal(account.run, **params)

    assert (status, said_code) == (400, code)
    assert said.startswith(message)


def test_the_same_client_token_and_request_is_the_same_task(account: Account) -> None:
    """documented: API Reference, "Ensuring idempotency"."""
    account.register("sleep", "1000")

    first, again = account.run(clientToken="slot"), account.run(clientToken="slot")

    assert account.ecs.list_tasks(cluster="contract")["taskArns"] == [first["taskArn"]] == [again["taskArn"]]


def test_a_client_token_with_another_request_conflicts_and_names_the_tasks(account: Account) -> None:
    """documented: API: ConflictException.resourceIds."""
    account.register("true")
    task = account.run(clientToken="slot")

    with pytest.raises(account.ecs.exceptions.ConflictException) as refused:
        account.run(clientToken="slot", startedBy="someone")

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert refused.value.response["resourceIds"] == [task["taskArn"]]


def test_a_client_token_belongs_to_one_cluster(account: Account) -> None:
    """documented: API Reference, "Ensuring idempotency"."""
    account.register("true")
    account.ecs.create_cluster(clusterName="other")

    arns = {account.run(clientToken="slot", cluster=cluster)["taskArn"] for cluster in ("contract", "other")}

    assert len(arns) == 2


def test_a_stopped_task_and_its_client_token_are_forgotten_after_an_hour(account: Account) -> None:
    """documented: API: DescribeTasks; API Reference, "Ensuring idempotency"."""
    account.register("true")
    task = account.run(clientToken="slot")
    account.ended(task)

    account.aws.advance(3601)

    answer = account.ecs.describe_tasks(cluster="contract", tasks=[task["taskArn"]])
    assert answer["tasks"] == []
    assert answer["failures"] == [{"arn": task["taskArn"], "reason": "MISSING"}]
    assert account.run(clientToken="slot")["taskArn"] != task["taskArn"]


def test_stop_task_sends_sigterm_and_deletes_the_tags(account: Account) -> None:
    """documented: API: StopTask."""
    account.register("sh", "-c", "trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 0.05; done")
    task = account.run(tags=[{"key": "a", "value": "1"}])
    until(lambda: account.describe(task)["lastStatus"] == "RUNNING" and account.output(task) == ["up"])

    account.ecs.stop_task(cluster="contract", task=task["taskArn"], reason="cancelled")
    account.ended(task)

    ended = account.describe(task, include=["TAGS"])
    assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "cancelled")
    assert (ended["containers"][0]["exitCode"], ended["tags"]) == (4, [])
    assert account.output(task) == ["up", "bye"]


def test_stop_task_kills_what_outlives_its_stop_timeout(account: Account) -> None:
    """documented: API: ContainerDefinition.stopTimeout; 137 is 128 and SIGKILL."""
    ignores = "trap '' TERM; echo up; while :; do sleep 0.05; done"
    account.register("sh", "-c", ignores, container={"stopTimeout": 2})
    task = account.run()
    until(lambda: account.describe(task)["lastStatus"] == "RUNNING" and account.output(task) == ["up"])

    account.ecs.stop_task(cluster="contract", task=task["taskArn"])

    assert account.ended(task)["containers"][0]["exitCode"] == 137


def test_an_unknown_task_cannot_be_stopped_and_is_missing_where_it_is_described(account: Account) -> None:
    """reported: apache/airflow's tests; documented: developer guide, "API failure reasons"."""
    unknown = "0" * 32

    stopped = refusal(account.ecs.stop_task, cluster="contract", task=unknown)
    described = account.ecs.describe_tasks(cluster="contract", tasks=[unknown])

    assert stopped == (400, "InvalidParameterException", "The referenced task was not found.")
    assert described["tasks"] == []
    assert described["failures"][0]["reason"] == "MISSING"


def test_tasks_are_listed_by_family_and_desired_status_in_pages(account: Account) -> None:
    """documented: API: ListTasks."""
    account.register("sleep", "1000")
    account.register("true", family="other")
    ours = [account.run(startedBy="bgt")["taskArn"] for _ in range(3)]
    ended = account.run(taskDefinition="other")
    account.ended(ended)
    pages = account.ecs.get_paginator("list_tasks")

    def listed(**params: Any) -> list[str]:
        found = pages.paginate(cluster="contract", PaginationConfig={"PageSize": 2}, **params).build_full_result()
        arns: list[str] = found["taskArns"]
        return arns

    assert sorted(listed()) == sorted(listed(family="contract")) == sorted(ours)
    assert sorted(listed(startedBy="bgt", desiredStatus="RUNNING")) == sorted(ours)
    assert listed(desiredStatus="STOPPED") == listed(family="other", desiredStatus="STOPPED") == [ended["taskArn"]]
    assert listed(desiredStatus="PENDING") == []


def test_no_command_and_an_unknown_image_is_cannot_start_container(account: Account) -> None:
    """documented: developer guide, "CannotStartContainerError"."""
    account.register()

    ended = account.ended(account.run())

    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["containers"][0]["reason"].startswith("CannotStartContainerError: ")
    assert "exitCode" not in ended["containers"][0]


def test_an_image_that_localaws_was_told_about_runs_its_command(account: Account) -> None:
    """assumed: nothing of AWS; an image's own ENTRYPOINT and CMD, as localaws is told them."""
    account.aws.set_images({"app:1": ["echo", "from the image"]})
    account.register()

    task = account.run()
    account.ended(task)

    assert account.output(task) == ["from the image"]


def test_secrets_become_variables(account: Account) -> None:
    """documented: API: Secret.valueFrom."""
    secrets, parameters = account.aws.client("secretsmanager"), account.aws.client("ssm")
    arn = secrets.create_secret(Name="db", SecretString=json.dumps({"user": "reports"}))["ARN"]
    parameters.put_parameter(Name="/db/password", Value="hidden", Type="SecureString")
    wanted = [{"name": "USER_NAME", "valueFrom": f"{arn}:user::"}, {"name": "PASS", "valueFrom": "/db/password"}]
    account.register("sh", "-c", "echo $USER_NAME:$PASS", container={"secrets": wanted})

    task = account.run()
    account.ended(task)

    assert account.output(task) == ["reports:hidden"]


@pytest.mark.parametrize("value_from", ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:no-abcdef", "/no/such"])
def test_a_missing_secret_is_a_resource_initialization_error(account: Account, value_from: str) -> None:
    """documented: developer guide, "ResourceInitializationError"; reported: HHS/simpler-grants-gov#4330."""
    account.register("true", container={"secrets": [{"name": "X", "valueFrom": value_from}]})

    ended = account.ended(account.run())

    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("ResourceInitializationError: unable to pull secrets or registry auth: ")
    assert "exitCode" not in ended["containers"][0]


def test_a_missing_log_group_is_a_resource_initialization_error(account: Account) -> None:
    """documented: developer guide, "ResourceInitializationError"."""
    account.logs.delete_log_group(logGroupName=GROUP)
    account.register("true")

    ended = account.ended(account.run())

    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("ResourceInitializationError: failed to validate logger args: ")


def test_each_change_of_a_task_is_an_event_of_the_default_bus(account: Account) -> None:
    """documented: developer guide, "Amazon ECS task state change events"; reported: containers-roadmap#2329."""
    url = events_of(account.aws, "family:contract")
    account.register("sh", "-c", "exit 3")

    task = account.run(clientToken="slot", startedBy="bgt", tags=[{"key": "a", "value": "1"}])
    account.ended(task)

    details = [event["detail"] for event in received(account.aws, url, 9)]
    by_version = {detail["version"]: detail for detail in details}
    last = by_version[max(by_version)]
    assert sorted(by_version) == list(range(1, 10))
    assert {"PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING"} <= {
        detail["lastStatus"] for detail in details
    }
    assert (last["lastStatus"], last["stopCode"]) == ("STOPPED", "EssentialContainerExited")
    assert (last["containers"][0]["exitCode"], last["startedBy"], last["group"]) == (3, "bgt", "family:contract")
    assert last["version"] == account.describe(task)["version"]
    assert not {"tags", "clientToken"} & last.keys()


def events_of(aws: Running, group: str) -> str:
    """Give the URL of a new queue that a rule sends the task events of a group to."""
    sqs, events = aws.client("sqs"), aws.client("events")
    url: str = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"group": [{"prefix": group}]},
    }
    rule = events.put_rule(Name="tasks", EventPattern=json.dumps(pattern))["RuleArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    events.put_targets(Rule="tasks", Targets=[{"Id": "queue", "Arn": arn}])
    return url


def received(aws: Running, url: str, count: int) -> list[dict[str, Any]]:
    """Receive so many different events."""
    sqs = aws.client("sqs")
    found: dict[str, dict[str, Any]] = {}

    def enough() -> bool:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        bodies = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
        found.update({body["id"]: body for body in bodies})
        return len(found) >= count

    until(enough)
    return list(found.values())


def test_python_runs_as_a_task(account: Account) -> None:
    """assumed: nothing of AWS; a process of this machine stands for the container."""
    account.register(sys.executable, "-c", "import os; print(os.environ['AWS_EXECUTION_ENV'])")

    task = account.run()
    account.ended(task)

    assert account.output(task) == ["AWS_ECS_FARGATE"]
