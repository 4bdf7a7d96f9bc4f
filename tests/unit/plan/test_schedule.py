"""A schedule: what Scheduler is sent reads back, what somebody edits is seen, one request starts one task a slot."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.validate import validate_parameters
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.plan.names import Owner
from backgroundtask.plan.schedule import MAXIMUM_AGE, Placement, Schedule, run_task_request
from backgroundtask.plan.scheduler import RUN_TASK, SCHEDULED_TIME, from_scheduler, to_scheduler

OWNER = Owner("prod", "reports", "nightly")
REVISION = "arn:aws:ecs:eu-west-1:123456789012:task-definition/bgt_prod_reports_nightly:7"
PLACEMENT = Placement(
    cluster="arn:aws:ecs:eu-west-1:123456789012:cluster/jobs",
    subnets=("subnet-1", "subnet-2"),
    security_groups=("sg-1",),
    public_ip=True,
    providers=(("FARGATE", 1, 2), ("FARGATE_SPOT", 3, 0)),
    platform_version="1.4.0",
)
BARE = Placement(cluster=PLACEMENT.cluster, subnets=("subnet-1",))


def request(**changes: Any) -> dict[str, Any]:
    return run_task_request(
        **{
            "owner": OWNER,
            "uid": "uid-1",
            "definition_arn": REVISION,
            "placement": PLACEMENT,
            "slot": SCHEDULED_TIME,
            "token": f"{OWNER.token_prefix}{SCHEDULED_TIME}",
            **changes,
        }
    )


SCHEDULE = Schedule(
    name=OWNER.schedule_name(0),
    group="bgt-prod",
    expression="cron(0 3 ? * MON-FRI *)",
    time_zone="Europe/Berlin",
    enabled=True,
    request=request(),
    role="arn:aws:iam::123456789012:role/scheduler",
    dead_letters="arn:aws:sqs:eu-west-1:123456789012:ticks",
    owner=str(OWNER),
    uid="uid-1",
)

texts = st.text(max_size=8)
leaves = st.booleans() | st.integers() | texts
members = st.dictionaries(st.from_regex(r"[a-z][A-Za-z]{0,5}", fullmatch=True), leaves, max_size=3)
requests = st.dictionaries(
    st.from_regex(r"[a-z][A-Za-z]{0,5}", fullmatch=True), leaves | members | st.lists(members | leaves, max_size=2)
)
owned = st.sampled_from([(str(OWNER), "uid-1"), (str(OWNER), None), (None, None)])
schedules = st.builds(
    lambda marks, **fields: Schedule(owner=marks[0], uid=marks[1], **fields),
    owned,
    name=texts,
    group=texts,
    expression=texts,
    time_zone=texts,
    enabled=st.booleans(),
    request=requests,
    role=texts,
    dead_letters=st.none() | st.text(min_size=1, max_size=8),
)


@cache
def shape(service: str, operation: str) -> Any:
    return botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape


def input_of(document: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document["Target"]["Input"])
    return found


def edited(path: str, value: Any) -> dict[str, Any]:
    """What GetSchedule answers after somebody set a member of SCHEDULE, or took it away (None)."""
    document = json.loads(json.dumps(to_scheduler(SCHEDULE)))
    *parents, last = path.split(".")
    place = document
    for part in parents:
        place = place[part]
    place[last] = value
    if value is None:
        del place[last]
    return document


def with_input(change: Mapping[str, Any]) -> dict[str, Any]:
    return edited("Target.Input", json.dumps({**input_of(to_scheduler(SCHEDULE)), **change}))


@given(schedules)
def test_what_scheduler_was_sent_reads_back_as_it_was(schedule: Schedule) -> None:
    assert from_scheduler(to_scheduler(schedule)) == schedule


def test_scheduler_is_sent_the_whole_document() -> None:
    document = to_scheduler(SCHEDULE)

    validate_parameters(document, shape("scheduler", "CreateSchedule"))
    assert {key: value for key, value in document.items() if key != "Target"} == {
        "Name": "2873deb485-reports-nightly",
        "GroupName": "bgt-prod",
        "Description": "bgtask.dev/owner=prod/reports/nightly uid=uid-1",
        "ScheduleExpression": "cron(0 3 ? * MON-FRI *)",
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "ActionAfterCompletion": "NONE",
    }
    assert {key: value for key, value in document["Target"].items() if key != "Input"} == {
        "Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask",
        "RoleArn": "arn:aws:iam::123456789012:role/scheduler",
        "RetryPolicy": {"MaximumEventAgeInSeconds": 3000, "MaximumRetryAttempts": 185},
        "DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-west-1:123456789012:ticks"},
    }


def test_a_launch_is_not_retried_when_ecs_may_have_forgotten_the_token_of_a_short_task() -> None:
    assert MAXIMUM_AGE <= 3000


def test_the_longest_owner_fits_the_description() -> None:
    longest = Owner("i" * 16, "n" * 63, "t" * 52)
    schedule = replace(SCHEDULE, name=longest.schedule_name(1), owner=str(longest), uid="u" * 36)

    validate_parameters(to_scheduler(schedule), shape("scheduler", "UpdateSchedule"))


def test_a_schedule_without_a_dead_letter_queue_names_none() -> None:
    assert "DeadLetterConfig" not in to_scheduler(replace(SCHEDULE, dead_letters=None))["Target"]


def test_the_input_is_the_request_in_the_pascal_case_of_universal_targets() -> None:
    assert input_of(to_scheduler(SCHEDULE)) == {
        "Cluster": PLACEMENT.cluster,
        "TaskDefinition": REVISION,
        "Count": 1,
        "StartedBy": "prod/reports/nightly",
        "ClientToken": "2873deb48598bb1cd63d93dd64c86906-<aws.scheduler.scheduled-time>",
        "PropagateTags": "TASK_DEFINITION",
        "NetworkConfiguration": {
            "AwsvpcConfiguration": {
                "Subnets": ["subnet-1", "subnet-2"],
                "SecurityGroups": ["sg-1"],
                "AssignPublicIp": "ENABLED",
            }
        },
        "Overrides": {
            "ContainerOverrides": [
                {
                    "Name": "aws-bg-task",
                    "Environment": [
                        {"Name": "BGT_TASK_UID", "Value": "uid-1"},
                        {"Name": "BGT_SCHEDULED_TIME", "Value": "<aws.scheduler.scheduled-time>"},
                    ],
                }
            ]
        },
        "PlatformVersion": "1.4.0",
        "CapacityProviderStrategy": [
            {"CapacityProvider": "FARGATE", "Weight": 1, "Base": 2},
            {"CapacityProvider": "FARGATE_SPOT", "Weight": 3, "Base": 0},
        ],
    }


def test_context_attributes_stand_in_the_input_as_scheduler_looks_for_them() -> None:
    text = to_scheduler(SCHEDULE)["Target"]["Input"]

    assert text.count("<aws.scheduler.scheduled-time>") == 2


def test_nothing_in_the_input_differs_between_two_attempts_at_one_slot() -> None:
    text = to_scheduler(SCHEDULE)["Target"]["Input"]

    assert text.count("<") == text.count(SCHEDULED_TIME), "execution-id and attempt-number are new for each attempt"


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("ScheduleExpression", "cron(0 4 ? * MON-FRI *)", "another time"),
        ("ScheduleExpressionTimezone", "UTC", "another time zone"),
        ("ScheduleExpressionTimezone", None, "left out, the zone is UTC again"),
        ("State", "DISABLED", "switched off by hand"),
        ("Description", "mine", "the mark is gone"),
        ("Description", None, "an update that left it out took the mark away"),
        ("Description", "bgtask.dev/owner=prod/reports/nightly uid=uid-2", "another object's"),
        ("Description", "bgtask.dev/owner=prod/reports/weekly uid=uid-1", "another task's"),
        ("FlexibleTimeWindow", {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}, "starts up to 15 minutes late"),
        ("FlexibleTimeWindow", None, "not known to be off"),
        ("ActionAfterCompletion", "DELETE", "an at(...) would be gone after it fired"),
        ("StartDate", datetime(2026, 12, 1, tzinfo=UTC), "rests until then"),
        ("EndDate", datetime(2026, 12, 1, tzinfo=UTC), "ends then"),
        ("KmsKeyArn", "arn:aws:kms:eu-west-1:123456789012:key/1", "who takes the key away stops the schedule"),
        ("Target.RoleArn", "arn:aws:iam::123456789012:role/other", "launches as somebody else"),
        ("Target.DeadLetterConfig", {"Arn": "arn:aws:sqs:eu-west-1:123456789012:other"}, "tells somebody else"),
        ("Target.DeadLetterConfig", {}, "tells nobody"),
        ("Target.DeadLetterConfig", None, "tells nobody"),
        ("Target.RetryPolicy.MaximumEventAgeInSeconds", 86400, "launches a day late, with a forgotten token"),
        ("Target.RetryPolicy.MaximumRetryAttempts", 0, "gives up at the first throttle"),
        ("Target.RetryPolicy", None, "left out, it is a day"),
        ("Target.Arn", "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "does something else"),
        ("Target.Arn", PLACEMENT.cluster, "the templated target knows no client token"),
        ("Target.EcsParameters", {"TaskDefinitionArn": REVISION}, "of a templated target"),
        ("Target.Input", None, "launches nothing"),
        ("Target.Input", "{}", "launches nothing"),
        ("Target.Input", "[]", "no request"),
        ("Target.Input", "not JSON", "no request"),
    ],
)
def test_whatever_somebody_edits_differs_from_what_we_want(path: str, value: Any, why: str) -> None:
    assert from_scheduler(edited(path, value)) != SCHEDULE, why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"TaskDefinition": REVISION[:-1] + "6"}, "an older revision"),
        ({"Cluster": "other"}, "another cluster"),
        ({"Count": 2}, "two tasks a slot"),
        ({"ClientToken": "fixed"}, "one task for ever"),
        ({"LaunchType": "EC2"}, "no tenant boundary"),
        ({"EnableExecuteCommand": True}, "a shell for everybody"),
        ({"Overrides": {}}, "the slot is not told"),
        ({"count": 1}, "AWS' own spelling of a member counts, not ours"),
    ],
)
def test_whatever_somebody_edits_in_the_request_differs_from_what_we_want(change: dict[str, Any], why: str) -> None:
    assert from_scheduler(with_input(change)) != SCHEDULE, why


def test_the_form_of_the_input_is_no_difference() -> None:
    members = dict(reversed(input_of(to_scheduler(SCHEDULE)).items()))

    found = from_scheduler(edited("Target.Input", json.dumps(members, indent=2)))

    assert found == SCHEDULE


@pytest.mark.parametrize("key", ["State", "ScheduleExpressionTimezone", "GroupName"])
def test_a_member_that_is_left_out_has_the_value_that_scheduler_gives_it(key: str) -> None:
    plain = replace(SCHEDULE, time_zone="UTC", group="default")
    document = {name: value for name, value in to_scheduler(plain).items() if name != key}

    assert from_scheduler(document) == plain


def test_a_schedule_whose_document_lacks_what_is_none_by_default_is_not_edited() -> None:
    assert from_scheduler(edited("ActionAfterCompletion", None)) == SCHEDULE


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("Target.Arn", "arn:aws:scheduler:::aws-sdk:sqs:sendMessage"),
        ("Target", {**to_scheduler(SCHEDULE)["Target"], "Arn": PLACEMENT.cluster, "Input": "{}"}),
        ("Target.Input", "not JSON"),
        ("Target.RetryPolicy", {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}),
        ("FlexibleTimeWindow", {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}),
    ],
)
def test_an_edited_schedule_can_be_switched_off_as_aws_has_accepted_it(path: str, value: Any) -> None:
    document = edited(path, value)

    off = to_scheduler(replace(from_scheduler(document), enabled=False))

    assert off["State"] == "DISABLED"
    assert off["Target"] == document["Target"]
    assert off["ScheduleExpression"] == document["ScheduleExpression"]


def test_a_schedule_that_was_edited_to_start_late_can_be_switched_off_after_that_day() -> None:
    past = edited("StartDate", datetime(2020, 1, 1, tzinfo=UTC))

    off = to_scheduler(replace(from_scheduler(past), enabled=False))

    assert "StartDate" not in off, "Scheduler refuses one that lies more than five minutes back"


def test_pointing_at_another_revision_changes_the_revision_only() -> None:
    other = REVISION[:-1] + "8"

    moved = SCHEDULE.pointing_at(other)

    assert moved.definition_arn == other
    assert moved.pointing_at(REVISION) == SCHEDULE
    assert SCHEDULE.definition_arn == REVISION


@pytest.mark.parametrize(("path", "value"), [("Target.Arn", PLACEMENT.cluster), ("Target.Input", "[]")])
def test_a_target_that_is_no_launch_starts_no_revision(path: str, value: str) -> None:
    assert from_scheduler(edited(path, value)).definition_arn is None


@pytest.mark.parametrize("placement", [PLACEMENT, BARE], ids=["all that there is", "the least"])
def test_the_request_is_one_that_ecs_takes(placement: Placement) -> None:
    slot = "2026-11-21T03:00:00Z"
    late = request(placement=placement, slot=slot, token=f"{OWNER.token_prefix}{slot}")

    validate_parameters(late, shape("ecs", "RunTask"))


def test_two_attempts_at_one_slot_are_one_request() -> None:
    assert request() == request()


def test_a_late_launch_is_to_the_letter_what_the_schedule_would_have_sent() -> None:
    slot = "2026-11-21T03:00:00Z"
    fired = to_scheduler(SCHEDULE)["Target"]["Input"].replace(SCHEDULED_TIME, slot)

    late = replace(SCHEDULE, request=request(slot=slot, token=f"{OWNER.token_prefix}{slot}"))

    assert to_scheduler(late)["Target"]["Input"] == fired


@pytest.mark.parametrize(
    "change",
    [
        {"owner": Owner("prod", "reports", "weekly")},
        {"uid": "uid-2"},
        {"definition_arn": REVISION[:-1] + "8"},
        {"slot": "2026-11-22T03:00:00Z"},
        {"token": "another"},
        {"placement": replace(PLACEMENT, cluster="other")},
        {"placement": replace(PLACEMENT, subnets=("subnet-1",))},
        {"placement": replace(PLACEMENT, security_groups=())},
        {"placement": replace(PLACEMENT, public_ip=False)},
        {"placement": replace(PLACEMENT, providers=())},
        {"placement": replace(PLACEMENT, providers=(("FARGATE", 1, 0),))},
        {"placement": replace(PLACEMENT, platform_version=None)},
    ],
    ids=str,
)
def test_nothing_else_is_the_same_request(change: dict[str, Any]) -> None:
    assert request(**change) != request()


def test_without_capacity_providers_the_launch_type_is_fargate_and_never_both() -> None:
    bare, full = request(placement=BARE), request()

    assert bare["launchType"] == "FARGATE"
    assert "capacityProviderStrategy" not in bare
    assert "launchType" not in full
    assert "platformVersion" not in bare


def test_the_default_network_is_private() -> None:
    network = request(placement=BARE)["networkConfiguration"]["awsvpcConfiguration"]

    assert network == {"subnets": ["subnet-1"], "securityGroups": [], "assignPublicIp": "DISABLED"}


def test_the_target_is_the_one_that_knows_client_tokens() -> None:
    assert to_scheduler(SCHEDULE)["Target"]["Arn"] == RUN_TASK == "arn:aws:scheduler:::aws-sdk:ecs:runTask"
