"""The look at all that exists: it finds what nobody told, and leaves alone what is as it should be."""

from dataclasses import replace
from typing import Any

import pytest

from backgroundtask.controller.keys import ResyncKey
from backgroundtask.errors import Busy
from backgroundtask.kube.resource import RUNS, TASKS
from fixtures.fake_process import Process
from fixtures.fake_world import EVENTS, OWNER, World

RESYNC = 600
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


def test_each_task_is_asked_for_everything_once_a_day(world: World) -> None:
    asked = [operation for _ in range(24 * 6) for operation in rounds(world)]

    assert 1 <= asked.count("ecs.active_revisions") <= 2


def test_a_deletion_that_nobody_told_is_found(world: World) -> None:
    context = process(world).context
    world.edit(deletionPolicy="Retain")
    process(world).work()
    body = world.task()
    metadata = {key: value for key, value in body["metadata"].items() if key != "finalizers"}
    world.store.replace(TASKS, body, {**body, "metadata": metadata})
    world.delete()
    process(world).watch.pending.clear()
    assert context.cache.task("reports", "nightly") is not None

    context.queue.add(ResyncKey())
    process(world).work()

    assert context.cache.task("reports", "nightly") is None


def test_the_end_of_a_run_whose_event_was_lost_is_found(world: World) -> None:
    task = world.fires()
    world.tells(task, "RUNNING")
    world.account.move(task, "STOPPED", exit_code=0)  # and no event comes

    context = process(world).context
    context.queue.add(ResyncKey())
    process(world).work()

    assert world.store.all(RUNS)[0]["status"]["phase"] == "Succeeded"
    assert world.account.messages(EVENTS) == []


def test_a_busy_aws_is_asked_again(world: World) -> None:
    _removed(world)
    world.trace.fail_next("schedules.enabled_by_name", Busy("Throttled", "AWS throttles."))
    process(world).context.queue.add(ResyncKey())
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
