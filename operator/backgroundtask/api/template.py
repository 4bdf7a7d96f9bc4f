"""`LaunchTemplate`: where the tasks of some namespaces run, with which network, roles and queues.

Creating a BackgroundTask is running code as its role, so this object is cluster-scoped, belongs to the platform team,
and by default lets nobody in.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from backgroundtask.api.aws_names import PARTITION, LogGroupName, QueueArn, RoleArn, SecurityGroupId, SubnetId
from backgroundtask.api.capacity import CapacityProviderStrategy
from backgroundtask.api.conditions import Conditions
from backgroundtask.api.fields import LABEL_PATTERN, ROLE_NAME, Arn, Tags, dns_label
from backgroundtask.api.limits import FileSystems, ImagePatterns, Limits, SecretPatterns
from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.model import Model, Status
from backgroundtask.api.names import MAX_LABEL, TEMPLATE_KIND
from backgroundtask.api.rules import Rule, Unique, immutable, never_added_or_removed, shaped

Clock = Literal["Scheduler", "Rule"]
Launch = Literal["Direct", "Queue"]
LogMode = Literal["blocking", "non-blocking"]
# The values that CloudWatch Logs' PutRetentionPolicy takes.
RetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]  # fmt: skip

NamespacePattern = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_LABEL),
    shaped(f"[*]|{LABEL_PATTERN}", "must be the name of a namespace, or * for all"),
]
TaskRoles = Annotated[
    dict[str, RoleArn],
    Field(max_length=64),
    Rule(
        cel=f"self.all(name, name.size() <= 63 && name.matches('^{ROLE_NAME.pattern}$'))",
        message="names in taskRoles must have 1 to 63 letters, digits, '-', '_' and '.', and begin and end with a "
        "letter or digit",
        holds=lambda roles: all(len(name) <= MAX_LABEL and ROLE_NAME.fullmatch(name) for name in roles),
    ),
]
Region = Annotated[
    str,
    StringConstraints(max_length=32),
    shaped("[a-z]+(-[a-z]+)+-[0-9]+", "must be the code of an AWS region: eu-west-1"),
    immutable("region", TEMPLATE_KIND),
]
Cluster = Annotated[
    str,
    StringConstraints(max_length=512),
    shaped(
        "(" + PARTITION + ":ecs:[a-z0-9-]+:[0-9]{12}:cluster/)?[A-Za-z0-9_-]{1,255}",
        "must be the name or the ARN of an ECS cluster",
    ),
    immutable("cluster", TEMPLATE_KIND),
]
ScheduleGroup = Annotated[
    str,
    StringConstraints(max_length=64),
    shaped("[0-9A-Za-z_.-]+", "must be the name of a schedule group: letters, digits, '-', '_' and '.'"),
    immutable("scheduleGroup", TEMPLATE_KIND),
]

PlatformVersion = Annotated[
    str,
    StringConstraints(max_length=16),
    shaped("LATEST|[0-9]+[.][0-9]+[.][0-9]+", "must be LATEST or a version such as 1.4.0"),
]


class Network(Model):
    """The network of the tasks (awsvpc)."""

    subnets: Annotated[tuple[SubnetId, ...], Field(min_length=1, max_length=16, strict=False), Unique()] = Field(
        description="Subnets of one VPC that tasks are placed in."
    )
    security_groups: Annotated[tuple[SecurityGroupId, ...], Field(max_length=5, strict=False), Unique()] = Field(
        (), description="Security groups of the tasks. Empty: the default one of the VPC."
    )
    assign_public_ip: bool = Field(
        default=False,
        description="Gives tasks a public address: needed in public subnets, unless endpoints serve ECR and logs.",
    )


class Queues(Model):
    """The SQS queues between AWS and the operator, each with its own dead-letter queue for people to look at."""

    rules = (
        Rule(
            cel="self.events != self.ticks",
            message="events and ticks must be two different queues",
            holds=lambda queues: queues.events != queues.ticks,
        ),
    )

    events: QueueArn = Field(
        description="ARN of the queue that an EventBridge rule sends ECS Task State Change events to."
    )
    ticks: QueueArn = Field(
        description="ARN of the queue that EventBridge Scheduler sends ticks and undelivered invocations to."
    )


class Logs(Model):
    """Where the output of containers goes."""

    group: LogGroupName = Field(description="CloudWatch log group; created if it does not exist.")
    retention_days: RetentionDays | None = Field(
        None, description="Days after which CloudWatch deletes log lines. Absent: the group's retention is left alone."
    )
    mode: LogMode | None = Field(
        None,
        description="What happens while CloudWatch is slow: blocking halts the container, non-blocking loses lines. "
        "Absent: as the account's setting defaultLogDriverMode says.",
    )


class TemplateSpec(Model):
    """Where and as what the tasks of the listed namespaces run."""

    rules = (
        never_added_or_removed("assumeRoleArn", TEMPLATE_KIND),
        never_added_or_removed("scheduleGroup", TEMPLATE_KIND),
    )

    namespaces: Annotated[tuple[NamespacePattern, ...], Field(max_length=1024, strict=False), Unique()] = Field(
        (), description="Namespaces whose BackgroundTasks may use this template; * stands for all. Empty: none."
    )
    region: Region = Field(description="AWS region. Immutable.")
    assume_role_arn: Annotated[RoleArn, immutable("assumeRoleArn", TEMPLATE_KIND)] | None = Field(
        None,
        description="IAM role that the operator takes on for everything that this template is used for, with the "
        "external id <installation>/<name of this template>. Absent: the operator's own role. Immutable.",
    )
    cluster: Cluster = Field(description="Name or ARN of the ECS cluster. Immutable.")
    schedule_group: ScheduleGroup | None = Field(
        None,
        description="EventBridge Scheduler group of the schedules; created if it does not exist. Absent: "
        "bgt-<installation>. Immutable.",
    )
    capacity_provider_strategy: CapacityProviderStrategy = Field(
        (), description="How tasks are shared between Fargate and Fargate Spot. Empty: Fargate."
    )
    platform_version: PlatformVersion | None = Field(
        None, description="Fargate platform version, such as 1.4.0. Absent: the latest."
    )
    network: Network = Field(description="Network of the tasks.")
    execution_role_arn: RoleArn = Field(
        description="IAM role with which ECS pulls images, writes logs and reads secrets."
    )
    task_roles: TaskRoles = Field(
        default_factory=dict,
        description="IAM roles that containers may run as: their ARNs by the names that taskRole refers to.",
    )
    scheduler_role_arn: RoleArn = Field(description="IAM role with which EventBridge Scheduler starts tasks.")
    queues: Queues = Field(description="SQS queues between AWS and the operator.")
    logs: Logs = Field(description="Where the output of containers goes.")
    clock: Clock = Field(
        "Scheduler",
        description="What starts scheduled runs: EventBridge Scheduler, or EventBridge rules for accounts without it. "
        "Rules know UTC only, and may start a slot twice: the second ECS task is stopped and recorded.",
    )
    launch: Launch = Field(
        "Direct",
        description="Who launches scheduled runs: Direct is the schedule itself, also while the operator is down; "
        "Queue is the operator, told by a tick in queues.ticks. A task whose policies need the operator is always "
        "queued.",
    )
    limits: Limits = Field(default_factory=Limits, description="The most that tasks and runs may ask for.")
    images: ImagePatterns = Field(
        (),
        description="Images that tasks may run: patterns in which * stands for any text and {namespace} for the "
        "namespace of the task. Empty: all.",
    )
    file_systems: FileSystems = Field(
        (), description="EFS file systems that volumes may refer to; * stands for all. Empty: none."
    )
    allow_execute_command: bool = Field(
        default=False, description="Whether tasks may set enableExecuteCommand: a shell with the rights of their role."
    )
    secrets: SecretPatterns = Field(
        (),
        description="Secrets that valueFrom may refer to: patterns of Secrets Manager ARNs, SSM parameter ARNs or "
        "names, in which * stands for any text and {namespace} for the namespace of the task. A reference is judged "
        "without its :json-key:version-stage:version-id. Empty: none.",
    )
    tags: Tags = Field(
        default_factory=dict, description="AWS tags for everything that is created, next to the operator's own."
    )


class TemplateStatus(Status):
    """The observed state of a LaunchTemplate."""

    conditions: Conditions = Field(
        (),
        description="Ready: cluster, queues, schedule group and log group are there. Reconciling and Stalled are "
        "present only while True.",
    )
    cluster_arn: Arn | None = Field(None, description="ARN of the cluster.")
    schedule_group_arn: Arn | None = Field(None, description="ARN of the schedule group.")
    clocks: Annotated[tuple[Clock, ...], Field(max_length=2, strict=False), Unique()] = Field(
        (),
        description="Clocks that this template has, or had: what its tasks have there is looked for and ended.",
    )
    tasks: int = Field(
        0, ge=0, description="Number of BackgroundTasks that use this template; while there are any, it stays."
    )


class LaunchTemplate(Model):
    """Where the tasks of the listed namespaces run, with which network, roles and queues."""

    rules: ClassVar = (dns_label(TEMPLATE_KIND, MAX_LABEL),)

    metadata: ObjectMeta
    spec: TemplateSpec = Field(description="Where and as what tasks run.")
    status: TemplateStatus = Field(TemplateStatus(), description="What was found, and who uses it.")
