"""Amazon ECS: task definitions and clusters, in our nouns; tasks are in `ecs_tasks`.

What proves absence here, and nothing else does: for a revision, that the complete list of its family's ACTIVE ones does
not hold it (ECS calls an unknown definition a plain ClientException) and that it was not made here just now; for a
cluster, a failure `MISSING` in an answer with status 200. Members that carry such a proof are read by index, so an
answer without them is a bug and never an empty world.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from backgroundtask.aws.clients import Clients
from backgroundtask.aws.ecs_tasks import REFUSED, EcsTasks, refuse_other_failures
from backgroundtask.aws.errors import code_of, translated
from backgroundtask.aws.revisions import Revisions, revision_of
from backgroundtask.aws.unseen import Unseen
from backgroundtask.errors import Busy
from backgroundtask.plan.definition import RETAINED_TAG, Definition
from backgroundtask.plan.observed import Revision

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import TagTypeDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster that ECS knows. Only an `ACTIVE` one runs tasks."""

    arn: str
    status: str


class Ecs(EcsTasks):
    """ECS of one account and region."""

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self._revisions = Revisions()
        self._unseen: Unseen[None] = Unseen()  # ARNs by family

    @translated()
    def cluster(self, name_or_arn: str) -> Cluster | None:
        """The cluster, or None where ECS says MISSING.

        Raises:
            Rejected: InvalidCluster.
        """
        answer = self._clients.ecs.describe_clusters(clusters=[name_or_arn])
        refuse_other_failures(answer["failures"], "cluster")
        found = answer["clusters"]
        return Cluster(arn=found[0]["clusterArn"], status=found[0]["status"]) if found else None

    @translated()
    def active_revisions(self, family: str) -> tuple[str, ...]:
        """The ARNs of a family's ACTIVE revisions, newest first; none where the complete list is empty.

        What was registered here and ECS does not list yet is among them.
        """
        pages = self._clients.ecs.get_paginator("list_task_definitions").paginate(
            familyPrefix=family, status="ACTIVE", sort="DESC"
        )
        arns = {arn for page in pages for arn in page["taskDefinitionArns"] if _family(arn) == family}
        self._unseen.settled(family, arns)
        return tuple(sorted(arns | self._unseen.of(family).keys(), key=_number, reverse=True))

    def all_active_revisions(self, prefix: str) -> Iterator[str]:
        """The ARNs of all ACTIVE revisions whose family begins with `prefix`, in one walk through the account's.

        ECS filters only by a whole family, so this reads every ACTIVE definition: 100 a call, as it is consumed.
        """
        with translated():
            for page in self._clients.ecs.get_paginator("list_task_definitions").paginate(status="ACTIVE"):
                ours = [arn for arn in page["taskDefinitionArns"] if _family(arn).startswith(prefix)]
                for arn in ours:
                    self._unseen.settled(_family(arn), [arn])
                yield from ours
        for family in self._unseen.places():
            yield from self._unseen.of(family) if family.startswith(prefix) else ()

    @translated()
    def revision(self, arn: str, *, fresh: bool = False) -> Revision:
        """A revision with the marks in its tags. A revision never changes, so one that bears ours is asked for once.

        `fresh` asks in any case: whether it is retained, another process may have changed.

        Raises:
            Busy: RevisionVanished, where ECS no longer knows it.
        """
        known = self._revisions.get(arn)
        if known is not None and (not fresh or self._unseen.has(_family(arn), arn)):
            return known
        try:
            answer = self._clients.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
        except ClientError as error:
            if not self._is_gone(error, arn):
                raise
            raise Busy("RevisionVanished", f"ECS no longer knows {arn}.") from error
        revision = revision_of(answer)
        self._revisions.put(revision)
        return revision

    def register(self, definition: Definition, uid: str) -> Revision:
        """Register a new revision, marked as ours; `uid` is of the object that asks for it.

        Each call makes one: call it only where no ACTIVE revision bears the digest. It is never repeated here.

        Raises:
            Rejected: InvalidFargateSize, InvalidTaskDefinition.
            Blocked: RoleNotPassable, RoleNotValid, ExecutionRoleMissing.
        """
        with translated(private=definition.env.values()):
            answer = self._clients.once.register_task_definition(**definition.marked(uid))
        arn = answer["taskDefinition"]["taskDefinitionArn"]
        revision = Revision(
            arn=arn,
            digest=definition.digest,
            owner=str(definition.owner),
            uid=uid,
            task_role=definition.task_role,
            secrets=definition.secret_references,
            image=definition.image,
            file_systems=definition.file_systems,
            has_shell=definition.has_shell,
            cpu=definition.cpu,
            memory=definition.memory,
        )
        self._revisions.put(revision)
        self._unseen.made(_family(arn), arn, None)
        return revision

    @translated()
    def retain(self, revision: Revision, *, retained: bool = True) -> Revision:
        """Mark a revision of ours as one that belongs to no object, or no longer as such; as it is then.

        Raises:
            Busy: RevisionVanished, where it is no longer ACTIVE.
        """
        tags: list[TagTypeDef] = [{"key": RETAINED_TAG, "value": "true" if retained else "false"}]
        try:
            self._clients.ecs.tag_resource(resourceArn=revision.arn, tags=tags)
        except ClientError as error:
            if not self._is_gone(error, revision.arn):
                raise
            raise Busy("RevisionVanished", f"ECS no longer knows {revision.arn}.") from error
        marked = replace(revision, retained=retained)
        self._revisions.put(marked)
        return marked

    @translated()
    def deregister(self, arn: str) -> None:
        """Make a revision INACTIVE. One that is so already, or is not there, is done: its family's list proves it."""
        try:
            self._clients.ecs.deregister_task_definition(taskDefinition=arn)
        except ClientError as error:
            if not self._is_gone(error, arn):
                raise
        self._unseen.settled(_family(arn), [arn])

    def _is_gone(self, error: ClientError, arn: str) -> bool:
        return code_of(error) in REFUSED and arn not in self.active_revisions(_family(arn))


def _family(arn: str) -> str:
    return arn.rpartition("/")[2].partition(":")[0]


def _number(arn: str) -> int:
    return int(arn.rpartition(":")[2])
