"""A standby begins to lead: what it followed it works on, what is at rest costs nothing, what is stale is looked at."""

from __future__ import annotations

import dataclasses

import pytest

from backgroundtask.controller import main
from backgroundtask.controller.keys import Key, ResyncKey
from backgroundtask.controller.takeover import Doubts
from backgroundtask.controller.watch import Watcher
from backgroundtask.controller.workers import Workers
from backgroundtask.controller.workqueue import WorkQueue
from backgroundtask.errors import Busy
from backgroundtask.kube.resource import TASKS, TEMPLATES
from fixtures.fake_process import Process
from fixtures.fake_world import KEY, World
from fixtures.objects import template_object

PERIOD = 600.0


@pytest.fixture
def leader(world: World) -> Process:
    assert world.process is not None
    return world.process


@pytest.fixture
def standby(world: World, leader: Process) -> Process:
    """It follows the cluster as the leader does, and works on nothing yet."""
    del leader
    return Process(world)


@pytest.fixture
def doubts(standby: Process) -> Doubts:
    return Doubts(standby.context)


def calls(world: World, mark: int) -> list[str]:
    """What was asked and written after a point."""
    return [str(call) for call in world.trace.calls[mark:]]


def test_what_is_at_rest_is_neither_read_nor_written(world: World, standby: Process, doubts: Doubts) -> None:
    mark = len(world.trace.calls)

    doubts.begin()
    doubts.settle(KEY)
    standby.tasks.reconcile(KEY)

    assert calls(world, mark) == []


def test_the_look_at_all_that_was_queued_asks_aws_for_its_templates_alone(world: World, standby: Process) -> None:
    mark, written = len(world.trace.calls), len(world.trace.writes)

    standby.work()

    made = calls(world, mark)
    assert any(call.startswith("ecs.cluster") for call in made)
    assert [call for call in made if "nightly" in call] == []
    assert len(world.trace.writes) == written


def test_nothing_is_made_for_a_task_that_the_last_leader_has_deleted_just_now(
    world: World, leader: Process, standby: Process, doubts: Doubts
) -> None:
    world.edit(image="example.com/report:2")
    standby.watch.deliver()
    world.delete()
    leader.work()
    assert world.find(TASKS, "nightly") is None
    assert standby.context.cache.task(KEY.namespace, KEY.name) is not None, "its cache shows it alive, and not at rest"

    doubts.begin()
    doubts.settle(KEY)
    standby.tasks.reconcile(KEY)

    assert (world.revisions(), world.enabled()) == ([], {})


def test_nothing_is_made_for_a_deleted_task_of_which_the_cache_shows_that_somebody_asked_for_a_reconcile(
    world: World, leader: Process, standby: Process, doubts: Doubts
) -> None:
    world.annotate(reconcile_requested_at="now")
    standby.watch.deliver()
    world.delete()
    leader.work()

    doubts.begin()
    doubts.settle(KEY)
    standby.tasks.reconcile(KEY)

    assert (world.revisions(), world.enabled()) == ([], {})


def test_a_run_that_was_asked_for_and_is_pruned_already_is_not_launched_again(
    world: World, leader: Process, standby: Process, doubts: Doubts
) -> None:
    world.edit(successfulRunsHistoryLimit=0)
    leader.work()
    world.annotate(run_requested_at="now")
    standby.watch.deliver()
    leader.work()
    [task] = world.account.tasks
    world.send(task, "STOPPED", exit_code=0)
    leader.read_queues()
    assert world.runs() == []

    doubts.begin()
    doubts.settle(KEY)
    standby.tasks.reconcile(KEY)

    assert (world.runs(), list(world.account.tasks)) == ([], [task])


def test_a_task_that_is_further_than_the_cache_says_is_taken_as_it_is(
    world: World, leader: Process, standby: Process, doubts: Doubts
) -> None:
    world.edit(image="example.com/report:2")
    standby.watch.deliver()
    leader.work()
    mark = len(world.trace.calls)

    doubts.begin()
    doubts.settle(KEY)
    standby.tasks.reconcile(KEY)

    assert calls(world, mark) == ["kube.get backgroundtasks nightly"]


def test_each_task_is_doubted_once_and_only_after_a_takeover(world: World, standby: Process, doubts: Doubts) -> None:
    world.edit(image="example.com/report:2")
    standby.watch.deliver()
    mark = len(world.trace.calls)

    doubts.settle(KEY)
    assert calls(world, mark) == []
    doubts.begin()
    doubts.settle(KEY)
    doubts.settle(KEY)

    assert calls(world, mark) == ["kube.get backgroundtasks nightly"]


def test_a_doubt_that_the_api_server_does_not_answer_stays(world: World, standby: Process, doubts: Doubts) -> None:
    world.edit(image="example.com/report:2")
    standby.watch.deliver()
    doubts.begin()
    world.trace.fail_next("kube.get", Busy("Unreachable", "It does not answer."))
    with pytest.raises(Busy):
        doubts.settle(KEY)
    mark = len(world.trace.calls)

    doubts.settle(KEY)

    assert calls(world, mark) == ["kube.get backgroundtasks nightly"]


def test_a_standby_plans_no_look_in_bulk_and_one_that_leads_has_its_whole_period_before_it(
    world: World, standby: Process
) -> None:
    """Looks that fell due while it stood by would list everything at once, at the worst of times."""
    queue = WorkQueue[Key](clock=world.clock.monotonic)
    context = dataclasses.replace(standby.context, queue=queue, is_leading=lambda: False)
    Watcher(context).see(TEMPLATES, None, {**template_object(name="second"), "kind": "LaunchTemplate"})
    world.clock.advance(100 * PERIOD)
    assert not any(isinstance(key, ResyncKey) for key in _due(queue))

    main._act(context, Workers(queue, lambda _: None, count=0), Doubts(context))  # noqa: SLF001 - what begins to lead

    assert not any(isinstance(key, ResyncKey) for key in _due(queue))
    world.clock.advance(PERIOD)
    assert {ResyncKey(), ResyncKey("second")} <= set(_due(queue))


def _due(queue: WorkQueue[Key]) -> list[Key]:
    keys = []
    while (key := queue.get(0)) is not None:
        keys.append(key)
        queue.done(key)
    return keys
