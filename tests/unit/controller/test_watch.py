"""From events to keys: which change wakes whom, and which wakes nobody."""

from collections.abc import Callable
from typing import Any

import pytest

from backgroundtask.controller.keys import Key, ResyncKey, TaskKey, TemplateKey
from backgroundtask.kube.resource import RUNS, TASKS, TEMPLATES, Body
from fixtures.fake_process import Process
from fixtures.fake_world import KEY, TEMPLATE, World
from fixtures.objects import run_object, task_object, template_object

SETTLED = 3.0  # seconds after which tasks that came or went are counted


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def due(world: World) -> list[Key]:
    """The keys that are queued now, each taken; the look at the cluster comes whatever is seen."""
    queue, keys = process(world).context.queue, []
    while (key := queue.get(0)) is not None:
        keys.append(key)
        queue.done(key)
    return [key for key in keys if key != ResyncKey()]


@pytest.fixture
def idle() -> World:
    """A process that has seen nothing yet."""
    world = World()
    world.start()
    return world


def newer(body: Body, **changes: Any) -> Body:
    """The next state of an object."""
    metadata = {**body["metadata"], "resourceVersion": str(int(body["metadata"]["resourceVersion"]) + 1)}
    return {**body, "metadata": metadata | changes.pop("metadata", {}), **changes}


class TestTasks:
    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (lambda body: newer(body, spec={**body["spec"], "image": "x:2"}), "its spec"),
            (lambda body: newer(body, metadata={"deletionTimestamp": "2026-11-21T12:00:00Z"}), "its deletion"),
            (lambda body: newer(body, metadata={"annotations": {"bgtask.dev/paused": "true"}}), "an annotation"),
            (lambda body: newer(body, status={"observedGeneration": 5}), "somebody edits its status"),
        ],
        ids=["spec", "deletion", "annotation", "status"],
    )
    def test_a_change_wakes_the_task(self, idle: World, change: Callable[[Body], Body], why: str) -> None:
        body = task_object()
        body["metadata"]["finalizers"] = ["example.com/other"]
        process(idle).watcher.see(TASKS, "ADDED", body)
        assert due(idle) == [KEY]

        process(idle).watcher.see(TASKS, "MODIFIED", change(body))

        assert due(idle) == [KEY], why

    @pytest.mark.parametrize(
        "change",
        [
            lambda body: body,
            newer,
            lambda body: newer(body, metadata={"managedFields": [{"manager": "kubectl"}]}),
            lambda body: newer(body, metadata={"annotations": {"example.com/note": "x"}}),
        ],
        ids=["the same again", "only a version", "bookkeeping", "an annotation of others"],
    )
    def test_what_decides_nothing_wakes_nobody(self, idle: World, change: Callable[[Body], Body]) -> None:
        process(idle).watcher.see(TASKS, "ADDED", task_object())
        due(idle)

        process(idle).watcher.see(TASKS, "MODIFIED", change(task_object()))

        assert due(idle) == []

    @pytest.mark.parametrize("event", ["ADDED", "DELETED"])
    def test_a_task_that_comes_or_goes_is_counted_a_little_later(self, idle: World, event: str) -> None:
        if event == "DELETED":
            process(idle).watcher.see(TASKS, "ADDED", task_object(launchTemplate="default"))
            idle.clock.advance(SETTLED)
            due(idle)

        process(idle).watcher.see(TASKS, event, newer(task_object(launchTemplate="default")))

        assert due(idle) == [KEY]
        idle.clock.advance(SETTLED)
        assert due(idle) == [TEMPLATE]

    def test_the_answers_to_own_writes_wake_nobody(self, world: World) -> None:
        process(world).watch.deliver()

        assert due(world) == []


class TestOthers:
    def test_a_run_wakes_its_task(self, idle: World) -> None:
        process(idle).watcher.see(RUNS, "ADDED", run_object())

        assert due(idle) == [KEY]

    def test_a_run_of_no_task_wakes_nothing_that_exists(self, idle: World) -> None:
        process(idle).watcher.see(RUNS, "ADDED", {**run_object(), "spec": {}})

        assert due(idle) == [TaskKey("reports", "")]
        process(idle).tasks.reconcile(TaskKey("reports", ""))

    def test_a_new_template_is_looked_at_now_and_in_bulk_later(self, idle: World) -> None:
        process(idle).watcher.see(TEMPLATES, "ADDED", template_object())

        assert due(idle) == [TEMPLATE]
        idle.clock.advance(600)
        assert due(idle) == [ResyncKey("default")]

    def test_the_first_looks_of_many_templates_are_spread_over_the_period(self, idle: World) -> None:
        names = [f"template-{number}" for number in range(100)]
        for name in names:
            process(idle).watcher.see(TEMPLATES, "ADDED", template_object(name=name))
        due(idle)

        met = []
        for _ in range(10):
            idle.clock.advance(60)
            met.append(len(due(idle)))

        assert sum(met) == len(names)
        assert max(met) < 25, met

    @pytest.mark.parametrize("event", ["MODIFIED", "DELETED"])
    def test_a_change_of_a_template_wakes_it(self, idle: World, event: str) -> None:
        process(idle).watcher.see(TEMPLATES, "ADDED", template_object())
        due(idle)

        process(idle).watcher.see(
            TEMPLATES, event, newer(template_object(), spec=template_object(tags={"a": "b"})["spec"])
        )

        assert due(idle) == [TemplateKey("default")]
