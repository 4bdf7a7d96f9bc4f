"""What is to be done next for the runs of one task. Pure: it sees a `Scene` and says `Decisions`.

Each run is asked the same questions in the same order: is it to end, does its ECS task go on, is a launch without an
answer, is there to be another attempt, may it have its first launch? limits.concurrentRuns is not known here: whoever
carries out a `Launch` asks for room first.
"""

from collections.abc import Sequence
from datetime import datetime

from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.plan.attempts import is_launched, is_outstanding, live_task
from backgroundtask.plan.identity import has_ended
from backgroundtask.plan.launching import again, first, outstanding, waits
from backgroundtask.plan.leave import InTheWay, due, obstacle
from backgroundtask.plan.scene import (
    Decisions,
    End,
    Hold,
    Launch,
    Next,
    Policy,
    Resend,
    Scene,
    Search,
    Step,
    Stop,
    StopReason,
)
from backgroundtask.plan.stops import MOMENT, deadline_of, is_gone, is_missing, of_strays, stop, why_to_stop

__all__ = [
    "Decisions",
    "End",
    "Hold",
    "Launch",
    "Policy",
    "Resend",
    "Scene",
    "Search",
    "Step",
    "Stop",
    "StopReason",
    "decide",
]


def decide(scene: Scene) -> Decisions:
    """What is to be done for the runs of a task, in the order in which it is to be done.

    At most one run is given leave where the policy is Forbid or Replace. The same scene gives the same decisions.
    """
    replaced = _replaced(scene)
    steps: list[Step] = []
    looks: list[datetime] = []
    granted: list[BackgroundTaskRun] = []
    for run in sorted(scene.runs, key=due):
        found = _next(run, scene, granted, is_replaced=run.metadata.name in replaced)
        steps.extend(found.steps)
        looks.extend([found.look_at] if found.look_at is not None else [])
        granted.extend(run for step in found.steps if _launches(step))
    return Decisions(steps=tuple(steps), look_at=min(looks, default=None))


def _launches(step: Step) -> bool:
    return isinstance(step, Launch) or (isinstance(step, Search) and isinstance(step.otherwise, Launch))


def _replaced(scene: Scene) -> frozenset[str]:
    """The names of the runs that one which waits replaces."""
    if scene.policy.concurrency != "Replace":
        return frozenset()
    waiting = [run for run in scene.runs if waits(run, scene)]
    obstacles = (obstacle(run, scene, ()) for run in waiting)
    return frozenset(one.metadata.name for found in obstacles if isinstance(found, InTheWay) for one in found.others)


def _next(run: BackgroundTaskRun, scene: Scene, granted: Sequence[BackgroundTaskRun], *, is_replaced: bool) -> Next:
    surplus = of_strays(run)
    if has_ended(run) or run.metadata.deletion_timestamp is not None:
        return surplus
    reason = why_to_stop(run, scene) or ("Replaced" if is_replaced else None)
    found = stop(run, reason, scene) if reason else _go_on(run, scene, granted)
    looks = [look for look in (surplus.look_at, found.look_at, deadline_of(run, scene)) if look and look > scene.now]
    return Next((*surplus.steps, *found.steps), min(looks, default=None))


def _go_on(run: BackgroundTaskRun, scene: Scene, granted: Sequence[BackgroundTaskRun]) -> Next:
    arn = live_task(run.status)
    if arn is not None:
        return _of_task(run, arn, scene)
    if is_outstanding(run.status):
        return outstanding(run, scene)
    return again(run, scene, granted) if is_launched(run) else first(run, scene, granted)


def _of_task(run: BackgroundTaskRun, arn: str, scene: Scene) -> Next:
    """Its ECS task goes on, unless ECS does not know it any more."""
    if not is_missing(run, arn, scene.gone):
        return Next()
    if not is_gone(run, arn, scene):
        return Next((), scene.now + MOMENT)
    message = "ECS has forgotten its task, and no event told how it ended: look at its logs."
    return Next((End(run=run, phase="Lost", reason="TaskForgotten", message=message),))
