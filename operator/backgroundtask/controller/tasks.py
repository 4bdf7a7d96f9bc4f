"""The reconciler of BackgroundTasks: one key, a task with all its runs, from what is seen to one status patch.

Level-triggered: it looks at the world as it is, whatever woke it. What a pass over a task does is `task_pass`'s; what
follows where the task goes, or is not there, `partings`'.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.names import PAUSED
from backgroundtask.api.parsing import parse_task, read_metadata, read_task_parting, read_task_status
from backgroundtask.controller.admission import Admission
from backgroundtask.controller.context import Context
from backgroundtask.controller.ecs_runs import EcsRuns, Whose
from backgroundtask.controller.figures import FIGURES
from backgroundtask.controller.force import Unheeded
from backgroundtask.controller.keys import TaskKey
from backgroundtask.controller.ledger import Ledger, Terms
from backgroundtask.controller.memory import Ends
from backgroundtask.controller.orphans import Orphans
from backgroundtask.controller.partings import Partings
from backgroundtask.controller.slots import Slots
from backgroundtask.controller.statuses import write_status
from backgroundtask.controller.task_events import tell
from backgroundtask.controller.task_pass import Notes, Parts, TaskPass
from backgroundtask.errors import Expected, Rejected
from backgroundtask.kube.resource import TASKS, Ref
from backgroundtask.plan.desired import logs
from backgroundtask.plan.life import Policy
from backgroundtask.plan.slots import account_of
from backgroundtask.plan.status import Refused, Subject, Unchanged, task_status


class Tasks:
    """All BackgroundTasks of the cluster. One key is worked on by one thread at a time."""

    def __init__(self, context: Context, orphans: Orphans) -> None:
        self._context = context
        self._orphans = orphans
        self.slots = Slots(context)
        """Those of all tasks, for whoever counts them."""
        self._notes: dict[TaskKey, Notes] = {}
        self._ends = Ends()
        self._parts = Parts(context=context, slots=self.slots, admission=Admission(context), unheeded=Unheeded(context))
        self._partings = Partings(context, orphans, self.slots, self._forget)

    def suspect(self, key: TaskKey) -> None:
        """Somebody saw AWS differ from the status: the next pass asks AWS for everything."""
        memory = self._notes.setdefault(key, Notes()).memory
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
            self._partings.absent(key)
            return
        self._orphans.keep(key)
        task, refusal = _subject(raw)
        ledger, notes = self._ledger(raw, task), self._notes.setdefault(key, Notes())
        if task.metadata.deletion_timestamp is not None:
            self._part(key, raw, task, ledger)
            return
        self._parts.unheeded.tell(Ref.of(TASKS, raw), task.metadata)
        TaskPass(self._parts, raw, task, ledger, notes).bring_to_rest(refusal)

    def _ledger(self, raw: Mapping[str, Any], task: Subject) -> Ledger:
        metadata, place = task.metadata, None
        is_paused = metadata.annotations.get(PAUSED) == "true"
        with suppress(Expected):  # without its template nobody knows where a run's output went
            site = self._context.site(read_task_parting(raw).launch_template)
            place = logs(self._context.owner(metadata), site.spec)
        policy = Policy.of(task.spec) if task.spec else Policy(suspended=read_task_parting(raw).suspend)
        # Of one that is being deleted the schedules end before anything else, unless it is paused.
        terms = Terms(
            logs=place,
            policy=policy,
            creates=metadata.deletion_timestamp is None or is_paused,
            accounted=account_of(task.status),
        )
        return Ledger(self._context, metadata, terms, self._ends)

    def _part(self, key: TaskKey, raw: Mapping[str, Any], task: Subject, ledger: Ledger) -> None:
        """The object is being deleted: what is in the way of that is told in its status."""
        whose = Whose(metadata=task.metadata, template=read_task_parting(raw).launch_template)
        notes = self._notes.setdefault(key, Notes())
        self._parts.admission.settle(key, whose.template, ledger.runs())  # none of its runs waits for a place any more
        try:
            self._partings.part(key, raw, ledger, EcsRuns(self._context, whose, ledger, notes.runs))
        except Expected as error:
            self._say(key, task, error, ledger)
            raise

    def _say(self, key: TaskKey, task: Subject, error: Expected, ledger: Ledger) -> None:
        raw = self._context.cache.task(key.namespace, key.name)
        if raw is None or raw["metadata"]["uid"] != task.metadata.uid:
            return
        configured = Refused(error) if self._context.is_worth_telling(key, error) else Unchanged()
        after = task_status(task, configured, ledger.runs(), now=self._context.now())
        if write_status(self._context, TASKS, raw, after) is not None:
            tell(self._context, Ref.of(TASKS, raw), task.status.conditions, after.conditions)

    def _forget(self, key: TaskKey) -> None:
        self._notes.pop(key, None)
        self._parts.admission.forget(key)
        FIGURES.forget(key.namespace, key.name)


def _subject(raw: Mapping[str, Any]) -> tuple[Subject, Rejected | None]:
    """The task, and why its spec cannot be read where it cannot: there is still a status to keep, and runs."""
    metadata: ObjectMeta = read_metadata(raw)
    status = read_task_status(raw)
    try:
        return Subject(metadata=metadata, spec=parse_task(raw).spec, status=status), None
    except Rejected as refusal:
        return Subject(metadata=metadata, spec=None, status=status), refusal
