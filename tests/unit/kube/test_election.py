"""Candidates for a lease: whoever holds it holds it alone, whatever is slow, lost or paused."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backgroundtask.errors import Busy
from backgroundtask.kube.election import Candidate, elapsed
from backgroundtask.kube.lease import NOBODY, Lease
from fixtures.clock import Clock
from fixtures.lease_store import LeaseStore, LeaseView

DURATION, DEADLINE = 15, 10.0
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def store() -> LeaseStore:
    return LeaseStore()


Join = Callable[..., Candidate]


@pytest.fixture
def join(store: LeaseStore, clock: Clock) -> Join:
    def joined(identity: str, view: LeaseView | None = None) -> Candidate:
        lease = cast("Lease", view or LeaseView(store))
        now = lambda: NEW_YEAR + timedelta(seconds=clock.now)  # noqa: E731 - a clock
        return Candidate(lease, identity=identity, duration=DURATION, clock=clock, now=now)

    return joined


def test_the_first_takes_it_and_the_others_wait_for_its_duration(clock: Clock, join: Join) -> None:
    a, b = join("a"), join("b")

    assert a.attempt() == clock.now
    assert b.attempt() is None
    assert (a.is_holder, b.is_holder, b.holder) == (True, False, "a")
    assert b.remaining() == DURATION


def test_a_renewal_says_when_and_keeps_the_rest(store: LeaseStore, clock: Clock, join: Join) -> None:
    a = join("a")
    a.attempt()
    first = store.record
    clock.now += 2

    assert a.attempt() == clock.now

    assert store.record.renewed > first.renewed
    assert (store.record.acquired, store.record.transitions) == (first.acquired, 0)


def test_a_holder_that_renews_is_never_overtaken_and_one_that_does_not_is(clock: Clock, join: Join) -> None:
    a, b = join("a"), join("b")
    a.attempt()
    for _ in range(20):
        clock.now += 5
        assert a.attempt() is not None
        assert b.attempt() is None

    clock.now += DURATION - 0.1
    assert b.attempt() is None
    clock.now += 0.2
    assert b.attempt() == clock.now


def test_a_change_of_the_holder_is_counted_and_dated(store: LeaseStore, clock: Clock, join: Join) -> None:
    a, b = join("a"), join("b")
    a.attempt()
    b.attempt()
    before = store.record.acquired
    clock.now += DURATION

    b.attempt()

    assert (store.record.holder, store.record.transitions) == ("b", 1)
    assert store.record.acquired == store.record.renewed > before


def test_whoever_starts_late_waits_a_whole_duration_from_its_first_sight(clock: Clock, join: Join) -> None:
    """Its clock knows nothing of when the record was written, and no other clock is believed."""
    join("a").attempt()
    clock.now += 1000

    late = join("b")

    assert late.attempt() is None
    assert late.remaining() == DURATION


def test_what_was_given_back_is_taken_at_once(store: LeaseStore, join: Join) -> None:
    a, b = join("a"), join("b")
    a.attempt()
    b.attempt()

    a.release()

    assert (store.record.holder, store.record.duration) == (NOBODY, 1)
    assert b.attempt() is not None
    assert store.record.transitions == 1


def test_nobody_gives_back_what_is_anothers(store: LeaseStore, clock: Clock, join: Join) -> None:
    a, b = join("a"), join("b")
    b.release()
    a.attempt()
    b.attempt()
    clock.now += DURATION
    b.attempt()

    a.release()

    assert store.record.holder == "b"


def test_who_was_overtaken_learns_it_at_the_next_attempt(clock: Clock, join: Join) -> None:
    a, b = join("a"), join("b")
    a.attempt()
    b.attempt()
    clock.now += DURATION
    b.attempt()

    assert a.attempt() is None
    assert a.holder == "b"


def test_a_holder_whose_name_was_taken_out_does_not_go_on_as_if_nothing_was(store: LeaseStore, join: Join) -> None:
    """In between another one may have led and given it back."""
    a = join("a")
    a.attempt()

    store.edit(holderIdentity="")

    assert a.attempt() is None
    assert a.holder == NOBODY


def test_a_lease_that_was_deleted_is_written_anew_by_its_holder(store: LeaseStore, clock: Clock, join: Join) -> None:
    a = join("a")
    a.attempt()
    acquired = store.record.acquired
    store.body = None
    clock.now += 2

    assert a.attempt() == clock.now
    assert (store.record.holder, store.record.acquired) == ("a", acquired)


def test_who_saw_a_holder_waits_for_it_though_its_lease_was_deleted(
    store: LeaseStore, clock: Clock, join: Join
) -> None:
    a, b = join("a"), join("b")
    a.attempt()
    b.attempt()
    store.body = None
    clock.now += DURATION - 1

    assert b.attempt() is None
    clock.now += 1
    assert b.attempt() == clock.now


def test_a_renewal_whose_answer_is_lost_is_found_and_repeated(store: LeaseStore, clock: Clock, join: Join) -> None:
    breaks = iter([False, False, False, False, False, True])  # read, create, then the renewal: after its effect
    a = join("a", LeaseView(store, during=lambda: next(breaks, False)))
    a.attempt()
    clock.now += 2
    with pytest.raises(Busy):
        a.attempt()
    clock.now += 2

    assert a.attempt() == clock.now
    assert store.record.transitions == 0


def test_an_acquisition_whose_answer_is_lost_is_ours_once_we_read_so(
    store: LeaseStore, clock: Clock, join: Join
) -> None:
    breaks = iter([False, False, False, True])
    a = join("a", LeaseView(store, during=lambda: next(breaks, False)))
    with pytest.raises(Busy):
        a.attempt()
    assert not a.is_holder
    clock.now += 2

    assert a.attempt() == clock.now, "it counts from the write that we know of"
    assert store.record.transitions == 0


def test_of_two_that_create_it_at_once_one_is_told_that_the_other_has_it(store: LeaseStore, join: Join) -> None:
    b = join("b")
    moments = iter(["before the read", "after it", "before the write"])
    view = LeaseView(store, during=lambda: next(moments, "") == "before the write" and b.attempt() is None)
    a = join("a", view)

    assert a.attempt() is None
    assert store.record.holder == "b"


def test_who_is_overtaken_again_and_again_gives_way_for_now(store: LeaseStore, join: Join) -> None:
    a = join("a")
    a.attempt()
    lease = LeaseView(store, during=lambda: store.edit(leaseDurationSeconds=len(store.records) + 1) or False)
    object.__setattr__(a, "_lease", lease)

    with pytest.raises(Busy) as conflict:
        a.attempt()

    assert conflict.value.reason == "Conflict"


def test_the_clock_never_goes_back() -> None:
    times = [elapsed() for _ in range(100)]

    assert times == sorted(times)


@pytest.mark.timeout(30)
@settings(max_examples=300, deadline=None)
@given(st.integers(2, 4), st.binary(min_size=30, max_size=150))
@example(2, b"\x00\x00\x00\x02\x00\xad" + bytes(13) + b"\x01\x00\x00g\x00\x02!").via(
    "an answer after the lease was over"
)
def test_at_no_time_do_two_believe_that_they_lead(number: int, chances: bytes) -> None:
    """Calls take any time, others act in their midst, answers get lost, and the Lease is given back now and then."""
    _Race(number, chances).run()


_HAPPENS = ("nothing", "nothing", "time", "another", "break")
_SECONDS = (0.0, 0.5, 2.0, 4.5, 9.5, 15.0, 40.0)
_OFFSETS = (0, -1000, 7, 123_456)

T = TypeVar("T")


class _Race:
    """Candidates with clocks of their own, which show other seconds and run alike. `chances` decide what happens."""

    def __init__(self, number: int, chances: bytes) -> None:
        self._chances = deque(chances)
        self._time = 0.0
        self._store = LeaseStore()
        self._until = dict.fromkeys(range(number), -1.0)
        self._offsets = _OFFSETS[:number]
        self._busy: set[int] = set()
        self._candidates = [self._candidate(offset, str(each)) for each, offset in enumerate(self._offsets)]

    def _candidate(self, offset: int, identity: str) -> Candidate:
        now = lambda: NEW_YEAR + timedelta(seconds=offset * 3 + self._time)  # noqa: E731 - a clock
        view = cast("Lease", LeaseView(self._store, during=self._during))
        return Candidate(view, identity=identity, duration=DURATION, clock=lambda: self._time + offset, now=now)

    def run(self) -> None:
        while self._chances:
            self._pass_time()
            self._act()

    def _choose(self, choices: Sequence[T]) -> T:
        return choices[self._chances.popleft() % len(choices) if self._chances else 0]

    def _during(self) -> bool:
        """In the midst of a call: time passes, another one acts, or the connection breaks."""
        happens = self._choose(_HAPPENS)
        if happens == "time":
            self._pass_time()
        if happens == "another":
            self._act()
        return happens == "break"

    def _pass_time(self) -> None:
        self._time += self._choose(_SECONDS)

    def _act(self) -> None:
        free = [each for each in self._until if each not in self._busy]
        if not free:
            return
        number = self._choose(free)
        self._busy.add(number)
        try:
            self._attempt_or_release(number)
        except Busy:
            pass
        finally:
            self._busy.discard(number)

    def _attempt_or_release(self, number: int) -> None:
        candidate = self._candidates[number]
        if candidate.is_holder and self._choose((False, False, False, True)):
            self._until[number] = -1.0  # what the fence does first
            candidate.release()
            return
        before, began = self._time, candidate.attempt()
        if began is None:
            return
        since = began - self._offsets[number]
        assert before <= since <= self._time
        self._until[number] = since + DEADLINE
        leading = [each for each, until in self._until.items() if until > self._time]
        assert len(leading) <= 1  # another one, where the answer came so late that the lease was over by then
