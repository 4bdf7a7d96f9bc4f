"""The ECS tasks that a run's status knows: which one counts, which go on, which are to be stopped.

The list is bounded. Forgotten are the oldest that have ended, and never the first, from whose launch deadlines count.
"""

from collections.abc import Sequence
from datetime import datetime

from backgroundtask.api.phases import ENDS
from backgroundtask.api.run import Attempt, BackgroundTaskRun, RunStatus
from backgroundtask.plan.moments import moment, stamp
from backgroundtask.plan.outcome import Task, outcome

MOST = 16
"""Attempts that a run remembers."""
UNSEEN = frozenset({"Missed", "Lost"})
"""Ends that say that nothing was seen: evidence replaces them, and no other end."""


def attempt_of(status: RunStatus, arn: str | None) -> Attempt | None:
    """What is known of an ECS task of the run."""
    return next((one for one in status.attempts if arn is not None and one.task_arn == arn), None)


def live_task(status: RunStatus) -> str | None:
    """The ARN of the ECS task that counts, while it goes on."""
    attempt = attempt_of(status, status.task_arn)
    return None if attempt is not None and attempt.completion_time else status.task_arn


def is_outstanding(status: RunStatus) -> bool:
    """Whether ECS was, or was about to be, asked for a task, and nobody knows what it answered."""
    launch = status.launch
    return launch is not None and launch.task_arn is None and not launch.refused


def is_denied(status: RunStatus) -> bool:
    """Whether ECS has said that the launch started nothing: a task may be there all the same, so it is looked for."""
    return status.launch is not None and bool(status.launch.refused)


def is_launched(run: BackgroundTaskRun) -> bool:
    """Whether ECS was ever asked for a task of the run, by whomever."""
    status = run.status
    return bool(status.launch or status.attempts or status.task_arn) or status.phase in {"Launching", "Running"}


def first_launch(status: RunStatus) -> datetime | None:
    """When the first task of the run was launched, or is being launched; None where ECS has never taken one."""
    known = next((one.launch_time for one in status.attempts if one.launch_time), None) or status.start_time
    if known is None and is_outstanding(status) and status.launch is not None:
        return moment(status.launch.time)
    return moment(known)


def strays(run: BackgroundTaskRun) -> tuple[str, ...]:
    """ARNs of tasks that have to be stopped: second ones, and all that go on though the run has ended for good."""
    is_over = run.status.phase in ENDS - UNSEEN
    return tuple(
        one.task_arn
        for one in run.status.attempts
        if one.task_arn and not one.completion_time and (one.duplicate or is_over)
    )


def attempt_seen(task: Task, before: Attempt | None, now: datetime) -> Attempt:
    """What an ECS task says of itself, as it is recorded."""
    ended, seen = task.has_ended, outcome(task)
    began = task.started_at or (now if seen.phase == "Running" else None)
    return Attempt(
        task_arn=task.arn,
        launch_time=stamped(task.created_at) or (before.launch_time if before else None),
        start_time=(before.start_time if before else None) or stamped(began),
        completion_time=stamp(task.stopped_at or now) if ended else None,
        exit_code=task.exit_code if ended else None,
        reason=seen.reason if ended else None,
        stop_code=task.stop_code if ended else None,
        duplicate=before.duplicate if before else None,
    )


def is_younger(task: Task, than: Attempt | None) -> bool:
    """Whether a task was created after another one; of two in one second the greater ARN counts as the younger."""
    if than is None or task.created_at is None:
        return True
    return (stamp(task.created_at), task.arn) > (than.launch_time or "", than.task_arn or "")


def is_forgotten(status: RunStatus, task: Task) -> bool:
    """Whether a task that is not known may be one that was forgotten: its news comes too late to count."""
    if len(status.attempts) < MOST or task.created_at is None:
        return False
    return stamp(task.created_at) <= (status.attempts[1].launch_time or "")


def replaced(attempts: Sequence[Attempt], attempt: Attempt) -> tuple[Attempt, ...]:
    """The attempts with this one instead of what was known of the same task."""
    return tuple(attempt if one.task_arn == attempt.task_arn else one for one in attempts)


def beside(attempts: Sequence[Attempt], attempt: Attempt) -> tuple[Attempt, ...]:
    """The attempts and a new one that does not count; where there is no room, without it."""
    if len(attempts) < MOST:
        return (*attempts, attempt)
    over = _first_over(attempts)
    return tuple(attempts) if over is None or attempt.completion_time else _without(attempts, over, attempt)


def with_counting(attempts: Sequence[Attempt], attempt: Attempt) -> tuple[Attempt, ...]:
    """The attempts with the one that counts: at its place, or behind the others where it is new."""
    if any(one.task_arn == attempt.task_arn for one in attempts):
        return replaced(attempts, attempt)
    if len(attempts) < MOST:
        return (*attempts, attempt)
    return _without(attempts, _first_over(attempts) or 1, attempt)


def stamped(at: datetime | None) -> str | None:
    """A moment as text, where there is one."""
    return stamp(at) if at else None


def _first_over(attempts: Sequence[Attempt]) -> int | None:
    return next((place for place, one in enumerate(attempts) if place and one.completion_time), None)


def _without(attempts: Sequence[Attempt], place: int, new: Attempt) -> tuple[Attempt, ...]:
    return (*attempts[:place], *attempts[place + 1 :], new)
