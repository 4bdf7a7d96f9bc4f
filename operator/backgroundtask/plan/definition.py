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
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Equal for equal definitions, whatever the order of env, secrets and tags; holds no value that it hashes."""
        return digest_of(self.to_ecs())

    def to_ecs(self) -> dict[str, Any]:
        """The request of RegisterTaskDefinition, without the tags that mark the revision as ours."""
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
