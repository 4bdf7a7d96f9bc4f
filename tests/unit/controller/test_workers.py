"""What follows from how a reconcile ends."""

import logging
import threading
from collections.abc import Callable

import pytest

from backgroundtask.controller import metrics
from backgroundtask.controller.keys import Key, TaskKey
from backgroundtask.controller.workers import Workers
from backgroundtask.controller.workqueue import WorkQueue
from backgroundtask.errors import Blocked, Busy, Paced, Rejected
from fixtures.clock import Clock

KEY = TaskKey("reports", "nightly")
SOON = 1.5  # seconds that threads may take on a slow machine


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue[Key]:
    return WorkQueue(clock=clock, jitter=lambda: 0.0)


def work(queue: WorkQueue[Key], reconcile: Callable[[Key], None]) -> None:
    """Let one worker take one key up, and end."""
    taken = threading.Event()

    def take(key: Key) -> None:
        taken.set()
        reconcile(key)

    workers = Workers(queue, take, count=1)
    queue.add(KEY)
    workers.start()
    assert taken.wait(SOON)
    queue.close()
    assert workers.join(SOON)


def fail(error: Exception) -> Callable[[Key], None]:
    def reconcile(_: Key) -> None:
        raise error

    return reconcile


def counted(outcome: str) -> float:
    value = metrics.REGISTRY.get_sample_value("bgt_reconciles_total", {"kind": "Task", "outcome": outcome})
    return value or 0.0


@pytest.mark.parametrize(
    ("error", "outcome", "level", "seconds"),
    [
        (Busy("Throttled", "AWS throttles.", retry_after=30), "Busy", "INFO", 30.0),
        (Blocked("AccessDenied", "Grant it."), "Blocked", "WARNING", 0.25),
        (Rejected("InvalidSchedule", "Edit it."), "Rejected", "WARNING", 0.25),
        (KeyError("secret-canary"), "Bug", "ERROR", 0.25),
    ],
    ids=["busy", "blocked", "rejected", "a bug"],
)
def test_a_failure_is_told_counted_and_tried_again_after_its_time(
    queue: WorkQueue[Key],
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    outcome: str,
    level: str,
    seconds: float,
) -> None:
    before = counted(outcome)

    with caplog.at_level(logging.INFO, logger="backgroundtask"):
        work(queue, fail(error))

    assert queue.failures(KEY) == 1
    assert counted(outcome) == before + 1
    [line] = caplog.records
    assert line.levelname == level
    assert "reports/nightly" in line.getMessage()
    clock.now = seconds - 0.01
    assert _due(queue) == []
    clock.now = seconds
    assert _due(queue) == [KEY]


def test_a_turn_that_is_still_to_come_is_no_failure_and_comes_back_at_its_moment(
    queue: WorkQueue[Key], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted("Paced")

    with caplog.at_level(logging.INFO, logger="backgroundtask"):
        work(queue, fail(Paced("Paced", "It waits.", retry_after=190.5)))

    assert queue.failures(KEY) == 0
    assert counted("Paced") == before + 1
    assert caplog.records == []
    clock.now = 190.4
    assert _due(queue) == []
    clock.now = 190.5
    assert _due(queue) == [KEY]


def test_success_is_counted_and_forgives_what_was_before(queue: WorkQueue[Key]) -> None:
    before = counted("OK")
    queue.retry(KEY)

    work(queue, lambda _: None)

    assert queue.failures(KEY) == 0
    assert counted("OK") == before + 1


def test_a_worker_tells_how_long_it_is_at_its_key(queue: WorkQueue[Key], clock: Clock) -> None:
    taken, go_on = threading.Event(), threading.Event()

    def reconcile(_: Key) -> None:
        taken.set()
        assert go_on.wait(SOON)

    workers = Workers(queue, reconcile, count=2, clock=clock)
    assert (workers.started(), workers.longest()) == (False, 0.0)
    queue.add(KEY)
    workers.start()
    assert taken.wait(SOON)
    clock.now += 700.0
    assert (workers.started(), workers.longest()) == (True, 700.0)

    go_on.set()
    queue.close()

    assert workers.join(SOON)
    assert (workers.longest(), workers.ended()) == (0.0, []), "those that end with the process died of nothing"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # it is what is tested
def test_a_worker_that_dies_is_named(queue: WorkQueue[Key]) -> None:
    class Fatal(BaseException):
        """Nothing that a worker may catch."""

    def reconcile(_: Key) -> None:
        raise Fatal

    workers = Workers(queue, reconcile, count=1)
    queue.add(KEY)
    workers.start()
    assert not workers.join(0.0) or workers.ended()
    workers.join(SOON)

    assert workers.ended() == ["worker-0"]


def test_a_worker_goes_on_after_a_bug(queue: WorkQueue[Key]) -> None:
    heard: list[Key] = []
    both = threading.Event()

    def reconcile(key: Key) -> None:
        heard.append(key)
        if len(heard) == 2:
            both.set()
        raise ZeroDivisionError

    workers = Workers(queue, reconcile, count=1)
    workers.start()
    queue.add(KEY)
    queue.add(TaskKey("reports", "other"))

    assert both.wait(SOON)
    queue.close()
    assert workers.join(SOON)


def test_who_does_not_finish_in_time_is_told_of(queue: WorkQueue[Key]) -> None:
    release, taken = threading.Event(), threading.Event()

    def reconcile(_: Key) -> None:
        taken.set()
        release.wait(SOON)

    workers = Workers(queue, reconcile, count=2)
    workers.start()
    queue.add(KEY)
    assert taken.wait(SOON)
    queue.close()

    assert not workers.join(0.01)
    release.set()
    assert workers.join(SOON)


def _due(queue: WorkQueue[Key]) -> list[Key]:
    """What a queue that is closed would hand out: its timers have rung."""
    queue._closed = False  # noqa: SLF001 - the worker that closed it has ended
    key = queue.get(0)
    return [] if key is None else [key]


def test_workers_that_never_began_are_never_waited_for(queue: WorkQueue[Key]) -> None:
    """A standby ends without having worked."""
    workers = Workers(queue, fail(AssertionError("it does not lead")), count=2)
    queue.add(KEY)
    queue.close()

    assert workers.join(SOON)
