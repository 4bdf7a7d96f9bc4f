"""The contract of EventBridge Scheduler, by what boto3 sees of it: when schedules fire, and what becomes of errors.

Each test is named after a rule of AWS and marked with how it is known (UG is the EventBridge Scheduler User Guide, API
its API Reference).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from fixtures.scheduler_account import GROUP, RUN_TASK, Account
from localaws.running import Running

pytestmark = pytest.mark.localaws_only("it moves the clock")


@pytest.fixture
def account(aws: Running) -> Account:
    account = Account(aws)
    account.freeze()
    return account


@pytest.mark.documented('UG, "Cron-based schedules" and "Adding context attributes"')
def test_every_slot_fires_with_its_own_scheduled_time_however_the_clock_moves(account: Account) -> None:
    account.create()
    slots = account.next_minutes(60)

    account.aws.advance(3600)

    assert account.bodies() == slots


@pytest.mark.documented('UG, "Changing the schedule state"')
def test_a_disabled_or_deleted_schedule_does_not_fire(account: Account) -> None:
    account.create("disabled", State="DISABLED")
    account.create("deleted")
    account.scheduler.delete_schedule(Name="deleted", GroupName=GROUP)

    account.aws.advance(600)

    assert account.received() == []


@pytest.mark.documented('UG, "Rate-based schedules"')
def test_a_rate_without_start_date_starts_at_once(account: Account) -> None:
    first = account.now()
    account.create(ScheduleExpression="rate(2 hours)")

    account.aws.advance(2 * 3600)

    assert account.bodies() == [f"{first + dt.timedelta(hours=n):%Y-%m-%dT%H:%M:%SZ}" for n in (0, 2)]


@pytest.mark.documented('UG, "One-time schedules" and "Deleting a schedule"')
def test_a_one_time_schedule_fires_once_in_its_time_zone_and_deletes_itself_if_told_to(account: Account) -> None:
    moment = (account.now() + dt.timedelta(hours=3)).replace(microsecond=0)
    tokyo = moment + dt.timedelta(hours=9)
    account.create(
        ScheduleExpression=f"at({tokyo:%Y-%m-%dT%H:%M:%S})",
        ScheduleExpressionTimezone="Asia/Tokyo",
        ActionAfterCompletion="DELETE",
    )

    account.aws.advance(3 * 86400)

    assert account.bodies() == [f"{moment:%Y-%m-%dT%H:%M:%SZ}"]
    assert account.scheduler.list_schedules()["Schedules"] == []


@pytest.mark.reported("measured on a live account")
def test_a_one_time_schedule_in_the_past_is_taken_and_fires_at_once(account: Account) -> None:
    account.create(ScheduleExpression="at(2024-01-01T00:00:00)")

    account.aws.advance(1)

    assert account.bodies() == ["2024-01-01T00:00:00Z"]


@pytest.mark.documented('API: RetryPolicy; UG, "Adding context attributes"')
def test_a_failing_target_is_retried_and_told_the_number_of_the_attempt(account: Account) -> None:
    account.create(Target=account.tick("attempt <aws.scheduler.attempt-number>"))
    account.aws.fault("error", "sqs", "SendMessage", code="ServiceUnavailable", status=503, times=2)

    account.aws.advance(66)

    assert account.bodies() == ["attempt 3"]


@pytest.mark.reported('the names of the attributes; documented: UG, "Configuring a dead-letter queue"')
def test_an_exhausted_retry_policy_makes_a_dead_letter(account: Account) -> None:
    account.aws.fault("error", "ecs", "RunTask", code="ServerException", message="not now", status=500)
    policy = {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60}
    request = {"TaskDefinition": "report", "StartedBy": "a"}
    arn = account.create(
        Target=account.universal(RUN_TASK, request, RetryPolicy=policy, DeadLetterConfig={"Arn": account.dead_letters})
    )
    (slot,) = account.next_minutes(1)

    account.aws.advance(70)

    (letter,) = account.received("dead-letters")
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert json.loads(letter["Body"]) == request
    assert attributes.pop("EXECUTION_ID")
    assert attributes == {
        "ERROR_CODE": "ServerException",
        "ERROR_MESSAGE": "not now",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "1",
        "SCHEDULED_TIME": slot,
        "SCHEDULE_ARN": arn,
        "TARGET_ARN": RUN_TASK,
    }


@pytest.mark.assumed("errors of the caller are not retried")
def test_a_request_that_ecs_refuses_makes_a_dead_letter_at_once(account: Account) -> None:
    wanted = account.universal(
        RUN_TASK, {"Cluster": "gone", "TaskDefinition": "gone:1"}, DeadLetterConfig={"Arn": account.dead_letters}
    )
    account.create(Target=wanted)

    account.aws.advance(60)

    (letter,) = account.received("dead-letters")
    assert letter["MessageAttributes"]["RETRY_ATTEMPTS"]["StringValue"] == "0"
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "ClusterNotFoundException"


def minutes(start: dt.datetime, count: int) -> Iterator[dt.datetime]:
    return (start + dt.timedelta(minutes=n) for n in range(count))


def next_clock_change(zone: ZoneInfo, after: dt.datetime) -> dt.datetime:
    """The first minute, in UTC, at which the clocks of a zone show something else than a minute more."""
    moment = after.replace(second=0, microsecond=0)
    while moment.astimezone(zone).utcoffset() == (moment + dt.timedelta(days=1)).astimezone(zone).utcoffset():
        moment += dt.timedelta(days=1)
    offset = moment.astimezone(zone).utcoffset()
    return next(minute for minute in minutes(moment, 1441) if minute.astimezone(zone).utcoffset() != offset)


@pytest.mark.assumed('of two equal times the first counts; documented: UG, "Schedule types", "Daylight savings time"')
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Europe/Berlin", "an hour, at two and at three"),
        ("America/New_York", "an hour, at two"),
        ("America/Havana", "an hour, at midnight and at one"),
        ("Australia/Lord_Howe", "half an hour, and in the other half of the year"),
    ],
)
def test_a_skipped_local_time_does_not_fire_and_a_repeated_one_fires_once(
    account: Account, name: str, why: str
) -> None:
    zone = ZoneInfo(name)
    for _ in range(2):
        change = next_clock_change(zone, account.now())
        before = change - dt.timedelta(hours=3)
        account.aws.advance((before - account.now()).total_seconds())
        account.create(ScheduleExpression="cron(0/15 * * * ? *)", ScheduleExpressionTimezone=name)

        account.aws.advance(6 * 3600)
        account.scheduler.delete_schedule(Name="nightly", GroupName=GROUP)

        assert account.bodies() == shown_first(zone, before), why


def shown_first(zone: ZoneInfo, start: dt.datetime) -> list[str]:
    """The quarters of an hour in the six hours after a moment, as the clocks of a zone show them first."""
    shown: dict[dt.datetime, dt.datetime] = {}
    for minute in minutes(start - dt.timedelta(hours=2), 481):
        shown.setdefault(minute.astimezone(zone).replace(tzinfo=None), minute)
    quarters = [moment for local, moment in shown.items() if local.minute % 15 == 0]
    return sorted(f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in quarters if moment > start)


@pytest.mark.documented('UG, "Schedule types", "Daylight savings time"')
def test_a_rate_counts_elapsed_time_across_a_clock_change(account: Account) -> None:
    change = next_clock_change(ZoneInfo("Europe/Berlin"), account.now())
    first = change - dt.timedelta(hours=12)
    account.create(ScheduleExpression="rate(1 day)", ScheduleExpressionTimezone="Europe/Berlin", StartDate=first)

    account.aws.advance((first - account.now()).total_seconds() + 86_400)

    assert account.bodies() == [f"{first + dt.timedelta(days=n):%Y-%m-%dT%H:%M:%SZ}" for n in range(2)]


@pytest.mark.assumed("both moments themselves belong to it; documented: API: StartDate and EndDate")
def test_a_schedule_fires_from_its_start_date_to_its_end_date(account: Account) -> None:
    slots = account.next_minutes(6)
    start, end = (dt.datetime.fromisoformat(slots[n]) for n in (2, 4))
    account.create(StartDate=start, EndDate=end, ActionAfterCompletion="DELETE")

    account.aws.advance(600)

    assert account.bodies() == slots[2:5]
    assert account.scheduler.list_schedules(GroupName=GROUP)["Schedules"] == []


@pytest.mark.documented('UG, "Configuring flexible time windows"')
def test_a_flexible_schedule_fires_once_within_its_window(account: Account) -> None:
    slot = dt.datetime.fromisoformat(account.next_minutes(1)[0])
    account.create(
        ScheduleExpression=f"cron({slot.minute} {slot.hour} {slot.day} {slot.month} ? {slot.year})",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
    )

    account.aws.advance(60 + 15 * 60)

    (sent,) = account.aws.journal(service="sqs", operation="SendMessage")
    late = dt.datetime.fromisoformat(sent["time"]) - slot
    assert account.bodies() == [f"{slot:%Y-%m-%dT%H:%M:%SZ}"]
    assert dt.timedelta(0) <= late <= dt.timedelta(minutes=15)


@pytest.mark.documented('UG, "What is EventBridge Scheduler": at-least-once event delivery')
def test_one_slot_may_be_delivered_twice(account: Account) -> None:
    account.aws.control("PUT", "scheduler", {"deliver-twice": 1, "only": "night*"})
    account.create(Target=account.tick("<aws.scheduler.scheduled-time> <aws.scheduler.execution-id>"))
    account.create("weekly", Target=account.tick("weekly"))
    (slot,) = account.next_minutes(1)

    account.aws.advance(60)

    (first, second, other) = account.bodies()
    assert (first.partition(" ")[0], second.partition(" ")[0], other) == (slot, slot, "weekly")
    assert first != second
    calls = account.aws.journal(principal="scheduler.amazonaws.com", operation="SendMessage")
    assert [call["outcome"] for call in calls] == ["ok"] * 3


@pytest.mark.documented('UG, "What is EventBridge Scheduler": within 60 seconds; later only where it is asked for')
def test_one_slot_may_be_delivered_late_and_again_later_still(account: Account) -> None:
    wanted = {"deliver-twice": 1, "late-seconds": 90, "second-after-seconds": 600, "seed": 3}
    account.aws.control("PUT", "scheduler", wanted)
    slot = dt.datetime.fromisoformat(account.next_minutes(1)[0])
    account.create(ScheduleExpression=f"at({slot:%Y-%m-%dT%H:%M:%S})")

    account.aws.advance(1200)

    calls = account.aws.journal(principal="scheduler.amazonaws.com", operation="SendMessage")
    late = [(dt.datetime.fromisoformat(call["time"]) - slot).total_seconds() for call in calls]
    assert late == [90, 690]
    assert account.bodies() == [f"{slot:%Y-%m-%dT%H:%M:%SZ}"] * 2
    assert account.aws.control("GET", "scheduler") == {"only": "*", **wanted}
