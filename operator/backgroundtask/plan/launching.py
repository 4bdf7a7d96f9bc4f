"""The launches of one run by the operator: the first, the one without an answer, the next attempt.

Whether other runs are in the way, `leave` knows; until when a slot may be launched, `lateness`. A new token is used
only after ECS has said that the last one started nothing, or that what it started has ended.
"""

from collections.abc import Sequence
from datetime import timedelta

from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.plan.attempts import is_denied, is_launched
from backgroundtask.plan.identity import has_ended, is_awaited
from backgroundtask.plan.lateness import (
    barred,
    is_read_since,
    known_since,
    launch_until,
    patience_over,
    reading_over,
)
from backgroundtask.plan.leave import InTheWay, Taken, has_leave, is_crowded, obstacle
from backgroundtask.plan.moments import moment
from backgroundtask.plan.scene import End, Hold, Launch, Next, Resend, Scene, Search
from backgroundtask.plan.stops import MOMENT, asked_at, give_up, why_to_stop

_TOKEN_KNOWN = timedelta(minutes=50)
"""Time after a launch within which the same token starts nothing twice: ECS knows it for an hour after the end of the
task (Amazon ECS API, "Ensuring idempotency")."""


def waits(run: BackgroundTaskRun, scene: Scene) -> bool:
    """Whether the run would have its first launch, if nobody were in its way."""
    if has_ended(run) or run.metadata.deletion_timestamp is not None or is_launched(run):
        return False
    patience = patience_over(run, scene)
    is_left_to_its_schedule = patience is not None and scene.now < patience
    return why_to_stop(run, scene) is None and barred(run, scene) is None and not is_left_to_its_schedule


def outstanding(run: BackgroundTaskRun, scene: Scene) -> Next:
    """Ask ECS once more while it knows the token; after that only a search can tell."""
    end = None if run.status.attempts else barred(run, scene)
    if end is not None:
        return give_up(run, end, scene.now)
    until = asked_at(run, scene.now) + _TOKEN_KNOWN
    if scene.now < until:
        return Next((Resend(run=run),), until)
    if not is_read_since(scene, until):
        return Next((Search(run=run, otherwise=None),), scene.now + MOMENT)
    message = "Nobody knows whether ECS has launched it: it is neither found nor told of, and not launched again."
    lost = End(run=run, phase="Lost", reason="LaunchUnconfirmed", message=message)
    return Next((Search(run=run, otherwise=lost),), scene.now + MOMENT)


def again(run: BackgroundTaskRun, scene: Scene, granted: Sequence[BackgroundTaskRun]) -> Next:
    """The next attempt, or the next try to launch one. It has leave already."""
    status = run.status
    is_sure = bool(status.attempts) and not is_denied(status)
    end = _too_late(run, scene)
    if end is not None:
        return Next((end if is_sure else Search(run=run, otherwise=end),), scene.now + MOMENT)
    at = moment(status.retry_time)
    if at is not None and scene.now < at:
        return Next((), at)
    if is_crowded(run, scene, granted):
        message = "Its next attempt waits for the end of another run of the task."
        return Next((Hold(run=run, reason="ConcurrencyForbidden", message=message),))
    launch = Launch(run=run, number=_next_number(run), needs_leave=False)
    return Next((launch if is_sure else Search(run=run, otherwise=launch),), launch_until(run, scene))


def _too_late(run: BackgroundTaskRun, scene: Scene) -> End | None:
    """How a run ends that was tried, and never ran, when the time for that is over."""
    if any(one.start_time for one in run.status.attempts):
        return None
    if not run.status.attempts:
        return barred(run, scene)
    until = launch_until(run, scene)
    if until is None or scene.now < until:
        return None
    last = run.status.attempts[-1]
    message = f"It failed to start until it was too late for its slot, the last time so: {last.reason}."
    return End(run=run, phase="Failed", reason=last.reason or "FailedToStart", message=message)


def _next_number(run: BackgroundTaskRun) -> int:
    """The schedule's own launch is number 0, of which there is no record."""
    if run.status.launch is not None:
        return run.status.launch.number + 1
    return 1 if run.status.attempts else 0


def first(run: BackgroundTaskRun, scene: Scene, granted: Sequence[BackgroundTaskRun]) -> Next:
    """The first launch, where its schedule does not make it and nobody is in its way."""
    patience = patience_over(run, scene)
    if patience is not None and scene.now < patience:
        return Next((Hold(run=run, reason="AwaitingSchedule", message="Its schedule launches it."),), patience)
    end = barred(run, scene)
    waits = _reading(run, scene, is_over=end is not None)
    if waits is not None:
        return waits
    look = launch_until(run, scene)
    found = end or obstacle(run, scene, granted)
    if isinstance(found, Taken):
        return Next((), look)
    if isinstance(found, InTheWay | Hold):
        return Next((found.meanwhile if isinstance(found, InTheWay) else found,), look)
    step = found or Launch(run=run, number=0, needs_leave=not has_leave(run, scene))
    # What its schedule may have launched is looked for before anything is said, or done again.
    return Next((Search(run=run, otherwise=step) if is_awaited(run) else step,), look)


def _reading(run: BackgroundTaskRun, scene: Scene, *, is_over: bool) -> Next | None:
    """Wait until what ECS has told of the slot is read, as long as that can still change what becomes of it."""
    if not is_awaited(run) or is_read_since(scene, known_since(run)):
        return None
    until = reading_over(run)
    if is_over and until is not None and scene.now >= until:
        return None
    told = Hold(run=run, reason="AwaitingEvents", message="What ECS has told of its slot is being read.")
    return Next((told,), scene.now + MOMENT)
