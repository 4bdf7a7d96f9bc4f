"""The end of what the operator ends: runs that are cancelled, replaced or too long, and tasks that nobody waits for.

The intent is stored before ECS is asked; the end of the ECS task ends the run (`merging`). Where there is no task, or
ECS has forgotten it, the run ends by itself.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from backgroundtask.api.phases import EndPhase
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.plan.attempts import (
    attempt_of,
    first_launch,
    is_denied,
    is_launched,
    is_outstanding,
    live_task,
    strays,
)
from backgroundtask.plan.identity import slot_of_run
from backgroundtask.plan.lateness import is_read_since
from backgroundtask.plan.moments import moment
from backgroundtask.plan.scene import End, Next, Scene, Search, Stop
from backgroundtask.plan.transitions import Reason, stopped

MOMENT: Final = timedelta(seconds=30)
"""Time until what takes a moment is looked at again."""
STOPPED_BY: Final = timedelta(minutes=3)
"""A task that was asked to stop has had its two minutes by then, and ECS's seconds."""
_SHOWN = timedelta(minutes=5)  # ECS shows a task by then that it has started
_MISSING = timedelta(minutes=10)  # a task that is asked for sooner may be MISSING because ECS does not show it yet


def why_to_stop(run: BackgroundTaskRun, scene: Scene) -> Reason | None:
    """Why the operator ends the run; what was stored first stays."""
    if run.status.stop is not None:
        return run.status.stop.reason
    if run.spec.cancel:
        return "Cancelled"
    deadline = deadline_of(run, scene)
    return "DeadlineExceeded" if deadline is not None and scene.now >= deadline else None


def deadline_of(run: BackgroundTaskRun, scene: Scene) -> datetime | None:
    """When activeDeadlineSeconds is over, over all attempts."""
    since = first_launch(run.status)
    return since + scene.policy.active_deadline if since and scene.policy.active_deadline else None


def stop(run: BackgroundTaskRun, reason: Reason, scene: Scene) -> Next:
    """Stop what there is of the run, and end it once there is nothing."""
    status, is_new = run.status, run.status.stop is None
    arn = live_task(status)
    if arn is not None and not is_gone(run, arn, scene):
        return Next((Stop(run=run, task_arn=arn, reason=reason, is_new=is_new),), scene.now + STOPPED_BY)
    told = stopped(reason)
    phase: EndPhase = "Failed" if told.phase == "Failed" else "Cancelled"
    end = End(run=run, phase=phase, reason=told.reason, message=told.message)
    if reason == "Replaced" and not is_launched(run) and slot_of_run(run) is not None:
        return Next((replace(end, phase="Skipped"),))
    if is_denied(status):
        return Next((Search(run=run, otherwise=end),))
    if arn is not None or not is_outstanding(status):
        return Next((end,))
    if is_new:
        return Next((Stop(run=run, task_arn=None, reason=reason, is_new=True),))
    return give_up(run, end, scene.now)


def give_up(run: BackgroundTaskRun, end: End, now: datetime) -> Next:
    """End a run whose launch has no answer: not before ECS would show what it started."""
    shown = asked_at(run, now) + _SHOWN
    if now >= shown:
        return Next((Search(run=run, otherwise=end),), now + MOMENT)
    return Next((Search(run=run, otherwise=None),), min(shown, now + MOMENT))


def asked_at(run: BackgroundTaskRun, now: datetime) -> datetime:
    """When ECS was first asked for the launch that has no answer."""
    launch = run.status.launch
    return (moment(launch.time) if launch else None) or now


def is_gone(run: BackgroundTaskRun, arn: str, scene: Scene) -> bool:
    """Whether a task that counts is one that ECS has forgotten, with nothing left to be read of it."""
    return is_missing(run, arn, scene.gone) and is_read_since(scene, scene.gone[arn])


def is_missing(run: BackgroundTaskRun, arn: str, gone: Mapping[str, datetime]) -> bool:
    """Whether ECS has forgotten a task of the run: `gone` tells when it was last said to be MISSING."""
    attempt = attempt_of(run.status, arn)
    launched = moment(attempt.launch_time) if attempt else None
    return arn in gone and (launched is None or gone[arn] >= launched + _MISSING)


def of_strays(run: BackgroundTaskRun) -> Next:
    """Stop the tasks that nobody waits for: second ones, and what turns up of a run that has ended."""
    return Next(tuple(Stop(run=run, task_arn=arn, reason="Duplicate", is_new=False) for arn in strays(run)))
