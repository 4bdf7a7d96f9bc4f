"""Schedules that fire: which slots, in which order, with what, and what becomes of errors."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Any

import pytest

from fixtures.scheduling import ACCOUNT, DEAD_LETTERS, REGION, ROLE, SEND_MESSAGE, START, Stage, asked, staged, target
from localaws.clock import VirtualClock
from localaws.contract import AwsError, Params
from localaws.scheduler.definition import read_definition
from localaws.scheduler.ignition import Heap
from localaws.scheduler.state import Schedule

QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:ticks"
QUEUE_URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/ticks"
ARN = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/nightly"
BROKEN = AwsError("ServerException", "Service Unavailable.", status=503)
THROTTLED = AwsError("ThrottlingException", "Rate exceeded", status=400)
FORBIDDEN = AwsError("AccessDeniedException", "not authorized to perform ecs:RunTask", status=400)


def attributes(letter: Params) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}


def with_dead_letters(**policy: int) -> Params:
    return target(DeadLetterConfig={"Arn": DEAD_LETTERS}, RetryPolicy=policy)


def test_every_slot_of_a_jump_of_hours_fires_in_order_at_its_own_time() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create(ScheduleExpression="cron(0,30 * * * ? *)")

            await stage.after(hours=2)

            slots = ["2026-06-01T12:30:00Z", "2026-06-01T13:00:00Z", "2026-06-01T13:30:00Z", "2026-06-01T14:00:00Z"]
            assert stage.scheduled_times() == slots
            assert [f"{started.at:%Y-%m-%dT%H:%M:%SZ}" for started in stage.world.started] == slots

    asyncio.run(scenario())


def test_the_slots_of_several_schedules_fire_in_the_order_of_time() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create("odd", ScheduleExpression="cron(1/2 * * * ? *)")
            await stage.create("even", ScheduleExpression="cron(0/2 * * * ? *)")

            await stage.after(minutes=4)

            assert stage.scheduled_times() == [f"2026-06-01T12:0{minute}:00Z" for minute in (1, 2, 3, 4)]

    asyncio.run(scenario())


def test_the_task_is_run_by_the_api_names_of_its_request_in_the_region_of_the_schedule() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            request = {
                "Cluster": "main",
                "TaskDefinition": "report:1",
                "EnableECSManagedTags": True,
                "NetworkConfiguration": {
                    "AwsvpcConfiguration": {"Subnets": ["subnet-1"], "AssignPublicIp": "DISABLED"}
                },
                "Overrides": {"ContainerOverrides": [{"Name": "c", "Environment": [{"Name": "A", "Value": "B"}]}]},
                "ClientToken": "abc-<aws.scheduler.scheduled-time>",
            }
            await stage.call("CreateSchedule", region="us-east-1", Name="n", **asked(Target=target(request)))

            await stage.after(minutes=1)

            assert stage.world.started[0].region == "us-east-1"
            assert stage.world.started[0].params == {
                "cluster": "main",
                "taskDefinition": "report:1",
                "enableECSManagedTags": True,
                "networkConfiguration": {
                    "awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "DISABLED"}
                },
                "overrides": {"containerOverrides": [{"name": "c", "environment": [{"name": "A", "value": "B"}]}]},
                "clientToken": "abc-2026-06-01T12:01:00Z",
            }

    asyncio.run(scenario())


def test_context_attributes_are_filled_in_as_text_for_each_attempt() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            names = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
            told = " ".join(f"<aws.scheduler.{name}>" for name in names)
            stage.world.refusals.append(BROKEN)
            await stage.create(Target=target({"TaskDefinition": "t", "StartedBy": told}))

            await stage.after(seconds=40)

            assert stage.scheduled_times() == [f"{ARN} 2026-06-01T12:01:00Z id-2 2"]

    asyncio.run(scenario())


def test_a_context_attribute_whose_brackets_json_escaped_is_not_filled_in() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            escaped = '{"TaskDefinition": "t", "StartedBy": "\\u003caws.scheduler.scheduled-time\\u003e"}'
            await stage.create(Target=target(escaped))

            await stage.after(minutes=1)

            assert stage.scheduled_times() == ["<aws.scheduler.scheduled-time>"]

    asyncio.run(scenario())


def test_a_rate_fires_at_once_and_an_update_of_its_target_does_not_fire_it_again() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create(ScheduleExpression="rate(5 minutes)")
            await stage.after(minutes=1)
            await stage.update(ScheduleExpression="rate(5 minutes)", Description="changed")

            await stage.after(minutes=5)

            assert stage.scheduled_times() == ["2026-06-01T12:00:30Z", "2026-06-01T12:05:30Z"]

    asyncio.run(scenario())


def test_a_disabled_schedule_does_not_fire_and_makes_nothing_up_when_it_is_enabled() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create(State="DISABLED")
            await stage.after(minutes=3)
            await stage.update(State="ENABLED")

            await stage.after(minutes=1)

            assert stage.scheduled_times() == ["2026-06-01T12:04:00Z"]

    asyncio.run(scenario())


def test_an_update_moves_the_next_slot_nearer_or_farther() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create(ScheduleExpression="cron(0 * * * ? *)")
            await stage.after(seconds=5)
            await stage.update(ScheduleExpression="cron(2 * * * ? *)")
            await stage.after(minutes=2)
            await stage.update(ScheduleExpression="cron(50 * * * ? *)")

            await stage.after(hours=1)

            assert stage.scheduled_times() == ["2026-06-01T12:02:00Z", "2026-06-01T12:50:00Z"]

    asyncio.run(scenario())


def test_an_update_at_the_moment_of_a_slot_neither_loses_nor_doubles_it() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create()
            clock = stage.world.clock
            slot = START + dt.timedelta(seconds=30)
            at_the_slot = asyncio.ensure_future(_update_at(stage, slot))
            await asyncio.sleep(0)

            await clock.advance(90)
            await at_the_slot

            assert stage.scheduled_times() == ["2026-06-01T12:01:00Z", "new 2026-06-01T12:02:00Z"]

    asyncio.run(scenario())


def test_a_deletion_at_the_moment_of_a_slot_does_not_lose_it() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create()
            at_the_slot = asyncio.ensure_future(_delete_at(stage, START + dt.timedelta(seconds=30)))
            await asyncio.sleep(0)

            await stage.after(minutes=5)
            await at_the_slot

            assert stage.scheduled_times() == ["2026-06-01T12:01:00Z"]

    asyncio.run(scenario())


def test_a_schedule_created_later_but_due_sooner_fires_on_time() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create("later", ScheduleExpression="cron(0 * * * ? *)")
            await stage.after(seconds=1)
            await stage.create("sooner", ScheduleExpression="cron(5 * * * ? *)")

            await stage.after(minutes=5)

            assert stage.scheduled_times() == ["2026-06-01T12:05:00Z"]

    asyncio.run(scenario())


def test_slots_over_which_the_clock_leapt_all_fire_before_a_change_applies() -> None:
    async def scenario() -> None:
        real = [0.0]
        clock = VirtualClock(rate=1, start=START, monotonic=lambda: real[0])
        async with staged(clock) as stage:
            await stage.create()
            real[0] += 180

            await stage.update(State="DISABLED")
            await asyncio.sleep(0)

            assert stage.scheduled_times() == [f"2026-06-01T12:0{minute}:00Z" for minute in (1, 2, 3)]

    asyncio.run(scenario())


async def _delete_at(stage: Stage, moment: dt.datetime) -> None:
    await stage.world.clock.sleep_until(moment)
    await stage.delete()


async def _update_at(stage: Stage, moment: dt.datetime) -> None:
    await stage.world.clock.sleep_until(moment)
    request = {"TaskDefinition": "t", "StartedBy": "new <aws.scheduler.scheduled-time>"}
    await stage.update(Target=target(request))


def test_a_slot_fires_as_the_schedule_was_defined_at_its_moment() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create(ScheduleExpression="at(2026-06-01T12:01:00)")
            stage.world.answering.clear()
            await stage.after(seconds=30)
            await stage.delete()
            await stage.create(State="DISABLED", Target=target({"TaskDefinition": "other"}))

            stage.world.answering.set()
            await stage.after(seconds=1)

            assert stage.scheduled_times() == ["2026-06-01T12:01:00Z"]

    asyncio.run(scenario())


def test_a_deleted_schedule_fires_no_more() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create()
            await stage.after(minutes=1)
            await stage.delete()

            await stage.after(hours=1)

            assert stage.scheduled_times() == ["2026-06-01T12:01:00Z"]

    asyncio.run(scenario())


def test_a_one_time_schedule_fires_once_and_stays_unless_told_to_delete_itself() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create("kept", ScheduleExpression="at(2026-06-01T12:01:15)")
            await stage.create("gone", ScheduleExpression="at(2026-06-01T14:01:15)", ActionAfterCompletion="DELETE",
                               ScheduleExpressionTimezone="Europe/Berlin")  # fmt: skip

            await stage.after(days=2)
            await stage.update("kept", ScheduleExpression="at(2026-06-01T12:01:15)", Description="changed")
            await stage.after(days=2)

            assert stage.scheduled_times() == ["2026-06-01T12:01:15Z"] * 2
            assert await stage.names() == ["kept"]

    asyncio.run(scenario())


def test_a_one_time_schedule_in_the_past_fires_at_once_also_when_an_update_moves_it_there() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create(ScheduleExpression="at(2026-06-01T11:00:00)")
            await stage.after(seconds=1)
            await stage.update(ScheduleExpression="at(2026-05-31T00:00:00)")

            await stage.after(seconds=1)

            assert stage.scheduled_times() == ["2026-06-01T11:00:00Z", "2026-05-31T00:00:00Z"]

    asyncio.run(scenario())


def test_a_one_time_schedule_that_was_disabled_at_its_time_fires_late_when_it_is_enabled() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create(ScheduleExpression="at(2026-06-01T12:01:00)", State="DISABLED")
            await stage.after(minutes=5)
            await stage.update(ScheduleExpression="at(2026-06-01T12:01:00)")

            await stage.after(minutes=5)

            assert stage.scheduled_times() == ["2026-06-01T12:01:00Z"]

    asyncio.run(scenario())


def test_a_schedule_updated_while_its_last_slot_is_delivered_does_not_delete_itself() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            once = {"ActionAfterCompletion": "DELETE"}
            await stage.create(ScheduleExpression="at(2026-06-01T12:01:00)", **once)
            stage.world.answering.clear()
            await stage.after(minutes=1)
            await stage.update(ScheduleExpression="at(2026-06-01T12:30:00)", **once)

            stage.world.answering.set()
            await stage.after(minutes=1)
            assert await stage.names() == ["nightly"]
            await stage.after(hours=1)

            assert stage.scheduled_times() == ["2026-06-01T12:01:00Z", "2026-06-01T12:30:00Z"]
            assert await stage.names() == []

    asyncio.run(scenario())


def test_a_recurring_schedule_deletes_itself_after_the_last_slot_before_its_end() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create(EndDate=START + dt.timedelta(minutes=2), ActionAfterCompletion="DELETE")

            await stage.after(minutes=1)
            assert await stage.names() == ["nightly"]
            await stage.after(hours=1)

            assert stage.scheduled_times() == ["2026-06-01T12:01:00Z", "2026-06-01T12:02:00Z"]
            assert await stage.names() == []

    asyncio.run(scenario())


def test_it_deletes_itself_only_after_its_retries() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.world.refusals += [BROKEN] * 4
            await stage.create(ScheduleExpression="at(2026-06-01T12:01:00)", ActionAfterCompletion="DELETE")

            await stage.after(seconds=35)
            assert await stage.names() == ["nightly"]
            await stage.after(minutes=1)

            assert len(stage.world.started) == 1
            assert await stage.names() == []

    asyncio.run(scenario())


def test_a_late_scheduler_fires_after_its_delay_with_the_time_of_the_slot() -> None:
    async def scenario() -> None:
        async with staged(firing_delay=dt.timedelta(seconds=20)) as stage:
            await stage.create()
            await stage.after(seconds=40)
            await stage.update(Description="changed between slot and firing")

            await stage.after(seconds=20)

            assert stage.scheduled_times() == ["2026-06-01T12:01:00Z"]
            assert stage.world.started[0].at == START + dt.timedelta(seconds=50)

    asyncio.run(scenario())


def test_errors_worth_it_are_retried_with_growing_pauses_until_one_attempt_is_answered() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.world.refusals += [BROKEN, THROTTLED, BROKEN]
            await stage.create(ScheduleExpression="at(2026-06-01T12:01:00)", Target=with_dead_letters())

            await stage.after(minutes=5)

            assert [started.at for started in stage.world.started] == [START + dt.timedelta(seconds=30 + 1 + 2 + 4)]
            assert stage.world.queues == {}

    asyncio.run(scenario())


def test_a_dead_letter_tells_the_request_and_that_the_attempts_are_exhausted() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.world.refusals += [BROKEN] * 3
            await stage.create(
                ScheduleExpression="at(2026-06-01T12:01:00)", Target=with_dead_letters(MaximumRetryAttempts=2)
            )

            await stage.after(minutes=5)

            assert stage.world.started == []
            (letter,) = stage.world.queues["dead-letters"]
            assert json.loads(letter["MessageBody"]) == {
                "TaskDefinition": "report:1",
                "StartedBy": "2026-06-01T12:01:00Z",
            }
            assert attributes(letter) == {
                "ERROR_CODE": "ServerException",
                "ERROR_MESSAGE": "Service Unavailable.",
                "EXECUTION_ID": "id-3",
                "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
                "IS_PAYLOAD_TRUNCATED": "false",
                "RETRY_ATTEMPTS": "2",
                "SCHEDULED_TIME": "2026-06-01T12:01:00Z",
                "SCHEDULE_ARN": ARN,
                "TARGET_ARN": "arn:aws:scheduler:::aws-sdk:ecs:runTask",
            }

    asyncio.run(scenario())


def test_a_dead_letter_comes_when_the_invocation_has_reached_its_maximum_age() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.world.refusals += [BROKEN] * 99
            await stage.create(
                ScheduleExpression="at(2026-06-01T12:01:00)", Target=with_dead_letters(MaximumEventAgeInSeconds=60)
            )

            await stage.after(seconds=30 + 59)
            assert stage.world.queues == {}
            await stage.after(seconds=1)

            (letter,) = stage.world.queues["dead-letters"]
            assert attributes(letter)["EXHAUSTED_RETRY_CONDITION"] == "MaximumEventAgeInSeconds"
            assert attributes(letter)["RETRY_ATTEMPTS"] == "5"  # after 1, 3, 7, 15 and 31 seconds

    asyncio.run(scenario())


def test_an_attempt_at_the_very_end_of_the_maximum_age_is_still_made() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.world.refusals += [BROKEN] * 6
            await stage.create(
                ScheduleExpression="at(2026-06-01T12:01:00)", Target=with_dead_letters(MaximumEventAgeInSeconds=63)
            )

            await stage.after(minutes=5)

            assert [started.at for started in stage.world.started] == [START + dt.timedelta(seconds=30 + 63)]
            assert stage.world.queues == {}

    asyncio.run(scenario())


def test_the_default_policy_gives_up_within_24_hours() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.world.refusals += [BROKEN] * 999
            await stage.create(ScheduleExpression="at(2026-06-01T12:01:00)", Target=with_dead_letters())

            await stage.after(seconds=30 + 86_400)

            assert len(stage.world.queues["dead-letters"]) == 1
            assert 170 <= 999 - len(stage.world.refusals) <= 186

    asyncio.run(scenario())


def test_an_error_that_no_retry_mends_makes_a_dead_letter_at_once() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.world.refusals.append(FORBIDDEN)
            await stage.create(Target=with_dead_letters())

            await stage.after(seconds=30)

            (letter,) = stage.world.queues["dead-letters"]
            assert attributes(letter)["ERROR_CODE"] == "AccessDeniedException"
            assert attributes(letter)["RETRY_ATTEMPTS"] == "0"
            assert "EXHAUSTED_RETRY_CONDITION" not in attributes(letter)

    asyncio.run(scenario())


def test_without_a_queue_for_dead_letters_the_invocation_is_dropped_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.world.refusals.append(FORBIDDEN)
            await stage.create()

            await stage.after(minutes=1, seconds=30)

            assert stage.scheduled_times() == ["2026-06-01T12:02:00Z"]

    asyncio.run(scenario())
    assert caplog.messages == [f"{ARN} at 2026-06-01T12:01:00Z: dropped, AccessDeniedException"]


def test_a_retry_does_not_hold_up_the_next_slot() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.world.refusals += [BROKEN] * 7  # the first slot is answered 127 seconds late
            await stage.create()

            await stage.after(minutes=5)

            assert stage.scheduled_times()[0] != "2026-06-01T12:01:00Z"
            assert sorted(stage.scheduled_times()) == [f"2026-06-01T12:0{minute}:00Z" for minute in range(1, 6)]

    asyncio.run(scenario())


def test_a_dead_letter_too_large_for_a_message_is_cut_and_says_so() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            stage.world.refusals.append(FORBIDDEN)
            request = {"TaskDefinition": "t", "StartedBy": "é" * 131_000}
            text = json.dumps(request, ensure_ascii=False)
            await stage.create(Target=with_dead_letters() | {"Input": text})

            await stage.after(minutes=1)

            (letter,) = stage.world.queues["dead-letters"]
            assert attributes(letter)["IS_PAYLOAD_TRUNCATED"] == "true"
            assert text.startswith(letter["MessageBody"])
            told = sum(len(name) + len("String") + len(value) for name, value in attributes(letter).items())
            assert 256 * 1024 - 3 <= len(letter["MessageBody"].encode()) + told <= 256 * 1024

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            {"Arn": QUEUE, "RoleArn": ROLE, "Input": "tick <aws.scheduler.scheduled-time>"},
            {"QueueUrl": QUEUE_URL, "MessageBody": "tick 2026-06-01T12:01:00Z"},
        ),
        (
            {"Arn": f"{QUEUE}.fifo", "RoleArn": ROLE, "Input": "a", "SqsParameters": {"MessageGroupId": "g"}},
            {"QueueUrl": f"{QUEUE_URL}.fifo", "MessageBody": "a", "MessageGroupId": "g"},
        ),
        (
            {"Arn": SEND_MESSAGE, "RoleArn": ROLE, "Input": json.dumps({
                "QueueUrl": QUEUE_URL,
                "MessageBody": "<aws.scheduler.attempt-number>",
                "MessageAttributes": {
                    "someKey": {"DataType": "String", "StringValue": "v"},
                    "blob": {"DataType": "Binary", "BinaryValue": "AAE="},
                },
            })},
            {
                "QueueUrl": QUEUE_URL,
                "MessageBody": "1",
                "MessageAttributes": {
                    "someKey": {"DataType": "String", "StringValue": "v"},
                    "blob": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
                },
            },
        ),
    ],
    ids=["templated", "templated to a FIFO queue", "universal, with the user's own keys"],
)  # fmt: skip
def test_a_queue_receives(wanted: Params, message: Params) -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create(Target=wanted)

            await stage.after(minutes=1)

            assert stage.world.queues == {message["QueueUrl"].rpartition("/")[2]: [message]}

    asyncio.run(scenario())


def test_a_queue_target_without_input_receives_the_default_notification() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            await stage.create(Target={"Arn": QUEUE, "RoleArn": ROLE})

            await stage.after(minutes=1)

            body = json.loads(stage.world.queues["ticks"][0]["MessageBody"])
            assert (body["source"], body["detail-type"]) == ("aws.scheduler", "Scheduled Event")
            assert (body["time"], body["resources"]) == ("2026-06-01T12:01:00Z", [ARN])
            assert (body["account"], body["region"]) == (ACCOUNT, REGION)

    asyncio.run(scenario())


@pytest.mark.timeout(60)  # ten thousand of anything take a moment
def test_ten_thousand_schedules_are_held_and_the_due_ones_fire() -> None:
    async def scenario() -> None:
        async with staged() as stage:
            for number in range(10_000):
                await stage.create(
                    f"s-{number:05}", ScheduleExpression=f"cron({number % 60} {number // 60 % 24} * * ? *)"
                )
            for number in range(0, 10_000, 2):
                await stage.update(f"s-{number:05}", ScheduleExpression="cron(0 0 1 1 ? 2030)")

            await stage.after(minutes=2)

            # 12:01 is minute 721 of a day, and 10,000 minutes hold it 7 times; those of 12:02 were moved away.
            assert stage.scheduled_times() == ["2026-06-01T12:01:00Z"] * 7

    asyncio.run(scenario())


def test_the_heap_of_slots_does_not_grow_with_updates() -> None:
    heap = Heap()
    schedule = Schedule(
        region=REGION,
        group="default",
        name="nightly",
        arn=ARN,
        created=START,
        modified=START,
        definition=read_definition(asked(), region=REGION, now=START),
        considered=START,
    )

    for minute in range(10_000):
        heap.put(schedule, START + dt.timedelta(minutes=minute))

    assert len(heap) < 100
    due = [slot for slot, _ in heap.pop_until(START + dt.timedelta(days=30))]
    assert due == [START + dt.timedelta(minutes=9_999)]


def test_stopping_ends_what_is_being_delivered() -> None:
    async def scenario() -> Any:
        async with staged() as stage:
            stage.world.answering.clear()
            await stage.create()
            await stage.after(minutes=1)
        stage.world.answering.set()
        await stage.world.clock.advance(3600)
        return stage.world.started

    assert asyncio.run(scenario()) == []
