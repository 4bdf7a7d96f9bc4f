"""What the operations on schedules and groups answer and refuse."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest

from fixtures.scheduling import DEAD_LETTERS, EVERY_MINUTE, REGION, ROLE, START, TRUST, Stage, asked, staged, target
from localaws.contract import AwsError, Params

OFF = {"Mode": "OFF"}


async def refused(work: Any, code: str, status: int) -> str:
    with pytest.raises(AwsError) as caught:
        await work
    assert (caught.value.code, caught.value.status) == (code, status)
    return caught.value.message


def test_a_schedule_is_read_back_with_its_defaults() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            created = await stage.create(ScheduleExpression="cron(0 3 * * ? *)")

            got = await stage.get()

            arn = f"arn:aws:scheduler:{REGION}:123456789012:schedule/default/nightly"
            assert created == {"ScheduleArn": arn}
            assert got == {
                "Arn": arn,
                "GroupName": "default",
                "Name": "nightly",
                "ScheduleExpression": "cron(0 3 * * ? *)",
                "ScheduleExpressionTimezone": "UTC",
                "State": "ENABLED",
                "ActionAfterCompletion": "NONE",
                "FlexibleTimeWindow": OFF,
                "CreationDate": START,
                "LastModificationDate": START,
                "Target": target() | {"RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}},
            }

    asyncio.run(scenario())


def test_an_update_replaces_all_members_and_resets_what_it_leaves_out() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            dead_letters = {"DeadLetterConfig": {"Arn": DEAD_LETTERS}, "RetryPolicy": {"MaximumRetryAttempts": 3}}
            await stage.create(
                State="DISABLED", Description="of team a", ScheduleExpressionTimezone="Europe/Berlin",
                ActionAfterCompletion="DELETE", Target=target(**dead_letters),
            )  # fmt: skip
            await stage.after(seconds=10)

            await stage.update(ScheduleExpression="rate(2 hours)")

            got = await stage.get()
            assert "Description" not in got
            assert "DeadLetterConfig" not in got["Target"]
            assert got["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}
            assert (got["State"], got["ScheduleExpressionTimezone"], got["ActionAfterCompletion"]) == (
                "ENABLED", "UTC", "NONE",
            )  # fmt: skip
            assert (got["CreationDate"], got["LastModificationDate"]) == (START, START + dt.timedelta(seconds=10))

    asyncio.run(scenario())


def test_a_part_of_a_retry_policy_keeps_the_other_default() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create(Target=target(RetryPolicy={"MaximumEventAgeInSeconds": 60}))

            policy = (await stage.get())["Target"]["RetryPolicy"]

            assert policy == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 60}

    asyncio.run(scenario())


def test_a_name_is_taken_once_in_its_group_and_region() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.call("CreateScheduleGroup", Name="apps")
            await stage.create(ClientToken="a")

            message = await refused(stage.create(ClientToken="b"), "ConflictException", 409)
            await stage.create(GroupName="apps")
            await stage.call("CreateSchedule", region="us-east-1", Name="nightly", **asked())

            assert message == "Schedule nightly already exists."
            assert [found["GroupName"] for found in (await stage.call("ListSchedules"))["Schedules"]] == [
                "apps",
                "default",
            ]

    asyncio.run(scenario())


def test_what_is_not_there_is_not_found() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            for work in (stage.get("gone"), stage.update("gone"), stage.delete("gone")):
                assert await refused(work, "ResourceNotFoundException", 404) == "Schedule gone does not exist."
            for work in (
                stage.create(GroupName="gone"),
                stage.call("GetScheduleGroup", Name="gone"),
                stage.call("DeleteScheduleGroup", Name="gone"),
                stage.call("ListSchedules", GroupName="gone"),
            ):
                assert await refused(work, "ResourceNotFoundException", 404) == "Schedule group gone does not exist."

    asyncio.run(scenario())


def test_a_request_sent_again_with_its_token_is_answered_as_before() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            for _ in range(2):
                group = await stage.call("CreateScheduleGroup", Name="apps", ClientToken="g")
                created = await stage.create(GroupName="apps", ClientToken="c")
            for _ in range(2):
                deleted = await stage.delete(GroupName="apps", ClientToken="d")

            assert group["ScheduleGroupArn"].endswith(":schedule-group/apps")
            assert created["ScheduleArn"].endswith(":schedule/apps/nightly")
            assert deleted == {}
            await refused(stage.delete(GroupName="apps", ClientToken="e"), "ResourceNotFoundException", 404)

    asyncio.run(scenario())


def test_a_token_does_not_answer_for_another_request_or_for_what_was_changed_since() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create(ClientToken="t")
            await refused(stage.create(ClientToken="t", Description="other"), "ConflictException", 409)

            await stage.delete(ClientToken="d")
            await stage.create(ClientToken="t")
            await stage.delete(ClientToken="d")

            assert await stage.names() == []

    asyncio.run(scenario())


def test_the_token_of_a_deletion_is_forgotten_after_an_hour() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create(State="DISABLED")
            await stage.delete(ClientToken="d")
            await stage.create("other", State="DISABLED")
            await stage.after(hours=1)
            await stage.delete("other", ClientToken="o")

            await refused(stage.delete(ClientToken="d"), "ResourceNotFoundException", 404)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"ScheduleExpression": "cron(0 3 * * *)"}, "Invalid Schedule Expression cron(0 3 * * *)."),
        ({"ScheduleExpressionTimezone": "Europe/Foo"}, "Invalid Schedule Expression Timezone Europe/Foo."),
        (
            {"StartDate": START - dt.timedelta(minutes=6)},
            "The StartDate you specify cannot be earlier than 5 minutes ago.",
        ),
        (
            {"StartDate": START + dt.timedelta(days=2), "EndDate": START + dt.timedelta(days=1)},
            "The StartDate you specify must come before the EndDate.",
        ),
        (
            {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}},
            "MaximumWindowInMinutes must be specified when the FlexibleTimeWindow is FLEXIBLE.",
        ),
        (
            {"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 5}},
            "MaximumWindowInMinutes cannot be specified when the FlexibleTimeWindow is OFF.",
        ),
        ({"Target": target() | {"Arn": "cluster"}}, "Provided Arn is not in correct format."),
    ],
)  # fmt: skip
def test_create_and_update_refuse(members: Params, message: str) -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create("there")

            for work in (stage.create(**members), stage.update("there", **members)):
                assert await refused(work, "ValidationException", 400) == message

            assert (await stage.get("there"))["ScheduleExpression"] == EVERY_MINUTE

    asyncio.run(scenario())


def test_a_one_time_schedule_may_bear_any_dates() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create(ScheduleExpression="at(2026-07-01T00:00:00)", StartDate=START - dt.timedelta(days=9))

            assert (await stage.get())["StartDate"] == START - dt.timedelta(days=9)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (None, "there is no such role"),
        (
            TRUST | {"Statement": [TRUST["Statement"][0] | {"Principal": {"Service": "events.amazonaws.com"}}]},
            "of rules",
        ),
    ],
)
def test_a_role_that_scheduler_cannot_assume_is_refused(policy: Params | None, why: str) -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.world.roles = {} if policy is None else {ROLE: policy}

            message = await refused(stage.create(), "ValidationException", 400)

            assert message == (
                "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
            ), why
            assert await stage.names() == []

    asyncio.run(scenario())


def test_a_role_is_known_by_its_whole_arn() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.world.roles = {ROLE.replace("role/", "role/team/"): TRUST}

            await refused(stage.create(), "ValidationException", 400)

    asyncio.run(scenario())


def test_a_role_made_trustworthy_is_taken_at_once() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.world.roles = {}
            await refused(stage.create(), "ValidationException", 400)
            stage.world.roles = {ROLE: TRUST}

            await stage.create()

            assert await stage.names() == ["nightly"]

    asyncio.run(scenario())


def test_trust_is_asked_again_once_it_is_ten_seconds_old() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create("first")
            stage.world.roles = {}
            await stage.create("second")
            await stage.after(seconds=10)

            await refused(stage.create("third"), "ValidationException", 400)

    asyncio.run(scenario())


async def _filled(stage: Stage) -> None:
    for group in ("apps", "batch"):
        await stage.call("CreateScheduleGroup", Name=group)
        for number in range(3):
            state = "DISABLED" if number == 2 else "ENABLED"
            await stage.create(f"job-{number}", GroupName=group, State=state)
    await stage.create("other")


def test_schedules_are_listed_by_group_prefix_and_state() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await _filled(stage)

            assert await stage.names(GroupName="apps") == ["job-0", "job-1", "job-2"]
            assert await stage.names(NamePrefix="job-2") == ["job-2", "job-2"]
            assert await stage.names(GroupName="batch", State="DISABLED") == ["job-2"]
            assert await stage.names(GroupName="default") == ["other"]
            listed = (await stage.call("ListSchedules", GroupName="default"))["Schedules"]
            assert listed[0]["Target"] == {"Arn": target()["Arn"]}
            assert "ScheduleExpression" not in listed[0]

    asyncio.run(scenario())


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 100])
def test_the_pages_of_a_listing_hold_each_schedule_once(size: int) -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await _filled(stage)

            found: list[str] = []
            token: Params = {}
            while True:
                page = await stage.call("ListSchedules", MaxResults=size, **token)
                assert len(page["Schedules"]) <= size
                found += [f"{entry['GroupName']}/{entry['Name']}" for entry in page["Schedules"]]
                if "NextToken" not in page:
                    break
                token = {"NextToken": page["NextToken"]}

            wanted = [f"{group}/job-{number}" for group in ("apps", "batch") for number in range(3)]
            assert found == [*wanted, "default/other"]

    asyncio.run(scenario())


def test_a_page_goes_on_where_the_last_one_ended_although_that_schedule_is_gone() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await _filled(stage)
            page = await stage.call("ListSchedules", GroupName="apps", MaxResults=1)
            await stage.delete("job-0", GroupName="apps")

            rest = await stage.names(GroupName="apps", NextToken=page["NextToken"])

            assert rest == ["job-1", "job-2"]

    asyncio.run(scenario())


def test_a_token_of_another_listing_leaves_nothing_of_a_later_group_out() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await _filled(stage)
            page = await stage.call("ListSchedules", MaxResults=1)

            found = await stage.names(GroupName="batch", NextToken=page["NextToken"])

            assert found == ["job-0", "job-1", "job-2"]

    asyncio.run(scenario())


@pytest.mark.parametrize("token", ["x", "AAAA", "%%%", "e30x"])
def test_a_token_of_ones_own_making_is_refused(token: str) -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await refused(stage.call("ListSchedules", NextToken=token), "ValidationException", 400)

    asyncio.run(scenario())


def test_the_default_group_is_there_and_stays() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            group = await stage.call("GetScheduleGroup", Name="default")

            assert group == {
                "Name": "default", "State": "ACTIVE", "CreationDate": START, "LastModificationDate": START,
                "Arn": f"arn:aws:scheduler:{REGION}:123456789012:schedule-group/default",
            }  # fmt: skip
            await refused(stage.call("DeleteScheduleGroup", Name="default"), "ValidationException", 400)

    asyncio.run(scenario())


def test_a_group_of_the_same_name_conflicts_and_keeps_its_schedules() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.call("CreateScheduleGroup", Name="apps")
            await stage.create(GroupName="apps")

            message = await refused(stage.call("CreateScheduleGroup", Name="apps"), "ConflictException", 409)

            assert message == "Schedule group apps already exists."
            assert await stage.names(GroupName="apps") == ["nightly"]

    asyncio.run(scenario())


def test_groups_are_listed_by_prefix() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            for name in ("bgt-b", "bgt-a", "other"):
                await stage.call("CreateScheduleGroup", Name=name)

            found = (await stage.call("ListScheduleGroups", NamePrefix="bgt-"))["ScheduleGroups"]

            assert [group["Name"] for group in found] == ["bgt-a", "bgt-b"]

    asyncio.run(scenario())


def test_a_deleted_group_is_deleting_for_a_while_and_then_gone_with_its_schedules() -> None:
    async def scenario() -> None:
        async with staged(group_deletion=dt.timedelta(minutes=2)) as stage:
            await stage.call("CreateScheduleGroup", Name="apps")
            await stage.create(GroupName="apps")
            await stage.create("kept")
            await stage.call("DeleteScheduleGroup", Name="apps", ClientToken="d")

            assert (await stage.call("GetScheduleGroup", Name="apps"))["State"] == "DELETING"
            await refused(stage.create("late", GroupName="apps"), "ConflictException", 409)
            await refused(stage.update(GroupName="apps"), "ConflictException", 409)
            await refused(stage.call("CreateScheduleGroup", Name="apps"), "ConflictException", 409)
            await stage.after(minutes=2)
            await refused(stage.call("GetScheduleGroup", Name="apps"), "ResourceNotFoundException", 404)
            await refused(stage.get(GroupName="apps"), "ResourceNotFoundException", 404)
            assert await stage.names() == ["kept"]
            assert await stage.call("DeleteScheduleGroup", Name="apps", ClientToken="d") == {}

    asyncio.run(scenario())


def test_the_schedules_of_a_group_fire_while_it_is_deleting_to_its_last_moment_and_never_after() -> None:
    async def scenario() -> None:
        async with staged(group_deletion=dt.timedelta(seconds=90)) as stage:
            await stage.call("CreateScheduleGroup", Name="apps")
            await stage.create(GroupName="apps")
            await stage.call("DeleteScheduleGroup", Name="apps")

            await stage.after(minutes=9)

            assert stage.scheduled_times() == ["2026-06-01T12:01:00Z", "2026-06-01T12:02:00Z"]

    asyncio.run(scenario())


def test_tags_belong_to_groups() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            tags = [{"Key": "owner", "Value": "a"}, {"Key": "cost", "Value": "1"}]
            arn = (await stage.call("CreateScheduleGroup", Name="apps", Tags=tags))["ScheduleGroupArn"]

            await stage.call("TagResource", ResourceArn=arn, Tags=[{"Key": "owner", "Value": "b"}])
            await stage.call("UntagResource", ResourceArn=arn, TagKeys=["cost", "never"])

            assert await stage.call("ListTagsForResource", ResourceArn=arn) == {
                "Tags": [{"Key": "owner", "Value": "b"}]
            }
            gone = arn.replace("apps", "gone")
            await refused(stage.call("ListTagsForResource", ResourceArn=gone), "ResourceNotFoundException", 404)
            elsewhere = arn.replace(REGION, "us-east-1")
            await refused(stage.call("ListTagsForResource", ResourceArn=elsewhere), "ResourceNotFoundException", 404)

    asyncio.run(scenario())


def test_a_group_takes_fifty_tags_and_a_region_five_hundred_groups() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            arn = (await stage.call("CreateScheduleGroup", Name="g-0"))["ScheduleGroupArn"]
            tags = [{"Key": f"k{number}", "Value": "v"} for number in range(51)]
            await stage.call("TagResource", ResourceArn=arn, Tags=tags[:50])
            await refused(
                stage.call("TagResource", ResourceArn=arn, Tags=tags[50:]), "ServiceQuotaExceededException", 402
            )
            for number in range(1, 499):
                await stage.call("CreateScheduleGroup", Name=f"g-{number}")

            over = stage.call("CreateScheduleGroup", Name="one-too-many")

            await refused(over, "ServiceQuotaExceededException", 402)

    asyncio.run(scenario())
