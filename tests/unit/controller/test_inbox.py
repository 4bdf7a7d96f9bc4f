"""What waits for a worker: each sight once, in order, and never more than one task may leave."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from backgroundtask.controller import keys
from backgroundtask.controller.keys import Delivery, GivenUp, Gone, Inbox, TaskKey, Tick
from backgroundtask.plan.outcome import Task

KEY = TaskKey("reports", "nightly")

Deliver = Callable[..., Delivery]


@pytest.fixture
def dropped() -> list[str]:
    return []


@pytest.fixture
def delivery(dropped: list[str]) -> Deliver:
    """A sight of an ECS task, by the name of the message that brought it."""

    def made(name: str, *, arn: str = "task-1", version: int = 1) -> Delivery:
        known: dict[str, Any] = {"definition_arn": "bgt:1", "last_status": "RUNNING", "desired_status": "RUNNING"}
        return Delivery(Task(arn=arn, version=version, **known), lambda: None, lambda: dropped.append(name))

    return made


def test_what_was_put_is_taken_once_and_in_order(delivery: Deliver) -> None:
    inbox = Inbox()
    first, second, third = delivery("a"), delivery("b", version=2), delivery("c", arn="task-2")

    inbox.put(KEY, [first, second])
    inbox.put(KEY, [third])

    assert inbox.waits(KEY)
    assert inbox.take(KEY) == [first, second, third]
    assert inbox.take(KEY) == []
    assert not inbox.waits(KEY)


def test_a_sight_that_comes_again_replaces_the_older_one_which_is_dropped(
    delivery: Deliver, dropped: list[str]
) -> None:
    inbox = Inbox()

    for number in range(100):
        inbox.put(KEY, [delivery(str(number))])

    assert dropped == [str(number) for number in range(99)]
    assert len(inbox.take(KEY)) == 1


def test_what_is_put_back_goes_first_and_makes_way_for_what_came_meanwhile(
    delivery: Deliver, dropped: list[str]
) -> None:
    inbox = Inbox()
    inbox.put(KEY, [delivery("first"), delivery("old", version=2)])
    taken = inbox.take(KEY)
    newer = delivery("new", version=2)
    inbox.put(KEY, [newer])

    inbox.put_back(KEY, taken)

    assert dropped == ["old"]
    assert inbox.take(KEY) == [taken[0], newer]


def test_nothing_put_back_is_nothing_that_waits() -> None:
    inbox = Inbox()

    inbox.put_back(KEY, [])

    assert not inbox.waits(KEY)


def test_one_task_leaves_no_more_than_its_share(
    delivery: Deliver, dropped: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MOST_OF_A_TASK", 2)
    inbox = Inbox()

    for number in range(3):
        inbox.put(KEY, [delivery(str(number), version=number)])

    assert dropped == ["0"]
    assert [one.task.version for one in inbox.take(KEY)] == [1, 2]


class TestHints:
    SLOT = datetime(2026, 11, 22, 3, tzinfo=UTC)

    def test_what_tells_of_slots_and_what_shows_ecs_tasks_wait_apart(self, delivery: Deliver) -> None:
        inbox, seen, tick = Inbox(), delivery("a"), Tick(self.SLOT, "uid")
        inbox.put(KEY, [tick, seen, Gone("task-1")])

        assert inbox.take(KEY) == [seen]
        assert inbox.waits(KEY)
        assert inbox.take_hints(KEY) == [tick, Gone("task-1")]
        assert not inbox.waits(KEY)

    def test_taking_the_hints_leaves_the_sights(self, delivery: Deliver) -> None:
        inbox, seen = Inbox(), delivery("a")
        inbox.put(KEY, [Gone("task-1"), seen])

        assert inbox.take_hints(KEY) == [Gone("task-1")]
        assert inbox.take(KEY) == [seen]

    def test_a_tick_that_comes_twice_waits_once_and_no_other_word_about_its_slot_makes_way_for_it(
        self, dropped: list[str]
    ) -> None:
        inbox = Inbox()
        first = Tick(self.SLOT, "uid", dropped=lambda: dropped.append("first"))
        second, letter = Tick(self.SLOT, "uid"), GivenUp(self.SLOT, "uid")

        inbox.put(KEY, [first, letter])
        inbox.put(KEY, [second])

        assert dropped == ["first"]
        assert set(map(id, inbox.take_hints(KEY))) == {id(second), id(letter)}
