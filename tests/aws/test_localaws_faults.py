"""Every fault that is asked for over HTTP hits localaws' own services and moto's alike, and is in the journal."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from localaws.running import Running


@dataclass(frozen=True, slots=True)
class Made:
    """One operation that makes something, and how to see what was made."""

    service: str
    operation: str
    make: Callable[[Running], Any]
    there: Callable[[Running], list[Any]]
    throttle: tuple[int, str]


def _roles(aws: Running) -> list[Any]:
    return list(aws.client("iam").list_roles()["Roles"])


SERVICES = [
    Made(
        "ecs",
        "CreateCluster",
        lambda aws: aws.client("ecs").create_cluster(clusterName="main"),
        lambda aws: list(aws.client("ecs").list_clusters()["clusterArns"]),
        (400, "ThrottlingException"),
    ),
    Made(
        "scheduler",
        "CreateScheduleGroup",
        lambda aws: aws.client("scheduler").create_schedule_group(Name="main"),
        lambda aws: list(aws.client("scheduler").list_schedule_groups(NamePrefix="main")["ScheduleGroups"]),
        (429, "ThrottlingException"),
    ),
    Made(
        "sqs",
        "CreateQueue",
        lambda aws: aws.client("sqs").create_queue(QueueName="main"),
        lambda aws: list(aws.client("sqs").list_queues().get("QueueUrls", [])),
        (403, "RequestThrottled"),
    ),
    Made(
        "logs",
        "CreateLogGroup",
        lambda aws: aws.client("logs").create_log_group(logGroupName="main"),
        lambda aws: list(aws.client("logs").describe_log_groups()["logGroups"]),
        (400, "ThrottlingException"),
    ),
    Made(
        "iam",
        "CreateRole",
        lambda aws: aws.client("iam").create_role(RoleName="main", AssumeRolePolicyDocument="{}"),
        _roles,
        (400, "Throttling"),
    ),
]

each_service = pytest.mark.parametrize("made", SERVICES, ids=lambda made: made.service)


def told(aws: Running, made: Made) -> list[tuple[str, bool]]:
    """What the journal says of each call: its outcome, and whether it had its effect."""
    calls = aws.journal(service=made.service, operation=made.operation)
    return [(call["outcome"], call["effect"]) for call in calls]


def status_and_code(refused: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


@each_service
def test_an_error_is_answered_and_nothing_is_made(aws: Running, made: Made) -> None:
    aws.fault("error", made.service, made.operation, code="AccessDeniedException", status=400, times=1)

    with pytest.raises(ClientError) as refused:
        made.make(aws)

    assert status_and_code(refused) == (400, "AccessDeniedException")
    assert (made.there(aws), told(aws, made)) == ([], [("AccessDeniedException", False)])


@each_service
def test_a_throttle_is_answered_in_the_way_of_the_service_and_nothing_is_made(aws: Running, made: Made) -> None:
    aws.fault("throttle", made.service, made.operation, times=1)

    with pytest.raises(ClientError) as refused:
        made.make(aws)

    assert status_and_code(refused) == made.throttle
    assert (made.there(aws), told(aws, made)) == ([], [(made.throttle[1], False)])


@each_service
def test_a_delay_makes_the_answer_late_and_takes_nothing_away(aws: Running, made: Made) -> None:
    aws.fault("delay", made.service, made.operation, seconds=0.3, times=1)
    began = time.monotonic()

    made.make(aws)

    assert time.monotonic() - began >= 0.3
    assert (len(made.there(aws)), told(aws, made)) == (1, [("ok", True)])
    (call,) = aws.journal(service=made.service, operation=made.operation)
    assert call["seconds"] >= 0.3


@each_service
@pytest.mark.parametrize(("action", "count"), [("drop-before", 0), ("drop-after", 1)])
def test_an_answer_is_dropped_before_the_effect_or_after_it(aws: Running, made: Made, action: str, count: int) -> None:
    aws.fault(action, made.service, made.operation, times=1)

    with pytest.raises(HTTPClientError):
        made.make(aws)

    assert len(made.there(aws)) == count
    assert told(aws, made) == [("dropped", bool(count))]
