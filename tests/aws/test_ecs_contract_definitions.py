"""The contract of Amazon ECS, by what boto3 sees of it: task definitions.

Each test is named after a rule of AWS and marked with how it is known (`API` is the ECS API Reference).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fixtures.ecs_account import Account, refusal
from localaws.running import Running


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


@pytest.mark.documented("API: DeleteTaskDefinitions")
def test_a_revision_number_is_never_used_again_even_after_deletion(account: Account) -> None:
    first = account.register("true")["taskDefinition"]["taskDefinitionArn"]
    account.ecs.deregister_task_definition(taskDefinition=first)
    deleted = account.ecs.delete_task_definitions(taskDefinitions=[first])

    second = account.register("true")["taskDefinition"]

    assert deleted["taskDefinitions"][0]["status"] == "DELETE_IN_PROGRESS"
    assert (second["revision"], second["taskDefinitionArn"]) == (2, first.removesuffix("1") + "2")


@pytest.mark.documented("API: DeleteTaskDefinitions")
def test_deleting_an_active_revision_is_a_failure_with_http_200(account: Account) -> None:
    arn = account.register("true")["taskDefinition"]["taskDefinitionArn"]

    answer = account.ecs.delete_task_definitions(taskDefinitions=[arn])

    assert answer["taskDefinitions"] == []
    assert [failure["arn"] for failure in answer["failures"]] == [arn]
    assert answer["failures"][0]["reason"].startswith("The specified task definition is still in ACTIVE status.")


@pytest.mark.documented("API: DescribeTaskDefinition.taskDefinition")
def test_a_bare_family_is_its_latest_active_revision_and_inactive_ones_answer_to_their_number(
    account: Account,
) -> None:
    for _ in range(3):
        account.register("true")
    account.ecs.deregister_task_definition(taskDefinition="contract:3")

    latest = account.ecs.describe_task_definition(taskDefinition="contract")["taskDefinition"]
    inactive = account.ecs.describe_task_definition(taskDefinition="contract:3")["taskDefinition"]

    assert (latest["revision"], latest["status"]) == (2, "ACTIVE")
    assert (inactive["revision"], inactive["status"]) == (3, "INACTIVE")
    assert inactive["deregisteredAt"] >= inactive["registeredAt"]


@pytest.mark.reported("hashicorp/terraform-provider-aws")
def test_an_unknown_definition_is_a_client_exception(account: Account) -> None:
    assert refusal(account.ecs.describe_task_definition, taskDefinition="no") == (
        400,
        "ClientException",
        "Unable to describe task definition.",
    )


@pytest.mark.documented("API: DescribeTaskDefinition.include")
def test_tags_of_a_definition_are_beside_it_and_only_where_asked_for(account: Account) -> None:
    tags = [{"key": "bgt:owner", "value": "prod/reports/nightly"}]

    registered = account.register("true", tags=tags)
    plain = account.ecs.describe_task_definition(taskDefinition="contract")
    full = account.ecs.describe_task_definition(taskDefinition="contract", include=["TAGS"])

    assert registered["tags"] == full["tags"] == tags
    assert "tags" not in plain


@pytest.mark.reported("prefect `_task_definitions_equal`")
def test_the_order_of_variables_is_not_kept(account: Account) -> None:
    sent = [{"name": f"V{n}", "value": str(n)} for n in range(8)]

    answer = account.register("true", container={"environment": sent})["taskDefinition"]

    found = answer["containerDefinitions"][0]["environment"]
    assert found != sent
    assert sorted(found, key=lambda pair: pair["name"]) == sent


@pytest.mark.reported("prefect `_task_definitions_equal`")
def test_defaults_are_added_to_what_was_sent(account: Account) -> None:
    found = account.register("true")["taskDefinition"]

    container = found["containerDefinitions"][0]
    assert (container["cpu"], container["essential"]) == (0, True)
    for name in ("portMappings", "environment", "mountPoints", "volumesFrom", "systemControls"):
        assert container[name] == []
    assert "FARGATE" in found["compatibilities"]
    assert {"registeredAt", "registeredBy", "requiresAttributes"} <= found.keys()


@pytest.mark.documented("developer guide, Invalid CPU or memory value")
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
    status, code, said = refusal(account.register, **members)

    assert (status, code) == (400, "ClientException")
    assert said.startswith(message)


@pytest.mark.documented("API: ListTaskDefinitions.sort, .familyPrefix, .maxResults")
def test_definitions_are_listed_in_pages_in_order_of_family_and_number(account: Account) -> None:
    for family in ("b", "a", "b", "ab", "b"):
        account.register("true", family=family)
    pages = account.ecs.get_paginator("list_task_definitions")

    def names(**params: Any) -> list[str]:
        found = pages.paginate(PaginationConfig={"PageSize": 2}, **params).build_full_result()["taskDefinitionArns"]
        return [arn.rpartition("/")[2] for arn in found]

    assert names() == ["a:1", "ab:1", "b:1", "b:2", "b:3"]
    assert names(sort="DESC") == ["b:3", "b:2", "b:1", "ab:1", "a:1"]
    assert names(familyPrefix="a") == ["a:1"]


@pytest.mark.documented("API: DeleteTaskDefinitions, up to 10 task definitions")
def test_more_than_ten_revisions_are_not_deleted_at_once(account: Account) -> None:
    refused = refusal(account.ecs.delete_task_definitions, taskDefinitions=[f"contract:{n}" for n in range(11)])

    assert refused[:2] == (400, "InvalidParameterException")


@pytest.mark.documented("API: DeleteTaskDefinitions, partial failures")
def test_a_deletion_tells_for_each_revision_whether_it_was_begun(account: Account) -> None:
    inactive, active = (account.register("true")["taskDefinition"]["taskDefinitionArn"] for _ in range(2))
    unknown = inactive.removesuffix("1") + "7"
    account.ecs.deregister_task_definition(taskDefinition=inactive)

    answer = account.ecs.delete_task_definitions(taskDefinitions=[inactive, active, unknown])

    assert [found["taskDefinitionArn"] for found in answer["taskDefinitions"]] == [inactive]
    assert [failure["arn"] for failure in answer["failures"]] == [active, unknown]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.documented("API: DeleteTaskDefinitions: new tasks cannot be run with a DELETE_IN_PROGRESS definition")
def test_a_revision_that_is_being_deleted_is_listed_as_such_and_runs_no_task(account: Account) -> None:
    arn = account.register("true")["taskDefinition"]["taskDefinitionArn"]
    account.ecs.deregister_task_definition(taskDefinition=arn)
    account.ecs.delete_task_definitions(taskDefinitions=[arn])

    def listed(status: str) -> list[str]:
        found: list[str] = account.ecs.list_task_definitions(status=status)["taskDefinitionArns"]
        return found

    assert listed("DELETE_IN_PROGRESS") == [arn]
    assert listed("ACTIVE") == listed("INACTIVE") == []
    assert account.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["status"] == "DELETE_IN_PROGRESS"
    assert refusal(account.run, taskDefinition=arn)[:2] == (400, "InvalidParameterException")


@pytest.mark.documented("API: DeleteTaskDefinitions: DELETE_IN_PROGRESS until all associated tasks have terminated")
@pytest.mark.localaws_only("it moves the clock")
def test_a_deleted_revision_stays_until_no_task_uses_it(account: Account) -> None:
    arn = account.register("sleep", "100000")["taskDefinition"]["taskDefinitionArn"]
    task = account.run()
    account.reached(task, "RUNNING")
    account.ecs.deregister_task_definition(taskDefinition=arn)
    account.ecs.delete_task_definitions(taskDefinitions=[arn])

    account.aws.advance(7200)
    meanwhile = account.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["status"]
    account.stop(task)
    account.ended(task)
    account.aws.advance(7200)

    assert meanwhile == "DELETE_IN_PROGRESS"
    assert refusal(account.ecs.describe_task_definition, taskDefinition=arn)[1] == "ClientException"
    assert account.ecs.list_task_definitions(status="DELETE_IN_PROGRESS")["taskDefinitionArns"] == []


@pytest.mark.documented("API: DeregisterTaskDefinition: there might be up to a 10-minute window")
@pytest.mark.localaws_only("it asks for the window, and moves the clock")
def test_a_deregistered_revision_may_be_run_for_up_to_ten_minutes(account: Account) -> None:
    account.register("true")
    account.ecs.deregister_task_definition(taskDefinition="contract:1")

    strict = refusal(account.run, taskDefinition="contract:1")
    account.aws.control("PUT", "ecs/leeway", {"deregistered-runs": 600})
    task = account.run(taskDefinition="contract:1")
    account.aws.advance(600)
    late = refusal(account.run, taskDefinition="contract:1")

    assert strict == late == (400, "InvalidParameterException", "TaskDefinition is inactive")
    assert task["taskDefinitionArn"].endswith(":1")


@pytest.mark.reported("hashicorp/terraform-provider-aws#9777")
@pytest.mark.localaws_only("only a delayed answer makes sure that two registrations overlap")
def test_of_concurrent_registrations_in_one_family_one_succeeds(account: Account) -> None:
    account.aws.fault("delay", "ecs", "RegisterTaskDefinition", seconds=0.5, times=3)
    clients = [account.aws.client("ecs") for _ in range(3)]
    families = ["contract", "contract", "other"]

    def register(client: Any, family: str) -> str:
        try:
            answer = client.register_task_definition(
                family=family, containerDefinitions=[{"name": "app", "image": "app:1", "memory": 64}]
            )
        except client.exceptions.ClientException as refused:
            message: str = refused.response["Error"]["Message"]
            return message
        arn: str = answer["taskDefinition"]["taskDefinitionArn"]
        return arn.rpartition("/")[2]

    with ThreadPoolExecutor(3) as threads:
        told = list(threads.map(register, clients, families))

    assert sorted(told) == [
        "Too many concurrent attempts to create a new revision of the specified family.",
        "contract:1",
        "other:1",
    ]
    assert register(account.ecs, "contract") == "contract:2"


@pytest.mark.documented("API: ListTaskDefinitionFamilies.familyPrefix, .status, .maxResults")
def test_families_are_listed_in_pages_by_prefix_and_status(account: Account) -> None:
    for family in ("job-b", "job-a", "other", "job-c"):
        account.register("true", family=family)
    account.ecs.deregister_task_definition(taskDefinition="job-c:1")
    pages = account.ecs.get_paginator("list_task_definition_families")

    def families(**params: Any) -> list[str]:
        found = pages.paginate(PaginationConfig={"PageSize": 2}, **params).build_full_result()["families"]
        return list(found)

    assert families() == ["job-a", "job-b", "job-c", "other"]
    assert families(familyPrefix="job-") == ["job-a", "job-b", "job-c"]
    assert families(status="ACTIVE") == ["job-a", "job-b", "other"]
    assert families(status="INACTIVE") == ["job-c"]


LISTS = ["list_task_definitions", "list_task_definition_families", "list_tasks", "list_clusters"]


@pytest.mark.documented("API: nextToken, maxResults of each list: a token of this list, 1 to 100 items")
@pytest.mark.parametrize("listing", LISTS)
@pytest.mark.parametrize("params", [{"nextToken": "no token"}, {"maxResults": 0}, {"maxResults": 101}], ids=str)
def test_a_page_that_cannot_be_is_refused(account: Account, listing: str, params: dict[str, Any]) -> None:
    cluster = {"cluster": "contract"} if listing == "list_tasks" else {}

    refused = refusal(getattr(account.ecs, listing), **cluster, **params)

    assert refused[:2] == (400, "InvalidParameterException")


@pytest.mark.documented("API: ListTaskDefinitions, ListTasks: a token is the continuation of the list that gave it")
def test_a_token_of_another_list_is_refused(account: Account) -> None:
    for family in ("a", "b"):
        account.register("true", family=family)

    token = account.ecs.list_task_definitions(maxResults=1)["nextToken"]

    assert refusal(account.ecs.list_tasks, cluster="contract", nextToken=token)[:2] == (
        400,
        "InvalidParameterException",
    )


BAD_TAGS: list[tuple[list[dict[str, str]], str]] = [
    ([{"key": f"k{n}", "value": ""} for n in range(51)], "at most 50 a resource"),
    ([{"key": "k" * 129, "value": ""}], "a key has at most 128 characters"),
    ([{"key": "k", "value": "v" * 257}], "a value has at most 256 characters"),
    ([{"key": "k;", "value": ""}], "letters, numbers, spaces and + - = . _ : / @"),
    ([{"value": "v"}], "a tag has a key"),
    ([{"key": "AWS:k", "value": ""}], "aws: in any case is AWS's own"),
    ([{"key": "k", "value": "1"}, {"key": "k", "value": "2"}], "each key once"),
]


@pytest.mark.documented("API: Tag, the basic restrictions that apply to tags")
@pytest.mark.parametrize(("tags", "why"), BAD_TAGS, ids=[row[1] for row in BAD_TAGS])
def test_tags_that_cannot_be_are_refused_for_definitions_and_tasks(
    account: Account, tags: list[dict[str, str]], why: str
) -> None:
    account.register("true")

    registered = refusal(account.register, tags=tags)
    run = refusal(account.run, tags=tags)

    assert (registered[0], run[0]) == (400, 400), why
    assert {registered[1], run[1]} <= {"ClientException", "InvalidParameterException"}
    assert account.ecs.list_tasks(cluster="contract")["taskArns"] == []
