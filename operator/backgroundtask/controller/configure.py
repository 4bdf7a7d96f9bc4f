"""The AWS side of one task: observe, plan, apply; and its end.

The order is the plan's; this module only carries it out, one AWS write at a time, so that a crash between any two
leaves what the next pass recognises as its own. What it remembers between passes only saves questions: a process that
has forgotten it asks AWS again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.names import FINALIZER, PAUSED, RECONCILE_REQUESTED_AT
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.api.task import TaskSpec
from backgroundtask.aws import Cloud
from backgroundtask.controller.context import Context, log
from backgroundtask.errors import Expected, Rejected
from backgroundtask.kube.resource import TASKS
from backgroundtask.plan.changes import (
    Create,
    Desired,
    Keep,
    Observed,
    Plan,
    Register,
    Remove,
    Revision,
    Update,
    pause,
    plan,
    teardown,
)
from backgroundtask.plan.desired import Site, desired
from backgroundtask.plan.names import Owner
from backgroundtask.plan.runs import has_ended
from backgroundtask.plan.schedule import Schedule
from backgroundtask.plan.status import Configured, Paused, Refused, Settled, Subject, Unchanged

LOOK_AGAIN = timedelta(hours=1)
"""How long a refused spec is left alone: what it was refused for may have changed by then."""

_RIGHTS = frozenset({"NamespaceNotAllowed", "TaskRoleNotOffered", "SecretNotAllowed"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """AWS refused a wish, and would again: it is not asked for some time."""

    wish: str  # digest
    reason: str
    message: str
    until: datetime


@dataclass(slots=True)
class Memory:
    """What one process knows of a task beyond its status."""

    schedules: frozenset[str] | None = None  # names that may exist; None: not known
    suspect: bool = False  # somebody saw AWS differ
    unscheduled_since: datetime | None = None
    retire_at: datetime | None = None
    refused: Refusal | None = None


def configure(
    context: Context, task: Subject, raw: Mapping[str, Any], runs: list[BackgroundTaskRun], memory: Memory
) -> Configured:
    """Bring AWS to what the spec asks, where it may not be there already; raises nothing that is expected."""
    if task.metadata.annotations.get(PAUSED) == "true":
        return Paused()
    if task.spec is None:
        return Unchanged()
    try:
        return _configured(context, task, task.spec, raw, runs, memory)
    except Rejected as refusal:
        return _after_refusal(context, task, task.spec, refusal)
    except Expected as error:
        memory.schedules = None
        return Refused(error)


def release(context: Context, metadata: ObjectMeta, site: Site, *, uses: frozenset[str] = frozenset()) -> None:
    """End all that exists in AWS for a task: schedules, then tasks, then revisions. `uses` are task ARNs known to run.

    Raises:
        Expected: what AWS refuses; what was done stays done, and the next try goes on from there.
    """
    owner, cloud = context.owner(metadata), context.cloud(site)
    end = teardown(_observe(cloud, site, owner, names=frozenset(owner.schedule_names), known=None), str(owner))
    for step in end.schedules:
        cloud.schedules.remove(step.before.group, step.before.name)
        _tell(step.before, step.after, f"{metadata.namespace}/{metadata.name}")
    running = {task.arn for task in cloud.ecs.tasks_of(site.cluster, owner.family)}
    for arn in sorted(running | uses):
        cloud.ecs.stop(site.cluster, arn, f"BackgroundTask {metadata.namespace}/{metadata.name} was deleted")
    for revision in end.retire:
        cloud.ecs.deregister(revision.arn)


def _is_due(task: Subject, wanted: Desired, memory: Memory, now: datetime) -> bool:
    return (
        memory.suspect
        or not task.is_ready
        or task.status.spec_hash != wanted.digest
        or _is_asked_for(task)
        or (memory.retire_at is not None and memory.retire_at <= now)
    )


def _is_asked_for(task: Subject) -> bool:
    requested = task.metadata.annotations.get(RECONCILE_REQUESTED_AT)
    return requested is not None and requested != task.status.last_handled_reconcile_at


def _configured(
    context: Context,
    task: Subject,
    spec: TaskSpec,
    raw: Mapping[str, Any],
    runs: list[BackgroundTaskRun],
    memory: Memory,
) -> Configured:
    site = context.site(spec.launch_template)
    wanted = desired(context.owner(task.metadata), task.metadata.uid, spec, site)
    if not _is_due(task, wanted, memory, context.now()):
        return Unchanged()
    refused = memory.refused
    if refused and refused.wish == wanted.digest and context.now() < refused.until and not _is_asked_for(task):
        raise Rejected(refused.reason, refused.message)
    memory.refused = None
    try:
        return _bring(context, task, raw, runs, memory, site, wanted)
    except Rejected as error:
        memory.refused = Refusal(wanted.digest, error.reason, error.message, context.now() + LOOK_AGAIN)
        raise


def _bring(
    context: Context,
    task: Subject,
    raw: Mapping[str, Any],
    runs: list[BackgroundTaskRun],
    memory: Memory,
    site: Site,
    wanted: Desired,
) -> Configured:
    is_new = FINALIZER not in task.metadata.finalizers
    if is_new:
        held = context.kube.add_finalizer(TASKS, raw, FINALIZER)
        if held is None:
            return Unchanged()
        context.cache.put(TASKS, held)
    cloud, owner = context.cloud(site), context.owner(task.metadata)
    observed = _observe(
        cloud, site, owner, names=_names(owner, wanted, memory, is_new=is_new), known=_known(task, wanted)
    )
    now = context.now()
    todo = plan(
        wanted,
        observed,
        now=now,
        retire_after=context.settings.retirement_age,
        unscheduled_since=memory.unscheduled_since or now,
        in_use=frozenset(_revisions_in_use(runs)),
    )
    settled = _apply(cloud, todo, wanted, observed, task.metadata)
    memory.schedules = frozenset(one.name for one in wanted.schedules)
    memory.suspect = False
    memory.retire_at = todo.retire_at
    waits = todo.retire_at is not None and not wanted.schedules
    memory.unscheduled_since = (memory.unscheduled_since or now) if waits else None
    return settled


def _names(owner: Owner, wanted: Desired, memory: Memory, *, is_new: bool) -> frozenset[str]:
    """The schedules to ask for. None for an object that we hold only since this pass: its creation tells as much."""
    names = frozenset(one.name for one in wanted.schedules)
    if is_new and names:
        return frozenset()
    return names | memory.schedules if memory.schedules is not None else frozenset(owner.schedule_names)


def _known(task: Subject, wanted: Desired) -> Revision | None:
    """The revision that the status vouches for: it was written when AWS held just what is wanted now."""
    arn = task.status.task_definition_arn
    if arn is None or task.status.spec_hash != wanted.digest:
        return None
    return Revision(arn=arn, digest=wanted.definition.digest, owner=wanted.owner, uid=wanted.uid)


def _observe(cloud: Cloud, site: Site, owner: Owner, *, names: frozenset[str], known: Revision | None) -> Observed:
    revisions = tuple(
        known if known and arn == known.arn else cloud.ecs.revision(arn)
        for arn in cloud.ecs.active_revisions(owner.family)
    )
    found = {name: cloud.schedules.find(site.group, name) for name in sorted(names)}
    return Observed(revisions=revisions, schedules={name: one for name, one in found.items() if one})


def _apply(cloud: Cloud, todo: Plan, wanted: Desired, observed: Observed, metadata: ObjectMeta) -> Settled:
    task = f"{metadata.namespace}/{metadata.name}"
    for step in todo.pause:
        cloud.schedules.update(step.after)
        _tell(step.before, step.after, task)
    match todo.definition:
        case Keep(revision):
            pass
        case Register(definition):
            revision = cloud.ecs.register(definition, metadata.uid)
        case _:
            assert_never(todo.definition)
    arns = {name: found.arn for name, found in observed.schedules.items()}
    for change in todo.schedules:
        match change:
            case Create(after):
                arns[after.name] = cloud.schedules.create(after.pointing_at(revision.arn))
            case Update(_, after):
                arns[after.name] = cloud.schedules.update(after.pointing_at(revision.arn))
            case Remove(before):
                cloud.schedules.remove(before.group, before.name)
            case _:
                assert_never(change)
        _tell(change.before, change.after, task)
    for old in todo.retire:
        cloud.ecs.deregister(old.arn)
    return Settled(
        desired=wanted,
        definition_arn=revision.arn,
        schedule_arns=tuple(arns[one.name] for one in wanted.schedules),
    )


def _tell(before: Schedule | None, after: Schedule | None, task: str) -> None:
    """An update is Removed and at once Registered: a suspended schedule counts as none."""
    if before is not None and before.enabled:
        log.info("Removed task from scheduler taskID=%s", task)
    if after is not None and after.enabled:
        log.info("Registered task from scheduler taskID=%s", task)


def _after_refusal(context: Context, task: Subject, spec: TaskSpec, refusal: Rejected) -> Refused:
    """What the spec asks for is refused. What runs goes on, unless it is just that which is no longer allowed."""
    revoked = refusal.reason == "NamespaceNotAllowed" or (refusal.reason in _RIGHTS and task.is_ready)
    if not (revoked or spec.suspend) or task.is_stalled(refusal.reason) or FINALIZER not in task.metadata.finalizers:
        return Refused(refusal)
    try:
        _switch_off(context, task, context.site(spec.launch_template))
    except Expected as error:
        return Refused(error)
    return Refused(refusal)


def _switch_off(context: Context, task: Subject, site: Site) -> None:
    cloud, owner = context.cloud(site), context.owner(task.metadata)
    found = [cloud.schedules.find(site.group, name) for name in owner.schedule_names]
    observed = Observed(schedules={one.schedule.name: one for one in found if one})
    for step in pause(observed, str(owner)):
        cloud.schedules.update(step.after)
        _tell(step.before, step.after, f"{task.metadata.namespace}/{task.metadata.name}")


def _revisions_in_use(runs: list[BackgroundTaskRun]) -> list[str]:
    arns = (run.status.task_definition_arn for run in runs if not has_ended(run))
    return [arn for arn in arns if arn]
