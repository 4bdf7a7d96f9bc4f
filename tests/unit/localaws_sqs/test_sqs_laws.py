"""The laws of a queue, over all sequences of what can happen to it: nothing is lost, nothing comes while it is hidden.

The model is as simple as a queue can be: what is known of each message. It looks at all of them at each step.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from localaws.sqs.backlog import Backlog, Message
from localaws.sqs.letter import Letter
from localaws.sqs.lines import GroupedLine, StandardLine
from localaws.sqs.receipts import Receipt

RETENTION = 100
MOST_RECEIVES = 3


@dataclass
class Known:
    """What the model knows of a message: hidden until when, received how often, and its age."""

    group: str
    sent: int
    hidden: int
    receives: int = 0
    in_flight: bool = False


class Queues(RuleBasedStateMachine):
    """One backlog against the model; messages are known by the id of their letter."""

    receipts = Bundle("receipts")

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000
        self.number = 0
        self.model: dict[str, Known] = {}
        self.exhausted: set[str] = set()

    @initialize(fifo=st.booleans())
    def begin(self, *, fifo: bool) -> None:
        self.fifo = fifo
        self.backlog = Backlog(GroupedLine() if fifo else StandardLine())

    @rule(group=st.sampled_from("ab"), delay=st.integers(0, 10))
    def send(self, group: str, delay: int) -> None:
        self.number += 1
        letter = Letter(id=str(self.number), body="x", body_digest="", sender="", group=group)
        delay = 0 if self.fifo else delay
        self.backlog.add(Message(0, letter, self.now), now=self.now, visible=self.now + delay)
        self.model[letter.id] = Known(group, self.now, self.now + delay)

    @rule(target=receipts, most=st.integers(1, 4), hidden=st.integers(1, 20))
    def receive(self, most: int, hidden: int) -> tuple[str, Receipt]:
        receivable = [name for name, known in self.model.items() if self._may_come(known)]
        taken = self.backlog.take(most, now=self.now, hidden=self.now + hidden, receives=MOST_RECEIVES)

        assert {message.letter.id for message in (*taken.delivered, *taken.exhausted)} <= set(receivable)
        for message in taken.exhausted:
            assert self.model.pop(message.letter.id).receives == MOST_RECEIVES
            self.exhausted.add(message.letter.id)
        left = [name for name in receivable if name in self.model]
        assert len(taken.delivered) == min(most, len(left))
        for message in taken.delivered:
            known = self.model[message.letter.id]
            known.receives += 1
            known.hidden, known.in_flight = self.now + hidden, True
            assert message.receives == known.receives <= MOST_RECEIVES
        self._in_order([message.letter.id for message in taken.delivered])
        return next(((m.letter.id, m.receipt) for m in taken.delivered), ("", Receipt(0, 0)))

    @rule(known=consumes(receipts))
    def delete(self, known: tuple[str, Receipt]) -> None:
        name, receipt = known
        message = self.backlog.find(receipt)
        held = self.model.get(name)
        latest = held is not None and held.receives == receipt.receive

        assert (message is not None) == latest
        if message is not None:
            self.backlog.delete(message, self.now)
            del self.model[name]

    @rule(known=receipts, seconds=st.integers(0, 20))
    def hide(self, known: tuple[str, Receipt], seconds: int) -> None:
        message = self.backlog.find(known[1])
        if message is None or not self.backlog.is_in_flight(message):
            return
        self.backlog.hide(message, self.now + seconds, self.now)
        held = self.model[known[0]]
        held.hidden, held.in_flight = self.now + seconds, seconds > 0

    @rule(passed=st.integers(1, 40))
    def wait(self, passed: int) -> None:
        self.now += passed
        self.backlog.settle(self.now, RETENTION)
        for name, known in list(self.model.items()):
            if known.sent + RETENTION <= self.now:
                del self.model[name]
            elif known.hidden <= self.now:
                known.in_flight = False

    @rule()
    def purge(self) -> None:
        self.backlog.purge()
        self.model.clear()

    @invariant()
    def every_message_is_in_one_place(self) -> None:
        if not hasattr(self, "backlog"):
            return
        in_flight = sum(known.in_flight for known in self.model.values())
        delayed = sum(not known.in_flight and known.hidden > self.now for known in self.model.values())
        assert self.backlog.in_flight == in_flight
        assert self.backlog.delayed == delayed
        assert self.backlog.waiting == len(self.model) - in_flight - delayed

    @invariant()
    def the_next_moment_is_when_the_first_hidden_message_shows(self) -> None:
        if hasattr(self, "backlog"):
            hidden = [known.hidden for known in self.model.values() if known.in_flight or known.hidden > self.now]
            assert self.backlog.next_moment() == min(hidden, default=None)

    def teardown(self) -> None:
        if hasattr(self, "backlog"):
            self.nothing_is_lost()

    def nothing_is_lost(self) -> None:
        """Whatever is not deleted, expired or exhausted can be received in the end."""
        end = self.now
        found: set[str] = set()
        for _ in range(2 * len(self.model) + 1):
            end += 20
            self.backlog.settle(end, 10**6)
            taken = self.backlog.take(10**3, now=end, hidden=end + 10**6)
            found |= {message.letter.id for message in taken.delivered}
            for message in taken.delivered:
                self.backlog.delete(message, end)
        assert found == self.model.keys()

    def _may_come(self, known: Known) -> bool:
        if known.in_flight or known.hidden > self.now:
            return False
        return not self.fifo or not any(one.in_flight and one.group == known.group for one in self.model.values())

    def _in_order(self, names: list[str]) -> None:
        """Of a FIFO queue's group, what comes are its oldest messages, in order."""
        if not self.fifo:
            return
        for group in "ab":
            came = [int(name) for name in names if self.model[name].group == group]
            oldest = sorted(int(name) for name, known in self.model.items() if known.group == group)
            assert came == oldest[: len(came)]


Queues.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQueues = pytest.mark.timeout(60)(Queues.TestCase)  # many histories
