"""The end of what somebody deletes: in AWS first, then the finalizer that holds the object for it.

Where AWS refuses, the object stays and says why, unless `force` lets it go. Knows the order of an end; what a teardown
or a retention is, `holdings` knows.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.parsing import read_task_parting, read_task_status
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.controller.context import Context
from backgroundtask.controller.force import is_forced, tell_left
from backgroundtask.controller.holdings import Holdings
from backgroundtask.controller.keys import Delivery, TaskKey
from backgroundtask.controller.ledger import Ledger
from backgroundtask.errors import Paced
from backgroundtask.kube.resource import RUNS, TASKS, Ref
from backgroundtask.plan.runs import has_ended

_STOPPED_BY = timedelta(minutes=3)  # a task that was asked to stop has had its two minutes by then, and ECS's seconds

Stopping = dict[str, datetime]
"""ECS tasks that were asked to stop, by ARN, and when."""


def end_task(context: Context, raw: Mapping[str, Any], metadata: ObjectMeta, uses: frozenset[str]) -> None:
    """Do in AWS what the end of a task asks for: nothing of it is there any more, or all of it is marked as retained.

    `uses` are ARNs of ECS tasks that are known to run.

    Raises:
        Expected: AWS, or what is needed to ask it, is in the way; not where the end is forced.
    """
    parting = read_task_parting(raw)
    try:
        holdings = Holdings(context, metadata, context.site(parting.launch_template))
        if parting.deletion_policy == "Delete":
            holdings.take_down(uses)
            return
        holdings.retain()
    except Paced:  # our own turn, and no answer of AWS yet
        raise
    except Exception as error:
        if not is_forced(metadata):
            raise
        tell_left(context, Ref.of(TASKS, raw), error, _left(context, raw, metadata, uses))


def end_run(
    context: Context, task: Mapping[str, Any], run: BackgroundTaskRun, ledger: Ledger, stopping: Stopping
) -> None:
    """Let go of a run that has ended; of one that is being deleted end the ECS task first.

    Raises:
        Expected: AWS, or what is needed to ask it, is in the way; not where the end is forced.
    """
    arn = run.status.task_arn
    if has_ended(run):
        ledger.let_go(run)
        stopping.pop(arn or "", None)
        return
    if run.metadata.deletion_timestamp is None:
        return
    if arn is None:
        ledger.let_go(run)
        return
    try:
        _stop(context, task, run, arn, ledger=ledger, stopping=stopping)
    except Paced:
        raise
    except Exception as error:
        if not is_forced(run.metadata):
            raise
        ref = Ref(RUNS, run.metadata.namespace, run.metadata.name, run.metadata.uid)
        tell_left(context, ref, error, (f"ECS task {arn}",))
    if is_forced(run.metadata):
        ledger.let_go(run)
        stopping.pop(arn, None)


def _stop(
    context: Context, task: Mapping[str, Any], run: BackgroundTaskRun, arn: str, *, ledger: Ledger, stopping: Stopping
) -> None:
    """Stop the ECS task of a run that is being deleted. Its end comes as an event, or is found by looking."""
    site = context.site(read_task_parting(task).launch_template)
    ecs, now = context.cloud(site).ecs, context.now()
    if arn not in stopping:
        ecs.stop(site.cluster, arn, f"BackgroundTaskRun {run.metadata.namespace}/{run.metadata.name} was deleted")
        stopping[arn] = now
    elif now - stopping[arn] >= _STOPPED_BY:
        seen, missing = ecs.tasks(site.cluster, [arn])
        if arn in missing:  # ECS shows a new task within seconds: this one it has forgotten
            ledger.let_go(run)
        elif seen[arn].has_ended:
            ledger.record([Delivery(seen[arn])])
    context.queue.add_after(TaskKey(run.metadata.namespace, run.spec.task), _STOPPED_BY.total_seconds())


def _left(context: Context, raw: Mapping[str, Any], metadata: ObjectMeta, uses: frozenset[str]) -> tuple[str, ...]:
    """What is left of a task: as AWS says, or as was last known where it does not."""
    try:
        return Holdings(context, metadata, context.site(read_task_parting(raw).launch_template)).left()
    except Exception:  # noqa: BLE001 - the cause that is told already, most likely
        status = read_task_status(raw)
        schedules = (f"schedule {one.name}" for one in status.schedules)
        return (*schedules, *sorted(uses), *filter(None, (status.task_definition_arn,)))
