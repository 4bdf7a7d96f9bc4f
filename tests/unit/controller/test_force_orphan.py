"""What stays in AWS when its object goes: by intention, with deletionPolicy Retain, or because it cannot be ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backgroundtask.errors import Blocked, Busy, Paced
from backgroundtask.kube.resource import RUNS, TASKS, TEMPLATES, Resource
from fixtures.fake_process import Process, Told
from fixtures.fake_world import KEY, OWNER, World
from fixtures.trace import Call, Crash

DENIED = Blocked("AccessDenied", "Grant scheduler:DeleteSchedule on * to the operator.")
FOREVER = 10_000
NAME = OWNER.schedule_name(0)


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def told(world: World, reason: str) -> list[Told]:
    return [one for one in process(world).told.told if one.reason == reason]


def annotate(world: World, resource: Resource, name: str) -> None:
    body = world.object(resource, name)
    body["metadata"]["annotations"] = {"bgtask.dev/force-orphan": "true"}
    world.store.replace(resource, world.object(resource, name), body)


def retained(world: World) -> tuple[list[bool], list[bool]]:
    """What is marked: schedules, ACTIVE revisions."""
    names = [name for _, name in world.account.schedules]
    revisions = [world.account.revisions[arn] for arn in world.revisions()]
    return [world.account.schedule(name).retained for name in names], [one.retained for one in revisions]


class TestForced:
    def test_a_task_goes_whatever_aws_says_and_what_stays_is_told(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", logger="backgroundtask")
        [revision] = world.revisions()
        world.trace.fail_next("schedules.remove", DENIED, times=FOREVER)
        world.delete()
        process(world).work()
        assert world.condition()["reason"] == "AccessDenied"

        world.annotate(force_orphan="true")
        process(world).work()

        assert world.find(TASKS, "nightly") is None
        assert world.enabled() == {NAME: True}
        [event] = told(world, "Orphaned")
        assert (event.about, event.type) == ("backgroundtasks nightly", "Warning")
        assert all(words in event.message for words in (NAME, revision, "AccessDenied"))
        [line] = [one for one in caplog.records if revision in one.getMessage() and NAME in one.getMessage()]
        assert vars(line)["task"] == str(KEY)
        [gone] = [one for one in caplog.records if one.getMessage().startswith("Background task deleted")]
        assert vars(gone)["task"] == str(KEY)

    def test_the_teardown_is_tried_once_more_and_what_it_ends_is_not_left(self, world: World) -> None:
        world.trace.fail_next("schedules.remove", DENIED)
        world.delete()
        process(world).work()

        world.annotate(force_orphan="true")
        process(world).work()

        assert world.find(TASKS, "nightly") is None
        assert (world.enabled(), world.revisions()) == ({}, [])
        assert told(world, "Orphaned") == []

    @pytest.mark.parametrize("error", [Busy("AwsUnreachable", "AWS does not answer."), KeyError("a bug")], ids=repr)
    def test_where_aws_says_nothing_at_all_it_is_told_what_was_last_known(self, world: World, error: Exception) -> None:
        [revision] = world.revisions()
        for operation in ("schedules.*", "ecs.*"):
            world.trace.fail_next(operation, error, times=FOREVER)
        world.annotate(force_orphan="true")
        world.delete()

        process(world).work()

        assert world.find(TASKS, "nightly") is None
        [event] = told(world, "Orphaned")
        assert NAME in event.message
        assert revision in event.message

    def test_our_own_turn_is_waited_for(self, world: World) -> None:
        world.trace.fail_next("schedules.remove", Paced("Paced", "It is not our turn.", retry_after=5.0))
        world.annotate(force_orphan="true")
        world.delete()
        process(world).work()
        assert world.find(TASKS, "nightly") is not None

        world.pass_time(10)

        assert (world.find(TASKS, "nightly"), world.enabled()) == (None, {})

    def test_a_template_that_is_gone_holds_no_task(self, world: World) -> None:
        annotate(world, TEMPLATES, "default")
        world.delete(TEMPLATES, "default")
        process(world).work()
        assert world.find(TEMPLATES, "default") is None
        [event] = told(world, "Orphaned")
        assert "reports/nightly" in event.message

        world.annotate(force_orphan="true")
        world.delete()
        process(world).work()

        assert world.find(TASKS, "nightly") is None
        assert world.enabled() == {NAME: True}

    def test_a_run_goes_though_its_task_cannot_be_stopped(self, world: World) -> None:
        arn = world.fires()
        world.tells(arn, "RUNNING")
        [run] = world.runs()
        world.trace.fail_next("ecs.stop", DENIED, times=FOREVER)
        world.delete(RUNS, run["metadata"]["name"])
        process(world).work()
        assert world.runs()

        annotate(world, RUNS, run["metadata"]["name"])
        process(world).work()

        assert world.runs() == []
        [event] = told(world, "Orphaned")
        assert arn in event.message

    def test_a_crash_before_the_object_is_let_go_repeats_it(self, world: World) -> None:
        def end(moment: str, call: Call) -> None:
            if (moment, call.operation) == ("before", "kube.remove_finalizer"):
                raise Crash

        world.trace.fail_next("schedules.remove", DENIED, times=FOREVER)
        world.annotate(force_orphan="true")
        world.delete()
        world.trace.on_write = end
        with pytest.raises(Crash):
            process(world).work()

        world.trace.on_write = lambda _, __: None
        world.start().work()

        assert world.find(TASKS, "nightly") is None
        assert len(told(world, "Orphaned")) == 1


class TestIgnored:
    @pytest.mark.parametrize(("resource", "name"), [(TASKS, "nightly"), (TEMPLATES, "default"), (RUNS, "")])
    def test_on_what_is_not_being_deleted_it_does_nothing_and_says_so_once(
        self, world: World, resource: Resource, name: str
    ) -> None:
        world.tells(world.fires(), "RUNNING")
        name = name or world.runs()[0]["metadata"]["name"]
        before = len(world.trace.writes)

        annotate(world, resource, name)
        process(world).work()
        world.pass_time(7200, step=600)

        assert world.find(resource, name) is not None
        assert world.trace.since(before, "ecs.", "schedules.") == []
        [event] = told(world, "ForceOrphanIgnored")
        assert event.about == f"{resource.plural} {name}"
        assert "being deleted" in event.message


class TestRetain:
    def test_what_stays_is_marked_before_its_object_goes(self, world: World) -> None:
        world.edit(deletionPolicy="Retain", image="reports:2")
        process(world).work()
        before = len(world.trace.writes)
        world.delete()

        process(world).work()

        assert world.find(TASKS, "nightly") is None
        assert retained(world) == ([True], [True, True])
        assert world.enabled() == {NAME: True}
        assert world.trace.since(before)[:4] == [
            "schedules.update",
            "ecs.retain",
            "ecs.retain",
            "kube.remove_finalizer",
        ]

    def test_who_has_it_again_takes_the_marks_off(self, world: World) -> None:
        world.edit(deletionPolicy="Retain")
        process(world).work()
        world.delete()
        process(world).work()
        [revision] = world.revisions()

        world.apply()
        world.pass_time(5, step=1)

        assert world.condition()["status"] == "True"
        assert world.revisions() == [revision]
        assert retained(world) == ([False], [False])
        process(world).context.queue.add(KEY)
        before = len(world.trace.writes)
        process(world).work()
        assert world.trace.since(before) == []

    def test_what_cannot_be_marked_holds_the_object_and_says_why(self, world: World) -> None:
        world.edit(deletionPolicy="Retain")
        process(world).work()
        world.trace.fail_next("ecs.retain", Blocked("AccessDenied", "Grant ecs:TagResource."))
        world.delete()
        process(world).work()
        assert world.condition()["reason"] == "AccessDenied"

        world.pass_time(60, step=1)

        assert world.find(TASKS, "nightly") is None
        assert retained(world) == ([True], [True])

    def test_a_strangers_things_are_not_marked(self, world: World) -> None:
        other = replace(world.account.schedule(NAME), name=OWNER.schedule_name(1), owner="test/others/nightly")
        world.account.put_schedule(other)
        stray = world.account.add_revision(OWNER.family)
        world.edit(deletionPolicy="Retain")
        world.delete()

        process(world).work()

        assert world.account.schedule(other.name).retained is False
        assert world.account.revisions[stray.arn].retained is False
        assert world.account.schedule(NAME).retained is True

    @pytest.mark.parametrize("write", range(4))
    def test_a_crash_at_any_write_leaves_nothing_unmarked_that_nobody_holds(self, world: World, write: int) -> None:
        def end(moment: str, _: Call) -> None:
            seen.append(moment)
            if len(seen) == write + 1:
                raise Crash

        seen: list[str] = []
        world.edit(deletionPolicy="Retain")
        process(world).work()
        world.delete()
        world.trace.on_write = end
        with pytest.raises(Crash):
            process(world).work()

        held: Any = world.find(TASKS, "nightly")
        assert held is not None or retained(world) == ([True], [True])
        world.trace.on_write = lambda _, __: None
        world.start().work()

        assert world.find(TASKS, "nightly") is None
        assert retained(world) == ([True], [True])
