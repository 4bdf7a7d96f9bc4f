"""Volumes of a definition and where its containers mount them: what RegisterTaskDefinition refuses about them.

A list to read, as in `checks`. Of the kinds of volumes localaws plays bind mounts without a source and Amazon EFS.
"""

from __future__ import annotations

from localaws.contract import AwsError, Params
from localaws.ecs import errors, sizes
from localaws.ecs.names import valid_name

_KINDS = (
    "host",
    "dockerVolumeConfiguration",
    "efsVolumeConfiguration",
    "fsxWindowsFileServerVolumeConfiguration",
    "s3filesVolumeConfiguration",
    "configuredAtLaunch",
)
_NOT_ON_FARGATE = ("dockerVolumeConfiguration", "fsxWindowsFileServerVolumeConfiguration")


def check(body: Params) -> None:
    """Refuse volumes that cannot be, and mount points of volumes that are not there."""
    for volume in body["volumes"]:
        _check_volume(volume)
    names = [volume.get("name") for volume in body["volumes"]]
    if len(set(names)) != len(names):
        raise errors.client("Volume.name should be unique within a task definition.")  # assumed: the wording
    for container in body["containerDefinitions"]:
        _check_mount_points(container, set(names))


def check_fargate(body: Params) -> None:
    """Refuse volumes of machines of one's own (documented: developer guide, "Storage options for Amazon ECS tasks")."""
    for volume in body["volumes"]:
        if (volume.get("host") or {}).get("sourcePath"):
            # reported: cloudposse/terraform-aws-ecs-alb-service-task#174
            raise errors.client("Fargate compatible task definitions do not support sourcePath")
        if unfit := [kind for kind in _NOT_ON_FARGATE if volume.get(kind)]:
            raise errors.client(f"Fargate compatible task definitions do not support {unfit[0]}.")  # assumed: wording


def check_platform(body: Params, version: str) -> None:
    """Refuse EFS on an old platform (documented: developer guide, "Amazon EFS volumes": 1.4.0 or later)."""
    if version == sizes.OLD_PLATFORM and any(volume.get("efsVolumeConfiguration") for volume in body["volumes"]):
        # assumed: the code and the wording, from how a platform refuses the sizes that it lacks
        raise AwsError(
            "PlatformTaskDefinitionIncompatibilityException",
            "The specified platform does not satisfy the task definition's required capabilities.",
        )


def _check_volume(volume: Params) -> None:
    if not valid_name(volume.get("name") or ""):
        raise errors.client(
            "Volume.name contains invalid characters."
        )  # documented: API: Volume.name; assumed: wording
    if len([kind for kind in _KINDS if volume.get(kind)]) > 1:
        # reported: cloudposse/terraform-aws-ecs-alb-service-task#185
        raise errors.client(
            "When the volume parameter is specified, only one volume configuration type should be used."
        )
    efs = volume.get("efsVolumeConfiguration")
    if efs:
        _check_efs(efs)


def _check_efs(efs: Params) -> None:
    """documented: API: EFSVolumeConfiguration, EFSAuthorizationConfig; assumed: the wordings."""
    rights = efs.get("authorizationConfig") or {}
    is_encrypted = efs.get("transitEncryption", "DISABLED") == "ENABLED"
    if rights.get("accessPointId") and efs.get("rootDirectory", "/") != "/":
        raise errors.client("The root directory must be omitted or set to / when an EFS access point is specified.")
    if (rights.get("accessPointId") or rights.get("iam") == "ENABLED") and not is_encrypted:
        raise errors.client("Transit encryption must be enabled when an EFS access point or IAM authorization is used.")


def _check_mount_points(container: Params, known: set[str | None]) -> None:
    paths = [point.get("containerPath") for point in container["mountPoints"]]
    for point in container["mountPoints"]:
        if point.get("sourceVolume") not in known:
            raise errors.client(f"Unknown volume '{point.get('sourceVolume')}'.")  # reported: ansible/ansible#35751
        if not (point.get("containerPath") or "").startswith("/"):
            raise errors.client("MountPoint.containerPath should be an absolute path.")  # assumed
    if len(set(paths)) != len(paths):
        raise errors.client(f"Container '{container['name']}' mounts two volumes at the same path.")  # assumed
