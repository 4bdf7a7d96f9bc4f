"""`LaunchTemplate`: where the tasks of some namespaces run, with which network, roles and queues.

Creating a BackgroundTask is running code as its role, so this object is cluster-scoped, belongs to the platform team,
and by default lets nobody in.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from backgroundtask.api.aws_names import PARTITION, LogGroupName, QueueArn, RoleArn, SecurityGroupId, SubnetId
from backgroundtask.api.conditions import Conditions
from backgroundtask.api.fields import LABEL_PATTERN, ROLE_NAME, Arn, Tags, dns_label
from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.model import Model, Status
from backgroundtask.api.names import MAX_LABEL, TEMPLATE_KIND
from backgroundtask.api.rules import Rule, Unique, immutable, never_added_or_removed, shaped

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
SecretPattern = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2048),
    shaped(
        "([A-Za-z0-9/_+=.@!:*-]|[{]namespace[}])+",
        "must be the ARN of secrets or parameters, or the name of parameters, in which * stands for any text and "
        "{namespace} for the namespace of the task",
    ),
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


class CapacityProvider(Model):
    """A share of the tasks."""

    capacity_provider: Literal["FARGATE", "FARGATE_SPOT"] = Field(
        description="FARGATE, or FARGATE_SPOT: cheaper, and AWS may stop the task with two minutes' notice."
    )
    weight: int = Field(ge=0, le=1000, description="Share of the tasks beyond base, in relation to the other weights.")
    base: Annotated[int, Field(ge=0, le=100000)] | None = Field(
        None, description="How many tasks run on this one before the weights count. Only one provider can have a base."
    )


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


def _has_weight(providers: tuple[CapacityProvider, ...]) -> bool:
    return not providers or any(provider.weight > 0 for provider in providers)


CapacityProviderStrategy = Annotated[
    tuple[CapacityProvider, ...],
    Field(max_length=2, strict=False),
    Unique("capacityProvider"),
    Rule(
        cel="self.size() == 0 || self.exists(provider, provider.weight > 0)",
        message="at least one capacity provider needs a weight above 0",
        holds=_has_weight,
    ),
    Rule(
        cel="self.filter(provider, has(provider.base) && provider.base > 0).size() <= 1",
        message="only one capacity provider can have a base",
        holds=lambda providers: sum((provider.base or 0) > 0 for provider in providers) <= 1,
    ),
]


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
    secrets: Annotated[tuple[SecretPattern, ...], Field(max_length=64, strict=False), Unique()] = Field(
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
    tasks: int = Field(
        0, ge=0, description="Number of BackgroundTasks that use this template; while there are any, it stays."
    )


class LaunchTemplate(Model):
    """Where the tasks of the listed namespaces run, with which network, roles and queues."""

    rules: ClassVar = (dns_label(TEMPLATE_KIND, MAX_LABEL),)

    metadata: ObjectMeta
    spec: TemplateSpec = Field(description="Where and as what tasks run.")
    status: TemplateStatus = Field(TemplateStatus(), description="What was found, and who uses it.")
