"""The contract of EventBridge Scheduler, by what boto3 sees of it: schedules as they are kept.

Each test is named after a rule of AWS and marked with how it is known (UG is the EventBridge Scheduler User Guide, API
its API Reference).
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from fixtures.scheduler_account import GROUP, TRUST, Account, refusal
from localaws.running import Running


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


@pytest.mark.reported("Terraform's provider for the defaults of zone and retry policy; documented: API: GetSchedule")
def test_a_schedule_is_read_back_as_it_was_sent_with_defaults_added(account: Account) -> None:
    start = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).replace(microsecond=0)

    arn = account.create(Description="of reports", StartDate=start)

    got = account.get()
    assert arn == f"arn:aws:scheduler:eu-west-1:123456789012:schedule/{GROUP}/nightly"
    assert (got["Arn"], got["GroupName"], got["Name"], got["Description"]) == (arn, GROUP, "nightly", "of reports")
    assert (got["State"], got["ScheduleExpressionTimezone"], got["ActionAfterCompletion"]) == ("ENABLED", "UTC", "NONE")
    assert got["StartDate"] == start
    assert got["CreationDate"] == got["LastModificationDate"] <= dt.datetime.now(dt.UTC)
    assert got["Target"] == {
        **account.tick(),
        "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185},
    }


@pytest.mark.documented("API: UpdateSchedule")
def test_an_update_replaces_the_whole_schedule(account: Account) -> None:
    retry = {"MaximumEventAgeInSeconds": 3000, "MaximumRetryAttempts": 3}
    account.create(
        State="DISABLED",
        Description="of reports",
        ScheduleExpressionTimezone="Europe/Berlin",
        Target=account.tick(DeadLetterConfig={"Arn": account.dead_letters}, RetryPolicy=retry),
    )

    account.scheduler.update_schedule(**account.asked())

    got = account.get()
    assert (got["State"], got["ScheduleExpressionTimezone"]) == ("ENABLED", "UTC")
    assert "Description" not in got
    assert "DeadLetterConfig" not in got["Target"]
    assert got["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}


@pytest.mark.reported("the wording; documented: API: CreateSchedule, Errors")
def test_a_name_conflicts_within_its_group_only(account: Account) -> None:
    account.create()

    refused = refusal(account.scheduler.create_schedule, **account.asked())
    account.create(GroupName="default")

    assert refused == (409, "ConflictException", "Schedule nightly already exists.")


@pytest.mark.reported("the wording; documented: API: Errors")
def test_what_does_not_exist_is_not_found(account: Account) -> None:
    gone = (404, "ResourceNotFoundException", "Schedule gone does not exist.")
    no_group = (404, "ResourceNotFoundException", "Schedule group gone does not exist.")
    client = account.scheduler

    assert refusal(client.get_schedule, Name="gone", GroupName=GROUP) == gone
    assert refusal(client.delete_schedule, Name="gone", GroupName=GROUP) == gone
    assert refusal(client.update_schedule, **account.asked("gone")) == gone
    assert refusal(client.create_schedule, **account.asked(GroupName="gone")) == no_group
    assert refusal(client.list_schedules, GroupName="gone") == no_group
    assert refusal(client.get_schedule_group, Name="gone") == no_group
    assert refusal(client.delete_schedule_group, Name="gone") == no_group


@pytest.mark.documented("API: ClientToken")
def test_a_repeated_request_with_its_client_token_is_answered_alike(account: Account) -> None:
    client = account.scheduler

    created = {account.create(ClientToken="create") for _ in range(2)}
    groups = {client.create_schedule_group(Name="g", ClientToken="group")["ScheduleGroupArn"] for _ in range(2)}
    for _ in range(2):
        client.delete_schedule(Name="nightly", GroupName=GROUP, ClientToken="delete")

    assert len(created) == len(groups) == 1
    assert client.list_schedules(GroupName=GROUP)["Schedules"] == []


@pytest.mark.documented("API: ClientToken, which SDKs send by themselves")
@pytest.mark.localaws_only("it loses the answer")
@pytest.mark.parametrize("action", ["drop-after", "drop-before"])
def test_a_create_whose_answer_was_lost_can_be_retried_by_the_sdk(account: Account, action: str) -> None:
    patient = account.aws.client("scheduler", retries=True)
    account.aws.fault(action, "scheduler", "CreateSchedule", times=1)

    arn = patient.create_schedule(**account.asked())["ScheduleArn"]

    assert arn == account.get()["Arn"]


@pytest.mark.reported("each of them from a live account")
@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"ScheduleExpression": "rate(30 seconds)"}, "Invalid Schedule Expression rate(30 seconds)."),
        (
            {"ScheduleExpression": "cron(*/30 * * * * ? *)"},
            "Invalid Schedule Expression cron(*/30 * * * * ? *).",
        ),
        (
            {"ScheduleExpression": "at(2026-09-08T03:54:26.439)"},
            "Invalid Schedule Expression at(2026-09-08T03:54:26.439).",
        ),
        (
            {"StartDate": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)},
            "The StartDate you specify cannot be earlier than 5 minutes ago.",
        ),
    ],
)
def test_a_request_is_refused_in_these_words(account: Account, members: dict[str, Any], message: str) -> None:
    account.create("there")

    assert refusal(account.scheduler.create_schedule, **account.asked(**members)) == (
        400,
        "ValidationException",
        message,
    )
    assert refusal(account.scheduler.update_schedule, **account.asked("there", **members))[2] == message


@pytest.mark.documented("API: CreateSchedule, its constraints")
@pytest.mark.parametrize(
    "members",
    [
        {"ScheduleExpressionTimezone": "Europe/Foo"},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1441}},
        {"Name": "n" * 65},
        {"Name": "a b"},
        {"State": "PAUSED"},
        {"ScheduleExpression": "cron(" + "0," * 130 + "0 * * * ? *)"},
    ],
    ids=["zone", "window", "window length", "name length", "name", "state", "expression length"],
)
def test_a_request_out_of_bounds_is_refused(account: Account, members: dict[str, Any]) -> None:
    lenient = account.aws.client("scheduler", parameter_validation=False)

    status, code, _ = refusal(lenient.create_schedule, **account.asked(**members))

    assert (status, code) == (400, "ValidationException")
    assert account.scheduler.list_schedules()["Schedules"] == []


@pytest.mark.documented("API: RetryPolicy")
@pytest.mark.parametrize(
    "policy",
    [
        {"MaximumEventAgeInSeconds": 59},
        {"MaximumEventAgeInSeconds": 86401},
        {"MaximumRetryAttempts": 186},
        {"MaximumRetryAttempts": -1},
    ],
)
def test_a_retry_policy_has_bounds(account: Account, policy: dict[str, int]) -> None:
    lenient = account.aws.client("scheduler", parameter_validation=False)

    refused = refusal(lenient.create_schedule, **account.asked(Target=account.tick(RetryPolicy=policy)))

    assert refused[:2] == (400, "ValidationException")


@pytest.mark.reported('the wording; documented: UG, "Setting up the execution role"')
def test_an_execution_role_must_exist_and_trust_scheduler(account: Account) -> None:
    other = json.dumps(TRUST).replace("scheduler.amazonaws.com", "events.amazonaws.com")
    role = account.aws.client("iam").create_role(RoleName="rules", AssumeRolePolicyDocument=other)["Role"]["Arn"]
    message = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."

    for arn in (role, role.replace("rules", "gone")):
        refused = refusal(account.scheduler.create_schedule, **account.asked(Target=account.tick(RoleArn=arn)))

        assert refused == (400, "ValidationException", message)


@pytest.mark.documented("API: ListSchedules")
def test_schedules_are_listed_by_group_prefix_and_state_in_pages(account: Account) -> None:
    for name in ("a-1", "a-2", "b-1"):
        account.create(name)
    account.create("a-3", State="DISABLED")
    account.create("a-1", GroupName="default")
    pages = account.scheduler.get_paginator("list_schedules")

    def listed(**params: Any) -> list[str]:
        found = pages.paginate(PaginationConfig={"PageSize": 2}, **params).build_full_result()["Schedules"]
        return [f"{entry['GroupName']}/{entry['Name']}" for entry in found]

    assert listed(GroupName=GROUP) == [f"{GROUP}/{name}" for name in ("a-1", "a-2", "a-3", "b-1")]
    assert listed(GroupName=GROUP, State="DISABLED") == [f"{GROUP}/a-3"]
    assert listed(NamePrefix="a-1") == [f"{GROUP}/a-1", "default/a-1"]
    assert len(listed()) == 5


@pytest.mark.documented("API: UpdateSchedule, ClientToken")
def test_a_repeated_update_with_its_client_token_is_answered_alike(account: Account) -> None:
    account.create()

    answers = [
        account.scheduler.update_schedule(**account.asked(Description="new", ClientToken="update"))["ScheduleArn"]
        for _ in range(2)
    ]

    assert answers == [account.get()["Arn"]] * 2


@pytest.mark.assumed("a token answers for the very request that it came with, and for no other")
def test_a_client_token_does_not_answer_for_another_request(account: Account) -> None:
    account.create(ClientToken="one")

    refused = refusal(account.scheduler.create_schedule, **account.asked(ClientToken="one", Description="other"))

    assert refused[:2] == (409, "ConflictException")


@pytest.mark.reported("hashicorp/terraform-provider-aws: a StartDate that lies back is taken for five minutes")
def test_a_start_date_may_lie_a_little_back(account: Account) -> None:
    start = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(minutes=4)

    account.create(StartDate=start)

    assert account.get()["StartDate"] == start


@pytest.mark.assumed("the wording; the CDK refuses it before AWS can")
def test_a_start_date_comes_before_its_end_date(account: Account) -> None:
    start = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)

    refused = refusal(account.scheduler.create_schedule, **account.asked(StartDate=start, EndDate=start))

    assert refused == (400, "ValidationException", "The StartDate you specify must come before the EndDate.")


@pytest.mark.documented("API: ListSchedules, MaxResults and NextToken")
@pytest.mark.parametrize("params", [{"MaxResults": 0}, {"MaxResults": 101}, {"NextToken": "mine"}])
def test_a_listing_that_makes_no_sense_is_refused(account: Account, params: dict[str, Any]) -> None:
    lenient = account.aws.client("scheduler", parameter_validation=False)

    assert refusal(lenient.list_schedules, **params)[:2] == (400, "ValidationException")


@pytest.mark.documented("API: ListSchedules, ScheduleSummary and TargetSummary")
def test_a_listing_tells_of_the_target_only_its_arn(account: Account) -> None:
    account.create()

    (entry,) = account.scheduler.list_schedules(GroupName=GROUP)["Schedules"]

    assert entry["Target"] == {"Arn": account.ticks}
    assert entry.keys() == {"Arn", "CreationDate", "GroupName", "LastModificationDate", "Name", "State", "Target"}
