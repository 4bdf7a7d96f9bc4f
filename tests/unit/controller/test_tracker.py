"""The readers of the queues: a message goes after what it says is stored, and no failure ends the reading."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from backgroundtask.api.parsing import parse_template
from backgroundtask.aws import Cloud, Malformed, Message, Queues
from backgroundtask.controller import metrics, tracker
from backgroundtask.controller import reader as reading
from backgroundtask.controller.leases import Leases
from backgroundtask.controller.reader import Reader
from backgroundtask.controller.tracker import Assurance, Tracker
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
    for name in ("_FIRST_PAUSE", "_GATHER"):
        monkeypatch.setattr(reading, name, 0.001)
    for name in ("_POLL", "_FULL"):
        monkeypatch.setattr(reading, name, 0.05)
    monkeypatch.setattr(tracker, "_ASSURED", 0.001)


class Taker:
    """Takes messages up as a test says; what is not stored yet is in `open`."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.open: list[Callable[[], None]] = []
        self.giving_up: list[Callable[[], None]] = []
        self.error: Exception | None = None
        self.heard = threading.Condition()

    def __call__(self, message: Message, stored: Callable[[], None], dropped: Callable[[], None]) -> None:
        with self.heard:
            self.taken.append(message.body)
            self.heard.notify_all()
            if self.error is not None:
                error, self.error = self.error, None
                raise error
            self.open.append(stored)
            self.giving_up.append(dropped)

    def hears(self, number: int) -> bool:
        with self.heard:
            return self.heard.wait_for(lambda: len(self.taken) >= number, SOON)


@pytest.fixture
def taker() -> Taker:
    return Taker()


@pytest.fixture
def reader(world: World, taker: Taker) -> Iterator[Reader]:
    made = Reader(world.cloud, EVENTS, taker, Assurance(process(world).context.kube.cluster_uid))
    yield made
    made.stop()
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
        reader.stop()

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

        reader.stop()
        reader.join(SOON)

        assert world.account.messages(EVENTS) == []

    def test_a_message_that_is_never_stored_does_not_stop_the_queue(
        self, world: World, reader: Reader, taker: Taker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SQS brings it again after each visibility timeout, for as long as the redrive policy lets it."""
        monkeypatch.setattr(reader, "_leases", Leases(10))
        reader.start()
        world.account.send(EVENTS, "never stored")

        for time in range(1, 31):
            assert taker.hears(time)
            world.account.redeliver(EVENTS)
        world.account.send(EVENTS, "good")

        with taker.heard:
            assert taker.heard.wait_for(lambda: "good" in taker.taken, SOON)

    def test_a_full_reader_says_so_once_and_reads_on_when_the_time_of_its_messages_is_over(
        self,
        world: World,
        reader: Reader,
        taker: Taker,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        clock, full = [0.0], threading.Event()
        monkeypatch.setattr(reader, "_leases", Leases(1, clock=lambda: clock[0]))
        monkeypatch.setattr(metrics.FULL, "inc", lambda _: full.set())
        reader.start()
        world.account.send(EVENTS, "never stored")
        assert taker.hears(1)
        for _ in range(3):
            full.clear()
            assert full.wait(SOON)
        world.account.send(EVENTS, "next")
        assert [one.body for one in world.account.queues[EVENTS].waiting] == ["next"]

        clock[0] = world.account.queues[EVENTS].visibility_timeout + 1.0

        assert taker.hears(2)
        assert [line.getMessage().partition(" is not read")[0] for line in caplog.records] == [f"Queue {EVENTS}"]

    def test_a_delivery_that_is_given_up_makes_room(
        self, world: World, reader: Reader, taker: Taker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reader, "_leases", Leases(1))
        reader.start()
        world.account.send(EVENTS, "a bug")
        assert taker.hears(1)
        taker.giving_up[0]()

        world.account.send(EVENTS, "next")

        assert taker.hears(2)
        assert len(world.account.messages(EVENTS)) == 2

    def test_what_is_received_after_the_stop_is_let_go(
        self, world: World, reader: Reader, taker: Taker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reading, "_POLL", 20)
        polls = _when_asked(world, "queues.receive")
        reader.start()
        assert polls.wait(SOON)

        reader.stop_receiving()
        world.account.send(EVENTS, "for the next process")

        assert comes_true(world, lambda: world.trace.since(0, "queues.release"))
        assert taker.taken == []
        assert [one.body for one in world.account.queues[EVENTS].waiting] == ["for the next process"]

    def test_what_is_stored_after_receiving_stopped_is_deleted_and_all_else_let_go(
        self, world: World, reader: Reader, taker: Taker
    ) -> None:
        reader.start()
        world.account.send(EVENTS, "stored")
        world.account.send(EVENTS, "not stored")
        assert taker.hears(2)

        reader.stop_receiving()
        taker.open[0]()
        reader.stop()
        reader.join(SOON)

        assert [one.body for one in world.account.queues[EVENTS].waiting] == ["not stored"]
        assert not world.account.queues[EVENTS].under_way

    def test_a_release_that_fails_ends_no_stop(self, world: World, reader: Reader, taker: Taker) -> None:
        world.trace.fail_next("queues.release", Busy("Throttled", "AWS throttles."))
        before = _readers()
        reader.start()
        world.account.send(EVENTS, "not stored")
        assert taker.hears(1)

        reader.stop()
        reader.join(SOON)

        assert _readers() == before
        assert len(world.account.messages(EVENTS)) == 1


class TestAssurance:
    def test_one_answer_counts_for_all_readers_for_a_while(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tracker, "_ASSURED", 60.0)
        asked: list[str] = []
        assure = Assurance(lambda: asked.append("is it there?"))

        for _ in range(5):
            assure()

        assert len(asked) == 1

    def test_a_failure_counts_for_nobody_else(self) -> None:
        answers: list[Exception] = [Busy("Unreachable", "It does not answer.")]

        def ask() -> None:
            if answers:
                raise answers.pop()

        assure = Assurance(ask)
        with pytest.raises(Busy):
            assure()

        assure()


class TestWhatEnded:
    def test_a_reader_that_works_or_was_told_to_end_has_nothing_to_tell(self, reader: Reader) -> None:
        assert reader.ended() == []
        reader.start()
        assert reader.ended() == []

        reader.stop()
        reader.join(SOON)

        assert reader.ended() == []

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # it is what is tested
    def test_a_thread_that_ends_by_itself_is_named(self, world: World, reader: Reader, taker: Taker) -> None:
        taker.error = cast("Exception", SystemExit())
        before = _readers()
        reader.start()
        (receiver,) = (one for one in _readers() - before if one.name.startswith("receive "))

        world.account.send(EVENTS, "the last")
        receiver.join(SOON)

        assert reader.ended() == ["receiver"]

    def test_a_tracker_tells_of_all_its_readers(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        made = Tracker(process(world).context)
        made.follow("default", world.cloud, parse_template(template_object()).spec)
        monkeypatch.setattr(Reader, "ended", lambda _: ["deleter"])

        assert made.ended() == ["deleter", "deleter"]
        made.stop(SOON)


class TestTracker:
    @pytest.fixture
    def readers(self, world: World) -> Iterator[Tracker]:
        world.account.queues[OTHER] = Queue()
        made = Tracker(process(world).context)
        yield made
        made.stop(SOON)

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

    def test_a_queue_that_is_read_to_its_end_is_told_as_drained_once_all_is_stored(
        self, world: World, readers: Tracker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Leases, "may_hide_any", lambda _: False)  # there was no earlier reader
        context = process(world).context
        task = world.fires()
        world.account.send(EVENTS, event(world.account.move(task, "RUNNING")))
        empty = _when_asked(world, "queues.receive", times=6)
        self.follow(world, readers)
        assert context.queue.get(SOON) == KEY
        assert empty.wait(SOON)
        assert context.drained("default") is None, "what was received is not stored"

        process(world).tasks.reconcile(KEY)
        context.queue.done(KEY)

        assert comes_true(world, lambda: not world.account.messages(EVENTS))
        assert _when_asked(world, "queues.receive", times=6).wait(SOON)
        assert context.drained("default") == world.clock.now

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
        for thread in gone:
            thread.join(SOON)
        assert len(_readers() - before) == 4

    def test_a_shared_queue_is_read_as_the_next_template_once_the_first_is_gone(
        self, world: World, readers: Tracker
    ) -> None:
        first, second = _identity(world), _identity(world)
        spec = parse_template(template_object(queues={"events": EVENTS, "ticks": TICKS})).spec
        readers.follow("a", first.cloud, spec)
        readers.follow("b", second.cloud, spec)
        assert first.reads.wait(SOON)
        assert not second.reads.is_set()

        readers.forget("a")

        assert second.reads.wait(SOON)

    def test_a_template_whose_identity_changes_is_read_as_the_new_one(self, world: World, readers: Tracker) -> None:
        before, after = _identity(world), _identity(world)
        spec = parse_template(template_object(queues={"events": EVENTS, "ticks": TICKS})).spec
        readers.follow("a", before.cloud, spec)
        assert before.reads.wait(SOON)

        readers.follow("a", after.cloud, spec)

        assert after.reads.wait(SOON)

    def test_a_queue_that_is_named_again_goes_on_being_read_by_the_same_threads(
        self, world: World, readers: Tracker
    ) -> None:
        before = _readers()
        self.follow(world, readers)
        threads = _readers() - before

        self.follow(world, readers)
        self.follow(world, readers, "second")
        readers.forget("default")

        assert _readers() - before == threads

    def test_stopping_leaves_no_thread_and_no_message_under_way(self, world: World, readers: Tracker) -> None:
        before = _readers()
        task = world.fires()
        self.follow(world, readers)
        world.account.send(EVENTS, event(world.account.move(task, "RUNNING")))
        assert process(world).context.queue.get(SOON) == KEY

        readers.stop_receiving()
        readers.stop(SOON)

        assert _readers() == before
        assert len(world.account.queues[EVENTS].waiting) == 1


class _Queues:
    """The queues as one identity sees them: it tells that it was used."""

    def __init__(self, queues: Any, reads: threading.Event) -> None:
        self._queues, self._reads = queues, reads

    def receive(self, url: str, **how: Any) -> list[Message]:
        self._reads.set()
        received: list[Message] = self._queues.receive(url, **how)
        return received

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queues, name)


@dataclass(frozen=True)
class _Identity:
    cloud: Cloud
    reads: threading.Event


def _identity(world: World) -> _Identity:
    reads = threading.Event()
    return _Identity(replace(world.cloud, queues=cast("Queues", _Queues(world.cloud.queues, reads))), reads)


def _when_asked(world: World, operation: str, *, times: int = 1) -> threading.Event:
    """Set once an operation that writes nothing was asked for so often."""
    asked, left = threading.Event(), [times]
    read = world.trace.read

    def tell(name: str, target: str = "") -> None:
        if name == operation:
            left[0] -= 1
            if left[0] <= 0:
                asked.set()
        read(name, target)

    world.trace.read = tell  # type: ignore[method-assign]  # as the trace has no hook for reads
    return asked


def _readers() -> set[Any]:
    return {one for one in threading.enumerate() if one.name.startswith(("receive ", "delete "))}
