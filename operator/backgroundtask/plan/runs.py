"""The objects of runs: how one is made for a slot or a request, and which of those that have ended are to go.

What an ECS task means for a run is `merging`'s business, what is to be done for one `life`'s.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.names import (
    API_VERSION,
    FINALIZER,
    LAUNCH_LABEL,
    RUN_KIND,
    TASK_KIND,
    TASK_LABEL,
    TRIGGER_LABEL,
)
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.plan.attempts import strays
from backgroundtask.plan.history import is_failure
from backgroundtask.plan.identity import BY_ANNOTATION, QUEUE, has_ended, slot_of_run
from backgroundtask.plan.moments import moment, stamp
from backgroundtask.plan.names import run_name

_GIT_MARKS = frozenset({"argocd.argoproj.io/tracking-id", "meta.helm.sh/release-name"})
_GIT_LABELS = frozenset({"app.kubernetes.io/instance", "kustomize.toolkit.fluxcd.io/name"})
_REQUEST_DIGEST = 8


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How many ended runs of each sort a task keeps: none pushes out what another one tells.

    `succeeded` also holds for skipped ones, and `failed` for those that are no failure of the task: cancelled, refused.
    """

    succeeded: int
    failed: int

    def of(self, sort: str) -> int:
        """How many of a sort (`_sort`)."""
        return self.succeeded if sort in {"Succeeded", "Skipped"} else self.failed


def superfluous(
    runs: Iterable[BackgroundTaskRun], kept: Kept, accounted_until: datetime | None = None
) -> tuple[BackgroundTaskRun, ...]:
    """The ended runs beyond the history limits, oldest first, of those that are ours to delete.

    A run that somebody made, or deploys from Git, is neither deleted nor counted: from Git it would only come back, and
    run again. One of a slot after `accounted_until`, the stored cursor, stays: without it the slot would be launched
    once more. None: no slots are looked for.
    """
    ended = sorted((run for run in runs if has_ended(run) and _is_ours_to_delete(run)), key=_end, reverse=True)
    sorts: defaultdict[str, list[BackgroundTaskRun]] = defaultdict(list)
    for run in ended:
        sorts[_sort(run)].append(run)
    beyond = (run for sort, found in sorts.items() for run in found[kept.of(sort) :])
    return tuple(sorted((run for run in beyond if not _is_locked(run, accounted_until)), key=_end))


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
    """Whether something still hangs on the run: its slot, or a task that has to be stopped."""
    slot = slot_of_run(run)
    return bool(strays(run)) or (slot is not None and accounted_until is not None and slot > accounted_until)


def _sort(run: BackgroundTaskRun) -> str:
    """The sort of an ended run: Succeeded, Skipped, Failed, or Cancelled, with which goes what was refused."""
    if run.status.phase in {"Succeeded", "Skipped"}:
        return run.status.phase
    return "Failed" if is_failure(run) else "Cancelled"


def _end(run: BackgroundTaskRun) -> tuple[str, str]:
    return run.status.completion_time or "", run.metadata.name


def _is_ours_to_delete(run: BackgroundTaskRun) -> bool:
    metadata = run.metadata
    is_of_task = any(one.controller and one.kind == TASK_KIND for one in metadata.owner_references)
    return is_of_task and not is_from_git(run) and metadata.deletion_timestamp is None
