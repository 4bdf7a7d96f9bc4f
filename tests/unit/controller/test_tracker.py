"""The readers of the queues: a message goes after what it says is stored, and no failure ends the reading."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backgroundtask.api.parsing import parse_template
from backgroundtask.aws import Malformed, Message
from backgroundtask.controller import tracker
from backgroundtask.controller.tracker import Reader, Tracker
from backgroundtask.errors import Blocked, Busy
from fixtures.fake_account import Queue
from fixtures.fake_process import Process
from fixtures.fake_world import EVENTS, KEY, TICKS, World, event
from fixtures.objects import template_object

SOON = 1.5  # seconds that a thread may take on a slow machine; nobody waits for as long where it works
OTHER = f"{EVENTS}-2"


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def comes_true(world: World, condition: Callable[[], object]) -> bool:
    """Whether something about the account becomes true; looked at whenever the account changes."""
    with world.account.changed:
        return bool(world.account.changed.wait_for(condition, SOON))


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that spare AWS and the API server would only make the tests slow."""
    for name in ("_FIRST_PAUSE", "_GATHER", "_ASSURED"):
        monkeypatch.setattr(tracker, name, 0.001)


class Taker:
    """Takes messages up as a test says; what is not stored yet is in `open`."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.open: list[Callable[[], None]] = []
        self.error: Exception | None = None
        self.heard = threading.Condition()

    def __call__(self, message: Message, stored: Callable[[], None]) -> None:
        with self.heard:
            self.taken.append(message.body)
            self.heard.notify_all()
            if self.error is not None:
                error, self.error = self.error, None
                raise error
            self.open.append(stored)

    def hears(self, number: int) -> bool:
        with self.heard:
            return self.heard.wait_for(lambda: len(self.taken) >= number, SOON)


@pytest.fixture
def taker() -> Taker:
    return Taker()


@pytest.fixture
def reader(world: World, taker: Taker) -> Iterator[Reader]:
    made = Reader(process(world).context, world.cloud, EVENTS, taker)
    yield made
    made.ask_to_stop()
    with world.account.changed:
        world.account.send(EVENTS, "the end")  # wakes whoever still waits for a message
    made.join(SOON)


class TestReader:
    def test_a_message_is_deleted_once_it_is_stored_and_not_before(
        self, world: World, reader: Reader, taker: Taker
    ) -> None:
        reader.start()
        world.account.send(EVENTS, "hello")
        assert taker.hears(1)
        assert len(world.account.messages(EVENTS)) == 1

        taker.open[0]()

        assert comes_true(world, lambda: not world.account.messages(EVENTS))

    @pytest.mark.parametrize(
        "error",
        [Malformed("it tells no task"), Busy("Throttled", "AWS throttles."), RecursionError("a bug")],
        ids=["malformed", "busy", "a bug"],
    )
    def test_a_message_that_cannot_be_taken_up_is_left_and_the_next_is_read(
        self, world: World, reader: Reader, taker: Taker, error: Exception
    ) -> None:
        taker.error = error
        reader.start()
        world.account.send(EVENTS, "poison")
        assert taker.hears(1)

        world.account.send(EVENTS, "good")
        assert taker.hears(2)
        taker.open[0]()

        assert comes_true(world, lambda: [one.body for one in world.account.messages(EVENTS)] == ["poison"])

    @pytest.mark.parametrize(
        ("operation", "error"),
        [
            ("queues.receive", Busy("AwsUnavailable", "AWS does not answer.", retry_after=0.01)),
            ("queues.receive", Blocked("AccessDenied", "Grant it.")),
            ("queues.receive", KeyError("a bug")),
            ("kube.cluster_uid", Busy("Unreachable", "The API server does not answer", retry_after=0.01)),
        ],
        ids=["busy", "blocked", "a bug", "no API server"],
    )
    def test_what_keeps_a_queue_from_being_read_does_not_do_so_for_ever(
        self, world: World, reader: Reader, taker: Taker, operation: str, error: Exception
    ) -> None:
        world.trace.fail_next(operation, error)
        world.account.send(EVENTS, "hello")

        reader.start()

        assert taker.hears(1)

    def test_nothing_is_received_while_the_api_server_does_not_answer(
        self, world: World, reader: Reader, taker: Taker
    ) -> None:
        world.trace.fail_next("kube.cluster_uid", Busy("Unreachable", "It does not answer."), times=1000)
        world.account.send(EVENTS, "hello")
        asked = threading.Event()
        read = world.trace.read
        world.trace.read = lambda operation, target="": (asked.set(), read(operation, target))[1]

        reader.start()
        assert asked.wait(SOON)
        reader.ask_to_stop()

        assert taker.taken == []
        assert not world.account.queues[EVENTS].under_way

    def test_a_deletion_that_fails_ends_no_reading(self, world: World, reader: Reader, taker: Taker) -> None:
        tried = threading.Event()
        world.trace.on_write = lambda _, __: tried.set()
        world.trace.fail_next("queues.delete", Busy("Throttled", "AWS throttles."))
        reader.start()
        world.account.send(EVENTS, "one")
        assert taker.hears(1)
        taker.open[0]()
        assert tried.wait(SOON)

        world.account.send(EVENTS, "two")
        assert taker.hears(2)
        taker.open[1]()

        assert comes_true(world, lambda: [one.body for one in world.account.messages(EVENTS)] == ["one"])

    def test_what_is_stored_when_it_stops_is_still_deleted(self, world: World, reader: Reader, taker: Taker) -> None:
        reader.start()
        for number in range(12):
            world.account.send(EVENTS, str(number))
        assert taker.hears(12)
        for stored in taker.open:
            stored()

        reader.ask_to_stop()
        reader.join(SOON)

        assert world.account.messages(EVENTS) == []


class TestTracker:
    @pytest.fixture
    def readers(self, world: World) -> Iterator[Tracker]:
        world.account.queues[OTHER] = Queue()
        made = Tracker(process(world).context)
        yield made
        made.stop(SOON)
        for queue in world.account.queues:
            world.account.send(queue, "the end")

    def follow(self, world: World, readers: Tracker, template: str = "default", **queues: str) -> None:
        named = {"events": EVENTS, "ticks": TICKS, **queues}
        spec = parse_template(template_object(queues=named)).spec
        readers.follow(template, world.cloud, spec)

    def test_an_event_becomes_a_run_and_then_goes(self, world: World, readers: Tracker) -> None:
        context = process(world).context
        task = world.fires()
        self.follow(world, readers)

        world.account.send(EVENTS, event(world.account.move(task, "RUNNING")))
        key = context.queue.get(SOON)
        assert key == KEY
        process(world).tasks.reconcile(KEY)
        context.queue.done(KEY)

        assert [run["status"]["phase"] for run in world.runs()] == ["Running"]
        assert comes_true(world, lambda: not world.account.messages(EVENTS))

    def test_a_queue_is_read_by_one_reader_however_many_templates_name_it(self, world: World, readers: Tracker) -> None:
        before = _readers()

        self.follow(world, readers)
        self.follow(world, readers, "second")

        assert len(_readers() - before) == 4  # two threads for each of two queues

    def test_a_queue_that_no_template_names_any_more_is_left(self, world: World, readers: Tracker) -> None:
        before = _readers()
        self.follow(world, readers)
        first = _readers() - before

        self.follow(world, readers, events=OTHER)
        for thread in first:
            if EVENTS.endswith(thread.name.partition(" ")[2]):
                world.account.send(EVENTS, "the end")
                thread.join(SOON)

        names = {thread.name.partition(" ")[2] for thread in _readers() - before}
        assert names == {OTHER.rpartition(":")[2], TICKS.rpartition(":")[2]}

    def test_a_template_that_is_gone_takes_its_readers_along_but_not_anothers(
        self, world: World, readers: Tracker
    ) -> None:
        before = _readers()
        self.follow(world, readers)
        self.follow(world, readers, "second", events=OTHER)

        readers.forget("second")

        gone = [thread for thread in _readers() - before if thread.name.endswith(OTHER.rpartition(":")[2])]
        world.account.send(OTHER, "the end")
        for thread in gone:
            thread.join(SOON)
        assert len(_readers() - before) == 4


def _readers() -> set[Any]:
    return {one for one in threading.enumerate() if one.name.startswith(("receive ", "delete "))}
