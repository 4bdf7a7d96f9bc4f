"""What a `BackgroundTask` reports: its AWS side, its next and last times, its runs."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from backgroundtask.api.conditions import Conditions
from backgroundtask.api.fields import Arn, Time, Word, first
from backgroundtask.api.model import Model, Status
from backgroundtask.api.phases import Phase
from backgroundtask.api.rules import Unique

Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]

ACTIVE_SHOWN = 64
"""Most entries of `active`; `activeRuns` counts them all."""


class ScheduleStatus(Model):
    """One schedule of EventBridge Scheduler, or one EventBridge rule."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        description="Name of the schedule in the template's schedule group, or of the rule."
    )
    arn: Arn | None = Field(None, description="ARN of the schedule or rule.")
    expression: Annotated[str, StringConstraints(max_length=256)] = Field(
        description="The expression that EventBridge evaluates."
    )
    time_zone: Annotated[str, StringConstraints(max_length=50)] = Field(description="The time zone it evaluates it in.")
    launch: Literal["Direct", "Queue"] = Field(
        description="Who starts the ECS task: Direct is the schedule itself, Queue the operator."
    )
    launch_reason: Word | None = Field(None, description="Why the operator launches; absent where the schedule does.")


class LastRun(Model):
    """The run that ended last."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})

    name: Name = Field(description="Name of the BackgroundTaskRun; it may have been pruned since.")
    task_arn: Arn | None = Field(None, description="ARN of its ECS task.")
    phase: Phase = Field(description="How it ended.")
    reason: Word | None = Field(None, description="One CamelCase word: why it ended so.")
    exit_code: int | None = Field(None, description="Exit code of the container, where it had one.")
    completion_time: Time | None = Field(None, description="When it ended.")


class ActiveRun(Model):
    """A run that has leave to be launched, or was launched, and has not ended."""

    name: Name = Field(description="Name of the BackgroundTaskRun.")
    task_arn: Arn | None = Field(None, description="ARN of its ECS task, once there is one.")


class TaskStatus(Status):
    """The observed state of a BackgroundTask."""

    conditions: Conditions = Field(
        (),
        description="Ready: AWS is as the spec asks. Scheduled: runs start by themselves. LastRunSucceeded: whether "
        "the last run did. Reconciling and Stalled are present only while True.",
    )
    task_definition_arn: Arn | None = Field(None, description="Revision of the task definition that new runs use.")
    spec_hash: Annotated[str, StringConstraints(max_length=128)] | None = Field(
        None, description="Hash of the task definition that the spec asks for."
    )
    schedules: Annotated[tuple[ScheduleStatus, ...], Field(max_length=8, strict=False), Unique("name")] = Field(
        (),
        description="Schedules of this task: two where cron restricts both day of month and day of week, which Unix "
        "cron joins with or.",
    )
    next_schedule_time: Time | None = Field(
        None, description="When the next run is due; absent if suspended, without cron, or with rate(...)."
    )
    last_schedule_time: Time | None = Field(None, description="Slot of the latest scheduled run.")
    slots_accounted_from: Time | None = Field(
        None,
        description="When the schedule was last settled: the account of its slots begins here. Where AWS's clock is "
        "behind, a slot just before it may run, too.",
    )
    slots_accounted_until: Time | None = Field(
        None,
        description="Each slot of the schedule up to here has, or had, its run. Slots after it are looked for once "
        "their time to start is over.",
    )
    last_successful_time: Time | None = Field(None, description="When a run last succeeded.")
    last_failure_time: Time | None = Field(
        None,
        description="When a run last failed, was missed or got lost. One that was cancelled or replaced is no failure, "
        "nor is one that somebody asked for and that was refused before its launch.",
    )
    last_run: LastRun | None = Field(
        None, description="The run that ended last, apart from those that were skipped or refused before their launch."
    )
    active: Annotated[
        tuple[ActiveRun, ...], Field(max_length=ACTIVE_SHOWN, strict=False), first(ACTIVE_SHOWN), Unique("name")
    ] = Field((), description="Runs that are launched, or about to be, and have not ended; at most 64 are listed.")
    active_runs: int = Field(
        0, ge=0, description="Number of runs that are launched, or about to be, and have not ended."
    )
    last_handled_reconcile_at: Word | None = Field(
        None, description="Value of the annotation bgtask.dev/reconcile-requested-at that was last acted on."
    )
    last_handled_run_at: Word | None = Field(
        None, description="Value of the annotation bgtask.dev/run-requested-at that was last recorded or acted on."
    )
