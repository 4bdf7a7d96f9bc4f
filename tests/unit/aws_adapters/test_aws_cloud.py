"""Clouds: who calls, how often, and what is told of it."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs

import botocore.session
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.regions import EndpointResolver

from backgroundtask.aws import Clouds, Ecs
from backgroundtask.aws.clients import OnCall, session_on
from backgroundtask.errors import Blocked, Busy
from backgroundtask.plan.definition import Definition
from backgroundtask.plan.names import Owner
from fixtures.wire import LOADER, Wire

ROLE = "arn:aws:iam::444455556666:role/tenant"
CLUSTER = {"clusters": [{"clusterArn": "arn", "status": "ACTIVE"}], "failures": []}
ASSUMED = """
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
  <AssumedRoleUser><Arn>arn:aws:sts::444455556666:assumed-role/tenant/bgt-prod</Arn>
  <AssumedRoleId>A:b</AssumedRoleId></AssumedRoleUser>
  <Credentials><AccessKeyId>ASIA{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
  <SessionToken>t</SessionToken><Expiration>{expires}</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>
"""
DENIED = """
<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code>
<Message>User: arn:aws:iam::1:user/op is not authorized to perform: sts:AssumeRole on resource: {role}</Message>
</Error></ErrorResponse>
"""


def expires_in(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOWN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture(autouse=True)
def _wired(monkeypatch: pytest.MonkeyPatch, wire: Wire) -> None:
    """Every session of `Clouds` ends at the wire."""

    def wired(loader: Any, on_call: OnCall | None) -> botocore.session.Session:
        session = session_on(loader, on_call)
        wire.connect(session)
        return session

    monkeypatch.setattr("backgroundtask.aws.cloud.session_on", wired)
    monkeypatch.setattr("backgroundtask.aws.cloud.terse_loader", lambda: LOADER)  # it is slow to fill


@pytest.fixture
def clouds(credentials: None) -> Clouds:  # noqa: ARG001 - for its effect
    return Clouds(installation="prod")


def test_the_same_region_and_identity_is_the_same_cloud(clouds: Clouds) -> None:
    own = clouds.of(region="eu-west-1", assume_role_arn=None, template="a")

    assert clouds.of(region="eu-west-1", assume_role_arn=None, template="b") is own
    assert clouds.of(region="us-east-1", assume_role_arn=None, template="a") is not own


def test_templates_share_no_assumed_role_since_each_has_its_own_external_id(clouds: Clouds) -> None:
    first, second = (clouds.of(region="eu-west-1", assume_role_arn=ROLE, template=name) for name in ("a", "b"))

    assert first is not second
    assert clouds.of(region="eu-west-1", assume_role_arn=ROLE, template="a") is first


def test_nothing_is_called_before_it_is_needed(clouds: Clouds, wire: Wire) -> None:
    clouds.of(region="eu-west-1", assume_role_arn=ROLE, template="a")

    assert wire.sent == []


def test_a_role_is_assumed_with_the_external_id_of_its_template_and_a_steady_session_name(
    clouds: Clouds, wire: Wire
) -> None:
    wire.says("AssumeRole", ASSUMED.format(key=1, expires=expires_in(hours=1)))
    wire.says("DescribeClusters", CLUSTER)
    cloud = clouds.of(region="eu-west-1", assume_role_arn=ROLE, template="tenant-a")

    cloud.ecs.cluster("main")
    cloud.ecs.cluster("main")

    assert wire.operations() == ["AssumeRole", "DescribeClusters", "DescribeClusters"]
    asked = parse_qs(wire.sent[0].body)
    assert {key: asked[key] for key in ("RoleArn", "ExternalId", "RoleSessionName")} == {
        "RoleArn": [ROLE],
        "ExternalId": ["prod/tenant-a"],
        "RoleSessionName": ["bgt-prod"],
    }
    assert wire.sent[0].url == "https://sts.eu-west-1.amazonaws.com/"


def test_a_role_is_assumed_again_before_its_credentials_expire(clouds: Clouds, wire: Wire) -> None:
    wire.says("AssumeRole", ASSUMED.format(key=1, expires=expires_in(minutes=5)))
    wire.says("AssumeRole", ASSUMED.format(key=2, expires=expires_in(hours=1)))
    wire.says("DescribeClusters", CLUSTER)
    cloud = clouds.of(region="eu-west-1", assume_role_arn=ROLE, template="a")

    for _ in range(3):
        cloud.ecs.cluster("main")

    assert wire.operations().count("AssumeRole") == 2


def test_a_role_that_cannot_be_assumed_blocks_with_what_to_grant(clouds: Clouds, wire: Wire) -> None:
    wire.says("AssumeRole", DENIED.format(role=ROLE), status=403)
    cloud = clouds.of(region="eu-west-1", assume_role_arn=ROLE, template="a")

    with pytest.raises(Blocked) as caught:
        cloud.ecs.cluster("main")

    assert caught.value.reason == "RoleNotAssumable"
    assert f"Grant sts:AssumeRole on {ROLE}" in str(caught.value)


def test_without_credentials_someone_has_to_give_some() -> None:
    clouds = Clouds(installation="prod")

    with pytest.raises(Blocked) as own:
        clouds.of(region="eu-west-1", assume_role_arn=None, template="a").ecs.cluster("main")
    with pytest.raises(Blocked) as assumed:
        clouds.of(region="eu-west-1", assume_role_arn=ROLE, template="a")

    assert (own.value.reason, assumed.value.reason) == ("NoCredentials", "NoCredentials")


def test_credentials_that_appear_later_are_used(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    wire.says("DescribeClusters", CLUSTER)
    cloud = Clouds(installation="prod").of(region="eu-west-1", assume_role_arn=None, template="a")
    with pytest.raises(Blocked):
        cloud.ecs.cluster("main")

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOWN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    assert cloud.ecs.cluster("main") is not None


def test_the_endpoint_of_the_environment_is_used(wire: Wire, clouds: Clouds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    wire.says("DescribeClusters", CLUSTER)

    clouds.of(region="eu-west-1", assume_role_arn=None, template="a").ecs.cluster("main")

    assert wire.sent[0].url == "http://127.0.0.1:4566/"


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock that shows a second more each time it is read, and retries that do not wait."""
    ticks = count(step=1.0)
    monkeypatch.setattr("backgroundtask.aws.clients.time.monotonic", lambda: next(ticks))
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    yield
    monkeypatch.undo()


@pytest.mark.usefixtures("ticking")
def test_every_attempt_is_told_with_its_code_and_duration(wire: Wire) -> None:
    told: list[tuple[str, str, float]] = []
    wire.refuses("DescribeClusters", "ThrottlingException")
    wire.breaks("DescribeClusters", ReadTimeoutError(endpoint_url="https://x"))
    wire.says("DescribeClusters", CLUSTER)

    Ecs(wire.clients(attempts=3, on_call=lambda *call: told.append(call))).cluster("main")

    assert [call[:2] for call in told] == [
        ("ecs.DescribeClusters", "ThrottlingException"),
        ("ecs.DescribeClusters", "ReadTimeoutError"),
        ("ecs.DescribeClusters", "OK"),
    ]
    assert all(call[2] > 0 for call in told)


@pytest.mark.parametrize(
    ("code", "text", "told_as", "why"),
    [
        ("InvalidParameterException", "Rate exceeded (ErrorCode: Throttling)", "ThrottlingException", "dagster #33439"),
        ("ClientException", "Too many concurrent attempts to create a new revision", "ThrottlingException", "a family"),
        ("RequestThrottled", "Rate exceeded", "RequestThrottled", "SQS's own name says enough"),
        ("ClientException", "The rate of nothing", "ClientException", "it is none"),
        ("AccessDeniedException", "not authorized", "AccessDeniedException", "it is none"),
    ],
)
def test_a_throttle_is_told_by_its_name_wherever_aws_hides_it(
    wire: Wire, code: str, text: str, told_as: str, why: str
) -> None:
    told: list[str] = []
    wire.refuses("DescribeClusters", code, text)

    with pytest.raises(Exception, match=r"."):
        Ecs(wire.clients(on_call=lambda _, code, __: told.append(code))).cluster("main")

    assert told == [told_as], why


def test_calls_to_logs_are_told_under_the_name_of_the_service(wire: Wire) -> None:
    told: list[str] = []
    wire.says("DescribeLogGroups", {"logGroups": []})

    wire.clients(on_call=lambda operation, *_: told.append(operation)).logs.describe_log_groups()

    assert told == ["logs.DescribeLogGroups"]


@pytest.mark.usefixtures("ticking")
def test_a_lasting_outage_holds_a_thread_for_two_attempts(wire: Wire, clouds: Clouds) -> None:
    wire.refuses("DescribeClusters", "ServerException", status=500)

    with pytest.raises(Busy):
        clouds.of(region="eu-west-1", assume_role_arn=None, template="a").ecs.cluster("main")

    assert wire.operations() == ["DescribeClusters"] * 2


def test_threads_that_start_together_share_one_client(wire: Wire) -> None:
    clients = wire.clients()
    together = threading.Barrier(8)

    def client(_: int) -> object:
        together.wait()
        return clients.ecs

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(client, range(8)))

    assert len({id(one) for one in made}) == 1


def test_no_env_value_is_logged_even_where_everything_is(
    clouds: Clouds, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wire.says("RegisterTaskDefinition", {"taskDefinition": {"taskDefinitionArn": "arn"}})
    secret = Definition(owner=Owner("prod", "ns", "job"), image="i", cpu=256, memory=512, env={"A": "hunter2-canary"})

    clouds.of(region="eu-west-1", assume_role_arn=None, template="a").ecs.register(secret, "uid-1")

    assert "hunter2-canary" in str(wire.bodies("RegisterTaskDefinition"))
    assert "hunter2-canary" not in caplog.text


def test_service_models_keep_all_but_their_prose() -> None:
    terse = LOADER.load_service_model("ecs", "service-2")
    whole = botocore.session.Session().get_component("data_loader").load_service_model("ecs", "service-2")

    assert "documentation" not in str(terse["operations"])
    assert terse["operations"].keys() == whole["operations"].keys()
    assert terse["shapes"]["RunTaskRequest"]["members"].keys() == whole["shapes"]["RunTaskRequest"]["members"].keys()


@pytest.mark.parametrize("region", ["eu-west-1", "cn-north-1", "us-gov-west-1"])
def test_the_table_of_endpoints_leads_where_the_whole_one_does(region: str) -> None:
    terse = EndpointResolver(LOADER.load_data("endpoints"))
    whole = EndpointResolver(botocore.session.Session().get_component("data_loader").load_data("endpoints"))

    for service in ("ecs", "scheduler", "sqs", "logs", "sts", "events", "api.ecr"):
        expected, found = whole.construct_endpoint(service, region), terse.construct_endpoint(service, region)

        assert expected is not None
        assert found is not None
        assert found["hostname"] == expected["hostname"]
