"""The runs of one task: from what was delivered to their objects in the cluster.

A delivery is answered (`stored`) only after the API server has taken what it says, or after it was proved that nobody
is to be told. The run's name is the slot's lock: whoever creates it second finds the first. Knows the life of run
objects; what an ECS task means for a run is decided in `plan.runs`.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.names import FINALIZER
from backgroundtask.api.parsing import parse_run
from backgroundtask.api.run import BackgroundTaskRun, RunStatus
from backgroundtask.controller import metrics, run_metrics
from backgroundtask.controller.context import Context, log
from backgroundtask.controller.keys import Delivery, TaskKey
from backgroundtask.controller.statuses import write_status
from backgroundtask.errors import Expected, Rejected
from backgroundtask.kube.resource import RUNS, TASKS, Ref
from backgroundtask.plan.definition import Logs
from backgroundtask.plan.names import run_name
from backgroundtask.plan.outcome import Task
from backgroundtask.plan.runs import Kept, has_ended, merged, run_for_slot, superfluous

_REMEMBERED = 10_000
UNREACHABLE = "Unreachable"
"""The reason of a request that nobody answers (`kube.transport`): each more would take its full time, too."""


class Ends:
    """ARNs of tasks whose end was recorded by this process: an event that comes again must not revive a deleted run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arns: OrderedDict[str, None] = OrderedDict()

    def add(self, arn: str) -> None:
        """Remember an ARN; of many the oldest are forgotten."""
        with self._lock:
            self._arns[arn] = None
            while len(self._arns) > _REMEMBERED:
                self._arns.popitem(last=False)

    def __contains__(self, arn: str) -> bool:
        with self._lock:
            return arn in self._arns


class Ledger:
    """Writes the runs of one task during one reconcile."""

    def __init__(
        self, context: Context, task: ObjectMeta, *, logs: Logs | None, ends: Ends, creates: bool = True
    ) -> None:
        """`creates`: a run that is missing is made; not for a task that is being deleted."""
        self._creates = creates
        self._context = context
        self._task = task
        self._logs = logs
        self._ends = ends
        self._key = TaskKey(task.namespace, task.name)

    def runs(self) -> list[BackgroundTaskRun]:
        """The task's own runs as the cache knows them: what others made in its name says nothing of it."""
        bodies = self._context.cache.runs_of(self._task.namespace, self._task.name)
        return [run for run in map(_readable, bodies) if run and self._is_ours(run)]

    def record(self, deliveries: Iterable[Delivery]) -> None:
        """Store each delivery in the run of its slot, then answer it.

        A run that cannot be written keeps no other run waiting, unless nobody answers. What is a bug is dropped.

        Raises:
            Expected: the first refusal; what was not stored, or came later for the same run, is left in the inbox.
        """
        refused: dict[datetime | None, Expected] = {}  # by slot
        waiting: list[Delivery] = []
        for delivery in sorted(deliveries, key=lambda one: one.task.version):
            slot = delivery.task.slot
            if slot in refused or any(one.reason == UNREACHABLE for one in refused.values()):
                waiting.append(delivery)
                continue
            try:
                self._record(delivery)
            except Expected as error:
                refused[slot] = error
                waiting.append(delivery)
        self._context.inbox.put_back(self._key, waiting)
        for first in refused.values():
            raise first

    def _record(self, delivery: Delivery) -> None:
        try:
            self._store(delivery.task)
        except Expected:
            raise
        except Exception:  # noqa: BLE001 - a bug: told with its traceback, and no reason to keep other runs waiting
            arn = delivery.task.arn
            told = {"task": str(self._key), "task_arn": arn}
            log.exception("ECS task %s of %s is left to the poison queue", arn, self._key, extra=told)
            metrics.MESSAGES.labels("failed").inc()
            delivery.dropped()
            return
        delivery.stored()

    def prune(self, kept: Kept) -> None:
        """Delete the ended runs beyond the history limits."""
        for run in superfluous(self.runs(), kept):
            self._context.kube.delete(RUNS, run.metadata.namespace, run.metadata.name, run.metadata.uid)
            self._forget(run)
            self._context.recorder.emit(
                self._task_ref(), type="Normal", reason="SuccessfulDelete", message=f"Deleted run {run.metadata.name}"
            )

    def let_go(self, run: BackgroundTaskRun) -> None:
        """Take our finalizer off a run: what it held is over."""
        if FINALIZER not in run.metadata.finalizers:
            return
        body = self._context.cache.run(run.metadata.namespace, run.metadata.name)
        left = body and self._context.kube.remove_finalizer(RUNS, body, FINALIZER)
        if left:
            self._context.cache.put(RUNS, left)

    def _forget(self, run: BackgroundTaskRun) -> None:
        """Whom nobody holds is gone with its deletion; the watch says so later."""
        body = self._context.cache.run(run.metadata.namespace, run.metadata.name)
        if body is not None and not run.metadata.finalizers:
            self._context.cache.see(RUNS, "DELETED", body)

    def _is_ours(self, run: BackgroundTaskRun) -> bool:
        return any(owner.controller and owner.uid == self._task.uid for owner in run.metadata.owner_references)

    def _store(self, task: Task) -> None:
        if task.uid != self._task.uid or task.slot is None:
            metrics.MESSAGES.labels("dropped").inc()
            return
        run = self._run_of(task)
        if run is None:
            return
        status = merged(run, task, logs=self._logs, now=self._context.now())
        if status != run.status:
            self._write(run, status, task)
        metrics.MESSAGES.labels("stored").inc()

    def _run_of(self, task: Task) -> BackgroundTaskRun | None:
        """The run of the task's slot. It is created where it is missing, unless its end was recorded before.

        None where there is none to write to: what bears its name may be somebody else's.
        """
        assert task.slot is not None  # noqa: S101 - `_store` has asked
        name = run_name(self._task.name, task.slot)
        body = self._context.cache.run(self._task.namespace, name)
        if body is None and (task.arn in self._ends or not self._creates):
            return None
        if body is None:
            body, created = self._context.kube.create(RUNS, run_for_slot(self._task, task.slot))
            self._context.cache.put(RUNS, body)
            if created:
                self._tell("SuccessfulCreate", f"Created run {name}")
        run = _readable(body)
        if run is None or not self._is_ours(run):
            self._tell("UnexpectedJob", f"Run {name} is not of this task: its slot cannot be recorded", kind="Warning")
            return None
        return run

    def _write(self, run: BackgroundTaskRun, status: RunStatus, task: Task) -> None:
        body = self._context.cache.run(run.metadata.namespace, run.metadata.name)
        if body is not None and write_status(self._context, RUNS, body, status) is not None:
            run_metrics.changed(run, status)
            self._announce(run, status, task)

    def _announce(self, run: BackgroundTaskRun, status: RunStatus, task: Task) -> None:
        if status.task_arn != task.arn:
            metrics.DUPLICATES.inc()
            self._tell("UnexpectedJob", f"Run {run.metadata.name} has a second ECS task: {task.arn}", kind="Warning")
        elif status.phase == run.status.phase:
            return
        elif status.phase == "Running":
            self._announce_start(run.metadata.name, task)
        elif has_ended(run.model_copy(update={"status": status})):
            self._announce_end(run, status, task)

    def _announce_end(self, run: BackgroundTaskRun, status: RunStatus, task: Task) -> None:
        self._ends.add(task.arn)
        name = run.metadata.name
        if run.status.phase in {None, "Pending", "Launching"} and status.exit_code is not None:
            self._announce_start(name, task)
        if status.phase == "Succeeded":
            self._tell("SawCompletedJob", f"Saw completed run: {name}, condition: Complete")
            log.info("Background task succeeded taskID=%s run=%s", self._key, name, extra=self._fields(name, task))
            return
        why = f"{status.reason}: {status.message}"
        self._tell("SawCompletedJob", f"Saw completed run: {name}, condition: Failed, {why}", kind="Warning")
        told = {**self._fields(name, task), "reason": status.reason}
        log.warning("Background task execution failed for taskID=%s run=%s err=%s", self._key, name, why, extra=told)

    def _announce_start(self, run: str, task: Task) -> None:
        told = self._fields(run, task)
        log.info("Background task started taskID=%s run=%s taskArn=%s", self._key, run, task.arn, extra=told)

    def _fields(self, run: str, task: Task) -> dict[str, str]:
        return {"task": str(self._key), "run": run, "task_arn": task.arn}

    def _tell(self, reason: str, message: str, *, kind: str = "Normal") -> None:
        self._context.recorder.emit(self._task_ref(), type=kind, reason=reason, message=message)

    def _task_ref(self) -> Ref:
        return Ref(TASKS, self._task.namespace, self._task.name, self._task.uid)


def _readable(body: dict[str, Any]) -> BackgroundTaskRun | None:
    """A run that somebody made against the schema of another version is left alone."""
    try:
        return parse_run(body)
    except Rejected:
        return None
