"""Slots of schedules: each gets its run, by its ECS task, a tick, a dead letter, or because nobody told of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backgroundtask.controller import metrics
from backgroundtask.errors import Blocked, Busy
from backgroundtask.kube.resource import TASKS
from backgroundtask.plan.moments import stamp
from backgroundtask.plan.schedule import tick
from backgroundtask.plan.slots import MOST_AT_ONCE
from fixtures.fake_process import Process
from fixtures.fake_world import EVENTS, NOON, OWNER, TICKS, World
from fixtures.trace import Call

FIRST = "2026-11-21T12:01:00Z"


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def at(seconds: float) -> str:
    """So many seconds after noon."""
    return stamp(NOON + timedelta(seconds=seconds))


def phases(world: World) -> dict[str, str | None]:
    """The phases of the runs of slots, by slot."""
    return {run["spec"]["scheduledTime"]: run.get("status", {}).get("phase") for run in world.runs()}


def reasons(world: World) -> list[str | None]:
    return [run.get("status", {}).get("reason") for run in world.runs()]


def ticking(world: World, slot: str = FIRST, **how: str) -> None:
    """A tick of a slot comes into the queue, some seconds after the first one, and is taken up."""
    world.pass_time(max(62 - world.clock.monotonic(), 0))
    uid = world.task()["metadata"]["uid"]
    told = {"owner": str(OWNER), "uid": uid, "slot": slot, **how}
    world.account.send(TICKS, json.dumps(tick(**told)))
    process(world).read_queues()


def given_up(world: World, slot: str = FIRST, **changes: Any) -> None:
    """Scheduler gives the launch of a slot up, and its dead letter is taken up."""
    [schedule] = [kept for (_, _), (kept, _) in world.account.schedules.items()]
    body = schedule["Target"]["Input"].replace("<aws.scheduler.scheduled-time>", slot)
    world.account.send(TICKS, json.dumps({**json.loads(body), **changes}), {"ERROR_CODE": "ECS.ThrottlingException"})
    process(world).read_queues()


def until(world: World, seconds: float) -> None:
    """Let time pass up to so many seconds after noon; the queues are read then."""
    world.pass_time(seconds - world.clock.monotonic())
    process(world).read_queues()


def delay_of(operation: str, world: World) -> Callable[[str, Call], None]:
    """Lets the operation take two seconds."""

    def delay(when: str, call: Call) -> None:
        if (when, call.operation) == ("before", operation):
            world.clock.advance(2)

    return delay


def made(**spec: Any) -> World:
    """A world whose task runs every minute, settled five seconds before noon's next minute began to count."""
    world = World()
    world.furnish()
    world.apply(**{"cron": "* * * * *", "successfulRunsHistoryLimit": 100, "failedRunsHistoryLimit": 100, **spec})
    world.start().work()
    world.pass_time(5)
    return world


@pytest.fixture
def direct() -> World:
    return made()


@pytest.fixture
def queued() -> World:
    return made(concurrencyPolicy="Forbid")


class TestTicks:
    def test_a_tick_becomes_a_run_that_the_operator_launches(self, queued: World) -> None:
        ticking(queued)

        [run] = queued.runs()
        assert run["metadata"]["labels"]["bgtask.dev/launch"] == "Queue"
        assert (run["spec"]["scheduledTime"], run["status"]["phase"]) == (FIRST, "Launching")
        assert run["status"]["taskArn"] in queued.account.tasks
        assert queued.account.messages(TICKS) == []

    def test_a_refused_spec_lets_its_slots_go_on_with_the_last_good_revision(self, queued: World) -> None:
        good = queued.status()["taskDefinitionArn"]
        queued.edit(image="reports:2", taskRole="nobody", enableExecuteCommand=True)
        process(queued).work()
        assert queued.condition("Stalled")["status"] == "True"

        ticking(queued)

        [request] = queued.account.requests.values()
        assert request["taskDefinition"] == good
        assert "enableExecuteCommand" not in request

    def test_a_slot_whose_revision_is_too_big_by_now_fails_and_launches_nothing(self, queued: World) -> None:
        queued.edit(cpu=512, memory=1024)
        process(queued).work()
        queued.edit_template(limits={"cpu": 256})
        process(queued).work()

        ticking(queued)

        assert (reasons(queued), queued.account.requests) == (["LimitExceeded"], {})

    def test_the_same_tick_again_launches_nothing(self, queued: World) -> None:
        ticking(queued)

        ticking(queued)

        assert len(queued.runs()) == len(queued.account.tasks) == 1
        assert queued.account.messages(TICKS) == []

    def test_a_tick_whose_run_was_pruned_launches_nothing_also_after_a_restart(self, queued: World) -> None:
        queued.edit(successfulRunsHistoryLimit=0)
        ticking(queued)
        [run] = queued.runs()
        queued.tells(run["status"]["taskArn"], "STOPPED", exit_code=0)
        queued.pass_time(5)
        assert queued.runs() == []
        queued.start().work()

        ticking(queued)

        assert queued.runs() == []
        assert len(queued.account.tasks) == 1
        assert queued.account.messages(TICKS) == []

    def test_a_tick_is_not_answered_before_its_run_is_there(self, queued: World) -> None:
        queued.trace.fail_next("kube.create", Busy("Throttled", "The API server is busy."), times=2)

        ticking(queued)
        assert (queued.runs(), len(queued.account.messages(TICKS))) == ([], 1)
        queued.pass_time(10, step=1)

        assert phases(queued) == {FIRST: "Launching"}
        assert queued.account.messages(TICKS) == []

    def test_a_crash_before_the_run_is_there_leaves_the_tick_to_the_next_process(self, queued: World) -> None:
        queued.trace.fail_next("kube.create", Blocked("Forbidden", "Grant it."), times=50)
        ticking(queued)

        queued.trace.mend()
        queued.start().work()
        process(queued).read_queues()

        assert phases(queued) == {FIRST: "Launching"}
        assert queued.account.messages(TICKS) == []

    def test_each_item_of_a_tick_has_a_run_of_its_own(self) -> None:
        world = made(forEach=["north", "south"])

        ticking(world)

        items = {run["metadata"]["name"].rpartition("-")[2]: run["spec"]["item"] for run in world.runs()}
        assert items == {"0": "north", "1": "south"}
        assert world.account.messages(TICKS) == []

    @pytest.mark.parametrize(
        ("how", "why"),
        [
            ({"uid": "another"}, "it is of a task that bore the name before"),
            ({"slot": "2026-11-21T10:30:00Z"}, "the schedule was settled long after it"),
            ({"slot": "2028-01-01T00:00:00Z"}, "nobody can know of it yet"),
        ],
    )
    def test_a_tick_that_is_none_of_the_tasks_is_answered_and_makes_no_run(
        self, queued: World, how: dict[str, str], why: str
    ) -> None:
        ticking(queued, **how)

        assert queued.runs() == [], why
        assert queued.account.messages(TICKS) == []

    def test_a_tick_of_just_before_the_schedule_was_settled_makes_a_run_as_our_clock_may_be_ahead(
        self, queued: World
    ) -> None:
        ticking(queued, slot="2026-11-21T11:59:00Z")

        assert [run["spec"]["scheduledTime"] for run in queued.runs()] == ["2026-11-21T11:59:00Z"]

    def test_a_tick_of_a_task_that_is_gone_is_answered(self, queued: World) -> None:
        uid = queued.task()["metadata"]["uid"]
        queued.delete()
        process(queued).work()

        queued.account.send(TICKS, json.dumps(tick(str(OWNER), uid, FIRST)))
        process(queued).read_queues()

        assert (queued.runs(), queued.account.messages(TICKS)) == ([], [])

    def test_a_tick_of_a_task_that_cannot_go_yet_is_answered_and_launches_nothing(self, queued: World) -> None:
        queued.delete()
        queued.trace.fail_next("schedules.remove", Blocked("AccessDenied", "Grant it."), times=100)
        process(queued).work()

        ticking(queued)

        assert (queued.runs(), queued.account.messages(TICKS)) == ([], [])

    def test_a_tick_that_was_under_way_when_the_task_was_suspended_is_skipped(self, queued: World) -> None:
        queued.edit(suspend=True)
        process(queued).work()

        ticking(queued)

        assert (list(phases(queued).values()), reasons(queued)) == (["Skipped"], ["Suspended"])
        assert queued.account.tasks == {}

    def test_a_tick_for_a_spec_that_cannot_be_read_is_answered_and_its_slot_accounted_for_later(
        self, queued: World
    ) -> None:
        queued.edit(cpu="none")
        process(queued).work()
        ticking(queued)
        assert (queued.runs(), queued.account.messages(TICKS)) == ([], [])

        queued.edit(cpu=256)
        until(queued, 60 + 121)

        assert FIRST in phases(queued)


class TestNobodyTold:
    def test_a_tick_that_never_came_is_made_up_for_after_two_minutes(self, queued: World) -> None:
        until(queued, 60 + 119)
        assert queued.runs() == []

        until(queued, 60 + 121)

        assert phases(queued) == {FIRST: "Launching"}

    @pytest.mark.parametrize(
        ("spec", "patience", "phase"),
        [
            ({}, 3000, "Launching"),
            ({"concurrencyPolicy": "Forbid"}, 120, "Launching"),
            ({"startingDeadlineSeconds": 60}, 60, "Missed"),
        ],
    )
    def test_a_slot_that_comes_while_its_schedule_is_made_and_that_does_not_fire_is_made_up_for_or_missed(
        self, spec: dict[str, Any], patience: int, phase: str
    ) -> None:
        world = World()
        world.furnish()
        world.start().work()
        world.pass_time(59)
        world.trace.on_write = delay_of("schedules.create", world)
        world.apply(cron="1 12 * * *", **spec)
        process(world).work()
        for seconds in (1, 11, 41):
            until(world, 60 + patience + seconds)

        assert phases(world) == {FIRST: phase}

    def test_a_slot_that_comes_during_a_pass_and_that_does_not_fire_is_made_up_for(self) -> None:
        world = made(cron="1 12 * * *")
        world.pass_time(54)
        world.trace.on_write = delay_of("ecs.register", world)
        world.edit(image="reports:2")
        world.start().work()

        for seconds in (1, 11, 41):
            until(world, 60 + 3000 + seconds)

        assert phases(world) == {FIRST: "Launching"}

    def test_the_tick_that_comes_after_all_finds_its_run(self, queued: World) -> None:
        until(queued, 60 + 121)

        ticking(queued)

        assert len(queued.account.tasks) == 1
        assert queued.account.messages(TICKS) == []

    def test_a_firing_that_scheduler_lost_is_launched_late_with_the_schedules_own_token(self) -> None:
        world = made(cron="1 12 * * *")
        [schedule] = [json.loads(kept["Target"]["Input"]) for kept, _ in world.account.schedules.values()]
        until(world, 60 + 2999)
        assert world.runs() == []

        until(world, 60 + 3001)
        until(world, 60 + 3011)
        until(world, 60 + 3041)

        assert phases(world) == {FIRST: "Launching"}
        token = schedule["ClientToken"].replace("<aws.scheduler.scheduled-time>", FIRST)
        assert list(world.account.tokens) == [token]

    def test_a_task_that_scheduler_started_though_no_event_told_is_found_and_not_doubled(self) -> None:
        world = made(cron="1 12 * * *")
        arn = world.fires(FIRST)

        until(world, 60 + 3001)
        until(world, 60 + 3011)
        until(world, 60 + 3041)

        [run] = world.runs()
        assert run["status"]["taskArn"] == arn
        assert len(world.account.tasks) == 1

    def test_nothing_is_missed_before_the_events_were_read_that_may_say_otherwise(self) -> None:
        world = made(cron="1 12 * * *", startingDeadlineSeconds=60)

        world.pass_time(200)  # and nobody reads the queues
        world.pass_time(200)
        assert phases(world) == {FIRST: "Pending"}
        process(world).read_queues()
        world.pass_time(60)

        assert phases(world) == {FIRST: "Missed"}
        assert "MissSchedule" in process(world).told.reasons()

    def test_what_happened_while_the_operator_was_down_is_recorded_and_not_missed(self) -> None:
        world = made(cron="1 12 * * *", startingDeadlineSeconds=60)
        arn = world.fires(FIRST)
        world.send(arn, "RUNNING")
        world.send(arn, "STOPPED", exit_code=0)
        del world.account.tasks[arn]
        world.clock.advance(timedelta(days=13).total_seconds())

        world.start().work()
        world.pass_time(60)
        process(world).read_queues()

        assert phases(world)[FIRST] == "Succeeded"

    def test_a_downtime_is_made_up_for_in_turns(self, queued: World) -> None:
        queued.clock.advance(3600)

        queued.start().work()

        slots = sorted(phases(queued))
        assert slots == [at(60 * minute) for minute in range(1, 59)]
        assert len(slots) > 2 * MOST_AT_ONCE
        assert queued.status()["slotsAccountedUntil"] == slots[-1]


class TestDeadLetters:
    def test_a_launch_that_scheduler_gave_up_is_looked_into_at_once(self, direct: World) -> None:
        until(direct, 62)
        given_up(direct)
        until(direct, 80)

        assert phases(direct)[FIRST] == "Launching"
        assert len(direct.account.tasks) == 1
        assert "FailedCreate" in process(direct).told.reasons()
        assert direct.account.messages(TICKS) == []

    def test_a_task_that_was_started_all_the_same_is_found(self, direct: World) -> None:
        arn = direct.fires(FIRST)
        until(direct, 62)

        given_up(direct)
        until(direct, 80)

        [run] = direct.runs()
        assert run["status"]["taskArn"] == arn
        assert len(direct.account.tasks) == 1

    def test_that_of_a_namesake_makes_no_run(self, direct: World) -> None:
        [container] = json.loads(next(iter(direct.account.schedules.values()))[0]["Target"]["Input"])["Overrides"][
            "ContainerOverrides"
        ]
        said = [
            {**one, "Value": "another"} if one["Name"] == "BGT_TASK_UID" else one for one in container["Environment"]
        ]

        given_up(direct, Overrides={"ContainerOverrides": [{**container, "Environment": said}]})

        assert direct.runs() == []
        assert direct.account.messages(TICKS) == []

    def test_a_tick_that_could_not_be_delivered_is_a_tick(self, queued: World) -> None:
        uid = queued.task()["metadata"]["uid"]
        queued.account.send(TICKS, json.dumps(tick(str(OWNER), uid, FIRST)), {"ERROR_CODE": "SQS.AccessDenied"})

        process(queued).read_queues()

        assert phases(queued) == {FIRST: "Launching"}
        assert "FailedCreate" in process(queued).told.reasons()


class TestChanges:
    @pytest.mark.parametrize(
        ("spec", "why"),
        [
            ({"cron": "0 3 * * *"}, "another expression"),
            ({"cron": "0 3 * * *", "timeZone": "Europe/Berlin"}, "another zone"),
            ({"suspend": True}, "suspended"),
            ({"cron": None}, "no schedule any more"),
            ({"concurrencyPolicy": "Forbid"}, "another who launches"),
        ],
    )
    def test_slots_of_the_schedule_that_was_have_their_run_before_another_fires(
        self, direct: World, spec: dict[str, Any], why: str
    ) -> None:
        direct.pass_time(60)
        assert direct.runs() == []

        direct.edit(**spec)
        process(direct).work()

        assert list(phases(direct)) == [FIRST], why
        assert direct.status().get("slotsAccountedUntil") == at(65)

    def test_what_passes_while_it_is_suspended_is_no_slot(self, queued: World) -> None:
        queued.edit(suspend=True)
        process(queued).work()
        until(queued, 1800)
        queued.edit(suspend=False)
        process(queued).work()
        assert queued.status()["slotsAccountedUntil"] == at(1800)

        until(queued, 1800 + 60 + 121)

        assert list(phases(queued)) == [at(1860)]

    def test_a_change_after_a_long_downtime_is_told_once_all_old_slots_have_their_run(self, queued: World) -> None:
        queued.clock.advance(3600)
        queued.edit(cron="0 3 * * *")

        queued.start().work()

        assert len(phases(queued)) == 60
        assert queued.status()["schedules"][0]["expression"] == "cron(0 3 * * ? *)"
        assert queued.status()["slotsAccountedUntil"] == at(3605)

    @pytest.mark.parametrize(
        ("spec", "passed"),
        [({"cron": "30 * * * *"}, [FIRST, "2026-11-21T12:30:00Z"]), ({"suspend": True}, [FIRST])],
        ids=["changed", "suspended"],
    )
    def test_a_change_whose_process_died_before_it_told_of_it_counts_since_aws_made_it(
        self, queued: World, spec: dict[str, Any], passed: list[str]
    ) -> None:
        queued.pass_time(60)
        queued.trace.fail_next("kube.patch_status", Busy("Unreachable", "The process dies."), times=1000)
        queued.edit(**spec)
        process(queued).work()
        queued.trace.mend()
        queued.clock.advance(3600 - 65)

        queued.start().work()
        queued.pass_time(1)

        assert sorted(phases(queued)) == passed

    def test_a_change_that_is_refused_changes_nothing_about_the_slots(self, queued: World) -> None:
        queued.edit(taskRole="nobody")
        process(queued).work()

        until(queued, 60 + 121)

        assert list(phases(queued)) == [FIRST]


class TestTheCursor:
    def test_of_a_task_of_a_time_without_one_it_begins_with_the_last_slot_that_was_seen(self, direct: World) -> None:
        direct.tells(direct.fires(FIRST), "RUNNING")
        status = {key: value for key, value in direct.status().items() if key != "slotsAccountedUntil"}
        raw = direct.task()
        direct.store.replace(TASKS, raw, {**raw, "status": status})

        direct.start().work()
        until(direct, 3600)

        assert at(120) in phases(direct)

    def test_it_begins_with_the_schedule(self, direct: World) -> None:
        assert direct.status()["slotsAccountedUntil"] == at(0)

    def test_it_follows_the_runs_and_costs_no_write_of_its_own(self, direct: World) -> None:
        arn = direct.fires(FIRST)
        until(direct, 62)
        mark = len(direct.trace.writes)
        direct.tells(arn, "RUNNING")

        assert direct.status()["slotsAccountedUntil"] == FIRST
        written = [str(call) for call in direct.trace.writes[mark:]]
        assert written.count("kube.patch_status backgroundtasks nightly") == 1

    def test_a_world_at_rest_writes_nothing(self) -> None:
        world = made(cron="1 12 * * *")
        world.tells(world.fires(FIRST), "STOPPED", exit_code=0)
        until(world, 62)
        mark = len(world.trace.writes)

        until(world, 3600 * 11)

        assert world.trace.since(mark, "kube.patch", "kube.create") == []

    def test_no_run_is_pruned_that_the_cursor_has_not_passed(self) -> None:
        world = made(successfulRunsHistoryLimit=0)
        until(world, 121)

        world.tells(world.fires("2026-11-21T12:02:00Z"), "STOPPED", exit_code=0)

        assert list(phases(world)) == ["2026-11-21T12:02:00Z"]

    @pytest.mark.parametrize("policy", ["Allow", "Forbid"])
    def test_runs_of_a_rate_whose_slots_nobody_knows_are_pruned_an_hour_later(self, policy: str) -> None:
        world = made(cron="rate(30 minutes)", concurrencyPolicy=policy, successfulRunsHistoryLimit=1)
        slots = [at(1800 * number) for number in range(1, 7)]

        for seconds, slot in zip(range(1800, 99999, 1800), slots, strict=False):
            until(world, seconds + 5)
            if policy == "Forbid":
                ticking(world, slot)
            arn = world.fires(slot) if policy == "Allow" else list(world.account.tasks)[-1]
            world.tells(arn, "STOPPED", exit_code=0)
            world.pass_time(1)

        assert list(phases(world)) == slots[-2:], "those of the last hour, whose ticks may come twice"
        assert world.status()["slotsAccountedUntil"] == at(0)


class TestPrunedRuns:
    @pytest.fixture
    def pruned(self) -> tuple[World, str]:
        """A world whose task keeps no run, after one; and the ARN of its ECS task."""
        world = made(successfulRunsHistoryLimit=0)
        until(world, 61)
        arn = world.fires(FIRST)
        world.tells(arn, "STOPPED", exit_code=0)
        world.pass_time(1)
        assert world.runs() == []
        world.start().work()
        return world, arn

    def test_an_event_that_is_told_again_after_a_restart_revives_none(self, pruned: tuple[World, str]) -> None:
        world, arn = pruned

        world.tells(arn, "STOPPED", exit_code=0)

        assert world.runs() == []
        assert world.account.messages(EVENTS) == []

    def test_a_second_task_that_was_started_much_later_is_seen(self, pruned: tuple[World, str]) -> None:
        world, arn = pruned
        world.clock.advance(7200)
        again = world.account.start_task(
            world.revisions()[0],
            {"BGT_TASK_UID": world.task()["metadata"]["uid"], "BGT_SCHEDULED_TIME": FIRST},
        )

        world.tells(again, "RUNNING")

        assert arn != again
        assert phases(world)[FIRST] == "Running"


class TestForgottenTasks:
    @pytest.fixture
    def forgotten(self, direct: World) -> str:
        """The ARN of a task that ran, and that ECS knows no more."""
        arn = direct.fires(FIRST)
        direct.tells(arn, "RUNNING")
        direct.clock.advance(7200)
        del direct.account.tasks[arn]
        return arn

    def look(self, world: World) -> None:
        world.pass_time(601)
        world.pass_time(30)

    def test_one_that_ecs_forgot_is_lost_once_its_events_are_read(self, direct: World, forgotten: str) -> None:
        self.look(direct)
        assert phases(direct)[FIRST] == "Running", "nobody has read what was told of it"
        process(direct).read_queues()
        direct.pass_time(60)

        run = next(run for run in direct.runs() if run["spec"]["scheduledTime"] == FIRST)
        assert (run["status"]["phase"], run["status"]["taskArn"]) == ("Lost", forgotten)

    def test_one_that_ecs_did_not_show_yet_goes_on(self, direct: World) -> None:
        arn = direct.fires(FIRST)
        direct.tells(arn, "RUNNING")
        shown = direct.account.tasks.pop(arn)
        direct.pass_time(596)
        direct.account.tasks[arn] = shown

        for _ in range(20):
            direct.pass_time(60)
            process(direct).read_queues()

        assert phases(direct)[FIRST] == "Running"

    def test_one_whose_end_was_told_has_that_end(self, direct: World, forgotten: str) -> None:
        detail = {
            "taskArn": forgotten,
            "taskDefinitionArn": direct.revisions()[0],
            "version": 9,
            "lastStatus": "STOPPED",
            "desiredStatus": "STOPPED",
            "stopCode": "EssentialContainerExited",
            "stoppedAt": FIRST,
            "containers": [{"name": "aws-bg-task", "exitCode": 0}],
            "overrides": {
                "containerOverrides": [
                    {
                        "name": "aws-bg-task",
                        "environment": [
                            {"name": "BGT_TASK_UID", "value": direct.task()["metadata"]["uid"]},
                            {"name": "BGT_SCHEDULED_TIME", "value": FIRST},
                        ],
                    }
                ]
            },
        }
        direct.account.send(EVENTS, json.dumps({"detail-type": "ECS Task State Change", "detail": detail}))

        self.look(direct)
        process(direct).read_queues()

        assert phases(direct)[FIRST] == "Succeeded"


class TestAudit:
    def unaccounted(self, world: World) -> float:
        process(world).context.queue.get(0)
        world.pass_time(601)
        value: Callable[..., float | None] = metrics.REGISTRY.get_sample_value
        return value("bgt_slots_unaccounted") or 0.0

    def test_it_is_nothing_where_each_slot_has_its_run(self, queued: World) -> None:
        assert self.unaccounted(queued) == 0

    def test_it_counts_slots_whose_run_cannot_be_made_until_it_can(self, queued: World) -> None:
        queued.trace.fail_next("kube.create", Blocked("Forbidden", "Grant it."), times=10_000)
        assert self.unaccounted(queued) > 0

        queued.trace.mend()
        queued.pass_time(301)

        assert self.unaccounted(queued) == 0


def test_a_templates_queue_is_drained_only_as_far_as_it_was_read(queued: World) -> None:
    context = process(queued).context
    assert context.drained("nobody") is None

    process(queued).read_queues()

    assert context.drained("default") == datetime(2026, 11, 21, 12, 0, 5, tzinfo=UTC)
