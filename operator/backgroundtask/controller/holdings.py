"""What AWS holds for one task: seen, brought to a plan, switched off, taken down.

One AWS write at a time, in the order of the plan, so that a crash between any two leaves what the next pass recognises
as its own. Decides nothing: what is wanted, and when to look, is told.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.aws import Cloud, Urgency, urgency
from backgroundtask.controller.context import Context, log
from backgroundtask.errors import Paced
from backgroundtask.plan.changes import Change, Create, Keep, Plan, Register, Remove, Update, pause, teardown
from backgroundtask.plan.desired import allows
from backgroundtask.plan.names import Owner
from backgroundtask.plan.observed import Found, Observed, Revision
from backgroundtask.plan.orphans import retention
from backgroundtask.plan.schedule import CLOCKS, key_of
from backgroundtask.plan.site import Site


@dataclass(slots=True)
class Placed:
    """Where a plan has led: the revision that starts, and the ARNs of the schedules by their keys."""

    revision: Revision
    schedules: dict[str, str] = field(default_factory=dict)
    postponed: Paced | None = None  # what is to be retired waits for its turn


class Holdings:
    """The definitions, schedules and ECS tasks of one task at one site. All methods raise Expected as AWS refuses."""

    def __init__(self, context: Context, metadata: ObjectMeta, site: Site) -> None:
        self._metadata = metadata
        self._site = site
        self._owner: Owner = context.owner(metadata)
        self._cloud: Cloud = context.cloud(site)
        self.registered: Revision | None = None
        """What `carry_out` registered, also where it went no further: ECS may not list it yet."""

    def allowed(self, definition_arn: str) -> bool:
        """Whether the site still offers what the tasks of a revision get."""
        return allows(self._site, self._metadata.namespace, self._cloud.ecs.revision(definition_arn))

    def observe(self, keys: Iterable[str] | None = None, *, known: Revision | None = None) -> Observed:
        """What there is. `keys` are those of the schedules to ask for, None: all that a task can have.

        `known` is a revision of which it is known what it bears; that it is still there is asked all the same.
        """
        ecs = self._cloud.ecs
        revisions = tuple(
            known if known and arn == known.arn else ecs.revision(arn)
            for arn in ecs.active_revisions(self._owner.family)
        )
        return Observed(revisions=revisions, schedules=self._schedules(keys))

    def carry_out(self, todo: Plan, observed: Observed) -> Placed:
        """Do what is planned, in its order."""
        for step in todo.pause:
            self._write(step)
        placed = Placed(self._revision(todo), {key: found.arn for key, found in observed.schedules.items()})
        for change in todo.schedules:
            arn = self._write(change, placed.revision)
            if change.after is not None:
                placed.schedules[change.after.key] = arn
        placed.postponed = self._retire(todo.retire)
        return placed

    def switch_off(self) -> None:
        """Let no schedule of the task fire."""
        for step in pause(Observed(schedules=self._schedules()), str(self._owner)):
            self._write(step)

    def take_down(self, uses: frozenset[str]) -> None:
        """End all of it: schedules, then ECS tasks (`uses` are ARNs of some that are known to run), then revisions.

        What was done stays done where AWS refuses the rest: the next try goes on from there.
        """
        with urgency(Urgency.DELETE):
            end = teardown(self.observe(), str(self._owner))
            for step in end.schedules:
                self._write(step)
            self._stop(self._running() | uses)
            for revision in end.retire:
                self._cloud.ecs.deregister(revision.arn)
            self._stop(self._running() - uses)  # what a firing that was under way has started meanwhile

    def retain(self) -> None:
        """Mark all of it as what stays by intention, so that no sweep takes it for an orphan."""
        marks = retention(self.observe(), str(self._owner))
        for step in marks.schedules:
            self._cloud.on(step.after.clock).update(step.after)
        for revision in marks.revisions:
            self._cloud.ecs.retain(revision)

    def left(self) -> tuple[str, ...]:
        """What there is of it, for people: names of schedules, ARNs of running ECS tasks and of revisions."""
        end = teardown(self.observe(), str(self._owner))
        names = (f"schedule {step.before.group}/{step.before.key}" for step in end.schedules)
        return (*names, *sorted(self._running()), *(revision.arn for revision in end.retire))

    def _retire(self, revisions: tuple[Revision, ...]) -> Paced | None:
        """Nobody waits for it, so it lets everybody else go ahead."""
        try:
            with urgency(Urgency.RESYNC):
                for old in revisions:
                    self._cloud.ecs.deregister(old.arn)
        except Paced as turn:
            return turn
        return None

    def _running(self) -> frozenset[str]:
        return frozenset(task.arn for task in self._cloud.ecs.tasks_of(self._site.cluster, self._owner.family))

    def _stop(self, arns: frozenset[str]) -> None:
        for arn in sorted(arns):
            self._cloud.ecs.stop(self._site.cluster, arn, f"BackgroundTask {self._task} was deleted")

    @property
    def _task(self) -> str:
        return f"{self._metadata.namespace}/{self._metadata.name}"

    def _schedules(self, keys: Iterable[str] | None = None) -> dict[str, Found]:
        wanted = None if keys is None else frozenset(keys)
        places = {
            key_of(clock, name): (self._site.shelf(clock, self._owner.installation), name)
            for clock in (self._site.clocks if wanted is None else CLOCKS)
            for name in self._owner.schedule_names
        }
        asked = (place for key, place in sorted(places.items()) if wanted is None or key in wanted)
        found = (self._cloud.on(shelf.clock).find(shelf.group, name) for shelf, name in asked)
        return {one.schedule.key: one for one in found if one}

    def _revision(self, todo: Plan) -> Revision:
        match todo.definition:
            case Keep(revision):
                return self._cloud.ecs.retain(revision, retained=False) if revision.retained else revision
            case Register(definition):
                self.registered = self._cloud.ecs.register(definition, self._metadata.uid)
                return self.registered
            case _:
                assert_never(todo.definition)

    def _write(self, change: Change, revision: Revision | None = None) -> str:
        """Make one change, pointed at `revision` where one is given; the schedule's ARN, empty where it is removed."""
        arn = ""
        match change:
            case Create(after):
                arn = self._cloud.on(after.clock).create(after.pointing_at(revision.arn) if revision else after)
            case Update(_, after):
                arn = self._cloud.on(after.clock).update(after.pointing_at(revision.arn) if revision else after)
            case Remove(before):
                self._cloud.on(before.clock).remove(before.group, before.name)
            case _:
                assert_never(change)
        self._tell(change)
        return arn

    def _tell(self, change: Change) -> None:
        """An update is Removed and at once Registered: a suspended schedule counts as none."""
        if change.before is not None and change.before.enabled:
            log.info("Removed task from scheduler taskID=%s", self._task, extra={"task": self._task})
        if change.after is not None and change.after.enabled:
            log.info("Registered task from scheduler taskID=%s", self._task, extra={"task": self._task})
