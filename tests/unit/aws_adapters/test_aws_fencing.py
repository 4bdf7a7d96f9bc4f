"""Every attempt at a write to AWS asks right before it is sent, and no read does."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from backgroundtask.aws import Clouds, Ecs, Queues
from backgroundtask.aws.fencing import is_write
from backgroundtask.errors import Busy
from fixtures.wire import REGION, Wire

READS = """
ecs: DescribeClusters DescribeTaskDefinition ListTaskDefinitions ListTasks DescribeTasks
scheduler: GetSchedule ListSchedules GetScheduleGroup ListTagsForResource
sqs: GetQueueUrl GetQueueAttributes
logs: DescribeLogGroups
events: DescribeRule ListRuleNamesByTarget TestEventPattern
iam: GetRole
sts: AssumeRole GetCallerIdentity
ecr: DescribeRepositories ListTagsForResource GetLifecyclePolicy GetAuthorizationToken
"""
WRITES = """
ecs: RegisterTaskDefinition DeregisterTaskDefinition TagResource StopTask RunTask
scheduler: CreateSchedule UpdateSchedule DeleteSchedule CreateScheduleGroup TagResource
sqs: ReceiveMessage DeleteMessage DeleteMessageBatch ChangeMessageVisibilityBatch SendMessage
logs: CreateLogGroup PutRetentionPolicy TagResource
ecr: CreateRepository DeleteRepository PutImageScanningConfiguration PutLifecyclePolicy DeleteLifecyclePolicy
"""


class Ended(BaseException):
    """The process would have ended."""


class Fence:
    """Lets `left` writes pass."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self) -> None:
        if self.left <= 0:
            raise Ended
        self.left -= 1


def operations(text: str) -> list[str]:
    return sorted({name for line in text.split("\n") for name in line.partition(":")[2].split()})


@pytest.mark.parametrize("operation", operations(READS))
def test_what_only_looks_is_a_read(operation: str) -> None:
    assert not is_write(operation)


@pytest.mark.parametrize("operation", operations(WRITES))
def test_what_changes_something_or_takes_it_from_others_is_a_write(operation: str) -> None:
    assert is_write(operation)


def test_a_write_is_not_sent_once_the_lease_is_lost_and_a_read_is(wire: Wire) -> None:
    clients = wire.clients(before_write=Fence(0))
    wire.says("ListTasks", {"taskArns": []})

    clients.ecs.list_tasks(cluster="main")
    with pytest.raises(Ended):
        clients.ecs.stop_task(cluster="main", task="t")

    assert wire.operations() == ["ListTasks"]


def test_each_attempt_asks_again(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    clients = wire.clients(before_write=Fence(1), attempts=3)
    wire.breaks("StopTask", ConnectionClosedError(endpoint_url="https://ecs"))

    with pytest.raises(Ended):
        clients.ecs.stop_task(cluster="main", task="t")

    assert wire.operations() == ["StopTask"]


def test_no_message_is_taken_from_a_queue_by_who_does_not_lead(wire: Wire) -> None:
    clients = wire.clients(before_write=Fence(0))

    with pytest.raises(Ended):
        Queues(clients).receive("https://sqs/q")

    assert wire.operations() == []


def test_a_write_that_is_refused_on_the_way_out_is_busy_and_not_tried_again(wire: Wire) -> None:
    asked: list[str] = []

    def closed() -> None:
        asked.append("may I?")
        raise Busy("Unavailable", "This process is about to end")

    with pytest.raises(Busy, match="about to end"):
        Ecs(wire.clients(before_write=closed, attempts=3)).stop("main", "t", "because")

    assert (len(asked), wire.operations()) == (1, [])


def test_every_session_of_the_clouds_is_fenced(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's own, and that of an assumed role."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOWN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    fenced: list[Any] = []
    monkeypatch.setattr("backgroundtask.aws.cloud.fence", lambda session, _: fenced.append(session))
    clouds = Clouds(installation="prod", before_write=lambda: None)

    clouds.of(region=REGION, assume_role_arn=None, template="a")
    clouds.of(region=REGION, assume_role_arn="arn:aws:iam::444455556666:role/tenant", template="a")

    assert len(fenced) == 2
    assert wire.sent == []
