"""Where a task stands: whether its runs can be launched now, and with what.

A run is launched as the task is: ready, or refused after it was ready once, for then the last good revision is what
there is. While it is being brought to its spec its runs wait, so that none starts what was there before the edit.
"""

from backgroundtask.api.conditions import READY, STALLED, find
from backgroundtask.api.names import PAUSED
from backgroundtask.api.task import TaskSpec
from backgroundtask.controller.context import Context
from backgroundtask.controller.launches import Grounds, Waits
from backgroundtask.errors import Rejected
from backgroundtask.plan.status import Subject


def grounds(context: Context, task: Subject, spec: TaskSpec | None, refusal: Rejected | None) -> Grounds | Waits:
    """What launches of a task rest on, or why there is none yet. `refusal` is why the spec cannot be read.

    Raises:
        Expected: the place or the revision cannot be told.
    """
    if task.metadata.annotations.get(PAUSED) == "true":
        return Waits("Paused", "The annotation bgtask.dev/paused keeps the operator away from the task.")
    if spec is None:
        return Waits("TaskStalled", f"The spec of the task cannot be read: {refusal.message if refusal else ''}")
    arn, stalled = task.status.task_definition_arn, find(task.status.conditions, STALLED)
    if not task.is_ready and stalled is None:
        return Waits("TaskNotReady", _not_ready(task))
    if arn is None:
        why = f"{stalled.reason}: {stalled.message}" if stalled else "no revision of it is known."
        return Waits("TaskStalled", f"The task is refused, and was never ready: {why}")
    site = context.site(spec.launch_template)
    return Grounds(spec=spec, site=site, revision=context.cloud(site).ecs.revision(arn))


def _not_ready(task: Subject) -> str:
    ready = find(task.status.conditions, READY)
    if ready is None or task.status.observed_generation != task.metadata.generation or ready.status == "True":
        return "The task is being brought to its spec: the run is launched once it is ready."
    return f"The task is not ready ({ready.reason}): the run is launched once it is."
