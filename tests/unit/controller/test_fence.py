"""The fence: what may be written, and until when."""

from __future__ import annotations

import contextlib
import threading
from typing import NoReturn

import pytest
from kubernetes.client import Configuration

from backgroundtask.controller.fence import Fence, end_process
from backgroundtask.errors import Busy
from backgroundtask.kube.client import Kube
from backgroundtask.kube.login import Login
from backgroundtask.kube.resource import TASKS, Ref
from backgroundtask.kube.transport import Transport
from fixtures.clock import Clock
from fixtures.objects import task_object
from fixtures.scripted_rest import HOST, Reply, ScriptedRest

DEADLINE = 10.0
SOON = 1.5  # seconds that threads may take on a slow machine


class Ended(BaseException):
    """The process would have ended: nothing may catch it, as nothing could."""


def end(why: str) -> NoReturn:
    raise Ended(why)


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def fence(clock: Clock) -> Fence:
    return Fence(DEADLINE, clock=clock, end=end)


def test_it_is_open_from_a_renewal_until_the_deadline(fence: Fence, clock: Clock) -> None:
    fence.renewed(clock.now)
    clock.now += DEADLINE - 0.01

    fence.check()

    assert 0 < fence.remaining() < 0.1
    clock.now += 0.01
    with pytest.raises(Ended, match="not renewed within 10 s"):
        fence.check()


def test_it_counts_from_the_moment_in_which_the_renewal_began(fence: Fence, clock: Clock) -> None:
    began = clock.now
    clock.now += 3

    fence.renewed(began)

    assert fence.remaining() == DEADLINE - 3
    assert fence.seconds_since_renewal() == 3


def test_who_never_led_writes_nothing(fence: Fence) -> None:
    assert (fence.remaining(), fence.seconds_since_renewal()) == (0.0, None)
    with pytest.raises(Ended):
        fence.check()


def test_each_renewal_opens_it_anew(fence: Fence, clock: Clock) -> None:
    for _ in range(5):
        fence.renewed(clock.now)
        clock.now += DEADLINE - 1
        fence.check()


def test_once_it_is_closed_a_late_write_is_refused_and_the_process_ends_in_its_own_way(
    fence: Fence, clock: Clock
) -> None:
    fence.renewed(clock.now)

    fence.close()

    assert fence.remaining() == 0.0
    with pytest.raises(Busy):
        fence.check()


def test_of_all_threads_that_come_too_late_one_ends_the_process_and_none_writes(clock: Clock) -> None:
    told: list[str] = []
    ending, released, ended = threading.Event(), threading.Event(), threading.Semaphore(0)

    def slow_end(why: str) -> NoReturn:
        told.append(why)
        ending.set()
        released.wait(SOON)
        raise Ended

    fence = Fence(DEADLINE, clock=clock, end=slow_end)

    def write() -> None:
        with contextlib.suppress(Ended):
            fence.check()
            told.append("written")
        ended.release()

    for _ in range(8):
        threading.Thread(target=write, daemon=True).start()
    assert ending.wait(SOON)

    assert told == ["The lease was not renewed within 10 s"]
    released.set()
    assert all(ended.acquire(timeout=SOON) for _ in range(8))
    assert "written" not in told


def test_once_the_lease_is_known_to_be_lost_nothing_passes_though_its_time_is_not_over(clock: Clock) -> None:
    passed: list[str] = []

    def slow_end(_: str) -> NoReturn:
        """As where the last words are slow: meanwhile another thread has something to write."""
        if fence.remaining() > 0:
            passed.append("written")
        raise Ended

    fence = Fence(DEADLINE, clock=clock, end=slow_end)
    fence.renewed(clock.now)

    with pytest.raises(Ended):
        fence.lose("The lease was taken over by another")

    assert passed == []


class TestTheEnd:
    @pytest.fixture(autouse=True)
    def _survived(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The test's own process goes on."""

        def leave(code: int) -> NoReturn:
            raise Ended(code)

        monkeypatch.setattr("backgroundtask.controller.fence.os._exit", leave)
        monkeypatch.setattr(
            "backgroundtask.controller.fence.threading.Timer", lambda *_: threading.Thread(target=lambda: None)
        )

    def test_it_comes_at_once_with_code_1_and_one_line(self, caplog: pytest.LogCaptureFixture) -> None:
        with pytest.raises(Ended) as ended:
            end_process("The lease was not renewed within 10 s")

        assert ended.value.args == (1,)
        [line] = caplog.records
        assert line.getMessage() == (
            "The lease was not renewed within 10 s. This process ends at once, so that two never act"
        )

    def test_nothing_that_fails_on_the_way_keeps_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def start(*_: object) -> NoReturn:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr("backgroundtask.controller.fence.threading.Timer", start)

        with pytest.raises(Ended):
            end_process("The lease was taken over")


class TestKube:
    """Every write to Kubernetes asks right before it is sent; no read does."""

    def kube(self, fence: Fence, *replies: Reply | Exception) -> tuple[Kube, ScriptedRest]:
        rest = ScriptedRest(*replies)
        return Kube(Transport(Login(Configuration(host=HOST)), rest, before_write=fence.check)), rest

    @pytest.mark.parametrize(
        "write", ["create", "patch", "patch_status", "add_finalizer", "remove_finalizer", "delete"]
    )
    def test_no_write_is_sent_after_the_deadline(self, fence: Fence, write: str) -> None:
        kube, rest = self.kube(fence)
        task = task_object()
        held = {**task, "metadata": {**task["metadata"], "finalizers": ["x/y"]}}
        ref = Ref.of(TASKS, {**task, "metadata": {**task["metadata"], "resourceVersion": "1"}}, fenced=True)
        writes = {
            "create": lambda: kube.create(TASKS, task),
            "patch": lambda: kube.patch(ref, {"spec": {}}),
            "patch_status": lambda: kube.patch_status(ref, {}),
            "add_finalizer": lambda: kube.add_finalizer(TASKS, held, "z/z"),
            "remove_finalizer": lambda: kube.remove_finalizer(TASKS, held, "x/y"),
            "delete": lambda: kube.delete(TASKS, "reports", "nightly", "u"),
        }

        with pytest.raises(Ended):
            writes[write]()

        assert rest.sent == []

    def test_writes_go_while_the_lease_is_ours_and_reads_always(self, fence: Fence, clock: Clock) -> None:
        kube, rest = self.kube(fence, Reply(200, task_object()), Reply(201, task_object()), Reply(200, {"items": []}))

        assert kube.get(TASKS, "reports", "nightly")
        fence.renewed(clock.now)
        kube.create(TASKS, task_object())
        clock.now += DEADLINE
        assert list(kube.list(TASKS)) == []

        assert [one.method for one in rest.sent] == ["GET", "POST", "GET"]

    def test_the_question_comes_after_the_credentials_which_may_take_their_time(
        self, fence: Fence, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kube, rest = self.kube(fence)
        fence.renewed(clock.now)

        def slow(_: Login) -> str:
            clock.now += DEADLINE
            return "Bearer x"

        monkeypatch.setattr(Login, "authorization", slow)

        with pytest.raises(Ended):
            kube.create(TASKS, task_object())
        assert rest.sent == []
