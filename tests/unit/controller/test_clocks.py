"""A task on either clock, launched by itself or by the operator: made, moved, switched off, found again and ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backgroundtask.controller.groups import CLUSTER_TAG, INSTALLATION_TAG
from backgroundtask.errors import Blocked, Busy
from backgroundtask.kube.resource import TASKS, TEMPLATES
from backgroundtask.plan.rules import from_rule, rule_group
from fixtures.fake_account import Rule
from fixtures.fake_process import INSTALLATION, Process
from fixtures.fake_world import OWNER, TICKS, World
from fixtures.trace import Call, Crash

MARK = rule_group(INSTALLATION)
NAME = OWNER.schedule_name(0)
RESYNC = 600
OLD, NEW = "Scheduler", "Rule"
SLOT = "2026-11-22T03:00:00Z"


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def begun(**spec: Any) -> World:
    """A task at rest whose template has these members."""
    made = World()
    made.furnish(**spec)
    made.apply()
    made.start().work()
    made.pass_time(5)
    return made


def rules(world: World) -> dict[str, bool]:
    """The rules of tasks, and whether they fire."""
    found = world.account.rules.items()
    return {name: kept.document["State"] == "ENABLED" for name, kept in found if name != MARK}


def held(world: World) -> dict[str, dict[str, bool]]:
    """What fires on each clock, by name."""
    return {"Scheduler": world.enabled(), "Rule": rules(world)}


def only(clock: str, *, fires: bool = True) -> dict[str, dict[str, bool]]:
    return {"Scheduler": {}, "Rule": {}} | {clock: {NAME: fires}}


def move(world: World, clock: str) -> None:
    """Give the template another clock."""
    world.edit_template(clock=clock)
    process(world).work()
    world.pass_time(5)


def asked(world: World, since: int, service: str) -> list[str]:
    return [one.operation for one in world.trace.calls[since:] if one.operation.startswith(service)]


@pytest.fixture
def ruled() -> World:
    return begun(clock="Rule")


class TestRule:
    def test_a_task_is_fired_by_a_rule_that_starts_its_revision(self, ruled: World) -> None:
        schedule = ruled.account.rule(NAME)
        (told,) = ruled.status()["schedules"]

        assert held(ruled) == only("Rule")
        assert schedule.definition_arn == ruled.revisions()[0]
        assert told == {
            "name": NAME,
            "arn": f"arn:aws:events:{ruled.account.place}:rule/{NAME}",
            "expression": "cron(0 3 * * ? *)",
            "timeZone": "UTC",
            "launch": "Direct",
        }
        assert ruled.condition("Scheduled")["status"] == "True"

    def test_where_there_never_was_a_schedule_scheduler_is_not_asked(self) -> None:
        world = World()
        world.trace.fail_next("schedules.*", Blocked("AccessDenied", "no"), times=1000)
        world.furnish(clock="Rule")
        world.apply()
        world.start().work()
        for _ in range(3):
            world.pass_time(RESYNC + 1)
        world.edit(image="reports:2")
        process(world).work()
        world.delete()
        process(world).work()

        assert asked(world, 0, "schedules") == []
        assert world.find(TASKS, "nightly") is None
        assert (rules(world), world.revisions()) == ({}, [])

    def test_a_new_image_repoints_the_rule_and_the_old_revision_goes_once_nothing_can_start_it(
        self, ruled: World
    ) -> None:
        (first,) = ruled.revisions()

        ruled.edit(image="reports:2")
        process(ruled).work()

        second = ruled.revisions()[1]
        assert ruled.account.rule(NAME).definition_arn == second
        ruled.pass_time(1800)
        assert first in ruled.revisions(), "a delayed firing may still start it"
        ruled.pass_time(1801)
        ruled.pass_time(1)
        assert ruled.revisions() == [second]

    def test_a_process_that_does_not_know_when_a_rule_was_changed_waits_the_whole_time(self, ruled: World) -> None:
        ruled.edit(image="reports:2")
        process(ruled).work()
        ruled.pass_time(1800)

        ruled.start().work()
        ruled.annotate(reconcile_requested_at="now")
        process(ruled).work()

        ruled.pass_time(1810)
        assert len(ruled.revisions()) == 2, "EventBridge does not tell when it was repointed"
        ruled.pass_time(1800)
        ruled.pass_time(1)
        assert len(ruled.revisions()) == 1

    def test_suspending_switches_the_rule_off_and_resuming_on(self, ruled: World) -> None:
        ruled.edit(suspend=True)
        process(ruled).work()
        assert held(ruled) == only("Rule", fires=False)

        ruled.edit(suspend=False)
        process(ruled).work()

        assert held(ruled) == only("Rule")

    def test_without_cron_the_rule_goes(self, ruled: World) -> None:
        ruled.edit(cron=None)
        process(ruled).work()

        assert rules(ruled) == {}
        assert ruled.condition("Ready")["status"] == "True"

    def test_a_time_zone_that_a_rule_does_not_know_is_refused_and_the_rule_stays(self, ruled: World) -> None:
        ruled.edit(timeZone="Europe/Berlin")
        process(ruled).work()

        assert ruled.condition("Stalled")["reason"] == "TimeZoneNotSupported"
        assert held(ruled) == only("Rule")

    def test_a_strangers_rule_is_left_as_it_is(self) -> None:
        world = World()
        theirs = Rule({"Name": NAME, "State": "ENABLED", "EventPattern": "{}", "Description": "of somebody"})
        world.account.rules[NAME] = replace(theirs)
        world.furnish(clock="Rule")
        world.apply()
        world.start().work()
        for _ in range(3):
            world.pass_time(10)

        assert world.condition("Stalled")["reason"] == "NotOwned"
        assert "EventBridge rule" in world.condition("Stalled")["message"]
        world.delete()
        process(world).work()
        assert world.account.rules[NAME] == theirs
        assert world.find(TASKS, "nightly") is None

    def test_days_of_either_field_are_two_rules_that_tell_the_operator(self, ruled: World) -> None:
        ruled.edit(cron="0 3 1 * 1")
        process(ruled).work()

        assert rules(ruled) == dict.fromkeys(OWNER.schedule_names, True)
        assert {one["launch"] for one in ruled.status()["schedules"]} == {"Queue"}
        assert {one["launchReason"] for one in ruled.status()["schedules"]} == {
            "clock: Rule, and cron restricts both kinds of days"
        }

    def test_a_rule_without_its_target_is_mended(self, ruled: World) -> None:
        ruled.account.rules[NAME].targets.clear()
        ruled.annotate(reconcile_requested_at="now")
        process(ruled).work()

        assert ruled.account.rule(NAME).edited_target is None
        assert ruled.account.rule(NAME).definition_arn == ruled.revisions()[0]

    @pytest.mark.parametrize("policy", ["Delete", "Retain"])
    def test_a_deleted_task_leaves_what_its_policy_says(self, ruled: World, policy: str) -> None:
        ruled.edit(deletionPolicy=policy)
        process(ruled).work()
        ruled.delete()
        process(ruled).work()

        assert ruled.find(TASKS, "nightly") is None
        if policy == "Delete":
            assert (rules(ruled), ruled.revisions()) == ({}, [])
            return
        assert held(ruled) == only("Rule")
        assert ruled.account.rule(NAME).retained


def refused(world: World, slot: str = SLOT, name: str = NAME) -> None:
    """EventBridge gives up to invoke the target of a rule; the dead letter is the event, and is taken up."""
    arn = f"arn:aws:events:{world.account.place}:rule/{name}"
    event = {"detail-type": "Scheduled Event", "time": slot, "resources": [arn]}
    world.account.send(TICKS, json.dumps(event), {"ERROR_CODE": "NO_PERMISSIONS", "RULE_ARN": arn})
    process(world).read_queues()


class TestDeadLetters:
    @pytest.mark.parametrize("launch", ["Direct", "Queue"])
    @pytest.mark.parametrize("clock", ["Rule", "Scheduler"])
    def test_the_slot_of_a_rule_that_came_to_nothing_is_launched_also_where_the_task_has_left_the_clock(
        self, clock: str, launch: str
    ) -> None:
        world = begun(clock="Rule", launch=launch)
        if clock == "Scheduler":
            move(world, clock)
        world.clock.advance(15 * 3600)

        refused(world)
        process(world).read_queues()
        world.pass_time(60)

        (run,) = world.runs()
        assert (run["spec"]["scheduledTime"], run["status"]["phase"]) == (SLOT, "Launching")
        assert "FailedCreate" in process(world).told.reasons()
        assert world.account.messages(TICKS) == []

    def test_that_of_a_namesake_makes_no_run(self, ruled: World) -> None:
        refused(ruled, "2026-11-21T11:59:00Z")

        assert (ruled.runs(), ruled.account.messages(TICKS)) == ([], [])

    def test_that_of_a_task_that_is_gone_is_answered_and_left_to_no_poison_queue(self, ruled: World) -> None:
        ruled.delete()
        process(ruled).work()

        refused(ruled)

        assert ruled.account.messages(TICKS) == []


class TestLaunch:
    @pytest.mark.parametrize("clock", ["Scheduler", "Rule"])
    def test_who_launches_changes_in_place(self, clock: str) -> None:
        world = begun(clock=clock)
        mark = len(world.trace.writes)

        world.edit(concurrencyPolicy="Forbid")
        process(world).work()

        service = "schedules" if clock == "Scheduler" else "rules"
        (told,) = world.status()["schedules"]
        assert world.trace.since(mark, "schedules", "rules") == [f"{service}.update"]
        assert held(world) == only(clock)
        assert (told["launch"], told["launchReason"]) == ("Queue", "concurrencyPolicy: Forbid")
        kind = "schedule" if clock == "Scheduler" else "EventBridge rule"
        assert world.condition()["message"].endswith(f"{kind} {NAME} tells the operator to start it.")

        world.edit(concurrencyPolicy="Allow")
        process(world).work()

        (told,) = world.status()["schedules"]
        assert world.trace.since(mark, "schedules", "rules") == [f"{service}.update"] * 2
        assert told["launch"] == "Direct"
        assert "launchReason" not in told

    @pytest.mark.parametrize("clock", ["Scheduler", "Rule"])
    def test_a_queued_slot_is_a_tick(self, clock: str) -> None:
        world = begun(clock=clock, launch="Queue")

        assert world.account.fire(NAME, "2026-11-22T03:00:00Z") is None

        (message,) = world.account.messages(TICKS)
        assert '"slot": "2026-11-22T03:00:00Z"' in message.body
        assert f'"owner": "{OWNER}"' in message.body
        assert world.account.tasks == {}

    def test_a_new_image_leaves_a_queued_schedule_as_it_is(self) -> None:
        world = begun(launch="Queue")
        mark = len(world.trace.writes)

        world.edit(image="reports:2")
        process(world).work()

        assert world.trace.since(mark, "schedules", "ecs") == ["ecs.register"]
        assert world.status()["taskDefinitionArn"] == world.revisions()[-1]

    def test_a_revision_stays_while_a_launch_that_was_frozen_with_it_may_be_sent_again(self) -> None:
        world = begun(launch="Queue")
        (first,) = world.revisions()
        world.pass_time(7200)  # the schedule was last changed long ago, so that nothing delayed can fire
        world.trace.fail_next("ecs.run", Busy("Throttled", "AWS limits how often RunTask may be called."), times=1000)
        world.account.fire(NAME, f"{world.clock.now:%Y-%m-%dT%H:%M:00Z}")
        process(world).read_queues()
        (run,) = world.runs()
        assert "taskArn" not in run["status"]["launch"]

        world.edit(image="reports:2")
        process(world).work()
        world.annotate(reconcile_requested_at="now")
        process(world).work()
        assert first in world.revisions()

        world.trace.mend()
        world.pass_time(60)
        (task,) = world.account.tasks.values()
        assert task["taskDefinitionArn"] == first


class TestMoving:
    @pytest.mark.parametrize(("before", "after"), [(OLD, NEW), (NEW, OLD)])
    @pytest.mark.parametrize("launch", ["Direct", "Queue"])
    def test_a_task_moves_to_the_new_clock_before_it_leaves_the_old(self, before: str, after: str, launch: str) -> None:
        world = begun(clock=before, launch=launch)
        mark = len(world.trace.writes)

        move(world, after)

        steps = world.trace.since(mark, "schedules.create", "schedules.remove", "rules.create", "rules.remove")
        made, gone = ("rules", "schedules") if after == NEW else ("schedules", "rules")
        tasks = [one for one in steps if not one.endswith("_group")]
        assert tasks == [f"{made}.create", f"{gone}.remove"]
        assert held(world) == only(after)
        assert world.condition()["status"] == "True"
        assert world.object(TEMPLATES, "default")["status"]["clocks"] == ["Scheduler", "Rule"]

    def test_a_slot_that_both_clocks_fire_has_one_run_and_its_second_task_is_stopped_and_told(self) -> None:
        world = begun()
        world.clock.advance(15 * 3600)
        first = world.fires(SLOT)
        world.tells(first, "RUNNING")
        move(world, "Rule")

        second = world.account.fire(NAME, SLOT)
        assert second is not None
        world.tells(second, "RUNNING")

        (run,) = world.runs()
        assert run["status"]["taskArn"] == first
        assert [one["taskArn"] for one in run["status"]["attempts"] if one.get("duplicate")] == [second]
        assert [world.account.tasks[arn]["desiredStatus"] for arn in (first, second)] == ["RUNNING", "STOPPED"]
        assert "UnexpectedJob" in process(world).told.reasons()

    @pytest.mark.parametrize("suspend", [False, True])
    def test_a_new_clock_that_refuses_leaves_the_old_one_as_it_is_to_be(self, *, suspend: bool) -> None:
        world = begun()
        world.trace.fail_next("rules.create", Blocked("RoleNotAssumable", "EventBridge cannot assume it."), times=50)
        world.edit(suspend=suspend, image="reports:2")
        world.edit_template(clock="Rule")
        process(world).work()
        world.pass_time(5)

        assert world.condition()["reason"] == "RoleNotAssumable"
        assert held(world) == only("Scheduler", fires=not suspend)

    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize("nth", range(4))
    @pytest.mark.parametrize("then", ["go on", "back", "delete"])
    def test_a_process_that_ends_on_the_way_leaves_nothing_that_is_not_found(
        self, moment: str, nth: int, then: str
    ) -> None:
        world = begun()
        count = iter(range(100))

        def strike(when: str, call: Call) -> None:
            if when == moment and call.operation.startswith(("rules", "schedules", "kube")) and next(count) == nth:
                raise Crash

        world.trace.on_write = strike
        world.edit_template(clock="Rule")
        try:
            process(world).work()
            world.pass_time(5)
        except Crash:
            world.start()
        world.trace.on_write = lambda _, __: None
        if then == "back":
            world.edit_template(clock="Scheduler")
        if then == "delete":
            world.delete()
        process(world).work()
        for _ in range(3):
            world.pass_time(RESYNC + 1)

        if then == "delete":
            assert (held(world), world.revisions()) == ({"Scheduler": {}, "Rule": {}}, [])
            return
        assert held(world) == only("Rule" if then == "go on" else "Scheduler")
        assert world.condition()["status"] == "True"

    def test_a_template_is_verified_before_its_tasks_use_a_new_clock(self) -> None:
        world = begun()
        world.account.queues[TICKS].takes_from_rules = False

        move(world, "Rule")

        template = world.object(TEMPLATES, "default")
        assert world.condition(of=template)["reason"] == "QueueClosedToRules"
        assert "events.amazonaws.com" in world.condition(of=template)["message"]
        assert held(world) == only("Scheduler"), "what was there before goes on"

        world.account.queues[TICKS].takes_from_rules = True
        for _ in range(4):
            world.pass_time(400)
        assert held(world) == only("Rule")


class TestMark:
    def test_the_rules_of_a_cluster_bear_its_mark(self, ruled: World) -> None:
        assert ruled.account.rules[MARK].tags == {CLUSTER_TAG: "cluster-uid", INSTALLATION_TAG: INSTALLATION}
        assert ruled.account.rules[MARK].document["State"] == "DISABLED"

    @pytest.mark.parametrize(
        ("tags", "reason"),
        [
            ({CLUSTER_TAG: "another", INSTALLATION_TAG: INSTALLATION}, "ScheduleGroupOfAnotherCluster"),
            ({CLUSTER_TAG: "cluster-uid", INSTALLATION_TAG: "other"}, "NotOwned"),
            ({}, "NotOwned"),
        ],
    )
    def test_the_mark_of_somebody_else_is_respected(self, tags: dict[str, str], reason: str) -> None:
        world = World()
        world.account.rules[MARK] = Rule({"Name": MARK, "State": "DISABLED"}, tags=dict(tags))
        world.furnish(clock="Rule")
        world.apply()
        world.start().work()
        world.pass_time(5)

        assert world.condition(of=world.object(TEMPLATES, "default"))["reason"] == reason
        assert world.account.rules[MARK].tags == tags
        assert rules(world) == {}

    def test_another_clusters_rules_are_taken_over_when_that_is_asked_for(self) -> None:
        world = World()
        theirs = {CLUSTER_TAG: "another", INSTALLATION_TAG: INSTALLATION}
        world.account.rules[MARK] = Rule({"Name": MARK, "State": "DISABLED"}, tags=theirs)
        world.furnish(clock="Rule")
        world.start(adopt=True).work()

        assert world.account.rules[MARK].tags[CLUSTER_TAG] == "cluster-uid"


def _removed(world: World) -> None:
    del world.account.rules[NAME]


def _disabled(world: World) -> None:
    world.account.put_rule(replace(world.account.rule(NAME), enabled=False))


def _doubled(world: World) -> None:
    world.account.put_rule(replace(world.account.rule(NAME), name=OWNER.schedule_name(1)))


class TestLooks:
    @pytest.mark.parametrize("drift", [_removed, _disabled, _doubled])
    def test_what_somebody_changed_is_put_right_with_the_next_look(
        self, ruled: World, drift: Callable[[World], None]
    ) -> None:
        drift(ruled)

        for _ in range(2):
            ruled.pass_time(RESYNC + 1)

        assert held(ruled) == only("Rule")

    def test_what_a_former_clock_still_holds_is_found_and_removed(self) -> None:
        world = begun()
        move(world, "Rule")
        leftover = replace(world.account.rule(NAME), clock="Scheduler", group=f"bgt-{INSTALLATION}", role="r")
        world.account.put_schedule(leftover)
        world.start().work()

        for _ in range(3):
            world.pass_time(RESYNC + 1)

        assert held(world) == only("Rule")

    def test_at_rest_a_look_lists_rules_and_writes_nothing(self, ruled: World) -> None:
        ruled.pass_time(RESYNC + 1)
        mark, calls = len(ruled.trace.writes), len(ruled.trace.calls)

        ruled.pass_time(RESYNC + 1)

        assert asked(ruled, calls, "rules.enabled_by_name") == ["rules.enabled_by_name"]
        assert asked(ruled, calls, "rules.find") == []
        assert ruled.trace.since(mark) == []


class TestOrphans:
    def looks(self, world: World, number: int) -> None:
        for _ in range(number):
            world.pass_time(RESYNC + 1)
            world.pass_time(1)

    def orphan(self, world: World) -> None:
        body = world.task()
        bare = {**body, "metadata": {key: one for key, one in body["metadata"].items() if key != "finalizers"}}
        world.store.replace(TASKS, body, bare)
        world.delete()
        process(world).work()

    @pytest.mark.parametrize("start", ["Scheduler", "Rule"])
    def test_a_rule_without_an_object_is_taken_at_the_second_sight(self, start: str) -> None:
        world = begun(clock=start)
        move(world, "Rule")
        self.orphan(world)

        self.looks(world, 6)

        assert (held(world), world.revisions()) == ({"Scheduler": {}, "Rule": {}}, [])
        assert MARK in world.account.rules

    def test_what_is_retained_or_bears_the_mark_of_another_cluster_stays(self, ruled: World) -> None:
        ruled.edit(deletionPolicy="Retain")
        process(ruled).work()
        ruled.delete()
        process(ruled).work()
        self.looks(ruled, 6)
        assert held(ruled) == only("Rule")

        ruled.account.put_rule(replace(ruled.account.rule(NAME), retained=False))
        ruled.account.rules[MARK].tags[CLUSTER_TAG] = "another"
        self.looks(ruled, 6)

        assert held(ruled) == only("Rule")

    def test_a_strangers_rule_on_the_same_bus_is_never_looked_at(self, ruled: World) -> None:
        theirs = Rule({"Name": "theirs", "State": "ENABLED", "ScheduleExpression": "rate(1 day)"})
        ruled.account.rules["theirs"] = replace(theirs)

        self.looks(ruled, 6)

        assert ruled.account.rules["theirs"] == theirs
        assert "rules.find theirs" not in [str(call) for call in ruled.trace.calls]


class TestCalls:
    @pytest.mark.parametrize(
        ("clock", "created", "changed"),
        [
            ("Scheduler", ["ecs.active_revisions", "ecs.register", "schedules.create"], "schedules"),
            ("Rule", ["ecs.active_revisions", "ecs.register", "rules.create"], "rules"),
        ],
    )
    def test_a_task_costs_as_few_calls_on_either_clock(self, clock: str, created: list[str], changed: str) -> None:
        world = World()
        world.furnish(clock=clock)
        world.start().work()
        calls = len(world.trace.calls)
        world.apply()
        process(world).work()
        assert [one for one in asked(world, calls, "") if not one.startswith("kube")] == created

        calls = len(world.trace.calls)
        world.edit(image="reports:2")
        process(world).work()

        made = [one for one in asked(world, calls, "") if not one.startswith("kube") and one != "ecs.revision"]
        assert made == ["ecs.active_revisions", f"{changed}.find", "ecs.register", f"{changed}.update"]

    def test_a_busy_eventbridge_is_asked_again(self) -> None:
        world = World()
        world.trace.fail_next("rules.create", Busy("Conflict", "Another change is in progress."), times=2)
        world.furnish(clock="Rule")
        world.apply()
        world.start().work()
        for _ in range(4):
            world.pass_time(10)

        assert held(world) == only("Rule")
        found = world.account.rules[NAME]
        assert from_rule(found.document, found.targets, MARK).owner == str(OWNER)
