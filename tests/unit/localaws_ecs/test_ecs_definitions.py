"""Task definitions: revisions, statuses, what ECS adds, lists and deletion."""

from __future__ import annotations

import itertools

import pytest

from fixtures.ecs_world import ACCOUNT, REGION, ROLE, Ecs, awslogs, container, job, request
from localaws.contract import AwsError
from localaws.ecs.catalog import Catalog
from localaws.ecs.names import Place

pytestmark = pytest.mark.timeout(10)  # real processes, perhaps on a busy machine

ARN = "arn:aws:ecs:eu-west-1:123456789012:task-definition/"


def register(ecs: Ecs, family: str = "job", times: int = 1) -> None:
    for _ in range(times):
        ecs("RegisterTaskDefinition", **job(family=family))


def described(ecs: Ecs, name: str, **params: object) -> dict[str, object]:
    return ecs("DescribeTaskDefinition", taskDefinition=name, **params)["taskDefinition"]


def arns(ecs: Ecs, **params: object) -> list[str]:
    return [arn.removeprefix(ARN) for arn in ecs("ListTaskDefinitions", **params)["taskDefinitionArns"]]


def test_each_registration_is_a_new_revision_even_of_the_same_content(ecs: Ecs) -> None:
    answers = [ecs("RegisterTaskDefinition", **job())["taskDefinition"] for _ in range(2)]

    assert [answer["taskDefinitionArn"] for answer in answers] == [f"{ARN}job:1", f"{ARN}job:2"]
    assert [answer["revision"] for answer in answers] == [1, 2]


def test_a_family_means_its_latest_active_revision(ecs: Ecs) -> None:
    register(ecs, times=3)
    ecs("DeregisterTaskDefinition", taskDefinition="job:3")

    assert described(ecs, "job")["revision"] == 2


@pytest.mark.parametrize("name", ["job:1", f"{ARN}job:1"])
def test_an_inactive_revision_is_described_where_it_is_named(ecs: Ecs, name: str) -> None:
    register(ecs, times=2)
    ecs("DeregisterTaskDefinition", taskDefinition=name)

    found = described(ecs, name)

    assert (found["revision"], found["status"]) == (1, "INACTIVE")
    assert found["deregisteredAt"] == ecs.world.clock.now()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("other", "no such family"),
        ("job:9", "no such revision"),
        ("gone", "a family without ACTIVE revisions"),
        ("arn:aws:ecs:us-east-1:123456789012:task-definition/job:1", "another region"),
        ("arn:aws:ecs:eu-west-1:999999999999:task-definition/job:1", "another account"),
    ],
)
def test_what_is_not_there_cannot_be_described(ecs: Ecs, name: str, why: str) -> None:
    register(ecs)
    register(ecs, "gone")
    ecs("DeregisterTaskDefinition", taskDefinition="gone:1")

    with pytest.raises(AwsError) as refused:
        described(ecs, name)

    assert (refused.value.code, refused.value.status) == ("ClientException", 400), why
    assert refused.value.message == "Unable to describe task definition."


def test_tags_are_answered_beside_the_definition_and_only_where_asked_for(ecs: Ecs) -> None:
    tags = [{"key": "owner", "value": "reports"}]

    registered = ecs("RegisterTaskDefinition", **job(tags=tags))
    plain = ecs("DescribeTaskDefinition", taskDefinition="job")
    full = ecs("DescribeTaskDefinition", taskDefinition="job", include=["TAGS"])

    assert registered["tags"] == full["tags"] == tags
    assert "tags" not in plain
    assert "tags" not in registered["taskDefinition"]


def test_defaults_are_added(ecs: Ecs) -> None:
    found = ecs("RegisterTaskDefinition", **job(container("true")))["taskDefinition"]

    assert found["containerDefinitions"] == [
        {
            "name": "app",
            "image": "app:1",
            "command": ["true"],
            "cpu": 0,
            "portMappings": [],
            "essential": True,
            "environment": [],
            "mountPoints": [],
            "volumesFrom": [],
            "systemControls": [],
        }
    ]
    assert (found["volumes"], found["placementConstraints"]) == ([], [])
    assert found["registeredAt"] == ecs.world.clock.now()
    assert found["registeredBy"] == "arn:aws:iam::123456789012:root"


def test_compatibilities_are_derived_not_echoed(ecs: Ecs) -> None:
    fit = ecs("RegisterTaskDefinition", **job(requiresCompatibilities=["EC2"]))["taskDefinition"]
    unfit = ecs("RegisterTaskDefinition", **job(requiresCompatibilities=["EC2"], cpu="300"))["taskDefinition"]

    assert (fit["requiresCompatibilities"], fit["compatibilities"]) == (["EC2"], ["EC2", "FARGATE"])
    assert unfit["compatibilities"] == ["EC2"]


def test_attributes_name_what_the_containers_need(ecs: Ecs) -> None:
    body = job(container("true", logConfiguration=awslogs()), executionRoleArn=ROLE, taskRoleArn=ROLE)

    found = ecs("RegisterTaskDefinition", **body)["taskDefinition"]

    names = {attribute["name"] for attribute in found["requiresAttributes"]}
    assert {
        "com.amazonaws.ecs.capability.logging-driver.awslogs",
        "ecs.capability.execution-role-awslogs",
        "com.amazonaws.ecs.capability.task-iam-role",
        "ecs.capability.task-eni",
    } <= names


def test_sizes_in_words_come_back_as_numbers(ecs: Ecs) -> None:
    found = ecs("RegisterTaskDefinition", **job(cpu="1 vCPU", memory="2 GB"))["taskDefinition"]

    assert (found["cpu"], found["memory"]) == ("1024", "2048")


def test_the_order_of_variables_is_not_kept_but_steady(ecs: Ecs) -> None:
    sent = [{"name": f"V{n}", "value": str(n)} for n in range(10)]
    orders = []
    for variables in (sent, sent[::-1]):
        body = job(container("true", environment=variables))
        answer = ecs("RegisterTaskDefinition", **body)["taskDefinition"]
        orders.append(answer["containerDefinitions"][0]["environment"])

    assert sorted(orders[0], key=lambda pair: pair["name"]) == sent
    assert orders[0] == orders[1]
    assert orders[0] not in (sent, sent[::-1])


def test_what_was_registered_does_not_change_with_what_was_sent(ecs: Ecs) -> None:
    body = job()
    ecs("RegisterTaskDefinition", **body)

    body["containerDefinitions"][0]["command"].append("changed")

    assert described(ecs, "job")["containerDefinitions"][0]["command"] == ["true"]


def test_lists_are_sorted_by_family_and_number(ecs: Ecs) -> None:
    register(ecs, "b", 11)
    register(ecs, "a", 1)

    ascending, descending = arns(ecs), arns(ecs, sort="DESC")

    assert ascending == ["a:1", *(f"b:{n}" for n in range(1, 12))]
    assert descending == ascending[::-1]


def test_family_prefix_is_the_full_name_and_status_is_active_by_default(ecs: Ecs) -> None:
    register(ecs, "job", 2)
    register(ecs, "jobs")
    ecs("DeregisterTaskDefinition", taskDefinition="job:1")

    assert arns(ecs, familyPrefix="job") == ["job:2"]
    assert arns(ecs, familyPrefix="job", status="INACTIVE") == ["job:1"]
    assert arns(ecs, familyPrefix="jo") == []


@pytest.mark.parametrize("sort", ["ASC", "DESC"])
def test_pages_make_up_the_list(ecs: Ecs, sort: str) -> None:
    register(ecs, "a", 3)
    register(ecs, "b", 4)

    pages, token = [], None
    while token is not None or not pages:
        answer = ecs("ListTaskDefinitions", sort=sort, maxResults=3, **({"nextToken": token} if token else {}))
        pages.append([arn.removeprefix(ARN) for arn in answer["taskDefinitionArns"]])
        token = answer.get("nextToken")

    assert [len(page) for page in pages] == [3, 3, 1]
    assert list(itertools.chain(*pages)) == arns(ecs, sort=sort)


@pytest.mark.parametrize("params", [{"maxResults": 0}, {"maxResults": 101}, {"nextToken": "x"}, {"nextToken": "e30="}])
def test_a_page_that_cannot_be_is_refused(ecs: Ecs, params: dict[str, object]) -> None:
    with pytest.raises(AwsError) as refused:
        ecs("ListTaskDefinitions", **params)

    assert refused.value.code == "InvalidParameterException"


@pytest.mark.parametrize(
    "operation", ["ListTaskDefinitions", "ListTaskDefinitionFamilies", "ListTasks", "ListClusters"]
)
def test_a_token_is_taken_only_by_the_list_that_gave_it(ecs: Ecs, operation: str) -> None:
    ecs.ready()
    register(ecs, "other")
    ecs("CreateCluster", clusterName="other")
    ecs("RunTask", **request(count=2))
    named = {"cluster": "main"} if operation == "ListTasks" else {}
    tokens = {
        other: ecs(other, maxResults=1, **({"cluster": "main"} if other == "ListTasks" else {}))["nextToken"]
        for other in ("ListTaskDefinitions", "ListTaskDefinitionFamilies", "ListTasks")
    }
    foreign = "ListTasks" if operation != "ListTasks" else "ListTaskDefinitionFamilies"

    with pytest.raises(AwsError) as refused:
        ecs(operation, nextToken=tokens[foreign], **named)

    assert refused.value.code == "InvalidParameterException"


def test_families_are_listed_by_prefix_and_by_whether_any_revision_is_active(ecs: Ecs) -> None:
    for family in ("ab", "ac", "b"):
        register(ecs, family)
    ecs("DeregisterTaskDefinition", taskDefinition="ac:1")

    found = {status: ecs("ListTaskDefinitionFamilies", status=status)["families"] for status in ("ACTIVE", "INACTIVE")}
    page = ecs("ListTaskDefinitionFamilies", familyPrefix="a", maxResults=1)
    rest = ecs("ListTaskDefinitionFamilies", familyPrefix="a", maxResults=1, nextToken=page["nextToken"])

    assert found == {"ACTIVE": ["ab", "b"], "INACTIVE": ["ac"]}
    assert (page["families"], rest) == (["ab"], {"families": ["ac"]})


def test_deleting_takes_inactive_revisions_and_reports_the_others(ecs: Ecs) -> None:
    register(ecs, times=2)
    ecs("DeregisterTaskDefinition", taskDefinition="job:1")

    answer = ecs("DeleteTaskDefinitions", taskDefinitions=["job:1", "job:2", "job:9"])

    assert [(d["revision"], d["status"]) for d in answer["taskDefinitions"]] == [(1, "DELETE_IN_PROGRESS")]
    assert [(failure["arn"], failure["reason"].partition(".")[0]) for failure in answer["failures"]] == [
        ("job:2", "The specified task definition is still in ACTIVE status"),
        ("job:9", "The specified task definition does not exist"),
    ]


def test_a_deleted_revision_is_gone_after_a_while_and_its_number_stays_used(ecs: Ecs) -> None:
    register(ecs)
    ecs("DeregisterTaskDefinition", taskDefinition="job:1")
    ecs("DeleteTaskDefinitions", taskDefinitions=["job:1"])
    during = described(ecs, "job:1")["status"]

    ecs.advance(hours=1)

    register(ecs)
    assert during == "DELETE_IN_PROGRESS"
    assert arns(ecs, status="DELETE_IN_PROGRESS") == []
    assert arns(ecs) == ["job:2"]


def test_a_deleted_revision_stays_while_a_task_of_it_lives(ecs: Ecs) -> None:
    ecs.ready()
    ecs("RegisterTaskDefinition", **job(container("sleep", "1000")))
    task = ecs.run()
    ecs("DeregisterTaskDefinition", taskDefinition="job:2")
    ecs("DeleteTaskDefinitions", taskDefinitions=["job:2"])

    ecs.advance(hours=2)

    assert described(ecs, "job:2")["status"] == "DELETE_IN_PROGRESS"
    assert ecs.describe(task)["desiredStatus"] == "RUNNING"


@pytest.mark.parametrize("name", ["job", "job:x", "job:7"])
def test_deregistering_needs_a_revision_that_is_there(ecs: Ecs, name: str) -> None:
    register(ecs)

    with pytest.raises(AwsError) as refused:
        ecs("DeregisterTaskDefinition", taskDefinition=name)

    assert refused.value.code == "ClientException"
    assert described(ecs, "job")["status"] == "ACTIVE"


def test_regions_do_not_see_each_other(ecs: Ecs) -> None:
    register(ecs)

    ecs("RegisterTaskDefinition", region="us-east-1", **job())

    assert arns(ecs) == ["job:1"]
    assert ecs("ListTaskDefinitions", region="us-east-1")["taskDefinitionArns"] == [
        "arn:aws:ecs:us-east-1:123456789012:task-definition/job:1"
    ]


def test_an_operation_that_is_not_offered_says_which_ones_are(ecs: Ecs) -> None:
    with pytest.raises(AwsError) as refused:
        ecs("CreateService")

    assert refused.value.code == "UnknownOperationException"
    assert "RunTask" in refused.value.message


def test_a_registration_that_arrived_before_another_of_its_family_was_answered_overlaps_it() -> None:
    catalog = Catalog(Place(ACCOUNT, REGION))
    catalog.add("job", {}, {})
    catalog.note_registration("job", answered=10.0)

    overlaps = {arrived: catalog.overlaps("job", arrived) for arrived in (9.0, 10.0, 11.0)}

    assert overlaps == {9.0: True, 10.0: False, 11.0: False}
    assert not catalog.overlaps("other", 9.0)


def test_registrations_one_after_the_other_never_overlap(ecs: Ecs) -> None:
    for revision in (1, 2, 3):
        assert ecs("RegisterTaskDefinition", **job())["taskDefinition"]["revision"] == revision


def test_what_was_deleted_is_dropped_at_a_later_deletion_and_its_number_stays_used(ecs: Ecs) -> None:
    register(ecs, times=2)
    for name in ("job:1", "job:2"):
        ecs("DeregisterTaskDefinition", taskDefinition=name)
        ecs("DeleteTaskDefinitions", taskDefinitions=[name])
        ecs.advance(hours=1)

    register(ecs)
    again = ecs("DeleteTaskDefinitions", taskDefinitions=["job:1", "job:2"])

    assert again["taskDefinitions"] == []
    assert [failure["reason"].partition(".")[0] for failure in again["failures"]] == [
        "The specified task definition does not exist"
    ] * 2
    assert arns(ecs) == ["job:3"]
