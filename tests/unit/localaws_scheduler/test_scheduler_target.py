"""The Input of universal targets, the ARNs of targets, and the trust of roles."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.scheduling import ACCOUNT, REGION, ROLE, RUN_TASK, SEND_MESSAGE, TRUST, target
from localaws.contract import AwsError, Params
from localaws.scheduler.request import input_shape, read_request
from localaws.scheduler.target import read_target
from localaws.triggers.trust import trusts

QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:ticks"
GROUP = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/apps"
REASON = "Invalid RequestJson provided. Reason Request payload"


@pytest.mark.parametrize(
    ("request_text", "message", "why"),
    [
        (
            '{"taskDefinition": "t", "cluster": "c"}',
            f"{REASON} is missing the following field(s): TaskDefinition.",
            "reported: camelCase is refused with this message",
        ),
        ("{}", f"{REASON} is missing the following field(s): TaskDefinition.", "nothing given"),
        (
            '{"TaskDefinition": "t", "Overrides": {"containerOverrides": []}}',
            f"{REASON} has the following unknown field(s): Overrides.containerOverrides.",
            "camelCase below the top",
        ),
        (
            '{"TaskDefinition": "t", "Nonsense": 1, "TaskDefinitions": 2}',
            f"{REASON} has the following unknown field(s): Nonsense, TaskDefinitions.",
            "all at once",
        ),
        (
            '{"TaskDefinition": "t", "NetworkConfiguration": {"AwsvpcConfiguration": {}}}',
            f"{REASON} is missing the following field(s): NetworkConfiguration.AwsvpcConfiguration.Subnets.",
            "required below the top",
        ),
        (
            '{"TaskDefinition": 1, "Count": "2", "Tags": {}, "StartedBy": []}',
            f"{REASON} has the following field(s) of the wrong type: TaskDefinition, Count, Tags, StartedBy.",
            "JSON types are the API's",
        ),
        (
            '{"TaskDefinition": "t", "Count": true, "Tags": [{"Key": 1}]}',
            f"{REASON} has the following field(s) of the wrong type: Count, Tags[0].Key.",
            "a boolean is no number; the place in a list is told",
        ),
        ("[]", f"{REASON} has the following field(s) of the wrong type: the payload itself.", "not an object"),
        ("TaskDefinition=t", f"{REASON} is not valid JSON.", "not JSON"),
        ('{"TaskDefinition": null}', f"{REASON} is missing the following field(s): TaskDefinition.", "null is absent"),
    ],
)
def test_an_input_that_is_no_request_is_refused(request_text: str, message: str, why: str) -> None:
    with pytest.raises(AwsError) as refused:
        read_target(target(request_text), REGION)

    assert (refused.value.code, refused.value.message) == ("ValidationException", message), why


def test_a_refusal_shows_no_value() -> None:
    secret = '{"TaskDefinition": "t", "Overrides": {"ContainerOverrides": [{"Environment": ["hunter2"]}]}}'

    with pytest.raises(AwsError) as refused:
        read_target(target(secret), REGION)

    assert "hunter2" not in refused.value.message


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@given(
    environment=st.dictionaries(names, names, max_size=4), command=st.lists(names, max_size=3),
    count=st.integers(1, 10), managed=st.booleans(),
)  # fmt: skip
def test_a_request_keeps_every_value_and_changes_only_the_case_of_member_names(
    environment: dict[str, str],
    command: list[str],
    count: int,
    managed: bool,  # noqa: FBT001  # hypothesis passes it
) -> None:
    pascal = {
        "TaskDefinition": "t",
        "Count": count,
        "EnableECSManagedTags": managed,
        "Overrides": {
            "ContainerOverrides": [
                {"Command": command, "Environment": [{"Name": n, "Value": v} for n, v in environment.items()]}
            ]
        },
    }

    read = read_request(json.dumps(pascal), input_shape("ecs", "RunTask"))

    override = {"command": command, "environment": [{"name": n, "value": v} for n, v in environment.items()]}
    assert read == {
        "taskDefinition": "t",
        "count": count,
        "enableECSManagedTags": managed,
        "overrides": {"containerOverrides": [override]},
    }


@pytest.mark.parametrize(
    ("wanted", "fragment"),
    [
        ({"Arn": "not-an-arn"}, "Provided Arn is not in correct format."),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:lambda:invoke"}, "localaws does not fire the target"),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:ecs:RunTask", "Input": "{}"}, "localaws does not fire the target"),
        ({"Arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/t:1"}, "localaws does not fire the target"),
        ({"Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"}, "localaws does not fire the target"),
        (
            {"Arn": RUN_TASK, "Input": "{}", "EcsParameters": {"TaskDefinitionArn": "t"}},
            f"EcsParameters cannot be specified for the target {RUN_TASK}.",
        ),
        ({"Arn": QUEUE, "EcsParameters": {}}, f"EcsParameters cannot be specified for the target {QUEUE}."),
        ({"Arn": QUEUE, "SqsParameters": {"MessageGroupId": "g"}}, "MessageGroupId must be specified for a FIFO queue"),
        ({"Arn": f"{QUEUE}.fifo"}, "MessageGroupId must be specified for a FIFO queue"),
        ({"Arn": QUEUE, "Input": "é" * 131_073}, "Input is limited to 262144 bytes."),
        ({"Arn": RUN_TASK}, "missing the following field(s): TaskDefinition"),
        ({"Arn": SEND_MESSAGE, "Input": "{}"}, "missing the following field(s): QueueUrl, MessageBody"),
        (
            {
                "Arn": SEND_MESSAGE,
                "Input": json.dumps(
                    {
                        "QueueUrl": "q",
                        "MessageBody": "b",
                        "MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": "!"}},
                    }
                ),
            },
            "of the wrong type: MessageAttributes.a.BinaryValue",
        ),
    ],
)
def test_a_target_is_refused(wanted: Params, fragment: str) -> None:
    with pytest.raises(AwsError) as refused:
        read_target(wanted | {"RoleArn": ROLE}, REGION)

    assert refused.value.code == "ValidationException"
    assert fragment in refused.value.message


def statement(**members: object) -> Params:
    return {"Statement": [TRUST["Statement"][0] | members]}


@pytest.mark.parametrize(
    ("policy", "trusted", "why"),
    [
        (TRUST, True, "as AWS's guide has it"),
        (TRUST | {"Statement": TRUST["Statement"][0]}, True, "one statement needs no list"),
        (statement(Principal={"Service": ["ecs.amazonaws.com", "scheduler.amazonaws.com"]}), True, "one of several"),
        (statement(Principal="*"), True, "anybody"),
        (statement(Action=["sts:AssumeRole", "sts:TagSession"]), True, "one of several actions"),
        (statement(Action="sts:*"), True, "a pattern"),
        (statement(Action="sts:TagSession"), False, "another action"),
        (statement(Principal={"Service": "events.amazonaws.com"}), False, "another service"),
        (statement(Principal={"AWS": ACCOUNT}), False, "an account is not the service"),
        (statement(Effect="Deny"), False, "denied"),
        ({"Statement": [*TRUST["Statement"], statement(Effect="Deny")["Statement"][0]]}, False, "a denial wins"),
        ({"Statement": []}, False, "nobody"),
        (statement(Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}}), True, "its account"),
        (statement(Condition={"StringEquals": {"aws:SourceAccount": "999999999999"}}), False, "another account"),
        (statement(Condition={"ArnLike": {"AWS:SourceArn": GROUP}}), True, "the group, keys in any case"),
        (statement(Condition={"ArnLike": {"aws:SourceArn": f"arn:aws:scheduler:*:{ACCOUNT}:*"}}), True, "a pattern"),
        (
            statement(
                Condition={"ArnLike": {"aws:SourceArn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/apps/*"}}
            ),
            False,
            "reported: the schedule's ARN is not what is asked about",
        ),
        (statement(Condition={"StringEquals": {"aws:PrincipalTag/team": "a"}}), False, "unknown to this call"),
        (statement(Condition={"StringEqualsIfExists": {"aws:PrincipalTag/team": "a"}}), True, "if it exists only"),
        (
            statement(Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": "arn:other"}}),
            False,
            "all conditions must hold",
        ),
    ],
)
def test_a_role_trusts_scheduler(policy: Params, trusted: bool, why: str) -> None:  # noqa: FBT001  # a table's column
    assert trusts(policy, "scheduler.amazonaws.com", GROUP) is trusted, why
