"""One pass over a task that is there: AWS side, runs and status, each from what is seen, and written where it differs.

What was told (`ledger`, `slots`), the AWS side (`configure`) and what is launched (`launches`) fail apart from each
other, so that a refused spec loses no outcome of a run, and one run's trouble is no other's.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from backgroundtask.api.names import PAUSED
from backgroundtask.api.parsing import read_task_parting, read_task_status
from backgroundtask.api.task_status import ActiveRun, TaskStatus
from backgroundtask.controller import on_demand
from backgroundtask.controller.admission import Admission
from backgroundtask.controller.configure import LOOK_AGAIN, configure
from backgroundtask.controller.context import Context
from backgroundtask.controller.ecs_runs import EcsRuns, Whose
from backgroundtask.controller.endings import end_run
from backgroundtask.controller.figures import FIGURES
from backgroundtask.controller.force import Unheeded
from backgroundtask.controller.holders import Holders
from backgroundtask.controller.keys import TaskKey
from backgroundtask.controller.launches import Launches, Party
from backgroundtask.controller.ledger import Ledger
from backgroundtask.controller.memory import Memory, RunMemory
from backgroundtask.controller.pruning import prune
from backgroundtask.controller.slots import Accounted, Heard, Slots
from backgroundtask.controller.standing import grounds
from backgroundtask.controller.statuses import write_status
from backgroundtask.controller.tails import Looks, Tails
from backgroundtask.controller.task_events import tell
from backgroundtask.controller.unreadable import refuse_unreadable
from backgroundtask.errors import Busy, Expected, Rejected
from backgroundtask.kube.resource import RUNS, TASKS, Body, Ref
from backgroundtask.plan.life import Decisions, Scene, decide
from backgroundtask.plan.slots import next_to_look_at, prunable_until
from backgroundtask.plan.status import Configured, Refused, Settled, Subject, Unchanged, task_status

_AFTER_SLOT = 1.0  # seconds: the task that the slot starts is then on its way, and both are told in one patch


@dataclass(slots=True)
class Notes:
    """What this process remembers of one task."""

    memory: Memory = field(default_factory=Memory)
    runs: RunMemory = field(default_factory=RunMemory)
    tails: Looks = field(default_factory=Looks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What all passes share."""

    context: Context
    slots: Slots
    admission: Admission
    unheeded: Unheeded


class TaskPass:
    """One pass over one task."""

    def __init__(self, parts: Parts, raw: Body, task: Subject, ledger: Ledger, notes: Notes) -> None:
        self._parts = parts
        self._context = parts.context
        self._raw = raw
        self._task = task
        self._ledger = ledger
        self._notes = notes
        self._key = TaskKey(task.metadata.namespace, task.metadata.name)
        self._whose = Whose(metadata=task.metadata, template=read_task_parting(raw).launch_template)
        self._ecs = EcsRuns(self._context, self._whose, ledger, notes.runs)
        self._accounted = Accounted(configured=Unchanged(), until=None)
        self._handled_run = task.status.last_handled_run_at
        self._decided_on: Body | None = None  # the task as it was when its runs were decided about
        self._holders = Holders(self._context, self._key, ledger)
        self._troubles: list[Expected] = []

    def bring_to_rest(self, refusal: Rejected | None) -> None:
        """See, decide, do, tell. `refusal` is why the spec cannot be read, where it cannot.

        Raises:
            Expected: something has to happen first; what could be done was done.
        """
        began = self._context.now()
        with self._apart():
            self._ledger.record(self._context.inbox.take(self._key))
        heard = self._parts.slots.hear(self._key, self._task, self._ledger)
        with self._apart():
            self._handled_run = on_demand.answer(self._task, self._ledger)
        configured = self._configure(refusal, began)
        look_at = None
        with self._apart():
            look_at = self._launch(refusal, heard)
            self._tell()
        self._end_runs(heard)
        self._look_again(configured, look_at, began)
        self._raise(configured, [heard.trouble, self._accounted.trouble])

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """Let what is in the way of one thing be in the way of no other."""
        try:
            yield
        except Expected as error:
            self._troubles.append(error)

    def _configure(self, refusal: Rejected | None, began: datetime) -> Configured:
        """Bring AWS to the spec, and account for the slots up to then."""
        configured = configure(
            self._context, self._task, self._raw, self._ledger.runs(), self._notes.memory, unreadable=refusal
        )
        told = configured
        if isinstance(told, Refused) and not self._context.is_worth_telling(self._key, told.error):
            told = Unchanged()
        self._accounted = self._parts.slots.account(self._key, self._task, told, self._ledger, began=began)
        return configured

    def _launch(self, refusal: Rejected | None, heard: Heard) -> datetime | None:
        """Do what is to be done for the runs; when to decide about them again."""
        party = Party(
            whose=self._whose,
            grounds=lambda: grounds(self._context, self._now(), self._task.spec, refusal),
            grant=self._grant,
            is_paused=self._task.metadata.annotations.get(PAUSED) == "true",
        )
        launches = Launches(self._context, self._ledger, self._parts.admission, self._ecs, party)
        try:
            if not isinstance(self._accounted.configured, Unchanged):
                self._tell()  # what AWS holds now, before anything is launched on it
            return launches.settle(partial(self._decide, heard))
        finally:
            self._troubles += launches.troubles
            self._parts.admission.settle(self._key, self._whose.template, self._ledger.runs())

    def _decide(self, heard: Heard) -> Decisions:
        self._decided_on = self._same()
        if self._decided_on is None:
            return Decisions(steps=(), look_at=None)
        holders = self._holders.of(read_task_status(self._decided_on))
        scene = Scene(
            now=self._context.now(),
            policy=self._ledger.terms.policy,
            runs=self._ledger.runs(),
            holders=holders,
            drained=self._context.drained(self._whose.template),
            given_up=heard.given_up,
            gone=heard.gone,
        )
        return decide(scene)

    def _grant(self, run: str) -> None:
        """Give a run leave, unless the task has changed since that was decided.

        Raises:
            Busy: Conflict.
        """
        raw, seen = self._same(), self._decided_on
        if raw is None or seen is None or raw["metadata"]["resourceVersion"] != seen["metadata"]["resourceVersion"]:
            raise Busy("Conflict", "The task has changed while it was decided about.")
        status = read_task_status(raw)
        leave = (*status.active, ActiveRun(name=run))
        self._write(raw, status.model_copy(update={"active": leave}))
        after = self._same()
        if after is None or run not in {one.name for one in read_task_status(after).active}:
            raise Busy("Conflict", "The task has gone while its run was to be launched.")

    def _tell(self) -> None:
        """Bring the status to what is seen now."""
        raw = self._same()
        if raw is not None:
            self._write(raw, read_task_status(raw))

    def _write(self, raw: Body, before: TaskStatus) -> None:
        """Write the status that follows from `before`; `raw` is the task as the status is written on."""
        before = self._holders.heeded(before).model_copy(update={"last_handled_run_at": self._handled_run})
        task = replace(self._task, status=before)
        runs = self._ledger.runs()
        after = task_status(task, self._accounted.configured, runs, now=self._context.now())
        after = self._accounted.noted(read_task_status(raw), after)
        FIGURES.saw(self._key.namespace, self._key.name, after, runs)
        if write_status(self._context, TASKS, raw, after) is not None:
            tell(self._context, Ref.of(TASKS, raw), before.conditions, after.conditions)

    def _same(self) -> Body | None:
        """The task as it is now; None where it is gone, and what has its name is another."""
        raw = self._context.cache.task(self._key.namespace, self._key.name)
        return raw if raw is not None and raw["metadata"]["uid"] == self._task.metadata.uid else None

    def _now(self) -> Subject:
        """The task with its status as it is now."""
        raw = self._same()
        return replace(self._task, status=read_task_status(raw)) if raw else self._task

    def _end_runs(self, heard: Heard) -> None:
        """Let go of runs that have ended, end those that somebody deletes, delete those whose time is over."""
        for run in self._ledger.runs():
            self._parts.unheeded.tell(Ref(RUNS, self._key.namespace, run.metadata.name, run.metadata.uid), run.metadata)
            with self._apart():
                end_run(self._context, run, self._ledger, self._ecs, heard.gone)
        with self._apart():
            refuse_unreadable(self._context, self._key)
        now = self._context.now()
        until = prunable_until(self._now().status, now)
        with self._apart():
            due = prune(self._ledger, self._task.spec, self._notes.runs, now=now, prunable_until=until)
            self._come_again(due)
        self._notes.runs.keep(self._ledger.runs())
        with self._apart():
            self._come_again(Tails(self._context, self._whose.template, self._ledger, self._notes.tails).fetch())

    def _look_again(self, configured: Configured, look_at: datetime | None, began: datetime) -> None:
        now, memory = self._context.now(), self._notes.memory
        begins = self._accounted.until if self._accounted.begins else None
        slot = next_to_look_at(self._now().status, since=begins or began, now=now)
        # One that has passed since is told anew, too; what was in the way of that has a patience.
        if slot is not None and (slot > now or not self._troubles):
            self._context.queue.add_after(self._key, max((slot - now).total_seconds(), 0.0) + _AFTER_SLOT)
        if isinstance(configured, Settled) and memory.postponed is None:
            self._come_again(memory.retire_at)  # its time may have come while the pass was under way
        for due in (memory.retire_at, memory.too_late_at):
            if due is not None and due > now:  # what is overdue waits for what keeps it, not for the time
                self._come_again(due)
        self._come_again(look_at)

    def _come_again(self, at: datetime | None) -> None:
        if at is not None:
            self._context.queue.add_after(self._key, max((at - self._context.now()).total_seconds(), 0.0))

    def _raise(self, configured: Configured, others: Sequence[Expected | None]) -> None:
        """Come again hourly for a refused spec, and at once, with patience, for what was only in the way."""
        refused = configured.error if isinstance(configured, Refused) else None
        if isinstance(refused, Rejected):
            self._context.queue.add_after(self._key, LOOK_AGAIN.total_seconds())
            refused = None
        for trouble in filter(None, (refused, *self._troubles, *others, self._notes.memory.postponed)):
            raise trouble
