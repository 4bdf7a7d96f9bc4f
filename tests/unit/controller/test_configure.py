"""The AWS side of one task: which writes, in which order, and what is remembered between two looks."""

from dataclasses import replace
from typing import Any

import pytest

from backgroundtask.errors import Blocked, Busy, Rejected
from fixtures.fake_world import OWNER, World

HOUR = 3600
SWITCHED_OFF = ["schedules.update"]
AWS = ("ecs.", "schedules.")


def work(world: World) -> list[str]:
    """The writes to AWS that work on what is due brings."""
    assert world.process is not None
    before = len(world.trace.writes)
    world.process.work()
    return world.trace.since(before, *AWS)


def look(world: World) -> list[str]:
    """The writes to AWS of a full look at the task."""
    assert world.process is not None
    world.annotate(reconcile_requested_at=f"{len(world.trace.calls)}")
    return work(world)


def asked(world: World, mark: int, operation: str) -> list[str]:
    return [call.target for call in world.trace.calls[mark:] if call.operation == operation]


class TestOrder:
    def test_a_new_task_is_held_then_registered_then_scheduled_then_told(self, bare: World) -> None:
        bare.apply()
        before = len(bare.trace.writes)

        work(bare)

        assert bare.trace.since(before) == [
            "kube.add_finalizer",
            "ecs.register",
            "schedules.create",
            "kube.patch_status",
        ]
        assert bare.status()["taskDefinitionArn"] == bare.revisions()[0]

    def test_a_new_task_asks_for_no_schedule_as_there_can_be_none(self, bare: World) -> None:
        bare.apply()
        before = len(bare.trace.calls)

        work(bare)

        assert asked(bare, before, "schedules.find") == []
        assert bare.condition()["status"] == "True"

    @pytest.mark.parametrize(
        ("spec", "writes", "why"),
        [
            ({"image": "reports:2"}, ["ecs.register", "schedules.update"], "the schedule needs the new revision"),
            ({"cron": "0 4 * * *"}, ["schedules.update"], "the revision stays"),
            ({"cron": "0 3 1 * 1"}, ["schedules.update", "schedules.create"], "an or needs a second schedule"),
            ({"cron": None}, ["schedules.remove"], "the revision stays: only its schedule goes"),
            ({"suspend": True}, ["schedules.update"], "a suspended schedule is kept, and off"),
            (
                {"suspend": True, "image": "reports:2"},
                ["schedules.update", "ecs.register", "schedules.update"],
                "it is off before anything that may be refused",
            ),
            ({"env": [{"name": "A", "value": "1"}]}, ["ecs.register", "schedules.update"], "env is in the revision"),
            ({"description": "what for"}, [], "AWS is not told"),
            ({"successfulRunsHistoryLimit": 9}, [], "history is the cluster's"),
        ],
    )
    def test_an_edit_writes_what_differs_in_the_safe_order(
        self, world: World, spec: dict[str, Any], writes: list[str], why: str
    ) -> None:
        world.edit(**spec)

        assert work(world) == writes, why
        assert world.status()["observedGeneration"] == 2

    def test_nothing_is_written_where_nothing_differs(self, world: World) -> None:
        before = len(world.trace.writes)

        assert look(world) == []

        assert world.trace.since(before) == ["kube.patch_status"]  # the request is answered
        assert world.status()["lastHandledReconcileAt"]

    def test_a_request_is_acted_on_once_however_it_is_spelled(self, world: World) -> None:
        world.annotate(reconcile_requested_at="now\nand then " + "x" * 2000)
        work(world)
        before = len(world.trace.calls)

        world.annotate(run_requested_at="other")
        work(world)

        assert asked(world, before, "ecs.active_revisions") == []


class TestMemory:
    def test_a_restart_asks_aws_nothing_about_a_task_that_is_ready(self, world: World) -> None:
        before = len(world.trace.calls)

        world.start().work()

        assert asked(world, before, "ecs.active_revisions") == asked(world, before, "schedules.find") == []

    def test_a_schedule_that_a_crash_left_is_adopted(self, bare: World) -> None:
        bare.apply()
        bare.trace.fail_next("schedules.create", Busy("AwsUnavailable", "AWS does not answer."), after_effect=True)
        work(bare)

        bare.pass_time(1)

        assert bare.enabled() == {OWNER.schedule_name(0): True}
        assert len(bare.revisions()) == 1
        assert bare.condition()["status"] == "True"

    def test_a_schedule_that_somebody_made_since_is_looked_at_before_it_is_changed(self, bare: World) -> None:
        bare.apply()
        bare.trace.fail_next("schedules.create", Busy("ScheduleExists", "A schedule of this name exists already."))
        before = len(bare.trace.calls)
        assert work(bare) == ["ecs.register"]

        bare.pass_time(1)

        assert asked(bare, before, "schedules.find") == list(OWNER.schedule_names)
        assert bare.condition()["status"] == "True"

    @pytest.mark.parametrize("name", OWNER.schedule_names)
    def test_what_a_refused_plan_left_is_removed_with_the_cron(self, world: World, name: str) -> None:
        world.edit(cron=None)
        work(world)
        world.account.put_schedule(replace(_left_by(world), name=name))
        world.trace.fail_next("schedules.*", Rejected("InvalidSchedule", "AWS does not like it."))
        world.edit(cron="0 4 * * *")
        work(world)

        world.edit(cron=None)
        work(world)

        assert world.enabled() == {}

    def test_what_aws_refused_is_not_asked_for_again_for_an_hour(self, world: World) -> None:
        world.edit(cpu=300)  # no size that the schema knows: ECS judges it
        work(world)
        before = len(world.trace.calls)

        world.annotate(run_requested_at="wakes it up")
        work(world)

        assert world.condition("Stalled")["reason"] == "InvalidFargateSize"
        assert asked(world, before, "ecs.register") == []
        world.pass_time(HOUR)
        assert asked(world, before, "ecs.register") == [OWNER.family]

    def test_a_request_asks_for_it_again_at_once(self, world: World) -> None:
        world.edit(cpu=300)
        work(world)
        before = len(world.trace.calls)

        look(world)

        assert asked(world, before, "ecs.register") == [OWNER.family]

    def test_another_spec_is_asked_for_at_once(self, world: World) -> None:
        world.edit(cpu=300)
        work(world)

        world.edit(cpu=512, memory=1024)

        assert work(world) == ["ecs.register", "schedules.update"]
        assert world.condition("Stalled") == {}


def _left_by(world: World) -> Any:
    world.edit(cron="0 3 * * *")
    work(world)
    schedule = world.account.schedule(OWNER.schedule_name(0))
    world.edit(cron=None)
    work(world)
    return schedule


class TestRefusals:
    def test_a_refused_edit_leaves_what_worked(self, world: World) -> None:
        world.edit(cron="61 * * * *")

        assert work(world) == []
        assert world.enabled() == {OWNER.schedule_name(0): True}
        assert world.condition("Stalled")["reason"] == "InvalidSchedule"
        assert world.condition("Scheduled")["status"] == "True"

    def test_a_refused_edit_still_suspends(self, world: World) -> None:
        world.edit(cron="61 * * * *", suspend=True)

        assert work(world) == SWITCHED_OFF
        assert world.enabled() == {OWNER.schedule_name(0): False}
        assert world.condition("Scheduled")["reason"] == "Suspended"
        assert "nextScheduleTime" not in world.status()

    def test_a_suspension_that_aws_cannot_take_yet_is_tried_again(self, world: World) -> None:
        world.trace.fail_next("schedules.update", Busy("Throttled", "AWS throttles."))
        world.edit(cron="61 * * * *", suspend=True)
        work(world)
        assert world.enabled() == {OWNER.schedule_name(0): True}

        world.pass_time(2)

        assert world.enabled() == {OWNER.schedule_name(0): False}
        assert world.condition("Stalled")["reason"] == "InvalidSchedule"

    @pytest.mark.parametrize(
        ("template", "reason"),
        [({"namespaces": []}, "NamespaceNotAllowed"), ({"taskRoles": {}}, "TaskRoleNotOffered")],
    )
    def test_a_right_that_is_taken_away_switches_off_and_back_on(
        self, world: World, template: dict[str, Any], reason: str
    ) -> None:
        world.edit(taskRole="reader")
        work(world)

        world.edit_template(**template)
        assert work(world) == SWITCHED_OFF
        assert world.condition("Stalled")["reason"] == world.condition("Scheduled")["reason"] == reason

        world.edit_template(namespaces=["reports"], taskRoles={"reader": "arn:aws:iam::123456789012:role/reader"})
        work(world)
        assert world.enabled() == {OWNER.schedule_name(0): True}
        assert world.condition()["status"] == "True"

    def test_a_revocation_holds_however_long_aws_is_away_meanwhile(self, world: World) -> None:
        world.edit(taskRole="reader")
        work(world)
        world.trace.fail_next("schedules.*", Busy("AwsUnavailable", "AWS does not answer."), times=20)
        world.edit_template(taskRoles={})

        world.pass_time(3 * HOUR, step=300)
        world.trace.mend()
        world.pass_time(HOUR, step=300)

        assert world.enabled() == {OWNER.schedule_name(0): False}
        assert world.condition("Stalled")["reason"] == "TaskRoleNotOffered"

    def test_a_revocation_is_found_by_a_process_that_has_just_begun(self, world: World) -> None:
        world.edit_template(namespaces=[])

        world.start().work()

        assert world.enabled() == {OWNER.schedule_name(0): False}

    def test_a_role_that_was_never_offered_leaves_what_worked(self, world: World) -> None:
        world.edit(taskRole="admin")

        assert work(world) == []
        assert world.enabled() == {OWNER.schedule_name(0): True}

    def test_what_is_switched_off_is_asked_for_once(self, world: World) -> None:
        world.edit_template(namespaces=[])
        work(world)
        before = len(world.trace.calls)

        world.annotate(run_requested_at="wakes it up")
        work(world)

        assert asked(world, before, "schedules.find") == []

    def test_what_somebody_switches_on_again_is_switched_off_within_a_day(self, world: World) -> None:
        world.edit_template(namespaces=[])
        work(world)
        name = OWNER.schedule_name(0)
        world.account.put_schedule(replace(world.account.schedule(name), enabled=True))

        world.pass_time(25 * HOUR, step=600)
        assert world.enabled() == {name: False}
        before = len(world.trace.calls)
        world.annotate(run_requested_at="wakes it up")
        work(world)

        assert asked(world, before, "schedules.find") == []

    def test_a_refused_new_task_is_not_held(self, bare: World) -> None:
        bare.apply(cron="61 * * * *")

        assert work(bare) == []
        assert "finalizers" not in bare.task()["metadata"]

    def test_a_strangers_schedule_is_told_and_left_alone(self, world: World) -> None:
        name = OWNER.schedule_name(0)
        theirs = replace(world.account.schedule(name), owner="test/team-b/report")
        world.account.put_schedule(theirs)

        assert look(world) == []
        assert world.account.schedule(name) == theirs
        assert world.condition("Stalled")["reason"] == "NotOwned"
        assert "team-b" in world.condition("Stalled")["message"]


class TestPause:
    def test_a_paused_task_is_left_alone_until_it_is_not(self, world: World) -> None:
        world.annotate(paused="true")
        world.edit(image="reports:2")
        assert work(world) == []
        assert world.condition("Reconciling")["reason"] == "Paused"
        assert world.status()["observedGeneration"] == 2

        world.annotate(paused="false")

        assert work(world) == ["ecs.register", "schedules.update"]


class TestRetirement:
    def test_a_replaced_revision_goes_when_no_firing_can_want_it(self, world: World) -> None:
        [old] = world.revisions()
        world.edit(image="reports:2")
        work(world)

        world.pass_time(HOUR - 60)
        assert old in world.revisions()
        world.pass_time(61)

        assert world.revisions() == [world.status()["taskDefinitionArn"]]

    def test_it_goes_also_where_its_time_comes_while_it_is_being_replaced(self, world: World) -> None:
        world.start(retire_after=1)
        world.edit(image="reports:2")
        world.trace.on_write = lambda moment, _: world.clock.advance(2) if moment == "after" else None

        work(world)
        world.pass_time(5)

        assert world.revisions() == [world.status()["taskDefinitionArn"]]

    def test_without_a_schedule_it_counts_from_when_that_went(self, world: World) -> None:
        [old] = world.revisions()
        world.edit(cron=None, image="reports:2")
        work(world)

        world.pass_time(HOUR - 60)
        look(world)
        assert old in world.revisions()
        world.pass_time(61)

        assert old not in world.revisions()

    def test_a_revision_that_a_run_uses_stays_until_the_run_has_ended(self, world: World) -> None:
        [old] = world.revisions()
        task = world.fires()
        world.tells(task, "RUNNING")
        world.edit(image="reports:2")
        work(world)

        world.pass_time(2 * HOUR, step=600)
        assert old in world.revisions()
        world.tells(task, "STOPPED", exit_code=0)
        world.pass_time(HOUR, step=600)

        assert old not in world.revisions()

    def test_a_restart_forgets_no_revision_for_longer_than_a_resync(self, world: World) -> None:
        [old] = world.revisions()
        world.edit(image="reports:2")
        work(world)

        world.start().work()
        world.pass_time(2 * HOUR, step=300)

        assert old not in world.revisions()


@pytest.mark.parametrize("error", [Blocked("AccessDenied", "Grant it."), Busy("Throttled", "AWS throttles.")])
def test_whatever_fails_is_tried_again_until_it_is_done(bare: World, error: Exception) -> None:
    bare.apply()
    for operation in ("ecs.active_revisions", "ecs.register", "schedules.create"):
        bare.trace.fail_next(operation, error)
        bare.trace.fail_next(operation, error, after_effect=True)
    work(bare)

    bare.pass_time(60, step=1)

    assert bare.condition()["status"] == "True"
    assert bare.enabled() == {OWNER.schedule_name(0): True}
    assert len(bare.revisions()) == 1
