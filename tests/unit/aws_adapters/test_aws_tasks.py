"""A task as ECS tells it, in an event or in an answer, becomes our task; garbage is refused."""

import copy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backgroundtask.aws import Malformed, task_of
from backgroundtask.plan.outcome import Task

EVENT: dict[str, Any] = {
    "clusterArn": "arn:aws:ecs:eu-west-1:111122223333:cluster/main",
    "taskArn": "arn:aws:ecs:eu-west-1:111122223333:task/main/0123456789abcdef0123456789abcdef",
    "taskDefinitionArn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/bgt_prod_ns_job:7",
    "group": "family:bgt_prod_ns_job",
    "startedBy": "chronos-schedule/0a1b2c3d4e-ns-job",
    "desiredStatus": "STOPPED",
    "lastStatus": "STOPPED",
    "stopCode": "EssentialContainerExited",
    "stoppedReason": "Essential container in task exited",
    "version": 6,
    "createdAt": "2026-11-21T03:00:01.5Z",
    "startedAt": "2026-11-21T03:00:31.103Z",
    "stoppedAt": "2026-11-21T03:01:00Z",
    "containers": [
        {"name": "aws-guardduty-agent", "lastStatus": "STOPPED", "exitCode": 0},
        {"name": "aws-bg-task", "lastStatus": "STOPPED", "exitCode": 3, "reason": "went wrong"},
    ],
    "overrides": {
        "containerOverrides": [
            {"name": "aws-guardduty-agent"},
            {
                "name": "aws-bg-task",
                "environment": [
                    {"name": "BGT_TASK_UID", "value": "uid-1"},
                    {"name": "BGT_SCHEDULED_TIME", "value": "2026-11-21T03:00:00Z"},
                ],
            },
        ]
    },
}


def event(**members: Any) -> dict[str, Any]:
    return {**copy.deepcopy(EVENT), **members}


def test_an_event_tells_the_task_by_its_named_container() -> None:
    assert task_of(EVENT) == Task(
        arn=EVENT["taskArn"],
        definition_arn=EVENT["taskDefinitionArn"],
        version=6,
        last_status="STOPPED",
        desired_status="STOPPED",
        exit_code=3,
        container_reason="went wrong",
        stop_code="EssentialContainerExited",
        stopped_reason="Essential container in task exited",
        created_at=datetime(2026, 11, 21, 3, 0, 1, 500000, UTC),
        started_at=datetime(2026, 11, 21, 3, 0, 31, 103000, UTC),
        stopped_at=datetime(2026, 11, 21, 3, 1, tzinfo=UTC),
        uid="uid-1",
        slot=datetime(2026, 11, 21, 3, tzinfo=UTC),
    )


def test_an_answer_of_the_api_tells_the_same_as_the_event() -> None:
    local = timezone(timedelta(hours=2))
    moments = {
        key: datetime.fromisoformat(EVENT[key]).astimezone(local) for key in ("createdAt", "startedAt", "stoppedAt")
    }

    told = task_of(event(**moments))

    assert told == task_of(EVENT)
    assert {moment.tzinfo for moment in (told.created_at, told.started_at, told.stopped_at) if moment} == {UTC}


@pytest.mark.parametrize("containers", [[], None, [{"name": "other", "exitCode": 0}], [{"exitCode": 0}]])
def test_a_task_without_our_container_has_no_exit_code(containers: object) -> None:
    assert task_of(event(containers=containers)).exit_code is None


def test_a_task_that_failed_to_start_is_told_with_the_little_that_there_is() -> None:
    required = ("taskArn", "taskDefinitionArn", "version", "lastStatus", "desiredStatus")

    told = task_of({key: EVENT[key] for key in required})

    assert (told.exit_code, told.started_at, told.uid, told.slot) == (None, None, None, None)
    assert (told.container_reason, told.stopped_reason) == ("", "")


@pytest.mark.parametrize(
    "overrides",
    [None, {}, {"containerOverrides": []}, {"containerOverrides": [{"name": "aws-bg-task"}]}, {"cpu": "256"}],
)
def test_a_task_that_a_person_started_has_neither_uid_nor_slot(overrides: object) -> None:
    told = task_of(event(overrides=overrides))

    assert (told.uid, told.slot) == (None, None)


def test_a_slot_that_is_no_time_is_none() -> None:
    environment = [{"name": "BGT_SCHEDULED_TIME", "value": "<aws.scheduler.scheduled-time>"}]

    told = task_of(event(overrides={"containerOverrides": [{"name": "aws-bg-task", "environment": environment}]}))

    assert told.slot is None


@pytest.mark.parametrize(
    ("detail", "complaint"),
    [
        (event(taskArn=None), "taskArn is missing"),
        (event(taskArn=5), "taskArn is not of type str"),
        (event(taskArn="task-1"), "taskArn is not such an ARN"),
        (event(taskDefinitionArn="bgt_prod_ns_job"), "taskDefinitionArn is not such an ARN"),
        (event(version="6"), "version is not of type int"),
        (event(version=True), "version is not of type int"),
        (event(containers="none"), "containers is no list of objects"),
        (event(containers=[None]), "containers is no list of objects"),
        (event(containers=[{"name": "aws-bg-task", "exitCode": "0"}]), "exitCode is not of type int"),
        (event(overrides=[1]), "overrides is no object"),
        (event(createdAt="yesterday"), "createdAt is no time"),
        (event(createdAt="0001-01-01T00:00:00+14:00"), "createdAt is no time"),
        (event(createdAt="2026-11-21T03:00:00"), "createdAt is no time with a time zone"),
        (event(createdAt=1763694000), "createdAt is no time with a time zone"),
        (None, "no JSON object"),
        ([], "no JSON object"),
    ],
)
def test_garbage_is_refused_by_the_name_of_what_is_wrong(detail: Any, complaint: str) -> None:
    with pytest.raises(Malformed, match=complaint):
        task_of(detail)


def test_a_refusal_quotes_no_value() -> None:
    with pytest.raises(Malformed) as caught:
        task_of(event(createdAt="hunter2-canary"))

    assert "hunter2-canary" not in str(caught.value)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
OBJECTS = st.dictionaries(st.sampled_from(["name", "exitCode", "environment", "containerOverrides", "?"]), SCALARS)
ANYTHING = SCALARS | st.lists(SCALARS | OBJECTS, max_size=3) | OBJECTS


@given(members=st.dictionaries(st.sampled_from(sorted(EVENT)), ANYTHING, max_size=3))
@settings(max_examples=50, deadline=None)
def test_any_json_is_a_task_or_is_refused(members: dict[str, Any]) -> None:
    try:
        told = task_of(event(**members))
    except Malformed:
        return

    assert isinstance(told, Task)
    assert told.cluster == "main"


@given(members=st.dictionaries(st.text(max_size=8), ANYTHING, max_size=3))
@settings(max_examples=50, deadline=None)
def test_members_that_nobody_knows_yet_change_nothing(members: dict[str, Any]) -> None:
    assert task_of({**members, **EVENT}) == task_of(EVENT)
