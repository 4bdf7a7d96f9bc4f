"""EventBridge rules and their targets: written as AWS takes them, read back, and edits by others noticed."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.validate import validate_parameters
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.plan.names import Owner
from backgroundtask.plan.rules import from_rule, is_in, rule_group, to_rule, to_target
from backgroundtask.plan.schedule import Schedule
from fixtures.objects import CLUSTER
from fixtures.rules_contract import GROUP, OWNER, QUEUE, rule, ticking

REVISION = "arn:aws:ecs:eu-west-1:123456789012:task-definition/bgt_test_reports_nightly:7"
RULE = rule(REVISION)
TICKING = ticking(RULE)


@cache
def shape(operation: str) -> Any:
    return botocore.session.get_session().get_service_model("events").operation_model(operation).input_shape


def read(schedule: Schedule, **edits: Any) -> Schedule:
    """The rule as AWS answers it, after somebody has set members of its target; None takes one away."""
    target = {**json.loads(json.dumps(to_target(schedule))), **edits}
    kept = {name: value for name, value in target.items() if value is not None}
    return from_rule(to_rule(schedule), [kept], GROUP)


def with_parameters(**edits: Any) -> Schedule:
    return read(RULE, EcsParameters={**to_target(RULE)["EcsParameters"], **edits})


@given(
    st.builds(
        replace,
        st.sampled_from([RULE, TICKING]),
        enabled=st.booleans(),
        expression=st.sampled_from(["rate(5 minutes)", "cron(0 3 * * ? *)"]),
        dead_letters=st.none() | st.just(QUEUE),
        uid=st.sampled_from(["uid-1", None]),
        maximum_age=st.integers(60, 3000),
        retained=st.booleans(),
    )
)
def test_a_rule_is_read_back_as_it_was_written(schedule: Schedule) -> None:
    assert read(schedule) == schedule


@pytest.mark.parametrize("schedule", [RULE, TICKING], ids=["launches", "ticks"])
def test_aws_takes_what_is_sent(schedule: Schedule) -> None:
    longest = Owner("i" * 16, "n" * 63, "t" * 52)
    named = replace(schedule, name=longest.schedule_name(1), owner=str(longest), uid="u" * 36, retained=True)

    validate_parameters(to_rule(named), shape("PutRule"))
    validate_parameters({"Rule": named.name, "Targets": [to_target(named)]}, shape("PutTargets"))


def test_a_target_says_how_to_run_the_task_and_its_slot_is_the_time_of_the_event() -> None:
    target = to_target(RULE)

    template = target["InputTransformer"]["InputTemplate"]
    assert target["Arn"] == CLUSTER
    assert target["RoleArn"] == RULE.role
    assert target["EcsParameters"] == {
        "TaskDefinitionArn": REVISION,
        "TaskCount": 1,
        "PropagateTags": "TASK_DEFINITION",
        "LaunchType": "FARGATE",
        "PlatformVersion": "1.4.0",
        "NetworkConfiguration": {
            "awsvpcConfiguration": {
                "Subnets": ["subnet-1"],
                "SecurityGroups": ["sg-1"],
                "AssignPublicIp": "DISABLED",
            }
        },
    }
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 600, "MaximumRetryAttempts": 185}
    assert target["DeadLetterConfig"] == {"Arn": QUEUE}
    assert target["InputTransformer"]["InputPathsMap"] == {"slot": "$.time"}
    assert json.loads(template.replace("<slot>", '"2026-11-22T03:00:00Z"')) == {
        "containerOverrides": [
            {
                "name": "aws-bg-task",
                "environment": [
                    {"name": "BGT_TASK_UID", "value": "uid-1"},
                    {"name": "BGT_SCHEDULED_TIME", "value": "2026-11-22T03:00:00Z"},
                ],
            }
        ]
    }


def test_capacity_providers_stand_in_place_of_the_launch_type() -> None:
    request = {name: value for name, value in RULE.request.items() if name != "launchType"}
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]

    target = to_target(replace(RULE, request={**request, "capacityProviderStrategy": strategy}))

    assert "LaunchType" not in target["EcsParameters"]
    assert target["EcsParameters"]["CapacityProviderStrategy"] == strategy


def test_a_tick_goes_to_the_queue_by_the_queues_own_policy() -> None:
    target = to_target(TICKING)

    template = target["InputTransformer"]["InputTemplate"]
    assert target["Arn"] == QUEUE
    assert "RoleArn" not in target
    assert "EcsParameters" not in target
    assert json.loads(template.replace("<slot>", '"2026-11-22T03:00:00Z"')) == {
        "bgtask.dev/tick": {"owner": str(OWNER), "uid": "uid-1", "slot": "2026-11-22T03:00:00Z"}
    }


def test_another_revision_changes_a_launch_and_no_tick() -> None:
    moved = RULE.pointing_at(f"{REVISION[:-1]}8")

    assert to_target(moved)["EcsParameters"]["TaskDefinitionArn"] == f"{REVISION[:-1]}8"
    assert TICKING.pointing_at(REVISION) == TICKING


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (read(RULE, Arn=f"{CLUSTER}-2"), "another cluster"),
        (read(RULE, RoleArn="arn:aws:iam::123456789012:role/other"), "another role"),
        (read(RULE, RetryPolicy=None), "AWS's own policy, a day of attempts"),
        (read(RULE, DeadLetterConfig=None), "what is given up would be lost"),
        (read(RULE, Input="{}", InputTransformer=None), "tasks would not know their slot"),
        (read(RULE, InputTransformer={"InputPathsMap": {"slot": "$.id"}, "InputTemplate": "{}"}), "another slot"),
        (read(RULE, Id="other"), "a target of somebody else"),
        (with_parameters(TaskCount=2), "two tasks a slot"),
        (with_parameters(Group="x"), "another group, which the tracker's rule does not know"),
        (with_parameters(LaunchType="EC2"), "another kind of machine"),
        (read(TICKING, InputTransformer={"InputPathsMap": {"slot": "$.time"}, "InputTemplate": '"x"'}), "no tick"),
    ],
)
def test_what_somebody_edited_differs_and_can_be_switched_off_as_it_stands(found: Schedule, why: str) -> None:
    assert found not in (RULE, TICKING), why
    if found.edited_target is not None:
        assert replace(found, enabled=False).edited_target == found.edited_target


def test_a_member_that_eventbridge_names_with_its_default_is_no_edit() -> None:
    assert with_parameters(EnableECSManagedTags=False, EnableExecuteCommand=False, Tags=[]) == RULE


@pytest.mark.parametrize(
    ("targets", "why"),
    [
        ([], "the process ended before it put the target"),
        ([{"Id": "a", "Arn": QUEUE}, to_target(RULE)], "one too many"),
    ],
)
def test_a_rule_has_one_target(targets: list[Mapping[str, Any]], why: str) -> None:
    found = from_rule(to_rule(RULE), targets, GROUP)

    assert found.edited_target == {"Targets": targets}, why
    assert found.owner == str(OWNER), "it is still ours to mend"


def test_a_rule_that_fires_on_events_too_is_none_of_ours() -> None:
    found = from_rule({**to_rule(RULE), "EventPattern": "{}"}, [to_target(RULE)], GROUP)

    assert found.edited_target is not None


@pytest.mark.parametrize(
    ("description", "belongs", "why"),
    [
        (to_rule(RULE)["Description"], True, "ours"),
        ("bgtask.dev/owner=other/reports/nightly uid=uid-1", False, "another installation's"),
        ("bgtask.dev/owner=nonsense uid=", False, "a mark that names nobody"),
        ("nightly reports", False, "a stranger's"),
        ("", False, "a stranger's without words"),
    ],
)
def test_a_rule_belongs_to_the_installation_that_its_description_names(
    description: str, *, belongs: bool, why: str
) -> None:
    assert is_in(rule_group("test"), description) is belongs, why


def test_a_request_without_a_network_is_read_as_one() -> None:
    bare = {"cluster": CLUSTER, "taskDefinition": REVISION, "overrides": {}}

    assert "NetworkConfiguration" not in to_target(replace(RULE, request=bare))["EcsParameters"]


def test_a_placement_with_a_public_address_says_so() -> None:
    network = {"subnets": ["subnet-1"], "securityGroups": [], "assignPublicIp": "ENABLED"}
    public = replace(RULE, request={**RULE.request, "networkConfiguration": {"awsvpcConfiguration": network}})

    parameters = to_target(public)["EcsParameters"]["NetworkConfiguration"]["awsvpcConfiguration"]
    assert parameters == {"Subnets": ["subnet-1"], "AssignPublicIp": "ENABLED"}
    assert read(public) == public
