"""The life of a run: from what ECS tells about a task to the status of its BackgroundTaskRun.

Events come more than once and in any order. A phase never goes back, an end is final (but for Missed and Lost, which
say that nothing was seen), and what changes no phase changes nothing: so merging is repeatable and writes little.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backgroundtask.api.conditions import COMPLETE, FAILED, Verdict, ready, reconciling, settle, stalled
from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.names import (
    API_VERSION,
    FINALIZER,
    MAIN_CONTAINER,
    RUN_KIND,
    TASK_KIND,
    TASK_LABEL,
    TRIGGER_LABEL,
)
from backgroundtask.api.phases import COMPLETE_ENDS, ENDS
from backgroundtask.api.run import Attempt, BackgroundTaskRun, RunLogs, RunStatus
from backgroundtask.plan.definition import Logs
from backgroundtask.plan.moments import stamp
from backgroundtask.plan.names import run_name
from backgroundtask.plan.outcome import Outcome, Task, outcome

_ORDER = {"Pending": 0, "Launching": 1, "Running": 2}
_UNSEEN = frozenset({"Missed", "Lost"})
_GIT_MARKS = frozenset(  # who deploys from Git would create again what we delete
    {"argocd.argoproj.io/tracking-id", "kustomize.toolkit.fluxcd.io/name", "meta.helm.sh/release-name"}
)
_GIT_LABELS = frozenset({"app.kubernetes.io/instance", "kustomize.toolkit.fluxcd.io/name"})
_ATTEMPTS = 10


def run_for_slot(task: ObjectMeta, slot: datetime) -> dict[str, Any]:
    """The BackgroundTaskRun of a slot, as it is created: owned by its task, and held until its ECS task has ended."""
    return {
        "apiVersion": API_VERSION,
        "kind": RUN_KIND,
        "metadata": {
            "name": run_name(task.name, slot),
            "namespace": task.namespace,
            "labels": {TASK_LABEL: task.name, TRIGGER_LABEL: "schedule"},
            "finalizers": [FINALIZER],
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": TASK_KIND,
                    "name": task.name,
                    "uid": task.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {"task": task.name, "scheduledTime": stamp(slot)},
    }


def has_ended(run: BackgroundTaskRun) -> bool:
    """Nothing more will happen to the run."""
    return run.status.phase in ENDS


def merged(run: BackgroundTaskRun, task: Task, *, logs: Logs | None, now: datetime) -> RunStatus:
    """The status of a run after `task` was seen; the same status where that is no news."""
    status = run.status
    if status.task_arn and status.task_arn != task.arn and status.phase not in _UNSEEN:
        return _with_attempt(status, _attempt(task))
    if not _is_news(status, task):
        return status
    seen = outcome(task)
    ended = seen.phase in ENDS
    started = task.started_at or task.created_at or now
    return status.model_copy(
        update={
            "observed_generation": run.metadata.generation,
            "phase": seen.phase,
            "reason": seen.reason,
            "message": seen.message,
            "task_arn": task.arn,
            "task_definition_arn": task.definition_arn,
            "task_version": task.version,
            "start_time": stamp(started),
            "completion_time": stamp(task.stopped_at or now) if ended else None,
            "exit_code": task.exit_code if ended else None,
            "stop_code": task.stop_code if ended else None,
            "logs": _log_location(logs, task) if logs else None,
            "attempts": _replaced(status.attempts, _attempt(task)),
            "conditions": settle(status.conditions, verdicts(seen), generation=run.metadata.generation, now=stamp(now)),
        }
    )


def verdicts(seen: Outcome) -> tuple[Verdict, ...]:
    """What a run says about itself: Job's two words for `kubectl wait`, kstatus' three for Flux, Helm and Argo CD."""
    if seen.phase not in ENDS:
        return reconciling(seen.reason, seen.message)
    if seen.phase in COMPLETE_ENDS:
        return (*ready(seen.reason, seen.message), Verdict(COMPLETE, "True", seen.phase, seen.message))
    return (*stalled(seen.reason, seen.message), Verdict(FAILED, "True", seen.phase, seen.message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How many ended runs of each outcome a task keeps."""

    succeeded: int
    failed: int


def superfluous(runs: Iterable[BackgroundTaskRun], kept: Kept) -> tuple[BackgroundTaskRun, ...]:
    """The ended runs beyond the history limits, oldest first; never one that somebody deploys from Git."""
    ended = sorted((run for run in runs if has_ended(run)), key=_end, reverse=True)
    good = [run for run in ended if run.status.phase in COMPLETE_ENDS]
    bad = [run for run in ended if run.status.phase not in COMPLETE_ENDS]
    surplus = good[kept.succeeded :] + bad[kept.failed :]
    return tuple(sorted((run for run in surplus if not _is_git_owned(run)), key=_end))


def _is_news(status: RunStatus, task: Task) -> bool:
    if status.phase in ENDS - _UNSEEN:
        return False
    if status.task_arn == task.arn and status.task_version is not None and task.version <= status.task_version:
        return False
    phase = outcome(task).phase
    return phase in ENDS or _ORDER.get(phase, 0) > _ORDER.get(status.phase or "Pending", 0)


def _attempt(task: Task) -> Attempt:
    ended = task.last_status == "STOPPED"
    started = task.started_at or task.created_at
    return Attempt(
        task_arn=task.arn,
        start_time=stamp(started) if started else None,
        completion_time=stamp(task.stopped_at) if task.stopped_at else None,
        exit_code=task.exit_code if ended else None,
        reason=outcome(task).reason if ended else None,
        stop_code=task.stop_code if ended else None,
    )


def _replaced(attempts: Sequence[Attempt], attempt: Attempt) -> tuple[Attempt, ...]:
    others = [one for one in attempts if one.task_arn != attempt.task_arn]
    return (*others, attempt)[-_ATTEMPTS:]


def _with_attempt(status: RunStatus, attempt: Attempt) -> RunStatus:
    """A second task for the same slot: recorded beside the first, whose outcome stands."""
    known = next((one for one in status.attempts if one.task_arn == attempt.task_arn), None)
    if known and (known.completion_time or not attempt.completion_time):
        return status
    return status.model_copy(update={"attempts": _replaced(status.attempts, attempt)})


def _log_location(logs: Logs, task: Task) -> RunLogs:

    stream = f"{logs.stream_prefix}/{MAIN_CONTAINER}/{task.id}"
    return RunLogs(group=logs.group, stream=stream, url=_console(logs, stream))


def _console(logs: Logs, stream: str) -> str:
    """The stream's page in the CloudWatch console, which wants `/` encoded twice and `%` written as `$`."""
    group, stream = (text.replace("/", "$252F") for text in (logs.group, stream))
    return (
        f"https://{logs.region}.console.aws.amazon.com/cloudwatch/home?region={logs.region}"
        f"#logsV2:log-groups/log-group/{group}/log-events/{stream}"
    )


def _end(run: BackgroundTaskRun) -> tuple[str, str]:
    return run.status.completion_time or "", run.metadata.name


def _is_git_owned(run: BackgroundTaskRun) -> bool:
    return bool(_GIT_MARKS & run.metadata.annotations.keys() or _GIT_LABELS & run.metadata.labels.keys())
