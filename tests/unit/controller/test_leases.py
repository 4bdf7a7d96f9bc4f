"""How long a message of a queue is ours: until it is answered, given up, or SQS gives it to others."""

import pytest

from backgroundtask.aws import Message
from backgroundtask.controller.leases import Leases
from fixtures.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases(clock: Clock) -> Leases:
    return Leases(2, clock=clock)


def message(name: str, time: int = 1) -> Message:
    return Message(id=name, receipt=f"{name}.{time}", body="")


def test_there_is_room_until_as_many_are_under_way_as_may_be(leases: Leases) -> None:
    leases.take([message("a")], 60)
    assert leases.wait_for_room(0)

    leases.take([message("b")], 60)

    assert not leases.wait_for_room(0)


def test_an_answer_makes_room(leases: Leases) -> None:
    leases.take([message("a"), message("b")], 60)

    assert leases.answer(message("a")) == "a.1"

    assert leases.wait_for_room(0)
    assert leases.receipts() == ["b.1"]


def test_a_message_that_is_given_up_makes_room(leases: Leases) -> None:
    leases.take([message("a"), message("b")], 60)

    leases.give_up(message("a"))

    assert leases.wait_for_room(0)


def test_a_message_that_comes_again_takes_no_second_place_and_is_deleted_by_its_newest_receipt(leases: Leases) -> None:
    for time in range(1, 10):
        leases.take([message("a", time)], 60)

    assert leases.wait_for_room(0)
    assert leases.receipts() == ["a.9"]
    leases.give_up(message("a", 8))
    assert leases.answer(message("a", 1)) == "a.9"


def test_what_is_never_answered_is_forgotten_when_others_may_receive_it(leases: Leases, clock: Clock) -> None:
    leases.take([message("a")], 60)
    clock.now = 30
    leases.take([message("b")], 60)
    assert not leases.wait_for_room(0)

    clock.now = 60

    assert leases.wait_for_room(0)
    assert leases.receipts() == ["b.1"]


def test_what_is_stored_after_its_time_is_still_deleted(leases: Leases, clock: Clock) -> None:
    leases.take([message("a")], 60)
    clock.now = 61

    assert leases.answer(message("a")) == "a.1"
