"""The AWS in memory keeps the promises of the real adapters, and breaks where a test says so."""

from collections.abc import Callable

import pytest

from backgroundtask.aws import Cloud
from backgroundtask.errors import Busy
from fixtures.cloud_contract import GROUP, OWNER, EcsContract, QueueContract, SchedulerContract, definition, schedule
from fixtures.fake_account import Account, BrokenOrderError, Queue
from fixtures.fake_cloud import FakeClouds
from fixtures.fake_world import EVENTS, Clock
from fixtures.trace import Call, Crash, Trace


@pytest.fixture
def account() -> Account:
    made = Account(Clock())
    made.queues[EVENTS] = Queue()
    return made


@pytest.fixture
def trace() -> Trace:
    return Trace()


@pytest.fixture
def cloud(account: Account, trace: Trace) -> Cloud:
    return FakeClouds(account, trace).cloud


class TestFakeCloud(EcsContract, SchedulerContract, QueueContract):
    @pytest.fixture
    def queue(self) -> str:
        return EVENTS

    @pytest.fixture
    def missing(self) -> str:
        return f"{EVENTS}-of-nobody"

    @pytest.fixture
    def send(self, account: Account) -> Callable[[str], None]:
        return lambda text: account.send(EVENTS, text)


class TestOrder:
    def test_no_schedule_that_fires_may_point_at_what_is_not_active(self, cloud: Cloud) -> None:
        cloud.schedules.create_group(GROUP, {})
        arn = cloud.ecs.register(definition(), "uid-1").arn
        cloud.ecs.deregister(arn)

        with pytest.raises(BrokenOrderError):
            cloud.schedules.create(schedule(arn))
        cloud.schedules.create(schedule(arn, enabled=False))

    def test_nothing_is_retired_that_a_schedule_would_fire(self, cloud: Cloud) -> None:
        cloud.schedules.create_group(GROUP, {})
        arn = cloud.ecs.register(definition(), "uid-1").arn
        cloud.schedules.create(schedule(arn))

        with pytest.raises(BrokenOrderError):
            cloud.ecs.deregister(arn)


class TestFaults:
    @pytest.mark.parametrize(("after_effect", "revisions"), [(False, 0), (True, 1)])
    def test_a_write_fails_once_before_or_after_its_effect(
        self, cloud: Cloud, trace: Trace, *, after_effect: bool, revisions: int
    ) -> None:
        trace.fail_next("ecs.*", Busy("Throttled", "AWS throttles."), after_effect=after_effect)

        with pytest.raises(Busy):
            cloud.ecs.register(definition(), "uid-1")

        assert len(cloud.ecs.active_revisions(OWNER.family)) == revisions == len(trace.writes)
        cloud.ecs.register(definition(), "uid-1")

    def test_the_hook_ends_the_process_before_or_after_a_write(self, cloud: Cloud, trace: Trace) -> None:
        def end(moment: str, call: Call) -> None:
            heard.append((moment, str(call)))
            if moment == "after":
                raise Crash

        heard: list[tuple[str, str]] = []
        trace.on_write = end

        with pytest.raises(Crash):
            cloud.schedules.create_group(GROUP, {})

        assert heard == [("before", f"schedules.create_group {GROUP}"), ("after", f"schedules.create_group {GROUP}")]
        assert cloud.schedules.group(GROUP) is not None
