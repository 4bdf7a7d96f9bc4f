"""The contract of Amazon ECS, by what boto3 sees of it: RunTask.

Each test is named after a rule of AWS and marked with how it is known (`API` is the ECS API Reference).
"""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.ecs_account import Account, events_of, received, refusal
from localaws.running import Running


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


@pytest.mark.documented("API: ContainerOverride")
def test_overrides_change_command_and_variables_and_are_always_shown(account: Account) -> None:
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


@pytest.mark.documented("API: RunTask")
@pytest.mark.parametrize(("params", "code", "message"), REFUSED, ids=[row[2].split(".")[0] for row in REFUSED])
def test_a_request_that_cannot_be_run_is_refused(
    account: Account, params: dict[str, Any], code: str, message: str
) -> None:
    account.register("true")
    account.ecs.deregister_task_definition(taskDefinition="contract:1")
    account.register("true")

    status, said_code, said = refusal(account.run, **params)

    assert (status, said_code) == (400, code)
    assert said.startswith(message)


@pytest.mark.documented("API Reference, Ensuring idempotency")
def test_the_same_client_token_and_request_is_the_same_task(account: Account) -> None:
    account.register("sleep", "1000")

    first, again = account.run(clientToken="slot"), account.run(clientToken="slot")

    assert account.ecs.list_tasks(cluster="contract")["taskArns"] == [first["taskArn"]] == [again["taskArn"]]


@pytest.mark.documented("API: ConflictException.resourceIds")
def test_a_client_token_with_another_request_conflicts_and_names_the_tasks(account: Account) -> None:
    account.register("true")
    task = account.run(clientToken="slot")

    with pytest.raises(account.ecs.exceptions.ConflictException) as refused:
        account.run(clientToken="slot", startedBy="someone")

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert refused.value.response["resourceIds"] == [task["taskArn"]]


@pytest.mark.documented("API Reference, Ensuring idempotency")
def test_a_client_token_belongs_to_one_cluster(account: Account) -> None:
    account.register("true")
    account.ecs.create_cluster(clusterName="other")

    arns = {account.run(clientToken="slot", cluster=cluster)["taskArn"] for cluster in ("contract", "other")}

    assert len(arns) == 2


TOO_MUCH: list[tuple[dict[str, Any], str]] = [
    ({"count": 0}, "count is 1 to 10"),
    ({"count": 11}, "count is 1 to 10"),
    ({"startedBy": "x" * 129}, "startedBy has at most 128 characters"),
    ({"startedBy": "slot:1"}, "startedBy has letters, numbers, hyphens, slashes and underscores"),
    ({"clientToken": "x" * 65}, "clientToken has at most 64 characters"),
    ({"clientToken": "a b"}, "clientToken has ASCII 33 to 126"),
    ({"propagateTags": "SERVICE"}, "there is no service whose tags could be propagated"),
    ({"enableExecuteCommand": True}, "ECS Exec needs a task role"),
]


@pytest.mark.documented("API: RunTask.count, .startedBy, .clientToken, .propagateTags, .enableExecuteCommand")
@pytest.mark.parametrize(("params", "why"), TOO_MUCH, ids=[str(row[0])[:40] for row in TOO_MUCH])
def test_what_is_too_much_is_refused_and_starts_nothing(account: Account, params: dict[str, Any], why: str) -> None:
    account.register("true")

    refused = refusal(account.ask, **params)

    assert refused[:2] == (400, "InvalidParameterException"), why
    assert account.ecs.list_tasks(cluster="contract")["taskArns"] == []


@pytest.mark.documented("API: RunTask.overrides, 8192 characters with the formatting of JSON")
def test_overrides_may_be_8192_characters_long(account: Account) -> None:
    account.register("sleep", "100000")
    frame = len('{"containerOverrides":[{"name":"app","environment":[{"name":"V","value":""}]}]}')

    def overrides(length: int) -> dict[str, Any]:
        pair = {"name": "V", "value": "x" * (length - frame)}
        return {"containerOverrides": [{"name": "app", "environment": [pair]}]}

    taken = account.run(overrides=overrides(8192))
    refused = refusal(account.run, overrides=overrides(8193))

    assert taken["lastStatus"] == "PROVISIONING"
    assert refused == (400, "InvalidParameterException", "Container Overrides length must be at most 8192")


@pytest.mark.documented("developer guide, API failure reasons: RunTask answers HTTP 200 and `failures`")
@pytest.mark.localaws_only("it takes the capacity away")
def test_a_launch_without_room_is_answered_http_200_with_failures_and_starts_nothing(account: Account) -> None:
    account.register("sleep", "100000")
    account.register("sleep", "100000", family="other")
    short(account, outcome="refused", reason="RESOURCE:MEMORY", family="contract", times=2)

    first, second = account.ask(count=2), account.ask()
    elsewhere, later = account.run(taskDefinition="other"), account.run()

    assert (first["tasks"], second["tasks"]) == ([], [])
    assert first["failures"] == [{"reason": "RESOURCE:MEMORY"}] * 2
    assert first["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert set(running(account)) == {elsewhere["taskArn"], later["taskArn"]}


@pytest.mark.reported("aws/containers-roadmap#1705")
@pytest.mark.localaws_only("it takes the capacity away")
def test_no_event_tells_of_a_launch_without_room(account: Account) -> None:
    url = events_of(account.aws, "family:contract")
    account.register("true")
    short(account, outcome="refused", times=1)

    account.ask(startedBy="no-room")
    account.ended(account.run(startedBy="room"))

    details = [event["detail"] for event in received(account.aws, url, 9)]
    assert {detail["startedBy"] for detail in details} == {"room"}


@pytest.mark.documented("API: RunTask: some of the tasks may be placed, and the others be failures")
@pytest.mark.localaws_only("it takes the capacity away")
def test_tasks_and_failures_may_come_together(account: Account) -> None:
    account.register("sleep", "100000")
    short(account, outcome="refused", reason="RESOURCE:ENI", detail="no interface is left", tasks=2, cluster="contract")

    answer = account.ask(count=3)

    assert len(answer["tasks"]) == 1
    assert answer["failures"] == [{"reason": "RESOURCE:ENI", "detail": "no interface is left"}] * 2


@pytest.mark.reported("apache/airflow#16150")
@pytest.mark.localaws_only("it asks for the failure")
def test_failures_may_be_answered_although_a_task_was_started(account: Account) -> None:
    account.register("sleep", "100000")
    short(account, outcome="refused-but-started", times=1)

    answer = account.ask(clientToken="slot", startedBy="bgt")
    again = account.ask(clientToken="slot", startedBy="bgt")
    [arn] = account.ecs.list_tasks(cluster="contract", startedBy="bgt")["taskArns"]
    with pytest.raises(account.ecs.exceptions.ConflictException) as conflict:
        account.ask(clientToken="slot")

    assert (answer["tasks"], again["tasks"]) == ([], [])
    assert len(answer["failures"]) == len(again["failures"]) == 1
    assert conflict.value.response["resourceIds"] == [arn]


@pytest.mark.documented("API Reference, Ensuring idempotency: the original result, its failures among it")
@pytest.mark.localaws_only("it takes the capacity away, and moves the clock")
def test_a_client_token_repeats_the_failures_until_a_new_one_is_taken(account: Account) -> None:
    account.register("true")
    short(account, outcome="refused", reason="RESOURCE:CPU", times=1)

    first = account.ask(clientToken="slot-1")
    again = account.ask(clientToken="slot-1")
    account.aws.advance(3600)
    later = account.ask(clientToken="slot-1")
    fresh = account.run(clientToken="slot-2")
    account.aws.advance(23 * 3600)

    assert first["failures"] == again["failures"] == [{"reason": "RESOURCE:CPU"}]
    assert (later["tasks"], len(later["failures"])) == ([], 1)
    assert fresh["lastStatus"] == "PROVISIONING"
    assert account.run(clientToken="slot-1")["lastStatus"] == "PROVISIONING"


@pytest.mark.documented("API Reference, Ensuring idempotency: of a stopped task only its ARN and statuses")
def test_a_repeated_request_tells_of_a_stopped_task_its_arn_and_statuses(account: Account) -> None:
    account.register("true")
    task = account.run(clientToken="slot")
    account.ended(task)

    again = account.run(clientToken="slot")

    assert again == {"taskArn": task["taskArn"], "lastStatus": "STOPPED", "desiredStatus": "STOPPED"}


@pytest.mark.documented("API Reference, Ensuring idempotency: at most 24 hours")
@pytest.mark.localaws_only("it moves the clock")
def test_a_client_token_ends_after_a_day_though_its_task_runs(account: Account) -> None:
    account.register("sleep", "100000")
    task = account.run(clientToken="slot")
    account.reached(task, "RUNNING")

    account.aws.advance(23 * 3600)
    within = account.run(clientToken="slot")["taskArn"]
    account.aws.advance(3600)

    assert within == task["taskArn"] != account.run(clientToken="slot")["taskArn"]


@pytest.mark.documented("API Reference, Ensuring idempotency: the lifetime of several tasks is that of the last")
@pytest.mark.localaws_only("it moves the clock")
def test_a_client_token_of_several_tasks_lasts_as_long_as_the_last_of_them(account: Account) -> None:
    account.register("sleep", "100000")
    tasks = account.ask(clientToken="slot", count=2)["tasks"]
    account.stop(tasks[0])
    account.ended(tasks[0])

    account.aws.advance(7200)

    again = {task["taskArn"] for task in account.ask(clientToken="slot", count=2)["tasks"]}
    assert tasks[1]["taskArn"] in again
    assert running(account) == [tasks[1]["taskArn"]]


@pytest.mark.documented("API: RunTask.tags, .propagateTags, .enableECSManagedTags")
def test_a_task_has_the_tags_of_its_request_and_where_asked_for_those_of_its_definition(account: Account) -> None:
    account.register("sleep", "100000", tags=[{"key": "owner", "value": "definition"}])
    own = [{"key": "run", "value": "1"}]

    def tags(**params: Any) -> dict[str, str]:
        task = account.describe(account.run(tags=own, **params), include=["TAGS"])
        return {tag["key"]: tag["value"] for tag in task["tags"]}

    assert tags() == {"run": "1"}
    assert tags(propagateTags="TASK_DEFINITION") == {"run": "1", "owner": "definition"}
    assert tags(enableECSManagedTags=True) == {"run": "1", "aws:ecs:clusterName": "contract"}


def short(account: Account, **shortage: Any) -> None:
    """Take capacity away."""
    account.aws.control("POST", "ecs/shortages", shortage)


def running(account: Account) -> list[str]:
    arns: list[str] = account.ecs.list_tasks(cluster="contract")["taskArns"]
    return arns
