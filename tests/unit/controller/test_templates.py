"""The reconciler of LaunchTemplates: what is looked at and made, whose the schedule group is, when it may go."""

from typing import Any

import pytest

from backgroundtask.errors import Blocked, Busy, Expected, Rejected
from backgroundtask.kube.resource import TEMPLATES
from backgroundtask.plan.names import Owner
from fixtures.fake_account import Account, Queue
from fixtures.fake_process import Process
from fixtures.fake_world import EVENTS, GROUP, OWNER, TEMPLATE, TICKS, World
from fixtures.objects import ACCOUNT, CLUSTER, REGION
from fixtures.trace import Call

CLUSTER_MARK = {"bgtask.dev/cluster": "cluster-uid"}
OUR_MARKS = {**CLUSTER_MARK, "bgtask.dev/installation": "test"}
HOUR = 3600


@pytest.fixture
def empty() -> World:
    """A cluster without anything, and no process yet."""
    return World()


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def condition(world: World, type_: str = "Ready", *, of: str = "default") -> dict[str, Any]:
    return world.condition(type_, of=world.object(TEMPLATES, of))


class TestVerification:
    def test_what_is_there_is_told_and_what_is_ours_is_made(self, empty: World) -> None:
        empty.furnish(logs={"group": "/bgt/test", "retentionDays": 7}, tags={"team": "data"})
        empty.start().work()

        status = empty.object(TEMPLATES, "default")["status"]
        assert condition(empty)["status"] == "True"
        assert status["clusterArn"] == CLUSTER
        assert status["scheduleGroupArn"].endswith(f"schedule-group/{GROUP}")
        assert status["tasks"] == 0
        assert empty.account.groups == {GROUP: {**OUR_MARKS, "team": "data"}}
        assert empty.account.log_groups == {"/bgt/test": 7}
        assert process(empty).followed.queues == {"default": EVENTS}

    def test_it_is_verified_once_an_hour_and_written_only_where_it_differs(self, bare: World) -> None:
        calls, writes = len(bare.trace.calls), len(bare.trace.writes)

        bare.pass_time(HOUR - 60, step=60)
        assert [call.operation for call in bare.trace.calls[calls:]].count("ecs.cluster") == 0
        bare.pass_time(HOUR, step=60)

        assert [call.operation for call in bare.trace.calls[calls:]].count("ecs.cluster") == 1
        assert bare.trace.since(writes) == []

    @pytest.mark.parametrize(
        ("break_it", "reason", "says"),
        [
            (lambda world: world.account.clusters.clear(), "ClusterNotActive", "does not exist"),
            (lambda world: world.account.clusters.update({CLUSTER: "INACTIVE"}), "ClusterNotActive", "is INACTIVE"),
            (lambda world: world.account.queues.pop(EVENTS), "QueueNotFound", "does not exist"),
            (lambda world: world.account.queues.pop(TICKS), "QueueNotFound", "does not exist"),
        ],
        ids=["no cluster", "an inactive cluster", "no queue of events", "no queue of ticks"],
    )
    def test_what_is_missing_is_told_and_found_once_it_is_there(
        self, empty: World, break_it: Any, reason: str, says: str
    ) -> None:
        clusters, queues = dict(empty.account.clusters), dict(empty.account.queues)
        break_it(empty)
        empty.furnish()
        empty.apply()
        empty.start().work()
        assert condition(empty)["reason"] == condition(empty, "Reconciling")["reason"] == reason
        assert says in condition(empty)["message"]
        assert empty.condition()["reason"] == "LaunchTemplateNotReady"

        empty.account.clusters.update(clusters)
        empty.account.queues.update(queues)
        empty.pass_time(10, step=1)

        assert condition(empty)["status"] == "True"
        assert empty.condition()["status"] == "True", "its tasks are woken"

    @pytest.mark.parametrize("queue", [EVENTS, TICKS])
    @pytest.mark.parametrize(
        ("settings", "reason", "says"),
        [
            ({"has_redrive": False}, "QueueWithoutRedrive", "redrive policy"),
            ({"visibility_timeout": 29}, "QueueVisibilityTooShort", "29 s"),
        ],
    )
    def test_a_queue_that_would_lose_or_double_messages_is_refused_until_it_is_set_right(
        self, empty: World, queue: str, settings: dict[str, Any], reason: str, says: str
    ) -> None:
        empty.account.queues[queue] = Queue(**settings)
        empty.furnish()
        empty.start().work()
        assert condition(empty)["reason"] == condition(empty, "Reconciling")["reason"] == reason
        assert queue in condition(empty)["message"]
        assert says in condition(empty)["message"]
        assert process(empty).followed.queues == {}

        empty.account.queues[queue] = Queue(visibility_timeout=30)
        empty.pass_time(10, step=1)

        assert condition(empty)["status"] == "True"

    def test_tasks_that_have_waited_long_go_on_as_soon_as_it_is_there(self, empty: World) -> None:
        clusters = dict(empty.account.clusters)
        empty.account.clusters.clear()
        empty.furnish()
        empty.apply()
        empty.start().work()
        empty.pass_time(2 * HOUR, step=300)  # by now they come only every few minutes
        empty.account.clusters.update(clusters)

        process(empty).context.queue.add(TEMPLATE)
        process(empty).work()

        assert empty.condition()["status"] == "True"

    def test_a_refused_template_is_stalled_and_looked_at_hourly(self, empty: World) -> None:
        empty.furnish(queues={"events": EVENTS.replace(REGION, "us-east-1"), "ticks": TICKS})
        empty.start().work()
        assert condition(empty, "Stalled")["reason"] == "InvalidQueue"
        assert REGION in condition(empty, "Stalled")["message"]
        calls = len(empty.trace.calls)

        empty.pass_time(2 * HOUR + 60, step=60)

        assert [call.operation for call in empty.trace.calls[calls:]].count("ecs.cluster") == 2

    def test_a_busy_aws_is_not_told_before_it_stays_so(self, empty: World) -> None:
        empty.trace.fail_next("ecs.cluster", Busy("Throttled", "AWS throttles."), times=100)
        empty.furnish()
        empty.start().work()
        assert condition(empty) == {}

        empty.pass_time(HOUR, step=30)

        assert condition(empty)["reason"] == "Throttled"

    def test_a_change_during_the_look_is_not_said_to_be_verified(self, empty: World) -> None:
        def edit(moment: str, call: Call) -> None:
            if (moment, call.operation) == ("before", "logs.ensure"):
                empty.trace.on_write = lambda *_: None
                empty.edit_template(cluster="other")
                process(empty).watch.deliver()

        empty.furnish()
        empty.start()
        empty.trace.on_write = edit

        process(empty).work()

        assert condition(empty)["reason"] == "ClusterNotActive"
        assert "Verified" not in process(empty).told.reasons()

    def test_a_change_wakes_its_tasks(self, world: World) -> None:
        world.edit_template(schedulerRoleArn="arn:aws:iam::123456789012:role/other")

        process(world).work()

        [name] = world.enabled()
        assert world.account.schedule(name).role.endswith("role/other")


class TestOwnership:
    @pytest.mark.parametrize(
        ("tags", "after", "why"),
        [
            ({}, OUR_MARKS, "somebody made it for us"),
            (CLUSTER_MARK, OUR_MARKS, "a mark is missing"),
            ({**OUR_MARKS, "team": "data"}, {**OUR_MARKS, "team": "data"}, "it is ours"),
        ],
    )
    def test_a_group_that_is_nobody_elses_bears_our_marks(
        self, empty: World, tags: dict[str, str], after: dict[str, str], why: str
    ) -> None:
        empty.account.groups[GROUP] = dict(tags)
        empty.furnish()
        empty.start().work()

        assert empty.account.groups[GROUP] == after, why
        assert condition(empty)["status"] == "True", why

    @pytest.mark.parametrize(
        ("tags", "reason"),
        [
            ({"bgtask.dev/cluster": "another"}, "ScheduleGroupOfAnotherCluster"),
            ({"bgtask.dev/installation": "other"}, "NotOwned"),
            ({"bgtask.dev/installation": "other", "bgtask.dev/cluster": "another"}, "NotOwned"),
        ],
    )
    def test_a_group_of_somebody_else_is_left_alone(self, empty: World, tags: dict[str, str], reason: str) -> None:
        empty.account.groups[GROUP] = dict(tags)
        empty.furnish()
        empty.start().work()

        assert empty.account.groups[GROUP] == tags
        assert condition(empty)["reason"] == reason

    def test_the_group_of_another_cluster_is_taken_over_when_told_so(self, empty: World) -> None:
        empty.account.groups[GROUP] = {**OUR_MARKS, "bgtask.dev/cluster": "another"}
        empty.furnish()
        empty.start(adopt=True).work()

        assert empty.account.groups[GROUP] == OUR_MARKS
        assert condition(empty)["status"] == "True"

    def test_no_switch_takes_over_the_group_of_another_installation(self, empty: World) -> None:
        empty.account.groups[GROUP] = {"bgtask.dev/installation": "other"}
        empty.furnish()
        empty.start(adopt=True).work()

        assert condition(empty)["reason"] == "NotOwned"


class TestPlaces:
    """Each template's tasks live in its own region, and are worked on as its own identity."""

    FAR = "us-east-1"
    ROLE = "arn:aws:iam::999999999999:role/operator"

    def test_what_a_template_asks_for_is_made_where_it_says(self, world: World) -> None:
        far = _furnish_far(world, region=self.FAR)
        world.apply(name="far-task", launchTemplate="far")
        process(world).work()
        here = dict(world.account.schedules)

        assert world.condition(of=world.task("far-task"))["status"] == "True"
        assert far.groups == {GROUP: OUR_MARKS}
        assert [name for _, name in far.schedules] == [Owner("test", "reports", "far-task").schedule_name(0)]
        assert [one.owner for one in far.active()] == ["test/reports/far-task"]
        assert [name for _, name in here] == [OWNER.schedule_name(0)]

    def test_what_somebody_changed_there_is_put_right_there(self, world: World) -> None:
        far = _furnish_far(world, region=self.FAR)
        world.apply(name="far-task", launchTemplate="far")
        process(world).work()
        made, here = far.schedules.copy(), world.account.schedules.copy()
        assert len(made) == 1
        far.schedules.clear()

        world.pass_time(1200, step=600)

        assert far.schedules.keys() == made.keys()
        assert world.account.schedules.keys() == here.keys()

    def test_a_task_leaves_nothing_there(self, world: World) -> None:
        far = _furnish_far(world, region=self.FAR)
        world.apply(name="far-task", launchTemplate="far")
        process(world).work()
        here = world.account.schedules.copy()

        world.delete(name="far-task")
        process(world).work()

        assert far.schedules == {}
        assert far.active() == []
        assert world.account.schedules == here

    def test_a_role_that_trusts_another_template_is_refused_until_it_trusts_this_one(self, empty: World) -> None:
        far = _furnish_far(empty, region=REGION, number="999999999999", assumeRoleArn=self.ROLE)
        empty.clouds.trusts[self.ROLE] = "test/default"
        empty.start().work()
        assert condition(empty, of="far")["reason"] == "RoleNotAssumable"

        empty.clouds.trusts[self.ROLE] = "test/far"
        empty.pass_time(10, step=1)

        assert condition(empty, of="far")["status"] == "True"
        assert far.groups == {GROUP: OUR_MARKS}
        assert empty.account.groups == {}


def _furnish_far(world: World, *, region: str, number: str = ACCOUNT, **spec: Any) -> Account:
    """A template `far` with queues of its own, and the account that it is for."""
    account = world.clouds.account(region, number)
    queues = {name: f"arn:aws:sqs:{region}:{number}:far-{name}" for name in ("events", "ticks")}
    account.queues |= {arn: Queue() for arn in queues.values()}
    world.furnish(name="far", region=region, queues=queues, **spec)
    return account


class TestFailures:
    @pytest.mark.parametrize(
        "operation", ["kube.add_finalizer", "schedules.create_group", "logs.ensure", "kube.patch*"]
    )
    @pytest.mark.parametrize("after_effect", [False, True])
    @pytest.mark.parametrize("kind", [Busy, Blocked])
    def test_whatever_fails_is_tried_again(
        self, empty: World, operation: str, kind: type[Expected], *, after_effect: bool
    ) -> None:
        empty.trace.fail_next(operation, kind("Odd", "Odd."), after_effect=after_effect)
        empty.furnish()
        empty.start().work()

        empty.pass_time(60, step=1)

        assert condition(empty)["status"] == "True"
        assert empty.account.groups == {GROUP: OUR_MARKS}

    @pytest.mark.parametrize("after_effect", [False, True])
    def test_a_template_is_never_ready_without_its_cluster(self, empty: World, *, after_effect: bool) -> None:
        empty.furnish()
        empty.apply()
        empty.trace.fail_next("kube.patch_status", Busy("Conflict", "Somebody else wrote."), after_effect=after_effect)
        empty.start().work()

        empty.pass_time(5, step=1)

        assert condition(empty)["status"] == "True"
        assert empty.object(TEMPLATES, "default")["status"]["clusterArn"] == CLUSTER
        assert empty.condition()["status"] == "True", "its tasks know where to run"

    def test_a_cluster_that_somebody_struck_from_the_status_is_found_again(self, bare: World) -> None:
        body = bare.object(TEMPLATES, "default")
        status = {key: value for key, value in body["status"].items() if key != "clusterArn"}
        bare.store.replace(TEMPLATES, body, {**body, "status": status})

        process(bare).work()

        assert bare.object(TEMPLATES, "default")["status"]["clusterArn"] == CLUSTER

    def test_a_refusal_of_aws_is_stalled(self, empty: World) -> None:
        empty.trace.fail_next("logs.ensure", Rejected("InvalidLogGroup", "CloudWatch Logs does not like it."))
        empty.furnish()
        empty.start().work()

        assert condition(empty, "Stalled")["reason"] == "InvalidLogGroup"


class TestReading:
    """Schedules fire whatever becomes of the template that they were made by: its queues are read on."""

    @pytest.mark.parametrize(
        "operation", ["ecs.cluster", "queues.describe", "schedules.group", "logs.ensure", "kube.patch_status"]
    )
    @pytest.mark.parametrize("kind", [Busy, Blocked, Rejected])
    def test_a_restart_that_cannot_verify_it_reads_its_queues(
        self, world: World, operation: str, kind: type[Expected]
    ) -> None:
        world.trace.fail_next(operation, kind("Odd", "Odd."), times=1000)

        world.start().work()

        assert process(world).followed.queues == {"default": EVENTS}

    def test_a_restart_reads_the_queues_of_a_template_that_is_to_go(self, world: World) -> None:
        world.delete(TEMPLATES, "default")
        process(world).work()
        world.start().work()

        arn = world.fires()
        world.tells(arn, "RUNNING")

        assert [run["status"]["phase"] for run in world.runs()] == ["Running"]

    def test_what_could_not_be_logged_to_is_read_all_the_same(self, empty: World) -> None:
        empty.trace.fail_next("logs.ensure", Blocked("AccessDenied", "Grant it."), times=1000)
        empty.furnish()

        empty.start().work()

        assert process(empty).followed.queues == {"default": EVENTS}

    @pytest.mark.parametrize("operation", ["ecs.cluster", "queues.describe", "schedules.group"])
    def test_a_template_that_was_never_verified_is_not_read(self, empty: World, operation: str) -> None:
        empty.trace.fail_next(operation, Blocked("AccessDenied", "Grant it."), times=1000)
        empty.furnish()

        empty.start().work()

        assert process(empty).followed.queues == {}

    def test_another_clusters_messages_are_left_to_it(self, world: World) -> None:
        world.account.groups[GROUP] = {**OUR_MARKS, "bgtask.dev/cluster": "another"}

        world.start().work()

        assert condition(world)["reason"] == "ScheduleGroupOfAnotherCluster"
        assert process(world).followed.queues == {}

    def test_a_change_that_cannot_be_verified_leaves_the_queues_that_are_read(self, world: World) -> None:
        world.edit_template(queues={"events": f"{EVENTS}-new", "ticks": TICKS})

        process(world).work()

        assert condition(world)["reason"] == "QueueNotFound"
        assert process(world).followed.queues == {"default": EVENTS}


class TestEnd:
    def test_it_stays_while_tasks_use_it_and_says_who(self, world: World) -> None:
        world.delete(TEMPLATES, "default")
        process(world).work()

        assert condition(world, "Reconciling")["reason"] == "InUse"
        assert "reports/nightly" in condition(world, "Reconciling")["message"]
        assert process(world).followed.queues == {"default": EVENTS}

    def test_its_queues_are_read_no_longer_once_it_is_gone(self, bare: World) -> None:
        bare.delete(TEMPLATES, "default")
        process(bare).work()

        assert bare.find(TEMPLATES, "default") is None
        assert process(bare).followed.queues == {}

    def test_an_end_that_nobody_of_ours_held_up_is_noticed(self, bare: World) -> None:
        body = bare.object(TEMPLATES, "default")
        metadata = {key: value for key, value in body["metadata"].items() if key != "finalizers"}
        bare.store.replace(TEMPLATES, body, {**body, "metadata": metadata})
        bare.delete(TEMPLATES, "default")

        process(bare).work()

        assert process(bare).followed.queues == {}
        assert process(bare).context.cache.template(TEMPLATE.name) is None
