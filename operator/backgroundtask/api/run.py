"""`BackgroundTaskRun`: one execution of a task, and the record of one slot of its schedule.

ECS forgets a stopped task after an hour; this object is what remains.
"""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import ConfigDict, Field, StringConstraints

from backgroundtask.api.conditions import Conditions
from backgroundtask.api.fields import Arn, LogLine, TaskName, Text, Time, Word, dns_label, last
from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.model import Model, Status
from backgroundtask.api.names import MAX_RUN_NAME, RUN_KIND
from backgroundtask.api.overrides import Overrides
from backgroundtask.api.phases import Phase
from backgroundtask.api.rules import Rule
from backgroundtask.api.task import Item

TAIL_LINES: Final = 10
"""How many of the last lines of a failed run its status keeps."""

Version = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]


def _unchanged(field: str) -> str:
    return f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"


_FIXED = ("overrides", "scheduledTime", "item", "ttlSecondsAfterFinished")


class RunSpec(Model):
    """What is executed. It never changes, but for `cancel`."""

    rules = (
        Rule(
            cel=" && ".join(["self.task == oldSelf.task", *map(_unchanged, _FIXED)]),
            message=f"spec is immutable but for cancel: create a new {RUN_KIND}",
        ),
        Rule(cel="!oldSelf.cancel || self.cancel", message="a cancelled run stays cancelled", field="cancel"),
    )

    task: TaskName = Field(description="Name of the BackgroundTask in the same namespace.")
    overrides: Overrides | None = Field(
        None, description="What this run has otherwise than its task, within the LaunchTemplate's limits."
    )
    scheduled_time: Time | None = Field(
        None,
        description="Slot of the schedule that this run is for, in UTC: 2026-11-30T03:00:00Z. The operator creates the "
        "runs of a schedule; absent: the run was asked for.",
    )
    item: Item | None = Field(
        None, description="The item of the task's forEach that this run is for; required where the task has forEach."
    )
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=31536000)] | None = Field(
        None,
        description="Seconds after its end at which the run is deleted, unless it is deployed from Git. Absent: it is "
        "kept, or pruned by the task's history limits.",
    )
    cancel: bool = Field(default=False, description="Stops the run. The one field that can change, and never back.")


class Attempt(Model):
    """One ECS task that was started for the run."""

    task_arn: Arn | None = Field(None, description="ARN of the ECS task.")
    launch_time: Time | None = Field(None, description="When ECS accepted it.")
    start_time: Time | None = Field(None, description="When its container started.")
    completion_time: Time | None = Field(None, description="When it stopped.")
    exit_code: int | None = Field(None, description="Exit code of the container, where it had one.")
    reason: Word | None = Field(None, description="One CamelCase word: why it ended.")
    stop_code: Word | None = Field(None, description="ECS's stopCode.")
    duplicate: bool | None = Field(None, description="True for a second ECS task of the same slot, which is stopped.")


class LaunchRecord(Model):
    """The latest launch that the operator made for the run, frozen before ECS is asked.

    The values of overridden variables are not in it: they are in the spec, which never changes either.
    """

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})

    number: int = Field(ge=0, le=1000000, description="0 for the first launch of the run; each new token counts up.")
    token: Annotated[str, StringConstraints(max_length=64)] = Field(description="ECS's clientToken of the launch.")
    time: Time = Field(description="When ECS was first asked.")
    request: Annotated[str, StringConstraints(max_length=32768)] = Field(
        description="The RunTask request as JSON, without the overrides of the spec."
    )
    task_arn: Arn | None = Field(
        None, description="ARN of the ECS task that it started; absent while that is not known."
    )
    refused: bool | None = Field(
        None, description="True where ECS started nothing and said so: the next launch has a new token."
    )


class StopRequest(Model):
    """That the operator stops the run, and why; recorded before ECS is asked."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})

    reason: Literal["Cancelled", "Replaced", "DeadlineExceeded"] = Field(description="Why.")
    time: Time = Field(description="Since when.")


class RunLogs(Model):
    """Where the output of the container is."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})

    group: Word | None = Field(None, description="CloudWatch log group.")
    stream: Word | None = Field(None, description="CloudWatch log stream; it appears with the first line.")
    url: Text | None = Field(None, description="The stream in the AWS console.")
    tail: Annotated[tuple[LogLine, ...], Field(max_length=TAIL_LINES, strict=False), last(TAIL_LINES)] = Field(
        (), description="The last lines of a failed run, cut, without control characters."
    )


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
    launch: LaunchRecord | None = Field(None, description="The latest launch that the operator made for this run.")
    stop: StopRequest | None = Field(None, description="That the operator stops this run, and why.")
    failed_attempts: Annotated[int, Field(ge=0)] | None = Field(
        None, description="How many attempts failed and count against backoffLimit."
    )
    launch_failures: Annotated[int, Field(ge=0)] | None = Field(
        None, description="How often in a row AWS refused to launch it."
    )
    retry_time: Time | None = Field(None, description="When it is launched again.")
    start_time: Time | None = Field(None, description="When the container started.")
    completion_time: Time | None = Field(None, description="When the run ended, however it ended.")
    exit_code: int | None = Field(None, description="Exit code of the container, where it had one.")
    reason: Word | None = Field(None, description="One CamelCase word: why the run is in this phase.")
    message: Text | None = Field(None, description="The same for people, with what ECS and the container said.")
    stop_code: Word | None = Field(None, description="ECS's stopCode.")
    logs: RunLogs | None = Field(None, description="Where the output of the container is.")


class BackgroundTaskRun(Model):
    """One execution of a BackgroundTask: the request, and its record."""

    rules: ClassVar = (dns_label(RUN_KIND, MAX_RUN_NAME),)

    metadata: ObjectMeta
    spec: RunSpec = Field(description="What is executed.")
    status: RunStatus = Field(RunStatus(), description="How it goes, and how it ended.")
