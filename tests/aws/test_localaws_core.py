"""What localaws does for every service, seen by AWS's own SDK and by a client that has none, over HTTP."""

from __future__ import annotations

import base64
import datetime as dt
import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError, HTTPClientError

import localaws
from localaws.running import ControlError, Running

SIGNED = "AWS4-HMAC-SHA256 Credential=key/20260101/eu-west-1/{name}/aws4_request, SignedHeaders=host, Signature=0"
PATTERN = json.dumps({"source": ["shop"], "detail": {"kind": [{"prefix": "or"}]}})


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What the condition says once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.02)
    return found


def _now(aws: Running) -> dt.datetime:
    return dt.datetime.fromisoformat(aws.control("GET", "clock")["now"])


def queue(aws: Running, name: str) -> str:
    """The URL of a new queue."""
    url: str = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return url


def received(aws: Running, url: str, seconds: int = 5) -> list[dict[str, Any]]:
    answer = aws.client("sqs").receive_message(
        QueueUrl=url, WaitTimeSeconds=seconds, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


def rule(aws: Running, name: str = "orders", **settings: Any) -> str:
    wanted = {"EventPattern": PATTERN, **settings}
    arn: str = aws.client("events").put_rule(Name=name, **wanted)["RuleArn"]
    return arn


def ask(aws: Running, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """An HTTP request by hand: status, headers and body of the answer."""
    connection = http.client.HTTPConnection(urlsplit(aws.url).netloc, timeout=30)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def test_a_queue_url_names_the_address_that_the_client_used(aws: Running) -> None:
    url = queue(aws, "work")

    assert url == f"{aws.url}/123456789012/work"


def test_a_message_comes_back_with_its_attributes(aws: Running) -> None:
    url = queue(aws, "work")
    attributes = {"kind": {"DataType": "String", "StringValue": "tick"}}

    aws.client("sqs").send_message(QueueUrl=url, MessageBody="hello", MessageAttributes=attributes)

    (message,) = received(aws, url)
    assert (message["Body"], message["MessageAttributes"]) == ("hello", attributes)


def test_a_long_poll_ends_as_soon_as_a_message_is_sent(aws: Running) -> None:
    url = queue(aws, "work")
    with ThreadPoolExecutor() as pool:
        polled = pool.submit(received, aws, url, 20)
        until(lambda: aws.journal(operation="ReceiveMessage"))
        sent = time.monotonic()

        aws.client("sqs").send_message(QueueUrl=url, MessageBody="hello")

        assert [m["Body"] for m in polled.result(10)] == ["hello"]
        assert time.monotonic() - sent < 5


def test_a_long_poll_of_an_empty_queue_answers_empty_after_its_wait(aws: Running) -> None:
    url = queue(aws, "work")
    began = time.monotonic()

    assert received(aws, url, 1) == []

    assert 0.9 < time.monotonic() - began < 5


def test_many_long_polls_keep_nobody_waiting(aws: Running) -> None:
    url = queue(aws, "idle")
    with ThreadPoolExecutor(20) as pool:
        polls = [pool.submit(received, aws, url, 20) for _ in range(20)]
        until(lambda: len(aws.journal(operation="ReceiveMessage", outcome="pending")) == 20, 19)

        aws.client("sts").get_caller_identity()

        assert len(aws.journal(operation="ReceiveMessage", outcome="pending")) == 20
        aws.client("sqs").delete_queue(QueueUrl=url)
        assert all(isinstance(poll.exception(), ClientError) for poll in polls)


def test_a_poller_that_was_killed_takes_no_message_with_it(aws: Running) -> None:
    url = queue(aws, "work")
    body = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20}).encode()
    connection = http.client.HTTPConnection(urlsplit(aws.url).netloc)
    connection.request(
        "POST", "/", body, {"X-Amz-Target": "AmazonSQS.ReceiveMessage", "Authorization": SIGNED.format(name="sqs")}
    )
    until(lambda: aws.journal(operation="ReceiveMessage", outcome="pending"))

    connection.close()
    until(lambda: not aws.journal(operation="ReceiveMessage", outcome="pending"))
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="hello")

    assert [m["Body"] for m in received(aws, url)] == ["hello"]


def test_a_message_that_was_not_deleted_returns_when_the_clock_passes_its_visibility(aws: Running) -> None:
    url = queue(aws, "work")
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="hello")
    first = received(aws, url)

    hidden = received(aws, url, 0)
    aws.advance(31)

    assert (len(first), hidden, len(received(aws, url, 0))) == (1, [], 1)


@pytest.mark.parametrize(
    ("service", "operation", "params", "shown"),
    [
        ("sts", "get_caller_identity", {}, lambda answer: answer["Account"] == "123456789012"),
        ("iam", "list_roles", {}, lambda answer: answer["Roles"] == []),
        ("s3", "list_buckets", {}, lambda answer: answer["Buckets"] == []),
        ("secretsmanager", "list_secrets", {}, lambda answer: answer["SecretList"] == []),
        ("ssm", "get_parameters", {"Names": ["/a"]}, lambda answer: answer["InvalidParameters"] == ["/a"]),
        ("logs", "describe_log_groups", {}, lambda answer: answer["logGroups"] == []),
        ("cloudformation", "list_stacks", {}, lambda answer: answer["StackSummaries"] == []),
        ("ec2", "describe_vpcs", {}, lambda answer: len(answer["Vpcs"]) == 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_service_behind_answers_in_its_protocol(
    aws: Running, service: str, operation: str, params: dict[str, Any], shown: Callable[[dict[str, Any]], bool]
) -> None:
    answer = getattr(aws.client(service), operation)(**params)

    assert shown(answer)


def test_ecr_hands_out_a_token(aws: Running) -> None:
    (data,) = aws.client("ecr").get_authorization_token()["authorizationData"]

    assert base64.b64decode(data["authorizationToken"]).startswith(b"AWS:")


def test_logs_take_lines_at_the_virtual_time_however_far_ahead_it_is(aws: Running) -> None:
    logs = aws.client("logs")
    aws.advance(30 * 86400)
    now = dt.datetime.fromisoformat(aws.control("GET", "clock")["now"])
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    events = [{"timestamp": int(now.timestamp() * 1000), "message": "hello"}]

    answer = logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)

    assert not answer.get("rejectedLogEventsInfo")
    found = logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True)["events"]
    assert [event["message"] for event in found] == ["hello"]


def test_an_injected_error_is_answered_as_often_as_asked_and_has_no_effect(aws: Running) -> None:
    aws.fault(
        "error", "events", "PutRule", code="ThrottlingException", message="slow down", status=400, skip=1, times=1
    )
    rule(aws, name="first")

    with pytest.raises(ClientError, match="slow down"):
        rule(aws, name="second")
    rule(aws, name="third")

    assert [r["Name"] for r in aws.client("events").list_rules()["Rules"]] == ["first", "third"]
    outcomes = [(call["outcome"], call["effect"], call["status"]) for call in aws.journal(operation="PutRule")]
    assert outcomes == [("ok", True, 200), ("ThrottlingException", False, 400), ("ok", True, 200)]


@pytest.mark.parametrize(
    ("service", "operation", "call"),
    [
        ("sqs", "CreateQueue", lambda aws: aws.client("sqs").create_queue(QueueName="q")),
        ("iam", "CreateRole", lambda aws: aws.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")),
        ("s3", "*", lambda aws: aws.client("s3").get_object(Bucket="b", Key="k")),
        ("ec2", "DescribeVpcs", lambda aws: aws.client("ec2").describe_vpcs()),
    ],
    ids=["json", "query", "rest-xml", "ec2"],
)
def test_an_injected_error_is_understood_in_every_protocol(
    aws: Running, service: str, operation: str, call: Callable[[Running], Any]
) -> None:
    aws.fault("error", service, operation, code="ServiceUnavailable", message="not now", status=503)

    with pytest.raises(ClientError, match="not now") as refused:
        call(aws)

    assert refused.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


@pytest.mark.parametrize(("action", "names"), [("drop-before", []), ("drop-after", ["orders"])])
def test_a_dropped_answer_leaves_the_effect_or_not(aws: Running, action: str, names: list[str]) -> None:
    aws.fault(action, "events", "PutRule", times=1)

    with pytest.raises(HTTPClientError):
        rule(aws)

    assert [r["Name"] for r in aws.client("events").list_rules()["Rules"]] == names
    (call,) = aws.journal(operation="PutRule")
    assert (call["outcome"], call["effect"]) == ("dropped", bool(names))


def test_a_held_call_goes_on_when_its_fault_is_removed(aws: Running) -> None:
    fault = aws.fault("hold", "events", "PutRule")
    with ThreadPoolExecutor() as pool:
        held = pool.submit(rule, aws)
        until(lambda: aws.journal(operation="PutRule", outcome="held"))
        before = aws.client("events").list_rules()["Rules"]

        aws.remove_fault(fault)

        assert (before, held.result(10).endswith("rule/orders")) == ([], True)


@pytest.mark.parametrize(
    ("when_gone", "names", "why"),
    [
        ("drop", [], "what a killed client had not sent for good never happens"),
        ("proceed", ["orders"], "what was under way when the client was killed still happens"),
    ],
)
def test_a_held_call_of_a_killed_client_is_dropped_or_not(
    aws: Running, when_gone: str, names: list[str], why: str
) -> None:
    fault = aws.fault("hold", "events", "PutRule", when_gone=when_gone)
    code = f"import boto3; boto3.client('events').put_rule(Name='orders', EventPattern={PATTERN!r})"
    client = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **aws.environment})
    until(lambda: aws.journal(operation="PutRule", outcome="held"))

    client.send_signal(signal.SIGKILL)
    client.wait(10)
    aws.remove_fault(fault)

    (call,) = until(lambda: [c for c in aws.journal(operation="PutRule") if c["outcome"] in ("ok", "dropped")])
    assert ([r["Name"] for r in aws.client("events").list_rules()["Rules"]], call["effect"]) == (names, bool(names)), (
        why
    )


def test_a_delayed_call_takes_its_time(aws: Running) -> None:
    aws.fault("delay", "events", "ListRules", seconds=0.3)
    began = time.monotonic()

    aws.client("events").list_rules()

    assert time.monotonic() - began >= 0.3


def test_the_journal_tells_writes_from_reads_and_whose_they_are(aws: Running) -> None:
    rule(aws)
    aws.client("events", user_agent_appid="tester").list_rules()
    (write,) = aws.journal(write=True)
    (read,) = aws.journal(write=False)

    assert (write["service"], write["operation"], write["params"]["Name"]) == ("events", "PutRule", "orders")
    assert (read["operation"], read["agent"], read["principal"]) == ("ListRules", "tester", "client")
    assert aws.journal(since=write["sequence"]) == [read]


def test_the_clock_can_be_frozen_and_moved(aws: Running) -> None:
    aws.set_rate(0)
    before = dt.datetime.fromisoformat(aws.control("GET", "clock")["now"])

    aws.advance(3600)

    after = dt.datetime.fromisoformat(aws.control("GET", "clock")["now"])
    assert after - before == dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", "faults", {"action": "explode"}, "'action' must be one of error, hold, delay"),
        ("POST", "faults", {"action": "error", "servce": "ecs"}, "a fault has no 'servce'"),
        ("POST", "faults", {"action": "error", "times": -1}, "'times' must be a whole number"),
        ("POST", "clock", {"advance": -1}, "'advance' must be a number from 0"),
        ("POST", "clock", {}, "the clock takes"),
        ("PUT", "images", {"app": "python"}, "must be a list of at least one string"),
        ("GET", "journal?operaton=x", None, "the journal is not asked by 'operaton'"),
        ("POST", "faults", {"action": "error", "status": 200}, "'status' must be that of an error, from 400 to 599"),
        ("POST", "faults", {"action": "delay", "seconds": float("nan")}, "'seconds' must be a number from 0 to 86400"),
        ("DELETE", "faults/none", None, "no fault has the id 'none'"),
        ("GET", "nothing", None, "there is no GET /_localaws/nothing"),
    ],
)
def test_a_control_request_that_makes_no_sense_is_answered_with_a_sentence(
    aws: Running, method: str, path: str, body: object, said: str
) -> None:
    with pytest.raises(ControlError, match=said):
        aws.control(method, path, body)


def test_json_is_answered_as_aws_does_to_a_client_without_sdk(aws: Running) -> None:
    status, headers, body = ask(
        aws,
        "POST",
        "/",
        b'{"Name": "orders", "Unknown": 1, "Description": null}',
        Authorization=SIGNED.format(name="events"),
        X_Amz_Target="AWSEvents.DescribeRule",
        Content_Type="application/x-amz-json-1.1",
    )

    told = json.loads(body)
    assert (status, headers["content-type"]) == (400, "application/x-amz-json-1.1")
    assert (told["__type"], told["message"]) == (
        "ResourceNotFoundException",
        "Rule orders does not exist on EventBus default.",
    )
    assert headers["x-amzn-requestid"]


def test_rest_json_is_answered_as_aws_does_to_a_client_without_sdk(aws: Running) -> None:
    status, headers, body = ask(
        aws, "GET", "/schedules/none?groupName=default", Authorization=SIGNED.format(name="scheduler")
    )

    assert (status, headers["content-type"]) == (404, "application/json")
    assert headers["x-amzn-errortype"] == "ResourceNotFoundException"
    assert list(json.loads(body)) == ["Message"]


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("DescribeRule", '{"Name": ' + "[" * 5000 + "]" * 5000 + "}"),
        ("PutEvents", json.dumps({"Entries": [{"Source": "a", "DetailType": "b", "Detail": '{"a":' * 5000}]})),
    ],
)
def test_json_that_is_nested_too_deeply_is_refused(aws: Running, operation: str, body: str) -> None:
    status, _, answer = ask(aws, "POST", "/", body.encode(), X_Amz_Target=f"AWSEvents.{operation}")

    assert (status, json.loads(answer)["__type"]) == (400, "SerializationException")
    assert [entry["outcome"] for entry in aws.journal(operation=operation)] == ["SerializationException"]


def test_an_operation_that_does_not_exist_is_unknown(aws: Running) -> None:
    status, _, body = ask(aws, "POST", "/", b"{}", X_Amz_Target="AWSEvents.MakeCoffee")

    assert (status, json.loads(body)["__type"]) == (400, "UnknownOperationException")


@pytest.mark.parametrize(("action", "seconds", "outcome"), [("hold", 0, "held"), ("delay", 1, "pending")])
def test_a_reset_drops_what_is_held_or_delayed(aws: Running, action: str, seconds: int, outcome: str) -> None:
    aws.fault(action, "events", "PutRule", seconds=seconds)
    with ThreadPoolExecutor() as pool:
        late = pool.submit(rule, aws)
        until(lambda: aws.journal(operation="PutRule", outcome=outcome))

        aws.reset()

        assert isinstance(late.exception(10), HTTPClientError)
        assert aws.client("events").list_rules()["Rules"] == []


def test_a_reset_ends_an_advance_that_is_under_way(aws: Running) -> None:
    aws.client("events").put_rule(Name="often", ScheduleExpression="rate(1 minute)")
    begun = dt.datetime.now(dt.UTC)
    with ThreadPoolExecutor() as pool:
        advance = pool.submit(aws.advance, 3 * 365 * 86_400)
        until(lambda: _now(aws) > begun + dt.timedelta(hours=1))

        aws.reset()
        advance.result(30)

    assert _now(aws) - begun < dt.timedelta(minutes=10)


def test_a_call_that_comes_during_a_reset_has_its_effect_after_it(aws: Running) -> None:
    def put_rules() -> None:
        for number in itertools.count():
            events.put_rule(Name=f"rule-{number % 50}", EventPattern=PATTERN)
            if reset.done():
                return

    events = aws.client("events")
    with ThreadPoolExecutor() as pool:
        for _ in range(5):
            reset = pool.submit(aws.reset)
            for putting in [pool.submit(put_rules) for _ in range(2)]:
                putting.result(30)

            there = {found["Name"] for found in events.list_rules()["Rules"]}
            put = {entry["params"]["Name"] for entry in aws.journal(operation="PutRule", outcome="ok")}
            assert put == there


@pytest.mark.parametrize(("service", "operation"), [("outposts", "list_sites"), ("braket", "search_devices")])
def test_a_service_that_nobody_has_is_named(aws: Running, service: str, operation: str) -> None:
    params = {"filters": []} if service == "braket" else {}

    with pytest.raises(ClientError, match=f"neither localaws nor moto has the service '{service}'") as refused:
        getattr(aws.client(service), operation)(**params)

    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_an_upload_is_taken_at_once_and_whole(aws: Running, size: int) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    began = time.monotonic()

    s3.put_object(Bucket="bucket", Key="a b/é", Body=b"x" * size)

    assert time.monotonic() - began < 0.9, "boto3 waited for 100 Continue"
    assert s3.get_object(Bucket="bucket", Key="a b/é")["Body"].read() == b"x" * size


def test_a_reset_forgets_everything(aws: Running) -> None:
    rule(aws)
    queue(aws, "work")
    aws.fault("error", "sts")
    aws.advance(3600)

    aws.reset()

    assert (aws.journal(), aws.control("GET", "faults")["faults"]) == ([], [])
    assert aws.client("events").list_rules()["Rules"] == []
    assert "QueueUrls" not in aws.client("sqs").list_queues()
    assert abs(_now(aws) - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)


def test_it_ends_with_the_process_that_started_it() -> None:
    code = "import localaws, sys, time\nwith localaws.start() as r:\n print(r.pid, flush=True)\n time.sleep(60)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())

        parent.kill()

    until(lambda: not _lives(pid))


def test_it_ends_soon_with_its_tasks_whoever_still_waits_for_an_answer(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    with localaws.start(images={"app": ["sh", "-c", f"echo $$ > {mark}; exec sleep 600"]}) as other:
        ecs = other.client("ecs")
        ecs.create_cluster(clusterName="default")
        ecs.register_task_definition(
            family="app",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "main", "image": "app"}],
        )
        network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
        ecs.run_task(taskDefinition="app", launchType="FARGATE", networkConfiguration=network)
        until(lambda: other.advance(10) or (mark.exists() and mark.read_text()))
        other.fault("hold", "events")
        with ThreadPoolExecutor() as pool:
            held = pool.submit(rule, other)
            until(lambda: other.journal(outcome="held"))
            began = time.monotonic()

            os.kill(other.pid, signal.SIGTERM)

            assert isinstance(held.exception(10), HTTPClientError)
            until(lambda: not _lives(int(mark.read_text())))
            assert time.monotonic() - began < 5


def test_a_taken_port_is_told_in_one_line(aws: Running) -> None:
    port = str(urlsplit(aws.url).port)

    refused = subprocess.run(
        [sys.executable, "-m", "localaws", "--port", port], capture_output=True, text=True, timeout=30, check=False
    )

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"Error: cannot listen on 127.0.0.1:{port}: ")


def test_two_of_them_run_side_by_side(aws: Running) -> None:
    rule(aws)

    with localaws.start(account="111122223333", region="us-east-1") as other:
        assert other.client("events").list_rules()["Rules"] == []
        assert other.client("sts").get_caller_identity()["Account"] == "111122223333"
        assert rule(other) == "arn:aws:events:us-east-1:111122223333:rule/orders"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
