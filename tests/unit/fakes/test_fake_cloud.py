"""The AWS in memory keeps the promises of the real adapters, and breaks where a test says so."""

from collections.abc import Callable

import pytest

from backgroundtask.aws import Cloud
from backgroundtask.errors import Blocked, Busy
from fixtures.cloud_contract import (
    GROUP,
    OWNER,
    EcsContract,
    QueueContract,
    SchedulerContract,
    definition,
    refused,
    schedule,
)
from fixtures.fake_account import Account, BrokenOrderError, Queue
from fixtures.fake_clouds import FakeClouds
from fixtures.fake_world import EVENTS, Clock
from fixtures.objects import REGION
from fixtures.rules_contract import RulesContract
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


class TestFakeCloud(EcsContract, SchedulerContract, RulesContract, QueueContract):
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


class TestClouds:
    ROLE = "arn:aws:iam::999999999999:role/operator"

    @pytest.fixture
    def clouds(self, account: Account, trace: Trace) -> FakeClouds:
        return FakeClouds(account, trace)

    def test_a_cloud_is_that_of_a_region_and_an_identity(self, clouds: FakeClouds) -> None:
        own = [clouds.of(region=REGION, assume_role_arn=None, template=name) for name in ("one", "two")]
        assumed = [clouds.of(region=REGION, assume_role_arn=self.ROLE, template=name) for name in ("one", "two", "two")]

        assert own[0] is own[1] is clouds.cloud
        assert assumed[1] is assumed[2]
        assert assumed[0] is not assumed[1]
        assert clouds.of(region="us-east-1", assume_role_arn=None, template="one") is not own[0]

    def test_what_is_made_in_one_region_is_in_no_other(self, clouds: FakeClouds) -> None:
        elsewhere = clouds.of(region="us-east-1", assume_role_arn=None, template="one")

        elsewhere.schedules.create_group(GROUP, {})

        assert clouds.cloud.schedules.group(GROUP) is None
        assert clouds.account("us-east-1").groups == {GROUP: {}}

    def test_a_role_reaches_its_own_account_once_it_trusts_the_template(self, clouds: FakeClouds) -> None:
        assumed = clouds.of(region=REGION, assume_role_arn=self.ROLE, template="one")
        refusals = [refused(lambda: assumed.schedules.create_group(GROUP, {}))]
        clouds.trusts[self.ROLE] = "test/two"
        refusals.append(refused(lambda: assumed.schedules.group(GROUP)))
        clouds.trusts[self.ROLE] = "test/one"

        assumed.schedules.create_group(GROUP, {})

        assert refusals == [(Blocked, "RoleNotAssumable")] * 2
        assert clouds.account(REGION, "999999999999").groups == {GROUP: {}}
        assert clouds.account(REGION).groups == {}


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
