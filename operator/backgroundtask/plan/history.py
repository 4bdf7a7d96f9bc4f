"""What the runs of a task say of it: which are active, when it last ran, and how that went.

Runs are pruned, so the status remembers what they said: no time goes back, and the last run stays the last. A run whose
end was only supposed (Missed, Lost) may turn out otherwise while it is there: then it was no failure. Knows no AWS and
no clock.
"""

import re
from collections.abc import Iterable, Sequence

from backgroundtask.api.conditions import LAST_RUN_SUCCEEDED, Verdict
from backgroundtask.api.phases import COMPLETE_ENDS, ENDS
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.api.task_status import ACTIVE_SHOWN, ActiveRun, LastRun, TaskStatus
from backgroundtask.plan.attempts import UNSEEN, is_launched
from backgroundtask.plan.identity import slot_of_run

_LAUNCHED = frozenset({"Launching", "Running"})
_REASON = re.compile("[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")  # metav1.Condition: reason


def is_refused(run: BackgroundTaskRun) -> bool:
    """Whether somebody asked for something that is not to be had: it was refused before ECS was asked for anything.

    That says nothing about the task. A slot whose launch is refused does: it should have run.
    """
    return run.status.phase == "Failed" and slot_of_run(run) is None and not is_launched(run)


def is_failure(run: BackgroundTaskRun) -> bool:
    """Whether a run went badly, or did not come to it; one that was cancelled or replaced was somebody's wish."""
    return run.status.phase in ENDS - COMPLETE_ENDS - {"Cancelled"} and not is_refused(run)


def run_fields(before: TaskStatus, runs: Sequence[BackgroundTaskRun]) -> dict[str, object]:
    """The members of a TaskStatus about its runs, but for `last_run`. `runs` are all that are known.

    Active is what was launched, and what has leave to be: a run that waits is named in `before` already where it has.
    One that is named there and not known keeps its leave: whoever proves that it is gone takes it away.
    """
    active = _active(before, runs)
    good = [run for run in runs if run.status.phase == "Succeeded"]
    bad = [run for run in runs if is_failure(run)]
    return {
        "active": active[:ACTIVE_SHOWN],
        "active_runs": len(active),
        "last_schedule_time": _latest(before.last_schedule_time, (run.spec.scheduled_time for run in runs)),
        "last_successful_time": _latest(before.last_successful_time, (run.status.completion_time for run in good)),
        "last_failure_time": _latest(_failure_before(before, runs), (run.status.completion_time for run in bad)),
    }


def _failure_before(before: TaskStatus, runs: Iterable[BackgroundTaskRun]) -> str | None:
    """When a run last failed, as it was told; None where that was only supposed, and has turned out otherwise.

    The success that it turned out to be came before: it would never be newer than the failure that nobody had.
    """
    last = before.last_run
    if last is None or last.phase not in UNSEEN or last.completion_time != before.last_failure_time:
        return before.last_failure_time
    is_taken_back = any(run.metadata.name == last.name and run.status.phase not in UNSEEN for run in runs)
    return None if is_taken_back else before.last_failure_time


def _active(before: TaskStatus, runs: Sequence[BackgroundTaskRun]) -> tuple[ActiveRun, ...]:
    known, leave = {run.metadata.name for run in runs}, {one.name for one in before.active}
    unended = (run for run in runs if run.status.phase not in ENDS)
    active = (run for run in unended if run.status.phase in _LAUNCHED or run.metadata.name in leave)
    told = [ActiveRun(name=run.metadata.name, task_arn=run.status.task_arn) for run in active]
    unseen = (one for one in before.active if one.name not in known)
    return tuple(sorted((*told, *unseen), key=lambda one: one.name))


def last_run(before: TaskStatus, runs: Iterable[BackgroundTaskRun]) -> LastRun | None:
    """The run that ended last, which may have been pruned since; what was skipped or refused is none."""
    ran = (run for run in runs if run.status.phase in ENDS - {"Skipped"} and not is_refused(run))
    ended = {run.metadata.name: run for run in ran}
    newest = max(ended.values(), key=_end, default=None)
    if newest is None or newest.status.phase is None:
        return before.last_run
    if before.last_run and before.last_run.name not in ended and _end(newest) < _end_of_last(before, before.last_run):
        return before.last_run
    return LastRun(
        name=newest.metadata.name,
        task_arn=newest.status.task_arn,
        phase=newest.status.phase,
        reason=newest.status.reason,
        exit_code=newest.status.exit_code,
        completion_time=newest.status.completion_time,
    )


def _end(run: BackgroundTaskRun) -> tuple[str, str]:
    return run.status.completion_time or "", run.metadata.name


def _end_of_last(before: TaskStatus, last: LastRun) -> tuple[str, str]:
    known = (
        last.completion_time,
        before.last_successful_time,
        before.last_failure_time,
    )  # of older versions the others
    return max(filter(None, known), default=""), last.name


def last_run_verdict(last: LastRun | None) -> Verdict:
    """Whether the last run went well: apart from Ready, so that a failed run blocks no roll-out."""
    if last is None:
        return Verdict(LAST_RUN_SUCCEEDED, "Unknown", "NoRunYet", "No run has ended yet.")
    reason = last.reason if last.reason and _REASON.fullmatch(last.reason) else last.phase
    if last.phase in COMPLETE_ENDS:
        return Verdict(LAST_RUN_SUCCEEDED, "True", reason, f"Run {last.name} succeeded.")
    why = f" with exit code {last.exit_code}" if last.exit_code is not None else ""
    return Verdict(LAST_RUN_SUCCEEDED, "False", reason, f"Run {last.name} ended as {last.phase}{why}: see its message.")


def _latest(before: str | None, moments: Iterable[str | None]) -> str | None:
    return max(filter(None, (before, *moments)), default=None)
