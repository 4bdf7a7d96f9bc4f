"""What is to be done next for the runs of one task. Pure: it sees a `Scene` and says `Decisions`."""

from backgroundtask.plan.identity import has_ended
from backgroundtask.plan.scene import (
    Decisions,
    End,
    Hold,
    Launch,
    Policy,
    Resend,
    Scene,
    Search,
    Step,
    Stop,
    StopReason,
)

__all__ = [
    "Decisions",
    "End",
    "Hold",
    "Launch",
    "Policy",
    "Resend",
    "Scene",
    "Search",
    "Step",
    "Stop",
    "StopReason",
    "decide",
]


def decide(scene: Scene) -> Decisions:
    """What is to be done for the runs of a task, in the order in which it is to be done."""
    waiting = [run for run in scene.runs if not has_ended(run) and run.status.launch is None]
    steps = [Launch(run=run, number=0, needs_leave=scene.policy.concurrency != "Allow") for run in waiting]
    return Decisions(steps=tuple(steps), look_at=None)
