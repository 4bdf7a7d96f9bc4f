"""The contract of Amazon ECS, by what boto3 sees of it: tasks that are shown, listed and stopped, and clusters.

Each test is named after a rule of AWS and marked with how it is known (`API` is the ECS API Reference).
"""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.ecs_account import Account, refusal
from localaws.running import Running


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


@pytest.mark.documented("API: DescribeTasks; API Reference, Ensuring idempotency")
@pytest.mark.localaws_only("it moves the clock")
def test_a_stopped_task_and_its_client_token_are_forgotten_after_an_hour(account: Account) -> None:
    account.register("true")
    task = account.run(clientToken="slot")
    account.ended(task)

    account.aws.advance(3601)

    answer = account.ecs.describe_tasks(cluster="contract", tasks=[task["taskArn"]])
    assert answer["tasks"] == []
    assert answer["failures"] == [{"arn": task["taskArn"], "reason": "MISSING"}]
    assert account.run(clientToken="slot")["taskArn"] != task["taskArn"]


@pytest.mark.documented("API: StopTask")
def test_stop_task_sends_sigterm_and_deletes_the_tags(account: Account) -> None:
    account.register("sh", "-c", "trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 0.05; done")
    task = account.run(tags=[{"key": "a", "value": "1"}])
    account.said(task, "up")

    account.ecs.stop_task(cluster="contract", task=task["taskArn"], reason="cancelled")
    account.ended(task)

    ended = account.describe(task, include=["TAGS"])
    assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "cancelled")
    assert (ended["containers"][0]["exitCode"], ended["tags"]) == (4, [])
    assert account.output(task) == ["up", "bye"]


@pytest.mark.documented("API: ContainerDefinition.stopTimeout; 137 is 128 and SIGKILL")
def test_stop_task_kills_what_outlives_its_stop_timeout(account: Account) -> None:
    ignores = "trap '' TERM; echo up; while :; do sleep 0.05; done"
    account.register("sh", "-c", ignores, container={"stopTimeout": 2})
    task = account.run()
    account.said(task, "up")

    account.ecs.stop_task(cluster="contract", task=task["taskArn"])

    assert account.ended(task)["containers"][0]["exitCode"] == 137


@pytest.mark.reported("apache/airflow's tests")
def test_an_unknown_task_cannot_be_stopped_and_is_missing_where_it_is_described(account: Account) -> None:
    unknown = "0" * 32

    stopped = refusal(account.ecs.stop_task, cluster="contract", task=unknown)
    described = account.ecs.describe_tasks(cluster="contract", tasks=[unknown])

    assert stopped == (400, "InvalidParameterException", "The referenced task was not found.")
    assert described["tasks"] == []
    assert described["failures"][0]["reason"] == "MISSING"


@pytest.mark.documented("API: ListTasks")
def test_tasks_are_listed_by_family_and_desired_status_in_pages(account: Account) -> None:
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


@pytest.mark.documented("botocore's waiters-2 model of ECS")
def test_the_waiter_of_the_sdk_sees_the_end(account: Account) -> None:
    account.register("true")
    task = account.run()

    account.ecs.get_waiter("tasks_stopped").wait(
        cluster="contract", tasks=[task["taskArn"]], WaiterConfig={"Delay": 1, "MaxAttempts": 300}
    )

    assert account.describe(task)["containers"][0]["exitCode"] == 0


@pytest.mark.documented("API: DescribeTasks.tasks, up to 100 task IDs or full ARN entries")
def test_more_than_a_hundred_tasks_are_not_described_at_once(account: Account) -> None:
    refused = refusal(account.ecs.describe_tasks, cluster="contract", tasks=[f"{n:032x}" for n in range(101)])

    assert refused[:2] == (400, "InvalidParameterException")


@pytest.mark.documented("API: ListTasks.startedBy, the only filter that is used")
def test_started_by_does_not_go_with_a_family(account: Account) -> None:
    refused = refusal(account.ecs.list_tasks, cluster="contract", startedBy="bgt", family="contract")

    assert refused[:2] == (400, "InvalidParameterException")


@pytest.mark.assumed("StopTask is idempotent; an account would tell")
def test_stopping_a_stopped_task_changes_nothing_but_its_tags(account: Account) -> None:
    account.register("sh", "-c", "exit 3")
    task = account.run(tags=[{"key": "a", "value": "1"}])
    before = account.ended(task)

    account.stop(task, reason="late")

    after = account.describe(task, include=["TAGS"])
    assert (after["stopCode"], after["stoppedReason"], after["version"]) == (
        before["stopCode"],
        before["stoppedReason"],
        before["version"],
    )
    assert after["tags"] == []


@pytest.mark.documented("API: ContainerDefinition.stopTimeout, 30 seconds by default")
@pytest.mark.localaws_only("it moves the clock")
def test_without_a_stop_timeout_the_kill_comes_after_thirty_seconds(account: Account) -> None:
    account.register("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done")
    task = account.run()
    account.said(task, "up")
    account.stop(task)
    account.reached(task, "STOPPING")

    account.aws.set_rate(0)
    account.aws.advance(29)
    before = account.describe(task)["lastStatus"]
    account.aws.set_rate(1)
    account.aws.advance(1)

    assert (before, account.ended(task)["containers"][0]["exitCode"]) == ("STOPPING", 137)


@pytest.mark.documented("API: ContainerDefinition.stopTimeout, at most 120 seconds on Fargate")
def test_a_stop_timeout_beyond_two_minutes_is_refused(account: Account) -> None:
    refused = refusal(account.register, container={"stopTimeout": 121})

    assert refused[:2] == (400, "ClientException")


@pytest.mark.documented("API: StopTask: a task may be stopped before it runs")
@pytest.mark.localaws_only("it makes the start last")
def test_a_task_stopped_before_it_runs_never_runs(account: Account) -> None:
    account.register("sleep", "100000")
    account.aws.fault("delay", "logs", "CreateLogStream", seconds=2)
    task = account.run()

    account.stop(task, reason="too early")

    ended = account.ended(task)
    assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "too early")
    assert "exitCode" not in ended["containers"][0]
    assert "startedAt" not in ended


@pytest.mark.documented("API: CreateCluster, DescribeClusters; developer guide, API failure reasons")
def test_a_cluster_answers_to_name_and_arn_and_an_unknown_one_is_missing(account: Account) -> None:
    arn = account.ecs.create_cluster(clusterName="second")["cluster"]["clusterArn"]

    answer = account.ecs.describe_clusters(clusters=["second", arn, "no"])

    assert [found["clusterArn"] for found in answer["clusters"]] == [arn, arn]
    assert [(failure["arn"].rpartition("/")[2], failure["reason"]) for failure in answer["failures"]] == [
        ("no", "MISSING")
    ]


@pytest.mark.documented("API: ListClusters.maxResults, .nextToken")
def test_clusters_are_listed_in_pages(account: Account) -> None:
    for name in ("b", "a", "d", "c"):
        account.ecs.create_cluster(clusterName=name)
    pages = account.ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 2})

    found = [arn.rpartition("/")[2] for arn in pages.build_full_result()["clusterArns"]]

    assert sorted(found) == ["a", "b", "c", "contract", "d"]


@pytest.mark.documented("API: DeleteCluster: ClusterContainsTasksException; a deleted cluster is INACTIVE")
def test_a_cluster_is_deleted_once_its_tasks_have_ended_and_then_runs_none(account: Account) -> None:
    account.register("sleep", "100000")
    task = account.run()

    early = refusal(account.ecs.delete_cluster, cluster="contract")
    account.stop(task)
    account.ended(task)
    deleted = account.ecs.delete_cluster(cluster="contract")["cluster"]

    assert early[:2] == (400, "ClusterContainsTasksException")
    assert deleted["status"] == "INACTIVE"
    assert refusal(account.run)[:2] == (400, "InvalidParameterException")
    assert account.ecs.list_clusters()["clusterArns"] == []


@pytest.mark.documented("API: TagResource, UntagResource, ListTagsForResource")
def test_definitions_clusters_and_tasks_are_tagged_by_their_arns(account: Account) -> None:
    definition = account.register("sleep", "100000")["taskDefinition"]["taskDefinitionArn"]
    cluster = account.ecs.describe_clusters(clusters=["contract"])["clusters"][0]["clusterArn"]
    for arn in (definition, cluster, account.run()["taskArn"]):
        account.ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
        account.ecs.untag_resource(resourceArn=arn, tagKeys=["a", "absent"])

        assert account.ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
