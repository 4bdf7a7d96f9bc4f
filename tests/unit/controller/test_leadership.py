"""Who leads: what the thread that keeps the lease does with what it learns, step by step and without waiting."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NoReturn, cast

import pytest

from backgroundtask.controller import metrics
from backgroundtask.controller.fence import Fence
from backgroundtask.controller.leadership import Elected, Sole, of
from backgroundtask.controller.settings import Settings
from backgroundtask.errors import Blocked, Busy
from backgroundtask.kube.election import Candidate
from backgroundtask.kube.lease import Lease
from fixtures.clock import Clock
from fixtures.lease_store import LeaseStore, LeaseView

DURATION, DEADLINE, RETRY = 15, 10.0, 2.0
SOON = 1.5  # seconds that threads may take on a slow machine
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Ended(BaseException):
    """The process would have ended: nothing may catch it, as nothing could."""


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def store() -> LeaseStore:
    return LeaseStore()


class Replica:
    """A leadership, step by step; `began` counts how often it began to lead."""

    def __init__(self, name: str, store: LeaseStore, clock: Clock) -> None:
        self.view = LeaseView(store)
        stamps = iter(range(10_000))
        self.candidate = Candidate(
            cast("Lease", self.view), identity=name, duration=DURATION, clock=clock,
            now=lambda: NOW.replace(microsecond=next(stamps)),
        )  # fmt: skip
        self.fence = Fence(DEADLINE, clock=clock, end=self._end)
        self.leadership = Elected(self.candidate, self.fence, retry_period=RETRY, jitter=lambda: 0.5)
        self.leadership._on_leading = self._begin  # noqa: SLF001 - `start` would start the thread
        self.began = 0
        self.step = self.leadership.step

    @property
    def leads(self) -> bool:
        return self.leadership.is_leading

    def _begin(self) -> None:
        self.began += 1

    def _end(self, why: str) -> NoReturn:
        raise Ended(why)


@pytest.fixture
def join(store: LeaseStore, clock: Clock) -> Callable[[str], Replica]:
    return lambda name: Replica(name, store, clock)


Join = Callable[[str], Replica]


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line.getMessage() for line in caplog.records]


def test_the_first_leads_at_once_and_begins_once(clock: Clock, join: Join) -> None:
    a = join("a")
    for _ in range(3):
        assert a.step() == RETRY
        clock.now += RETRY

    assert a.leads
    assert a.began == 1
    assert a.leadership.renewed_seconds_ago() == RETRY


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # it is what is tested
def test_a_replica_whose_thread_has_died_is_no_candidate_and_one_that_stops_died_of_nothing(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    dies, stops = join("a"), join("b")
    assert dies.leadership.is_candidate, "its thread is not needed yet"

    def die() -> float:
        raise Ended

    monkeypatch.setattr(dies.leadership._thread, "_target", die)  # noqa: SLF001 - nothing less ends it without the process
    dies.leadership.start(lambda: None)
    dies.leadership._thread.join(SOON)  # noqa: SLF001 - as above
    assert not dies.leadership.is_candidate

    stops.leadership.start(lambda: None)
    assert stops.leadership.is_candidate
    stops.leadership.stop(release=False, timeout=SOON)
    assert stops.leadership.is_candidate
    assert Sole().is_candidate


def test_a_standby_does_not_begin_and_may_not_write(clock: Clock, join: Join, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "backgroundtask")
    a, b = join("a"), join("b")
    a.step()
    for _ in range(5):
        b.step()
        clock.now += 0.1

    assert (b.leads, b.began, b.leadership.renewed_seconds_ago()) == (False, 0, None)
    assert lines(caplog) == ["Leading as a", "Waiting for the lease held by a"]
    with pytest.raises(Ended):
        b.leadership.before_write()


def test_a_standby_asks_at_the_end_of_the_lease_and_not_a_period_later(clock: Clock, join: Join) -> None:
    a, b = join("a"), join("b")
    a.step()
    b.step()
    clock.now += DURATION - 0.5

    assert b.step() == 0.5
    clock.now += 0.5
    b.step()

    assert b.leads


@pytest.mark.parametrize(("jitter", "pause"), [(0.0, 1.6), (0.5, 2.0), (0.999, 2.4)])
def test_candidates_ask_at_times_of_their_own(join: Join, jitter: float, pause: float) -> None:
    join("a").step()
    b = join("b")
    b.leadership._jitter = lambda: jitter  # noqa: SLF001 - chance

    assert b.step() == pytest.approx(pause, rel=0.01)


def test_a_leader_that_cannot_renew_goes_on_until_its_deadline_and_ends_then(clock: Clock, join: Join) -> None:
    a = join("a")
    a.step()
    a.view.error = Busy("Unreachable", "The API server does not answer")
    clock.now += DEADLINE - 0.5

    assert a.step() == 0.5, "it is there when its time is over"
    assert a.leads
    clock.now += 0.5
    assert not a.leads
    with pytest.raises(Ended, match="not renewed within 10 s"):
        a.step()


def test_a_leader_that_was_paused_ends_before_it_asks_for_anything(store: LeaseStore, clock: Clock, join: Join) -> None:
    a = join("a")
    a.step()
    written = len(store.records)
    clock.now += 60

    with pytest.raises(Ended):
        a.step()
    assert len(store.records) == written, "also where nobody else led meanwhile"


def test_a_leader_that_finds_another_one_in_the_lease_ends(store: LeaseStore, join: Join) -> None:
    a = join("a")
    a.step()

    store.edit(holderIdentity="b")

    with pytest.raises(Ended, match="taken over by b"):
        a.step()


def test_a_trouble_that_is_over_in_time_costs_nothing_and_is_told_once(
    clock: Clock, join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    a = join("a")
    a.step()
    a.view.error = Busy("Unreachable", "The API server does not answer")
    for _ in range(3):
        a.step()
        clock.now += RETRY

    a.view.error = None
    a.step()

    assert a.leads
    assert a.leadership.renewed_seconds_ago() == 0.0
    assert lines(caplog) == ["The lease could not be looked after: Unreachable: The API server does not answer"]


def test_an_acquisition_that_took_longer_than_the_deadline_is_renewed_before_it_counts(
    clock: Clock, join: Join
) -> None:
    a = join("a")
    waits = iter([0.0, 0.0, 0.0, DEADLINE])
    a.view.during = lambda: bool(setattr(clock, "now", clock.now + next(waits, 0.0)))
    a.step()
    assert (a.leads, a.began) == (False, 0)

    a.step()

    assert (a.leads, a.began) == (True, 1)


def test_each_new_leader_is_counted_once(clock: Clock, join: Join) -> None:
    counted = metrics.LEASE_TRANSITIONS._value.get  # noqa: SLF001 - what the registry shows
    before = counted()
    a, b, c = join("a"), join("b"), join("c")
    for one in (a, b, c):
        one.step()
    assert counted() == before, "who sees its first leader sees no change"
    clock.now += DURATION

    b.step()
    for _ in range(3):
        c.step()

    assert counted() == before + 2


class TestStartAndStop:
    def test_the_thread_renews_and_gives_the_lease_back(self, store: LeaseStore, join: Join) -> None:
        a, b = join("a"), join("b")
        a.leadership._retry_period = 0.001  # noqa: SLF001 - as short as a loaded machine lets it be
        renewed = threading.Event()
        a.view.during = lambda: renewed.set() if len(store.records) > 3 else None  # type: ignore[assignment,return-value,func-returns-value]  # None is no break

        a.leadership.start(a._begin)  # noqa: SLF001 - see Replica
        assert a.leads
        assert renewed.wait(SOON)
        a.leadership.stop(release=True, timeout=SOON)

        assert store.record.holder == ""
        assert not a.leads
        with pytest.raises(Busy):
            a.leadership.before_write()
        b.step()
        assert b.leads

    def test_work_that_was_cut_off_keeps_the_lease(self, store: LeaseStore, join: Join) -> None:
        a = join("a")
        a.leadership.start(lambda: None)

        a.leadership.stop(release=False, timeout=SOON)

        assert store.record.holder == "a"
        a.leadership.before_write()

    def test_a_standby_ends_and_leaves_the_lease_to_its_holder(self, store: LeaseStore, join: Join) -> None:
        a, b = join("a"), join("b")
        a.step()
        b.leadership.start(lambda: None)

        b.leadership.stop(release=True, timeout=SOON)

        assert store.record.holder == "a"

    def test_a_release_that_fails_ends_in_a_line(self, join: Join, caplog: pytest.LogCaptureFixture) -> None:
        a = join("a")
        a.leadership.start(lambda: None)
        a.view.error = Busy("Unreachable", "The API server does not answer")

        a.leadership.stop(release=True, timeout=SOON)

        assert lines(caplog)[-1].startswith("The lease could not be given back, and ends by itself: Unreachable")

    def test_a_refusal_at_the_start_is_the_starters(self, join: Join) -> None:
        a = join("a")
        a.view.error = Blocked("Forbidden", "grant it")

        with pytest.raises(Blocked):
            a.leadership.start(lambda: None)

    def test_an_api_server_that_is_busy_at_the_start_is_asked_again(self, store: LeaseStore, join: Join) -> None:
        a, leads = join("a"), threading.Event()
        breaks = iter([True])
        a.view.during = lambda: next(breaks, False)

        a.leadership.start(leads.set)

        assert leads.wait(SOON)
        assert store.record.holder == "a"
        a.leadership.stop(release=True, timeout=SOON)

    def test_a_bug_in_the_thread_ends_the_process(self, join: Join, caplog: pytest.LogCaptureFixture) -> None:
        a = join("a")
        a.step()
        a.leadership._retry_period = 0.0  # noqa: SLF001 - at once
        a.view.error = KeyError("a bug")

        with pytest.raises(Ended):
            a.leadership._run()  # noqa: SLF001 - what the thread does, on one that a test can look at

        assert "a bug" in lines(caplog)[-1]


class TestSole:
    def test_it_leads_from_the_start_and_asks_nobody(self) -> None:
        sole = of(Settings.of(installation="prod", leader_elect=False))
        began = threading.Event()

        sole.start(began.set)
        sole.before_write()
        sole.stop(release=True, timeout=0.0)

        assert isinstance(sole, Sole)
        assert began.is_set()
        assert sole.is_leading
        assert sole.renewed_seconds_ago() is None


def test_prometheus_is_told_who_leads_and_since_when(clock: Clock, join: Join) -> None:
    a = join("a")
    metrics.measure_lease(lambda: a.leadership.is_leading, a.leadership.renewed_seconds_ago)
    sample = metrics.REGISTRY.get_sample_value
    assert (sample("bgt_leader"), sample("bgt_lease_renewed_seconds_ago")) == (0.0, -1.0)
    a.step()
    clock.now += 3

    assert (sample("bgt_leader"), sample("bgt_lease_renewed_seconds_ago")) == (1.0, 3.0)
