"""The slots of the schedules of tasks, and their runs: each slot gets one, whoever tells of it, or though nobody does.

A tick says that the operator is to launch; a dead letter, that Scheduler will not; a look at the schedules, that nobody
said anything. All three come to the same: the run of the slot is made, whose name is its lock, and only then is the
message answered. What becomes of the run is decided with the task's other runs. Refuses to know ECS.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.parsing import parse_task, read_metadata, read_task_status
from backgroundtask.api.task import TaskSpec
from backgroundtask.api.task_status import TaskStatus
from backgroundtask.controller import metrics
from backgroundtask.controller.context import Context, log
from backgroundtask.controller.keys import GivenUp, Gone, Hint, TaskKey, Tick
from backgroundtask.controller.ledger import Ledger
from backgroundtask.controller.workqueue import Priority
from backgroundtask.errors import Expected, Rejected
from backgroundtask.kube.resource import TASKS
from backgroundtask.plan.moments import moment
from backgroundtask.plan.names import run_name
from backgroundtask.plan.runs import run_for_slot
from backgroundtask.plan.scene import Policy
from backgroundtask.plan.slots import Slot, account, account_of, firings, firings_after, overdue, refusal, with_cursor
from backgroundtask.plan.status import Configured, Settled, Subject, Unchanged


@dataclass(slots=True)
class _Memory:
    """What was heard of a task's runs and is not settled yet. A process that forgets it waits for longer."""

    given_up: set[str] = field(default_factory=set)  # names of runs
    gone: dict[str, datetime] = field(default_factory=dict)  # ARNs of ECS tasks, and when last MISSING


@dataclass(frozen=True, slots=True)
class _Pass:
    """What a pass over one task knows."""

    key: TaskKey
    task: Subject
    ledger: Ledger
    memory: _Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was told of a task's runs, for whoever decides about them; `trouble` is why something is told again."""

    given_up: frozenset[str]  # names of runs that their schedule no longer tries to launch
    gone: Mapping[str, datetime]  # ARNs of tasks that ECS calls MISSING, and when it last did
    trouble: Expected | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounted:
    """What the status may say: with the slots of the old schedules not all accounted for, nothing of the new ones."""

    configured: Configured
    until: datetime | None
    is_behind: bool = False
    begins: bool = False  # the account of the schedules begins at `until`
    trouble: Expected | None = None

    def noted(self, before: TaskStatus, after: TaskStatus) -> TaskStatus:
        """The status `after`, with the cursor."""
        return with_cursor(before, after, self.until, is_behind=self.is_behind, begins=self.begins)


class Slots:
    """Those of all tasks. One key is worked on by one thread at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._memory: dict[TaskKey, _Memory] = {}

    def hear(self, key: TaskKey, task: Subject, ledger: Ledger) -> Heard:
        """Heed what was told about slots, and answer it once it is stored."""
        memory = self._memory.setdefault(key, _Memory())
        self._forget_settled(key, memory)
        waiting: list[Hint] = []
        trouble: Expected | None = None
        for hint in self._context.inbox.take_hints(key):
            if trouble is None:
                trouble = self._answered(hint, _Pass(key, task, ledger, memory))
            if trouble is not None:
                waiting.append(hint)
        self._context.inbox.put_back(key, waiting)
        return Heard(given_up=frozenset(memory.given_up), gone=dict(memory.gone), trouble=trouble)

    def account(
        self, key: TaskKey, task: Subject, configured: Configured, ledger: Ledger, *, began: datetime
    ) -> Accounted:
        """Make the runs of slots that passed without one. `began` is when the pass did, before it changed anything."""
        since, fires = moment(task.status.slots_accounted_until), firings(task.status)
        after = firings_after(task.status, configured)
        if task.spec is None or not (fires or after):
            return Accounted(configured=configured, until=None)
        closes = fires != after
        changed = _changed(configured, began) if closes else began
        if since is None or not fires:  # what fired before anybody kept account has its runs up to the last one
            last = moment(task.status.last_schedule_time) if fires else None
            return Accounted(configured=configured, until=last or changed.replace(microsecond=0), begins=last is None)
        found = account(
            fires,
            since=since,
            now=max(changed, since),
            has_run=partial(has_runs, self._context, task.metadata, task.spec),
            deadline=ledger.terms.policy.starting_deadline,
            closes=closes,
        )
        try:
            for slot in found.due:
                self._open(task, slot, ledger, told_by="watchdog")
        except Expected as error:
            return Accounted(configured=Unchanged() if closes else configured, until=None, trouble=error)
        if found.is_behind:
            self._context.queue.add(key, Priority.RESYNC)
        if found.look_at is not None:
            self._context.queue.add_after(key, max((found.look_at - self._context.now()).total_seconds(), 0.0))
        is_held = closes and found.is_behind
        return Accounted(
            configured=Unchanged() if is_held else configured,
            until=found.until,
            is_behind=found.is_behind,
            begins=closes and not found.is_behind,
        )

    def dismiss(self, key: TaskKey) -> None:
        """The task is gone, or going: nothing is launched for it any more, and what was told is answered."""
        for hint in self._context.inbox.take_hints(key):
            metrics.MESSAGES.labels("dropped").inc()
            hint.stored()
        self._memory.pop(key, None)

    def _answered(self, hint: Hint, one: _Pass) -> Expected | None:
        """Heed one word, and answer it; what keeps it from being heeded."""
        try:
            self._heed(hint, one)
        except Expected as error:
            return error
        except Exception:  # noqa: BLE001 - a bug: told with its traceback, and no reason to keep other words waiting
            told = {"task": str(one.key)}
            log.exception("A %s of %s is left to the poison queue", type(hint).__name__, one.key, extra=told)
            metrics.MESSAGES.labels("failed").inc()
            hint.dropped()
            return None
        hint.stored()
        return None

    def _heed(self, hint: Hint, one: _Pass) -> None:
        if isinstance(hint, Gone):
            one.memory.gone[hint.arn] = self._context.now()
            return
        task, slot = one.task, Slot(hint.slot, isinstance(hint, Tick))
        is_known = hint.uid == task.metadata.uid and has_runs(self._context, task.metadata, task.spec, hint.slot)
        why = None if is_known else self._refusal(hint, task)
        if why is not None:
            metrics.MESSAGES.labels("dropped").inc()
            log.info("A word about a slot of %s makes no run: %s", one.key, why, extra={"task": str(one.key)})
            return
        if not is_known:
            self._open(task, slot, one.ledger, told_by="tick" if slot.is_queued else "deadletter")
        if is_known or not slot.is_queued:  # whoever waits for the schedule waits in vain
            one.memory.given_up.add(run_name(task.metadata.name, slot.time))
        metrics.MESSAGES.labels("stored").inc()

    def _refusal(self, hint: Tick | GivenUp, task: Subject) -> str | None:
        if task.spec is None:
            return "the spec cannot be read; its slots are looked for once it can"
        return refusal(
            hint.slot,
            hint.uid,
            task_uid=task.metadata.uid,
            accounted=account_of(task.status),
            now=self._context.now(),
        )

    def _open(self, task: Subject, slot: Slot, ledger: Ledger, *, told_by: str) -> None:
        """Make the runs of a slot that are not there: one, or one an item.

        Raises:
            Expected: the API server refuses, or does not answer.
        """
        for name, (item, index) in _asked_for(task, slot):
            if _is_there(self._context, task.metadata, name):
                continue
            body = run_for_slot(task.metadata, slot.time, queue=slot.is_queued, item=item, index=index)
            ledger.create(body, told_by=told_by)

    def _forget_settled(self, key: TaskKey, memory: _Memory) -> None:
        """Of runs that are gone or ended nothing has to be remembered."""
        if not memory.given_up and not memory.gone:
            return
        runs = self._context.cache.runs_of(key.namespace, key.name)
        open_ = [run for run in runs if (run.get("status") or {}).get("completionTime") is None]
        memory.given_up &= {run["metadata"]["name"] for run in open_}
        arns = {(run.get("status") or {}).get("taskArn") for run in open_}
        memory.gone = {arn: since for arn, since in memory.gone.items() if arn in arns}


def audit(context: Context) -> None:
    """Count the slots of all tasks that nobody accounts for."""
    metrics.SLOTS_UNACCOUNTED.set(sum(_unaccounted(context)))


def has_runs(context: Context, task: ObjectMeta, spec: TaskSpec | None, slot: datetime) -> bool:
    """Whether a slot has its run, or one for each item; what the spec asked for may have changed since."""
    name, count = run_name(task.name, slot), len(spec.for_each) if spec else 0
    if _is_there(context, task, name):
        return True
    return all(_is_there(context, task, f"{name}-{index}") for index in range(max(count, 1)))


def _is_there(context: Context, task: ObjectMeta, name: str) -> bool:
    """Whether a run bears the name: also where it is somebody else's, for then the slot can have none."""
    return context.cache.run(task.namespace, name) is not None


def _unaccounted(context: Context) -> Iterator[int]:
    now = context.now()
    for namespace, name in context.cache.keys(TASKS):
        raw = context.cache.task(namespace, name)
        if raw is None or raw["metadata"].get("deletionTimestamp"):
            continue
        metadata, spec = read_metadata(raw), None
        with suppress(Rejected):  # its reconciler says so; what fires goes on
            spec = parse_task(raw).spec
        has_run = partial(has_runs, context, metadata, spec)
        deadline = Policy.of(spec).starting_deadline if spec else None
        yield overdue(read_task_status(raw), now=now, has_run=has_run, deadline=deadline)


def _asked_for(task: Subject, slot: Slot) -> list[tuple[str, tuple[str | None, int | None]]]:
    """The names of the runs that a slot asks for, each with its item and the item's place: only a tick has items."""
    name, items = run_name(task.metadata.name, slot.time), task.spec.for_each if task.spec else ()
    if not slot.is_queued or not items:
        return [(name, (None, None))]
    return [(f"{name}-{index}", (item, index)) for index, item in enumerate(items)]


def _changed(configured: Configured, began: datetime) -> datetime:
    """Since when other schedules fire: before this pass, where an earlier one did not live to tell of it."""
    earlier = configured.changed_at if isinstance(configured, Settled) else None
    return min(earlier or began, began)
