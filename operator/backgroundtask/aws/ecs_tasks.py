"""Amazon ECS: its tasks, in our nouns: launched, looked at, looked for, stopped.

What proves absence here, and nothing else does: a failure `MISSING` in an answer with status 200. A launch carries a
client token of ours and is never repeated by the SDK: whether it is repeated, and until when, is decided above.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from backgroundtask.aws.clients import Clients
from backgroundtask.aws.errors import code_of, translated
from backgroundtask.aws.launching import Known, Launched, launched_of
from backgroundtask.aws.tasks import task_of
from backgroundtask.errors import Busy
from backgroundtask.plan.outcome import Task, plain

if TYPE_CHECKING:
    from typing import Literal

    from mypy_boto3_ecs.type_defs import FailureTypeDef

_BATCH = 100  # Amazon ECS API, DescribeTasks: tasks
_REASON_LENGTH = 255  # Amazon ECS API, StopTask: reason
REFUSED = frozenset({"ClientException", "InvalidParameterException", "ResourceNotFoundException"})
"""Codes by which ECS says, among much else, that something is not there."""


class EcsTasks:
    """The tasks of one account and region."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def run(self, request: Mapping[str, Any]) -> Launched:
        """Send a RunTask request (in camelCase, for one task) once, with the client token in it.

        After Busy nobody knows whether the task started: the same request may be sent again while ECS knows the token
        (Amazon ECS API Reference, "Ensuring idempotency": an hour after a task's end at least), and a task that it has
        started is answered again.

        Raises:
            Rejected: InvalidLaunch, InvalidFargateSize or PlatformIncompatible.
            Blocked: something has to be granted or freed: ClusterNotFound, RevisionInactive, NetworkUnusable,
                PlatformUnknown, CapacityUnavailable, LimitReached, RoleNotAssumable, RoleNotPassable, AccessDenied …
                Nothing was started.
            Busy: Throttled, AwsUnavailable, AwsUnreachable …
            ValueError: the request has no token; a bug.
        """
        if not request.get("clientToken"):
            raise ValueError("A launch has to carry a client token of ours: the SDK would make up a new one each time.")
        with translated(private=_values(request)):
            try:
                answer = self._clients.once.run_task(**request)
            except self._clients.once.exceptions.ConflictException as error:
                arns = _resources(error)
                if not arns:
                    raise
                return Known(arns)
        return launched_of(answer["tasks"], answer["failures"])

    @translated()
    def find(self, cluster: str, family: str) -> tuple[Task, ...]:
        """Every task of a family that ECS still knows: those that run, and those that were stopped or have ended.

        ECS forgets a task an hour after its end. A cluster that is not there (ClusterNotFoundException) has none.

        Raises:
            Busy: TaskNotVisible, where ECS lists a running task that it does not describe yet.
        """
        running, stopped = (self._listed(cluster, family, status) for status in ("RUNNING", "STOPPED"))
        if not running and not stopped:
            return ()
        found, missing = self.tasks(cluster, [*running, *stopped])
        _refuse_unseen(missing.intersection(running))
        return tuple(found.values())

    @translated()
    def tasks_of(self, cluster: str, family: str) -> tuple[Task, ...]:
        """The tasks of a family that are to run: those that nobody has told to stop, and that have not ended.

        A cluster that is not there (ClusterNotFoundException) runs none.

        Raises:
            Busy: TaskNotVisible, where ECS lists a task that it does not describe yet.
        """
        found, missing = self.tasks(cluster, self._listed(cluster, family, "RUNNING"))
        _refuse_unseen(missing)
        return tuple(one for one in found.values() if one.desired_status == "RUNNING" and one.last_status != "STOPPED")

    @translated()
    def tasks(self, cluster: str, arns: Iterable[str]) -> tuple[dict[str, Task], frozenset[str]]:
        """Tasks by ARN, and the ARNs that ECS calls MISSING.

        ECS forgets a task an hour after its end, and may not know a new one for some seconds (Amazon ECS API,
        DescribeTasks and RunTask).

        Raises:
            Blocked: ClusterNotFound.
        """
        asked = list(dict.fromkeys(arns))
        found: dict[str, Task] = {}
        missing: set[str] = set()
        for batch in _batches(asked):
            answer = self._clients.ecs.describe_tasks(cluster=cluster, tasks=batch)
            refuse_other_failures(answer["failures"], "task")
            found |= {task.arn: task for task in map(task_of, answer["tasks"])}
            missing |= {failure.get("arn", "") for failure in answer["failures"]}
        if found.keys() | missing < set(asked):
            raise Busy("AwsUnavailable", "ECS answered for some tasks only.")
        return found, frozenset(missing)

    @translated()
    def stop(self, cluster: str, task_arn: str, reason: str) -> None:
        """Tell a task to stop. One that has stopped, that ECS calls MISSING, or whose cluster is gone, is done."""
        try:
            self._clients.ecs.stop_task(cluster=cluster, task=task_arn, reason=plain(reason)[:_REASON_LENGTH])
        except self._clients.ecs.exceptions.ClusterNotFoundException:
            return
        except ClientError as error:
            if code_of(error) not in REFUSED or not self._has_ended(cluster, task_arn):
                raise

    def _listed(self, cluster: str, family: str, status: "Literal['RUNNING', 'STOPPED']") -> list[str]:
        """ARNs by desired status: `STOPPED` are also those that were told to stop and still run."""
        pages = self._clients.ecs.get_paginator("list_tasks").paginate(
            cluster=cluster, family=family, desiredStatus=status
        )
        try:
            return [arn for page in pages for arn in page["taskArns"]]
        except self._clients.ecs.exceptions.ClusterNotFoundException:
            return []

    def _has_ended(self, cluster: str, task_arn: str) -> bool:
        found, missing = self.tasks(cluster, [task_arn])
        return task_arn in missing or found[task_arn].last_status == "STOPPED"


def refuse_other_failures(failures: Sequence["FailureTypeDef"], what: str) -> None:
    """Accept no failure but MISSING, which says that the thing is not there.

    Raises:
        Busy: AwsUnavailable.
    """
    reasons = sorted({failure.get("reason", "no reason") for failure in failures} - {"MISSING"})
    if reasons:
        raise Busy("AwsUnavailable", f"ECS cannot describe a {what}: {plain(', '.join(reasons))}.")


def _refuse_unseen(missing: frozenset[str]) -> None:
    if missing:
        raise Busy("TaskNotVisible", "ECS lists a task that it does not describe yet.")


def _resources(error: ClientError) -> tuple[str, ...]:
    """The tasks that a token stands for already (Amazon ECS API, ConflictException: resourceIds)."""
    told: Mapping[str, Any] = {**error.response}
    return tuple(map(str, told.get("resourceIds", ())))


def _values(request: Mapping[str, Any]) -> list[str]:
    """The values of the variables in a request, which may be secrets."""
    containers = request.get("overrides", {}).get("containerOverrides", ())
    return [pair.get("value", "") for one in containers for pair in one.get("environment", ())]


def _batches(arns: list[str]) -> Iterator[list[str]]:
    return (arns[start : start + _BATCH] for start in range(0, len(arns), _BATCH))
