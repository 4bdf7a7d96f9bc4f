"""What people hear of a task's conditions: an Event for each that changed, and a line of log where nobody retries."""

from collections.abc import Sequence

from backgroundtask.api.conditions import READY, SCHEDULED, STALLED, Condition
from backgroundtask.controller.context import Context, log
from backgroundtask.kube.resource import Ref
from backgroundtask.plan.status import condition_changes

_CRONJOB_REASONS = {"InvalidSchedule": "UnparseableSchedule"}  # what CronJob's Events call it


def tell(context: Context, task: Ref, before: Sequence[Condition], after: Sequence[Condition]) -> None:
    """Tell what the conditions of a task say now and did not say before."""
    told = {one.type: one for one in condition_changes(before, after)}
    ready, scheduled = told.get(READY), told.get(SCHEDULED)
    if ready is not None:
        kind = "Warning" if ready.status == "False" else "Normal"
        reason = _CRONJOB_REASONS.get(ready.reason, ready.reason)
        context.recorder.emit(task, type=kind, reason=reason, message=ready.message)
    if STALLED in told:
        refusal = told[STALLED]
        fields = {"task": f"{task.namespace}/{task.name}", "reason": refusal.reason}
        log.warning("Task %s: %s: %s", fields["task"], refusal.reason, refusal.message, extra=fields)
    if scheduled is not None and not _says_as_much(ready, scheduled):
        context.recorder.emit(task, type="Normal", reason=scheduled.reason, message=scheduled.message)


def _says_as_much(ready: Condition | None, scheduled: Condition) -> bool:
    """Whether the Event about Ready tells of the schedule, too: both fail for one reason, or all is well.

    A new task has one Event then. A second was a tenth of what the API server did for it.
    """
    return ready is not None and (ready.reason == scheduled.reason or ready.status == scheduled.status == "True")
