"""Launching ECS tasks: once, with a token of ours, and what each answer means; and finding what was started."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from backgroundtask.aws import Ecs, Known, NotStarted, Pacing, Started, rates_of
from backgroundtask.errors import Blocked, Busy, Expected, Paced, Rejected
from fixtures.wire import REGION, Wire

PREFIX = f"arn:aws:ecs:{REGION}:111122223333"
FAMILY = "bgt_prod_ns_job"
TASK = f"{PREFIX}:task/main/{1:032}"
REQUEST: dict[str, Any] = {
    "cluster": "main",
    "taskDefinition": f"{PREFIX}:task-definition/{FAMILY}:7",
    "count": 1,
    "clientToken": "token-1",
    "launchType": "FARGATE",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    "overrides": {
        "containerOverrides": [{"name": "aws-bg-task", "environment": [{"name": "A", "value": "swordfish"}]}]
    },
}
CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
QUOTA = "You've reached the limit on the number of vCPUs you can run concurrently"


def task(number: int = 1, **members: Any) -> dict[str, Any]:
    return {
        "taskArn": f"{PREFIX}:task/main/{number:032}",
        "taskDefinitionArn": REQUEST["taskDefinition"],
        "version": 1,
        "lastStatus": "PROVISIONING",
        "desiredStatus": "RUNNING",
        **members,
    }


def refused(wire: Wire) -> Expected:
    with pytest.raises(Expected) as refusal:
        Ecs(wire.clients(attempts=3)).run(REQUEST)
    return refusal.value


def test_the_request_goes_out_as_it_is_and_the_task_comes_back(wire: Wire) -> None:
    wire.says("RunTask", {"tasks": [task()], "failures": []})

    launched = Ecs(wire.clients()).run(REQUEST)

    assert isinstance(launched, Started)
    assert launched.task.arn == TASK
    assert wire.bodies("RunTask") == [REQUEST]


def test_a_request_without_a_token_of_ours_is_a_bug_and_is_not_sent(wire: Wire) -> None:
    for request in ({**REQUEST, "clientToken": ""}, {k: v for k, v in REQUEST.items() if k != "clientToken"}):
        with pytest.raises(ValueError, match="token"):
            Ecs(wire.clients()).run(request)

    assert wire.sent == []


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (ReadTimeoutError(endpoint_url="https://x"), "AwsUnreachable"),
        (ConnectTimeoutError(endpoint_url="https://x"), "AwsUnreachable"),
        ("ServerException", "AwsUnavailable"),
        ("ThrottlingException", "Throttled"),
    ],
    ids=str,
)
def test_a_launch_is_never_repeated_here_as_its_token_has_to_be_known(
    wire: Wire, trouble: Exception | str, reason: str
) -> None:
    if isinstance(trouble, str):
        wire.refuses("RunTask", trouble, status=500)
    else:
        wire.breaks("RunTask", trouble)

    error = refused(wire)

    assert (type(error), error.reason) == (Busy, reason)
    assert wire.operations() == ["RunTask"]


def test_a_launch_waits_for_its_turn_in_a_line_of_its_own(wire: Wire) -> None:
    pacing = Pacing(rates_of("RunTask=1/0.01,StopTask=100/100"))
    ecs = Ecs(wire.clients(pace=pacing.of("", REGION)))
    wire.says("RunTask", {"tasks": [task()], "failures": []})
    wire.says("StopTask", {})

    ecs.run(REQUEST)
    with pytest.raises(Paced) as turn:
        ecs.run(REQUEST)
    ecs.stop("main", TASK, "its turn is another")

    assert turn.value.retry_after > 5
    assert wire.operations() == ["RunTask", "StopTask"]


def test_a_token_that_stands_for_another_request_tells_its_tasks(wire: Wire) -> None:
    wire.says("RunTask", {"__type": "ConflictException", "message": "in use", "resourceIds": [TASK]}, status=400)

    assert Ecs(wire.clients()).run(REQUEST) == Known((TASK,))


def test_a_conflict_that_tells_no_task_is_asked_again(wire: Wire) -> None:
    wire.refuses("RunTask", "ConflictException")

    assert (type(error := refused(wire)), error.reason) == (Busy, "Conflict")


def test_a_task_that_has_stopped_is_told_by_its_arn_only(wire: Wire) -> None:
    told = {"taskArn": TASK, "lastStatus": "STOPPED", "desiredStatus": "STOPPED"}
    wire.says("RunTask", {"tasks": [told], "failures": []})

    assert Ecs(wire.clients()).run(REQUEST) == Known((TASK,))


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        (
            [{"reason": CAPACITY}],
            NotStarted(
                "CapacityUnavailable",
                f"AWS has no capacity for the task at the moment. ECS says: {CAPACITY}.",
                is_transient=True,
            ),
        ),
        (
            [{"reason": QUOTA}],
            NotStarted(
                "LimitReached",
                f"A quota of Fargate is used up: let tasks end, or have it raised. ECS says: {QUOTA}.",
                is_transient=True,
            ),
        ),
        (
            [{"reason": "RESOURCE:ENI", "detail": "no\nroom"}],
            NotStarted(
                "ResourceUnavailable",
                "ECS has no room for the task at the moment. ECS says: RESOURCE:ENI: no room.",
                is_transient=True,
            ),
        ),
        (
            [{"reason": "Rate exceeded"}],
            NotStarted(
                "Throttled", "AWS limits how often tasks may be started. ECS says: Rate exceeded.", is_transient=True
            ),
        ),
        (
            [{"arn": None, "reason": "AGENT"}],
            NotStarted(
                "AgentDisconnected", "ECS cannot reach what would run the task. ECS says: AGENT.", is_transient=True
            ),
        ),
        (
            [{"reason": "ATTRIBUTE"}],
            NotStarted(
                "AttributeMissing", "Nothing offers what the task requires. ECS says: ATTRIBUTE.", is_transient=False
            ),
        ),
        (
            [{"reason": "MISSING"}],
            NotStarted(
                "ResourceMissing",
                "ECS does not find what would run the task. ECS says: MISSING.",
                is_transient=False,
            ),
        ),
        (
            [{"reason": "INACTIVE"}],
            NotStarted(
                "ResourceInactive", "What would run the task is inactive. ECS says: INACTIVE.", is_transient=False
            ),
        ),
        (
            [{"reason": "Something new"}],
            NotStarted("NotStarted", "ECS has started nothing. ECS says: Something new.", is_transient=True),
        ),
        ([{}], NotStarted("NotStarted", "ECS has started nothing, and does not say why.", is_transient=True)),
        ([], NotStarted("NotStarted", "ECS has started nothing, and does not say why.", is_transient=True)),
    ],
    ids=str,
)
def test_failures_with_status_200_start_nothing_and_say_why(
    wire: Wire, failures: list[dict[str, Any]], expected: NotStarted
) -> None:
    wire.says("RunTask", {"tasks": [], "failures": failures})

    assert Ecs(wire.clients()).run(REQUEST) == expected


@pytest.mark.parametrize(
    ("code", "text", "kind", "reason", "words"),
    [
        ("InvalidParameterException", "TaskDefinition is inactive", Blocked, "RevisionInactive", "retired"),
        ("ClientException", "TaskDefinition not found.", Blocked, "RevisionInactive", "retired"),
        ("ClientException", CAPACITY, Blocked, "CapacityUnavailable", "at the moment"),
        ("ClientException", QUOTA, Blocked, "LimitReached", "have it raised"),
        (
            "InvalidParameterException",
            "Error retrieving subnet information for [subnet-1]: The subnet ID 'subnet-1' does not exist",
            Blocked,
            "NetworkUnusable",
            "spec.network",
        ),
        (
            "InvalidParameterException",
            "Error retrieving security group information for [sg-1]: not found",
            Blocked,
            "NetworkUnusable",
            "spec.network",
        ),
        (
            "InvalidParameterException",
            "Unable to assume the service linked role. Please verify that the ECS service linked role exists.",
            Blocked,
            "ServiceLinkedRoleMissing",
            "create-service-linked-role",
        ),
        (
            "ClientException",
            "ECS was unable to assume the role 'arn:aws:iam::1:role/x' that was provided for this task.",
            Blocked,
            "RoleNotAssumable",
            "ecs-tasks.amazonaws.com",
        ),
        ("PlatformUnknownException", "no such platform", Blocked, "PlatformUnknown", "spec.platformVersion"),
        ("ClusterNotFoundException", "Cluster not found.", Blocked, "ClusterNotFound", "create it"),
        ("BlockedException", "call us", Blocked, "AccountBlocked", "call us"),
        (
            "AccessDeniedException",
            "User: arn:aws:sts::1:assumed-role/op/x is not authorized to perform: iam:PassRole on resource: r",
            Blocked,
            "RoleNotPassable",
            "Grant iam:PassRole",
        ),
        (
            "PlatformTaskDefinitionIncompatibilityException",
            "too large",
            Rejected,
            "PlatformIncompatible",
            "platformVersion",
        ),
        (
            "ClientException",
            "No Fargate configuration exists for given values: 256 CPU, 9 memory.",
            Rejected,
            "InvalidFargateSize",
            "spec.cpu",
        ),
        (
            "InvalidParameterException",
            "Container Overrides length must be at most 8192",
            Rejected,
            "InvalidLaunch",
            "8192",
        ),
        ("InvalidParameterException", "... Rate exceeded (ErrorCode: Throttling)", Busy, "Throttled", "how often"),
        ("ClientException", "You've reached the provisioning quota", Busy, "Throttled", "how often"),
    ],
)
def test_a_refusal_says_what_has_to_happen_next(
    wire: Wire, code: str, text: str, kind: type[Expected], reason: str, words: str
) -> None:
    wire.refuses("RunTask", code, text)

    error = refused(wire)

    assert (type(error), error.reason) == (kind, reason)
    assert words in error.message


def test_no_refusal_quotes_the_value_of_a_variable(wire: Wire) -> None:
    wire.refuses("RunTask", "InvalidParameterException", "Invalid environment variable: A=swordfish")

    error = refused(wire)

    assert "swordfish" not in f"{error.message} {error.__cause__}"
    assert error.reason == "InvalidLaunch"


def test_what_a_family_has_started_is_found_whether_it_runs_or_not(wire: Wire) -> None:
    environment = [{"name": "BGT_RUN", "value": "job-1"}, {"name": "BGT_RUN_UID", "value": "uid-1"}]
    overrides = {"containerOverrides": [{"name": "aws-bg-task", "environment": environment}]}
    wire.says("ListTasks", {"taskArns": [TASK]})
    wire.says("ListTasks", {"taskArns": [task(2)["taskArn"], task(3)["taskArn"]]})
    gone = [{"arn": task(3)["taskArn"], "reason": "MISSING"}]
    wire.says("DescribeTasks", {"tasks": [task(overrides=overrides), task(2, lastStatus="STOPPED")], "failures": gone})

    running, stopped = Ecs(wire.clients()).find("main", FAMILY)

    assert (running.arn, running.run, running.run_uid) == (TASK, "job-1", "uid-1")
    assert (stopped.arn, stopped.run, stopped.run_uid) == (task(2)["taskArn"], None, None)
    assert [(body["family"], body["desiredStatus"]) for body in wire.bodies("ListTasks")] == [
        (FAMILY, "RUNNING"),
        (FAMILY, "STOPPED"),
    ]


def test_a_running_task_that_is_not_described_yet_is_no_absence(wire: Wire) -> None:
    wire.says("ListTasks", {"taskArns": [TASK]})
    wire.says("ListTasks", {"taskArns": []})
    wire.says("DescribeTasks", {"tasks": [], "failures": [{"arn": TASK, "reason": "MISSING"}]})

    with pytest.raises(Busy) as refusal:
        Ecs(wire.clients()).find("main", FAMILY)

    assert refusal.value.reason == "TaskNotVisible"


def test_a_family_without_tasks_and_a_cluster_that_is_gone_have_none(wire: Wire) -> None:
    wire.says("ListTasks", {"taskArns": []})
    assert Ecs(wire.clients()).find("main", FAMILY) == ()

    wire.refuses("ListTasks", "ClusterNotFoundException")
    assert Ecs(wire.clients()).find("main", "another") == ()
