"""The contract of Amazon ECS, by what boto3 sees of it: how tasks run, and why they stop.

Each test is named after a rule of AWS and marked with how it is known (`API` is the ECS API Reference).
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from fixtures.ecs_account import GROUP, LOGS, SPOT, Account, events_of, received, until
from localaws.running import ControlError, Running


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


@pytest.mark.documented("developer guide, Amazon ECS task lifecycle, Stopped tasks error messages")
def test_a_task_runs_its_command_and_tells_its_exit_code(account: Account) -> None:
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


@pytest.mark.documented("developer guide, Using the awslogs log driver")
def test_output_is_in_the_stream_prefix_container_task_id(account: Account) -> None:
    account.register("sh", "-c", "echo one; echo two >&2")

    task = account.run()
    account.ended(task)

    assert account.output(task) == ["one", "two"]


@pytest.mark.documented("developer guide, CannotStartContainerError")
@pytest.mark.localaws_only("it knows nothing of the image")
def test_no_command_and_an_unknown_image_is_cannot_start_container(account: Account) -> None:
    account.register()

    ended = account.ended(account.run())

    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["containers"][0]["reason"].startswith("CannotStartContainerError: ")
    assert "exitCode" not in ended["containers"][0]


@pytest.mark.assumed("nothing of AWS; an image's own ENTRYPOINT and CMD, as localaws is told them")
@pytest.mark.localaws_only("it says what the image runs")
def test_an_image_that_localaws_was_told_about_runs_its_command(account: Account) -> None:
    account.aws.set_images({"app:1": ["echo", "from the image"]})
    account.register()

    task = account.run()
    account.ended(task)

    assert account.output(task) == ["from the image"]


@pytest.mark.documented("API: Secret.valueFrom")
def test_secrets_become_variables(account: Account) -> None:
    secrets, parameters = account.aws.client("secretsmanager"), account.aws.client("ssm")
    arn = secrets.create_secret(Name="db", SecretString=json.dumps({"user": "reports"}))["ARN"]
    parameters.put_parameter(Name="/db/password", Value="hidden", Type="SecureString")
    wanted = [{"name": "USER_NAME", "valueFrom": f"{arn}:user::"}, {"name": "PASS", "valueFrom": "/db/password"}]
    account.register("sh", "-c", "echo $USER_NAME:$PASS", container={"secrets": wanted})

    task = account.run()
    account.ended(task)

    assert account.output(task) == ["reports:hidden"]


@pytest.mark.documented("developer guide, ResourceInitializationError")
@pytest.mark.parametrize("value_from", ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:no-abcdef", "/no/such"])
def test_a_missing_secret_is_a_resource_initialization_error(account: Account, value_from: str) -> None:
    account.register("true", container={"secrets": [{"name": "X", "valueFrom": value_from}]})

    ended = account.ended(account.run())

    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("ResourceInitializationError: unable to pull secrets or registry auth: ")
    assert "exitCode" not in ended["containers"][0]


@pytest.mark.documented(
    "developer guide, Pass Secrets Manager secrets: secrets that store binary data aren't supported"
)
def test_a_binary_secret_is_a_resource_initialization_error(account: Account) -> None:
    secret = account.aws.client("secretsmanager").create_secret(Name="key", SecretBinary=b"\xff\xfe")["ARN"]
    account.register("true", container={"secrets": [{"name": "KEY", "valueFrom": secret}]})

    ended = account.ended(account.run())

    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("ResourceInitializationError: unable to pull secrets or registry auth: ")


@pytest.mark.documented("developer guide, ResourceInitializationError")
def test_a_missing_log_group_is_a_resource_initialization_error(account: Account) -> None:
    account.logs.delete_log_group(logGroupName=GROUP)
    account.register("true")

    ended = account.ended(account.run())

    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("ResourceInitializationError: failed to validate logger args: ")


@pytest.mark.documented("developer guide, Amazon ECS task state change events")
def test_each_change_of_a_task_is_an_event_of_the_default_bus(account: Account) -> None:
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


@pytest.mark.assumed("nothing of AWS; a process of this machine stands for the container")
@pytest.mark.localaws_only("a task is a process of this machine")
def test_python_runs_as_a_task(account: Account) -> None:
    account.register(sys.executable, "-c", "import os; print(os.environ['AWS_EXECUTION_ENV'])")

    task = account.run()
    account.ended(task)

    assert account.output(task) == ["AWS_ECS_FARGATE"]


@pytest.mark.reported("PrefectHQ/prefect#22410")
@pytest.mark.localaws_only("it takes the capacity away, and moves the clock")
def test_a_task_that_never_finds_a_place_fails_to_start_after_half_an_hour_without_containers(
    account: Account,
) -> None:
    url = events_of(account.aws, "family:contract")
    account.register("true")
    account.aws.control("POST", "ecs/shortages", {"outcome": "unplaced", "times": 1})

    task = account.run()
    account.aws.advance(1500)
    waiting = account.describe(task)
    account.aws.advance(600)
    ended = account.ended(task)

    events = {event["detail"]["version"]: event["detail"] for event in received(account.aws, url, 4)}
    assert (waiting["lastStatus"], waiting["containers"]) == ("PROVISIONING", [])
    assert (ended["stopCode"], ended["containers"]) == ("TaskFailedToStart", [])
    assert ended["stoppedReason"].startswith("Capacity is unavailable at this time.")
    assert "startedAt" not in ended
    assert events[max(events)]["containers"] == []


@pytest.mark.reported("aws/containers-roadmap#2687")
@pytest.mark.localaws_only("it says which image there is not")
def test_an_image_that_is_not_there_stops_the_task_with_cannot_pull_container_error(account: Account) -> None:
    account.aws.set_images({"app:1": None})
    account.register("true")

    ended = account.ended(account.run())

    reason = (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
        "failed to resolve ref docker.io/library/app:1: not found"
    )
    assert (ended["stopCode"], ended["stoppedReason"]) == ("TaskFailedToStart", reason)
    assert ended["containers"][0]["reason"] == reason
    assert not {"exitCode", "runtimeId", "imageDigest"} & ended["containers"][0].keys()


@pytest.mark.documented(
    "developer guide, Fargate capacity providers: SpotInterruption, SIGTERM, an event as the warning"
)
@pytest.mark.localaws_only("it interrupts the task")
def test_a_spot_interruption_sends_sigterm_and_tells_its_stop_code(account: Account) -> None:
    url = events_of(account.aws, "family:contract")
    account.register("sh", "-c", "trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 0.05; done")
    task = account.run(capacityProviderStrategy=SPOT, launchType=None)
    account.said(task, "up")

    account.aws.control("POST", "ecs/interrupt", {"task": task["taskArn"]})
    ended = account.ended(task)

    warnings = [
        event["detail"]
        for event in received(account.aws, url, 9)
        if (event["detail"]["lastStatus"], event["detail"]["desiredStatus"]) == ("RUNNING", "STOPPED")
    ]
    assert task["capacityProviderName"] == "FARGATE_SPOT"
    assert (ended["stopCode"], ended["stoppedReason"]) == ("SpotInterruption", "Your Spot Task was interrupted.")
    assert (ended["containers"][0]["exitCode"], account.output(task)) == (4, ["up", "bye"])
    assert [warning["stopCode"] for warning in warnings] == ["SpotInterruption"]


@pytest.mark.documented("developer guide, Fargate capacity providers: SIGKILL after stopTimeout")
@pytest.mark.localaws_only("it interrupts the task, and moves the clock")
def test_a_spot_interruption_kills_what_outlives_its_stop_timeout(account: Account) -> None:
    ignores = "trap '' TERM; echo up; while :; do sleep 0.05; done"
    account.register("sh", "-c", ignores, container={"stopTimeout": 120})
    task = account.run(capacityProviderStrategy=SPOT, launchType=None)
    account.said(task, "up")

    account.aws.control("POST", "ecs/interrupt", {"task": task["taskArn"]})
    account.reached(task, "STOPPING")
    account.aws.advance(120)

    ended = account.ended(task)
    assert (ended["stopCode"], ended["containers"][0]["exitCode"]) == ("SpotInterruption", 137)


@pytest.mark.assumed("nothing of AWS: what a test may interrupt")
@pytest.mark.localaws_only("it interrupts tasks")
def test_only_spot_is_interrupted(account: Account) -> None:
    account.register("sleep", "100000")
    task = account.run()

    for arn, why in [(task["taskArn"], "does not run on FARGATE_SPOT"), ("no", "is not the ARN of a task")]:
        with pytest.raises(ControlError, match=why):
            account.aws.control("POST", "ecs/interrupt", {"task": arn})


HOG = "import sys, time; held = bytearray(160 * 2**20); print('up', flush=True); time.sleep(1000)"


@pytest.mark.documented("developer guide, Stopped tasks error messages: OutOfMemoryError; exit code 137 is SIGKILL")
@pytest.mark.parametrize(
    ("memory", "command"),
    [
        ({"memory": 64}, [sys.executable, "-c", HOG]),
        ({"memory": 64}, ["sh", "-c", f'"{sys.executable}" -c "{HOG}"; exit 0']),
    ],
    ids=["the main process", "a process that it started"],
)
def test_a_container_that_takes_more_memory_than_it_may_is_killed(
    account: Account, memory: dict[str, int], command: list[str]
) -> None:
    account.register(*command, container=memory)

    ended = account.ended(account.run())

    assert ended["containers"][0]["reason"] == "OutOfMemoryError: Container killed due to memory usage"
    assert ended["containers"][0]["exitCode"] == 137
    assert (ended["stopCode"], ended["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )


@pytest.mark.documented("API: ContainerOverride.memory")
def test_an_override_of_the_memory_lets_a_container_take_more(account: Account) -> None:
    account.register(sys.executable, "-c", HOG, container={"memory": 64})
    override = {"containerOverrides": [{"name": "app", "memory": 400}]}

    killed, spared = account.run(), account.run(overrides=override)
    account.said(spared, "up")
    account.ended(killed)

    assert account.describe(spared)["lastStatus"] == "RUNNING"


@pytest.mark.documented("API: ContainerDefinition.essential")
def test_an_essential_container_that_ends_stops_the_others_and_another_one_stops_nothing(account: Account) -> None:
    def container(name: str, command: str, *, essential: bool) -> dict[str, Any]:
        words = ["sh", "-c", command]
        return {"name": name, "image": "app:1", "command": words, "essential": essential, "logConfiguration": LOGS}

    side = container("side", "exit 7", essential=False)
    account.register(containerDefinitions=[side, container("app", "echo up; exec sleep 100000", essential=True)])
    lasting = account.run()
    until(lambda: exit_codes(account.describe(lasting)) == {"side": 7, "app": None})
    main = container("app", "exit 3", essential=True)
    helper = container("side", "exec sleep 100000", essential=False)
    account.register(containerDefinitions=[main, helper])

    ended = account.ended(account.run())

    assert account.describe(lasting)["lastStatus"] == "RUNNING"
    assert (ended["stopCode"], exit_codes(ended)) == ("EssentialContainerExited", {"app": 3, "side": 143})


def exit_codes(task: dict[str, Any]) -> dict[str, int | None]:
    return {container["name"]: container.get("exitCode") for container in task["containers"]}


@pytest.mark.documented("developer guide, Pass Secrets Manager secrets: arn:json-key:version-stage:version-id")
def test_a_secret_is_taken_by_json_key_version_stage_and_version_id(account: Account) -> None:
    secrets = account.aws.client("secretsmanager")
    created = secrets.create_secret(Name="db", SecretString=json.dumps({"user": "old"}))
    arn, first = created["ARN"], created["VersionId"]
    secrets.put_secret_value(SecretId=arn, SecretString=json.dumps({"user": "new"}))
    sources = {
        "WHOLE": arn,
        "CURRENT": f"{arn}:user::",
        "STAGED": f"{arn}:user:AWSPREVIOUS:",
        "NUMBERED": f"{arn}:user::{first}",
    }
    wanted = [{"name": name, "valueFrom": source} for name, source in sources.items()]
    account.register("sh", "-c", "echo $WHOLE $CURRENT $STAGED $NUMBERED", container={"secrets": wanted})

    task = account.run()
    account.ended(task)

    assert account.output(task) == ['{"user": "new"} new old old']


@pytest.mark.documented("API: Secret.valueFrom: a parameter of another region is named by its full ARN")
def test_a_parameter_of_another_region_needs_its_arn(account: Account) -> None:
    account.aws.client("ssm", region="us-east-1").put_parameter(Name="/far/word", Value="far", Type="String")
    far = "arn:aws:ssm:us-east-1:123456789012:parameter/far/word"
    account.register("sh", "-c", "echo $WORD", container={"secrets": [{"name": "WORD", "valueFrom": far}]})
    by_arn = account.run()
    account.ended(by_arn)
    account.register("true", container={"secrets": [{"name": "WORD", "valueFrom": "/far/word"}]})

    by_name = account.ended(account.run())

    assert account.output(by_arn) == ["far"]
    assert (by_name["stopCode"], by_name["stoppedReason"].partition(":")[0]) == (
        "TaskFailedToStart",
        "ResourceInitializationError",
    )
