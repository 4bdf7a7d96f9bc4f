"""Runs that people made and nobody can read: an API server that evaluates no CEL lets in what the schema cannot say.

Nothing is launched for such a run; it ends at once and says what to change, as it can never be edited. One that was
launched, by another version of the operator, is left to that one.
"""

from backgroundtask.api.names import TASK_KIND
from backgroundtask.api.parsing import parse_run, read_metadata
from backgroundtask.api.run import BackgroundTaskRun, RunSpec, RunStatus
from backgroundtask.controller.context import Context
from backgroundtask.controller.keys import TaskKey
from backgroundtask.controller.statuses import write_status
from backgroundtask.errors import Rejected
from backgroundtask.kube.resource import RUNS, Body
from backgroundtask.plan.transitions import ended

_UNTOUCHED = frozenset({None, "Pending"})


def refuse_unreadable(context: Context, key: TaskKey) -> None:
    """End the runs of a task that cannot be read.

    Raises:
        Expected: the API server is in the way.
    """
    for body in context.cache.runs_of(key.namespace, key.name):
        refusal = _refusal(body)
        if refusal is not None:
            after = ended(_bare(body, key), "Failed", refusal.reason, refusal.message, context.now())
            write_status(context, RUNS, body, after)


def _refusal(body: Body) -> Rejected | None:
    status = body.get("status") or {}
    is_ours = any(one.get("kind") == TASK_KIND for one in body["metadata"].get("ownerReferences", ()))
    if is_ours or status.get("phase") not in _UNTOUCHED or status.get("launch"):
        return None
    try:
        parse_run(body)
    except Rejected as refusal:
        return refusal
    return None


def _bare(body: Body, key: TaskKey) -> BackgroundTaskRun:
    """The run without what cannot be read."""
    return BackgroundTaskRun(metadata=read_metadata(body), spec=RunSpec(task=key.name), status=RunStatus())
