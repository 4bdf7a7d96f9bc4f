"""The look at all that exists: it finds what nobody told, and leaves alone what is as it should be."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from backgroundtask.controller import metrics
from backgroundtask.controller.keys import ResyncKey
from backgroundtask.errors import Blocked, Busy
from backgroundtask.kube.resource import RUNS, TASKS, TEMPLATES, Resource
from fixtures.fake_process import Process
from fixtures.fake_world import EVENTS, KEY, OWNER, TICKS, World
from fixtures.objects import CLUSTER

RESYNC = 600
HOUR = 3600
OTHER_CLUSTER = CLUSTER.replace("/jobs", "/other")
NAME = OWNER.schedule_name(0)


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def rounds(world: World, number: int = 1) -> list[str]:
    """Operations that some periodic looks bring."""
    before = len(world.trace.calls)
    world.pass_time(number * RESYNC + 1)
    return [call.operation for call in world.trace.calls[before:]]


@pytest.fixture
def world() -> World:
    """A ready task on a process that is minutes from its first look, and hours from the task's daily one."""
    made = World()
    made.furnish()
    made.apply()
    made.start()
    process(made).work()
    made.pass_time(5)
    return made


def _removed(world: World) -> None:
    world.account.schedules.clear()


def _disabled(world: World) -> None:
    world.account.put_schedule(replace(world.account.schedule(NAME), enabled=False))


def _doubled(world: World) -> None:
    world.account.put_schedule(replace(world.account.schedule(NAME), name=OWNER.schedule_name(1)))


def _retired(world: World) -> None:
    world.account.inactive.add(world.revisions()[0])


@pytest.mark.parametrize("drift", [_removed, _disabled, _doubled, _retired])
def test_what_somebody_changed_in_aws_is_put_right_with_the_next_look(world: World, drift: Any) -> None:
    drift(world)

    rounds(world, 2)

    assert world.enabled() == {NAME: True}
    assert world.account.broken() == []


def test_what_is_as_it_should_be_costs_a_few_listings_and_no_write(world: World) -> None:
    for number in range(20):
        world.apply(name=f"task-{number}")
    process(world).work()
    world.pass_time(5)
    writes = len(world.trace.writes)

    asked = rounds(world, 1)

    assert asked.count("schedules.enabled_by_name") == asked.count("ecs.all_active_revisions") == 1
    assert asked.count("schedules.find") <= 2, "at most a task whose day it is"
    assert world.trace.since(writes) == []


def test_a_revision_that_waits_to_be_retired_is_no_difference(world: World) -> None:
    world.edit(image="reports:2")
    process(world).work()
    world.pass_time(5)
    assert len(world.revisions()) == 2

    asked = rounds(world, 1)

    assert asked.count("ecs.all_active_revisions") == 1
    assert asked.count("ecs.active_revisions") == asked.count("schedules.find") == 0


def test_a_revision_that_is_newer_than_ours_is_one_even_then(world: World) -> None:
    world.edit(image="reports:2")
    process(world).work()
    world.pass_time(5)
    _doubled(world)

    asked = rounds(world, 1)

    assert asked.count("ecs.active_revisions") == 1


@pytest.mark.parametrize(
    ("spec", "reason"),
    [({"suspend": True}, "Suspended"), ({"cron": "at(2026-11-21T13:00:00)"}, "Completed")],
)
def test_what_is_switched_off_as_it_should_be_is_left_alone(world: World, spec: dict[str, Any], reason: str) -> None:
    world.apply(name="task-1", **spec)
    process(world).work()
    world.pass_time(2 * HOUR, step=RESYNC)
    assert world.condition("Scheduled", of=world.task("task-1"))["reason"] == reason

    asked = [operation for _ in range(5) for operation in rounds(world)]

    assert asked.count("schedules.enabled_by_name") == 5
    assert asked.count("schedules.find") == 0


def test_what_a_revocation_switched_off_is_left_alone(world: World) -> None:
    world.edit_template(namespaces=["others"])
    process(world).work()
    assert world.enabled() == {NAME: False}
    world.pass_time(RESYNC)

    asked = rounds(world)

    assert asked.count("schedules.find") == 0


def test_what_is_switched_on_though_it_should_be_off_is_put_right(world: World) -> None:
    world.edit(suspend=True)
    process(world).work()
    world.account.put_schedule(replace(world.account.schedule(NAME), enabled=True))

    rounds(world, 2)

    assert world.enabled() == {NAME: False}


class TestPoison:
    """What nobody could read waits for people: they are told that it is there."""

    def counted(self, queue: str) -> float | None:
        return metrics.REGISTRY.get_sample_value("bgt_poison_messages", {"queue": f"{queue}-poison"})

    def test_what_waits_in_poison_queues_is_counted_with_each_look(self, world: World) -> None:
        world.account.queues[EVENTS].poisoned = 3
        rounds(world, 2)
        assert (self.counted(EVENTS), self.counted(TICKS)) == (3, 0)

        world.account.queues[EVENTS].poisoned = 0
        rounds(world, 2)

        assert self.counted(EVENTS) == 0

    def test_a_queue_that_may_not_be_counted_is_missing_and_keeps_nothing_else(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        rounds(world, 2)
        world.trace.fail_next("queues.waiting", Blocked("AccessDenied", "Grant sqs:GetQueueAttributes."), times=100)
        world.account.schedules.clear()

        rounds(world, 3)

        assert self.counted(EVENTS) is None
        assert [line.getMessage() for line in caplog.records if "Cannot count" in line.getMessage()] == [
            f"Cannot count what waits in {queue}-poison: Grant sqs:GetQueueAttributes."
            for queue in sorted((EVENTS, TICKS))
        ]
        assert world.enabled() == {NAME: True}

    def test_an_outage_leaves_the_last_count(self, world: World) -> None:
        world.account.queues[EVENTS].poisoned = 3
        rounds(world, 2)

        world.trace.fail_next("queues.waiting", Busy("Throttled", "AWS throttles."), times=100)
        rounds(world, 2)

        assert self.counted(EVENTS) == 3

    def test_the_queue_of_a_template_that_is_gone_is_forgotten(self, world: World) -> None:
        rounds(world, 2)
        assert self.counted(EVENTS) is not None

        world.delete()
        process(world).work()
        world.delete(TEMPLATES, "default")
        rounds(world, 2)

        assert self.counted(EVENTS) is None


class TestFullLook:
    """Listings show little of a schedule: once a day a task is asked for everything."""

    def test_it_comes_once_a_day_however_the_looks_drift(self) -> None:
        world = World()
        world.furnish()
        for number in range(8):
            world.apply(name=f"task-{number}", cron="rate(1 day)")  # no slot of it is known, and none missed
        world.start().work()
        before = len(world.trace.calls)

        for _ in range(4 * 24 * 5):
            world.pass_time(RESYNC * 1.2)

        looked_at = [call.target for call in world.trace.calls[before:] if call.operation == "ecs.active_revisions"]
        assert set(Counter(looked_at).values()) == {4}
        assert len(set(looked_at)) == 8

    def test_it_comes_also_where_processes_live_half_a_day(self, world: World) -> None:
        before = len(world.trace.calls)

        for _ in range(2):
            world.start().work()
            world.pass_time(12 * HOUR, step=RESYNC)

        assert [call.operation for call in world.trace.calls[before:]].count("ecs.active_revisions") == 1

    def test_a_task_that_is_gone_is_remembered_no_more(self, world: World) -> None:
        rounds(world)
        assert KEY in process(world).resync._full_looks  # noqa: SLF001 - what grows for ever shows nowhere else
        world.delete()
        process(world).work()

        rounds(world)

        assert process(world).resync._full_looks == {}  # noqa: SLF001 - as above


class TestSharing:
    """Templates of one region and identity are one walk through what they have in AWS."""

    @pytest.fixture
    def pair(self) -> World:
        world = World()
        for name in ("one", "two"):
            world.furnish(name=name)
            world.apply(name=f"task-of-{name}", launchTemplate=name)
        world.start().work()
        world.pass_time(5)
        return world

    def test_it_is_walked_once_a_round(self, pair: World) -> None:
        asked = [operation for _ in range(6) for operation in rounds(pair)]

        assert asked.count("ecs.all_active_revisions") == asked.count("schedules.enabled_by_name") == 6

    def test_what_another_identity_sees_is_walked_for_itself(self, pair: World) -> None:
        role = "arn:aws:iam::123456789012:role/operator"
        pair.clouds.trusts[role] = "test/three"
        pair.furnish(name="three", assumeRoleArn=role)
        process(pair).work()

        asked = [operation for _ in range(6) for operation in rounds(pair)]

        assert asked.count("ecs.all_active_revisions") == asked.count("schedules.enabled_by_name") == 12

    def test_what_differs_is_found_with_either(self, pair: World) -> None:
        _removed(pair)

        rounds(pair, 2)

        assert sorted(pair.enabled().values()) == [True, True]

    def test_the_second_looks_where_the_first_is_not_ready(self, pair: World) -> None:
        pair.delete(TASKS, "task-of-one")
        pair.delete(TEMPLATES, "one")
        process(pair).work()
        _removed(pair)

        rounds(pair, 2)

        assert list(pair.enabled().values()) == [True]

    def test_a_cluster_that_is_gone_hides_no_end_of_a_run_on_another(self, pair: World) -> None:
        pair.account.clusters[OTHER_CLUSTER] = "ACTIVE"
        pair.edit_template(name="one", cluster="other")
        process(pair).work()
        first, second = (pair.fires(name=f"task-of-{name}") for name in ("one", "two"))
        for arn in (first, second):
            pair.tells(arn, "RUNNING")
        pair.account.move(second, "STOPPED", exit_code=0)  # and no event comes
        del pair.account.clusters[OTHER_CLUSTER]

        rounds(pair, 2)

        phases = {run["spec"]["task"]: run["status"]["phase"] for run in pair.runs()}
        assert phases == {"task-of-one": "Running", "task-of-two": "Succeeded"}


class TestHealing:
    """The watch may lose any event; a listing of names shows it."""

    def test_what_came_unseen_is_taken_up(self, world: World) -> None:
        world.apply(name="unseen")
        _lose_events(world)

        rounds(world)

        assert world.condition(of=world.task("unseen"))["status"] == "True"

    def test_what_changed_unseen_is_taken_up(self, world: World) -> None:
        world.edit(suspend=True)
        _lose_events(world)

        rounds(world)

        assert world.enabled() == {NAME: False}

    def test_an_end_that_was_asked_for_unseen_is_taken_up(self, world: World) -> None:
        world.delete()
        _lose_events(world)

        rounds(world)

        assert world.find(TASKS, "nightly") is None
        assert world.enabled() == {}

    def test_a_namesake_that_came_unseen_is_taken_up(self, bare: World) -> None:
        _let_go_unseen(bare, TEMPLATES, "default")
        bare.furnish(logs={"group": "/bgt/new"})
        _lose_events(bare)

        rounds(bare)

        assert "/bgt/new" in bare.account.log_groups

    def test_a_run_that_changed_unseen_is_taken_up(self, world: World) -> None:
        world.tells(world.fires(), "RUNNING")
        [run] = world.runs()
        world.delete(RUNS, run["metadata"]["name"])
        _lose_events(world)

        rounds(world)

        [task] = world.account.tasks.values()
        assert task["desiredStatus"] == "STOPPED"

    def test_where_much_was_missed_it_is_listed_anew(self, world: World) -> None:
        for number in range(60):
            world.apply(name=f"unseen-{number}")
        _lose_events(world)

        asked = rounds(world)

        assert process(world).context.cache.counts()[TASKS] == 61
        assert asked.count("kube.list") == 1
        assert asked.count("kube.get") == 0

    def test_what_was_missed_is_asked_for_once_and_nothing_else_is(self, world: World) -> None:
        world.edit(suspend=True)
        _lose_events(world)

        asked = [*rounds(world), *rounds(world)]

        assert asked.count("kube.get") == 1
        assert asked.count("kube.list") == 0

    def test_a_task_that_went_unseen_is_forgotten(self, world: World) -> None:
        _let_go_unseen(world, TASKS, "nightly")
        assert process(world).context.cache.task("reports", "nightly") is not None

        rounds(world)

        assert process(world).context.cache.task("reports", "nightly") is None

    def test_the_queues_of_a_template_that_went_unseen_are_read_no_longer(self, bare: World) -> None:
        _let_go_unseen(bare, TEMPLATES, "default")
        assert process(bare).followed.queues == {"default": EVENTS}

        rounds(bare)

        assert process(bare).followed.queues == {}

    def test_a_run_that_went_unseen_wakes_its_task(self, world: World) -> None:
        world.tells(world.fires(), "RUNNING")
        [run] = world.runs()
        assert world.status()["active"]
        _let_go_unseen(world, RUNS, run["metadata"]["name"])

        rounds(world)

        assert not world.status().get("active")


def _lose_events(world: World) -> None:
    process(world).watch.pending.clear()


def _let_go_unseen(world: World, resource: Resource, name: str) -> None:
    """Somebody takes our finalizer off and deletes it, and no event tells."""
    body = world.object(resource, name)
    metadata = {key: value for key, value in body["metadata"].items() if key != "finalizers"}
    world.store.replace(resource, body, {**body, "metadata": metadata})
    world.delete(resource, name)
    _lose_events(world)


def test_the_end_of_a_run_whose_event_was_lost_is_found(world: World) -> None:
    task = world.fires()
    world.tells(task, "RUNNING")
    world.account.move(task, "STOPPED", exit_code=0)  # and no event comes

    process(world).context.queue.add(ResyncKey("default"))
    process(world).work()

    assert world.store.all(RUNS)[0]["status"]["phase"] == "Succeeded"
    assert world.account.messages(EVENTS) == []


def test_a_busy_aws_is_asked_again(world: World) -> None:
    _removed(world)
    world.trace.fail_next("schedules.enabled_by_name", Busy("Throttled", "AWS throttles."))
    process(world).context.queue.add(ResyncKey("default"))
    process(world).work()
    assert world.enabled() == {}

    world.pass_time(2)

    assert world.enabled() == {NAME: True}


def test_a_template_that_is_gone_is_looked_at_no_more(world: World) -> None:
    context = process(world).context
    context.queue.add(ResyncKey("gone"))

    process(world).work()

    assert process(world).context.cache.template("gone") is None
    assert world.status()["observedGeneration"] == 1
