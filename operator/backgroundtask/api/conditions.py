"""Conditions: what an object says about itself to people, to `kubectl wait` and to kstatus (Flux, Helm, Argo CD).

A reconcile says `Verdict`s, which know no time; `settle` merges them into the conditions that are there, and returns
the very same conditions when nothing has changed, so that a steady world causes no write.

kstatus reads Reconciling=True as in progress, Stalled=True as failed, and otherwise Ready (kubernetes-sigs/cli-utils
pkg/kstatus). So each of `ready`, `reconciling` and `stalled` speaks for all three: Reconciling and Stalled are present
only while True, and never both.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from backgroundtask.api.fields import Text, Time
from backgroundtask.api.model import Model
from backgroundtask.api.rules import Unique

ConditionStatus = Literal["True", "False", "Unknown"]

READY: Final = "Ready"
RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"
SCHEDULED: Final = "Scheduled"
"""BackgroundTask: False with reason Suspended or NoSchedule."""
LAST_RUN_SUCCEEDED: Final = "LastRunSucceeded"
"""BackgroundTask: Unknown until a run has ended; apart from Ready, so that a failed run stops no roll-out."""
COMPLETE: Final = "Complete"
"""BackgroundTaskRun: as Job's, for Succeeded and Skipped."""
FAILED: Final = "Failed"
"""BackgroundTaskRun: as Job's, for every other end; the phase is the reason."""

ONLY_WHILE_TRUE: Final = frozenset({RECONCILING, STALLED})


class Condition(Model):
    """One aspect of the state of an object (metav1.Condition)."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=316)] = Field(description="What it is about.")
    status: ConditionStatus = Field(description="Whether it is so.")
    reason: Annotated[
        str, StringConstraints(min_length=1, max_length=1024, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    ] = Field(description="One CamelCase word for programs: why.")
    message: Text = Field(description="One sentence for people: why, and what to change.")
    last_transition_time: Time = Field(description="When status last changed.")
    observed_generation: int | None = Field(
        None,
        ge=0,
        json_schema_extra={"format": "int64"},
        description="The metadata.generation that this condition is about.",
    )


Conditions = Annotated[tuple[Condition, ...], Field(max_length=16, strict=False), Unique("type")]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reconcile has found out about one aspect; `message` holds still while the world does."""

    type: str
    status: ConditionStatus
    reason: str
    message: str


def ready(reason: str, message: str) -> tuple[Verdict, ...]:
    """Say that everything is as the spec asks."""
    return (
        Verdict(READY, "True", reason, message),
        Verdict(RECONCILING, "False", reason, message),
        Verdict(STALLED, "False", reason, message),
    )


def reconciling(reason: str, message: str, *, was_ready: ConditionStatus = "Unknown") -> tuple[Verdict, ...]:
    """Say that work goes on by itself. Ready is Unknown, or False where it is known that something is missing."""
    return (
        Verdict(READY, was_ready, reason, message),
        Verdict(RECONCILING, "True", reason, message),
        Verdict(STALLED, "False", reason, message),
    )


def stalled(reason: str, message: str) -> tuple[Verdict, ...]:
    """Say that nothing more happens until somebody changes something."""
    return (
        Verdict(READY, "False", reason, message),
        Verdict(RECONCILING, "False", reason, message),
        Verdict(STALLED, "True", reason, message),
    )


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """Return the condition of that type, or None."""
    return next((condition for condition in conditions if condition.type == type_), None)


def settle(
    previous: Iterable[Condition], verdicts: Iterable[Verdict], *, generation: int, now: str
) -> tuple[Condition, ...]:
    """Return the conditions after the verdicts, sorted by type.

    A condition without a verdict stays as it is; of several about the same, the last counts. `lastTransitionTime`
    changes with the status only. `generation` is the metadata.generation that was looked at, `now` a `Time`.
    """
    settled = {condition.type: condition for condition in previous}
    for verdict in {verdict.type: verdict for verdict in verdicts}.values():
        settled[verdict.type] = _condition(verdict, settled.get(verdict.type), generation=generation, now=now)
    kept = (condition for condition in settled.values() if _may_stay(condition))
    return tuple(sorted(kept, key=lambda condition: condition.type))


def _condition(verdict: Verdict, before: Condition | None, *, generation: int, now: str) -> Condition:
    unchanged = before is not None and before.status == verdict.status
    return Condition(
        type=verdict.type,
        status=verdict.status,
        reason=verdict.reason,
        message=verdict.message,
        last_transition_time=before.last_transition_time if before is not None and unchanged else now,
        observed_generation=generation,
    )


def _may_stay(condition: Condition) -> bool:
    return condition.status == "True" or condition.type not in ONLY_WHILE_TRUE
