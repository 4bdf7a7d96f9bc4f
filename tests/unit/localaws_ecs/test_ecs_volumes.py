"""File systems that tasks mount, and registries with credentials: what a process finds, and what keeps it from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fixtures.ecs_world import ROLE, Ecs, awslogs, container, job, request
from localaws.contract import AwsError
from localaws.ecs.filesystems import FileSystems

pytestmark = pytest.mark.timeout(10)  # real processes, perhaps on a busy machine

ASM = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:registry-a1b2c3"


def efs(**members: Any) -> dict[str, Any]:
    return {"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-01234567", **members}}


def ran(ecs: Ecs, script: str, *volumes: dict[str, Any], path: str = "/mnt/data", **members: Any) -> dict[str, Any]:
    """Run a script in a container that mounts the volumes, the first at `path`; the task at its end."""
    points = [{"sourceVolume": one["name"], "containerPath": path} for one in volumes]
    does = container("sh", "-c", script, mountPoints=points, logConfiguration=awslogs(), **members)
    ecs.world.groups.setdefault("/bgt/reports", {})
    ecs("CreateCluster", clusterName="main")
    ecs("RegisterTaskDefinition", **job(does, volumes=list(volumes), executionRoleArn=ROLE))
    return ecs.finish(ecs.run())


def output(ecs: Ecs) -> list[str]:
    return [line for lines in ecs.world.groups["/bgt/reports"].values() for line in lines]


def test_tasks_share_a_file_system_below_their_working_folders(ecs: Ecs) -> None:
    ran(ecs, "echo hello > mnt/data/greeting", efs())
    ran(ecs, "cat elsewhere/greeting", efs(), path="/elsewhere")

    assert output(ecs) == ["hello"]


def test_another_file_system_and_an_access_point_show_something_else(ecs: Ecs) -> None:
    point = {"accessPointId": "fsap-01234567"}
    ran(ecs, "echo hello > mnt/data/greeting", efs())
    ran(ecs, "ls mnt/data", efs(fileSystemId="fs-76543210"))
    ran(ecs, "ls mnt/data", efs(authorizationConfig=point, transitEncryption="ENABLED"))

    assert output(ecs) == []


def test_a_root_directory_has_to_be_there(ecs: Ecs) -> None:
    first = ran(ecs, "ls mnt/data", efs(rootDirectory="/exports"))
    ran(ecs, "mkdir mnt/data/exports && touch mnt/data/exports/found", efs())
    ran(ecs, "ls mnt/data", efs(rootDirectory="/exports"))
    outside = ran(ecs, "ls mnt/data", efs(rootDirectory="/../.."))

    assert output(ecs) == ["found"]
    for failed in (first, outside):
        assert failed["stopCode"] == "TaskFailedToStart"
        assert failed["stoppedReason"].startswith("ResourceInitializationError: failed to invoke EFS utils commands")


def test_a_volume_without_a_file_system_is_nothing_to_a_process(ecs: Ecs) -> None:
    ended = ran(ecs, "ls", {"name": "scratch"})

    assert (ended["stopCode"], output(ecs)) == ("EssentialContainerExited", [])


def test_file_systems_need_a_new_platform(ecs: Ecs) -> None:
    ecs.ready()
    ecs("RegisterTaskDefinition", **job(volumes=[efs()]))

    with pytest.raises(AwsError) as refused:
        ecs("RunTask", **request(platformVersion="1.3.0"))

    assert refused.value.code == "PlatformTaskDefinitionIncompatibilityException"


def test_file_systems_end_with_localaws() -> None:
    systems = FileSystems()
    mounts = systems.mounts(
        {"volumes": [efs()]}, {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}, "eu-west-1"
    )

    systems.close()

    assert set(mounts) == {"/data"}
    assert not Path(mounts["/data"]).exists()


CREDENTIALS = {"credentialsParameter": ASM}


def test_credentials_of_a_registry_are_looked_for_and_not_shown_to_the_process(ecs: Ecs) -> None:
    ecs.world.secrets[ASM] = {"SecretString": '{"username": "me", "password": "hidden"}'}

    ended = ran(ecs, "env", repositoryCredentials=CREDENTIALS)

    assert ended["stopCode"] == "EssentialContainerExited"
    assert "hidden" not in " ".join(output(ecs))


@pytest.mark.parametrize(
    ("secret", "words", "why"),
    [
        (None, f"asm fetching secret from the service for {ASM}: ResourceNotFoundException", "no such secret"),
        ({"SecretString": '{"user": "hidden"}'}, "the secret has no username and password", "something else"),
        ({"SecretString": "hidden"}, "the secret is not a JSON object", "no JSON"),
        ({"SecretBinary": b"hidden"}, "the secret is not a JSON object", "no text"),
    ],
)
def test_credentials_that_cannot_be_used_stop_the_task(
    ecs: Ecs, secret: dict[str, Any] | None, words: str, why: str
) -> None:
    ecs.world.secrets |= {ASM: secret} if secret else {}

    ended = ran(ecs, "env", repositoryCredentials=CREDENTIALS)

    assert ended["stopCode"] == "TaskFailedToStart", why
    assert ended["stoppedReason"].startswith("ResourceInitializationError: unable to pull secrets or registry auth: ")
    assert words in ended["stoppedReason"]
    assert "hidden" not in ended["stoppedReason"]
