"""What a task says of itself: the AWS side as the last reconcile left it, and when it runs next.

Config health (Ready) and the health of the last run (LastRunSucceeded) are apart, so that a failed run blocks no
roll-out; what the runs say is `history`'s business. The status holds still while the world does: computing it again
gives the same value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from pydantic import TypeAdapter

from backgroundtask.api.conditions import (
    READY,
    SCHEDULED,
    Condition,
    Verdict,
    find,
    ready,
    reconciling,
    settle,
    stalled,
)
from backgroundtask.api.fields import Word
from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.names import RECONCILE_REQUESTED_AT, RUN_REQUESTED_AT
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.api.task import TaskSpec
from backgroundtask.api.task_status import ScheduleStatus, TaskStatus
from backgroundtask.cron import next_times, parse
from backgroundtask.errors import Expected, Paced, Rejected
from backgroundtask.plan.changes import Desired
from backgroundtask.plan.history import last_run, last_run_verdict, run_fields
from backgroundtask.plan.moments import stamp

_SUSPENDED = Verdict(SCHEDULED, "False", "Suspended", "spec.suspend is true: no run starts by itself.")
_COMPLETED = Verdict(SCHEDULED, "False", "Completed", "The only slot of its at(...) is over: no run starts by itself.")
_WORD: TypeAdapter[str] = TypeAdapter(Word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """AWS is as the spec asks."""

    desired: Desired
    definition_arn: str
    schedule_arns: tuple[str, ...]  # one for each of desired.schedules
    changed_at: datetime | None = None  # of the last change of the schedules, where it was made before, and is known


@dataclass(frozen=True, slots=True)
class Refused:
    """It is not, and why. What was there before goes on, unless its schedules were switched off."""

    error: Expected
    switched_off: bool = False


@dataclass(frozen=True, slots=True)
class Paused:
    """The annotation says to leave it alone."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing about the AWS side was looked at."""


Configured = Settled | Refused | Paused | Unchanged


def next_schedule_time(status: TaskStatus, now: datetime) -> datetime | None:
    """The next slot after `now` of the schedules that AWS holds, as `status` tells of them.

    None where none is known: nothing is scheduled or it is suspended, a rate, nothing left. A spec that is refused
    changes nothing here, since the schedules that were there go on.
    """
    scheduled = find(status.conditions, SCHEDULED)
    if scheduled is None or scheduled.status != "True":
        return None
    return min(filter(None, (_next_slot(one, now) for one in status.schedules)), default=None)


def _next_slot(schedule: ScheduleStatus, now: datetime) -> datetime | None:
    try:
        return next(next_times(parse(schedule.expression), time_zone=schedule.time_zone, after=now), None)
    except Rejected:  # somebody edited the status: the next full look writes it anew
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A task under reconcile. `spec` is None where it cannot be read: there is still a status to keep, and runs."""

    metadata: ObjectMeta
    spec: TaskSpec | None
    status: TaskStatus

    @property
    def is_ready(self) -> bool:
        """The status says that AWS is as this generation of the spec asks."""
        condition = self._current(READY)
        return condition is not None and condition.status == "True"

    @property
    def reconcile_request(self) -> str | None:
        """What asks for a reconcile (the annotation), in the form in which the status remembers it."""
        return _word(self.metadata.annotations.get(RECONCILE_REQUESTED_AT))

    @property
    def run_request(self) -> str | None:
        """What asks for a run (the annotation), in the form in which the status remembers it."""
        return _word(self.metadata.annotations.get(RUN_REQUESTED_AT))

    @property
    def is_asked_for(self) -> bool:
        """Somebody asks for a reconcile that was not made yet."""
        request = self.reconcile_request
        return request is not None and request != self.status.last_handled_reconcile_at

    def _current(self, condition: str) -> Condition | None:
        if self.status.observed_generation != self.metadata.generation:
            return None
        return find(self.status.conditions, condition)


def task_status(
    task: Subject, configured: Configured, runs: Sequence[BackgroundTaskRun], *, now: datetime
) -> TaskStatus:
    """The status of a task after a reconcile. `runs` are all that there are of it."""
    last = last_run(task.status, runs)
    verdicts = (*_config_verdicts(task.spec, configured), last_run_verdict(last))
    after = task.status.model_copy(
        update={
            **_config_fields(task, configured),
            **run_fields(task.status, runs),
            "last_run": last,
            "conditions": settle(task.status.conditions, verdicts, generation=task.metadata.generation, now=stamp(now)),
        }
    )
    due = next_schedule_time(after, now)
    return after.model_copy(update={"next_schedule_time": stamp(due) if due else None})


def _config_fields(task: Subject, configured: Configured) -> dict[str, object]:
    match configured:
        case Unchanged():
            return {}
        case Paused():
            return {"observed_generation": task.metadata.generation}
        case Refused():
            return _handled(task)
        case Settled(desired=desired):
            return _handled(task) | {
                "task_definition_arn": configured.definition_arn,
                "spec_hash": desired.digest,
                "schedules": _schedules(configured),
            }
        case _:
            assert_never(configured)


def _handled(task: Subject) -> dict[str, object]:
    return {
        "observed_generation": task.metadata.generation,
        "last_handled_reconcile_at": task.reconcile_request,
    }


def _schedules(settled: Settled) -> tuple[ScheduleStatus, ...]:
    return tuple(
        ScheduleStatus(
            name=one.name,
            arn=arn,
            expression=one.expression,
            time_zone=one.time_zone,
            launch=one.launch,
            launch_reason=settled.desired.launch_reason,
        )
        for one, arn in zip(settled.desired.schedules, settled.schedule_arns, strict=True)
    )


def _config_verdicts(spec: TaskSpec | None, configured: Configured) -> tuple[Verdict, ...]:
    match configured:
        case Settled():
            return (*ready("Reconciled", _settled_message(configured)), _scheduled(spec, configured.desired))
        case Refused(error, switched_off):
            return (*_refusal(error), *([_switched_off(spec, error)] if switched_off else []))
        case Paused():
            return reconciling("Paused", "The annotation bgtask.dev/paused keeps the operator away from this task.")
        case Unchanged():
            return ()
        case _:
            assert_never(configured)


def _refusal(error: Expected) -> tuple[Verdict, ...]:
    if isinstance(error, Rejected):
        return stalled(error.reason, error.message)
    return reconciling(error.reason, error.message, was_ready="Unknown" if isinstance(error, Paced) else "False")


def _switched_off(spec: TaskSpec | None, error: Expected) -> Verdict:
    if spec is not None and spec.suspend:
        return _SUSPENDED
    return Verdict(SCHEDULED, "False", error.reason, error.message)


_TELLS = ("tells the operator to start it", "tell the operator to start it")


def _settled_message(settled: Settled) -> str:
    definition = f"Task definition {settled.definition_arn.rpartition('/')[2]} is registered"
    schedules = settled.desired.schedules
    if not schedules:
        return f"{definition}."
    kind = "schedule" if schedules[0].clock == "Scheduler" else "EventBridge rule"
    fires = ("starts it", "start it") if schedules[0].launch == "Direct" else _TELLS
    one, many = fires if all(one.enabled for one in schedules) else ("is switched off", "are switched off")
    kinds, state = (kind, one) if len(schedules) == 1 else (f"{kind}s", many)
    return f"{definition}, {kinds} {' and '.join(each.name for each in schedules)} {state}."


def _scheduled(spec: TaskSpec | None, desired: Desired) -> Verdict:
    if not desired.schedules:
        return Verdict(SCHEDULED, "False", "NoSchedule", "The spec has no cron: the task runs on demand only.")
    if not all(one.enabled for one in desired.schedules):
        return _SUSPENDED if spec is not None and spec.suspend else _COMPLETED
    return Verdict(SCHEDULED, "True", "Scheduled", "Runs start by themselves.")


def _word(text: str | None) -> str | None:
    """A text of a user in the form that the status takes: on one line, and cut where it is too long."""
    return None if text is None else _WORD.validate_python(text)


def condition_changes(before: Sequence[Condition], after: Sequence[Condition]) -> tuple[Condition, ...]:
    """The conditions whose status or reason is another than before: what an Event is worth."""
    known = {one.type: (one.status, one.reason) for one in before}
    return tuple(one for one in after if known.get(one.type) != (one.status, one.reason))
