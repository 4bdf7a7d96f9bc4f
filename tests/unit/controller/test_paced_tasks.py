"""Registrations come at one a second: what users, AWS and everybody else see of those that wait for their turn."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from backgroundtask.aws import rates_of
from backgroundtask.aws.rates import STEP
from backgroundtask.controller.keys import Key, ResyncKey, TaskKey
from backgroundtask.errors import Blocked, Busy, Paced
from backgroundtask.kube.resource import TASKS
from fixtures.fake_process import Process
from fixtures.fake_world import NAMESPACE, World
from fixtures.objects import task_object

DOCUMENTED = "RegisterTaskDefinition=20/1"  # of which we take 19, and a little less than 1 a second


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def paced(world: World, rates: str = DOCUMENTED) -> None:
    world.clouds.pace_at(rates_of(rates))


def apply(world: World, count: int, *, prefix: str = "task") -> list[str]:
    names = [f"{prefix}-{number:03}" for number in range(count)]
    for name in names:
        world.apply(name=name)
    return names


def ready(world: World, names: list[str]) -> list[str]:
    return [name for name in names if world.condition(of=world.task(name)).get("status") == "True"]


def calls(world: World, mark: int, *prefixes: str) -> Counter[str]:
    return Counter(call.operation for call in world.trace.calls[mark:] if call.operation.startswith(prefixes))


def registrations(world: World, mark: int) -> list[str]:
    """The families that were registered, in order, by the last word of their names."""
    made = (call for call in world.trace.writes[mark:] if call.operation == "ecs.register")
    return [call.target.rpartition("_")[2] for call in made]


@pytest.mark.timeout(60)  # hundreds of anything take a moment
class TestTwoHundred:
    def test_they_are_all_ready_within_two_hundred_seconds_at_three_calls_each_and_no_error(self, bare: World) -> None:
        paced(bare)
        names = apply(bare, 200)
        mark = len(bare.trace.calls)

        process(bare).work(most=2000)
        bare.pass_time(200, step=4)

        assert len(ready(bare, names)) == 200
        assert calls(bare, mark, "ecs.", "schedules.") == {
            "ecs.active_revisions": 200,
            "ecs.register": 200,
            "schedules.create": 200,
        }
        told = {one.type for one in process(bare).told.told}
        assert told == {"Normal"}

    def test_each_writes_its_status_twice_at_most(self, bare: World) -> None:
        paced(bare)
        apply(bare, 60)
        mark = len(bare.trace.writes)

        process(bare).work(most=1000)
        bare.pass_time(100, step=4)

        statuses = Counter(call.target for call in bare.trace.writes[mark:] if call.operation == "kube.patch_status")
        tasks = {target: count for target, count in statuses.items() if "task-" in target}
        assert len(tasks) == 60
        assert max(tasks.values()) == 2

    def test_one_that_waits_says_so_and_calls_it_no_failure(self, bare: World) -> None:
        paced(bare)
        names = apply(bare, 40)

        process(bare).work(most=500)

        waiting = bare.task(names[-1])
        assert bare.condition("Reconciling", of=waiting)["reason"] == "Paced"
        assert bare.condition("Ready", of=waiting)["status"] == "Unknown"
        assert "goes on by itself" in bare.condition("Reconciling", of=waiting)["message"]
        assert process(bare).context.queue.failures(next(iter(process(bare).tasks._notes))) == 0  # noqa: SLF001 - of any

    def test_one_whose_turn_is_near_says_nothing(self, bare: World) -> None:
        paced(bare)
        names = apply(bare, 21)

        process(bare).work(most=500)

        [last] = sorted(set(names) - set(ready(bare, names)))[-1:]
        assert bare.condition("Reconciling", of=bare.task(last)) == {}

    def test_nothing_is_asked_of_aws_for_one_that_waits(self, bare: World) -> None:
        paced(bare, "RegisterTaskDefinition=1/0.01")
        bare.apply(name="first")
        process(bare).work()
        mark = len(bare.trace.calls)

        bare.apply(name="second")
        process(bare).work()
        bare.edit(name="second", image="reports:9")
        bare.pass_time(60, step=5)

        assert calls(bare, mark, "ecs.", "schedules.") == {}


@pytest.mark.timeout(60)
class TestOrder:
    def test_a_deletion_meanwhile_is_over_in_seconds(self, bare: World) -> None:
        paced(bare)
        bare.apply(name="old")
        process(bare).work()
        apply(bare, 200)
        process(bare).work(most=2000)

        bare.delete(name="old")
        bare.pass_time(3, step=0.25)

        assert bare.find(TASKS, "old") is None
        assert [arn for arn in bare.revisions() if "_old:" in arn] == []

    def test_a_deletion_switches_off_what_fires_before_it_waits_for_anything(self, bare: World) -> None:
        paced(bare, "RegisterTaskDefinition=2/0.01")
        bare.apply(name="old")
        process(bare).work()
        assert list(bare.enabled().values()) == [True]

        bare.delete(name="old")
        process(bare).work()

        assert bare.enabled() == {}
        assert bare.find(TASKS, "old") is not None

    def test_one_that_is_deleted_while_it_waits_gives_its_place_up(self, bare: World) -> None:
        paced(bare, "RegisterTaskDefinition=1/0.1")
        apply(bare, 1, prefix="first")
        process(bare).work()
        apply(bare, 3)
        process(bare).work()

        bare.delete(name="task-000")
        process(bare).work()
        bare.pass_time(12, step=0.5)

        assert ready(bare, ["task-001"]) == ["task-001"]

    def test_a_cron_that_changes_waits_for_no_registration(self, bare: World) -> None:
        paced(bare)
        bare.apply(name="old")
        process(bare).work()
        apply(bare, 100)
        process(bare).work(most=1000)

        bare.edit(name="old", cron="0 4 * * *")
        process(bare).work()

        status = bare.status("old")
        assert status["schedules"][0]["expression"] == "cron(0 4 * * ? *)"
        assert bare.condition(of=bare.task("old"))["status"] == "True"

    def test_a_change_in_a_namespace_of_its_own_waits_for_one_of_the_others(self, bare: World) -> None:
        bare.edit_template(namespaces=["*"])
        paced(bare, "RegisterTaskDefinition=1/1")
        apply(bare, 50)
        process(bare).work(most=500)
        body = task_object(name="single")
        body["metadata"]["namespace"] = "alone"
        bare.store.insert(TASKS, body)

        process(bare).work()
        mark = len(bare.trace.writes)
        bare.pass_time(3.3, step=0.1)

        assert "single" in registrations(bare, mark)[:2]

    def test_they_are_registered_in_the_order_in_which_they_came(self, bare: World) -> None:
        paced(bare, "RegisterTaskDefinition=1/1")
        names = apply(bare, 20)
        mark = len(bare.trace.writes)

        process(bare).work(most=500)
        bare.pass_time(40, step=1)

        assert registrations(bare, mark) == names

    def test_what_a_template_changes_for_all_goes_behind_what_a_user_changes(self, bare: World) -> None:
        names = apply(bare, 30)
        process(bare).work(most=500)
        paced(bare, "RegisterTaskDefinition=1/1")
        bare.edit_template(platformVersion="1.4.0", tags={"cost": "42"})
        process(bare).work(most=500)

        mark = len(bare.trace.writes)
        bare.edit(name=names[-1], image="reports:9")
        process(bare).work()
        bare.pass_time(3, step=0.1)

        assert registrations(bare, mark)[0] == names[-1]


def test_a_look_in_bulk_leaves_a_part_of_the_burst_to_what_users_ask_for(bare: World) -> None:
    paced(bare, "RegisterTaskDefinition=10/0.01")
    context, pace = process(bare).context, bare.clouds.cloud.pace

    def served(key: Key) -> bool:
        try:
            with context.pace(key):
                pace.admit("ecs", "RegisterTaskDefinition")
        except Paced:
            return False
        return True

    looks = [served(ResyncKey(f"template-{number}")) for number in range(9)]
    changes = [served(TaskKey(NAMESPACE, f"task-{number}")) for number in range(3)]

    assert looks == [True] * 7 + [False] * 2
    assert changes == [True, True, False]


@pytest.mark.timeout(60)
class TestUnneeded:
    def test_a_cluster_that_is_rebuilt_adopts_what_is_there_without_waiting(self, bare: World) -> None:
        names = apply(bare, 60)
        process(bare).work(most=1000)
        for name in names:
            body = bare.task(name)
            bare.store.replace(TASKS, body, {**body, "status": {"observedGeneration": -1}})
        paced(bare)
        mark = len(bare.trace.writes)

        bare.start().work(most=2000)

        assert len(ready(bare, names)) == 60
        assert registrations(bare, mark) == []

    def test_a_change_that_is_taken_back_waits_for_nothing(self, world: World) -> None:
        paced(world, "RegisterTaskDefinition=1/0.001")
        world.apply(name="other")
        process(world).work()
        world.edit(image="reports:2")
        process(world).work()
        assert world.condition()["reason"] == "Paced"

        world.edit(image=task_object()["spec"]["image"])
        process(world).work()

        assert world.condition()["status"] == "True"
        assert world.status()["observedGeneration"] == 3

    def test_a_revision_that_vanished_is_registered_in_its_turn(self, world: World) -> None:
        [arn] = world.revisions()
        world.account.inactive.add(arn)
        paced(world, "RegisterTaskDefinition=1/0.1")
        world.apply(name="other")
        process(world).work()

        world.annotate(reconcile_requested_at="now")
        process(world).work()
        assert [one for one in world.revisions() if "_nightly:" in one] == []
        world.pass_time(20, step=0.5)

        assert [one for one in world.revisions() if "_nightly:" in one]


@pytest.mark.timeout(60)
class TestRetirement:
    def old_revisions(self, world: World) -> list[str]:
        """Change the image of some tasks and let the time pass in which the old revisions are needed."""
        names = apply(world, 10)
        process(world).work(most=500)
        for name in names:
            world.edit(name=name, image="reports:2")
        process(world).work(most=500)
        return names

    def test_retirements_wait_for_their_turns_and_look_only_then(self, bare: World) -> None:
        names = self.old_revisions(bare)
        paced(bare, "RegisterTaskDefinition=2/0.1")
        bare.pass_time(3600)
        assert len(bare.revisions()) == 19
        mark = len(bare.trace.calls)

        bare.pass_time(12 * 11, step=1)

        assert len(bare.revisions()) == 10
        assert len(ready(bare, names)) == 10
        assert calls(bare, mark, "ecs.active_revisions")["ecs.active_revisions"] <= 9
        assert calls(bare, mark, "kube.") == {}

    def test_a_registration_goes_before_all_retirements(self, bare: World) -> None:
        names = self.old_revisions(bare)
        paced(bare, "RegisterTaskDefinition=1/0.1")
        bare.pass_time(3600)
        mark = len(bare.trace.writes)

        bare.edit(name=names[0], image="reports:3")
        bare.pass_time(12, step=0.5)

        assert bare.trace.since(mark, "ecs.") == ["ecs.register"]


class TestFailures:
    def test_who_cannot_register_holds_its_turn_for_a_minute_and_no_longer(self, bare: World) -> None:
        paced(bare, "RegisterTaskDefinition=1/0.01")
        bare.trace.fail_next("ecs.active_revisions", Blocked("AccessDenied", "Grant it."), times=1000)
        bare.apply(name="stuck")
        process(bare).work()
        bare.trace.mend()
        bare.delete(name="stuck")
        bare.apply(name="next")

        process(bare).work()
        bare.pass_time(70, step=1)

        assert ready(bare, ["next"]) == ["next"]

    def test_a_turn_survives_an_aws_that_does_not_answer(self, bare: World) -> None:
        paced(bare, "RegisterTaskDefinition=1/0.02")
        apply(bare, 1, prefix="first")
        process(bare).work()
        names = apply(bare, 2)
        process(bare).work()
        bare.trace.fail_next("ecs.active_revisions", Busy("AwsUnreachable", "No answer."))

        bare.pass_time(60, step=1)

        assert ready(bare, names) == [names[0]]

    def test_a_process_that_ends_leaves_nothing_that_the_next_one_waits_for(self, bare: World) -> None:
        paced(bare, "RegisterTaskDefinition=2/1")
        names = apply(bare, 10)
        process(bare).work(most=100)

        paced(bare, "RegisterTaskDefinition=2/1")
        bare.start().work(most=100)
        bare.pass_time(20, step=0.5)

        assert len(ready(bare, names)) == 10
        assert len(bare.revisions()) == 10


@pytest.mark.parametrize("seconds", [timedelta(seconds=30), timedelta(minutes=5)], ids=str)
def test_a_wait_is_as_long_as_it_was_told_however_often_it_was_made_before(bare: World, seconds: timedelta) -> None:
    paced(bare, f"RegisterTaskDefinition=1/{1 / seconds.total_seconds() / STEP:.9f}")
    bare.apply(name="first")
    process(bare).work()
    bare.apply(name="second")
    for _ in range(20):  # news of it, which must neither reset nor prolong the wait
        bare.annotate(name="second", run_requested_at=f"{len(bare.trace.calls)}")
        process(bare).work()

    bare.pass_time(seconds.total_seconds() - 1)
    assert ready(bare, ["second"]) == []
    bare.pass_time(1.5)

    assert ready(bare, ["second"]) == ["second"]
    assert bare.task("second")["metadata"]["namespace"] == NAMESPACE
