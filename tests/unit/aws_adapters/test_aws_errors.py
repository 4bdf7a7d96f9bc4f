"""What AWS answers becomes one of three errors; the table's rows are judged through a real client."""

import traceback

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError, ParamValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from backgroundtask.aws import Ecs
from backgroundtask.aws.errors import translated
from backgroundtask.errors import Blocked, Busy, Expected, Rejected
from backgroundtask.plan.definition import Definition
from backgroundtask.plan.names import Owner
from fixtures.wire import REGION, Wire

ARN = f"arn:aws:ecs:{REGION}:111122223333:task-definition/bgt_prod_ns_job:1"
WHO = "arn:aws:sts::111122223333:assumed-role/operator/1699999999999"
DENIAL = (
    f"User: {WHO} is not authorized to perform: ecs:RegisterTaskDefinition on resource: * "
    "because no identity-based policy allows the ecs:RegisterTaskDefinition action"
)
CANARY = "hunter2-canary"
OWNER = Owner("prod", "ns", "job")


def definition(**env: str) -> Definition:
    return Definition(owner=OWNER, image="repo/image:1", cpu=256, memory=512, env=env)


def error(operation: str, code: str, message: str, status: int = 400) -> ClientError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)  # type: ignore[arg-type]  # the members that a client sets


@translated()
def fail(failure: Exception) -> None:
    raise failure


def outcome_of(failure: Exception) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever comes out is the subject
        fail(failure)
    return caught.value


CASES = [
    # operation, code, message, status, kind, reason, why
    ("RegisterTaskDefinition", "ThrottlingException", "Rate exceeded", 400, Busy, "Throttled", "the plain throttle"),
    (
        "RegisterTaskDefinition",
        "ClientException",
        "Too many concurrent attempts to create a new revision of the specified family.",
        400,
        Busy,
        "Throttled",
        "a throttle that blames the request (prefect #10102)",
    ),
    (
        "DescribeTasks",
        "InvalidParameterException",
        "Error retrieving the task: Rate exceeded (Service: x; Status Code: 400; Error Code: ThrottlingException)",
        400,
        Busy,
        "Throttled",
        "a throttle that passed through another service (dagster #33439)",
    ),
    (
        "ReceiveMessage",
        "RequestThrottled",
        "slow down",
        403,
        Busy,
        "Throttled",
        "a throttle with the status of a denial",
    ),
    (
        "ListTasks",
        "ServerException",
        "Service Unavailable. Please try again later.",
        500,
        Busy,
        "AwsUnavailable",
        "5xx",
    ),
    ("ListTasks", "ServerException", "", 400, Busy, "AwsUnavailable", "AWS's fault by name, whatever the status"),
    ("GetSchedule", "SomethingNew", "", 503, Busy, "AwsUnavailable", "AWS's fault by status, whatever the name"),
    ("GetSchedule", "404", "<html>", 404, Busy, "AwsUnavailable", "AWS names its errors: this is a proxy's answer"),
    ("GetSchedule", "ExpiredTokenException", "expired", 403, Busy, "CredentialsExpired", "they renew themselves"),
    ("ListTasks", "AccessDeniedException", DENIAL, 400, Blocked, "AccessDenied", "someone has to grant it"),
    ("ListTasks", "AccessDenied", "", 403, Blocked, "AccessDenied", "a denial without words is one too"),
    ("GetSchedule", "403", "<html>", 403, Blocked, "AccessDenied", "something on the way denies it"),
    ("ListTasks", "UnrecognizedClientException", "bad token", 400, Blocked, "CredentialsInvalid", "keys of nobody"),
    ("ListTasks", "InvalidSignatureException", "no match", 403, Blocked, "CredentialsInvalid", "a wrong secret key"),
    (
        "ListTasks",
        "InvalidSignatureException",
        "Signature expired: 20261121T100000Z is now earlier than 20261121T110000Z",
        403,
        Blocked,
        "ClockSkewed",
        "the same code means a wrong clock",
    ),
    (
        "CreateSchedule",
        "AccessDeniedException",
        f"User: {WHO} is not authorized to perform: iam:PassRole on resource: arn:aws:iam::111122223333:role/launch",
        403,
        Blocked,
        "RoleNotPassable",
        "what is missing is iam:PassRole",
    ),
    (
        "AssumeRole",
        "AccessDenied",
        f"User: {WHO} is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/tenant",
        403,
        Blocked,
        "RoleNotAssumable",
        "the LaunchTemplate's role does not trust the operator",
    ),
    (
        "CreateSchedule",
        "ValidationException",
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
        400,
        Blocked,
        "RoleNotAssumable",
        "a trust policy, though AWS calls it a validation error (aws-sdk-js-v3 #6494)",
    ),
    (
        "RegisterTaskDefinition",
        "ClientException",
        "Role is not valid",
        400,
        Blocked,
        "RoleNotValid",
        "the role stands in the LaunchTemplate, not in the task",
    ),
    (
        "RegisterTaskDefinition",
        "ClientException",
        "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
        400,
        Blocked,
        "ExecutionRoleMissing",
        "the role stands in the LaunchTemplate",
    ),
    (
        "RegisterTaskDefinition",
        "ClientException",
        "No Fargate configuration exists for given values: 256 CPU, 8192 memory.",
        400,
        Rejected,
        "InvalidFargateSize",
        "the user changes cpu or memory",
    ),
    ("RegisterTaskDefinition", "ClientException", "no.", 400, Rejected, "InvalidTaskDefinition", "the spec is wrong"),
    ("CreateSchedule", "ValidationException", "no.", 400, Rejected, "InvalidSchedule", "the cron is wrong"),
    ("DescribeClusters", "InvalidParameterException", "no", 400, Rejected, "InvalidCluster", "the template is wrong"),
    ("PutRetentionPolicy", "InvalidParameterException", "no", 400, Rejected, "InvalidLogGroup", "no such retention"),
    ("ListTasks", "ClusterNotFoundException", "Cluster not found.", 400, Blocked, "ClusterNotFound", "it is gone"),
    ("CreateSchedule", "ResourceNotFoundException", "", 404, Blocked, "ScheduleGroupNotFound", "its group is gone"),
    ("UpdateSchedule", "ResourceNotFoundException", "", 404, Busy, "ScheduleVanished", "deleted meanwhile: look again"),
    ("CreateSchedule", "ConflictException", "exists", 409, Busy, "ScheduleExists", "made meanwhile: look again"),
    ("DeleteSchedule", "ConflictException", "being changed", 409, Busy, "Conflict", "another change is under way"),
    ("CreateSchedule", "ServiceQuotaExceededException", "", 402, Blocked, "QuotaExceeded", "someone frees something"),
    (
        "RunTask",
        "BlockedException",
        "Your account is blocked.",
        400,
        Blocked,
        "AccountBlocked",
        "AWS support has to act",
    ),
    ("ReceiveMessage", "KMS.DisabledException", "key", 400, Blocked, "QueueKeyUnusable", "the key has to be enabled"),
]


@pytest.mark.parametrize(
    ("operation", "code", "message", "status", "kind", "reason"),
    [row[:-1] for row in CASES],
    ids=[r[-1] for r in CASES],
)
def test_an_answer_says_who_has_to_act(
    operation: str, code: str, message: str, status: int, kind: type[Expected], reason: str
) -> None:
    failure = error(operation, code, message, status)

    raised = outcome_of(failure)

    assert isinstance(raised, kind), raised
    assert raised.reason == reason
    assert raised.__cause__ is failure


@pytest.mark.parametrize(
    ("failure", "kind", "reason"),
    [
        (exceptions.EndpointConnectionError(endpoint_url="https://ecs.x/", error="refused"), Busy, "AwsUnreachable"),
        (exceptions.ReadTimeoutError(endpoint_url="https://ecs.x/", error="late"), Busy, "AwsUnreachable"),
        (exceptions.ConnectTimeoutError(endpoint_url="https://ecs.x/", error="late"), Busy, "AwsUnreachable"),
        (exceptions.ConnectionClosedError(endpoint_url="https://ecs.x/"), Busy, "AwsUnreachable"),
        (exceptions.SSLError(endpoint_url="https://ecs.x/", error="bad"), Busy, "AwsUnreachable"),
        (exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2), Busy, "AwsUnreachable"),
        (exceptions.CredentialRetrievalError(provider="x", error_msg="late"), Busy, "CredentialsUnavailable"),
        (exceptions.NoCredentialsError(), Blocked, "NoCredentials"),
        (exceptions.PartialCredentialsError(provider="env", cred_var="AWS_X"), Blocked, "NoCredentials"),
        (exceptions.ProfileNotFound(profile="dev"), Blocked, "NoCredentials"),
        (exceptions.InvalidRegionError(region_name="eu west"), Rejected, "InvalidRegion"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_no_answer_says_who_has_to_act(failure: Exception, kind: type[Expected], reason: str) -> None:
    raised = outcome_of(failure)

    assert isinstance(raised, kind)
    assert raised.reason == reason


def test_an_unreachable_endpoint_is_named_without_path_and_query() -> None:
    failure = exceptions.EndpointConnectionError(
        endpoint_url="https://scheduler.x/schedules/job?groupName=g", error="no"
    )

    raised = outcome_of(failure)

    assert str(raised) == "AWS does not answer at https://scheduler.x."


@pytest.mark.parametrize(
    "failure",
    [
        error("DescribeTasks", "InvalidParameterException", "Invalid identifier"),
        error("ListTasks", "SomethingNew", "what"),
        exceptions.UnknownServiceError(service_name="x", known_service_names="y"),
    ],
    ids=["a request that no user shapes", "an unknown code", "a mistake of ours"],
)
def test_what_no_table_knows_stays_a_bug(failure: Exception) -> None:
    assert outcome_of(failure) is failure


def test_an_outage_waits_longer_than_a_conflict() -> None:
    throttled = outcome_of(error("ListTasks", "ThrottlingException", "Rate exceeded"))
    conflict = outcome_of(error("DeleteSchedule", "ConflictException", "", 409))

    assert isinstance(throttled, Busy)
    assert isinstance(conflict, Busy)
    assert throttled.retry_after > conflict.retry_after > 0


def test_a_denial_says_what_to_grant_on_what_to_whom() -> None:
    raised = outcome_of(error("RegisterTaskDefinition", "AccessDeniedException", DENIAL))

    assert str(raised) == (
        "Grant ecs:RegisterTaskDefinition on * to arn:aws:sts::111122223333:assumed-role/operator: "
        "no identity-based policy allows the ecs:RegisterTaskDefinition action."
    )


def test_a_role_that_cannot_be_assumed_says_what_both_sides_have_to_allow() -> None:
    message = f"User: {WHO} is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/t"

    raised = outcome_of(error("AssumeRole", "AccessDenied", message, 403))

    assert "Grant sts:AssumeRole on arn:aws:iam::444455556666:role/t to" in str(raised)
    assert "trust policy" in str(raised)
    assert "external id <installation>/<LaunchTemplate>" in str(raised)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            "No such thing (Service: Ecs, Status Code: 400, Request ID: 0a1b2c3d-1111-2222-3333-444455556666)",
            "No such thing (Service: Ecs, Status Code: 400, Request ID: ffffffff-1111-2222-3333-444455556666)",
        ),
        ("No such thing, RequestId: 1-a", "No such thing, RequestId: 2-b"),
        (DENIAL, DENIAL.replace("1699999999999", "1700000000000")),
        (
            f"{DENIAL} Encoded authorization failure message: AAAA",
            f"{DENIAL} Encoded authorization failure message: BB",
        ),
    ],
    ids=["a request id in brackets", "a request id", "the session of a role", "an encoded message"],
)
def test_the_same_refusal_gives_the_same_message(first: str, second: str) -> None:
    told = {str(outcome_of(error("RegisterTaskDefinition", "ClientException", text))) for text in (first, second)}

    assert len(told) == 1


QUOTES = [
    "1 validation error detected: Value '{}' at 'containerDefinitions.1.member.environment.1.member.value' failed",
    "2 validation errors detected: Value '{}' at 'a' failed to satisfy; Value 'x' at 'b' failed to satisfy",
    "1 validation error detected: Value '{} and here AWS cut its sentence sho",
    "Invalid environment: KeyValuePair(name=A, value={})",
    'Cannot read {{"name":"A","value":"{}"}}',
]


@pytest.mark.parametrize("quote", QUOTES)
@pytest.mark.parametrize(
    "secret", [CANARY, f"x' at 'y {CANARY}", f"line\n{CANARY}", f'"{CANARY}"', f"{CANARY} Rate exceede"]
)
@pytest.mark.parametrize("code", ["ClientException", "SomethingNew"])
def test_no_env_value_that_aws_quotes_is_told_to_anyone(quote: str, secret: str, code: str) -> None:
    escaped = secret.replace("\n", "\\n").replace('"', '\\"') if "{{" in quote else secret
    wire = Wire()
    wire.refuses("RegisterTaskDefinition", code, quote.format(escaped))

    with pytest.raises((Rejected, ClientError)) as caught:
        Ecs(wire.clients()).register(definition(PASSWORD=secret), "uid-1")

    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert CANARY not in str(vars(caught.value.__cause__ or caught.value))


def test_a_value_that_botocore_itself_refuses_is_told_to_nobody() -> None:
    broken = definition(PASSWORD=[CANARY])  # type: ignore[arg-type]  # a value of the wrong type is the point

    with pytest.raises(ParamValidationError) as caught:
        Ecs(Wire().clients()).register(broken, "uid-1")

    told = "".join(traceback.format_exception(caught.value))
    assert "environment[0].value" in told
    assert CANARY not in told
    assert CANARY not in str(vars(caught.value))


def test_a_denial_keeps_its_arns_whole_though_env_holds_parts_of_them() -> None:
    wire = Wire()
    message = f"User: {WHO} is not authorized to perform: ecs:RegisterTaskDefinition on resource: {ARN}"
    wire.refuses("RegisterTaskDefinition", "AccessDeniedException", message)

    with pytest.raises(Blocked) as caught:
        Ecs(wire.clients()).register(definition(REGION=REGION), "uid-1")

    assert ARN in str(caught.value)


@settings(max_examples=50, deadline=None)
@given(message=st.text(max_size=300), code=st.sampled_from(["ClientException", "AccessDeniedException", "Throttling"]))
def test_a_message_is_one_bounded_line_whatever_aws_says(message: str, code: str) -> None:
    raised = outcome_of(error("RegisterTaskDefinition", code, message))

    assert isinstance(raised, Expected)
    assert raised.message == str(raised)
    assert raised.message.isprintable()
    assert len(raised.message) < 1024


@given(
    code=st.sampled_from(
        ["ResourceNotFoundException", "ClientException", "ClusterNotFoundException", "SomethingNew", ""]
    ),
    operation=st.sampled_from(["GetSchedule", "DescribeTaskDefinition", "RegisterTaskDefinition", "CreateSchedule"]),
    status=st.integers(500, 599),
)
def test_no_outage_is_ever_put_to_the_user(code: str, operation: str, status: int) -> None:
    assert isinstance(outcome_of(error(operation, code, "no", status)), Busy)
