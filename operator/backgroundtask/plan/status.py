"""What a task says of itself: the AWS side as the last reconcile left it, its runs, and when it runs next.

Config health (Ready) and the health of the last run (LastRunSucceeded) are apart, so that a failed run blocks no
roll-out. The status holds still while the world does: computing it again gives the same value.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from backgroundtask.api.conditions import (
    LAST_RUN_SUCCEEDED,
    READY,
    SCHEDULED,
    STALLED,
    Condition,
    Verdict,
    find,
    ready,
    reconciling,
    settle,
    stalled,
)
from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.names import RECONCILE_REQUESTED_AT, RUN_REQUESTED_AT
from backgroundtask.api.phases import COMPLETE_ENDS, ENDS
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.api.task import TaskSpec
from backgroundtask.api.task_status import ActiveRun, LastRun, ScheduleStatus, TaskStatus
from backgroundtask.cron import next_times, parse
from backgroundtask.errors import Expected, Rejected
from backgroundtask.plan.changes import Desired
from backgroundtask.plan.moments import stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """AWS is as the spec asks."""

    desired: Desired
    definition_arn: str
    schedule_arns: tuple[str, ...]  # one for each of desired.schedules


@dataclass(frozen=True, slots=True)
class Refused:
    """It is not, and why. What was there before goes on."""

    error: Expected


@dataclass(frozen=True, slots=True)
class Paused:
    """The annotation says to leave it alone."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing about the AWS side was looked at."""


Configured = Settled | Refused | Paused | Unchanged


def next_schedule_time(spec: TaskSpec, now: datetime) -> datetime | None:
    """The next slot after `now`; None where there is none to know: suspended, no cron, a rate, a bad expression."""
    if spec.suspend or not spec.cron:
        return None
    try:
        return next(iter(next_times(parse(spec.cron), time_zone=spec.time_zone, after=now)), None)
    except Rejected:
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

    def is_stalled(self, reason: str) -> bool:
        """The status already refuses this generation of the spec for that reason."""
        condition = self._current(STALLED)
        return condition is not None and condition.reason == reason

    def _current(self, condition: str) -> Condition | None:
        if self.status.observed_generation != self.metadata.generation:
            return None
        return find(self.status.conditions, condition)


def task_status(
    task: Subject, configured: Configured, runs: Sequence[BackgroundTaskRun], *, now: datetime
) -> TaskStatus:
    """The status of a task after a reconcile. `runs` are all that there are of it."""
    update = {
        **_config_fields(task, configured),
        **_run_fields(task.status, runs),
        "next_schedule_time": _stamped(next_schedule_time(task.spec, now) if task.spec else None),
        "last_handled_run_at": task.metadata.annotations.get(RUN_REQUESTED_AT),
    }
    verdicts = (*_config_verdicts(task.spec, configured), _last_run_verdict(task.status, runs))
    conditions = settle(task.status.conditions, verdicts, generation=task.metadata.generation, now=stamp(now))
    return task.status.model_copy(update={**update, "conditions": conditions})


def _config_fields(task: Subject, configured: Configured) -> dict[str, object]:
    if isinstance(configured, Unchanged):
        return {}
    handled: dict[str, object] = {"observed_generation": task.metadata.generation}
    if not isinstance(configured, Settled):
        return handled
    desired = configured.desired
    return handled | {
        "task_definition_arn": configured.definition_arn,
        "spec_hash": desired.digest,
        "schedules": tuple(
            ScheduleStatus(name=one.name, arn=arn, expression=one.expression, time_zone=one.time_zone, launch="Direct")
            for one, arn in zip(desired.schedules, configured.schedule_arns, strict=True)
        ),
        "last_handled_reconcile_at": task.metadata.annotations.get(RECONCILE_REQUESTED_AT),
    }


def _config_verdicts(spec: TaskSpec | None, configured: Configured) -> tuple[Verdict, ...]:
    match configured:
        case Settled():
            return (*ready("Reconciled", _settled_message(configured)), _scheduled(spec))
        case Refused(Rejected() as error):
            return stalled(error.reason, error.message)
        case Refused(error):
            return reconciling(error.reason, error.message, was_ready="False")
        case Paused():
            return reconciling("Paused", "The annotation bgtask.dev/paused keeps the operator away from this task.")
        case Unchanged():
            return ()


def _settled_message(settled: Settled) -> str:
    definition = settled.definition_arn.rpartition("/")[2]
    names = ", ".join(one.name for one in settled.desired.schedules)
    return f"Task definition {definition} is registered" + (f", schedule {names} starts it." if names else ".")


def _scheduled(spec: TaskSpec | None) -> Verdict:
    if spec is None or not spec.cron:
        return Verdict(SCHEDULED, "False", "NoSchedule", "The spec has no cron: the task runs only on demand.")
    if spec.suspend:
        return Verdict(SCHEDULED, "False", "Suspended", "spec.suspend is true: no run starts by itself.")
    return Verdict(SCHEDULED, "True", "Scheduled", "Runs start by themselves.")


def _run_fields(before: TaskStatus, runs: Sequence[BackgroundTaskRun]) -> dict[str, object]:
    active = sorted((run for run in runs if run.status.phase not in ENDS), key=lambda run: run.metadata.name)
    ended = [run for run in runs if run.status.phase in ENDS]
    good = [run for run in ended if run.status.phase == "Succeeded"]
    bad = [run for run in ended if run.status.phase not in COMPLETE_ENDS]
    return {
        "active": tuple(ActiveRun(name=run.metadata.name, task_arn=run.status.task_arn) for run in active),
        "active_runs": len(active),
        "last_schedule_time": _latest(before.last_schedule_time, (run.spec.scheduled_time for run in runs)),
        "last_successful_time": _latest(before.last_successful_time, (run.status.completion_time for run in good)),
        "last_failure_time": _latest(before.last_failure_time, (run.status.completion_time for run in bad)),
        "last_run": _last_run(before, ended),
    }


def _last_run(before: TaskStatus, ended: Iterable[BackgroundTaskRun]) -> LastRun | None:
    newest = _newest(before, ended)
    if newest is None or newest.status.phase is None:
        return before.last_run
    return LastRun(
        name=newest.metadata.name,
        task_arn=newest.status.task_arn,
        phase=newest.status.phase,
        reason=newest.status.reason,
        exit_code=newest.status.exit_code,
    )


def _newest(before: TaskStatus, ended: Iterable[BackgroundTaskRun]) -> BackgroundTaskRun | None:
    """The run that ended last, unless one that was pruned since ended later still."""
    known = max(filter(None, (before.last_successful_time, before.last_failure_time)), default="")
    newest = max(ended, key=lambda run: (run.status.completion_time or "", run.metadata.name), default=None)
    return newest if newest and (newest.status.completion_time or "") >= known else None


def _last_run_verdict(before: TaskStatus, runs: Sequence[BackgroundTaskRun]) -> Verdict:
    last = _last_run(before, [run for run in runs if run.status.phase in ENDS])
    if last is None:
        return Verdict(LAST_RUN_SUCCEEDED, "Unknown", "NoRunYet", "No run has ended yet.")
    if last.phase in COMPLETE_ENDS:
        return Verdict(LAST_RUN_SUCCEEDED, "True", last.reason or last.phase, f"Run {last.name} succeeded.")
    why = f" with exit code {last.exit_code}" if last.exit_code is not None else ""
    message = f"Run {last.name} ended as {last.phase}{why}: see its message."
    return Verdict(LAST_RUN_SUCCEEDED, "False", last.reason or last.phase, message)


def _latest(before: str | None, moments: Iterable[str | None]) -> str | None:
    return max(filter(None, (before, *moments)), default=None)


def _stamped(moment: datetime | None) -> str | None:
    return stamp(moment) if moment else None


def condition_changes(before: Sequence[Condition], after: Sequence[Condition]) -> tuple[Condition, ...]:
    """The conditions whose status or reason is another than before: what an Event is worth."""
    known = {one.type: (one.status, one.reason) for one in before}
    return tuple(one for one in after if known.get(one.type) != (one.status, one.reason))
