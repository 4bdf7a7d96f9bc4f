"""What ECS is asked about the runs of one task: to start one, what it has started, to stop one.

Whose an ECS task is, it says itself (`plan.identity`); what its state means is the ledger's to record. An answer that
is lost decides nothing: the same request is sent again while ECS knows its token, and looked for after that.
"""

from dataclasses import dataclass
from typing import assert_never

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.run import BackgroundTaskRun, RunStatus
from backgroundtask.aws import Known, Launched, NotStarted, Started
from backgroundtask.controller.context import Context
from backgroundtask.controller.keys import Delivery, Gone, TaskKey
from backgroundtask.controller.ledger import Ledger
from backgroundtask.controller.memory import RunMemory
from backgroundtask.errors import Blocked, Busy, Rejected
from backgroundtask.plan.identity import is_of
from backgroundtask.plan.merging import merged
from backgroundtask.plan.outcome import Task
from backgroundtask.plan.requests import sendable
from backgroundtask.plan.stops import STOPPED_BY
from backgroundtask.plan.transitions import ended, forgotten, refused, started


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """The task whose runs they are."""

    metadata: ObjectMeta
    template: str  # name of its LaunchTemplate


class EcsRuns:
    """ECS for one pass over the runs of one task. All methods raise Expected as AWS or the API server refuses."""

    def __init__(self, context: Context, whose: Whose, ledger: Ledger, memory: RunMemory) -> None:
        self._context = context
        self._whose = whose
        self._ledger = ledger
        self._memory = memory
        self._owner = context.owner(whose.metadata)
        self._key = TaskKey(whose.metadata.namespace, whose.metadata.name)
        self._tasks: tuple[Task, ...] | None = None  # all of the family that ECS knows

    def start(self, run: BackgroundTaskRun) -> None:
        """Ask ECS for the launch that is frozen in the run, and record what it says.

        Raises:
            Busy: nobody knows what became of it: the same is to be asked again.
        """
        launch, now = run.status.launch, self._context.now()
        assert launch is not None  # noqa: S101 - it was frozen before
        site = self._context.site(self._whose.template)
        self._tasks = None  # what ECS knew before tells nothing of what this starts
        try:
            launched: Launched = self._context.cloud(site).ecs.run(sendable(launch, run))
        except Rejected as refusal:
            launched = NotStarted(refusal.reason, refusal.message, is_transient=False)
        except Blocked as refusal:
            launched = NotStarted(refusal.reason, refusal.message, is_transient=True)
        match launched:
            case Started(task):
                self._write(run, self._begun(run, task))
            case Known(arns):
                self._adopt(run, arns)
            case NotStarted(reason, message, is_transient=True):
                self._write(run, refused(run, reason, message, now))
            case NotStarted(reason, message):
                if not self.adopt(run):  # an answer that was lost may have been another one
                    self._write(run, ended(run, "Failed", reason, message, now))
            case _:
                assert_never(launched)

    def _begun(self, run: BackgroundTaskRun, task: Task) -> RunStatus:
        """The status after ECS has said that the frozen launch started this task, with all that it says of it."""
        now, terms = self._context.now(), self._ledger.terms
        begun = run.model_copy(update={"status": started(run, task.arn, now)})
        return merged(begun, task, logs=terms.logs, policy=terms.policy, now=now)

    def adopt(self, run: BackgroundTaskRun) -> bool:
        """Look for ECS tasks of the run of which it does not tell yet, and record them; whether there are any."""
        if self._tasks is None:
            site = self._context.site(self._whose.template)
            self._tasks = self._context.cloud(site).ecs.find(site.cluster, self._owner.family)
        known = {one.task_arn for one in run.status.attempts}
        found = [one for one in self._tasks if one.arn not in known and self._is_of(one, run)]
        for one in sorted(found, key=_age):  # the oldest is the run's, and the others are second ones
            self._ledger.record([Delivery(one)])
        return bool(found)

    def stop(self, run: BackgroundTaskRun, arn: str, why: str) -> bool:
        """Ask ECS to stop a task, where it was not asked lately; whether the task turned out to have ended.

        Its end comes as an event. Where that stays away it is looked for.
        """
        now, asked = self._context.now(), self._memory.stopping.get(arn)
        if asked is not None and now - asked < STOPPED_BY:
            self._context.queue.add_after(self._key, (asked + STOPPED_BY - now).total_seconds())
            return False
        if asked is not None and self._look(run, arn):
            self._memory.stopping[arn] = now  # whether nothing tells of its end shows later: it is not asked till then
            return True
        site = self._context.site(self._whose.template)
        text = f"BackgroundTaskRun {run.metadata.namespace}/{run.metadata.name} {why}"
        self._context.cloud(site).ecs.stop(site.cluster, arn, text)
        self._memory.stopping[arn] = now
        self._context.queue.add_after(self._key, STOPPED_BY.total_seconds())
        return False

    def _look(self, run: BackgroundTaskRun, arn: str) -> bool:
        """Whether a task that was asked to stop has done so, or is forgotten, as is then recorded."""
        site = self._context.site(self._whose.template)
        seen, missing = self._context.cloud(site).ecs.tasks(site.cluster, [arn])
        if arn not in missing and not seen[arn].has_ended:
            return False
        if arn in missing and arn != run.status.task_arn:
            self._write(run, forgotten(run, arn, self._context.now()))  # one that does not count tells of no end
        elif arn in missing:
            self._context.inbox.put(self._key, [Gone(arn)])
        else:
            self._ledger.record([Delivery(seen[arn])])
        self._context.queue.add(self._key)
        return True

    def _adopt(self, run: BackgroundTaskRun, arns: tuple[str, ...]) -> None:
        """ECS has started these for the token before: they are the run's if they say so themselves.

        Raises:
            Busy: ECS does not show them yet.
        """
        site = self._context.site(self._whose.template)
        found, missing = self._context.cloud(site).ecs.tasks(site.cluster, arns)
        ours = [one for one in found.values() if self._is_of(one, run)]
        if ours:
            self._ledger.record(map(Delivery, sorted(ours, key=_age)))
            return
        if missing:
            raise Busy("TaskNotVisible", "ECS has started a task for the launch that it does not show yet.")
        message = "ECS knows the token of the launch for a task of somebody else: it is launched with another."
        self._write(run, refused(run, "TokenTaken", message, self._context.now()))

    def _is_of(self, task: Task, run: BackgroundTaskRun) -> bool:
        is_of_family = task.definition_arn.rpartition("/")[2].partition(":")[0] == self._owner.family
        return is_of_family and is_of(task, run, self._whose.metadata.uid)

    def _write(self, run: BackgroundTaskRun, after: RunStatus) -> None:
        self._ledger.status(run, after)


def _age(task: Task) -> tuple[bool, str, str]:
    """The order in which tasks came; of one that does not tell when, ECS knows little more than its name."""
    created = task.created_at
    return created is None, created.isoformat() if created else "", task.arn
