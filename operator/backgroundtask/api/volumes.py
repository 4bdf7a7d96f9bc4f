"""File systems that a task mounts: Amazon EFS, the only ones that Fargate tasks of a schedule can share."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from backgroundtask.api.model import Model
from backgroundtask.api.rules import Rule, Unique, shaped

FileSystemId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    shaped("fs-[0-9a-f]{8,40}", "must be the id of an EFS file system: fs-0123456789abcdef0"),
]
AccessPointId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    shaped("fsap-[0-9a-f]{8,40}", "must be the id of an EFS access point: fsap-0123456789abcdef0"),
]
Path = Annotated[
    str,
    StringConstraints(min_length=1, max_length=512),
    shaped("/[A-Za-z0-9._/@+-]*", "must be an absolute path"),
]


class Efs(Model):
    """An EFS file system."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})
    rules = (
        Rule(
            cel="!has(self.accessPointId) || !has(self.rootDirectory)",
            message="an access point has a root directory of its own: remove rootDirectory",
            holds=lambda efs: efs.access_point_id is None or efs.root_directory is None,
        ),
        Rule(
            cel="!has(self.accessPointId) || !has(self.transitEncryption) || self.transitEncryption",
            message="an access point needs transitEncryption",
            holds=lambda efs: efs.access_point_id is None or efs.transit_encryption is not False,
        ),
        Rule(
            cel="!has(self.iam) || !self.iam || !has(self.transitEncryption) || self.transitEncryption",
            message="iam needs transitEncryption",
            holds=lambda efs: not efs.iam or efs.transit_encryption is not False,
        ),
    )

    file_system_id: FileSystemId = Field(
        description="Id of the file system; one of those in the LaunchTemplate's fileSystems."
    )
    root_directory: Path | None = Field(
        None, description="Directory of the file system that is mounted. Absent: its root."
    )
    access_point_id: AccessPointId | None = Field(None, description="Access point through which it is mounted.")
    transit_encryption: bool | None = Field(
        None, description="Whether what travels between the task and EFS is encrypted. Absent: it is."
    )
    iam: bool | None = Field(
        None, description="Whether the mount is authorised with the task's role. Absent: it is not."
    )


class Volume(Model):
    """A file system, and where the container finds it."""

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=63),
        shaped("[a-z0-9]([-a-z0-9]*[a-z0-9])?", "must be a DNS label: lower-case letters, digits and '-'"),
    ] = Field(description="Name of the volume.")
    mount_path: Path = Field(description="Where the container finds it.")
    read_only: bool | None = Field(None, description="Whether the container may only read. Absent: it may write.")
    efs: Efs = Field(description="The EFS file system.")


def _paths_differ(volumes: tuple[Volume, ...]) -> bool:
    return len({volume.mount_path for volume in volumes}) == len(volumes)


Volumes = Annotated[
    tuple[Volume, ...],
    Field(max_length=16, strict=False),
    Unique("name"),
    Rule(
        cel="self.all(one, self.exists_one(other, other.mountPath == one.mountPath))",
        message="two volumes have the same mountPath: change one",
        holds=_paths_differ,
    ),
]
