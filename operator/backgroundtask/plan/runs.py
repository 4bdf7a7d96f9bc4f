"""The life of a run: from what ECS tells about a task to the status of its BackgroundTaskRun.

Events come more than once and in any order. A phase never goes back, an end is final (but for Missed and Lost, which
say that nothing was seen), and what changes no phase changes nothing: so merging is repeatable and writes little.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from backgroundtask.api.conditions import COMPLETE, FAILED, Condition, Verdict, ready, reconciling, settle, stalled
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
_GIT_MARKS = frozenset({"argocd.argoproj.io/tracking-id", "meta.helm.sh/release-name"})
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
        return _beside(status, _attempt(task, now))
    if not _is_news(status, task):
        return status
    seen = outcome(task)
    ended = task.has_ended
    return status.model_copy(
        update={
            "observed_generation": run.metadata.generation,
            "phase": seen.phase,
            "reason": seen.reason,
            "message": seen.message,
            "task_arn": task.arn,
            "task_definition_arn": task.definition_arn,
            "task_version": task.version,
            "start_time": _stamped(task.started_at),
            "completion_time": stamp(task.stopped_at or now) if ended else None,
            "exit_code": task.exit_code if ended else None,
            "stop_code": task.stop_code if ended else None,
            "logs": _log_location(logs, task) if logs else None,
            # The attempt that counts is never the one that is left out.
            "attempts": _recorded(status.attempts, _attempt(task, now))[-_ATTEMPTS:],
            "conditions": _conditions(run, seen, now),
        }
    )


def verdicts(seen: Outcome) -> tuple[Verdict, ...]:
    """What a run says about itself: Job's two words for `kubectl wait`, kstatus' three for Flux, Helm and Argo CD."""
    if seen.phase not in ENDS:
        return reconciling(seen.reason, seen.message)
    if seen.phase in COMPLETE_ENDS:
        return (*ready(seen.reason, seen.message), Verdict(COMPLETE, "True", seen.phase, seen.message))
    return (*stalled(seen.reason, seen.message), Verdict(FAILED, "True", seen.phase, seen.message))


def _conditions(run: BackgroundTaskRun, seen: Outcome, now: datetime) -> tuple[Condition, ...]:
    """The conditions with what was seen; an end that was only supposed (Missed, Lost) is taken back."""
    said = verdicts(seen)
    stale = {COMPLETE, FAILED} - {verdict.type for verdict in said}
    kept = [one for one in run.status.conditions if one.type not in stale]
    return settle(kept, said, generation=run.metadata.generation, now=stamp(now))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How many ended runs of each outcome a task keeps."""

    succeeded: int
    failed: int


def superfluous(runs: Iterable[BackgroundTaskRun], kept: Kept) -> tuple[BackgroundTaskRun, ...]:
    """The ended runs beyond the history limits, oldest first, of those that are ours to delete.

    A run that somebody made, or deploys from Git, is neither deleted nor counted: from Git it would only come back, and
    run again.
    """
    ended = sorted((run for run in runs if has_ended(run) and _is_ours_to_delete(run)), key=_end, reverse=True)
    good = [run for run in ended if run.status.phase in COMPLETE_ENDS]
    bad = [run for run in ended if run.status.phase not in COMPLETE_ENDS]
    return tuple(sorted(good[kept.succeeded :] + bad[kept.failed :], key=_end))


def _is_news(status: RunStatus, task: Task) -> bool:
    if status.phase in ENDS - _UNSEEN:
        return False
    if status.task_arn == task.arn and status.task_version is not None and task.version <= status.task_version:
        return False
    phase = outcome(task).phase
    return phase in ENDS or _ORDER.get(phase, 0) > _ORDER.get(status.phase or "Pending", 0)


def _attempt(task: Task, now: datetime) -> Attempt:
    ended = task.has_ended
    return Attempt(
        task_arn=task.arn,
        start_time=_stamped(task.started_at),
        completion_time=stamp(task.stopped_at or now) if ended else None,
        exit_code=task.exit_code if ended else None,
        reason=outcome(task).reason if ended else None,
        stop_code=task.stop_code if ended else None,
    )


def _recorded(attempts: Sequence[Attempt], attempt: Attempt) -> tuple[Attempt, ...]:
    """The attempts with this one at its place, or behind the others where it is new."""
    if all(one.task_arn != attempt.task_arn for one in attempts):
        return (*attempts, attempt)
    return tuple(attempt if one.task_arn == attempt.task_arn else one for one in attempts)


def _beside(status: RunStatus, attempt: Attempt) -> RunStatus:
    """A second task for the same slot: recorded beside the first, whose outcome stands."""
    known = next((one for one in status.attempts if one.task_arn == attempt.task_arn), None)
    is_news = len(status.attempts) < _ATTEMPTS
    if known:
        is_news = attempt.completion_time is not None and known.completion_time is None
    return status.model_copy(update={"attempts": _recorded(status.attempts, attempt)}) if is_news else status


def _log_location(logs: Logs, task: Task) -> RunLogs:
    stream = f"{logs.stream_prefix}/{MAIN_CONTAINER}/{task.id}"
    return RunLogs(group=logs.group, stream=stream, url=_console(logs, stream))


def _console(logs: Logs, stream: str) -> str:
    """The stream's page in the CloudWatch console, which wants names encoded twice and `%` written as `$`."""
    group, stream = (quote(quote(text, safe=""), safe="").replace("%", "$") for text in (logs.group, stream))
    return (
        f"https://{logs.region}.console.aws.amazon.com/cloudwatch/home?region={logs.region}"
        f"#logsV2:log-groups/log-group/{group}/log-events/{stream}"
    )


def _end(run: BackgroundTaskRun) -> tuple[str, str]:
    return run.status.completion_time or "", run.metadata.name


def _stamped(moment: datetime | None) -> str | None:
    return stamp(moment) if moment else None


def _is_ours_to_delete(run: BackgroundTaskRun) -> bool:
    metadata = run.metadata
    is_in_git = bool(_GIT_MARKS & metadata.annotations.keys() or _GIT_LABELS & metadata.labels.keys())
    is_of_task = any(one.controller and one.kind == TASK_KIND for one in metadata.owner_references)
    return is_of_task and not is_in_git and metadata.deletion_timestamp is None
