"""The contract of Amazon ECS, by what boto3 sees of it: volumes, registries with credentials, ECS Exec.

Each test is named after a rule of AWS and marked with how it is known (`API` is the ECS API Reference).
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from fixtures.ecs_account import Account, refusal
from localaws.running import Running

POINT = {"accessPointId": "fsap-0123456789abcdef0"}
MOUNTED = {"mountPoints": [{"sourceVolume": "data", "containerPath": "/mnt/data"}]}


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


def efs(**members: Any) -> dict[str, Any]:
    return {"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0", **members}}


def refused(
    account: Account, *volumes: dict[str, Any], container: dict[str, Any] | None = None
) -> tuple[int, str, str]:
    return refusal(partial(account.register, "true"), container=container, volumes=list(volumes))


@pytest.mark.documented("API: EFSVolumeConfiguration; API: MountPoint")
def test_a_volume_and_its_mount_point_are_described_as_they_were_registered(account: Account) -> None:
    volume = efs(transitEncryption="ENABLED", authorizationConfig={**POINT, "iam": "ENABLED"})
    point = {"sourceVolume": "data", "containerPath": "/mnt/data", "readOnly": True}

    account.register("true", container={"mountPoints": [point]}, volumes=[volume])

    found = account.ecs.describe_task_definition(taskDefinition="contract")["taskDefinition"]
    assert found["volumes"] == [volume]
    assert found["containerDefinitions"][0]["mountPoints"] == [point]


@pytest.mark.reported("ansible/ansible#35751")
def test_a_mount_point_needs_a_volume_of_the_definition(account: Account) -> None:
    assert refused(account, container=MOUNTED) == (400, "ClientException", "Unknown volume 'data'.")


@pytest.mark.documented("API: Volume.name: letters, numbers, underscores and hyphens; required for EFS")
@pytest.mark.parametrize("name", ["", "a/b", "a" * 256], ids=["none", "a slash", "too long"])
def test_a_volume_has_a_name(account: Account, name: str) -> None:
    assert refused(account, {**efs(), "name": name})[:2] == (400, "ClientException")


@pytest.mark.documented("API: EFSAuthorizationConfig.accessPointId")
@pytest.mark.parametrize(
    "members",
    [
        {"rootDirectory": "/a", "transitEncryption": "ENABLED"},
        {"transitEncryption": "DISABLED"},
        {},
    ],
    ids=["a root directory of its own", "not encrypted", "not encrypted by default"],
)
def test_an_access_point_has_a_root_directory_and_is_encrypted(account: Account, members: dict[str, Any]) -> None:
    assert refused(account, efs(authorizationConfig=POINT, **members))[:2] == (400, "ClientException")


@pytest.mark.documented("API: EFSAuthorizationConfig.iam")
def test_authorisation_by_role_is_encrypted(account: Account) -> None:
    assert refused(account, efs(authorizationConfig={"iam": "ENABLED"}))[:2] == (400, "ClientException")


@pytest.mark.reported("cloudposse/terraform-aws-ecs-alb-service-task#174")
def test_fargate_has_no_folders_of_a_host(account: Account) -> None:
    volume = {"name": "data", "host": {"sourcePath": "/var/data"}}

    assert refused(account, volume) == (
        400,
        "ClientException",
        "Fargate compatible task definitions do not support sourcePath",
    )


@pytest.mark.localaws_only("an account would need a file system and a mount target")
@pytest.mark.documented("developer guide, Use Amazon EFS volumes with Amazon ECS: tasks share what is in a file system")
def test_what_a_task_has_written_another_one_finds(account: Account) -> None:
    account.register("sh", "-c", "echo hello > mnt/data/greeting", container=MOUNTED, volumes=[efs()])
    account.ended(account.run())
    account.register("sh", "-c", "cat mnt/data/greeting", container=MOUNTED, volumes=[efs()])

    read = account.ended(account.run())

    assert account.output(read) == ["hello"]


@pytest.mark.localaws_only("an account would need a file system and a mount target")
@pytest.mark.reported("acp-io/terraform-grafana#4")
def test_a_root_directory_that_is_not_there_is_a_resource_initialization_error(account: Account) -> None:
    account.register("true", container=MOUNTED, volumes=[efs(rootDirectory="/exports")])

    ended = account.ended(account.run())

    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith(
        "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: "
    )


@pytest.mark.reported("aws-samples/keycloak-on-aws#222")
def test_missing_registry_credentials_are_a_resource_initialization_error(account: Account) -> None:
    missing = f"arn:aws:secretsmanager:{account.aws.region}:{account.aws.account}:secret:no-abcdef"
    account.register("true", container={"repositoryCredentials": {"credentialsParameter": missing}})

    ended = account.ended(account.run())

    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        "unable to get registry auth from asm: "
    )


@pytest.mark.localaws_only("an account would need a registry with credentials")
@pytest.mark.documented("developer guide, Using non-AWS container images in Amazon ECS")
def test_an_image_is_pulled_with_the_credentials_of_a_secret(account: Account) -> None:
    text = json.dumps({"username": "me", "password": "hidden"})
    arn = account.aws.client("secretsmanager").create_secret(Name="registry", SecretString=text)["ARN"]
    account.register("env", container={"repositoryCredentials": {"credentialsParameter": arn}})

    ended = account.ended(account.run())

    assert ended["containers"][0]["exitCode"] == 0
    assert not [line for line in account.output(ended) if "hidden" in line]


@pytest.mark.documented("API: RunTask.enableExecuteCommand: requires a task IAM role")
def test_a_shell_in_a_container_needs_a_task_role(account: Account) -> None:
    role = f"arn:aws:iam::{account.aws.account}:role/task"
    account.register("true")

    status, code, _ = refusal(account.ask, enableExecuteCommand=True)
    task = account.run(enableExecuteCommand=True, overrides={"taskRoleArn": role})

    assert (status, code) == (400, "InvalidParameterException")
    assert task["enableExecuteCommand"] is True
