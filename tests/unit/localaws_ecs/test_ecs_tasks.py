"""DescribeTasks, ListTasks and StopTask."""

from __future__ import annotations

import pytest

from fixtures.ecs_world import Ecs, container, job, request
from localaws.contract import AwsError

pytestmark = pytest.mark.timeout(10)  # real processes, perhaps on a busy machine

UNKNOWN = "0" * 32
TASK = "arn:aws:ecs:eu-west-1:123456789012:task/"


def listed(ecs: Ecs, **params: object) -> list[str]:
    return ecs("ListTasks", cluster="main", **params)["taskArns"]


def test_describe_answers_what_it_knows_and_calls_the_rest_missing(ecs: Ecs) -> None:
    task = ecs.ready().run()
    short = task["taskArn"].rpartition("/")[2]

    answer = ecs("DescribeTasks", cluster="main", tasks=[short, UNKNOWN])

    assert [found["taskArn"] for found in answer["tasks"]] == [task["taskArn"]]
    assert answer["failures"] == [{"arn": f"{TASK}main/{UNKNOWN}", "reason": "MISSING"}]


def test_a_task_of_another_cluster_is_missing(ecs: Ecs) -> None:
    task = ecs.ready().run()
    ecs("CreateCluster", clusterName="other")

    answer = ecs("DescribeTasks", cluster="other", tasks=[task["taskArn"]])

    assert answer == {"tasks": [], "failures": [{"arn": task["taskArn"], "reason": "MISSING"}]}


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([], "Tasks cannot be empty."),
        ([UNKNOWN] * 101, "Tasks can have at most 100 items."),
        (["None"], "taskId length should be one of [32,36]"),
    ],
)
def test_describe_refuses_what_cannot_be_a_list_of_tasks(ecs: Ecs, tasks: list[str], message: str) -> None:
    ecs.ready()

    with pytest.raises(AwsError) as refused:
        ecs("DescribeTasks", cluster="main", tasks=tasks)

    assert (refused.value.code, refused.value.message) == ("InvalidParameterException", message)


def test_tags_are_described_only_where_asked_for(ecs: Ecs) -> None:
    tags = [{"key": "a", "value": "1"}]
    task = ecs.ready().run(tags=tags)

    assert ecs.describe(task)["tags"] == []
    assert ecs.describe(task, include=["TAGS"])["tags"] == tags


def test_a_stopped_task_is_remembered_for_an_hour(ecs: Ecs) -> None:
    task = ecs.ready().run()
    ecs.finish(task)

    ecs.advance(minutes=59)
    within = (listed(ecs, desiredStatus="STOPPED"), ecs.describe(task)["lastStatus"])
    ecs.advance(minutes=1)
    after = ecs("DescribeTasks", cluster="main", tasks=[task["taskArn"]])

    assert within == ([task["taskArn"]], "STOPPED")
    assert after == {"tasks": [], "failures": [{"arn": task["taskArn"], "reason": "MISSING"}]}
    assert listed(ecs, desiredStatus="STOPPED") == []


def test_list_shows_what_shall_run_unless_asked_for_what_shall_not(ecs: Ecs) -> None:
    ecs.ready()
    ended = ecs.run()
    ecs.finish(ended)
    ecs("RegisterTaskDefinition", **job(container("sleep", "1000")))
    running = ecs.run()

    assert listed(ecs) == listed(ecs, desiredStatus="RUNNING") == [running["taskArn"]]
    assert listed(ecs, desiredStatus="STOPPED") == [ended["taskArn"]]
    assert listed(ecs, desiredStatus="PENDING") == []


def test_list_filters_by_family_starter_and_launch_type(ecs: Ecs) -> None:
    ecs.ready()
    ecs("RegisterTaskDefinition", **job(family="jobs"))
    one = ecs.run(startedBy="a")["taskArn"]
    two = ecs.run(taskDefinition="jobs", startedBy="b")["taskArn"]

    assert listed(ecs, family="job") == [one]
    assert listed(ecs, family="jobs") == [two]
    assert listed(ecs, startedBy="b", desiredStatus="RUNNING") == [two]
    assert listed(ecs, launchType="FARGATE") == [one, two]
    assert listed(ecs, launchType="EC2") == listed(ecs, containerInstance="i") == []


def test_tasks_of_a_deregistered_definition_are_still_listed(ecs: Ecs) -> None:
    task = ecs.ready().run()

    ecs("DeregisterTaskDefinition", taskDefinition="job:1")

    assert listed(ecs, family="job") == [task["taskArn"]]


def test_started_by_with_a_family_is_refused(ecs: Ecs) -> None:
    ecs.ready()

    with pytest.raises(AwsError) as refused:
        listed(ecs, startedBy="a", family="job")

    assert refused.value.code == "InvalidParameterException"


def test_there_are_no_services(ecs: Ecs) -> None:
    ecs.ready()

    with pytest.raises(AwsError) as refused:
        listed(ecs, serviceName="web")

    assert refused.value.code == "ServiceNotFoundException"


def test_pages_of_tasks_make_up_the_list_whatever_ends_meanwhile(ecs: Ecs) -> None:
    ecs.ready()
    ecs("RegisterTaskDefinition", **job(container("sleep", "1000")))
    tasks = [task["taskArn"] for task in ecs("RunTask", **request(count=5))["tasks"]]

    first = ecs("ListTasks", cluster="main", maxResults=2)
    ecs("StopTask", cluster="main", task=tasks[0])
    second = ecs("ListTasks", cluster="main", maxResults=2, nextToken=first["nextToken"])
    third = ecs("ListTasks", cluster="main", maxResults=2, nextToken=second["nextToken"])

    assert [first["taskArns"], second["taskArns"], third["taskArns"]] == [tasks[:2], tasks[2:4], tasks[4:]]
    assert "nextToken" not in third


def test_stop_answers_at_once_and_deletes_the_tags(ecs: Ecs) -> None:
    ecs.ready()
    ecs("RegisterTaskDefinition", **job(container("sleep", "1000")))
    task = ecs.run(tags=[{"key": "a", "value": "1"}])
    ecs.reach(task, "RUNNING")

    answer = ecs("StopTask", cluster="main", task=task["taskArn"], reason="enough")["task"]

    assert (answer["desiredStatus"], answer["lastStatus"], answer["tags"]) == ("STOPPED", "RUNNING", [])
    assert ecs.describe(ecs.finish(task), include=["TAGS"])["tags"] == []


def test_stopping_without_a_reason_says_that_a_user_did(ecs: Ecs) -> None:
    task = ecs.ready().run()

    ecs("StopTask", cluster="main", task=task["taskArn"])

    ended = ecs.finish(task)
    assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "Task stopped by user")


def test_stopping_a_stopped_task_changes_nothing(ecs: Ecs) -> None:
    task = ecs.ready().run()
    ended = ecs.finish(task)

    again = ecs("StopTask", cluster="main", task=task["taskArn"], reason="late")["task"]

    assert again == ended
    assert ecs.details(task)[-1]["version"] == ended["version"]


def test_an_unknown_task_cannot_be_stopped(ecs: Ecs) -> None:
    ecs.ready()

    with pytest.raises(AwsError) as refused:
        ecs("StopTask", cluster="main", task=UNKNOWN)

    assert (refused.value.code, refused.value.status) == ("InvalidParameterException", 400)
    assert refused.value.message == "The referenced task was not found."
