"""A task definition as we want it: a value with a digest, and its rendering for ECS.

ECS adds defaults, forgets the order of env and answers numbers as text, so what it answers is never compared with what
we want. Instead the digest of the canonical value is stored as a tag on each revision and looked up there.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backgroundtask.api.names import MAIN_CONTAINER, TAG_PREFIX
from backgroundtask.plan.names import Owner

OWNER_TAG = f"{TAG_PREFIX}owner"
UID_TAG = f"{TAG_PREFIX}uid"
DIGEST_TAG = f"{TAG_PREFIX}digest"
RETAINED_TAG = f"{TAG_PREFIX}retained"
"""`true` on what stays though its object went, as deletionPolicy Retain asks; `false` once an object has it again."""
ROOM_FOR_TAGS = 50 - len((OWNER_TAG, UID_TAG, DIGEST_TAG, RETAINED_TAG))
"""Tags that a definition may have besides our marks (Amazon ECS API, RegisterTaskDefinition: 50 tags a resource)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """Where a container's output goes: a CloudWatch Logs group, and the first part of its streams' names."""

    group: str
    region: str
    stream_prefix: str
    mode: str | None = None  # "blocking" or "non-blocking"; None is the account's default


@dataclass(frozen=True, slots=True, kw_only=True)
class EfsVolume:
    """An EFS file system, or a part of it, and where the container finds it."""

    name: str
    mount_path: str
    file_system: str  # id
    root_directory: str | None = None  # None is the file system's root, or the access point's
    access_point: str | None = None  # id
    is_encrypted: bool = True  # what travels; ECS's own default is not to encrypt
    uses_task_role: bool = False  # IAM authorises the mount
    is_read_only: bool = False

    def to_volume(self) -> dict[str, Any]:
        """An item of `volumes` (Amazon ECS API, EFSVolumeConfiguration)."""
        efs: dict[str, Any] = {
            "fileSystemId": self.file_system,
            "transitEncryption": "ENABLED" if self.is_encrypted else "DISABLED",
        }
        if self.root_directory:
            efs["rootDirectory"] = self.root_directory
        if self.access_point or self.uses_task_role:
            point = {"accessPointId": self.access_point} if self.access_point else {}
            efs["authorizationConfig"] = {**point, "iam": "ENABLED" if self.uses_task_role else "DISABLED"}
        return {"name": self.name, "efsVolumeConfiguration": efs}

    def to_mount_point(self) -> dict[str, Any]:
        """An item of the container's `mountPoints`."""
        return {"sourceVolume": self.name, "containerPath": self.mount_path, "readOnly": self.is_read_only}


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One container on Fargate: all that a revision fixes. cpu in ECS units, memory in MiB, storage in GiB."""

    owner: Owner
    image: str
    cpu: int
    memory: int
    command: tuple[str, ...] = ()
    entry_point: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)  # values appear in no log and no traceback
    secrets: Mapping[str, str] = field(default_factory=dict)  # variable -> ARN, or name of an SSM parameter
    task_role: str | None = None
    execution_role: str | None = None
    architecture: str = "X86_64"
    storage: int | None = None
    stop_timeout: int | None = None  # seconds between SIGTERM and SIGKILL
    logs: Logs | None = None
    volumes: tuple[EfsVolume, ...] = ()
    registry_credentials: str | None = None  # ARN of the secret with which the image is pulled
    has_shell: bool = False  # ECS Exec
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Equal for equal definitions, whatever the order of env, secrets and tags; holds no value that it hashes."""
        return digest_of(self.to_ecs())

    @property
    def secret_references(self) -> frozenset[str]:
        """Every secret that ECS reads for the task: those of its variables, and the registry's."""
        return frozenset(filter(None, (*self.secrets.values(), self.registry_credentials)))

    @property
    def file_systems(self) -> frozenset[str]:
        """The ids of the file systems that the container mounts."""
        return frozenset(volume.file_system for volume in self.volumes)

    def to_ecs(self) -> dict[str, Any]:
        """The request of RegisterTaskDefinition, without the tags that mark the revision as ours.

        What a task does not ask for is left out: so a member that is new here changes no digest of a task without it.
        """
        request: dict[str, Any] = {
            "family": self.owner.family,
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": str(self.cpu),
            "memory": str(self.memory),
            "runtimePlatform": {"cpuArchitecture": self.architecture, "operatingSystemFamily": "LINUX"},
            "containerDefinitions": [self._container()],
        }
        if self.task_role:
            request["taskRoleArn"] = self.task_role
        if self.execution_role:
            request["executionRoleArn"] = self.execution_role
        if self.storage:
            request["ephemeralStorage"] = {"sizeInGiB": self.storage}
        if self.volumes:
            request["volumes"] = [volume.to_volume() for volume in self.volumes]
        if self.tags:
            request["tags"] = [{"key": key, "value": value} for key, value in sorted(self.tags.items())]
        return request

    def marked(self, uid: str) -> dict[str, Any]:
        """The request with our marks: owner, the UID of the object that asked for it, and the digest."""
        marks = {OWNER_TAG: str(self.owner), UID_TAG: uid, DIGEST_TAG: self.digest}
        request = self.to_ecs()
        request["tags"] = [*request.get("tags", []), *({"key": key, "value": value} for key, value in marks.items())]
        return request

    def _container(self) -> dict[str, Any]:
        container: dict[str, Any] = {"name": MAIN_CONTAINER, "image": self.image, "essential": True}
        if self.command:
            container["command"] = list(self.command)
        if self.entry_point:
            container["entryPoint"] = list(self.entry_point)
        if self.env:
            container["environment"] = [{"name": name, "value": value} for name, value in sorted(self.env.items())]
        if self.secrets:
            container["secrets"] = [{"name": name, "valueFrom": ref} for name, ref in sorted(self.secrets.items())]
        if self.stop_timeout is not None:
            container["stopTimeout"] = self.stop_timeout
        if self.volumes:
            container["mountPoints"] = [volume.to_mount_point() for volume in self.volumes]
        if self.has_shell:
            # An init process reaps what the agent of ECS Exec leaves behind (Amazon ECS Developer Guide, "Monitor
            # Amazon ECS containers with ECS Exec"), and tells of a revision that its tasks may be entered.
            container["linuxParameters"] = {"initProcessEnabled": True}
        if self.registry_credentials:
            container["repositoryCredentials"] = {"credentialsParameter": self.registry_credentials}
        if self.logs:
            container["logConfiguration"] = {"logDriver": "awslogs", "options": _log_options(self.logs)}
        return container


def digest_of(document: Any) -> str:  # noqa: ANN401 - any JSON document
    """The SHA-256 of a JSON document in its canonical form, in 64 hexadecimal digits."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _log_options(logs: Logs) -> dict[str, str]:
    options = {
        "awslogs-group": logs.group,
        "awslogs-region": logs.region,
        "awslogs-stream-prefix": logs.stream_prefix,
    }
    return options | ({"mode": logs.mode} if logs.mode else {})
