"""The end of what somebody deletes: in AWS first, then the finalizer that holds the object for it.

Where AWS refuses, the object stays and says why, unless `force` lets it go. A launch of which nobody knows whether it
has started anything is looked for before its run goes: nothing of it may run on unseen. Knows the order of an end; what
a teardown or a retention is, `holdings` knows.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.parsing import read_task_parting, read_task_status
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.controller.context import Context
from backgroundtask.controller.ecs_runs import EcsRuns
from backgroundtask.controller.force import is_forced, tell_left
from backgroundtask.controller.holdings import Holdings
from backgroundtask.controller.keys import TaskKey
from backgroundtask.controller.ledger import Ledger
from backgroundtask.errors import Busy, Paced
from backgroundtask.kube.resource import RUNS, TASKS, Ref
from backgroundtask.plan.attempts import is_denied, is_outstanding, strays
from backgroundtask.plan.identity import has_ended
from backgroundtask.plan.moments import moment
from backgroundtask.plan.stops import is_missing
from backgroundtask.plan.transitions import answered

_SHOWN_BY = timedelta(minutes=5)
"""By then ECS lists what a launch has started: its reads lag by seconds (Amazon ECS API, RunTask)."""
_LOOKS = 15.0  # seconds between two looks for what a launch has started


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
    context: Context, run: BackgroundTaskRun, ledger: Ledger, ecs: EcsRuns, gone: Mapping[str, datetime]
) -> None:
    """Answer and let go of a run that has ended, unless a second task of it is to be stopped yet.

    Of one that is being deleted end the ECS tasks first. `gone` are ARNs of tasks, and when ECS last said MISSING.

    Raises:
        Expected: AWS, or what is needed to ask it, is in the way; not where the end is forced.
    """
    if has_ended(run):
        after = ledger.status(run, answered(run)) or run
        if not strays(run) or is_forced(run.metadata):
            ledger.let_go(after)
        return
    if run.metadata.deletion_timestamp is None:
        return
    try:
        is_over = _stop(context, run, ecs, gone)
    except Paced:
        raise
    except Exception as error:
        if not is_forced(run.metadata):
            raise
        ref = Ref(RUNS, run.metadata.namespace, run.metadata.name, run.metadata.uid)
        tell_left(context, ref, error, [f"ECS task {arn}" for arn in sorted(live(run))])
        is_over = True
    if is_over or is_forced(run.metadata):
        ledger.let_go(run)


def _stop(context: Context, run: BackgroundTaskRun, ecs: EcsRuns, gone: Mapping[str, datetime]) -> bool:
    """Stop the ECS tasks of a run; whether there are none. Their ends come as events, or are found by looking."""
    if (is_outstanding(run.status) or is_denied(run.status)) and ecs.adopt(run):
        context.queue.add(TaskKey(run.metadata.namespace, run.spec.task))  # it is stopped next
        return False
    if is_outstanding(run.status) and not _is_shown(run, context.now()):
        raise Busy("LaunchOutstanding", "Nobody knows yet what the launch has started.", retry_after=_LOOKS)
    running = sorted(arn for arn in live(run) if not is_missing(run, arn, gone))
    for arn in running:
        ecs.stop(run, arn, "was deleted")
    return not running


def await_launches(runs: Iterable[BackgroundTaskRun], ecs: EcsRuns, now: datetime) -> None:
    """Before the runs of a task go with it: make sure that nothing was launched of which they do not tell.

    Raises:
        Busy: that is not sure yet.
    """
    for run in runs:
        is_uncertain = is_outstanding(run.status) or is_denied(run.status)
        if has_ended(run) or not is_uncertain or ecs.adopt(run):
            continue
        if is_outstanding(run.status) and not _is_shown(run, now):
            raise Busy("LaunchOutstanding", "Nobody knows yet what a launch has started.", retry_after=_LOOKS)


def live(run: BackgroundTaskRun) -> frozenset[str]:
    """ARNs of the ECS tasks of a run of which no end is known."""
    ended = {one.task_arn for one in run.status.attempts if one.completion_time is not None}
    launched = run.status.launch.task_arn if run.status.launch else None
    arns = {one.task_arn for one in run.status.attempts} | {run.status.task_arn, launched}
    return frozenset(arn for arn in arns - ended if arn)


def _is_shown(run: BackgroundTaskRun, now: datetime) -> bool:
    asked = moment(run.status.launch.time) if run.status.launch else None
    return asked is None or now - asked >= _SHOWN_BY


def _left(context: Context, raw: Mapping[str, Any], metadata: ObjectMeta, uses: frozenset[str]) -> tuple[str, ...]:
    """What is left of a task: as AWS says, or as was last known where it does not."""
    try:
        return Holdings(context, metadata, context.site(read_task_parting(raw).launch_template)).left()
    except Exception:  # noqa: BLE001 - the cause that is told already, most likely
        status = read_task_status(raw)
        schedules = (f"schedule {one.name}" for one in status.schedules)
        return (*schedules, *sorted(uses), *filter(None, (status.task_definition_arn,)))
