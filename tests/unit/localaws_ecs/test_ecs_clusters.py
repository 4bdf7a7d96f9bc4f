"""Clusters, and the tags of everything."""

from __future__ import annotations

import pytest

from fixtures.ecs_world import NETWORK, Ecs, container, job
from localaws.contract import AwsError

pytestmark = pytest.mark.timeout(10)  # real processes, perhaps on a busy machine

ARN = "arn:aws:ecs:eu-west-1:123456789012:cluster/"


def code_of(ecs: Ecs, operation: str, **params: object) -> str:
    with pytest.raises(AwsError) as refused:
        ecs(operation, **params)
    return refused.value.code


def test_a_cluster_without_a_name_is_the_default_one(ecs: Ecs) -> None:
    created = ecs("CreateCluster")["cluster"]

    assert (created["clusterName"], created["clusterArn"], created["status"]) == ("default", f"{ARN}default", "ACTIVE")
    assert ecs("DescribeClusters")["clusters"][0]["clusterName"] == "default"


def test_creating_a_cluster_twice_gives_the_first(ecs: Ecs) -> None:
    ecs("CreateCluster", clusterName="main", tags=[{"key": "a", "value": "1"}])

    again = ecs("CreateCluster", clusterName="main")["cluster"]

    assert again["tags"] == [{"key": "a", "value": "1"}]
    assert ecs("ListClusters")["clusterArns"] == [f"{ARN}main"]


@pytest.mark.parametrize("name", ["main", f"{ARN}main"])
def test_a_cluster_answers_to_its_name_and_its_arn(ecs: Ecs, name: str) -> None:
    ecs("CreateCluster", clusterName="main")

    assert ecs("DescribeClusters", clusters=[name])["clusters"][0]["clusterArn"] == f"{ARN}main"


def test_an_unknown_cluster_is_a_failure_of_describe_and_an_error_elsewhere(ecs: Ecs) -> None:
    described = ecs("DescribeClusters", clusters=["no"])

    assert described == {"clusters": [], "failures": [{"arn": f"{ARN}no", "reason": "MISSING"}]}
    for operation, params in [
        ("DeleteCluster", {}),
        ("ListTasks", {}),
        ("DescribeTasks", {"tasks": ["0" * 32]}),
        ("StopTask", {"task": "0" * 32}),
        ("RunTask", {"taskDefinition": "job"}),
    ]:
        assert code_of(ecs, operation, cluster="no", **params) == "ClusterNotFoundException"


def test_more_is_told_of_a_cluster_only_where_asked_for(ecs: Ecs) -> None:
    ecs("CreateCluster", clusterName="main", tags=[{"key": "a", "value": "1"}])

    plain = ecs("DescribeClusters", clusters=["main"])["clusters"][0]
    full = ecs("DescribeClusters", clusters=["main"], include=["TAGS", "SETTINGS"])["clusters"][0]

    assert (plain["tags"], plain["settings"]) == ([], [])
    assert full["tags"] == [{"key": "a", "value": "1"}]
    assert full["settings"] == [{"name": "containerInsights", "value": "disabled"}]


def test_a_deleted_cluster_is_inactive_takes_no_task_and_can_be_created_anew(ecs: Ecs) -> None:
    ecs.ready()

    deleted = ecs("DeleteCluster", cluster="main")["cluster"]

    assert deleted["status"] == ecs("DescribeClusters", clusters=["main"])["clusters"][0]["status"] == "INACTIVE"
    assert ecs("ListClusters")["clusterArns"] == []
    assert code_of(ecs, "RunTask", cluster="main", taskDefinition="job") == "InvalidParameterException"
    assert ecs("CreateCluster", clusterName="main")["cluster"]["status"] == "ACTIVE"


def test_a_cluster_with_tasks_is_counted_and_not_deleted(ecs: Ecs) -> None:
    ecs.ready()
    ecs("RegisterTaskDefinition", **job(container("sleep", "1000")))
    task = ecs.run()
    ecs.reach(task, "RUNNING")

    counts = ecs("DescribeClusters", clusters=["main"])["clusters"][0]

    assert (counts["runningTasksCount"], counts["pendingTasksCount"]) == (1, 0)
    assert code_of(ecs, "DeleteCluster", cluster="main") == "ClusterContainsTasksException"


def test_a_strategy_needs_providers_that_the_cluster_has(ecs: Ecs) -> None:
    ecs.ready()
    ecs(
        "PutClusterCapacityProviders", cluster="main", capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[]
    )
    spot = {
        "taskDefinition": "job",
        "cluster": "main",
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}],
    }

    assert code_of(ecs, "RunTask", networkConfiguration=NETWORK, **spot) == "InvalidParameterException"
    assert code_of(ecs, "CreateCluster", clusterName="x", capacityProviders=["MINE"]) == "InvalidParameterException"


def test_settings_are_updated_as_a_whole(ecs: Ecs) -> None:
    ecs("CreateCluster", clusterName="main")

    updated = ecs("UpdateCluster", cluster="main", settings=[{"name": "containerInsights", "value": "enabled"}])

    assert updated["cluster"]["settings"] == [{"name": "containerInsights", "value": "enabled"}]


@pytest.mark.parametrize("kind", ["cluster", "definition", "task"])
def test_tags_are_added_replaced_and_removed(ecs: Ecs, kind: str) -> None:
    task = ecs.ready().run()
    arn = {
        "cluster": f"{ARN}main",
        "definition": "arn:aws:ecs:eu-west-1:123456789012:task-definition/job:1",
        "task": task["taskArn"],
    }[kind]

    ecs("TagResource", resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    ecs("TagResource", resourceArn=arn, tags=[{"key": "b", "value": "3"}, {"key": "c"}])
    ecs("UntagResource", resourceArn=arn, tagKeys=["a", "never there"])

    assert ecs("ListTagsForResource", resourceArn=arn)["tags"] == [
        {"key": "b", "value": "3"},
        {"key": "c", "value": ""},
    ]


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ([{"key": "aws:x", "value": ""}], "AWS keeps aws: for itself"),
        ([{"key": "AWS:x", "value": ""}], "in any case of letters"),
        ([{"key": "a", "value": "1"}, {"key": "a", "value": "2"}], "a key is there once"),
        ([{"key": str(n), "value": ""} for n in range(50)], "50 at most, with the one that is there"),
    ],
)
def test_tags_that_cannot_be_are_refused_as_a_whole(ecs: Ecs, tags: list[dict[str, str]], why: str) -> None:
    ecs("CreateCluster", clusterName="main", tags=[{"key": "old", "value": ""}])

    assert code_of(ecs, "TagResource", resourceArn=f"{ARN}main", tags=tags) == "InvalidParameterException", why
    assert ecs("ListTagsForResource", resourceArn=f"{ARN}main")["tags"] == [{"key": "old", "value": ""}]


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        (f"{ARN}no", "ClusterNotFoundException"),
        ("arn:aws:ecs:eu-west-1:123456789012:task-definition/no:1", "ClientException"),
        ("arn:aws:ecs:eu-west-1:123456789012:task/main/" + "0" * 32, "InvalidParameterException"),
        ("arn:aws:sqs:eu-west-1:123456789012:queue", "InvalidParameterException"),
    ],
)
def test_nothing_else_has_tags(ecs: Ecs, arn: str, code: str) -> None:
    ecs.ready()

    assert code_of(ecs, "ListTagsForResource", resourceArn=arn) == code
