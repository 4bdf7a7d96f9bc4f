"""`BackgroundTaskRun`: one execution of a task, and the record of one slot of its schedule.

ECS forgets a stopped task after an hour; this object is what remains.
"""

from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from backgroundtask.api.conditions import Conditions
from backgroundtask.api.fields import Arn, TaskName, Text, Time, Word, dns_label
from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.model import Model, Status
from backgroundtask.api.names import MAX_LABEL, RUN_KIND
from backgroundtask.api.phases import Phase
from backgroundtask.api.rules import Rule

Version = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]


class RunSpec(Model):
    """What is executed. It never changes."""

    rules = (Rule(cel="self == oldSelf", message=f"spec is immutable: create a new {RUN_KIND}"),)

    task: TaskName = Field(description="Name of the BackgroundTask in the same namespace.")
    scheduled_time: Time = Field(
        description="Slot of the schedule that this run is for, in UTC: 2026-11-30T03:00:00Z. The operator creates the "
        "runs of a schedule; a run does not start anything by itself."
    )


class Attempt(Model):
    """One ECS task that was started for the run."""

    task_arn: Arn | None = Field(None, description="ARN of the ECS task.")
    start_time: Time | None = Field(None, description="When its container started.")
    completion_time: Time | None = Field(None, description="When it stopped.")
    exit_code: int | None = Field(None, description="Exit code of the container, where it had one.")
    reason: Word | None = Field(None, description="One CamelCase word: why it ended.")
    stop_code: Word | None = Field(None, description="ECS's stopCode.")


class RunLogs(Model):
    """Where the output of the container is."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})

    group: Word | None = Field(None, description="CloudWatch log group.")
    stream: Word | None = Field(None, description="CloudWatch log stream; it appears with the first line.")
    url: Text | None = Field(None, description="The stream in the AWS console.")


class RunStatus(Status):
    """The observed state of a BackgroundTaskRun."""

    conditions: Conditions = Field(
        (),
        description="Complete or Failed once the run has ended, as with Job; Ready, Reconciling and Stalled for tools "
        "that wait.",
    )
    phase: Phase | None = Field(None, description="Where the run is, or how it ended.")
    task_arn: Arn | None = Field(None, description="ARN of the ECS task of the latest attempt.")
    task_version: Version | None = Field(
        None, description="Version of that ECS task that this status reflects; ECS counts it up with each change."
    )
    task_definition_arn: Arn | None = Field(None, description="Revision of the task definition that the ECS task runs.")
    attempts: Annotated[tuple[Attempt, ...], Field(max_length=32, strict=False)] = Field(
        (), description="ECS tasks that were started for this run, oldest first."
    )
    start_time: Time | None = Field(None, description="When the container started.")
    completion_time: Time | None = Field(None, description="When the run ended, however it ended.")
    exit_code: int | None = Field(None, description="Exit code of the container, where it had one.")
    reason: Word | None = Field(None, description="One CamelCase word: why the run is in this phase.")
    message: Text | None = Field(None, description="The same for people, with what ECS and the container said.")
    stop_code: Word | None = Field(None, description="ECS's stopCode.")
    logs: RunLogs | None = Field(None, description="Where the output of the container is.")


class BackgroundTaskRun(Model):
    """One execution of a BackgroundTask: the request, and its record."""

    rules: ClassVar = (dns_label(RUN_KIND, MAX_LABEL),)

    metadata: ObjectMeta
    spec: RunSpec = Field(description="What is executed.")
    status: RunStatus = Field(RunStatus(), description="How it goes, and how it ended.")
