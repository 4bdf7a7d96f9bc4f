"""Inputs are read and refused as AWS's own framework does, from botocore's models."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaws import api
from localaws.contract import AwsError
from localaws.validation import compile_pattern

SCHEDULE = {
    "Name": "nightly",
    "ScheduleExpression": "rate(1 hour)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "Target": {"Arn": "arn:aws:sqs:eu-west-1:123456789012:q", "RoleArn": "arn:aws:iam::123456789012:role/r"},
}


def read(service: str, operation: str, params: object) -> dict[str, Any]:
    return api.load(service).operations[operation].read(params)


def refusal(service: str, operation: str, params: object) -> AwsError:
    with pytest.raises(AwsError) as refused:
        read(service, operation, params)
    return refused.value


def constraint(value: str, path: str, must: str) -> str:
    return f"1 validation error detected: Value {value} at '{path}' failed to satisfy constraint: Member must {must}"


@pytest.mark.parametrize(
    ("change", "message", "why"),
    [
        ({"Name": None}, constraint("null", "name", "not be null"), "required"),
        (
            {"Name": "a b"},
            constraint("'a b'", "name", "satisfy regular expression pattern: [0-9a-zA-Z-_.]+"),
            "pattern",
        ),
        ({"Name": "é"}, constraint("'é'", "name", "satisfy regular expression pattern: [0-9a-zA-Z-_.]+"), "ASCII"),
        (
            {"Name": "a" * 65},
            constraint(f"'{'a' * 65}'", "name", "have length less than or equal to 64"),
            "longest",
        ),
        (
            {"ScheduleExpression": ""},
            constraint("''", "scheduleExpression", "have length greater than or equal to 1"),
            "shortest",
        ),
        (
            {"State": "ON"},
            constraint("'ON'", "state", "satisfy enum value set: [ENABLED, DISABLED]"),
            "enumeration",
        ),
        (
            {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1441}},
            constraint("'1441'", "flexibleTimeWindow.maximumWindowInMinutes", "have value less than or equal to 1440"),
            "largest, in a nested structure",
        ),
        (
            {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 0}},
            constraint("'0'", "flexibleTimeWindow.maximumWindowInMinutes", "have value greater than or equal to 1"),
            "smallest",
        ),
        (
            {
                "Target": {
                    **SCHEDULE["Target"],
                    "EcsParameters": {"TaskDefinitionArn": "a", "CapacityProviderStrategy": [{}]},
                }
            },  # type: ignore[dict-item]  # a JSON object
            constraint(
                "null", "target.ecsParameters.capacityProviderStrategy.1.member.capacityProvider", "not be null"
            ),
            "an element of a list",
        ),
    ],
)
def test_a_violated_constraint_is_told_in_aws_words(change: dict[str, Any], message: str, why: str) -> None:
    error = refusal("scheduler", "CreateSchedule", {**SCHEDULE, **change})

    assert (error.code, error.message) == ("ValidationException", message), why


def test_all_violations_are_told_at_once() -> None:
    error = refusal("scheduler", "CreateSchedule", {**SCHEDULE, "Name": "", "State": "ON"})

    assert error.message.startswith("3 validation errors detected: Value '' at 'name' failed")
    assert error.message.count("; Value") == 2


@pytest.mark.parametrize(
    ("operation", "code"), [("RegisterTaskDefinition", "ClientException"), ("RunTask", "InvalidParameterException")]
)
def test_ecs_has_codes_of_its_own(operation: str, code: str) -> None:
    assert refusal("ecs", operation, {}).code == code


@pytest.mark.parametrize(
    ("params", "message", "why"),
    [
        ({"cluster": 1}, "NUMBER_VALUE cannot be converted to String", "number for text"),
        ({"cluster": True}, "TRUE_VALUE cannot be converted to String", "a boolean is no number"),
        ({"count": "1"}, "STRING_VALUE cannot be converted to Integer", "text for a number"),
        ({"count": False}, "FALSE_VALUE cannot be converted to Integer", "Python's bool is an int, JSON's is not"),
        ({"enableExecuteCommand": "true"}, "STRING_VALUE cannot be converted to Boolean", "text for a boolean"),
        ({"count": float("inf")}, "NUMBER_VALUE cannot be converted to Integer", "1e999"),
        ({"count": float("nan")}, "NUMBER_VALUE cannot be converted to Integer", "what only Python calls JSON"),
        ({"overrides": "{}"}, "STRING_VALUE cannot be converted to structure", "text for a structure"),
        ({"tags": {}}, "Start of structure or map found where not expected", "a structure for a list"),
        ({"cluster": []}, "Start of list found where not expected", "a list for text"),
    ],
)
def test_a_wrong_type_is_a_serialization_error(params: dict[str, Any], message: str, why: str) -> None:
    error = refusal("ecs", "RunTask", {"taskDefinition": "app", **params})

    assert (error.code, error.message, error.status) == ("SerializationException", message, 400), why


@pytest.mark.parametrize("blob", ["a", "gQ=", "g Q==", "\u00e9", "\U0001f600"])
def test_a_blob_that_is_not_base64_is_a_serialization_error(blob: str) -> None:
    attributes = {"photo": {"DataType": "Binary", "BinaryValue": blob}}

    error = refusal("sqs", "SendMessage", {"QueueUrl": "q", "MessageBody": "hi", "MessageAttributes": attributes})

    assert (error.code, error.message) == ("SerializationException", "a blob is not base64")


def test_unknown_members_and_nulls_are_left_out() -> None:
    params = {"taskDefinition": "app", "cluster": None, "colour": "red", "overrides": {"shape": 1}}

    assert read("ecs", "RunTask", params) == {"taskDefinition": "app", "overrides": {}}


@given(st.floats(0, 4_000_000_000))
def test_a_timestamp_on_the_wire_and_one_of_python_are_read_alike(seconds: float) -> None:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)

    from_wire = read("scheduler", "CreateSchedule", {**SCHEDULE, "StartDate": seconds})
    from_python = read("scheduler", "CreateSchedule", {**SCHEDULE, "StartDate": moment})

    assert from_wire["StartDate"] == from_python["StartDate"] == moment


def test_what_was_read_is_read_again_unchanged() -> None:
    once = read("scheduler", "CreateSchedule", SCHEDULE)

    assert read("scheduler", "CreateSchedule", once) == once == SCHEDULE


@pytest.mark.parametrize("service", ["ecs", "events", "scheduler"])
def test_every_operation_of_the_models_compiles(service: str) -> None:
    operations = api.load(service).operations

    assert all(operation.read_input({})[0] == {} for operation in operations.values())


@pytest.mark.parametrize(
    ("value", "fits"), [("Größe 1", True), ("a\u00a0b", True), ("a_b:/=+-@", True), ("a!", False), ("a\tb", False)]
)
def test_javas_unicode_categories_are_translated(value: str, fits: bool) -> None:  # noqa: FBT001  # a column of the table
    pattern = compile_pattern(r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)")

    assert (pattern.fullmatch(value) is not None) is fits


@pytest.mark.parametrize("pattern", [r"[\p{Lu}]+", r"(unclosed", r"\P{L}"])
def test_a_pattern_that_cannot_be_translated_is_refused_at_once(pattern: str) -> None:
    with pytest.raises(ValueError, match="the pattern"):
        compile_pattern(pattern)
