"""The contract of EventBridge Scheduler, by what boto3 sees of it: schedule groups and their tags.

Each test is named after a rule of AWS and marked with how it is known (UG is the EventBridge Scheduler User Guide, API
its API Reference).
"""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.scheduler_account import GROUP, Account, refusal
from localaws.running import Running


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


@pytest.mark.documented("API: TagResource")
def test_a_group_has_tags_and_a_schedule_has_none(account: Account) -> None:
    tags = [{"Key": "cluster", "Value": "1"}]
    arn = account.scheduler.create_schedule_group(Name="g", Tags=tags)["ScheduleGroupArn"]
    lenient = account.aws.client("scheduler", parameter_validation=False)

    account.scheduler.tag_resource(ResourceArn=arn, Tags=[{"Key": "owner", "Value": "a"}])
    account.scheduler.untag_resource(ResourceArn=arn, TagKeys=["cluster"])

    assert account.scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "owner", "Value": "a"}]
    refused = refusal(lenient.list_tags_for_resource, ResourceArn=account.create())
    assert refused[:2] == (400, "ValidationException")


@pytest.mark.assumed("how long it takes; documented: API: DeleteScheduleGroup")
@pytest.mark.localaws_only("it moves the clock")
def test_a_group_is_deleted_in_the_background_with_its_schedules(account: Account) -> None:
    account.create(State="DISABLED")

    account.scheduler.delete_schedule_group(Name=GROUP)

    assert account.scheduler.get_schedule_group(Name=GROUP)["State"] == "DELETING"
    account.aws.advance(60)
    assert refusal(account.scheduler.get_schedule_group, Name=GROUP)[:2] == (404, "ResourceNotFoundException")
    assert account.scheduler.list_schedules()["Schedules"] == []


@pytest.mark.assumed('the wording for the default one; documented: UG, "Managing a schedule group"')
def test_the_default_group_cannot_be_deleted_nor_a_group_created_twice(account: Account) -> None:
    refused = refusal(account.scheduler.delete_schedule_group, Name="default")
    twice = refusal(account.scheduler.create_schedule_group, Name=GROUP)

    assert refused[:2] == (400, "ValidationException")
    assert twice == (409, "ConflictException", f"Schedule group {GROUP} already exists.")


@pytest.mark.assumed("the wording; documented: API: DeleteScheduleGroup, the group stays DELETING until all is gone")
@pytest.mark.localaws_only("it moves the clock")
def test_the_name_of_a_group_is_taken_and_the_group_closed_until_it_is_gone(account: Account) -> None:
    account.freeze()
    account.scheduler.delete_schedule_group(Name=GROUP)

    taken = refusal(account.scheduler.create_schedule_group, Name=GROUP)
    closed = refusal(account.scheduler.create_schedule, **account.asked())
    account.aws.advance(60)
    account.scheduler.create_schedule_group(Name=GROUP)

    assert (taken[:2], closed[:2]) == ((409, "ConflictException"),) * 2
    assert account.scheduler.get_schedule_group(Name=GROUP)["State"] == "ACTIVE"
    assert account.create().endswith(f"{GROUP}/nightly")


@pytest.mark.documented("API: DeleteScheduleGroup: its schedules may fire until they are gone")
@pytest.mark.localaws_only("it moves the clock")
def test_a_schedule_may_fire_while_its_group_is_being_deleted(account: Account) -> None:
    account.freeze()
    account.create()
    account.aws.advance(58)
    (slot,) = account.next_minutes(1)

    account.scheduler.delete_schedule_group(Name=GROUP)
    account.aws.advance(600)

    assert account.bodies() == [slot]


@pytest.mark.documented("API: DeleteScheduleGroup, ClientToken")
def test_a_repeated_deletion_of_a_group_with_its_client_token_is_answered_alike(account: Account) -> None:
    for _ in range(2):
        account.scheduler.delete_schedule_group(Name=GROUP, ClientToken="delete")

    assert account.scheduler.get_schedule_group(Name=GROUP)["State"] == "DELETING"


@pytest.mark.documented("API: ListScheduleGroups, NamePrefix, MaxResults and NextToken")
def test_groups_are_listed_by_prefix_in_pages(account: Account) -> None:
    for name in ("a-2", "a-1", "a-3", "b-1"):
        account.scheduler.create_schedule_group(Name=name)
    pages = account.scheduler.get_paginator("list_schedule_groups")

    def listed(**params: Any) -> list[str]:
        found = pages.paginate(PaginationConfig={"PageSize": 2}, **params).build_full_result()["ScheduleGroups"]
        return [group["Name"] for group in found]

    assert listed(NamePrefix="a-") == ["a-1", "a-2", "a-3"]
    assert listed() == sorted(["a-1", "a-2", "a-3", "b-1", GROUP, "default"])
