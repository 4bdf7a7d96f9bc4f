"""The words of a decision about the runs of one task: what is known, and what is to be done next. Decides nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from backgroundtask.api.phases import EndPhase
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.api.task import ConcurrencyPolicy, TaskSpec

StopReason = Literal["Cancelled", "Replaced", "DeadlineExceeded", "Duplicate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the spec of a task says about its runs."""

    concurrency: ConcurrencyPolicy = "Allow"
    starting_deadline: timedelta | None = None
    active_deadline: timedelta | None = None
    backoff_limit: int = 0
    suspended: bool = False
    items: tuple[str, ...] | None = None  # of forEach; None where the spec cannot be read

    @classmethod
    def of(cls, spec: TaskSpec) -> "Policy":
        """The policy of a spec."""
        return cls(
            concurrency=spec.concurrency_policy,
            starting_deadline=_seconds(spec.starting_deadline_seconds),
            active_deadline=_seconds(spec.active_deadline_seconds),
            backoff_limit=spec.backoff_limit,
            suspended=spec.suspend,
            items=tuple(spec.for_each),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is known of the runs of one task."""

    now: datetime
    policy: Policy
    runs: Sequence[BackgroundTaskRun]  # all of the task
    holders: frozenset[str] = frozenset()  # names in the stored status.active of the task: these have leave
    drained: datetime | None = None  # what AWS told before was read from the queue of events
    given_up: frozenset[str] = frozenset()  # names of slot runs that the schedule no longer tries to launch
    gone: Mapping[str, datetime] = field(default_factory=dict)  # ARNs of tasks, and when ECS last said MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Launch the run: with `needs_leave` its name has to be in status.active first, by a checked patch."""

    run: BackgroundTaskRun
    number: int
    needs_leave: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Resend:
    """Ask ECS once more, with the request and the token that are frozen in the run."""

    run: BackgroundTaskRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Stop an ECS task of the run.

    `is_new`: the intent (`transitions.stopping`) has to be stored before ECS is asked; else it was, and ECS is to be
    asked again where this process has not done so for a while. `task_arn` is None where no ECS task is known yet: then
    only the intent is stored, and the next decision says what follows from it.
    """

    run: BackgroundTaskRun
    task_arn: str | None
    reason: StopReason
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """End the run without an ECS task's doing."""

    run: BackgroundTaskRun
    phase: EndPhase
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Look for an ECS task of the run, RUNNING or STOPPED; adopt what is found, else do `otherwise` (None: nothing)."""

    run: BackgroundTaskRun
    otherwise: Launch | End | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The run stays as it is and says why."""

    run: BackgroundTaskRun
    reason: str
    message: str


Step = Launch | Resend | Stop | Search | End | Hold


@dataclass(frozen=True, slots=True)
class Next:
    """What is to be done for one run, and when to look at it again."""

    steps: tuple[Step, ...] = ()
    look_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What is to be done now, in this order, and when to decide again though nothing was seen to change.

    Whoever carries out a step that changes a run decides again: the next step may follow from it.
    """

    steps: tuple[Step, ...]
    look_at: datetime | None


def _seconds(value: int | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)
