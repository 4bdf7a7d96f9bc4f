"""The last part of the table in `refusals`: what AWS does not like about a request itself, once all else is ruled out.

Sources where a row rests on words: aws-sdk-js-v3 #6494 (role that Scheduler cannot assume), fabfuel/ecs-deploy #231
("Role is not valid"), virtual-kubelet #193 (execution role missing), DefangLabs/defang #775 ("TaskDefinition is
inactive"), moosefs-csi #1 ("Error retrieving subnet information"), airflow #48001 ("Capacity is unavailable"), dagster
PR #24691 ("reached the limit"); fargatecli #35 (service-linked role).
"""

from backgroundtask.aws.refusal import GROUPS, INVALID, LOG_GROUPS, STS, Refusal, words
from backgroundtask.errors import Blocked, Rejected

_RUN = words("RunTask")

_LAUNCH = (  # a launch that is blocked started nothing, and is tried again as a new one
    Refusal(
        Blocked,
        "RevisionInactive",
        "The revision of the task definition that was to run has been retired: the next launch takes the current one.",
        codes=INVALID,
        says="taskdefinition (is inactive|not found)",
        operations=_RUN,
    ),
    Refusal(
        Blocked,
        "CapacityUnavailable",
        "AWS has no capacity for the task at the moment. AWS says: {text}",
        codes=INVALID,
        says="capacity is unavailable",
        operations=_RUN,
    ),
    Refusal(
        Blocked,
        "LimitReached",
        "A quota of Fargate is used up: let tasks end, or have it raised. AWS says: {text}",
        codes=INVALID,
        says="reached the limit",
        operations=_RUN,
    ),
    Refusal(
        Blocked,
        "NetworkUnusable",
        "ECS cannot use spec.network of the LaunchTemplate: correct its subnets and security groups. AWS says: {text}",
        codes=INVALID,
        says="subnet|security ?group",
        operations=_RUN,
    ),
    Refusal(
        Blocked,
        "ServiceLinkedRoleMissing",
        "The account has no service-linked role of ECS: create it with `aws iam create-service-linked-role "
        "--aws-service-name ecs.amazonaws.com`.",
        codes=INVALID,
        says="service.linked role",
        operations=_RUN,
    ),
    Refusal(
        Blocked,
        "RoleNotAssumable",
        "ECS cannot assume a role of the LaunchTemplate: let ecs-tasks.amazonaws.com assume it in its trust policy. "
        "AWS says: {text}",
        codes=INVALID,
        says="unable to assume the role",
        operations=words("RunTask RegisterTaskDefinition"),
    ),
    Refusal(
        Blocked,
        "PlatformUnknown",
        "Fargate does not know spec.platformVersion of the LaunchTemplate: correct it. AWS says: {text}",
        codes=words("PlatformUnknownException"),
    ),
    Refusal(
        Rejected,
        "PlatformIncompatible",
        "The platform version of the LaunchTemplate cannot run this task: change spec.cpu, or ask the template's owner "
        "for a newer platformVersion. AWS says: {text}",
        codes=words("PlatformTaskDefinitionIncompatibilityException UnsupportedFeatureException"),
    ),
)

ABOUT_THE_REQUEST: tuple[Refusal, ...] = (
    *_LAUNCH,
    Refusal(
        Blocked,
        "RoleNotAssumable",
        "EventBridge Scheduler cannot assume spec.schedulerRoleArn of the LaunchTemplate: create that role, or correct "
        "its trust policy. AWS says: {text}",
        codes=INVALID,
        says="must allow AWS EventBridge Scheduler to assume|unable to assume the role",
    ),
    Refusal(
        Blocked,
        "RoleNotValid",
        "ECS does not accept a role of the LaunchTemplate: correct executionRoleArn or taskRoles there.",
        codes=INVALID,
        says="role is not valid",
    ),
    Refusal(
        Blocked,
        "ExecutionRoleMissing",
        "The LaunchTemplate has to name an executionRoleArn. AWS says: {text}",
        codes=INVALID,
        says="requires? task definition to have execution role",
    ),
    Refusal(
        Rejected,
        "InvalidFargateSize",
        "Fargate has no size of this cpu and memory: change spec.cpu or spec.memory. AWS says: {text}",
        codes=INVALID,
        says="no fargate configuration exists|invalid '?(cpu|memory)'? setting",
    ),
    *(
        Refusal(Rejected, reason, f"{who} does not accept {what}. AWS says: {{text}}", INVALID, "", words(operations))
        for reason, who, what, operations in (
            ("InvalidTaskDefinition", "ECS", "the task definition", "RegisterTaskDefinition"),
            ("InvalidLaunch", "ECS", "the launch", "RunTask"),
            ("InvalidSchedule", "EventBridge Scheduler", "the schedule", "CreateSchedule UpdateSchedule"),
            ("InvalidCluster", "ECS", "the name of the cluster", "DescribeClusters"),
            ("InvalidScheduleGroup", "EventBridge Scheduler", "the schedule group", " ".join(GROUPS)),
            ("InvalidLogGroup", "CloudWatch Logs", "the log group or its retention", " ".join(LOG_GROUPS)),
            ("InvalidLogStream", "CloudWatch Logs", "the log stream, or where to go on in it", "GetLogEvents"),
            ("InvalidQueue", "SQS", "the queue", "GetQueueUrl GetQueueAttributes"),
            ("InvalidRole", "STS", "the role to assume", " ".join(STS)),
        )
    ),
)
