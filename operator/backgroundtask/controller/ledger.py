"""The runs of one task: from what was delivered to their objects in the cluster.

A delivery is answered (`stored`) only after the API server has taken what it says, or after it was proved that nobody
is to be told. The run's name is the slot's lock: whoever creates it second finds the first. Each write is fenced by the
version that its decision saw. Knows the life of run objects; what an ECS task means for a run is decided in
`plan.merging`, what is to be done with one in `plan.life`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.names import FINALIZER, TASK_KIND
from backgroundtask.api.parsing import parse_run
from backgroundtask.api.run import BackgroundTaskRun, RunStatus
from backgroundtask.controller import metrics, run_metrics
from backgroundtask.controller.announcements import Announcements
from backgroundtask.controller.context import Context, log
from backgroundtask.controller.keys import Delivery, TaskKey
from backgroundtask.controller.memory import Ends
from backgroundtask.controller.statuses import difference, write_status
from backgroundtask.errors import Busy, Expected, Rejected
from backgroundtask.kube.cache import DELETED
from backgroundtask.kube.resource import RUNS, Body
from backgroundtask.kube.transport import UNREACHABLE
from backgroundtask.plan.definition import Logs
from backgroundtask.plan.identity import AccountedSlots, RunOf, has_ended, is_told_again, run_of
from backgroundtask.plan.merging import merged
from backgroundtask.plan.outcome import Task
from backgroundtask.plan.runs import run_for_slot
from backgroundtask.plan.scene import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a pass knows of a task that decides what becomes of its runs."""

    logs: Logs | None  # None where nobody knows where their output goes
    policy: Policy
    creates: bool = True  # a run that is missing is made; not for a task that is being deleted
    accounted: AccountedSlots = field(default_factory=AccountedSlots)  # had their run: one that is missing was pruned


class Ledger:
    """Writes the runs of one task during one reconcile."""

    def __init__(self, context: Context, task: ObjectMeta, terms: Terms, ends: Ends) -> None:
        self.task = task
        self.terms = terms
        self._context = context
        self._ends = ends
        self._key = TaskKey(task.namespace, task.name)
        self._announcements = Announcements(context, task)
        self._read: dict[tuple[str, str], BackgroundTaskRun | None] = {}  # by UID and version: each is read once a pass

    def runs(self) -> list[BackgroundTaskRun]:
        """The task's runs as the cache knows them, whoever made them; not those of a namesake that is gone."""
        bodies = self._context.cache.runs_of(self.task.namespace, self.task.name)
        return [run for run in map(self._readable, bodies) if run and self._is_ours(run)]

    def record(self, deliveries: Iterable[Delivery]) -> None:
        """Store each delivery in its run, then answer it.

        A run that cannot be written keeps no other run waiting, unless nobody answers. What is a bug is dropped.

        Raises:
            Expected: the first refusal; what was not stored, or came later for the same run, is left in the inbox.
        """
        refused: dict[str | None, Expected] = {}  # by name of the run
        waiting: list[Delivery] = []
        for delivery in sorted(deliveries, key=lambda one: one.task.version):
            said = run_of(delivery.task, self.task.name)
            name = said.name if said else None
            if name in refused or any(one.reason == UNREACHABLE for one in refused.values()):
                waiting.append(delivery)
                continue
            try:
                self._record(delivery, said)
            except Expected as error:
                refused[name] = error
                waiting.append(delivery)
        self._context.inbox.put_back(self._key, waiting)
        for first in refused.values():
            raise first

    def create(self, body: Mapping[str, Any], *, told_by: str | None = None) -> BackgroundTaskRun | None:
        """Create a run, or find the one that has its name. None where that one is somebody else's.

        `told_by` says what told of its slot.

        Raises:
            Expected: the API server is in the way.
        """
        name = body["metadata"]["name"]
        known = self._context.cache.run(self.task.namespace, name)
        if known is None:
            known, created = self._context.kube.create(RUNS, body)
            self._context.cache.put(RUNS, known)
            if created and told_by:
                metrics.SLOTS.labels(told_by).inc()
            if created:
                self._announcements.created(name)
        run = readable(known)
        if run is None or not self._is_ours(run):
            self._announcements.tell(
                "UnexpectedJob", f"Run {name} is not of this task: it stays as it is", kind="Warning"
            )
            return None
        return run

    def status(self, run: BackgroundTaskRun, after: RunStatus) -> BackgroundTaskRun | None:
        """Bring the status of a run to `after`, and tell of it; the run as it is then, None where it is gone.

        Raises:
            Busy: Conflict, where the run is no longer as `run` shows it: decide again.
        """
        body = self._fenced(run)
        if body is None or not difference(body["status"], after):
            return run if body else None
        written = self._taken(body, write_status(self._context, RUNS, body, after))
        if written is None:
            return None
        run_metrics.changed(run, after)
        self._announcements.changed(run, after)
        if has_ended(run.model_copy(update={"status": after})):
            for one in after.attempts:
                self._ends.add(one.task_arn or "")
        return readable(written)

    def hold(self, run: BackgroundTaskRun) -> BackgroundTaskRun | None:
        """Put our finalizer on a run before anything is launched for it; the run as it is then, None where it is gone.

        Raises:
            Busy: Conflict.
        """
        if FINALIZER in run.metadata.finalizers:
            return run
        body = self._fenced(run)
        held = body and self._taken(body, self._context.kube.add_finalizer(RUNS, body, FINALIZER))
        return readable(held) if held else None

    def let_go(self, run: BackgroundTaskRun) -> None:
        """Take our finalizer off a run: what it held is over."""
        if FINALIZER not in run.metadata.finalizers:
            return
        body = self._same(run)
        if body is None:
            return
        self._taken(body, self._context.kube.remove_finalizer(RUNS, body, FINALIZER))
        if run.metadata.deletion_timestamp is not None:
            self._context.queue.add(self._key)  # it is gone, and the watch brings no news of what the cache knows

    def delete(self, run: BackgroundTaskRun) -> None:
        """Delete a run that has ended."""
        self._context.kube.delete(RUNS, run.metadata.namespace, run.metadata.name, run.metadata.uid)
        body = self._same(run)
        if body is not None and not run.metadata.finalizers:  # nobody holds it: the watch says later that it is gone
            self._taken(body, None)
        self._announcements.tell("SuccessfulDelete", f"Deleted run {run.metadata.name}")

    def tell(self, reason: str, message: str, *, kind: str = "Normal") -> None:
        """Emit an Event on the task."""
        self._announcements.tell(reason, message, kind=kind)

    def tell_of(self, run: BackgroundTaskRun, reason: str, message: str, *, kind: str = "Normal") -> None:
        """Emit an Event on a run."""
        self._announcements.tell_of(run, reason, message, kind=kind)

    def _readable(self, body: Body) -> BackgroundTaskRun | None:
        version = body["metadata"]["uid"], body["metadata"]["resourceVersion"]
        if version not in self._read:
            self._read[version] = readable(body)
        return self._read[version]

    def _same(self, run: BackgroundTaskRun) -> Body | None:
        """The object behind `run`; None where it is gone, and what has its name is another."""
        body = self._context.cache.run(run.metadata.namespace, run.metadata.name)
        return body if body is not None and body["metadata"]["uid"] == run.metadata.uid else None

    def _fenced(self, run: BackgroundTaskRun) -> Body | None:
        """The object behind `run`; None where it is gone."""
        body = self._same(run)
        if body is not None and body["metadata"]["resourceVersion"] != run.metadata.resource_version:
            raise Busy("Conflict", f"Run {run.metadata.name} has changed while it was decided about.")
        return body

    def _taken(self, body: Body, answer: Body | None) -> Body | None:
        """What a write has answered about an object; None proves that it is gone, which the watch says later."""
        self._context.cache.see(RUNS, None if answer else DELETED, answer or body)
        return answer

    def _is_ours(self, run: BackgroundTaskRun) -> bool:
        controllers = (one for one in run.metadata.owner_references if one.controller and one.kind == TASK_KIND)
        return run.spec.task == self.task.name and all(one.uid == self.task.uid for one in controllers)

    def _record(self, delivery: Delivery, said: RunOf | None) -> None:
        try:
            self._store(delivery.task, said)
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

    def _store(self, task: Task, said: RunOf | None) -> None:
        run = self._run_of(task, said) if said and task.uid == self.task.uid else None
        if run is None:
            metrics.MESSAGES.labels("dropped").inc()
            return
        after = merged(run, task, logs=self.terms.logs, policy=self.terms.policy, now=self._context.now())
        if after != run.status:
            self.status(run, after)
        metrics.MESSAGES.labels("stored").inc()

    def _run_of(self, task: Task, said: RunOf) -> BackgroundTaskRun | None:
        """The run that an ECS task is of. A slot's is created where it is missing, unless its end was recorded before.

        None where there is none to write to: it was deleted, or what bears its name is somebody else's.
        """
        body = self._context.cache.run(self.task.namespace, said.name)
        if body is None and said.uid is not None:  # it was launched for a run, which this cache may not know yet
            body = self._context.kube.get(RUNS, self.task.namespace, said.name)
            if body is not None:
                self._context.cache.put(RUNS, body)
        if body is not None and said.uid not in {None, body["metadata"]["uid"]}:
            return None
        if body is not None:
            return self.create(body)
        if said.uid or said.slot is None or task.arn in self._ends or not self.terms.creates:
            return None  # it was deleted
        if is_told_again(task, said.slot, self.terms.accounted):
            return None
        return self.create(run_for_slot(self.task, said.slot), told_by="task")


def readable(body: Mapping[str, Any]) -> BackgroundTaskRun | None:
    """The run of an object. One that somebody made against the schema of another version is left alone."""
    try:
        return parse_run(body)
    except Rejected:
        return None
