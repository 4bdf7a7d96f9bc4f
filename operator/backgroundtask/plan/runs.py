"""The life of a run: from what ECS tells about a task to the status of its BackgroundTaskRun.

Events come more than once and in any order. A phase never goes back, an end is final (but for Missed and Lost, which
say that nothing was seen), and what changes no phase changes nothing: so merging is repeatable and writes little.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.names import (
    API_VERSION,
    FINALIZER,
    LAUNCH_LABEL,
    MAIN_CONTAINER,
    RUN_KIND,
    TASK_KIND,
    TASK_LABEL,
    TRIGGER_LABEL,
)
from backgroundtask.api.phases import COMPLETE_ENDS, ENDS
from backgroundtask.api.run import Attempt, BackgroundTaskRun, RunLogs, RunStatus
from backgroundtask.plan.definition import Logs
from backgroundtask.plan.identity import BY_ANNOTATION, QUEUE, has_ended, slot_of_run
from backgroundtask.plan.moments import moment, stamp
from backgroundtask.plan.names import run_name
from backgroundtask.plan.outcome import Task, outcome
from backgroundtask.plan.scene import Policy
from backgroundtask.plan.transitions import conditions

_ORDER = {"Pending": 0, "Launching": 1, "Running": 2}
_UNSEEN = frozenset({"Missed", "Lost"})
_GIT_MARKS = frozenset({"argocd.argoproj.io/tracking-id", "meta.helm.sh/release-name"})
_GIT_LABELS = frozenset({"app.kubernetes.io/instance", "kustomize.toolkit.fluxcd.io/name"})
_ATTEMPTS = 10
_REQUEST_DIGEST = 8


__all__ = [
    "Kept",
    "expired",
    "expires_at",
    "has_ended",
    "is_from_git",
    "merged",
    "run_for_request",
    "run_for_slot",
    "superfluous",
]


def run_for_slot(
    task: ObjectMeta, slot: datetime, *, queue: bool = False, item: str | None = None, index: int | None = None
) -> dict[str, Any]:
    """The BackgroundTaskRun of a slot, as it is created: owned by its task, and held until its ECS task has ended.

    `queue`: the operator has to launch it. `item` with its `index` in forEach, from 0: the run is for that item.
    """
    labels = {TRIGGER_LABEL: "schedule"} | ({LAUNCH_LABEL: QUEUE} if queue else {})
    made = _run(task, _indexed(run_name(task.name, slot), index), labels)
    return made | {"spec": made["spec"] | {"scheduledTime": stamp(slot)} | _item(item)}


def run_for_request(
    task: ObjectMeta, value: str, *, item: str | None = None, index: int | None = None
) -> dict[str, Any]:
    """The BackgroundTaskRun that this value of the annotation run-requested-at asks for, as it is created.

    The same value gives the same name, so a request makes one run (or one an item), whatever happens in between.
    """
    digest = hashlib.sha256(value.encode()).hexdigest()[:_REQUEST_DIGEST]
    made = _run(task, _indexed(f"{task.name}-r{digest}", index), {TRIGGER_LABEL: BY_ANNOTATION})
    return made | {"spec": made["spec"] | _item(item)}


def _indexed(name: str, index: int | None) -> str:
    return name if index is None else f"{name}-{index}"


def _item(item: str | None) -> dict[str, str]:
    return {} if item is None else {"item": item}


def _run(task: ObjectMeta, name: str, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": RUN_KIND,
        "metadata": {
            "name": name,
            "namespace": task.namespace,
            "labels": {TASK_LABEL: task.name} | labels,
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
        "spec": {"task": task.name},
    }


def merged(
    run: BackgroundTaskRun, task: Task, *, logs: Logs | None, policy: Policy | None = None, now: datetime
) -> RunStatus:
    """The status of a run after `task` was seen; the same status where that is no news.

    `policy` says what follows from a failure; None, where the spec cannot be read: the run is not tried again.
    """
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
            "conditions": conditions(run, seen, now),
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How many ended runs of each outcome a task keeps."""

    succeeded: int
    failed: int


def superfluous(
    runs: Iterable[BackgroundTaskRun], kept: Kept, accounted_until: datetime | None = None
) -> tuple[BackgroundTaskRun, ...]:
    """The ended runs beyond the history limits, oldest first, of those that are ours to delete.

    A run that somebody made, or deploys from Git, is neither deleted nor counted: from Git it would only come back, and
    run again. One of a slot after `accounted_until`, the stored cursor, stays: without it the slot would be launched
    once more. None: no slots are looked for.
    """
    ended = sorted((run for run in runs if has_ended(run) and _is_ours_to_delete(run)), key=_end, reverse=True)
    good = [run for run in ended if run.status.phase in COMPLETE_ENDS]
    bad = [run for run in ended if run.status.phase not in COMPLETE_ENDS]
    beyond = sorted(good[kept.succeeded :] + bad[kept.failed :], key=_end)
    return tuple(run for run in beyond if not _is_locked(run, accounted_until))


def expired(
    runs: Iterable[BackgroundTaskRun], now: datetime, accounted_until: datetime | None = None
) -> tuple[BackgroundTaskRun, ...]:
    """The ended runs whose ttlSecondsAfterFinished is over, oldest first, whoever made them.

    Those that are deployed from Git are among them (`is_from_git`): they are to be told of, and not deleted.
    """
    over = (run for run in runs if (end := expires_at(run)) is not None and end <= now)
    return tuple(sorted((run for run in over if not _is_locked(run, accounted_until)), key=_end))


def expires_at(run: BackgroundTaskRun) -> datetime | None:
    """When an ended run is to be deleted by its ttlSecondsAfterFinished; None where it is not."""
    end, ttl = moment(run.status.completion_time), run.spec.ttl_seconds_after_finished
    if end is None or ttl is None or not has_ended(run) or run.metadata.deletion_timestamp is not None:
        return None
    return end + timedelta(seconds=ttl)


def is_from_git(run: BackgroundTaskRun) -> bool:
    """Whether Argo CD, Flux or Helm deploys the run: deleted, it would only come back, and run again."""
    metadata = run.metadata
    return bool(_GIT_MARKS & metadata.annotations.keys() or _GIT_LABELS & metadata.labels.keys())


def _is_locked(run: BackgroundTaskRun, accounted_until: datetime | None) -> bool:
    slot = slot_of_run(run)
    return slot is not None and accounted_until is not None and slot > accounted_until


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
    is_of_task = any(one.controller and one.kind == TASK_KIND for one in metadata.owner_references)
    return is_of_task and not is_from_git(run) and metadata.deletion_timestamp is None
