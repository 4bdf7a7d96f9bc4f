"""Identifiers of ECS: how ARNs are written, and what a caller may write in their place.

Pure text; whether the thing named exists is not asked here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from localaws.ecs import errors

_DEFINITION_ARN = re.compile(r"arn:[^:]+:ecs:(?P<region>[^:]*):(?P<account>[^:]*):task-definition/(?P<rest>.+)")
_TASK_ARN = re.compile(r"arn:[^:]+:ecs:(?P<region>[^:]+):(?P<account>[^:]+):task/(?P<cluster>[^/]+)/(?P<id>[^/]+)")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_TASK_ID_LENGTHS = (32, 36)


@dataclass(frozen=True, slots=True)
class Place:
    """An account and a region: where ARNs live."""

    account: str
    region: str

    def cluster(self, name: str) -> str:
        """Give the ARN of a cluster."""
        return f"arn:aws:ecs:{self.region}:{self.account}:cluster/{name}"

    def definition(self, family: str, revision: int) -> str:
        """Give the ARN of one revision of a task definition."""
        return f"arn:aws:ecs:{self.region}:{self.account}:task-definition/{family}:{revision}"

    def task(self, cluster: str, task_id: str) -> str:
        """Give the ARN of a task, in the long format."""
        return f"arn:aws:ecs:{self.region}:{self.account}:task/{cluster}/{task_id}"

    def container(self, cluster: str, task_id: str, container_id: str) -> str:
        """Give the ARN of a container of a task."""
        return f"arn:aws:ecs:{self.region}:{self.account}:container/{cluster}/{task_id}/{container_id}"


@dataclass(frozen=True, slots=True)
class DefinitionRef:
    """What a caller calls a task definition: a family, with or without a revision, here or elsewhere."""

    family: str
    revision: int | None
    elsewhere: bool


def valid_name(text: str) -> bool:
    """Say whether `text` may name a family, a container or a cluster (documented: API: 255 of [A-Za-z0-9_-])."""
    return _NAME.fullmatch(text) is not None


def definition_ref(text: str, place: Place) -> DefinitionRef:
    """Read `family`, `family:revision` or an ARN with either.

    Raises:
        AwsError: ClientException where the revision is not a number.
    """
    match = _DEFINITION_ARN.fullmatch(text)
    rest = match["rest"] if match else text
    elsewhere = match is not None and (match["account"], match["region"]) != (place.account, place.region)
    family, colon, revision = rest.partition(":")
    if colon and not revision.isdecimal():
        raise errors.client(f"Invalid revision number. Number: {revision}")  # assumed: the wording
    return DefinitionRef(family, int(revision) if colon else None, elsewhere)


def cluster_name(text: str | None) -> str:
    """Read a cluster's name or ARN; nothing means the default cluster (documented: API: RunTask.cluster)."""
    return (text or "default").rpartition("cluster/")[2]


def task_ref(arn: str) -> tuple[Place, str, str]:
    """Read the ARN of a task: where it lives, its cluster and its id.

    Raises:
        ValueError: it is none.
    """
    match = _TASK_ARN.fullmatch(arn)
    if match is None:
        raise ValueError(f"{arn!r} is not the ARN of a task: arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/ID")
    return Place(match["account"], match["region"]), match["cluster"], match["id"]


def task_id(text: str) -> str:
    """Read a task's id or ARN.

    Raises:
        AwsError: InvalidParameterException where it cannot be a task's id.
    """
    identifier = text.rpartition("/")[2]
    if len(identifier) not in _TASK_ID_LENGTHS:
        # reported: e.g. aws/amazon-ecs-cli, for the `None` of an empty list
        raise errors.invalid("taskId length should be one of [32,36]")
    return identifier
