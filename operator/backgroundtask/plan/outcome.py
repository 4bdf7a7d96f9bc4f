"""What an ECS task is doing, and how it ended: from the container that is ours, never from the first one of a list.

A task that stopped succeeded if and only if its container `aws-bg-task` exited with 0 and nothing cut it short: a
missing container or exit code never counts as success (ECS leaves them out where the task failed to start), nor does
the 0 of a container that AWS or a person stopped, since many exit so on SIGTERM with their work undone.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from backgroundtask.api.names import RUN_KIND, TASK_KIND
from backgroundtask.api.phases import Phase

_TEXT_LENGTH = 512
_SIGKILL = 137
_ENDED = frozenset({"STOPPED", "DELETED"})
_FAILED_TO_START = "TaskFailedToStart"
_BY_OTHERS = {  # a stop code that says who ended the task; the reason beside it is then anybody's text
    "SpotInterruption": "SpotInterruption",
    "TerminationNotice": "SpotInterruption",
    "InfrastructureHealth": "InfrastructureFailed",
    "UserInitiated": "Stopped",
    "ServiceSchedulerInitiated": "Stopped",
}
# Of a task that AWS retires (Amazon ECS Developer Guide, "Task retirement and maintenance"), whatever its stop code.
_RETIRED = "performing maintenance on the underlying infrastructure"
_CAUSES = (  # words of a stopped reason or a container's reason → what a person calls it; the first that fits counts
    ("CannotPull", "ImagePullFailed"),
    ("CannotStartContainerError", "ContainerCannotStart"),
    ("CannotCreateContainerError", "ContainerCannotStart"),
    ("OutOfMemory", "OutOfMemory"),
    ("ecr registry auth", "ImagePullFailed"),  # "unable to pull secrets or registry auth:" begins what is said of both
    ("registry auth from asm", "SecretUnavailable"),  # the secret that registryCredentials names
    ("registry auth from", "ImagePullFailed"),
    ("retrieve secret", "SecretUnavailable"),
    ("retrieve the secret", "SecretUnavailable"),
    ("pull the secret", "SecretUnavailable"),
    ("pull secrets", "SecretUnavailable"),
    ("unable to assume the role", "RoleNotAssumable"),
    ("network interface", "NetworkUnavailable"),
    ("free addresses", "NetworkUnavailable"),
    ("EphemeralStorage", "StorageUnavailable"),
    ("EFS utils", "FileSystemUnavailable"),
    ("mount.nfs", "FileSystemUnavailable"),
    ("EFS file system", "FileSystemUnavailable"),
    ("ResourceInitializationError", "ResourceInitializationFailed"),
    ("Capacity is unavailable", "CapacityUnavailable"),
)
_TRANSIENT = frozenset({"NetworkUnavailable", "StorageUnavailable", "CapacityUnavailable"})
_ADVICE = {  # what a person checks first
    "ImagePullFailed": "Check that spec.image exists with this tag, that the execution role (or registryCredentials) "
    "may pull it, and that the subnets reach the registry, by a NAT gateway or VPC endpoints.",
    "ContainerCannotStart": "Check command, entryPoint, volumes and cpuArchitecture against the image.",
    "OutOfMemory": "Raise spec.memory, or let the container need less.",
    "SecretUnavailable": "Check that the secrets of spec.env and registryCredentials exist, that the execution role "
    "may read and decrypt them, and that the subnets reach Secrets Manager and SSM, by a NAT gateway or VPC endpoints.",
    "RoleNotAssumable": "Check that the execution role and the task role exist and trust ecs-tasks.amazonaws.com.",
    "NetworkUnavailable": "Check that the subnets of the LaunchTemplate have free addresses, and that its security "
    "groups exist.",
    "StorageUnavailable": "AWS could not provide its disk in time, which passes by itself as a rule.",
    "FileSystemUnavailable": "Check that the file system has mount targets in the zones of the subnets, that its "
    "security group lets port 2049 in, and that access point and task role fit.",
    "ResourceInitializationFailed": "Check that the log group exists, what the execution role may do, and that the "
    "subnets reach CloudWatch Logs, by a NAT gateway or VPC endpoints.",
    "CapacityUnavailable": "AWS lacks capacity there: subnets in more zones, or FARGATE beside FARGATE_SPOT, help.",
    "SpotInterruption": "AWS took its Spot capacity back.",
    "InfrastructureFailed": "The machine under it failed or was retired, and no fault of the container is known.",
    "NonZeroExitCode": "Its log, at status.logs, says why.",
    "ExitCodeMissing": "Without an exit code it does not count as success.",
}
_BY_US = (f"{RUN_KIND} ", f"{TASK_KIND} ")  # so begins what the operator says to StopTask: who, and why
_STOPPED_BY = {
    "UserInitiated": "Somebody called StopTask: CloudTrail tells who.",
    "ServiceSchedulerInitiated": "ECS stopped it.",
}


TELLING: Final = ("PROVISIONING", "RUNNING", "STOPPED")
"""The states of a task whose events say something new of its run: that it was launched, runs, has ended.

The five between them (Amazon ECS Developer Guide, "Amazon ECS task lifecycle") would only be read and deleted.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An ECS task as an event or DescribeTasks tells it, in our nouns. `version` counts up with each change."""

    arn: str
    definition_arn: str
    version: int
    last_status: str
    desired_status: str
    exit_code: int | None = None  # of the container aws-bg-task
    container_reason: str = ""
    stop_code: str | None = None
    stopped_reason: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    uid: str | None = None  # BGT_TASK_UID: the UID of the BackgroundTask that it runs for
    slot: datetime | None = None  # BGT_SCHEDULED_TIME
    run: str | None = None  # BGT_RUN: the name of the BackgroundTaskRun that the operator launched it for
    run_uid: str | None = None  # BGT_RUN_UID

    @property
    def cluster(self) -> str:
        """The name of its cluster (`…:task/<cluster>/<id>`)."""
        return self.arn.rpartition(":")[2].split("/")[1]

    @property
    def has_ended(self) -> bool:
        """ECS has nothing more to tell of it. DELETED comes after STOPPED ("Amazon ECS task lifecycle")."""
        return self.last_status in _ENDED

    @property
    def id(self) -> str:
        """The last part of the ARN, which ECS uses in the names of log streams."""
        return self.arn.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Where a task stands: the phase of its run, and why, in a CamelCase word and a sentence.

    `is_transient`: it failed by no fault of the container, and another try may well succeed.
    """

    phase: Phase
    reason: str
    message: str
    is_transient: bool = False


def outcome(task: Task) -> Outcome:
    """The phase that a task gives its run."""
    if task.has_ended:
        return _ended(task)
    # A task that cannot start goes straight to DEPROVISIONING: what comes after RUNNING does not tell that it ran.
    if task.last_status == "RUNNING" or task.started_at:
        return Outcome(phase="Running", reason="Running", message="The task runs.")
    return Outcome(phase="Launching", reason="Launching", message="The container has not started yet.")


def plain(text: str) -> str:
    """A tenant's text on one line, without control characters and of bounded length."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= _TEXT_LENGTH else line[: _TEXT_LENGTH - 1] + "…"


def _ended(task: Task) -> Outcome:
    if task.exit_code == 0 and task.stop_code != _FAILED_TO_START and not _cut_short(task):
        return Outcome(phase="Succeeded", reason="Succeeded", message="The container exited with code 0.")
    reason = _failure(task)
    is_transient = reason == "SpotInterruption" or (task.stop_code == _FAILED_TO_START and reason in _TRANSIENT)
    return Outcome(phase="Failed", reason=reason, message=_message(task, reason), is_transient=is_transient)


def _cut_short(task: Task) -> str | None:
    """What a person calls it that somebody else ended the task, whatever its exit code says; None where nobody did."""
    if _RETIRED in task.stopped_reason and task.stop_code != "UserInitiated":  # whose reason is anybody's text
        return "InfrastructureFailed"
    return _BY_OTHERS.get(task.stop_code or "")


def _failure(task: Task) -> str:
    by_others = _cut_short(task)
    if by_others is not None:
        return by_others
    words = f"{task.stopped_reason} {task.container_reason}".lower()
    cause = next((name for word, name in _CAUSES if word.lower() in words), None)
    if task.stop_code == _FAILED_TO_START:
        return cause or "FailedToStart"
    if task.exit_code is None:
        return cause or "ExitCodeMissing"
    return cause if cause == "OutOfMemory" else "NonZeroExitCode"


def _message(task: Task, reason: str) -> str:
    """What happened, what AWS said of it, and what to look at."""
    said = plain(": ".join(filter(None, (task.stopped_reason, task.container_reason))))
    stopped_by = "" if task.stopped_reason.startswith(_BY_US) else _STOPPED_BY.get(task.stop_code or "")
    advice = _ADVICE.get(reason) or stopped_by
    what = f"{_event(task)}: {said}" if said else f"{_event(task)}."
    return f"{what.rstrip('.')}. {advice}" if advice else what


def _event(task: Task) -> str:
    if task.stop_code == _FAILED_TO_START:
        return "The task failed to start"
    if task.exit_code is None:
        return "The container did not report an exit code"
    if task.exit_code == _SIGKILL:
        return "The container was killed (exit code 137)"
    return f"The container exited with code {task.exit_code}"
