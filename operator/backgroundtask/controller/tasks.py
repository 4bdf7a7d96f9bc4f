"""The reconciler of BackgroundTasks: one key, a task with all its runs, from what is seen to one status patch.

Level-triggered: it looks at the world as it is, whatever woke it. The AWS side (`configure`) and the runs (`ledger`)
fail apart from each other, so that a refused spec loses no outcome of a run.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from backgroundtask.api.conditions import READY, SCHEDULED, STALLED, Condition
from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.names import FINALIZER, PAUSED
from backgroundtask.api.parsing import parse_task, read_metadata, read_task_parting, read_task_status
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.controller import metrics
from backgroundtask.controller.configure import LOOK_AGAIN, configure
from backgroundtask.controller.context import Context, log
from backgroundtask.controller.endings import Stopping, end_run, end_task
from backgroundtask.controller.figures import FIGURES
from backgroundtask.controller.force import Unheeded
from backgroundtask.controller.keys import TaskKey, TemplateKey
from backgroundtask.controller.ledger import Ends, Ledger
from backgroundtask.controller.memory import Memory
from backgroundtask.controller.orphans import Orphans
from backgroundtask.controller.statuses import write_status
from backgroundtask.errors import Busy, Expected, Rejected
from backgroundtask.kube.resource import RUNS, TASKS, Ref
from backgroundtask.plan.desired import logs
from backgroundtask.plan.moments import moment
from backgroundtask.plan.runs import Kept, has_ended
from backgroundtask.plan.status import Configured, Refused, Settled, Subject, Unchanged, condition_changes, task_status

_AFTER_SLOT = 1.0  # seconds: the task that the slot starts is then on its way, and both are told in one patch
_CRONJOB_REASONS = {"InvalidSchedule": "UnparseableSchedule"}  # what CronJob's Events call it


@dataclass(slots=True)
class _Notes:
    """What this process remembers of one task."""

    memory: Memory = field(default_factory=Memory)
    stopping: Stopping = field(default_factory=dict)


class Tasks:
    """All BackgroundTasks of the cluster. One key is worked on by one thread at a time."""

    def __init__(self, context: Context, orphans: Orphans) -> None:
        self._context = context
        self._orphans = orphans
        self._notes: dict[TaskKey, _Notes] = {}
        self._ends = Ends()
        self._unheeded = Unheeded(context)

    def suspect(self, key: TaskKey) -> None:
        """Somebody saw AWS differ from the status: the next pass asks AWS for everything."""
        memory = self._notes.setdefault(key, _Notes()).memory
        memory.suspect, memory.schedules = memory.suspect + 1, None

    def is_retiring(self, key: TaskKey) -> bool:
        """Whether older revisions are to be there, until a time at which their retirement is queued."""
        notes = self._notes.get(key)
        retire_at = notes.memory.retire_at if notes else None
        return retire_at is not None and retire_at > self._context.now()

    def reconcile(self, key: TaskKey) -> None:
        """Bring one task to rest.

        Raises:
            Expected: something has to happen first; the caller tries again.
        """
        raw = self._context.cache.task(key.namespace, key.name)
        if raw is None:
            self._absent(key)
            return
        self._orphans.keep(key)
        metadata = read_metadata(raw)
        if metadata.deletion_timestamp is not None:
            self._part(key, raw, metadata)
            return
        self._unheeded.tell(Ref.of(TASKS, raw), metadata)
        task, refusal = _subject(raw, metadata)
        ledger, notes = self._ledger(raw, metadata), self._notes.setdefault(key, _Notes())
        unrecorded = _trouble(lambda: ledger.record(self._context.inbox.take(key)))
        runs = ledger.runs()
        configured = configure(self._context, task, raw, runs, notes.memory, unreadable=refusal)
        self._write(key, task, configured, runs)
        unended = self._end_runs(key, raw, ledger, notes)
        if task.spec is not None:
            ledger.prune(
                Kept(succeeded=task.spec.successful_runs_history_limit, failed=task.spec.failed_runs_history_limit)
            )
        self._next_look(key, configured, notes)
        for trouble in filter(None, (unrecorded, *unended, notes.memory.postponed)):
            raise trouble

    def _ledger(self, raw: Mapping[str, Any], metadata: ObjectMeta) -> Ledger:
        place, is_paused = None, metadata.annotations.get(PAUSED) == "true"
        creates = metadata.deletion_timestamp is None or is_paused  # else its schedules end before anything else
        with suppress(Expected):  # without its template nobody knows where a run's output went
            site = self._context.site(read_task_parting(raw).launch_template)
            place = logs(self._context.owner(metadata), site.spec)
        return Ledger(self._context, metadata, logs=place, ends=self._ends, creates=creates)

    def _write(self, key: TaskKey, task: Subject, configured: Configured, runs: list[BackgroundTaskRun]) -> None:
        if isinstance(configured, Refused) and not self._context.is_worth_telling(key, configured.error):
            configured = Unchanged()
        after = task_status(task, configured, runs, now=self._context.now())
        FIGURES.saw(key.namespace, key.name, after, runs)
        raw = self._context.cache.task(key.namespace, key.name)
        if raw is None or raw["metadata"]["uid"] != task.metadata.uid:
            return  # it went meanwhile, and what has its name now is another task
        if write_status(self._context, TASKS, raw, after) is None:
            return
        self._tell(Ref.of(TASKS, raw), condition_changes(task.status.conditions, after.conditions))

    def _tell(self, task: Ref, changes: Sequence[Condition]) -> None:
        """An Event for each thing that changed, and a line of log where the spec is refused: nobody retries that."""
        told = {one.type: one for one in changes}
        ready, scheduled = told.get(READY), told.get(SCHEDULED)
        if ready is not None:
            kind = "Warning" if ready.status == "False" else "Normal"
            reason = _CRONJOB_REASONS.get(ready.reason, ready.reason)
            self._context.recorder.emit(task, type=kind, reason=reason, message=ready.message)
        if STALLED in told:
            refusal = told[STALLED]
            fields = {"task": f"{task.namespace}/{task.name}", "reason": refusal.reason}
            log.warning("Task %s: %s: %s", fields["task"], refusal.reason, refusal.message, extra=fields)
        if scheduled is not None and not _says_as_much(ready, scheduled):
            self._context.recorder.emit(task, type="Normal", reason=scheduled.reason, message=scheduled.message)

    def _end_runs(self, key: TaskKey, raw: Mapping[str, Any], ledger: Ledger, notes: _Notes) -> list[Expected | None]:
        """Let go of runs that have ended, and end those that somebody deletes; what keeps one run keeps no other."""
        runs = ledger.runs()
        for run in runs:
            self._unheeded.tell(Ref(RUNS, key.namespace, run.metadata.name, run.metadata.uid), run.metadata)
        return [_trouble(partial(end_run, self._context, raw, run, ledger, notes.stopping)) for run in runs]

    def _next_look(self, key: TaskKey, configured: Configured, notes: _Notes) -> None:
        queue, now = self._context.queue, self._context.now()
        if isinstance(configured, Refused):
            if not isinstance(configured.error, Rejected):
                raise configured.error
            queue.add_after(key, LOOK_AGAIN.total_seconds())
        raw = self._context.cache.task(key.namespace, key.name)
        slot = moment(read_task_status(raw).next_schedule_time) if raw else None
        if slot is not None:  # one that has passed since it was computed is told anew, too
            queue.add_after(key, max((slot - now).total_seconds(), 0.0) + _AFTER_SLOT)
        memory = notes.memory
        if isinstance(configured, Settled) and memory.retire_at is not None and memory.postponed is None:
            # Its time may have come while the pass was under way.
            queue.add_after(key, max((memory.retire_at - now).total_seconds(), 0.0))
        for due in (memory.retire_at, memory.too_late_at):
            if due is not None and due > now:  # what is overdue waits for what keeps it, not for the time
                queue.add_after(key, (due - now).total_seconds())

    def _part(self, key: TaskKey, raw: Mapping[str, Any], metadata: ObjectMeta) -> None:
        """The object is being deleted: take the AWS side down, then let the runs and the object go."""
        if FINALIZER not in metadata.finalizers:
            self._drop(key)  # somebody else still holds it; nothing of ours is left
            return
        ledger = self._ledger(raw, metadata)
        unrecorded = _trouble(lambda: ledger.record(self._context.inbox.take(key)))
        if metadata.annotations.get(PAUSED) == "true":
            if unrecorded is not None:
                raise unrecorded
            return
        runs = ledger.runs()
        uses = frozenset(run.status.task_arn for run in runs if run.status.task_arn and not has_ended(run))
        trouble = _trouble(lambda: end_task(self._context, raw, metadata, uses))
        if trouble is not None:
            self._write(key, _subject(raw, metadata)[0], Refused(trouble), runs)
            raise trouble
        for run in runs:
            ledger.let_go(run)
        left = self._context.kube.remove_finalizer(TASKS, raw, FINALIZER)
        if left is not None:
            self._context.cache.put(TASKS, left)
        log.info("Background task deleted taskID=%s", key, extra={"task": str(key)})
        self._drop(key)
        self._context.queue.add(TemplateKey(read_task_parting(raw).launch_template))

    def _absent(self, key: TaskKey) -> None:
        """Nothing is cached under the key: make sure, then answer what was delivered to it, and hold no run for it."""
        bodies = self._context.cache.runs_of(key.namespace, key.name)
        held = [body for body in bodies if FINALIZER in body["metadata"].get("finalizers", ())]
        is_due = self._orphans.is_due(key)  # asked once: what becomes due after the proof has to wait for the next one
        if (held or is_due or self._context.inbox.waits(key)) and self._is_there(key):
            return
        if is_due:
            self._orphans.take(key)
        for body in held:
            left = self._context.kube.remove_finalizer(RUNS, body, FINALIZER)
            if left is not None:
                self._context.cache.put(RUNS, left)
        self._drop(key)

    def _is_there(self, key: TaskKey) -> bool:
        """Ask the API server; a task that the cache does not know yet is queued with what it shows."""
        live = self._context.kube.get(TASKS, key.namespace, key.name)
        if live is None:
            return False
        self._context.cache.put(TASKS, live)
        if self._context.cache.task(key.namespace, key.name) is None:
            raise Busy("Conflict", "The API server shows a task that it has told to be deleted.")
        self._context.queue.add(key)
        return True

    def _drop(self, key: TaskKey) -> None:
        """Forget a task that is gone, and answer what is nobody's any more."""
        for delivery in self._context.inbox.take(key):
            metrics.MESSAGES.labels("dropped").inc()
            delivery.stored()
        self._notes.pop(key, None)
        FIGURES.forget(key.namespace, key.name)


def _says_as_much(ready: Condition | None, scheduled: Condition) -> bool:
    """Whether the Event about Ready tells of the schedule, too: both fail for one reason, or all is well.

    A new task has one Event then. A second was a tenth of what the API server did for it.
    """
    return ready is not None and (ready.reason == scheduled.reason or ready.status == scheduled.status == "True")


def _trouble(work: Callable[[], None]) -> Expected | None:
    """What keeps a piece of work from being done, for whoever has other work that must not wait for it."""
    try:
        work()
    except Expected as error:
        return error
    return None


def _subject(raw: Mapping[str, Any], metadata: ObjectMeta) -> tuple[Subject, Rejected | None]:
    """The task, and why its spec cannot be read where it cannot: there is still a status to keep, and runs."""
    status = read_task_status(raw)
    try:
        return Subject(metadata=metadata, spec=parse_task(raw).spec, status=status), None
    except Rejected as refusal:
        return Subject(metadata=metadata, spec=None, status=status), refusal
