"""Whether a run may be launched beside the others of its task: concurrencyPolicy, and the series of forEach.

The items of one slot or one request are one unit: they take turns, and count as one run for everybody else. Leave is
given to one run at a time; whoever had it before goes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from backgroundtask.api.phases import ENDS
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.plan.attempts import is_launched, is_outstanding, live_task
from backgroundtask.plan.identity import has_ended, index_of, slot_of_run, unit_of
from backgroundtask.plan.moments import moment
from backgroundtask.plan.scene import End, Hold, Scene

_ALWAYS = datetime.min.replace(tzinfo=UTC)
_FOR_ALL_ITEMS = frozenset({"JobAlreadyActive", "Replaced"})
"""Reasons for which the first item of a unit was not run, or was stopped, that hold for the others, too."""


def due(run: BackgroundTaskRun) -> tuple[datetime, int, str]:
    """The order in which runs have their turn: by slot, or by when they were asked for; items as in forEach."""
    since = slot_of_run(run) or moment(run.metadata.creation_timestamp) or _ALWAYS
    return since, index_of(run) or 0, run.metadata.name


@dataclass(frozen=True, slots=True)
class Taken:
    """Somebody has got leave in this very decision: what that means for the others, the next one says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InTheWay:
    """Runs that have to be stopped first (Replace), and what the one that waits says meanwhile."""

    others: tuple[BackgroundTaskRun, ...]
    meanwhile: Hold


Obstacle = End | Hold | Taken | InTheWay


def obstacle(run: BackgroundTaskRun, scene: Scene, granted: Sequence[BackgroundTaskRun]) -> Obstacle | None:
    """What keeps a run from its first launch; None: nothing does. `granted` have got leave in this decision."""
    found = _of_policy(run, scene, granted)
    return found or _of_series(run, scene)


def is_crowded(run: BackgroundTaskRun, scene: Scene, granted: Sequence[BackgroundTaskRun]) -> bool:
    """Whether the next attempt of a run has to wait, as another run of the task may be executing.

    It has had leave, so nobody else should; but the policy may be newer than the runs.
    """
    if any(map(_is_executing, siblings_of(run, scene))):
        return True
    if scene.policy.concurrency == "Allow":
        return False
    return bool(granted) or any(_is_executing(one) for one in _others(run, scene))


def has_leave(run: BackgroundTaskRun, scene: Scene) -> bool:
    """Whether the run may be launched without asking again."""
    return scene.policy.concurrency == "Allow" or run.metadata.name in scene.holders


def siblings_of(run: BackgroundTaskRun, scene: Scene) -> list[BackgroundTaskRun]:
    """The other items of the same slot or request."""
    if index_of(run) is None:
        return []
    unit = unit_of(run)
    return [one for one in scene.runs if one.metadata.name != run.metadata.name and unit_of(one) == unit]


def _of_policy(run: BackgroundTaskRun, scene: Scene, granted: Sequence[BackgroundTaskRun]) -> Obstacle | None:
    siblings = siblings_of(run, scene)
    fate = next((one for one in siblings if has_ended(one) and one.status.reason in _FOR_ALL_ITEMS), None)
    if fate is not None:
        reason = fate.status.reason or ""
        return End(run=run, phase="Skipped", reason=reason, message=f"{fate.metadata.name} before it: {reason}.")
    if scene.policy.concurrency == "Allow":
        return None
    is_replacing = scene.policy.concurrency == "Replace"
    newer = _newer_slot(run, scene) if is_replacing else None
    if newer is not None:
        message = f"{newer.metadata.name}, of a later slot, is run instead (concurrencyPolicy: Replace)."
        return End(run=run, phase="Skipped", reason="Replaced", message=message)
    others = _blocking(run, scene, siblings)
    unknown = sorted(scene.holders - {one.metadata.name for one in scene.runs})
    if others or unknown:
        return _behind(run, others, unknown, begun=any(map(is_launched, siblings)), is_replacing=is_replacing)
    return Taken() if granted else None


def _behind(
    run: BackgroundTaskRun,
    others: Sequence[BackgroundTaskRun],
    unknown: Sequence[str],
    *,
    begun: bool,
    is_replacing: bool,
) -> Obstacle:
    """What it means that others of the task are active. `begun`: items before this one were launched."""
    first = others[0].metadata.name if others else unknown[0]
    if is_replacing:
        told = Hold(run=run, reason="Replacing", message=f"It waits for the end of {first}, which it replaces.")
        return InTheWay(others=tuple(others), meanwhile=told)
    if slot_of_run(run) is not None and not begun and others:
        message = f"{first} was still active when it was due (concurrencyPolicy: Forbid)."
        return End(run=run, phase="Skipped", reason="JobAlreadyActive", message=message)
    message = f"It waits for the end of {first} (concurrencyPolicy: Forbid)."
    return Hold(run=run, reason="ConcurrencyForbidden", message=message)


def _of_series(run: BackgroundTaskRun, scene: Scene) -> Hold | None:
    """Items go one after another; one that was pruned, or deleted by somebody, keeps nobody waiting."""
    index = index_of(run)
    if index is None:
        return None
    going = [one for one in siblings_of(run, scene) if not has_ended(one)]
    before = sorted((one for one in going if is_launched(one) or (index_of(one) or 0) < index), key=due)
    if not before:
        return None
    message = f"It waits for the end of {before[0].metadata.name}: the items of forEach run one after another."
    return Hold(run=run, reason="SeriesOrder", message=message)


def _newer_slot(run: BackgroundTaskRun, scene: Scene) -> BackgroundTaskRun | None:
    """A run of a later slot that waits as well, or is active already."""
    slot = slot_of_run(run)
    if slot is None:
        return None
    later = [
        one
        for one in scene.runs
        if not has_ended(one)
        and one.metadata.deletion_timestamp is None
        and unit_of(one) != unit_of(run)
        and slot < (slot_of_run(one) or slot) <= scene.now
    ]
    return max(later, key=due, default=None)


def _blocking(
    run: BackgroundTaskRun, scene: Scene, siblings: Sequence[BackgroundTaskRun]
) -> tuple[BackgroundTaskRun, ...]:
    """The active runs of other units, those first that were due first."""
    leave = run.metadata.name in scene.holders
    is_begun = leave or any(map(is_launched, siblings))
    others = sorted(_others(run, scene), key=due)
    return tuple(
        one
        for one in others
        if is_launched(one)
        or (one.metadata.name in scene.holders and (not leave or due(one) < due(run)))
        or (_is_between_items(one, scene) and (not is_begun or due(one) < due(run)))
    )


def _others(run: BackgroundTaskRun, scene: Scene) -> list[BackgroundTaskRun]:
    """The runs of other units that have not ended; one that is deleted before its launch will never be launched."""
    unit = unit_of(run)
    return [
        one
        for one in scene.runs
        if unit_of(one) != unit
        and one.status.phase not in ENDS
        and (one.metadata.deletion_timestamp is None or is_launched(one))
    ]


def _is_between_items(run: BackgroundTaskRun, scene: Scene) -> bool:
    """Whether the run waits for its turn in a series that has begun, and that Replace has not broken off."""
    return scene.policy.concurrency == "Forbid" and any(map(is_launched, siblings_of(run, scene)))


def _is_executing(run: BackgroundTaskRun) -> bool:
    return live_task(run.status) is not None or is_outstanding(run.status)
