"""What a task may use of its LaunchTemplate, and what becomes of a revision when the template offers less."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from backgroundtask.errors import Rejected
from backgroundtask.plan.definition import Definition, EfsVolume
from backgroundtask.plan.desired import allows, desired
from backgroundtask.plan.names import Owner
from backgroundtask.plan.observed import Revision
from backgroundtask.plan.site import Site
from fixtures.objects import ACCOUNT, CLUSTER, REGION, TASK_UID, task, template

OWNER = Owner("test", "reports", "nightly")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:reports/registry-AbCdEf"
FS = "fs-0123456789abcdef0"


def site(**spec: Any) -> Site:
    return Site(template="default", spec=template(**spec).spec, cluster=CLUSTER, group="bgt-test")


def definition(at: Site, **spec: Any) -> Definition:
    return desired(OWNER, TASK_UID, task(**spec).spec, at, now=NOW).definition


def refusal(at: Site, **spec: Any) -> Rejected:
    with pytest.raises(Rejected) as caught:
        definition(at, **spec)
    return caught.value


def efs(name: str = "data", *, path: str = "/mnt/data", **members: Any) -> dict[str, Any]:
    return {"name": name, "mountPath": path, "efs": {"fileSystemId": FS, **members}}


@pytest.mark.parametrize(
    ("limits", "spec", "words"),
    [
        (
            {"cpu": 1024},
            {"cpu": 2048, "memory": 4096},
            "cpu 2048 is more than the 1024 of limits.cpu",
        ),
        (
            {"memory": 4096},
            {"cpu": 2048, "memory": 5120},
            "memory 5120 is more than the 4096 of limits.memory",
        ),
    ],
)
def test_more_than_the_limits_is_refused(limits: dict[str, int], spec: dict[str, int], words: str) -> None:
    refused = refusal(site(limits=limits), **spec)

    assert refused.reason == "LimitExceeded"
    assert refused.message == f"{words} of LaunchTemplate default: ask for less, or ask its owner for more."


def test_as_much_as_the_limits_is_taken() -> None:
    found = definition(site(limits={"cpu": 2048, "memory": 4096}), cpu=2048, memory=4096)

    assert (found.cpu, found.memory) == (2048, 4096)


@pytest.mark.parametrize(
    ("image", "is_offered", "why"),
    [
        (f"{ECR}/reports/nightly:1.4", True, "the namespace's own folder"),
        (f"{ECR}/reports/nightly@sha256:{'a' * 64}", True, "by digest"),
        ("public.ecr.aws/docker/library/python:3.14", True, "the very image"),
        ("public.ecr.aws/docker/library/python:3.15", False, "another tag of it"),
        (f"{ECR}/billing/nightly:1.4", False, "another's folder"),
        (f"{ECR}/reports2/nightly:1.4", False, "a namespace whose name begins alike"),
        (f"{ECR}/reports/../billing/nightly:1.4", False, "a path that climbs"),
        (f"evil.example/{ECR}/reports/nightly:1.4", False, "a registry in front"),
        ("nightly:1.4", False, "no registry at all"),
    ],
)
def test_an_image_has_to_match_a_pattern_where_there_are_any(image: str, is_offered: bool, why: str) -> None:  # noqa: FBT001 - a column of the table
    at = site(images=[f"{ECR}/{{namespace}}/*", "public.ecr.aws/docker/library/python:3.14"])

    if is_offered:
        assert definition(at, image=image).image == image, why
        return
    refused = refusal(at, image=image)
    assert refused.reason == "ImageNotAllowed", why
    assert refused.message == (
        "spec.image matches none of spec.images of LaunchTemplate default for namespace reports: use an image that it "
        "allows, or ask its owner."
    )


def test_without_patterns_every_image_is_taken() -> None:
    assert definition(site(), image="anything:1").image == "anything:1"


def test_volumes_are_mounted_in_an_order_of_their_own_and_encrypted() -> None:
    at = site(fileSystems=[FS])
    volumes = [
        efs("b", path="/b", rootDirectory="/exports", transitEncryption=False),
        efs("a", path="/a", accessPointId="fsap-0123456789abcdef0", iam=True) | {"readOnly": True},
    ]

    found = definition(at, taskRole="reader", volumes=volumes)

    assert found.volumes == (
        EfsVolume(
            name="a",
            mount_path="/a",
            file_system=FS,
            access_point="fsap-0123456789abcdef0",
            uses_task_role=True,
            is_read_only=True,
        ),
        EfsVolume(name="b", mount_path="/b", file_system=FS, root_directory="/exports", is_encrypted=False),
    )
    assert definition(at, taskRole="reader", volumes=volumes[::-1]).digest == found.digest


@pytest.mark.parametrize("offered", [[], ["fs-01234567"]], ids=["none", "another"])
def test_a_file_system_that_the_template_does_not_name_is_refused(offered: list[str]) -> None:
    refused = refusal(site(fileSystems=offered), volumes=[efs()])

    assert refused.reason == "FileSystemNotAllowed"
    assert refused.message == (
        f"{FS} of volume data is not in spec.fileSystems of LaunchTemplate default: use one that is, or ask its owner."
    )


def test_every_file_system_may_be_offered() -> None:
    assert definition(site(fileSystems=["*"]), volumes=[efs()]).file_systems == {FS}


def test_a_shell_needs_leave() -> None:
    refused = refusal(site(), enableExecuteCommand=True, taskRole="reader")

    assert refused.reason == "ExecuteCommandNotAllowed"
    assert "allowExecuteCommand" in refused.message


def test_a_shell_is_asked_for_by_every_launch_and_known_of_the_revision() -> None:
    spec = task(enableExecuteCommand=True, taskRole="reader").spec

    wanted = desired(OWNER, TASK_UID, spec, site(allowExecuteCommand=True), now=NOW)

    assert wanted.definition.has_shell
    assert wanted.schedules[0].request["enableExecuteCommand"] is True
    (without,) = desired(OWNER, TASK_UID, task().spec, site(), now=NOW).schedules
    assert "enableExecuteCommand" not in without.request


def test_registry_credentials_are_judged_as_every_secret_is() -> None:
    assert definition(site(), registryCredentials=SECRET).registry_credentials == SECRET
    refused = refusal(site(secrets=["/{namespace}/*"]), registryCredentials=SECRET)
    assert refused.reason == "SecretNotAllowed"
    assert refused.message.startswith("The secret of spec.registryCredentials matches none of spec.secrets")


FULL = {
    "fileSystems": [FS],
    "images": ["reports:*"],
    "allowExecuteCommand": True,
    "secrets": [SECRET],
}
REVISION = Revision(
    arn=f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{OWNER.family}:1",
    digest="d",
    owner=str(OWNER),
    uid=TASK_UID,
    task_role=f"arn:aws:iam::{ACCOUNT}:role/reader",
    secrets=frozenset({SECRET}),
    image="reports:1.4",
    file_systems=frozenset({FS}),
    has_shell=True,
)


def test_a_revision_goes_on_while_its_template_offers_all_that_its_tasks_get() -> None:
    assert allows(site(**FULL), "reports", REVISION)
    assert allows(site(), "reports", replace(REVISION, secrets=frozenset(), file_systems=frozenset(), has_shell=False))


@pytest.mark.parametrize(
    "less",
    [
        {"namespaces": ["billing"]},
        {"taskRoles": {}},
        {"secrets": []},
        {"images": ["billing:*"]},
        {"fileSystems": ["fs-01234567"]},
        {"allowExecuteCommand": False},
    ],
    ids=lambda less: next(iter(less)),
)
def test_what_a_template_takes_back_ends_what_has_it(less: dict[str, Any]) -> None:
    assert not allows(site(**{**FULL, **less}), "reports", REVISION)


def test_a_revision_that_tells_no_image_is_not_ended_for_it() -> None:
    assert allows(site(**FULL), "reports", replace(REVISION, image=None))


def test_a_task_of_the_first_release_asks_aws_for_the_very_same() -> None:
    """Else an upgrade would register every definition and write every schedule again, at one registration a second."""
    spec = task(env=[{"name": "A", "value": "1"}], taskRole="reader").spec

    wanted = desired(OWNER, TASK_UID, spec, site(), now=NOW)

    assert wanted.definition.digest == "1b2ac9c11eba0f3462abb77ff1fc67fff61afb194fe74f7a1698bb4bbcf42046"
    assert wanted.digest == "2a408f7a4c22db91fd15b045e0855df34e1c8d4737629943c7b8098acca9e013"
