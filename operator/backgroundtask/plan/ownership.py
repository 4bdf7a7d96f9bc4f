"""What a task may touch in AWS: what bears the mark of its owner, and nothing else."""

from backgroundtask.errors import Rejected
from backgroundtask.plan.observed import Observed


def refuse_strangers(observed: Observed, owner: str) -> None:
    """Touch only what bears our mark.

    Raises:
        Rejected: NotOwned, naming the object and its owner.
    """
    for found in observed.schedules.values():
        if found.schedule.owner != owner:
            kind = "Schedule" if found.schedule.clock == "Scheduler" else "EventBridge rule"
            raise Rejected("NotOwned", _not_owned(f"{kind} {found.schedule.name}", found.schedule.owner))
    for revision in observed.revisions:
        if revision.owner != owner:
            raise Rejected("NotOwned", _not_owned(f"Task definition {revision.arn}", revision.owner))


def _not_owned(what: str, owner: str | None) -> str:
    whose = f"belongs to {owner}" if owner else "was not made by this operator"
    return f"{what} {whose}: delete it there, or rename this task."
