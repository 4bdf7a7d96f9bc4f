"""Requests are told apart, and answers and errors written, as AWS's protocols have it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from multidict import CIMultiDict

from localaws import api, protocol
from localaws.contract import AwsError
from localaws.protocol import Request, Response

SCOPE = "AKIA/20260101/eu-north-1/{}/aws4_request"
FORM = "application/x-www-form-urlencoded; charset=utf-8"


def request(method: str = "POST", path: str = "/", query: str = "", body: bytes = b"", **headers: str) -> Request:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method=method, path=path, query=query, headers=CIMultiDict(names), body=body)


def signed(name: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential={SCOPE.format(name)}, SignedHeaders=host, Signature=0"


def operation_of(service: str, wanted: Request) -> tuple[str, dict[str, Any]]:
    operation, params = protocol.own_operation(api.load(service), wanted)
    return operation.name, params


@pytest.mark.parametrize(
    ("wanted", "told", "why"),
    [
        (request(authorization=signed("ecs")), ("ecs", "eu-north-1"), "the signature's scope"),
        (request(authorization=signed("eventbridge")), ("events", "eu-north-1"), "another signing name"),
        (
            request(query="X-Amz-Credential=AKIA%2F20260101%2Feu-north-1%2Fs3%2Faws4_request&X-Amz-Date=x"),
            ("s3", "eu-north-1"),
            "a presigned URL",
        ),
        (request(), ("", "eu-west-1"), "no signature: the default region"),
        (request(authorization="Bearer token"), ("", "eu-west-1"), "not one of AWS's"),
    ],
)
def test_the_signature_tells_service_and_region(wanted: Request, told: tuple[str, str], why: str) -> None:
    assert protocol.scope(wanted, "eu-west-1") == told, why


def test_a_target_header_names_the_operation() -> None:
    wanted = request(x_amz_target="AmazonEC2ContainerServiceV20141113.RunTask")

    assert operation_of("ecs", wanted) == ("RunTask", {})


ARN = "arn%3Aaws%3Ascheduler%3Aeu-west-1%3A123456789012%3Aschedule-group%2Fg"


@pytest.mark.parametrize(
    ("method", "path", "query", "told", "why"),
    [
        ("POST", "/schedules/a.b", "", ("CreateSchedule", {"Name": "a.b"}), "a name in the path"),
        ("PUT", "/schedules/a", "", ("UpdateSchedule", {"Name": "a"}), "the method tells operations apart"),
        (
            "DELETE",
            "/schedules/a",
            "groupName=g&clientToken=t",
            ("DeleteSchedule", {"Name": "a", "GroupName": "g", "ClientToken": "t"}),
            "members in the query",
        ),
        (
            "GET",
            "/schedules",
            "ScheduleGroup=g&MaxResults=5",
            ("ListSchedules", {"GroupName": "g", "MaxResults": 5}),
            "a number, and a member by another name",
        ),
        (
            "DELETE",
            f"/tags/{ARN}",
            "TagKeys=a&TagKeys=b%20c",
            (
                "UntagResource",
                {
                    "ResourceArn": "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/g",
                    "TagKeys": ["a", "b c"],
                },
            ),
            "a quoted path and a list",
        ),
    ],
)
def test_a_route_names_the_operation_and_some_members(
    method: str, path: str, query: str, told: tuple[str, dict[str, Any]], why: str
) -> None:
    assert operation_of("scheduler", request(method, path, query)) == told, why


@pytest.mark.parametrize(("service", "path"), [("scheduler", "/nothing"), ("ecs", "/")])
def test_what_no_operation_answers_is_unknown(service: str, path: str) -> None:
    with pytest.raises(AwsError) as refused:
        operation_of(service, request(path=path))

    assert refused.value.code == "UnknownOperationException"


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff", b'{"a": "\\ud800"}', b'{"a": "\xed\xa0\x80"}'])
def test_a_body_that_is_no_json_object_is_a_serialization_error(body: bytes) -> None:
    with pytest.raises(AwsError) as refused:
        protocol.read_body(body)

    assert refused.value.code == "SerializationException"


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert protocol.read_body(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


def test_timestamps_are_answered_as_epoch_seconds_and_blobs_as_base64() -> None:
    moment = dt.datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=dt.UTC)

    response = protocol.write_output(api.load("ecs"), {"at": moment, "raw": b"\x00\xff", "text": "é"})

    assert json.loads(response.body) == {"at": 1767225600.123, "raw": "AP8=", "text": "é"}
    assert response.headers["Content-Type"] == "application/x-amz-json-1.1"


def test_an_answer_that_no_protocol_can_say_is_a_bug() -> None:
    with pytest.raises(TypeError, match="an answer holds a object"):
        protocol.write_output(api.load("ecs"), {"x": object()})


def test_an_error_of_sqs_has_its_shape_in_the_body_and_its_code_of_old_in_a_header() -> None:
    sqs = api.load("sqs")
    error = AwsError("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")

    response = protocol.write_error(sqs, sqs.operation("GetQueueUrl"), error)

    assert json.loads(response.body)["__type"] == "com.amazonaws.sqs#QueueDoesNotExist"
    assert response.headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert response.error == error.code


def test_the_query_protocol_of_a_service_that_speaks_json_is_unknown() -> None:
    form = request(content_type="application/x-www-form-urlencoded", body=b"Action=ListQueues")

    with pytest.raises(AwsError, match="sqs is spoken to in JSON, with X-Amz-Target") as refused:
        protocol.own_operation(api.load("sqs"), form)

    assert protocol.is_form(form)
    assert b"<Code>UnknownOperationException</Code>" in protocol.write_foreign_error(form, refused.value).body


def test_a_json_error_names_its_type_in_the_body() -> None:
    error = AwsError("ConflictException", "in use", fields={"resourceIds": ["a"]})
    ecs = api.load("ecs")

    response = protocol.write_error(ecs, ecs.operation("RunTask"), error)

    assert json.loads(response.body) == {"__type": "ConflictException", "message": "in use", "resourceIds": ["a"]}
    assert (response.status, response.error) == (400, "ConflictException")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ValidationException", 400),
        ("ServiceQuotaExceededException", 402),
        ("ResourceNotFoundException", 404),
        ("ConflictException", 409),
        ("ThrottlingException", 429),
        ("InternalServerException", 500),
    ],
)
def test_a_rest_json_error_has_the_status_of_its_shape_and_its_type_in_a_header(code: str, status: int) -> None:
    scheduler = api.load("scheduler")

    response = protocol.write_error(scheduler, scheduler.operation("CreateSchedule"), AwsError(code, "no"))

    assert (response.status, response.headers["x-amzn-ErrorType"]) == (status, code)
    assert json.loads(response.body) == {"Message": "no"}


@pytest.mark.parametrize(
    ("wanted", "told", "why"),
    [
        (
            request(x_amz_target="AmazonSQS.SendMessage", authorization=signed("sqs"), body=b'{"a": 1}'),
            ("sqs", "SendMessage", {"a": 1}),
            "json",
        ),
        (
            request(content_type=FORM, authorization=signed("sts"), body=b"Action=GetCallerIdentity&Version=2011"),
            ("sts", "GetCallerIdentity", {"Version": "2011"}),
            "query",
        ),
        (
            request("PUT", "/bucket/key", "acl=", authorization=signed("s3"), body=b"<xml>"),
            ("s3", "PUT /bucket/key", {"acl": ""}),
            "rest-xml",
        ),
    ],
)
def test_a_request_to_a_service_behind_is_understood_as_far_as_the_journal_needs(
    wanted: Request, told: tuple[str, str, dict[str, Any]], why: str
) -> None:
    target = protocol.foreign_target(wanted, "eu-west-1")

    assert (target.service, target.operation, target.params) == told, why


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"__type": "com.amazonaws.sqs#QueueDoesNotExist"}', "QueueDoesNotExist"),
        (b"<ErrorResponse><Error><Code>NoSuchEntity</Code></Error></ErrorResponse>", "NoSuchEntity"),
        (b"", "404"),
    ],
)
def test_the_code_of_an_error_is_found_in_every_protocol(body: bytes, code: str) -> None:
    assert protocol.error_code(Response(status=404, headers={}, body=body)) == code


def test_a_message_cannot_break_out_of_an_xml_error() -> None:
    response = protocol.write_foreign_error(request(content_type=FORM), AwsError("A", "<b> & c"))

    assert b"<Message>&lt;b&gt; &amp; c</Message>" in response.body


def test_the_application_id_tells_clients_apart() -> None:
    wanted = request(user_agent="Boto3/1.44 md/Botocore#1.44 ua/2.1 app/operator-1 os/linux")

    assert protocol.agent(wanted) == "operator-1"
