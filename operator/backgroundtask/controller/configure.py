"""The AWS side of one task: whether to look at it, what to bring it to, and what to do when that is refused.

What is remembered between passes only saves questions: a process that has forgotten it asks AWS again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from backgroundtask.api.conditions import SCHEDULED, find
from backgroundtask.api.names import FINALIZER, PAUSED
from backgroundtask.api.parsing import read_task_parting
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.api.task import TaskParting
from backgroundtask.aws import Urgency, urgency
from backgroundtask.controller.context import Context
from backgroundtask.controller.groups import refuse_unverified_clock
from backgroundtask.controller.holdings import Holdings
from backgroundtask.controller.memory import Memory, Refusal
from backgroundtask.errors import Busy, Expected, Paced, Rejected
from backgroundtask.kube.resource import TASKS
from backgroundtask.plan.changes import Desired, Plan, plan
from backgroundtask.plan.checks import refuse_namespace
from backgroundtask.plan.desired import desired
from backgroundtask.plan.firing import too_late_at
from backgroundtask.plan.observed import Observed, Revision
from backgroundtask.plan.retirement import revisions_in_use
from backgroundtask.plan.site import Site
from backgroundtask.plan.status import Configured, Paused, Refused, Settled, Subject, Unchanged

LOOK_AGAIN = timedelta(hours=1)
"""How long a refused spec is left alone: what it was refused for may have changed by then."""


def configure(
    context: Context,
    task: Subject,
    raw: Mapping[str, Any],
    runs: Sequence[BackgroundTaskRun],
    memory: Memory,
    *,
    unreadable: Rejected | None = None,
) -> Configured:
    """Bring AWS to what the spec asks, where it may not be there already; raises nothing that is expected.

    `unreadable` is why the spec cannot be read, where it cannot.
    """
    memory.postponed = None
    one = _Pass(context, task, read_task_parting(raw), memory)
    try:
        if unreadable is not None:
            return one.refuse(unreadable)
        if task.metadata.annotations.get(PAUSED) == "true":
            return one.pause()
        return one.bring(raw, runs)
    except Rejected as refusal:
        return one.refuse(refusal)
    except Expected as error:
        return Refused(error)


class _Pass:
    """One pass over one task."""

    def __init__(self, context: Context, task: Subject, parting: TaskParting, memory: Memory) -> None:
        self._context = context
        self._task = task
        self._parting = parting
        self._memory = memory
        self._is_held = FINALIZER in task.metadata.finalizers

    def pause(self) -> Configured:
        """Leave it alone, as the annotation asks; but a right that was taken away is gone for a paused task, too.

        Raises:
            Rejected: NamespaceNotAllowed, or RightRevoked.
        """
        if not self._may_fire():
            return Paused()
        site = self._context.site(self._parting.launch_template)
        refuse_namespace(self._task.metadata.namespace, site.template, site.spec)
        if self._is_forbidden():
            raise Rejected("RightRevoked", f"LaunchTemplate {site.template} no longer offers its role or a secret.")
        return Paused()

    def bring(self, raw: Mapping[str, Any], runs: Sequence[BackgroundTaskRun]) -> Configured:
        """Bring AWS to the spec, where it is not known to be there.

        Raises:
            Expected: something is in the way; what was done stays done.
        """
        spec = self._task.spec
        if spec is None:
            return Unchanged()
        site = self._context.site(spec.launch_template)
        refuse_unverified_clock(site)
        metadata, now = self._task.metadata, self._context.now()
        wanted = desired(self._context.owner(metadata), metadata.uid, spec, site, now=now)
        self._memory.too_late_at = too_late_at(spec)
        if not self._is_due(wanted) and not self._may_retire(site):
            return Unchanged()
        self._refuse_again(wanted)
        self._await_turn(wanted, site)
        keys = self._keys(wanted)
        if not self._hold(raw):
            return Unchanged()
        self._memory.schedules = None  # until the plan is carried out, anything may exist
        try:
            return self._settled(wanted, site, keys, revisions_in_use(runs))
        except Rejected as error:
            self._memory.refused = Refusal(wanted.digest, error, self._context.now() + LOOK_AGAIN)
            raise

    def refuse(self, refusal: Rejected) -> Refused:
        """What the spec asks for is refused. What runs goes on, unless it is suspended or no longer allowed itself."""
        suspected = self._memory.suspect
        try:
            if not self._is_to_end():
                return Refused(refusal)
            self._holdings(self._context.site(self._parting.launch_template)).switch_off()
        except Expected as error:
            return Refused(error)
        self._memory.suspect -= suspected
        return Refused(refusal, switched_off=True)

    def _settled(self, wanted: Desired, site: Site, keys: frozenset[str] | None, in_use: frozenset[str]) -> Settled:
        holdings, memory = self._holdings(site), self._memory
        suspected = memory.suspect
        observed = memory.complete(holdings.observe(keys, known=self._known(wanted)))
        now = self._context.now()
        todo = plan(
            wanted,
            observed,
            now=now,
            retire_after=self._context.settings.retirement_age,
            unchanged_since=memory.unchanged_since or now,
            in_use=in_use,
        )
        try:
            placed = holdings.carry_out(todo, observed)
        finally:
            memory.registered = holdings.registered or memory.registered
        memory.settle(wanted, todo, now, postponed=placed.postponed)
        memory.suspect -= suspected
        return Settled(
            desired=wanted,
            definition_arn=placed.revision.arn,
            schedule_arns=tuple(placed.schedules[one.key] for one in wanted.schedules),
            changed_at=_changed_before(todo, observed),
        )

    def _holdings(self, site: Site) -> Holdings:
        return Holdings(self._context, self._task.metadata, site)

    def _hold(self, raw: Mapping[str, Any]) -> bool:
        """Put our finalizer on the object before anything is made for it; False where it is gone."""
        if self._is_held:
            return True
        held = self._context.kube.add_finalizer(TASKS, raw, FINALIZER)
        if held is not None:
            self._context.cache.put(TASKS, held)
        return held is not None

    def _is_due(self, wanted: Desired) -> bool:
        is_as_wanted = self._task.is_ready and self._task.status.spec_hash == wanted.digest
        return self._memory.suspect > 0 or not is_as_wanted or self._task.is_asked_for

    def _may_retire(self, site: Site) -> bool:
        """Whether something is due to be retired, and its turn has come: it lets everybody else go ahead."""
        retire_at = self._memory.retire_at
        if retire_at is None or retire_at > self._context.now():
            return False
        try:
            with urgency(Urgency.RESYNC):
                self._context.cloud(site).pace.reserve()
        except Paced as turn:
            self._memory.postponed = turn
            return False
        return True

    def _await_turn(self, wanted: Desired, site: Site) -> None:
        """Where a revision has to be registered: do nothing before its turn has come, not even look.

        Raises:
            Paced: it has not come yet.
        """
        if self._is_to_register(wanted, site):
            with urgency(Urgency.RESYNC if self._task.is_ready else Urgency.CHANGE):
                self._context.cloud(site).pace.reserve()

    def _is_to_register(self, wanted: Desired, site: Site) -> bool:
        """Judged by the revision that the status names. A wrong guess costs a turn, or one look more."""
        registered, status = self._memory.registered, self._task.status
        if registered is not None and registered.digest == wanted.definition.digest:
            return False
        if status.task_definition_arn is None or status.spec_hash == wanted.digest:
            return status.task_definition_arn is None
        try:
            revision = self._context.cloud(site).ecs.revision(status.task_definition_arn)
        except Busy as error:
            if error.reason != "RevisionVanished":
                raise
            return True
        return revision.digest != wanted.definition.digest

    def _refuse_again(self, wanted: Desired) -> None:
        refused = self._memory.refused
        known = refused is not None and refused.wish == wanted.digest and self._context.now() < refused.until
        if refused is not None and known and not self._task.is_asked_for:
            raise Rejected(refused.error.reason, refused.error.message)
        self._memory.refused = None

    def _keys(self, wanted: Desired) -> frozenset[str] | None:
        """The schedules to ask for; None for all. An object that nobody held yet has none: creating them tells."""
        keys, known = frozenset(one.key for one in wanted.schedules), self._memory.schedules
        if not self._is_held and keys:
            return frozenset()
        return None if known is None else keys | known

    def _known(self, wanted: Desired) -> Revision | None:
        """The revision that the status vouches for: it was written when AWS held just what is wanted now."""
        arn = self._task.status.task_definition_arn
        if arn is None or self._task.status.spec_hash != wanted.digest:
            return None
        return Revision(arn=arn, digest=wanted.definition.digest, owner=wanted.owner, uid=wanted.uid)

    def _is_to_end(self) -> bool:
        """Whether schedules have to be switched off that may still fire."""
        return self._may_fire() and (self._parting.suspend or self._is_forbidden())

    def _may_fire(self) -> bool:
        scheduled = find(self._task.status.conditions, SCHEDULED)
        is_told = scheduled is not None and scheduled.observed_generation == self._task.metadata.generation
        is_off = is_told and scheduled is not None and scheduled.status != "True" and not self._memory.suspect
        return self._is_held and not is_off

    def _is_forbidden(self) -> bool:
        """Judged is what fires, whatever the spec says by now: the last good revision, and what its tasks get."""
        arn = self._task.status.task_definition_arn
        if arn is None:
            return False
        return not self._holdings(self._context.site(self._parting.launch_template)).allowed(arn)


def _changed_before(todo: Plan, observed: Observed) -> datetime | None:
    """When the schedules were last changed; None where this pass changed them, or AWS does not tell."""
    if todo.pause or todo.schedules:
        return None
    return max((one.changed for one in observed.schedules.values() if one.changed is not None), default=None)
