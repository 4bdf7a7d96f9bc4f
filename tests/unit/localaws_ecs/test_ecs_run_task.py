"""RunTask: what it refuses, what it makes of a request, and what a client token means."""

from __future__ import annotations

import pytest

from fixtures.ecs_world import NETWORK, ROLE, Ecs, container, job, request
from localaws.contract import AwsError

pytestmark = pytest.mark.timeout(10)  # real processes, perhaps on a busy machine

VARIABLE = {"name": "A", "value": "1"}


def overrides(**entry: object) -> dict[str, object]:
    return {"containerOverrides": [{"name": "app", **entry}]}


def without(name: str, **members: object) -> dict[str, object]:
    return {key: value for key, value in request(**members).items() if key != name}


REFUSED: list[tuple[str, dict[str, object], str, str]] = [
    ("no task", request(count=0), "InvalidParameterException", "count should be between 1 and 10."),
    ("eleven tasks", request(count=11), "InvalidParameterException", "count should be between 1 and 10."),
    ("a colon", request(startedBy="a:b"), "InvalidParameterException", "startedBy can have up to 128 letters"),
    ("129 letters", request(startedBy="a" * 129), "InvalidParameterException", "startedBy can have up to 128 letters"),
    ("a long token", request(clientToken="a" * 65), "InvalidParameterException", "clientToken can have 1 to 64"),
    ("a blank in a token", request(clientToken="a b"), "InvalidParameterException", "clientToken can have 1 to 64"),
    (
        "tags of a service",
        request(propagateTags="SERVICE"),
        "InvalidParameterException",
        "Invalid value for propagateTa",
    ),
    ("tags of nobody", request(propagateTags="NONE"), "InvalidParameterException", "Invalid value for propagateTags"),
    ("an unknown family", request(taskDefinition="no"), "ClientException", "TaskDefinition not found."),
    ("an unknown revision", request(taskDefinition="job:9"), "ClientException", "TaskDefinition not found."),
    (
        "an inactive revision",
        request(taskDefinition="job:2"),
        "InvalidParameterException",
        "TaskDefinition is inactive",
    ),
    (
        "both ways to say where",
        request(capacityProviderStrategy=[{"capacityProvider": "FARGATE"}]),
        "InvalidParameterException",
        "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
    ),
    (
        "EC2",
        request(launchType="EC2"),
        "InvalidParameterException",
        "No Container Instances were found in your cluster.",
    ),
    (
        "nowhere",
        without("launchType"),
        "InvalidParameterException",
        "No Container Instances were found in your cluster.",
    ),
    (
        "a definition for EC2",
        request(taskDefinition="ec2"),
        "InvalidParameterException",
        "Task definition does not support launch_type FARGATE.",
    ),
    (
        "no network",
        without("networkConfiguration"),
        "InvalidParameterException",
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
    ),
    (
        "no subnet",
        request(networkConfiguration={"awsvpcConfiguration": {"subnets": []}}),
        "InvalidParameterException",
        "subnets can not be empty.",
    ),
    (
        "17 subnets",
        request(networkConfiguration={"awsvpcConfiguration": {"subnets": ["s"] * 17}}),
        "InvalidParameterException",
        "subnets can have at most 16 items.",
    ),
    (
        "6 security groups",
        request(networkConfiguration={"awsvpcConfiguration": {"subnets": ["s"], "securityGroups": ["g"] * 6}}),
        "InvalidParameterException",
        "securityGroups can have at most 5 items.",
    ),
    (
        "an override of nobody",
        request(overrides={"containerOverrides": [{"name": "other", "command": ["true"]}]}),
        "InvalidParameterException",
        "Override for container named other is not a container in the TaskDefinition.",
    ),
    (
        "an override without a name",
        request(overrides={"containerOverrides": [{"command": ["true"]}]}),
        "InvalidParameterException",
        "Container override name should not be null or empty.",
    ),
    (
        "long overrides",
        request(overrides=overrides(environment=[{"name": "A", "value": "x" * 8192}])),
        "InvalidParameterException",
        "Container Overrides length must be at most 8192",
    ),
    (
        "a size that Fargate has not",
        request(overrides={"cpu": "512", "memory": "512"}),
        "ClientException",
        "No Fargate configuration exists for given values: 512 CPU, 512 memory.",
    ),
    (
        "an unknown platform",
        request(platformVersion="9.9.9"),
        "PlatformUnknownException",
        "The specified platform does",
    ),
    (
        "a large task on an old platform",
        request(platformVersion="1.3.0", overrides={"cpu": "8192", "memory": "16384"}),
        "PlatformTaskDefinitionIncompatibilityException",
        "The specified platform does not satisfy",
    ),
    (
        "exec without a role",
        request(enableExecuteCommand=True),
        "InvalidParameterException",
        "enableExecuteCommand requires a task role",
    ),
]


@pytest.mark.parametrize(("why", "params", "code", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_bad_request_is_refused_and_starts_nothing(
    ecs: Ecs, why: str, params: dict[str, object], code: str, message: str
) -> None:
    ecs.ready()
    ecs("RegisterTaskDefinition", **job())
    ecs("DeregisterTaskDefinition", taskDefinition="job:2")
    ecs("RegisterTaskDefinition", **job(family="ec2", cpu="300", requiresCompatibilities=["EC2"]))

    with pytest.raises(AwsError) as refused:
        ecs("RunTask", **params)

    assert (refused.value.code, refused.value.status) == (code, 400), why
    assert refused.value.message.startswith(message)
    assert ecs("ListTasks", cluster="main")["taskArns"] == []
    assert ecs.world.events == []


def test_8192_characters_of_overrides_are_taken(ecs: Ecs) -> None:
    frame = len('{"containerOverrides":[{"name":"app","environment":[{"name":"A","value":""}]}]}')
    ecs.ready()

    task = ecs.run(overrides=overrides(environment=[{"name": "A", "value": "x" * (8192 - frame)}]))

    assert task["lastStatus"] == "PROVISIONING"


def test_a_new_task_is_provisioning_and_names_what_it_was_started_with(ecs: Ecs) -> None:
    task = ecs.ready().run(startedBy="bgt/nightly")

    assert task["taskArn"].startswith("arn:aws:ecs:eu-west-1:123456789012:task/main/")
    assert (task["lastStatus"], task["desiredStatus"], task["version"]) == ("PROVISIONING", "RUNNING", 1)
    assert (task["group"], task["startedBy"]) == ("family:job", "bgt/nightly")
    assert (task["cpu"], task["memory"], task["launchType"]) == ("256", "512", "FARGATE")
    assert task["taskDefinitionArn"].endswith("task-definition/job:1")
    assert task["createdAt"] == ecs.world.clock.now()
    assert task["attachments"][0]["details"] == [{"name": "subnetId", "value": "subnet-1"}]


def test_overrides_are_always_shown_with_one_entry_a_container(ecs: Ecs) -> None:
    ecs.ready()
    ecs("RegisterTaskDefinition", **job(container(), container(name="sidecar")))

    plain = ecs.run()
    changed = ecs.run(overrides=overrides(environment=[VARIABLE]))

    assert plain["overrides"]["containerOverrides"] == [{"name": "app"}, {"name": "sidecar"}]
    assert changed["overrides"]["containerOverrides"] == [
        {"name": "app", "environment": [VARIABLE]},
        {"name": "sidecar"},
    ]


def test_an_override_of_the_size_is_the_size_of_the_task(ecs: Ecs) -> None:
    task = ecs.ready().run(overrides={"cpu": "1 vCPU", "memory": "2 GB"})

    assert (task["cpu"], task["memory"]) == ("1024", "2048")
    assert (task["overrides"]["cpu"], task["overrides"]["memory"]) == ("1024", "2048")


def test_an_override_of_what_a_container_reserves_is_shown_at_the_container(ecs: Ecs) -> None:
    task = ecs.ready().run(overrides=overrides(cpu=128, memory=256))

    assert (task["containers"][0]["cpu"], task["containers"][0]["memory"]) == ("128", "256")


def test_an_override_may_not_shadow_a_secret(ecs: Ecs) -> None:
    ecs.ready()
    secret = {"name": "PASSWORD", "valueFrom": "/db/password"}
    ecs("RegisterTaskDefinition", **job(container(secrets=[secret]), executionRoleArn=ROLE))

    with pytest.raises(AwsError) as refused:
        ecs.run(overrides=overrides(environment=[{"name": "PASSWORD", "value": "x"}]))

    assert "such as 'PASSWORD'" in refused.value.message


def test_count_starts_so_many_tasks(ecs: Ecs) -> None:
    ecs.ready()

    answer = ecs("RunTask", **request(count=10))

    assert len({task["taskArn"] for task in answer["tasks"]}) == 10
    assert answer["failures"] == []


@pytest.mark.parametrize(
    ("strategy", "default", "provider"),
    [
        ([{"capacityProvider": "FARGATE_SPOT"}], [], "FARGATE_SPOT"),
        ([], [{"capacityProvider": "FARGATE"}], "FARGATE"),
        (
            [{"capacityProvider": "FARGATE", "weight": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 3}],
            [],
            "FARGATE_SPOT",
        ),
    ],
)
def test_a_strategy_of_the_request_or_of_the_cluster_says_where(
    ecs: Ecs, strategy: list[dict[str, object]], default: list[dict[str, object]], provider: str
) -> None:
    ecs.ready()
    both = ["FARGATE", "FARGATE_SPOT"]
    ecs("PutClusterCapacityProviders", cluster="main", capacityProviders=both, defaultCapacityProviderStrategy=default)

    asked = {"capacityProviderStrategy": strategy} if strategy else {}
    task = ecs("RunTask", **without("launchType", **asked))["tasks"][0]

    assert (task["capacityProviderName"], task["launchType"]) == (provider, "FARGATE")


def test_tags_are_given_propagated_where_asked_for_and_those_of_the_request_win(ecs: Ecs) -> None:
    ecs.ready(tags=[{"key": "team", "value": "a"}, {"key": "env", "value": "x"}])
    own = [{"key": "env", "value": "y"}]

    def tags(**params: object) -> dict[str, str]:
        task = ecs.run(tags=own, **params)
        return {tag["key"]: tag["value"] for tag in ecs.describe(task, include=["TAGS"])["tags"]}

    assert tags() == {"env": "y"}
    assert tags(propagateTags="TASK_DEFINITION") == {"team": "a", "env": "y"}
    assert tags(enableECSManagedTags=True) == {"aws:ecs:clusterName": "main", "env": "y"}


def test_the_default_cluster_is_meant_where_none_is_named(ecs: Ecs) -> None:
    ecs("CreateCluster")
    ecs("RegisterTaskDefinition", **job())

    task = ecs("RunTask", taskDefinition="job", launchType="FARGATE", networkConfiguration=NETWORK)["tasks"][0]

    assert "task/default/" in task["taskArn"]


def test_the_same_token_and_request_gives_the_same_task(ecs: Ecs) -> None:
    ecs.ready()

    first, again = ecs.run(clientToken="slot-1"), ecs.run(clientToken="slot-1")

    assert first["taskArn"] == again["taskArn"]
    assert len(ecs("ListTasks", cluster="main")["taskArns"]) == 1


def test_naming_the_cluster_by_its_arn_is_the_same_request(ecs: Ecs) -> None:
    ecs.ready()

    first = ecs.run(clientToken="slot-1")
    again = ecs.run(clientToken="slot-1", cluster="arn:aws:ecs:eu-west-1:123456789012:cluster/main")

    assert first["taskArn"] == again["taskArn"]


@pytest.mark.parametrize(
    "changed", [{"startedBy": "other"}, {"count": 2}, {"overrides": {"cpu": "512", "memory": "1024"}}]
)
def test_the_same_token_with_another_request_conflicts_and_names_the_tasks(
    ecs: Ecs, changed: dict[str, object]
) -> None:
    task = ecs.ready().run(clientToken="slot-1")

    with pytest.raises(AwsError) as refused:
        ecs.run(clientToken="slot-1", **changed)

    assert (refused.value.code, refused.value.status) == ("ConflictException", 400)
    assert refused.value.fields == {"resourceIds": [task["taskArn"]]}


def test_a_token_means_another_request_in_another_cluster(ecs: Ecs) -> None:
    ecs.ready()
    ecs("CreateCluster", clusterName="other")

    tasks = [ecs.run(clientToken="slot-1", cluster=cluster)["taskArn"] for cluster in ("main", "other")]

    assert tasks[0] != tasks[1]


def test_a_replay_needs_no_definition_any_more(ecs: Ecs) -> None:
    first = ecs.ready().run(clientToken="slot-1", taskDefinition="job:1")
    ecs("DeregisterTaskDefinition", taskDefinition="job:1")

    again = ecs.run(clientToken="slot-1", taskDefinition="job:1")

    assert first["taskArn"] == again["taskArn"]


def test_a_replay_of_a_stopped_task_tells_its_arn_and_statuses_only(ecs: Ecs) -> None:
    task = ecs.ready().run(clientToken="slot-1")
    ecs.finish(task)

    again = ecs.run(clientToken="slot-1")

    assert again == {"taskArn": task["taskArn"], "lastStatus": "STOPPED", "desiredStatus": "STOPPED"}


def test_a_token_of_a_short_task_is_free_an_hour_after_its_end(ecs: Ecs) -> None:
    task = ecs.ready().run(clientToken="slot-1")
    ecs.finish(task)

    ecs.advance(minutes=59)
    within = ecs.run(clientToken="slot-1")["taskArn"]
    ecs.advance(minutes=1)
    after = ecs.run(clientToken="slot-1")["taskArn"]

    assert within == task["taskArn"] != after


def test_a_token_of_a_long_task_is_free_after_a_day(ecs: Ecs) -> None:
    ecs.ready()
    ecs("RegisterTaskDefinition", **job(container("sleep", "1000")))
    task = ecs.run(clientToken="slot-1")
    ecs.reach(task, "RUNNING")

    ecs.advance(hours=23)
    within = ecs.run(clientToken="slot-1")["taskArn"]
    ecs.advance(hours=1)
    after = ecs.run(clientToken="slot-1")["taskArn"]

    assert within == task["taskArn"] != after


def test_a_refused_request_does_not_use_its_token(ecs: Ecs) -> None:
    ecs.ready()
    with pytest.raises(AwsError):
        ecs.run(clientToken="slot-1", taskDefinition="no")

    assert ecs.run(clientToken="slot-1")["lastStatus"] == "PROVISIONING"
