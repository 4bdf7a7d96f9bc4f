"""How far a queue was seen drained: only as far as all that was sent is surely stored."""

from datetime import UTC, datetime, timedelta

import pytest

from backgroundtask.aws import Message
from backgroundtask.controller.drains import Drain, Drains
from backgroundtask.controller.leases import Leases
from fixtures.clock import Clock

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
VISIBILITY = 60


class Queue:
    """A queue and its reader: receives begin when the test says so, and end at once."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.leases = Leases(100, clock=self.clock)
        self.drain = Drain(self.leases, clock=self.clock)

    @property
    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.clock())

    def receive(self, *messages: Message) -> datetime | None:
        """One receive; the moment that is drained then, where that is news."""
        self.drain.begin(self.now)
        self.leases.take(messages, VISIBILITY)
        self.drain.received(messages)
        return self.drain.settled()

    def sent(self, name: str, *, ago: float = 0) -> Message:
        return Message(id=name, receipt=name, body="", sent_at=self.now - timedelta(seconds=ago))


@pytest.fixture
def fresh() -> Queue:
    return Queue()


@pytest.fixture
def queue(fresh: Queue) -> Queue:
    """One whose reader has read for longer than a message of an earlier reader is hidden."""
    fresh.receive()
    fresh.clock.now += VISIBILITY
    fresh.receive()
    fresh.clock.now += 1
    return fresh


def test_an_empty_answer_says_that_all_is_stored_that_was_sent_before_it_was_asked_for(queue: Queue) -> None:
    assert queue.receive() == queue.now


def test_it_says_nothing_while_messages_of_an_earlier_reader_may_be_hidden(fresh: Queue) -> None:
    assert fresh.receive() is None
    fresh.clock.now += VISIBILITY - 1
    assert fresh.receive() is None

    fresh.clock.now += 1

    assert fresh.receive() == fresh.now


def test_it_counts_once_what_was_received_before_is_stored(queue: Queue) -> None:
    message = queue.sent("a")
    queue.receive(message)
    queue.clock.now += 5
    empty_at = queue.now
    assert queue.receive() is None

    queue.leases.answer(message)
    queue.clock.now += 5

    assert queue.receive() == empty_at


def test_what_is_received_later_does_not_hold_it_up(queue: Queue) -> None:
    first = queue.sent("a")
    queue.receive(first)
    queue.clock.now += 5
    empty_at = queue.now
    assert queue.receive() is None
    queue.leases.answer(first)
    queue.clock.now += 5

    assert queue.receive(queue.sent("b")) == empty_at


def test_a_message_that_was_given_up_hides_and_then_comes_again_first(queue: Queue) -> None:
    message = queue.sent("a")
    queue.receive(message)
    assert queue.receive() is None
    queue.leases.give_up(message)

    queue.clock.now += VISIBILITY - 1
    assert queue.receive() is None, "nobody is shown it yet"
    queue.clock.now += 1

    assert queue.receive() == queue.now


def test_a_message_that_was_not_stored_in_time_is_not_taken_for_stored(queue: Queue) -> None:
    message = queue.sent("a")
    queue.receive(message)
    assert queue.receive() is None

    queue.clock.now += VISIBILITY
    assert queue.receive(queue.sent("b")) is None, "it is nobody's, and may come again"
    assert queue.receive(message) is None
    queue.leases.answer(message)
    queue.leases.answer(queue.sent("b"))
    queue.receive()

    assert queue.receive() == queue.now


def test_what_nobody_can_read_tells_nothing_and_holds_nothing_up(queue: Queue) -> None:
    message = queue.sent("nonsense")
    queue.receive(message)
    queue.leases.give_up(message, is_readable=False)

    assert queue.receive() == queue.now


class TestAQueueThatIsNeverEmpty:
    def test_it_is_drained_up_to_the_oldest_of_what_came_for_half_a_minute(self, queue: Queue) -> None:
        drained = None
        for number in range(10):
            message = queue.sent(f"message {number}", ago=2)
            drained = queue.receive(message) or drained
            queue.leases.answer(message)
            queue.clock.now += 5

        assert drained is not None
        assert queue.now - timedelta(seconds=50) < drained < queue.now - timedelta(seconds=30)

    def test_an_old_message_that_comes_late_says_how_little_was_read(self, queue: Queue) -> None:
        ago = [2.0, 2.0, 2.0, 900.0, 2.0, 2.0, 2.0]
        told = []
        for number, seconds in enumerate(ago):
            message = queue.sent(f"message {number}", ago=seconds)
            told.append(queue.receive(message))
            queue.leases.answer(message)
            queue.clock.now += 10

        assert all(moment is None or moment < queue.now - timedelta(seconds=600) for moment in told[4:])

    def test_a_few_receives_say_nothing(self, queue: Queue) -> None:
        queue.receive()
        queue.drain = Drain(queue.leases, clock=queue.clock)  # it has seen nothing of the half minute before

        assert queue.receive(queue.sent("a")) is None


def test_what_was_drained_once_stays_so_for_each_queue_by_itself() -> None:
    drains = Drains()
    assert drains.until("events") is None

    drains.note("events", NOON)
    drains.note("events", NOON - timedelta(seconds=5))

    assert drains.until("events") == NOON
    assert drains.until("others") is None
