"""Revisions as ECS describes them, and the ones seen last: a revision never changes, but for the tags on it.

Knows the tags that mark a revision as ours; asks nothing.
"""

import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from backgroundtask.api.names import MAIN_CONTAINER
from backgroundtask.plan.definition import DIGEST_TAG, OWNER_TAG, RETAINED_TAG, UID_TAG
from backgroundtask.plan.observed import Revision

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import ContainerDefinitionOutputTypeDef, DescribeTaskDefinitionResponseTypeDef

_REMEMBERED = 4096  # revisions; about 1 KiB each


class Revisions:
    """The revisions seen last, by ARN. A revision without our marks is left out: somebody might still tag it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_arn: dict[str, Revision] = {}

    def get(self, arn: str) -> Revision | None:
        """The revision, or None where it is not known."""
        with self._lock:
            revision = self._by_arn.pop(arn, None)
            if revision is not None:
                self._by_arn[arn] = revision
            return revision

    def put(self, revision: Revision) -> None:
        """Remember it, as it is now."""
        if revision.owner is None:
            return
        with self._lock:
            self._by_arn[revision.arn] = revision
            if len(self._by_arn) > _REMEMBERED:
                del self._by_arn[next(iter(self._by_arn))]


def revision_of(answer: "DescribeTaskDefinitionResponseTypeDef") -> Revision:
    """The revision that DescribeTaskDefinition answers, asked with its tags."""
    tags = {tag.get("key"): tag.get("value") for tag in answer.get("tags", [])}
    definition = answer["taskDefinition"]
    containers = definition.get("containerDefinitions", [])
    return Revision(
        arn=definition["taskDefinitionArn"],
        digest=tags.get(DIGEST_TAG),
        owner=tags.get(OWNER_TAG),
        uid=tags.get(UID_TAG),
        task_role=definition.get("taskRoleArn"),
        retained=tags.get(RETAINED_TAG) == "true",
        secrets=frozenset(_secrets(containers)),
        image=next((one.get("image") for one in containers if one.get("name") == MAIN_CONTAINER), None),
        file_systems=frozenset(
            one["efsVolumeConfiguration"]["fileSystemId"]
            for one in definition.get("volumes", [])
            if "efsVolumeConfiguration" in one
        ),
        has_shell=any(one.get("linuxParameters", {}).get("initProcessEnabled", False) for one in containers),
        cpu=_number(definition.get("cpu")),
        memory=_number(definition.get("memory")),
    )


def _number(text: str | None) -> int | None:
    """CPU units or MiB, which ECS answers as digits whatever it was told (Amazon ECS API, TaskDefinition)."""
    return int(text) if text and text.isdecimal() else None


def _secrets(containers: "Iterable[ContainerDefinitionOutputTypeDef]") -> Iterator[str]:
    """What ECS reads for the containers: secrets that become variables, and credentials of registries."""
    for one in containers:
        yield from (secret["valueFrom"] for secret in one.get("secrets", []))
        if "repositoryCredentials" in one:
            yield one["repositoryCredentials"]["credentialsParameter"]
