"""Task definitions and tasks, from what ECS answers to what the planner reads."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from backgroundtask.aws import Cluster, Ecs
from backgroundtask.errors import Busy
from backgroundtask.plan.definition import DIGEST_TAG, OWNER_TAG, UID_TAG, Definition, EfsVolume
from backgroundtask.plan.names import Owner
from backgroundtask.plan.observed import Revision
from fixtures.wire import REGION, Wire

OWNER = Owner("prod", "ns", "job")
PREFIX = f"arn:aws:ecs:{REGION}:111122223333"
DEFINITION = Definition(owner=OWNER, image="repo/image:1", cpu=256, memory=512, tags={"team": "a"})


def revision(number: int, family: str = OWNER.family) -> str:
    return f"{PREFIX}:task-definition/{family}:{number}"


def task(number: int, **members: Any) -> dict[str, Any]:
    return {
        "taskArn": f"{PREFIX}:task/main/{number:032}",
        "taskDefinitionArn": revision(1),
        "version": 3,
        "lastStatus": "RUNNING",
        "desiredStatus": "RUNNING",
        **members,
    }


def described(number: int, **marks: str) -> dict[str, Any]:
    tags = [{"key": key, "value": value} for key, value in marks.items()]
    return {"taskDefinition": {"taskDefinitionArn": revision(number)}, "tags": tags}


MARKS = {OWNER_TAG: str(OWNER), UID_TAG: "uid-1", DIGEST_TAG: DEFINITION.digest, "team": "a"}


def test_a_cluster_has_its_arn_and_status(wire: Wire) -> None:
    found = {"clusterArn": f"{PREFIX}:cluster/main", "clusterName": "main", "status": "INACTIVE"}
    wire.says("DescribeClusters", {"clusters": [found], "failures": []})

    assert Ecs(wire.clients()).cluster("main") == Cluster(arn=f"{PREFIX}:cluster/main", status="INACTIVE")


def test_revisions_come_newest_first_from_all_pages_and_of_this_family_only(wire: Wire) -> None:
    wire.says("ListTaskDefinitions", {"taskDefinitionArns": [revision(9), revision(100)], "nextToken": "more"})
    wire.says("ListTaskDefinitions", {"taskDefinitionArns": [revision(3, f"{OWNER.family}-2"), revision(10)]})

    found = Ecs(wire.clients()).active_revisions(OWNER.family)

    assert found == (revision(100), revision(10), revision(9))
    assert [body["status"] for body in wire.bodies("ListTaskDefinitions")] == ["ACTIVE", "ACTIVE"]
    assert wire.bodies("ListTaskDefinitions")[0]["familyPrefix"] == OWNER.family


def test_the_walk_through_all_revisions_keeps_those_of_the_installation(wire: Wire) -> None:
    ours, theirs = revision(1), revision(1, "bgt_production_ns_job")
    wire.says("ListTaskDefinitions", {"taskDefinitionArns": [theirs, ours], "nextToken": "more"})
    wire.says("ListTaskDefinitions", {"taskDefinitionArns": [revision(2)]})

    assert list(Ecs(wire.clients()).all_active_revisions("bgt_prod_")) == [ours, revision(2)]


def test_a_revision_has_the_marks_of_its_tags(wire: Wire) -> None:
    wire.says("DescribeTaskDefinition", described(7, **MARKS))

    found = Ecs(wire.clients()).revision(revision(7))

    assert found == Revision(arn=revision(7), digest=DEFINITION.digest, owner=str(OWNER), uid="uid-1")
    assert wire.bodies("DescribeTaskDefinition")[0]["include"] == ["TAGS"]


def test_a_revision_tells_what_its_tasks_get_as_it_was_registered(wire: Wire) -> None:
    volume = EfsVolume(name="data", mount_path="/mnt", file_system="fs-01234567")
    full = replace(
        DEFINITION,
        task_role="arn:aws:iam::111122223333:role/reader",
        secrets={"DB": "/db"},
        registry_credentials="arn:aws:secretsmanager:eu-west-1:111122223333:secret:registry",
        volumes=(volume,),
        has_shell=True,
    )
    wire.says("RegisterTaskDefinition", described(8))
    made = Ecs(wire.clients()).register(full, "uid-1")
    sent = wire.bodies("RegisterTaskDefinition")[0]
    wire.says(
        "DescribeTaskDefinition", {"taskDefinition": {**sent, **described(8)["taskDefinition"]}, "tags": sent["tags"]}
    )

    assert Ecs(wire.clients()).revision(revision(8)) == made
    assert made.secrets == {"/db", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:registry"}
    assert (made.image, made.file_systems, made.has_shell) == ("repo/image:1", {"fs-01234567"}, True)
    assert (made.cpu, made.memory) == (full.cpu, full.memory)


def test_a_strangers_revision_has_no_marks(wire: Wire) -> None:
    wire.says("DescribeTaskDefinition", {"taskDefinition": {"taskDefinitionArn": revision(7)}})

    found = Ecs(wire.clients()).revision(revision(7))

    assert found == Revision(arn=revision(7), digest=None, owner=None, uid=None)


def test_a_revision_of_ours_is_asked_for_once(wire: Wire) -> None:
    wire.says("DescribeTaskDefinition", described(7, **MARKS))
    ecs = Ecs(wire.clients())

    assert ecs.revision(revision(7)) == ecs.revision(revision(7))
    assert wire.operations() == ["DescribeTaskDefinition"]


def test_a_strangers_revision_is_asked_for_again_since_it_may_be_tagged(wire: Wire) -> None:
    wire.says("DescribeTaskDefinition", described(7))
    wire.says("DescribeTaskDefinition", described(7, **MARKS))
    ecs = Ecs(wire.clients())

    assert [ecs.revision(revision(7)).owner, ecs.revision(revision(7)).owner] == [None, str(OWNER)]


def test_a_revision_that_ecs_forgot_is_looked_for_again_later(wire: Wire) -> None:
    wire.refuses("DescribeTaskDefinition", "ClientException", "Unable to describe task definition.")
    wire.says("ListTaskDefinitions", {"taskDefinitionArns": []})

    with pytest.raises(Busy) as caught:
        Ecs(wire.clients()).revision(revision(7))

    assert caught.value.reason == "RevisionVanished"


def test_a_registered_revision_is_marked_and_known_from_then_on(wire: Wire) -> None:
    wire.says("RegisterTaskDefinition", described(8))
    ecs = Ecs(wire.clients())

    made = ecs.register(DEFINITION, "uid-1")

    assert made == Revision(
        arn=revision(8),
        digest=DEFINITION.digest,
        owner=str(OWNER),
        uid="uid-1",
        image="repo/image:1",
        cpu=DEFINITION.cpu,
        memory=DEFINITION.memory,
    )
    assert ecs.revision(revision(8)) == made
    assert wire.bodies("RegisterTaskDefinition") == [DEFINITION.marked("uid-1")]
    assert "DescribeTaskDefinition" not in wire.operations()


@pytest.mark.parametrize("code", ["timeout", "ServerException", "ThrottlingException"])
def test_a_registration_is_never_repeated_since_each_one_makes_a_revision(wire: Wire, code: str) -> None:
    if code == "timeout":
        wire.breaks("RegisterTaskDefinition", ReadTimeoutError(endpoint_url="https://x"))
    wire.refuses("RegisterTaskDefinition", code, status=500)

    with pytest.raises(Busy):
        Ecs(wire.clients(attempts=3)).register(DEFINITION, "uid-1")

    assert wire.operations() == ["RegisterTaskDefinition"]


def test_tasks_are_described_a_hundred_at_a_time_and_once_each(wire: Wire) -> None:
    arns = [task(number)["taskArn"] for number in range(150)]
    wire.says("DescribeTasks", {"tasks": [task(number) for number in range(100)], "failures": []})
    gone = [{"arn": arns[149], "reason": "MISSING"}]
    wire.says("DescribeTasks", {"tasks": [task(number) for number in range(100, 149)], "failures": gone})

    found, missing = Ecs(wire.clients()).tasks("main", [*arns, arns[0]])

    assert [len(body["tasks"]) for body in wire.bodies("DescribeTasks")] == [100, 50]
    assert list(found) == arns[:149]
    assert missing == {arns[149]}


def test_no_tasks_are_asked_for_with_no_call(wire: Wire) -> None:
    assert Ecs(wire.clients()).tasks("main", []) == ({}, frozenset())
    assert wire.sent == []


def test_the_tasks_of_a_family_are_those_that_nobody_stopped_and_that_have_not_ended(wire: Wire) -> None:
    tasks = [task(1), task(2, desiredStatus="STOPPED"), task(3, lastStatus="STOPPED"), task(4, lastStatus="PENDING")]
    wire.says("ListTasks", {"taskArns": [tasks[0]["taskArn"]], "nextToken": "more"})
    wire.says("ListTasks", {"taskArns": [one["taskArn"] for one in tasks[1:]]})
    wire.says("DescribeTasks", {"tasks": tasks, "failures": []})

    found = Ecs(wire.clients()).tasks_of("main", OWNER.family)

    assert [one.arn for one in found] == [tasks[0]["taskArn"], tasks[3]["taskArn"]]
    assert wire.bodies("ListTasks")[0] == {"cluster": "main", "desiredStatus": "RUNNING", "family": OWNER.family}


def test_a_stop_carries_its_reason_on_one_line_of_at_most_255_characters(wire: Wire) -> None:
    wire.says("StopTask", {"task": task(1)})

    Ecs(wire.clients()).stop("main", task(1)["taskArn"], "BackgroundTask ns/job\nis deleted " + "x" * 300)

    reason = wire.bodies("StopTask")[0]["reason"]
    assert reason.startswith("BackgroundTask ns/job is deleted xxx")
    assert len(reason) == 255


def test_a_task_that_has_stopped_by_itself_is_done(wire: Wire) -> None:
    wire.refuses("StopTask", "InvalidParameterException", "The referenced task has stopped.")
    wire.says("DescribeTasks", {"tasks": [task(1, lastStatus="STOPPED", desiredStatus="STOPPED")], "failures": []})

    Ecs(wire.clients()).stop("main", task(1)["taskArn"], "why")

    assert wire.operations() == ["StopTask", "DescribeTasks"]
