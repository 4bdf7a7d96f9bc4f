"""How the process ends: nothing new is taken up, what is in work is finished, and all of it within its time."""

import dataclasses
import threading
import time
from typing import cast

import kopf
import pytest

from backgroundtask.api.parsing import parse_template
from backgroundtask.controller import main, reader
from backgroundtask.controller.context import Context
from backgroundtask.controller.keys import Key
from backgroundtask.controller.tracker import Tracker
from backgroundtask.controller.workers import Workers
from backgroundtask.kube.events import Recorder
from fixtures.fake_process import Process, Teller
from fixtures.fake_world import EVENTS, KEY, World, event
from fixtures.objects import template_object

SOON = 1.5  # seconds that threads may take on a slow machine
GRACE = 20.0  # seconds from SIGTERM to the end


class Silent(Teller):
    """A recorder that ends at once."""

    def stop(self, timeout: float) -> None:
        del timeout


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long poll that spares AWS would only make the tests slow."""
    monkeypatch.setattr(reader, "_POLL", 0.05)


@pytest.fixture
def context(world: World) -> Context:
    assert world.process is not None
    process: Process = world.process
    return dataclasses.replace(process.context, recorder=cast("Recorder", Silent()))


@pytest.fixture
def others() -> set[threading.Thread]:
    """The threads that ran before."""
    return set(threading.enumerate())


@pytest.fixture
def tracker(context: Context, world: World, others: set[threading.Thread]) -> Tracker:
    del others  # it has to be asked for first
    made = Tracker(context)
    made.follow("default", world.cloud, parse_template(template_object()).spec)
    return made


def test_the_times_of_all_that_is_waited_for_fit_into_the_grace() -> None:
    kopfs_own = kopf.OperatorSettings().queueing.exit_timeout

    assert kopfs_own + main.FINISH + 2 * main.ACKNOWLEDGE + main.RELEASE < GRACE


def test_what_is_in_work_is_finished_and_acknowledged_and_nothing_else_taken_up(
    world: World, context: Context, tracker: Tracker, others: set[threading.Thread]
) -> None:
    assert world.process is not None
    tasks, taken, go_on = world.process.tasks, threading.Event(), threading.Event()

    def reconcile(key: Key) -> None:
        taken.set()
        assert go_on.wait(3 * SOON)
        assert key == KEY
        tasks.reconcile(KEY)

    workers = Workers(context.queue, reconcile, count=1)
    workers.start()
    world.account.send(EVENTS, event(world.account.move(world.fires(), "RUNNING")))
    assert taken.wait(SOON)
    stopping: list[bool] = []
    end = threading.Thread(target=lambda: stopping.append(main.stop(context, tracker, workers)))
    end.start()
    receivers = [one for one in set(threading.enumerate()) - others if one.name.startswith("receive ")]
    for receiver in receivers:
        receiver.join(SOON)
    assert not any(receiver.is_alive() for receiver in receivers), "they do not wait for the work to be finished"
    go_on.set()
    end.join(SOON)

    assert stopping == [True]
    assert [run["status"]["phase"] for run in world.runs()] == ["Running"]
    assert world.account.messages(EVENTS) == []
    assert not [one for one in set(threading.enumerate()) - others if one.name.startswith(("receive ", "delete "))]


def test_work_that_does_not_end_is_cut_off(context: Context, tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "FINISH", 0.05)
    monkeypatch.setattr(main, "ACKNOWLEDGE", 0.05)
    taken, release = threading.Event(), threading.Event()

    def reconcile(_: Key) -> None:
        taken.set()
        release.wait(2 * SOON)

    workers = Workers(context.queue, reconcile, count=1)
    workers.start()
    context.queue.add(KEY)
    assert taken.wait(SOON)
    before = time.monotonic()

    assert not main.stop(context, tracker, workers)

    assert time.monotonic() - before < SOON
    release.set()
    assert workers.join(SOON)
