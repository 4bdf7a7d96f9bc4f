"""The keyed queue: one key at a time, newest state wins, backoff, new work ahead of resync."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.controller.workqueue import Priority, WorkQueue
from fixtures.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue[str]:
    return WorkQueue(clock=clock, jitter=lambda: 0.0)


def test_a_key_touched_often_is_worked_on_once(queue: WorkQueue[str]) -> None:
    for _ in range(5):
        queue.add("a")

    assert queue.get(0) == "a"
    queue.done("a")
    assert queue.get(0) is None


def test_a_key_touched_while_it_is_worked_on_comes_back_after_it_is_done(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.get(0)

    queue.add("a")

    assert queue.get(0) is None
    queue.done("a")
    assert queue.get(0) == "a"


def test_new_work_goes_ahead_of_resync(queue: WorkQueue[str]) -> None:
    queue.add("resynced", Priority.RESYNC)
    queue.add("changed")

    assert [queue.get(0), queue.get(0)] == ["changed", "resynced"]


def test_a_key_in_work_is_known_as_what_it_was_queued_for(queue: WorkQueue[str]) -> None:
    queue.add("change")
    queue.add("look", Priority.RESYNC)
    queue.add("both", Priority.RESYNC)
    queue.add("both")
    taken = {key: queue.priority(key) for _ in range(3) if (key := queue.get(0))}

    for key in taken:
        queue.done(key)

    assert taken == {"change": Priority.CHANGE, "both": Priority.CHANGE, "look": Priority.RESYNC}


def test_a_resync_that_becomes_a_change_moves_forward_and_is_met_once(queue: WorkQueue[str]) -> None:
    queue.add("first", Priority.RESYNC)
    queue.add("second", Priority.RESYNC)

    queue.add("second", Priority.CHANGE)

    assert [queue.get(0), queue.get(0), queue.get(0)] == ["second", "first", None]


def test_of_several_timers_the_earliest_counts_and_rings_once(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add_after("a", 30)
    queue.add_after("a", 10)
    queue.add_after("a", 20)

    clock.now = 9.9
    assert queue.get(0) is None
    clock.now = 10
    assert queue.get(0) == "a"
    queue.done("a")
    clock.now = 100
    assert queue.get(0) is None


def test_failures_come_back_later_and_later_until_one_succeeds(queue: WorkQueue[str]) -> None:
    delays = [queue.retry("a") for _ in range(12)]

    assert delays == sorted(delays)
    assert delays[0] == pytest.approx(0.25)
    assert delays[-1] == pytest.approx(150)
    assert queue.failures("a") == 12
    queue.forgive("a")
    assert queue.retry("a") == pytest.approx(0.25)


def test_what_fails_comes_back_no_more_urgent_than_it_was(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("resynced", Priority.RESYNC)
    queue.get(0)
    queue.retry("resynced")
    queue.done("resynced")
    clock.now += 1
    queue.add("changed")

    assert [queue.get(0), queue.get(0)] == ["changed", "resynced"]
    assert queue.priority("resynced") is Priority.RESYNC


def test_what_is_hastened_comes_once_and_no_more_urgent_than_it_was_asked_for(
    queue: WorkQueue[str], clock: Clock
) -> None:
    queue.add_after("resynced", 60, Priority.RESYNC)
    queue.hasten("resynced")
    queue.add("changed")

    assert [queue.get(0), queue.get(0)] == ["changed", "resynced"]
    assert queue.priority("resynced") is Priority.RESYNC
    queue.done("resynced")
    clock.now += 61
    assert queue.get(0) is None


def test_what_is_hastened_while_it_is_worked_on_comes_again_as_it_came(queue: WorkQueue[str]) -> None:
    queue.add("resynced", Priority.RESYNC)
    queue.get(0)

    queue.hasten("resynced")
    queue.add_after("resynced", 60, Priority.RESYNC)
    queue.done("resynced")

    assert queue.get(0) == "resynced"
    assert queue.priority("resynced") is Priority.RESYNC


def test_what_waits_for_nothing_is_not_hastened(queue: WorkQueue[str]) -> None:
    queue.hasten("gone")

    assert queue.get(0) is None


def test_a_retry_waits_at_least_as_long_as_aws_asks_for(queue: WorkQueue[str]) -> None:
    assert queue.retry("a", at_least=7) >= 7


def test_news_of_a_failing_key_does_not_wait_for_its_backoff(queue: WorkQueue[str], clock: Clock) -> None:
    delay = max(queue.retry("a") for _ in range(10))
    assert queue.get(0) is None

    queue.add("a")

    assert clock.now < delay
    assert queue.get(0) == "a"


def test_a_closed_queue_wakes_everybody_who_waits() -> None:
    queue: WorkQueue[str] = WorkQueue()
    answers: list[str | None] = []
    waiting = [threading.Thread(target=lambda: answers.append(queue.get())) for _ in range(3)]
    for one in waiting:
        one.start()

    queue.close()

    for one in waiting:
        one.join(1)
    assert answers == [None, None, None]


def test_depth_tells_how_many_keys_wait_and_since_when(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("a")
    clock.now = 5
    queue.add("b")

    assert queue.depth() == (2, 5)


@given(st.lists(st.tuples(st.sampled_from(["add", "get", "done"]), st.sampled_from("abc")), max_size=40))
def test_no_key_is_ever_worked_on_twice_at_once_and_no_touch_is_lost(steps: list[tuple[str, str]]) -> None:
    queue: WorkQueue[str] = WorkQueue(clock=Clock())
    owed: set[str] = set()
    working: set[str] = set()

    for step, key in steps:
        if step == "add":
            queue.add(key)
            owed.add(key)
        elif step == "get":
            got = queue.get(0)
            assert (got is None) == (not owed - working)
            if got is not None:
                assert got not in working
                owed.remove(got)
                working.add(got)
        elif key in working:
            queue.done(key)
            working.remove(key)

    for key in sorted(working):
        queue.done(key)
    rest = set(iter(lambda: queue.get(0), None))
    assert rest == owed
