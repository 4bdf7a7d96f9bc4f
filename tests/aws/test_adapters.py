"""The operator's adapters against localaws: what is written can be read back, and what AWS refuses is understood.

Waits for conditions only; whatever needs a failure at a chosen moment asks localaws for the fault.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from backgroundtask.aws import Cloud, Clouds, Cluster, Pacing, task_of
from backgroundtask.errors import Blocked, Busy, Expected, Rejected
from backgroundtask.plan.definition import Definition
from backgroundtask.plan.names import Owner, family_prefix
from backgroundtask.plan.outcome import Task, outcome
from backgroundtask.plan.schedule import Placement, Schedule, run_task_request
from backgroundtask.plan.scheduler import SCHEDULED_TIME
from fixtures.fake_clouds import UNHURRIED
from localaws.running import Running

OWNER = Owner("test", "reports", "nightly")
GROUP = "bgt-test"
ACCOUNT = "123456789012"
ECS = f"arn:aws:ecs:eu-west-1:{ACCOUNT}"
FOREVER = (sys.executable, "-c", "import time; time.sleep(600)")
MILLISECOND = dt.timedelta(milliseconds=1)  # localaws cuts the times of an event to it, and rounds those of an answer
EXIT_3 = (sys.executable, "-c", "raise SystemExit(3)")

_Found = TypeVar("_Found")


def until(look: Callable[[], _Found], *, seconds: float = 15.0) -> _Found:
    """What `look` answers once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
    return found


def definition(*command: str, owner: Owner = OWNER, image: str = "reports:1") -> Definition:
    return Definition(owner=owner, image=image, cpu=256, memory=512, command=command, env={"A": "1", "B": "2"})


def request(revision: str, *, slot: str = SCHEDULED_TIME) -> dict[str, object]:
    place = Placement(cluster=f"{ECS}:cluster/main", subnets=("subnet-1",))
    token = f"{OWNER.token_prefix}{slot}"
    return run_task_request(owner=OWNER, uid="uid-1", definition_arn=revision, placement=place, slot=slot, token=token)


def schedule(revision: str, *, name: str = OWNER.schedule_name(0), expression: str = "cron(0 3 ? * * *)") -> Schedule:
    return Schedule(
        name=name,
        group=GROUP,
        expression=expression,
        time_zone="Europe/Berlin",
        enabled=True,
        request=request(revision),
        role=f"arn:aws:iam::{ACCOUNT}:role/launch",
        dead_letters=f"arn:aws:sqs:eu-west-1:{ACCOUNT}:ticks",
        owner=str(OWNER),
        uid="uid-1",
    )


def queue(aws: Running, name: str) -> str:
    """The ARN of a new queue."""
    aws.client("sqs").create_queue(QueueName=name, Attributes={"VisibilityTimeout": "45"})
    return f"arn:aws:sqs:{aws.region}:{aws.account}:{name}"


@pytest.fixture
def told() -> list[tuple[str, str]]:
    """Each attempt that was made: operation and code."""
    return []


@pytest.fixture
def clouds(aws: Running, monkeypatch: pytest.MonkeyPatch, told: list[tuple[str, str]]) -> Clouds:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    return Clouds(
        installation="test", pacing=Pacing(UNHURRIED), on_call=lambda operation, code, _: told.append((operation, code))
    )


@pytest.fixture
def cloud(clouds: Clouds) -> Cloud:
    return clouds.of(region="eu-west-1", assume_role_arn=None, template="default")


@pytest.fixture
def cluster(aws: Running) -> str:
    arn: str = aws.client("ecs").create_cluster(clusterName="main", capacityProviders=["FARGATE"])["cluster"][
        "clusterArn"
    ]
    return arn


@pytest.fixture
def role(aws: Running) -> None:
    """The role that schedules name, and that trusts them."""
    allowed = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    aws.client("iam").create_role(RoleName="launch", AssumeRolePolicyDocument=trust)


@pytest.fixture
def group(cloud: Cloud, role: None) -> str:  # noqa: ARG001 - schedules of the group name it
    return cloud.schedules.create_group(GROUP, {"cluster": "uid-0"}).name


class TestDefinitions:
    def test_a_registered_revision_is_found_by_its_marks_in_another_process(self, cloud: Cloud) -> None:
        made = cloud.ecs.register(definition(), "uid-1")

        clouds = Clouds(installation="test", pacing=Pacing(UNHURRIED))
        elsewhere = clouds.of(region="eu-west-1", assume_role_arn=None, template="default")
        (arn,) = elsewhere.ecs.active_revisions(OWNER.family)
        assert elsewhere.ecs.revision(arn) == made
        assert (made.arn, made.digest, made.owner, made.uid) == (arn, definition().digest, str(OWNER), "uid-1")
        assert (made.image, made.cpu, made.memory) == ("reports:1", definition().cpu, definition().memory)

    def test_revisions_are_listed_newest_first_across_pages(self, cloud: Cloud) -> None:
        made = [cloud.ecs.register(definition(image=f"reports:{number}"), "uid-1").arn for number in range(102)]

        assert cloud.ecs.active_revisions(OWNER.family) == tuple(reversed(made))

    def test_the_walk_through_all_revisions_finds_every_family_of_the_installation_only(self, cloud: Cloud) -> None:
        others = (Owner("test", "a", "b"), Owner("testing", "a", "b"))
        ours, theirs = (cloud.ecs.register(definition(owner=owner), "uid").arn for owner in others)

        assert list(cloud.ecs.all_active_revisions(family_prefix("test"))) == [ours]
        assert list(cloud.ecs.all_active_revisions(family_prefix("testing"))) == [theirs]

    def test_a_revision_that_was_retired_can_be_retired_again(self, cloud: Cloud) -> None:
        arn = cloud.ecs.register(definition(), "uid-1").arn

        cloud.ecs.deregister(arn)
        cloud.ecs.deregister(arn)

        assert cloud.ecs.active_revisions(OWNER.family) == ()

    def test_a_revision_that_never_was_is_retired(self, cloud: Cloud) -> None:
        cloud.ecs.deregister(f"{ECS}:task-definition/{OWNER.family}:7")

        assert cloud.ecs.active_revisions(OWNER.family) == ()

    def test_a_revision_that_is_not_there_is_to_be_looked_for_again(self, cloud: Cloud) -> None:
        with pytest.raises(Busy) as caught:
            cloud.ecs.revision(f"{ECS}:task-definition/{OWNER.family}:7")

        assert caught.value.reason == "RevisionVanished"

    @pytest.mark.parametrize(("action", "revisions"), [("drop-after", 1), ("drop-before", 0)])
    def test_a_registration_whose_answer_is_lost_is_not_repeated(
        self, aws: Running, cloud: Cloud, action: str, revisions: int
    ) -> None:
        aws.fault(action, "ecs", "RegisterTaskDefinition")

        with pytest.raises(Busy):
            cloud.ecs.register(definition(), "uid-1")

        assert len(cloud.ecs.active_revisions(OWNER.family)) == revisions
        assert len(aws.journal(service="ecs", operation="RegisterTaskDefinition")) == 1

    def test_a_size_that_fargate_does_not_have_is_for_the_user_to_change(self, cloud: Cloud) -> None:
        with pytest.raises(Rejected) as caught:
            cloud.ecs.register(replace(definition(), memory=8192), "uid-1")

        assert caught.value.reason == "InvalidFargateSize"

    def test_what_ecs_refuses_is_told_without_what_it_quotes(self, cloud: Cloud) -> None:
        wrong = replace(definition(), stop_timeout=500, env={"PASSWORD": "hunter2-canary"})

        with pytest.raises(Rejected) as caught:
            cloud.ecs.register(wrong, "uid-1")

        assert caught.value.reason == "InvalidTaskDefinition"
        assert "hunter2-canary" not in str(caught.value) + str(caught.value.__cause__)


class TestClustersAndTasks:
    def test_a_cluster_is_there_or_missing(self, cloud: Cloud, cluster: str) -> None:
        assert cloud.ecs.cluster("main") == Cluster(arn=cluster, status="ACTIVE")
        assert cloud.ecs.cluster(cluster) == Cluster(arn=cluster, status="ACTIVE")
        assert cloud.ecs.cluster("other") is None

    def test_a_cluster_that_is_not_there_runs_no_tasks_and_describes_none(self, cloud: Cloud) -> None:
        assert cloud.ecs.tasks_of("other", OWNER.family) == ()
        with pytest.raises(Blocked) as caught:
            cloud.ecs.tasks("other", ["1" * 32])

        assert caught.value.reason == "ClusterNotFound"

    def test_a_running_task_is_found_by_its_family_until_it_is_told_to_stop(
        self, aws: Running, cloud: Cloud, cluster: str
    ) -> None:
        arn = run(aws, cloud, FOREVER)

        (found,) = cloud.ecs.tasks_of(cluster, OWNER.family)
        cloud.ecs.stop(cluster, arn, "the BackgroundTask is deleted")
        cloud.ecs.stop(cluster, arn, "the BackgroundTask is deleted")

        assert (found.arn, found.uid, found.slot is not None) == (arn, "uid-1", True)
        assert cloud.ecs.tasks_of(cluster, OWNER.family) == ()
        assert "the BackgroundTask is deleted" in ended(cloud, cluster, arn).stopped_reason

    def test_a_task_that_ended_by_itself_can_be_stopped(self, aws: Running, cloud: Cloud, cluster: str) -> None:
        arn = run(aws, cloud, EXIT_3)
        task = ended(cloud, cluster, arn)

        cloud.ecs.stop(cluster, arn, "why")

        assert (task.exit_code, outcome(task).phase) == (3, "Failed")

    def test_a_task_that_never_was_is_missing_and_can_be_stopped(self, cloud: Cloud, cluster: str) -> None:
        arn = f"{ECS}:task/main/{'0' * 32}"

        cloud.ecs.stop(cluster, arn, "why")

        assert cloud.ecs.tasks(cluster, [arn]) == ({}, frozenset({arn}))

    @pytest.mark.usefixtures("cluster")
    def test_an_event_tells_the_same_task_as_the_api(self, aws: Running, cloud: Cloud) -> None:
        events = queue(aws, "events")
        collect_events(aws, events)
        arn = run(aws, cloud, EXIT_3)

        last = until(lambda: next((one for one in told_tasks(cloud, events) if one.last_status == "STOPPED"), None))

        found, _ = cloud.ecs.tasks("main", [arn])
        assert timeless(last) == timeless(found[arn])
        assert all(abs(one - other) <= MILLISECOND for one, other in zip(times(last), times(found[arn]), strict=True))
        assert (last.exit_code, last.uid) == (3, "uid-1")


def timeless(task: Task) -> Task:
    return replace(task, created_at=None, started_at=None, stopped_at=None)


def times(task: Task) -> list[dt.datetime]:
    """When it was created, started and stopped."""
    found = [task.created_at, task.started_at, task.stopped_at]
    return [one for one in found if one is not None]


def run(aws: Running, cloud: Cloud, command: tuple[str, ...]) -> str:
    revision = cloud.ecs.register(definition(*command), "uid-1").arn
    wanted = request(revision, slot="2026-11-21T03:00:00Z")
    arn: str = aws.client("ecs").run_task(**wanted)["tasks"][0]["taskArn"]
    return arn


def ended(cloud: Cloud, cluster: str, arn: str) -> Task:
    def stopped() -> Task | None:
        found, _ = cloud.ecs.tasks(cluster, [arn])
        return found[arn] if found[arn].last_status == "STOPPED" else None

    task = until(stopped)
    assert task is not None
    return task


def collect_events(aws: Running, queue_arn: str) -> None:
    """Send every change of a task of the installation to the queue."""
    events = aws.client("events")
    pattern = {"source": ["aws.ecs"], "detail": {"group": [{"prefix": f"family:{family_prefix('test')}"}]}}
    rule = events.put_rule(Name="tasks", EventPattern=json.dumps(pattern))["RuleArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=queue_arn.rpartition(":")[2])["QueueUrl"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    events.put_targets(Rule="tasks", Targets=[{"Id": "1", "Arn": queue_arn}])


def told_tasks(cloud: Cloud, queue_arn: str) -> list[Task]:
    messages = cloud.queues.receive(cloud.queues.url(queue_arn), wait_seconds=1)
    return [task_of(json.loads(message.body)["detail"]) for message in messages]


class TestSchedules:
    @pytest.mark.usefixtures("group")
    def test_a_schedule_reads_back_as_it_was_written(self, cloud: Cloud) -> None:
        wanted = schedule(cloud.ecs.register(definition(), "uid-1").arn)

        arn = cloud.schedules.create(wanted)

        found = cloud.schedules.find(GROUP, wanted.name)
        assert found is not None
        assert (found.schedule, found.arn) == (wanted, arn)

    @pytest.mark.usefixtures("group")
    def test_an_updated_schedule_reads_back_as_the_update(self, cloud: Cloud) -> None:
        before = schedule(f"{ECS}:task-definition/{OWNER.family}:1")
        after = replace(before.pointing_at(f"{ECS}:task-definition/{OWNER.family}:2"), enabled=False, time_zone="UTC")
        cloud.schedules.create(before)

        cloud.schedules.update(after)

        found = cloud.schedules.find(GROUP, before.name)
        assert found is not None
        assert found.schedule == after
        assert cloud.schedules.enabled_by_name(GROUP) == {before.name: False}

    @pytest.mark.usefixtures("group")
    def test_a_schedule_that_is_there_is_not_made_again(self, cloud: Cloud) -> None:
        first = schedule(f"{ECS}:task-definition/{OWNER.family}:1")
        cloud.schedules.create(first)

        with pytest.raises(Busy) as caught:
            cloud.schedules.create(replace(first, time_zone="UTC"))

        found = cloud.schedules.find(GROUP, first.name)
        assert found is not None
        assert found.schedule == first
        assert caught.value.reason == "ScheduleExists"

    @pytest.mark.usefixtures("group")
    def test_a_creation_whose_answer_is_lost_succeeds_at_the_second_attempt(
        self, aws: Running, cloud: Cloud, told: list[tuple[str, str]]
    ) -> None:
        aws.fault("drop-after", "scheduler", "CreateSchedule", times=1)
        wanted = schedule(f"{ECS}:task-definition/{OWNER.family}:1")

        cloud.schedules.create(wanted)

        attempts = [code for operation, code in told if operation == "scheduler.CreateSchedule"]
        assert (len(attempts), attempts[-1]) == (2, "OK")
        assert list(cloud.schedules.enabled_by_name(GROUP)) == [wanted.name]

    @pytest.mark.usefixtures("group")
    def test_a_schedule_can_be_removed_twice(self, cloud: Cloud) -> None:
        wanted = schedule(f"{ECS}:task-definition/{OWNER.family}:1")
        cloud.schedules.create(wanted)

        cloud.schedules.remove(GROUP, wanted.name)
        cloud.schedules.remove(GROUP, wanted.name)

        assert cloud.schedules.find(GROUP, wanted.name) is None

    @pytest.mark.usefixtures("group")
    def test_an_update_of_a_schedule_that_is_gone_is_to_be_looked_at_again(self, cloud: Cloud) -> None:
        with pytest.raises(Busy) as caught:
            cloud.schedules.update(schedule(f"{ECS}:task-definition/{OWNER.family}:1"))

        assert caught.value.reason == "ScheduleVanished"

    @pytest.mark.usefixtures("group")
    def test_an_expression_that_scheduler_does_not_know_is_for_the_user_to_change(self, cloud: Cloud) -> None:
        with pytest.raises(Rejected) as caught:
            cloud.schedules.create(schedule(f"{ECS}:task-definition/{OWNER.family}:1", expression="cron(61 3 ? * * *)"))

        assert caught.value.reason == "InvalidSchedule"

    @pytest.mark.usefixtures("group")
    def test_a_group_of_more_than_a_page_is_listed_whole(self, cloud: Cloud) -> None:
        names = [f"schedule-{number}" for number in range(102)]
        for name in names:
            cloud.schedules.create(schedule(f"{ECS}:task-definition/{OWNER.family}:1", name=name))

        assert cloud.schedules.enabled_by_name(GROUP) == dict.fromkeys(names, True)

    def test_a_role_that_does_not_trust_scheduler_is_for_someone_to_correct(self, cloud: Cloud) -> None:
        cloud.schedules.create_group(GROUP, {})

        with pytest.raises(Blocked) as caught:
            cloud.schedules.create(schedule(f"{ECS}:task-definition/{OWNER.family}:1"))

        assert caught.value.reason == "RoleNotAssumable"

    @pytest.mark.usefixtures("role")
    def test_where_there_is_no_group_there_is_no_schedule_and_none_can_be_made(self, cloud: Cloud) -> None:
        with pytest.raises(Blocked) as caught:
            cloud.schedules.create(schedule(f"{ECS}:task-definition/{OWNER.family}:1"))

        assert caught.value.reason == "ScheduleGroupNotFound"
        assert cloud.schedules.find(GROUP, "any") is None
        assert cloud.schedules.enabled_by_name(GROUP) == {}
        assert cloud.schedules.group(GROUP) is None
        cloud.schedules.remove(GROUP, "any")

    def test_a_group_keeps_the_tags_that_it_was_made_with_and_takes_more(self, cloud: Cloud) -> None:
        made = cloud.schedules.create_group(GROUP, {"cluster": "uid-0"})

        cloud.schedules.tag_group(made.arn, {"adopted": "yes"})

        assert cloud.schedules.group(GROUP) == replace(made, tags={"cluster": "uid-0", "adopted": "yes"})

    @pytest.mark.usefixtures("group")
    def test_a_group_that_is_there_is_not_made_again(self, cloud: Cloud) -> None:
        with pytest.raises(Busy) as caught:
            cloud.schedules.create_group(GROUP, {"cluster": "another"})

        found = cloud.schedules.group(GROUP)
        assert found is not None
        assert found.tags == {"cluster": "uid-0"}
        assert caught.value.reason == "ScheduleGroupExists"


class TestQueues:
    def test_a_message_is_received_released_and_deleted(self, aws: Running, cloud: Cloud) -> None:
        url = cloud.queues.url(queue(aws, "events"))
        aws.client("sqs").send_message(QueueUrl=url, MessageBody="hello")

        (first,) = cloud.queues.receive(url, wait_seconds=2)
        cloud.queues.release(url, [first.receipt])
        (second,) = cloud.queues.receive(url, wait_seconds=2)
        refused = cloud.queues.delete(url, [second.receipt])

        assert (first.body, second.body, second.id) == ("hello", "hello", first.id)
        assert refused == frozenset()
        assert cloud.queues.receive(url, wait_seconds=0) == []

    def test_more_than_a_batch_is_deleted(self, aws: Running, cloud: Cloud) -> None:
        url = cloud.queues.url(queue(aws, "events"))
        for number in range(12):
            aws.client("sqs").send_message(QueueUrl=url, MessageBody=str(number))
        receipts = [one.receipt for _ in range(2) for one in cloud.queues.receive(url, wait_seconds=1)]

        cloud.queues.delete(url, receipts)

        assert len(receipts) == 12
        cloud.queues.release(url, receipts)
        assert cloud.queues.receive(url, wait_seconds=1) == []

    def test_a_queue_tells_whether_the_unreadable_ends_in_another(self, aws: Running, cloud: Cloud) -> None:
        plain, guarded, poison = (queue(aws, name) for name in ("plain", "guarded", "poison"))
        policy = json.dumps({"deadLetterTargetArn": poison, "maxReceiveCount": "5"})
        aws.client("sqs").set_queue_attributes(QueueUrl=cloud.queues.url(guarded), Attributes={"RedrivePolicy": policy})

        assert cloud.queues.describe(plain).has_redrive is False
        assert cloud.queues.describe(guarded).has_redrive is True
        assert cloud.queues.describe(plain).visibility_timeout == 45

    def test_a_queue_that_is_not_there_is_for_someone_to_create(self, cloud: Cloud) -> None:
        with pytest.raises(Blocked) as caught:
            cloud.queues.url(f"arn:aws:sqs:eu-west-1:{ACCOUNT}:nowhere")

        assert caught.value.reason == "QueueNotFound"


class TestLogGroups:
    def test_a_group_is_made_once_and_its_retention_written_once(self, aws: Running, cloud: Cloud) -> None:
        for _ in range(2):
            cloud.logs.ensure("/bgt/test/default", retention_days=30, tags={"a": "1"})

        (group,) = aws.client("logs").describe_log_groups(logGroupNamePrefix="/bgt/test/default")["logGroups"]
        assert group["retentionInDays"] == 30
        assert len(aws.journal(service="logs", write=True)) == 2

    def test_another_retention_is_written_and_none_is_left_alone(self, aws: Running, cloud: Cloud) -> None:
        for days in (30, 7, None):
            cloud.logs.ensure("/bgt/test/default", retention_days=days, tags={})

        (group,) = aws.client("logs").describe_log_groups(logGroupNamePrefix="/bgt/test/default")["logGroups"]
        assert group["retentionInDays"] == 7


class TestIdentityAndFailures:
    def test_a_role_is_assumed_to_work_in_another_account(self, aws: Running, clouds: Clouds, cluster: str) -> None:
        role = f"arn:aws:iam::{ACCOUNT}:role/tenant"

        found = clouds.of(region="eu-west-1", assume_role_arn=role, template="tenant").ecs.cluster("main")

        assert found == Cluster(arn=cluster, status="ACTIVE")
        assert len(aws.journal(service="sts", operation="AssumeRole")) == 1

    def test_a_region_has_a_world_of_its_own(self, clouds: Clouds, cluster: str) -> None:
        elsewhere = clouds.of(region="us-east-1", assume_role_arn=None, template="default")

        assert elsewhere.ecs.cluster(cluster.rpartition("/")[2]) is None

    @pytest.mark.parametrize(
        ("code", "status", "kind"),
        [("AccessDeniedException", 403, Blocked), ("ThrottlingException", 400, Busy), ("InternalFailure", 500, Busy)],
    )
    def test_a_failure_is_neither_absence_nor_a_bug(
        self, aws: Running, cloud: Cloud, code: str, status: int, kind: type[Expected]
    ) -> None:
        aws.fault("error", code=code, message="no", status=status)

        for ask in (
            lambda: cloud.ecs.cluster("main"),
            lambda: cloud.ecs.active_revisions(OWNER.family),
            lambda: cloud.schedules.find(GROUP, "any"),
            lambda: cloud.queues.url(f"arn:aws:sqs:eu-west-1:{ACCOUNT}:events"),
            lambda: cloud.logs.ensure("/bgt/test/default", retention_days=1, tags={}),
        ):
            with pytest.raises(kind):
                ask()

    def test_a_passing_outage_is_bridged_and_told(
        self, aws: Running, cloud: Cloud, cluster: str, told: list[tuple[str, str]]
    ) -> None:
        aws.fault("error", "ecs", "DescribeClusters", code="ServerException", status=500, times=1)

        assert cloud.ecs.cluster(cluster) is not None
        assert told == [("ecs.DescribeClusters", "ServerException"), ("ecs.DescribeClusters", "OK")]
