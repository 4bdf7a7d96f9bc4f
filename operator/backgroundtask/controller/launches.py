"""What was decided about the runs of one task, carried out: each step a write of its own, and any may be the last one.

A launch is frozen in its run before ECS is asked, and a stop is, too: so whoever comes after a crash sees what may have
happened, asks the same again, or looks. Decides nothing about a run but whether its launch is allowed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from backgroundtask.api.run import BackgroundTaskRun, RunStatus
from backgroundtask.api.task import TaskSpec
from backgroundtask.controller.admission import CONCURRENT_RUNS_LIMIT, Admission
from backgroundtask.controller.context import Context
from backgroundtask.controller.ecs_runs import EcsRuns, Whose
from backgroundtask.controller.keys import TaskKey
from backgroundtask.controller.ledger import Ledger
from backgroundtask.errors import Blocked, Expected, Rejected
from backgroundtask.kube.transport import UNREACHABLE
from backgroundtask.plan.allowance import refuse_repetition, revision_of, role_of_launch
from backgroundtask.plan.life import Decisions, End, Hold, Launch, Resend, Search, Step, Stop
from backgroundtask.plan.observed import Revision
from backgroundtask.plan.requests import record
from backgroundtask.plan.site import Site
from backgroundtask.plan.stops import give_up
from backgroundtask.plan.transitions import ended, frozen, held, stopping

_ROUNDS = 5  # decisions that follow from what the last one changed; a key that needs more comes again at once

Grant = Callable[[str], None]
"""Store in the task's status that a run has leave, on the very status that was decided on. Raises Expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What launches of a task rest on in one pass: its spec, its place, the revision that is started."""

    spec: TaskSpec
    site: Site
    revision: Revision


@dataclass(frozen=True, slots=True)
class Waits:
    """Nothing of the task can be launched yet, and why: the task itself says when that has changed."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """The task whose runs are launched. `grounds` raises Expected where they cannot be told."""

    whose: Whose
    grounds: Callable[[], Grounds | Waits]
    grant: Grant
    is_paused: bool = False


@dataclass(slots=True)
class _Seen:
    """What this pass knows already, so that it does and asks nothing twice."""

    stuck: dict[str, Expected] = field(default_factory=dict)  # what keeps a run's step from being done
    sent: set[str] = field(default_factory=set)  # runs whose request was sent
    searched: set[str] = field(default_factory=set)  # runs of which ECS shows nothing


class Launches:
    """The steps of one pass over one task."""

    def __init__(self, context: Context, ledger: Ledger, admission: Admission, ecs: EcsRuns, party: Party) -> None:
        self._context = context
        self._ledger = ledger
        self._admission = admission
        self._ecs = ecs
        self._party = party
        self._seen = _Seen()

    @property
    def troubles(self) -> list[Expected]:
        """What kept steps from being done."""
        return list(self._seen.stuck.values())

    def settle(self, decide: Callable[[], Decisions]) -> datetime | None:
        """Decide and do, until nothing more follows; when to decide again though nothing is seen to change.

        `decide` sees the runs as they are. What keeps one run from its step keeps no other: `troubles` has it after.
        """
        for _ in range(_ROUNDS):
            decisions = decide()
            if not self._carry_out(decisions):
                return decisions.look_at
        metadata = self._party.whose.metadata
        self._context.queue.add(TaskKey(metadata.namespace, metadata.name))
        return None

    def _carry_out(self, decisions: Decisions) -> bool:
        """Whether anything has changed, so that more may follow."""
        changed = False
        for step in decisions.steps:
            if any(one.reason == UNREACHABLE for one in self._seen.stuck.values()):
                return False
            if step.run.metadata.name not in self._seen.stuck:
                changed = self._tried(step) or changed
        return changed

    def _tried(self, step: Step) -> bool:
        try:
            return self._done(step)
        except Expected as error:
            self._seen.stuck[step.run.metadata.name] = error
            return False

    def _done(self, step: Step) -> bool:
        match step:
            case Launch():
                return self._launch(step)
            case Resend(run=run):
                return self._resend(run)
            case Search():
                return self._search(step)
            case Stop():
                return self._stop(step)
            case End(run=run):
                return self._write(run, ended(run, step.phase, step.reason, step.message, self._context.now()))
            case Hold(run=run):
                return self._hold(run, step.reason, step.message)
            case _:
                assert_never(step)

    def _launch(self, step: Launch) -> bool:
        """Judge, take a place, get leave, hold, freeze, ask ECS: each only after the one before it."""
        run, grounds = step.run, self._grounds(step.run)
        if isinstance(grounds, Waits):
            return self._hold(run, grounds.reason, grounds.message)
        try:
            role = role_of_launch(run, spec=grounds.spec, site=grounds.site, revision=grounds.revision)
        except Rejected as refusal:
            return self._write(run, ended(run, "Failed", refusal.reason, refusal.message, self._context.now()))
        limit = grounds.site.spec.limits.concurrent_runs
        if not self._admission.admits(grounds.site.template, limit, run):
            message = f"LaunchTemplate {grounds.site.template} has limits.concurrentRuns {limit}: it waits for room."
            return self._hold(run, CONCURRENT_RUNS_LIMIT, message)
        if step.needs_leave:
            self._party.grant(run.metadata.name)
        self._begin(step, grounds, role)
        return True

    def _begin(self, step: Launch, grounds: Grounds, role: str | None) -> None:
        now, metadata = self._context.now(), self._party.whose.metadata
        run = self._ledger.hold(step.run)
        if run is None:
            return
        launch = record(
            run,
            number=step.number,
            owner=self._context.owner(metadata),
            uid=metadata.uid,
            definition_arn=grounds.revision.arn,
            site=grounds.site,
            task_role_arn=role,
            execute_command=grounds.revision.has_shell,
            now=now,
        )
        run = self._ledger.status(run, frozen(run, launch, now))
        if run is not None:
            self._send(run)

    def _grounds(self, run: BackgroundTaskRun) -> Grounds | Waits:
        try:
            return self._party.grounds()
        except Blocked as error:  # somebody has to grant something: the run says so, too
            self._hold(run, error.reason, error.message)
            raise

    def _resend(self, run: BackgroundTaskRun) -> bool:
        if self._party.is_paused or run.metadata.name in self._seen.sent:
            return False
        try:
            self._judge_again(run)
        except Rejected as refusal:
            return self._withdraw(run, refusal)
        self._send(run)
        return True

    def _judge_again(self, run: BackgroundTaskRun) -> None:
        """Nobody knows whether ECS has taken the launch: it may do so only now.

        Raises:
            Rejected: the template no longer allows it.
        """
        launch, site = run.status.launch, self._context.site(self._party.whose.template)
        assert launch is not None  # noqa: S101 - it is outstanding
        revision = self._context.cloud(site).ecs.revision(revision_of(launch))
        refuse_repetition(run, launch, site=site, revision=revision)

    def _withdraw(self, run: BackgroundTaskRun, refusal: Rejected) -> bool:
        """Ask for the launch no more, and look for what it may have started until ECS would show it."""
        now, metadata = self._context.now(), self._party.whose.metadata
        end = End(run=run, phase="Failed", reason=refusal.reason, message=refusal.message)
        given_up = give_up(run, end, now)
        if given_up.look_at is not None:
            key = TaskKey(metadata.namespace, metadata.name)
            self._context.queue.add_after(key, (given_up.look_at - now).total_seconds())
        [search] = given_up.steps
        return self._done(search)

    def _send(self, run: BackgroundTaskRun) -> None:
        self._seen.sent.add(run.metadata.name)
        self._seen.searched.discard(run.metadata.name)
        self._ecs.start(run)

    def _search(self, step: Search) -> bool:
        name = step.run.metadata.name
        if name not in self._seen.searched and self._ecs.adopt(step.run):
            return True
        self._seen.searched.add(name)
        return self._done(step.otherwise) if step.otherwise else False

    def _stop(self, step: Stop) -> bool:
        """Store why, then ask ECS."""
        if self._party.is_paused and step.reason == "Replaced":
            return False
        run, changed = step.run, False
        if step.is_new and step.reason != "Duplicate":
            changed = self._write(run, stopping(run, step.reason, self._context.now()))
        if step.task_arn is None:
            return changed
        return self._ecs.stop(run, step.task_arn, f"is stopped: {step.reason}") or changed

    def _hold(self, run: BackgroundTaskRun, reason: str, message: str) -> bool:
        """It says why it waits: nothing follows from that."""
        self._write(run, held(run, reason, message, self._context.now()))
        return False

    def _write(self, run: BackgroundTaskRun, after: RunStatus) -> bool:
        """Whether anything was to be written."""
        if after == run.status:
            return False
        self._ledger.status(run, after)
        return True
