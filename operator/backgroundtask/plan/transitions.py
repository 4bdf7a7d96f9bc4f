"""The steps of a run's status: each function gives the status after one thing has happened, and nothing else does.

A phase never goes back and an end is final. What changes nothing gives the very same status, so that a step that is
made twice is written once.
"""

from datetime import datetime
from typing import Final, Literal

from pydantic import TypeAdapter

from backgroundtask.api.conditions import COMPLETE, FAILED, Condition, Verdict, ready, reconciling, settle, stalled
from backgroundtask.api.fields import Text
from backgroundtask.api.phases import COMPLETE_ENDS, ENDS, EndPhase, Phase
from backgroundtask.api.run import Attempt, BackgroundTaskRun, LaunchRecord, RunStatus, StopRequest
from backgroundtask.plan.attempts import attempt_of, beside, live_task, with_counting
from backgroundtask.plan.backoff import launch_delay
from backgroundtask.plan.moments import stamp
from backgroundtask.plan.outcome import Outcome

Reason = Literal["Cancelled", "Replaced", "DeadlineExceeded"]
"""Why the operator stops a run."""

_STOPPED: Final[dict[Reason, tuple[EndPhase, str]]] = {
    "Cancelled": ("Cancelled", "It was cancelled."),
    "Replaced": ("Cancelled", "Another run replaced it (concurrencyPolicy: Replace)."),
    "DeadlineExceeded": ("Failed", "It went on for longer than spec.activeDeadlineSeconds of the task."),
}
_TEXT: TypeAdapter[str] = TypeAdapter(Text)
_ORDER: dict[str | None, int] = {None: 0, "Pending": 1, "Launching": 2, "Running": 3}


def later(before: Phase | None, after: Phase) -> Phase:
    """The later of two phases that end nothing."""
    return after if before is None or _ORDER.get(after, 0) > _ORDER.get(before, 0) else before


def stopped(reason: Reason, said: str = "") -> Outcome:
    """The end of a run that the operator has stopped; `said` is what there is to say of its ECS task."""
    phase, message = _STOPPED[reason]
    return Outcome(phase=phase, reason=reason, message=f"{message} {said}".rstrip())


def verdicts(seen: Outcome) -> tuple[Verdict, ...]:
    """What a run says about itself: Job's two words for `kubectl wait`, kstatus' three for Flux, Helm and Argo CD."""
    if seen.phase not in ENDS:
        return reconciling(seen.reason, seen.message)
    if seen.phase in COMPLETE_ENDS:
        return (*ready(seen.reason, seen.message), Verdict(COMPLETE, "True", seen.phase, seen.message))
    return (*stalled(seen.reason, seen.message), Verdict(FAILED, "True", seen.phase, seen.message))


def conditions(run: BackgroundTaskRun, seen: Outcome, now: datetime) -> tuple[Condition, ...]:
    """The conditions with what was seen; an end that was only supposed (Missed, Lost) is taken back."""
    said = verdicts(seen)
    stale = {COMPLETE, FAILED} - {verdict.type for verdict in said}
    kept = [one for one in run.status.conditions if one.type not in stale]
    return settle(kept, said, generation=run.metadata.generation, now=stamp(now))


def held(run: BackgroundTaskRun, reason: str, message: str, now: datetime) -> RunStatus:
    """It waits, in phase Pending before its first launch, and says for what."""
    phase = later(run.status.phase, "Pending")
    return _said(run, Outcome(phase=phase, reason=reason, message=message), now)


def frozen(run: BackgroundTaskRun, record: LaunchRecord, now: datetime) -> RunStatus:
    """A launch is about to be made, exactly so."""
    phase = later(run.status.phase, "Launching")
    seen = Outcome(phase=phase, reason="Launching", message="ECS is asked to start its task.")
    return _said(run, seen, now, launch=record, retry_time=None)


def started(run: BackgroundTaskRun, task_arn: str, now: datetime) -> RunStatus:
    """ECS has said that the frozen launch started this task.

    What it is doing is merged in later, from an event or a look. Where another task counts already, this is a second
    one, to be stopped.
    """
    status = run.status
    launch = status.launch.model_copy(update={"task_arn": task_arn, "refused": None}) if status.launch else None
    if attempt_of(status, task_arn) is not None:
        return status.model_copy(update={"launch": launch})
    attempt = Attempt(task_arn=task_arn, launch_time=stamp(now))
    if live_task(status) is not None:
        second = attempt.model_copy(update={"duplicate": True})
        return status.model_copy(update={"launch": launch, "attempts": beside(status.attempts, second)})
    counting = {"task_arn": task_arn, "task_version": None, "attempts": with_counting(status.attempts, attempt)}
    return status.model_copy(update={"launch": launch, **counting})


def refused(run: BackgroundTaskRun, reason: str, message: str, now: datetime) -> RunStatus:
    """ECS has said that the frozen launch started nothing: there is another one, with a new token, after a while."""
    failures = (run.status.launch_failures or 0) + 1
    launch = run.status.launch.model_copy(update={"refused": True}) if run.status.launch else None
    seen = Outcome(phase=later(run.status.phase, "Launching"), reason=reason, message=message)
    retry_time = stamp(now + launch_delay(failures))
    return _said(run, seen, now, launch=launch, launch_failures=failures, retry_time=retry_time)


def stopping(run: BackgroundTaskRun, reason: Reason, now: datetime) -> RunStatus:
    """The operator is about to stop it, and why; the first reason stays."""
    if run.status.stop is not None:
        return run.status
    return run.status.model_copy(update={"stop": StopRequest(reason=reason, time=stamp(now))})


def ended(run: BackgroundTaskRun, phase: EndPhase, reason: str, message: str, now: datetime) -> RunStatus:
    """It has ended without an ECS task's doing."""
    if run.status.phase in ENDS:
        return run.status
    seen = Outcome(phase=phase, reason=reason, message=message)
    return _said(run, seen, now, completion_time=stamp(now), retry_time=None)


def answered(run: BackgroundTaskRun) -> RunStatus:
    """What can still be asked of a run that has ended changes nothing, and that is an answer, too.

    kubectl wait takes no condition for one that was observed before the last change of the spec.
    """
    generation, status = run.metadata.generation, run.status
    if status.phase not in ENDS or status.observed_generation == generation:
        return status
    told = tuple(one.model_copy(update={"observed_generation": generation}) for one in status.conditions)
    return status.model_copy(update={"observed_generation": generation, "conditions": told})


def forgotten(run: BackgroundTaskRun, task_arn: str, now: datetime) -> RunStatus:
    """ECS no longer knows a task that does not count (`attempts.strays`): there is nothing left to stop."""
    attempts = tuple(
        one.model_copy(update={"completion_time": stamp(now), "reason": "TaskForgotten"})
        if one.task_arn == task_arn and not one.completion_time
        else one
        for one in run.status.attempts
    )
    return run.status if attempts == run.status.attempts else run.status.model_copy(update={"attempts": attempts})


def _said(run: BackgroundTaskRun, seen: Outcome, now: datetime, **changes: object) -> RunStatus:
    after = run.status.model_copy(
        update={
            **changes,
            "observed_generation": run.metadata.generation,
            "phase": seen.phase,
            "reason": seen.reason,
            "message": _TEXT.validate_python(seen.message),  # on one line, and cut, as the conditions have it
            "conditions": conditions(run, seen, now),
        }
    )
    return run.status if after == run.status else after
