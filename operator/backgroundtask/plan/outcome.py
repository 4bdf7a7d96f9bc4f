"""What an ECS task is doing, and how it ended: from the container that is ours, never from the first one of a list.

A task that stopped succeeded if and only if its container `aws-bg-task` exited with 0 and nothing cut it short: a
missing container or exit code never counts as success (ECS leaves them out where the task failed to start), nor does
the 0 of a container that AWS interrupted, since many exit so on SIGTERM with their work undone.
"""

from dataclasses import dataclass
from datetime import datetime

from backgroundtask.api.phases import Phase

_TEXT_LENGTH = 512
_SIGKILL = 137
_ENDED = frozenset({"STOPPED", "DELETED"})
_UNFINISHED = frozenset({"TaskFailedToStart", "SpotInterruption", "TerminationNotice"})  # whatever the exit code says
_BY_OTHERS = {  # a stop code that says who ended the task; the reason beside it is then anybody's text
    "SpotInterruption": "SpotInterruption",
    "TerminationNotice": "SpotInterruption",
    "InfrastructureHealth": "InfrastructureFailed",
    "UserInitiated": "Stopped",
    "ServiceSchedulerInitiated": "Stopped",
}
_CAUSES = (  # words of a stopped reason or a container's reason → what a person calls it; the first that fits counts
    ("CannotPull", "ImagePullFailed"),
    ("CannotStartContainerError", "ContainerCannotStart"),
    ("CannotCreateContainerError", "ContainerCannotStart"),
    ("OutOfMemory", "OutOfMemory"),
    ("ecr registry auth", "ImagePullFailed"),
    ("retrieve secret", "SecretUnavailable"),
    ("unable to pull secrets", "SecretUnavailable"),
    ("network interface", "NetworkUnavailable"),
    ("EphemeralStorage", "StorageUnavailable"),
    ("ResourceInitializationError", "ResourceInitializationFailed"),
    ("Capacity is unavailable", "CapacityUnavailable"),
)


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
    """Where a task stands: the phase of its run, and why, in a CamelCase word and a sentence."""

    phase: Phase
    reason: str
    message: str


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
    if task.exit_code == 0 and task.stop_code not in _UNFINISHED:
        return Outcome(phase="Succeeded", reason="Succeeded", message="The container exited with code 0.")
    why = plain(": ".join(filter(None, (task.stopped_reason, task.container_reason))))
    return Outcome(phase="Failed", reason=_failure(task), message=_sentence(task, why))


def _failure(task: Task) -> str:
    if task.stop_code in _BY_OTHERS:
        return _BY_OTHERS[task.stop_code]
    words = f"{task.stopped_reason} {task.container_reason}".lower()
    cause = next((name for word, name in _CAUSES if word.lower() in words), None)
    if task.stop_code == "TaskFailedToStart":
        return cause or "FailedToStart"
    if task.exit_code is None:
        return cause or "ExitCodeMissing"
    return cause if cause == "OutOfMemory" else "NonZeroExitCode"


def _sentence(task: Task, why: str) -> str:
    if task.exit_code is None:
        start = "The container did not report an exit code"
    elif task.exit_code == _SIGKILL:
        start = "The container was killed (exit code 137)"
    else:
        start = f"The container exited with code {task.exit_code}"
    return f"{start}: {why}" if why else f"{start}."
