"""What Prometheus is told about runs: counted from the transitions of their status, wherever one is written.

Labels are few and bounded: a phase, a class, a trigger, a reason of ours or of AWS. Names of tasks are in `figures`.
"""

import threading
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from prometheus_client import Counter, Histogram

from backgroundtask.api.names import TRIGGER_LABEL
from backgroundtask.api.phases import ENDS
from backgroundtask.api.run import BackgroundTaskRun, RunStatus
from backgroundtask.controller.figures import FIGURES
from backgroundtask.controller.metrics import REGISTRY
from backgroundtask.plan.attempts import attempt_of, is_denied
from backgroundtask.plan.moments import moment

TRIGGERS: Final = ("schedule", "annotation", "manual", "other")
"""What asked for a run. The label of a run that somebody made is that one's text: beyond these it counts as other."""
CLASSES: Final = {
    "Succeeded": ("Success",),
    "Failed": ("Application", "Configuration", "Platform", "Stopped", "Deadline", "Other"),
    "Cancelled": ("Stopped",),
    "Skipped": ("Policy",),
    "Missed": ("Missed",),
    "Lost": ("Lost",),
}
"""Who has to look at a run that ended in a phase: the words of the label `class`."""
_OF_FAILURE: Final = {
    "NonZeroExitCode": "Application",
    "BackoffLimitExceeded": "Application",
    "OutOfMemory": "Application",
    "ImagePullFailed": "Configuration",
    "ContainerCannotStart": "Configuration",
    "SecretUnavailable": "Configuration",
    "RoleNotAssumable": "Configuration",
    "FileSystemUnavailable": "Configuration",
    "LimitExceeded": "Configuration",
    "ImageNotAllowed": "Configuration",
    "TaskRoleNotOffered": "Configuration",
    "InvalidFargateSize": "Configuration",
    "InvalidSpec": "Configuration",
    "UnknownItem": "Configuration",
    "ItemRequired": "Configuration",
    "OverridesTooLong": "Configuration",
    "NamespaceNotAllowed": "Configuration",
    "RightRevoked": "Configuration",
    "SecretNotAllowed": "Configuration",
    "VariableIsSecret": "Configuration",
    "FileSystemNotAllowed": "Configuration",
    "ExecuteCommandNotAllowed": "Configuration",
    "InvalidLaunch": "Configuration",
    "InvalidRole": "Configuration",
    "PlatformIncompatible": "Configuration",
    "TaskNotFound": "Configuration",
    "NetworkUnavailable": "Platform",
    "StorageUnavailable": "Platform",
    "ResourceInitializationFailed": "Platform",
    "CapacityUnavailable": "Platform",
    "InfrastructureFailed": "Platform",
    "SpotInterruption": "Platform",
    "FailedToStart": "Platform",
    "ExitCodeMissing": "Platform",
    "Stopped": "Stopped",
    "Replaced": "Stopped",
    "DeadlineExceeded": "Deadline",
}
_SKIPPED: Final = ("JobAlreadyActive", "Suspended", "Replaced", "ItemRemoved")
_MISSED: Final = ("MissSchedule",)
_LAUNCHES: Final = (
    "CapacityUnavailable", "LimitReached", "Throttled", "ResourceUnavailable", "AgentDisconnected", "ResourceMissing",
    "ResourceInactive", "AttributeMissing", "NotStarted", "NetworkUnusable", "RoleNotAssumable", "RoleNotPassable",
    "NetworkUnavailable", "StorageUnavailable", "SpotInterruption",
)  # fmt: skip
_MOST_WORDS = 40  # reasons are ours and AWS's; should they ever be a tenant's, Prometheus still holds

RUNS = Counter(
    "bgt_runs_total",
    "Runs by the phase in which they ended, who has to look (class) and what asked for them (trigger). One that turned "
    "out otherwise after Missed or Lost is counted again.",
    ["phase", "class", "trigger"],
    registry=REGISTRY,
)
DURATION = Histogram(
    "bgt_run_duration_seconds",
    "Seconds from the start of a run's container to its end, by the phase in which it ended.",
    ["phase"],
    registry=REGISTRY,
    buckets=(1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400),
)
START_LATENCY = Histogram(
    "bgt_run_start_latency_seconds",
    "Seconds from the slot of a run, or from its creation where somebody asked for it, to the start of its container.",
    ["trigger"],
    registry=REGISTRY,
    buckets=(1, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1800, 3600),
)
SKIPPED = Counter("bgt_runs_skipped_total", "Runs that were skipped, by reason.", ["reason"], registry=REGISTRY)
MISSED = Counter(
    "bgt_runs_missed_total", "Slots whose run was never launched in time, by reason.", ["reason"], registry=REGISTRY
)
LAUNCH_FAILURES = Counter(
    "bgt_launch_failures_total",
    "Launches that AWS refused, did not bring to their start or took back, each of which is tried again, by reason.",
    ["reason"],
    registry=REGISTRY,
)


class _Words:
    """The values of a label: the first that come, up to a number; more than that are `Other`."""

    def __init__(self, known: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._known = {"Other", *known}

    def __call__(self, word: str | None) -> str:
        with self._lock:
            if word and len(self._known) < _MOST_WORDS:
                self._known.add(word)
            return word if word in self._known and word else "Other"


_words = {SKIPPED: _Words(_SKIPPED), MISSED: _Words(_MISSED), LAUNCH_FAILURES: _Words(_LAUNCHES)}


def _begin() -> None:
    """Let what can be counted begin at 0: `increase` does not see the step from nothing to 1."""
    for phase, classes in CLASSES.items():
        for name in classes:
            for trigger in TRIGGERS:
                RUNS.labels(phase, name, trigger)
    for counter, reasons in ((SKIPPED, _SKIPPED), (MISSED, _MISSED), (LAUNCH_FAILURES, _LAUNCHES)):
        for reason in (*reasons, "Other"):
            counter.labels(reason)


_begin()


def class_of(phase: str, reason: str | None) -> str:
    """The class of an end: one of `CLASSES[phase]`."""
    classes = CLASSES.get(phase, ("Other",))
    return classes[0] if len(classes) == 1 else _OF_FAILURE.get(reason or "", "Other")


def trigger_of(run: BackgroundTaskRun) -> str:
    """What asked for a run: one of `TRIGGERS`."""
    label = run.metadata.labels.get(TRIGGER_LABEL, "")
    return label if label in TRIGGERS else "other"


def changed(run: BackgroundTaskRun, after: RunStatus) -> None:
    """Count what it means that the status of `run`, as it was, becomes `after`. Call it once for each that is written.

    Says nothing where nothing of note has changed, so that it can stand where all statuses are written.
    """
    before = run.status
    if after.phase != before.phase and after.phase in ENDS:
        _count_end(run, after)
    if (after.launch_failures or 0) > (before.launch_failures or 0):
        _count(LAUNCH_FAILURES, _why_not_launched(after))
    began = None if before.start_time or before.failed_attempts else moment(after.start_time)
    due = _due(run)
    if began is not None and due is not None:
        START_LATENCY.labels(trigger_of(run)).observe(max((began - due).total_seconds(), 0.0))


def _count_end(run: BackgroundTaskRun, after: RunStatus) -> None:
    phase = after.phase or ""
    RUNS.labels(phase, class_of(phase, _cause(after)), trigger_of(run)).inc()
    FIGURES.ended(run.metadata.namespace, run.spec.task, phase)
    if phase == "Skipped":
        _count(SKIPPED, after.reason)
    if phase == "Missed":
        _count(MISSED, after.reason)
    began, ended = moment(after.start_time), moment(after.completion_time)
    if began is not None and ended is not None:
        DURATION.labels(phase).observe(max((ended - began).total_seconds(), 0.0))


def _cause(after: RunStatus) -> str | None:
    """Why it ended: where it was tried too often, why the last attempt failed, which says who has to look."""
    attempt = attempt_of(after, after.task_arn) if after.reason == "BackoffLimitExceeded" else None
    return attempt.reason if attempt and attempt.reason else after.reason


def _why_not_launched(after: RunStatus) -> str | None:
    """What AWS said to the launch; where it took it, what became of its task, as the run itself is tried again."""
    attempt = None if is_denied(after) else attempt_of(after, after.task_arn)
    return attempt.reason if attempt else after.reason


def _count(counter: Counter, reason: str | None) -> None:
    counter.labels(_words[counter](reason)).inc()


def _due(run: BackgroundTaskRun) -> datetime | None:
    """From when on a run is waited for. A time that somebody wrote into a run of one's own is no slot."""
    slot = run.spec.scheduled_time if trigger_of(run) == "schedule" else None
    return moment(slot or run.metadata.creation_timestamp)
