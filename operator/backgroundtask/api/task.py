"""`BackgroundTask`: what to run, and when.

Names and meanings are those of CronJob and Job wherever these have one, and of ECS otherwise.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, field_validator

from backgroundtask.api.env import Env, WholeSecretArn
from backgroundtask.api.fargate import OFFER, SIZE_RULE, SIZES
from backgroundtask.api.fields import RoleName, Tags, TemplateName, dns_label
from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.model import Model
from backgroundtask.api.names import MAX_TASK_NAME, TASK_KIND
from backgroundtask.api.overrides import Words
from backgroundtask.api.parting import DeletionPolicy, Parting
from backgroundtask.api.rules import Rule, Unique, immutable, shaped
from backgroundtask.api.task_status import TaskStatus
from backgroundtask.api.volumes import Volumes

CpuArchitecture = Literal["X86_64", "ARM64"]
ConcurrencyPolicy = Literal["Allow", "Forbid", "Replace"]

Image = Annotated[
    str,
    StringConstraints(min_length=1, max_length=512),
    shaped(
        "[A-Za-z0-9][A-Za-z0-9_./:#-]*(@sha256:[A-Fa-f0-9]{64})?",
        "must be repository:tag or repository@sha256:digest, as docker pull takes it",
    ),
]
Cron = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256),
    Rule(
        cel="!self.contains('TZ=')",
        message="write the time zone into spec.timeZone, not TZ= or CRON_TZ= into cron",
        holds=lambda cron: "TZ=" not in cron,
    ),
    shaped(
        r"@[a-z]+( [0-9a-z]+)?|(cron|rate|at)\([ -~]+\)|[!-~]+([ \t]+[!-~]+){4,5}",
        "must be the five fields of Unix cron (0 3 * * 1-5), a macro (@daily), or cron(...), rate(...) or at(...) of "
        "EventBridge Scheduler, without spaces around it",
    ),
]
TimeZone = Annotated[
    str,
    # EventBridge Scheduler's limit of ScheduleExpressionTimezone.
    StringConstraints(min_length=1, max_length=50),
    shaped("[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", "must be an IANA name such as Europe/Berlin or UTC"),
]
Item = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256),
    shaped("[ -~]+", "must be printable ASCII"),
]
Items = Annotated[tuple[Item, ...], Field(max_length=100, strict=False), Unique()]


class TaskSpec(Model):
    """The desired state of a BackgroundTask."""

    rules = (
        SIZE_RULE,
        Rule(
            cel="!has(self.enableExecuteCommand) || !self.enableExecuteCommand || has(self.taskRole)",
            message="enableExecuteCommand needs a taskRole with ssmmessages rights",
            holds=lambda spec: not spec.enable_execute_command or spec.task_role is not None,
            field="taskRole",
        ),
        Rule(
            cel="has(self.taskRole) || !has(self.volumes) || "
            "self.volumes.all(volume, !has(volume.efs.iam) || !volume.efs.iam)",
            message="a volume that is mounted with iam needs a taskRole, whose rights it uses",
            holds=lambda spec: spec.task_role is not None or not any(volume.efs.iam for volume in spec.volumes),
            field="taskRole",
        ),
    )

    image: Image = Field(description="Container image, as repository:tag or repository@sha256:digest.")
    cpu: int = Field(
        ge=256,
        le=196608,
        description="ECS CPU units of the task: 1024 are one vCPU. Fargate offers "
        + ", ".join(map(str, SIZES))
        + "; other numbers are left to ECS to judge.",
    )
    memory: int = Field(
        ge=512,
        le=1048576,
        description=f"Memory of the task in MiB. Fargate offers, by cpu: {OFFER}.",
    )
    command: Words = Field(
        (),
        description="Arguments of the container, ECS's command: what Kubernetes calls args. Absent: the image's CMD.",
    )
    entry_point: Words = Field(
        (), description="Replaces the image's ENTRYPOINT: what Kubernetes calls command. Absent: the image's."
    )
    env: Env = Field((), description="Environment variables of the container.")
    cron: Cron | None = Field(
        None,
        description="When to run: Unix cron as CronJob reads it (0 3 * * 1-5), a macro (@daily), or a raw cron(...), "
        "rate(...) or at(...) of EventBridge Scheduler. Absent: it runs on demand only.",
    )
    time_zone: TimeZone = Field(
        "UTC",
        description="IANA time zone in which cron is read. A local time that daylight saving skips does not run; one "
        "that it repeats runs once.",
    )
    suspend: bool = Field(
        default=False, description="Stops new scheduled runs. Runs that are under way go on, as with CronJob."
    )
    concurrency_policy: ConcurrencyPolicy = Field(
        "Allow",
        description="What happens when a run is due while another of this task is under way. Allow: both run. Forbid: "
        "a slot is skipped, and a run that somebody asked for waits. Replace: the one under way is stopped first. "
        "Forbid and Replace need the operator, so the schedule sends ticks (launch: Queue).",
    )
    starting_deadline_seconds: Annotated[int, Field(ge=60, le=604800)] | None = Field(
        None,
        description="Seconds after its slot within which a run, or the first one of forEach, has to be launched; later "
        "it is recorded as Missed. Absent: a launch that failed is made up for within the hour.",
    )
    active_deadline_seconds: Annotated[int, Field(ge=1, le=2592000)] | None = Field(
        None,
        description="Seconds from its launch, over all attempts, after which a run is stopped and fails with reason "
        "DeadlineExceeded.",
    )
    backoff_limit: int = Field(
        0,
        ge=0,
        le=100,
        description="How often a failed run is tried again, after 10 s, 20 s, 40 s and so on up to 6 minutes. Launches "
        "that AWS refused and interruptions of Spot are tried again apart from it. Job's default is 6.",
    )
    for_each: Items = Field(
        (),
        description="Items: each slot, and each request by annotation, makes one run an item, one after another in "
        "this order. A run finds its item in the variable BGT_ITEM.",
    )
    launch_template: Annotated[TemplateName, immutable("launchTemplate", TASK_KIND)] = Field(
        "default",
        description="Name of the LaunchTemplate that says where the task runs; it lists this namespace. Immutable.",
    )
    description: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        None, description="What the task is for, for people."
    )
    task_role: RoleName | None = Field(
        None,
        description="Name of the IAM role that the container gets, one of those that the LaunchTemplate offers in "
        "taskRoles. Absent: no role.",
    )
    cpu_architecture: CpuArchitecture = Field("X86_64", description="Processor that the image is built for.")
    ephemeral_storage_gib: Annotated[int, Field(ge=21, le=200)] | None = Field(
        None, alias="ephemeralStorageGiB", description="Size of the task's disk in GiB. Absent: Fargate's 20."
    )
    volumes: Volumes = Field((), description="File systems that the container mounts.")
    enable_execute_command: bool = Field(
        default=False,
        description="Lets people open a shell in a running container (ECS Exec). The LaunchTemplate has to allow it, "
        "and the task needs a taskRole with ssmmessages rights.",
    )
    registry_credentials: WholeSecretArn | None = Field(
        None,
        description="Secrets Manager secret with username and password of the private registry that the image is "
        "pulled from; inside one of the patterns in the LaunchTemplate's secrets. Absent: ECR, or a public registry.",
    )
    termination_grace_period_seconds: int = Field(
        30,
        ge=2,
        le=120,
        description="Seconds between SIGTERM and SIGKILL when a run is stopped: ECS's stopTimeout.",
    )
    tags: Tags = Field(
        default_factory=dict,
        description="AWS tags for the task definition and the tasks, next to the operator's own and the template's.",
    )
    deletion_policy: DeletionPolicy = Field(
        "Delete",
        description="What happens to the AWS side when this object is deleted: Delete removes schedules, stops active "
        "runs and deregisters definitions; Retain leaves everything, the schedule included, as it is.",
    )
    successful_runs_history_limit: int = Field(
        3,
        ge=0,
        le=100,
        description="How many succeeded runs are kept as BackgroundTaskRuns; apart from these as many skipped ones.",
    )
    failed_runs_history_limit: int = Field(
        1,
        ge=0,
        le=100,
        description="How many runs that failed, were missed or got lost are kept as BackgroundTaskRuns; apart from "
        "these as many that were cancelled, replaced, or refused before their launch.",
    )


class TaskParting(Parting):
    """What of the spec is needed to stop a task, readable also where the rest of the spec is refused."""

    deletion_policy: DeletionPolicy = "Delete"
    suspend: bool = False

    @field_validator("suspend", mode="before")
    @classmethod
    def _suspended_only_if_said(cls, value: object) -> bool:
        return value is True


class BackgroundTask(Model):
    """A container that runs on AWS Fargate on a schedule: what a CronJob would be if its pods were ECS tasks."""

    rules: ClassVar = (dns_label(TASK_KIND, MAX_TASK_NAME),)

    metadata: ObjectMeta
    spec: TaskSpec = Field(description="What to run, and when.")
    status: TaskStatus = Field(TaskStatus(), description="What is there, and how the runs went.")
