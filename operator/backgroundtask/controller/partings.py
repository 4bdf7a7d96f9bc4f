"""A task that goes, or is not there: what is left of it in AWS is ended, and no object waits for it in vain.

That a task is not there is proved by the API server before anything follows from it. Runs that people made stay, for
the task may come yet, or come back; those that were launched for a task that is gone are ended.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.names import FINALIZER, PAUSED, TASK_KIND
from backgroundtask.api.parsing import read_task_parting
from backgroundtask.api.run import BackgroundTaskRun, RunStatus
from backgroundtask.controller import metrics, run_metrics
from backgroundtask.controller.context import Context, log
from backgroundtask.controller.ecs_runs import EcsRuns
from backgroundtask.controller.endings import await_launches, end_task, live
from backgroundtask.controller.force import is_forced
from backgroundtask.controller.holdings import Holdings
from backgroundtask.controller.keys import TaskKey, TemplateKey
from backgroundtask.controller.ledger import Ledger, readable
from backgroundtask.controller.orphans import Orphans
from backgroundtask.controller.slots import Slots
from backgroundtask.controller.statuses import write_status
from backgroundtask.errors import Busy, Expected
from backgroundtask.kube.resource import RUNS, TASKS, Body
from backgroundtask.plan.identity import has_ended
from backgroundtask.plan.runs import expires_at, is_from_git
from backgroundtask.plan.transitions import ended, held

TASK_NOT_FOUND = "TaskNotFound"
"""Reason of a run whose task is not there."""


class Partings:
    """Those of all tasks. `forget` is told of a task of which nothing is to be remembered."""

    def __init__(self, context: Context, orphans: Orphans, slots: Slots, forget: Callable[[TaskKey], None]) -> None:
        self._context = context
        self._orphans = orphans
        self._slots = slots
        self._forget = forget

    def part(self, key: TaskKey, raw: Mapping[str, Any], ledger: Ledger, ecs: EcsRuns) -> None:
        """Take the AWS side of a task that is being deleted down, then let its runs and the object go.

        Raises:
            Expected: something is in the way of it.
        """
        metadata = ledger.task
        if FINALIZER not in metadata.finalizers:
            self.drop(key)  # somebody else still holds it; nothing of ours is left
            return
        self._slots.dismiss(key)  # nothing is launched for it any more
        unrecorded: Expected | None = None
        try:
            ledger.record(self._context.inbox.take(key))
        except Expected as error:  # what is in the way of a record is in the way of no end
            unrecorded = error
        if metadata.annotations.get(PAUSED) == "true":
            if unrecorded is not None:
                raise unrecorded
            return
        self._end(raw, metadata, ledger, ecs)
        left = self._context.kube.remove_finalizer(TASKS, raw, FINALIZER)
        if left is not None:
            self._context.cache.put(TASKS, left)
        log.info("Background task deleted taskID=%s", key, extra={"task": str(key)})
        self.drop(key)
        self._come_again(key)
        self._context.queue.add(TemplateKey(read_task_parting(raw).launch_template))

    def absent(self, key: TaskKey) -> None:
        """Nothing is cached under the key: make sure, then answer what was delivered to it, and hold no run for it.

        Raises:
            Expected: the API server is in the way.
        """
        bodies = self._context.cache.runs_of(key.namespace, key.name)
        open_ = [body for body in bodies if self._left(body)]
        over = [run for run, until in self._expiring(key) if until <= self._context.now()]
        is_due = self._orphans.is_due(key)  # asked once: what becomes due after the proof has to wait for the next one
        if (open_ or over or is_due or self._context.inbox.waits(key)) and self._is_there(key):
            return
        if is_due:
            self._orphans.take(key)
        for body in open_:
            self._leave(body)
        for run in over:
            self._context.kube.delete(RUNS, run.metadata.namespace, run.metadata.name, run.metadata.uid)
        self.drop(key)
        self._come_again(key)

    def drop(self, key: TaskKey) -> None:
        """Forget a task that is gone, and answer what is nobody's any more."""
        for delivery in self._context.inbox.take(key):
            metrics.MESSAGES.labels("dropped").inc()
            delivery.stored()
        self._slots.dismiss(key)
        self._forget(key)

    def _come_again(self, key: TaskKey) -> None:
        """When the next run that its task has left behind is to be deleted by its ttlSecondsAfterFinished."""
        now = self._context.now()
        due = min((until for _, until in self._expiring(key) if until > now), default=None)
        if due is not None:
            self._context.queue.add_after(key, (due - now).total_seconds())

    def _expiring(self, key: TaskKey) -> list[tuple[BackgroundTaskRun, datetime]]:
        """The runs that go by their ttlSecondsAfterFinished, and when: nobody stops anything for them any more."""
        runs = map(readable, self._context.cache.runs_of(key.namespace, key.name))
        kept = [run for run in runs if run is not None and not is_from_git(run)]
        return [(run, until) for run in kept if (until := expires_at(run)) is not None]

    def _end(self, raw: Mapping[str, Any], metadata: ObjectMeta, ledger: Ledger, ecs: EcsRuns) -> None:
        parting = read_task_parting(raw)
        is_kept = parting.deletion_policy != "Delete"
        if not is_kept and not is_forced(metadata):
            self._await_launches(metadata, parting.launch_template, ledger, ecs)
        runs = ledger.runs()
        uses = frozenset(arn for run in runs if not has_ended(run) for arn in live(run))
        end_task(self._context, raw, metadata, uses)
        for run in runs:
            if not has_ended(run) and not _is_owned(run) and run.status.launch is not None:
                ledger.status(run, self._parted(run, is_kept=is_kept))
        for run in ledger.runs():
            ledger.let_go(run)

    def _await_launches(self, metadata: ObjectMeta, template: str, ledger: Ledger, ecs: EcsRuns) -> None:
        """Go on only once all is known that was launched; until then no schedule launches more."""
        try:
            await_launches(ledger.runs(), ecs, self._context.now())
        except Expected:
            Holdings(self._context, metadata, self._context.site(template)).switch_off()
            raise

    def _parted(self, run: BackgroundTaskRun, *, is_kept: bool) -> RunStatus:
        """How a run ends that somebody made, and whose task went while it was under way."""
        now = self._context.now()
        if is_kept:
            message = "Its task was deleted with deletionPolicy Retain: its ECS task may go on, unseen."
            return ended(run, "Lost", "TaskDeleted", message, now)
        return ended(run, "Cancelled", "TaskDeleted", "Its task was deleted, and its ECS task stopped with it.", now)

    def _left(self, body: Body) -> bool:
        """Whether a run says something yet to be answered to: it is held, or nobody said that its task is missing."""
        run = readable(body)
        is_held = FINALIZER in body["metadata"].get("finalizers", ())
        return is_held or (run is not None and not has_ended(run) and self._told(run) != run.status)

    def _told(self, run: BackgroundTaskRun) -> RunStatus:
        """What a run says whose task is not there. The runs of a task go with it, and say nothing more."""
        if _is_owned(run) or has_ended(run) or run.metadata.deletion_timestamp is not None:
            return run.status
        now = self._context.now()
        if run.status.launch is not None:
            return ended(run, "Lost", "TaskDeleted", "Its task went while it was under way.", now)
        if run.spec.cancel:
            return ended(run, "Cancelled", "Cancelled", "It was cancelled before it was launched.", now)
        message = f"There is no BackgroundTask {run.spec.task} in namespace {run.metadata.namespace}: create it."
        return held(run, TASK_NOT_FOUND, message, now)

    def _leave(self, body: Body) -> None:
        """Say that the task is missing, and hold the run no longer."""
        run = readable(body)
        if run is not None and (told := self._told(run)) != run.status:
            written = write_status(self._context, RUNS, body, told)
            if written is not None:
                run_metrics.changed(run, told)
            body = written or body
        left = self._context.kube.remove_finalizer(RUNS, body, FINALIZER)
        if left is not None:
            self._context.cache.put(RUNS, left)

    def _is_there(self, key: TaskKey) -> bool:
        """Ask the API server; a task that the cache does not know yet is queued with what it shows."""
        live_task = self._context.kube.get(TASKS, key.namespace, key.name)
        if live_task is None:
            return False
        self._context.cache.put(TASKS, live_task)
        if self._context.cache.task(key.namespace, key.name) is None:
            raise Busy("Conflict", "The API server shows a task that it has told to be deleted.")
        self._context.queue.add(key)
        return True


def _is_owned(run: BackgroundTaskRun) -> bool:
    """Whether the run is a task's, and goes with it."""
    return any(one.controller and one.kind == TASK_KIND for one in run.metadata.owner_references)
