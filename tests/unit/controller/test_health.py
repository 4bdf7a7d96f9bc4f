"""What is asked of a process: whether only a restart mends it, and whether it follows the cluster and works."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import pytest

from backgroundtask.controller import health as health_module
from backgroundtask.controller import metrics, probes
from backgroundtask.controller.health import Health, Pulse, keep_asking, keep_beating
from backgroundtask.controller.settings import Settings
from backgroundtask.errors import Busy, Rejected
from fixtures.clock import Clock

SOON = 1.5


@dataclass
class Crew:
    """The workers, as a test says that they are."""

    has_started: bool = True
    gone: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def started(self) -> bool:
        return self.has_started

    def ended(self) -> list[str]:
        return self.gone

    def longest(self) -> float:
        return self.seconds


@dataclass
class Helper:
    """What works beside the crew, as a test says that it does."""

    gone: list[str] = field(default_factory=list)

    def ended(self) -> list[str]:
        return self.gone


@dataclass
class Lead:
    is_leading: bool = True
    is_candidate: bool = True


@dataclass
class Process:
    """A process that leads and is well, until a test says otherwise."""

    clock: Clock = field(default_factory=lambda: Clock(100.0))
    crew: Crew = field(default_factory=Crew)
    lead: Lead = field(default_factory=Lead)
    readers: Helper = field(default_factory=Helper)
    recorder: Helper = field(default_factory=Helper)

    def __post_init__(self) -> None:
        self.health = Health(self.clock)
        self.health.follow(self.crew, self.lead, self.readers, self.recorder)
        self.health.listed()
        self.health.watched()
        self.lives()

    def lives(self) -> None:
        self.health.loop.beat()
        self.health.called("200")

    def wrong(self) -> tuple[set[str], set[str]]:
        """The checks that fail: of being alive, of being ready."""
        return tuple({name for name, said in report.items() if said} for report in self.reports())  # type: ignore[return-value]  # of two

    def reports(self) -> tuple[health_module.Report, health_module.Report]:
        return self.health.alive(), self.health.ready()


def _wait(seconds: float) -> Callable[[Process], None]:
    def wait(process: Process) -> None:
        process.clock.now += seconds
        process.health.called("200")

    return wait


def _unanswered(seconds: float, code: str) -> Callable[[Process], None]:
    def ask(process: Process) -> None:
        process.clock.now += seconds
        process.health.loop.beat()
        process.health.called(code)

    return ask


@pytest.mark.parametrize(
    ("happens", "alive", "ready", "why"),
    [
        (_wait(60.0), set(), set(), "a loop may be late"),
        (_wait(61.0), {"loop"}, set(), "but not for a minute"),
        (lambda one: one.crew.gone.append("worker-3"), {"workers"}, set(), "its key is worked on by nobody"),
        (lambda one: one.readers.gone.append("deleter"), {"helpers"}, set(), "what is stored comes again for ever"),
        (lambda one: one.recorder.gone.append("events"), {"helpers"}, set(), "people are told nothing any more"),
        (lambda one: setattr(one.crew, "seconds", 601.0), {"keys"}, set(), "every call has a time limit"),
        (lambda one: setattr(one.crew, "seconds", 599.0), set(), set(), "a big look takes its time"),
        (lambda one: setattr(one.lead, "is_candidate", False), {"lease"}, set(), "it would stand by for ever"),
        (_unanswered(31.0, "Unreachable"), set(), {"api-server"}, "a restart mends no outage"),
        (_unanswered(31.0, "503"), set(), {"api-server"}, "an answer of the proxy before it is none"),
        (_unanswered(31.0, "403"), set(), set(), "a refusal is an answer"),
        (lambda one: setattr(one.crew, "has_started", False), set(), {"workers"}, "it leads, and nobody works"),
    ],
)
def test_each_trouble_fails_the_one_check_that_names_it(
    happens: Callable[[Process], None], alive: set[str], ready: set[str], why: str
) -> None:
    process = Process()
    assert process.wrong() == (set(), set())

    happens(process)

    assert process.wrong() == (alive, ready), why


def test_it_is_ready_again_once_the_api_server_answers() -> None:
    process = Process()
    _unanswered(120.0, "Unreachable")(process)
    assert process.wrong()[1] == {"api-server"}

    process.lives()

    assert process.wrong() == (set(), set())


def test_a_replica_that_stands_by_is_ready_though_nobody_works() -> None:
    process = Process(crew=Crew(has_started=False), lead=Lead(is_leading=False))

    assert process.wrong() == (set(), set())


def test_a_process_that_begins_is_alive_and_not_ready_until_it_has_seen_the_cluster() -> None:
    health = Health(Clock(100.0))
    assert not any(health.alive().values())
    assert all(health.ready().values())

    health.follow(Crew(), Lead())
    health.called("200")
    said = [health.ready()["caches"]]
    health.listed()
    said.append(health.ready()["caches"])
    health.watched()

    assert said == ["not all kinds were listed yet", "the watches have not begun yet"]
    assert not any(health.ready().values())


def test_a_loop_tells_that_it_goes_on_and_how_late_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "BEAT", 0.001)
    pulse = Pulse(Clock(100.0))
    before = metrics.REGISTRY.get_sample_value("bgt_loop_lag_seconds_count") or 0.0

    async def beat() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(keep_beating(pulse), 0.05)

    asyncio.run(beat())

    assert pulse.age() == 0.0
    assert metrics.REGISTRY.get_sample_value("bgt_loop_lag_seconds_count") > before


def test_a_quiet_api_server_is_asked_and_its_refusals_and_bugs_end_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "LONGEST_UNANSWERED", 0.003)
    errors, asked = [Busy("Unreachable", "no"), KeyError("a bug")], threading.Event()

    def ask() -> None:
        if errors:
            raise errors.pop()
        asked.set()

    stop = keep_asking(Pulse(Clock(100.0)), ask)

    assert asked.wait(SOON)
    stop()


def test_one_that_answers_others_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "LONGEST_UNANSWERED", 0.003)
    clock, asked = Clock(100.0), threading.Event()
    pulse, looks = Pulse(clock), threading.Semaphore(0)
    pulse.beat()
    age = pulse.age

    def counted() -> float | None:
        looks.release()
        return age()

    monkeypatch.setattr(pulse, "age", counted)
    stop = keep_asking(pulse, asked.set)
    for _ in range(3):
        assert looks.acquire(timeout=SOON)
    assert not asked.is_set()

    clock.now += 1.0

    assert asked.wait(SOON)
    stop()


class TestProbes:
    def test_a_healthy_process_says_ok_and_on_request_what_was_checked(self) -> None:
        endpoints = probes.Endpoints(Process().health)

        assert endpoints.answer("/healthz") == (HTTPStatus.OK, "ok")
        assert endpoints.answer("/readyz?verbose") == (
            HTTPStatus.OK,
            "[+]caches ok\n[+]api-server ok\n[+]workers ok\nreadyz check passed\n",
        )

    def test_a_failing_check_is_named_with_its_reason(self) -> None:
        process = Process(crew=Crew(gone=["worker-3"]))

        status, text = probes.Endpoints(process.health).answer("/healthz")

        assert status == HTTPStatus.INTERNAL_SERVER_ERROR
        assert text.splitlines() == [
            "[+]loop ok",
            "[-]workers failed: worker-3 ended",
            "[+]helpers ok",
            "[+]keys ok",
            "[+]lease ok",
            "healthz check failed",
        ]

    def test_a_change_is_logged_once_with_its_reason(self, caplog: pytest.LogCaptureFixture) -> None:
        process = Process()
        endpoints = probes.Endpoints(process.health)

        with caplog.at_level("INFO", logger="backgroundtask"):
            for gone in ([], ["worker-3"], ["worker-3", "worker-4"], []):
                process.crew.gone = gone
                endpoints.answer("/healthz")

        assert [(line.levelname, line.getMessage()) for line in caplog.records] == [
            ("WARNING", "healthz fails: workers: worker-3 ended"),
            ("INFO", "healthz passes"),
        ]

    @pytest.mark.parametrize("target", ["/", "/metrics", "/healthz/loop", "//healthz"])
    def test_what_is_not_there_is_told_with_what_is(self, target: str) -> None:
        status, text = probes.Endpoints(Process().health).answer(target)

        assert status == HTTPStatus.NOT_FOUND
        assert "/readyz" in text

    def test_without_a_port_nothing_is_served(self) -> None:
        before = threading.active_count()

        probes.serve(0, Process().health)

        assert threading.active_count() == before

    def test_a_port_that_is_none_is_refused_with_its_flag(self) -> None:
        with pytest.raises(Rejected, match="--health-port"):
            Settings.of(installation="prod", health_port=70000)
