"""Ended runs whose time is over: beyond the history limits of their task, or their own ttlSecondsAfterFinished.

What Git owns is not deleted, as it would come back and run again; people are told so, once. Decides nothing
(`plan.runs`).
"""

from datetime import datetime

from backgroundtask.api.task import TaskSpec
from backgroundtask.controller.ledger import Ledger
from backgroundtask.controller.memory import RunMemory
from backgroundtask.plan.runs import Kept, expired, expires_at, is_from_git, superfluous


def prune(
    ledger: Ledger, spec: TaskSpec | None, memory: RunMemory, *, now: datetime, prunable_until: datetime | None
) -> datetime | None:
    """Delete what is to go; when the next run is to. Without a `spec` nobody knows the limits of the history.

    `prunable_until` is up to which slot (`plan.slots`): the run of a later one stays, as its lock.

    Raises:
        Expected: the API server is in the way.
    """
    over = expired(ledger.runs(), now, prunable_until)
    for run in over:
        if not is_from_git(run):
            ledger.delete(run)
        elif run.metadata.uid not in memory.told:
            memory.told.add(run.metadata.uid)
            message = f"Run {run.metadata.name} is deployed from Git and stays: remove it there, or its ttl."
            ledger.tell("TTLSkippedManagedByGitOps", message)
    if spec is not None:
        kept = Kept(succeeded=spec.successful_runs_history_limit, failed=spec.failed_runs_history_limit)
        for run in superfluous(ledger.runs(), kept, prunable_until):
            ledger.delete(run)
    times = (expires_at(run) for run in ledger.runs())
    return min((time for time in times if time is not None and time > now), default=None)
