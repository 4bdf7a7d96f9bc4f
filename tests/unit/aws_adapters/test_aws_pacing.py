"""Every call waits for its turn, in the clients themselves: nothing evades it, and nobody waits there for long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from backgroundtask.aws import Cloud, Ecs, LogGroups, Pacing, Queues, Rates, Urgency, rates_of, urgency
from backgroundtask.aws.rates import STEP
from backgroundtask.errors import Busy, Paced
from fixtures.wire import REGION, Wire

NONE: dict[str, list[str]] = {"taskDefinitionArns": []}
GROUPS: dict[str, list[str]] = {"logGroups": []}


class Time:
    """A clock that moves only while somebody waits for it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.now

    def pause(self, _: threading.Condition, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        self.meanwhile()


class Told:
    """What a process is told."""

    def __init__(self) -> None:
        self.waits: list[tuple[str, float]] = []
        self.turns: list[str] = []

    def wait(self, category: str, seconds: float) -> None:
        self.waits.append((category, seconds))


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def paced(wire: Wire, time: Time, told: Told) -> Callable[[str], tuple[Cloud, Pacing]]:
    """A cloud on the wire, at rates of which the step below is one and a half, or as told."""

    def made(text: str, *, attempts: int = 1) -> tuple[Cloud, Pacing]:
        rates: Rates = rates_of(text)
        pacing = Pacing(rates, on_wait=told.wait, on_turn=told.turns.append, clock=time, pause=time.pause)
        pace = pacing.of("", REGION)
        clients = wire.clients(pace=pace, attempts=attempts)
        adapters = {"ecs": Ecs(clients), "queues": Queues(clients), "logs": LogGroups(clients), "pace": pace}
        return cast("Cloud", SimpleNamespace(**adapters)), pacing

    return made


def registered(wire: Wire) -> None:
    arn = "arn:aws:ecs:eu-west-1:1:task-definition/f:1"
    wire.says("RegisterTaskDefinition", {"taskDefinition": {"taskDefinitionArn": arn}})
    wire.says("DeregisterTaskDefinition", {"taskDefinition": {"taskDefinitionArn": arn}})


class TestHook:
    def test_calls_within_the_burst_do_not_wait(self, wire: Wire, time: Time, paced: Any) -> None:
        cloud, _ = paced("ListTaskDefinitions=4/2")
        wire.says("ListTaskDefinitions", NONE)

        for _ in range(3):
            cloud.ecs.active_revisions("f")

        assert time.waits == []

    def test_the_next_one_waits_for_its_token_and_no_longer(
        self, wire: Wire, time: Time, told: Told, paced: Any
    ) -> None:
        cloud, _ = paced("ListTaskDefinitions=2/2")
        wire.says("ListTaskDefinitions", NONE)

        for _ in range(3):
            cloud.ecs.active_revisions("f")

        assert time.waits == pytest.approx([0.5 / STEP, 0.5 / STEP])
        assert len(wire.sent) == 3
        assert told.waits == [("TaskDefinitionRead", pytest.approx(0.5 / STEP))] * 2

    def test_every_page_takes_a_token(self, wire: Wire, time: Time, paced: Any) -> None:
        cloud, _ = paced("ListTaskDefinitions=2/2")
        for token in ("second", "third"):
            wire.says("ListTaskDefinitions", {**NONE, "nextToken": token})
        wire.says("ListTaskDefinitions", NONE)

        cloud.ecs.active_revisions("f")

        assert len(time.waits) == 2

    def test_operations_of_one_bucket_share_it_and_others_do_not(self, wire: Wire, time: Time, paced: Any) -> None:
        cloud, _ = paced("ListTaskDefinitions=1/2")
        wire.says("ListTaskDefinitions", NONE)
        wire.says("DescribeClusters", {"clusters": [], "failures": []})
        wire.says("DescribeLogGroups", GROUPS)
        wire.says("CreateLogGroup", {})
        wire.says("DescribeTaskDefinition", {"taskDefinition": {"taskDefinitionArn": "arn"}, "tags": []})
        cloud.ecs.active_revisions("f")

        cloud.ecs.cluster("main")
        cloud.logs.ensure("/a", retention_days=None, tags={})
        assert time.waits == []

        cloud.ecs.revision("arn")
        assert time.waits == pytest.approx([0.5 / STEP])

    def test_no_thread_waits_where_the_turn_is_far(self, wire: Wire, time: Time, paced: Any) -> None:
        cloud, _ = paced("ListTaskDefinitions=1/0.1")
        wire.says("ListTaskDefinitions", NONE)
        cloud.ecs.active_revisions("f")

        with pytest.raises(Paced) as turn:
            cloud.ecs.active_revisions("f")

        assert turn.value.retry_after == pytest.approx(10 / STEP)
        assert (time.waits, len(wire.sent)) == ([], 1)

    def test_no_thread_waits_for_long_though_others_go_ahead_again_and_again(
        self, wire: Wire, time: Time, paced: Any
    ) -> None:
        cloud, pacing = paced("ListTaskDefinitions=1/1")
        wire.says("ListTaskDefinitions", NONE)
        cloud.ecs.active_revisions("f")

        def somebody_goes_ahead() -> None:
            with pacing.work(f"other-{len(time.waits)}", share="", urgency=Urgency.DELETE):
                cloud.pace.reserve("ListTaskDefinitions")
                pacing.of("", REGION).admit("ecs", "ListTaskDefinitions")

        time.meanwhile = somebody_goes_ahead
        start = time.now
        with urgency(Urgency.RESYNC), pytest.raises(Paced):
            cloud.ecs.active_revisions("f")

        assert time.now - start <= 5.0

    def test_another_account_and_another_region_have_buckets_of_their_own(self, time: Time) -> None:
        pacing = Pacing(rates_of("RunTask=1/0.01"), clock=time, pause=time.pause)
        pacing.of("1", REGION).admit("ecs", "RunTask")

        pacing.of("2", REGION).admit("ecs", "RunTask")
        pacing.of("1", "us-east-1").admit("ecs", "RunTask")

        with pytest.raises(Paced):
            pacing.of("1", REGION).admit("ecs", "RunTask")

    def test_queues_are_never_waited_for(self, wire: Wire, time: Time, paced: Any) -> None:
        cloud, _ = paced("")
        wire.says("ReceiveMessage", {"Messages": []})

        for _ in range(300):
            cloud.queues.receive("https://sqs.eu-west-1.amazonaws.com/1/q", wait_seconds=0)

        assert time.waits == []


class TestThrottles:
    @pytest.mark.parametrize(
        ("code", "message"),
        [
            ("ThrottlingException", "Rate exceeded"),
            ("ClientException", "Rate exceeded"),
            ("ServerException", "Service error: Error Code: Throttling"),
        ],
    )
    def test_what_aws_throttles_is_called_half_as_often(
        self, wire: Wire, time: Time, paced: Any, code: str, message: str
    ) -> None:
        cloud, _ = paced("ListTaskDefinitions=50/1")
        wire.refuses("ListTaskDefinitions", code, message)
        wire.says("ListTaskDefinitions", NONE)

        with pytest.raises(Busy, match="AWS limits how often"):
            cloud.ecs.active_revisions("f")
        cloud.ecs.active_revisions("f")

        assert time.waits == [pytest.approx(2.03, abs=0.05)]  # at half of its refill, which grows meanwhile

    @pytest.mark.parametrize(
        ("code", "message", "why"),
        [
            ("ClientException", "Too many concurrent attempts to create a new revision", "a race in one family"),
            ("ClientException", "You've reached the limit: provisioning quota", "Fargate is full"),
            ("AccessDeniedException", "no", "says nothing of rates"),
            ("ServerException", "no", "an outage"),
        ],
    )
    def test_what_is_no_throttle_slows_nobody_down(
        self, wire: Wire, time: Time, paced: Any, code: str, message: str, why: str
    ) -> None:
        cloud, _ = paced("ListTaskDefinitions=50/1")
        wire.refuses("ListTaskDefinitions", code, message)
        wire.says("ListTaskDefinitions", NONE)

        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is called
            cloud.ecs.active_revisions("f")
        cloud.ecs.active_revisions("f")

        assert time.waits == [], why

    def test_a_second_attempt_takes_a_token_too(self, wire: Wire, time: Time, paced: Any) -> None:
        cloud, _ = paced("ListTaskDefinitions=3/1", attempts=2)
        wire.refuses("ListTaskDefinitions", "ServerException", status=500)
        wire.says("ListTaskDefinitions", NONE)

        cloud.ecs.active_revisions("f")
        assert (len(wire.sent), time.waits) == (2, [])

        cloud.ecs.active_revisions("f")
        assert time.waits == [pytest.approx(1 / STEP)]


class TestWork:
    def test_a_place_is_kept_for_work_that_comes_back(self, time: Time) -> None:
        pacing = Pacing(rates_of("RegisterTaskDefinition=1/1"), clock=time, pause=time.pause)
        pace = pacing.of("", REGION)
        pace.admit("ecs", "RegisterTaskDefinition")
        waits = {}

        for key in ("a", "b", "a", "b"):
            with pytest.raises(Paced) as turn, pacing.work(key, share="", urgency=Urgency.CHANGE):
                pace.reserve()
            waits[key] = turn.value.retry_after

        assert waits == pytest.approx({"a": 1 / STEP, "b": 2 / STEP})

    def test_at_its_moment_it_goes_without_waiting(self, wire: Wire, time: Time, paced: Any) -> None:
        cloud, pacing = paced("RegisterTaskDefinition=1/1")
        registered(wire)
        cloud.ecs.deregister("arn")
        with pytest.raises(Paced) as turn, pacing.work("a", share="", urgency=Urgency.CHANGE):
            cloud.pace.reserve()

        time.now += turn.value.retry_after
        with pacing.work("a", share="", urgency=Urgency.CHANGE):
            cloud.pace.reserve()
            cloud.ecs.deregister("arn")

        assert time.waits == []
        assert len(wire.sent) == 2

    def test_who_has_no_patience_is_told_to_come_back_where_a_call_would_wait(self, time: Time) -> None:
        pacing = Pacing(rates_of("GetLogEvents=1/1"), clock=time, pause=time.pause)
        pace = pacing.of("", REGION)
        wait = {"service": "cloudwatch-logs", "patience": 0.0}

        with pacing.work("a", share="", urgency=Urgency.CHANGE):
            pace.reserve("GetLogEvents", **wait)
            pace.admit("cloudwatch-logs", "GetLogEvents")
        with pytest.raises(Paced) as turn, pacing.work("b", share="", urgency=Urgency.CHANGE):
            pace.reserve("GetLogEvents", **wait)

        assert turn.value.retry_after == pytest.approx(1 / STEP)
        assert time.waits == []

    def test_a_turn_pays_for_one_call(self, wire: Wire, paced: Any) -> None:
        cloud, pacing = paced("RegisterTaskDefinition=1/1")
        registered(wire)

        with pacing.work("a", share="", urgency=Urgency.CHANGE):
            cloud.pace.reserve()
            cloud.ecs.deregister("arn")
            with pytest.raises(Paced):
                cloud.ecs.deregister("arn")

        assert len(wire.sent) == 1

    def test_a_turn_that_was_not_needed_is_the_next_ones_who_is_told(self, time: Time, told: Told, paced: Any) -> None:
        cloud, pacing = paced("RegisterTaskDefinition=2/1")
        with pacing.work("first", share="", urgency=Urgency.CHANGE):
            cloud.pace.reserve()
            with pytest.raises(Paced), pacing.work("second", share="", urgency=Urgency.CHANGE):
                cloud.pace.reserve()

        assert told.turns == ["second"]
        assert time.now == 100.0
        with pacing.work("second", share="", urgency=Urgency.CHANGE):
            cloud.pace.reserve()

    def test_work_that_fails_keeps_what_it_waited_for(self, paced: Any) -> None:
        cloud, pacing = paced("RegisterTaskDefinition=2/0.001")

        def fail() -> None:
            with pacing.work("a", share="", urgency=Urgency.CHANGE):
                cloud.pace.reserve()
                raise Busy("AwsUnreachable", "No answer.")

        with pytest.raises(Busy, match="No answer"):
            fail()

        with pytest.raises(Paced), pacing.work("b", share="", urgency=Urgency.CHANGE):
            cloud.pace.reserve()
        with pacing.work("a", share="", urgency=Urgency.CHANGE):
            cloud.pace.reserve()

    def test_what_is_done_for_a_deletion_goes_before_two_hundred_registrations(
        self, wire: Wire, time: Time, paced: Any
    ) -> None:
        cloud, pacing = paced("RegisterTaskDefinition=20/1")
        registered(wire)
        for number in range(200):
            try:
                with pacing.work(f"a/{number}", share="a", urgency=Urgency.CHANGE):
                    cloud.pace.reserve()
                    pacing.of("", REGION).admit("ecs", "RegisterTaskDefinition")
            except Paced:
                continue

        with (
            pytest.raises(Paced) as turn,
            pacing.work("gone", share="a", urgency=Urgency.CHANGE),
            urgency(Urgency.DELETE),
        ):
            cloud.ecs.deregister("arn")

        assert turn.value.retry_after < 1.1
        time.now += turn.value.retry_after
        with pacing.work("gone", share="a", urgency=Urgency.CHANGE), urgency(Urgency.DELETE):
            cloud.ecs.deregister("arn")
        assert wire.operations() == ["DeregisterTaskDefinition"]

    def test_a_thread_that_works_on_no_key_keeps_no_place(self, paced: Any, told: Told) -> None:
        cloud, pacing = paced("RunTask=1/0.01")
        pacing.of("", REGION).admit("ecs", "RunTask")
        with pytest.raises(Paced):
            pacing.of("", REGION).admit("ecs", "RunTask")

        with pytest.raises(Paced) as turn, pacing.work("a", share="", urgency=Urgency.CHANGE):
            cloud.pace.reserve("RunTask")

        assert turn.value.retry_after == pytest.approx(100 / STEP)
        assert told.turns == []


def test_a_thread_goes_on_as_soon_as_whoever_was_before_it_leaves() -> None:
    waits, goes_on = threading.Event(), threading.Event()

    def pause(changed: threading.Condition, _: float) -> None:
        waits.set()
        changed.wait(30)

    pacing = Pacing(rates_of("RunTask=1/0.3"), pause=pause)
    pace = pacing.of("", REGION)

    def call() -> None:
        pace.admit("ecs", "RunTask")
        goes_on.set()

    with pacing.work("first", share="", urgency=Urgency.CHANGE):
        pace.reserve("RunTask")
        threading.Thread(target=call, daemon=True).start()
        assert waits.wait(30)

    assert goes_on.wait(20), "before the pause is over: it was told"
