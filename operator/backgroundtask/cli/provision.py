"""What a laptop's AWS needs before the operator can use it: what the CloudFormation template makes in an account.

A cluster, the two queues with their poison queues, the rule that collects task events, the roles: for either clock of a
LaunchTemplate and either way to launch. Everything is created
where it is missing, so that a second start finds the first one's. Works against localaws, another emulator or an
account; needs rights to create these things.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from backgroundtask.api.names import API_VERSION, TEMPLATE_KIND
from backgroundtask.errors import Blocked
from backgroundtask.plan.names import family_prefix
from backgroundtask.plan.outcome import TELLING

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

_MAX_RECEIVES = "5"
_VISIBILITY = "60"  # seconds: far more than storing an event takes
_RETENTION = str(14 * 24 * 3600)  # SQS' longest: what happens while the operator is down for so long is still recorded
_EXECUTION_ACTIONS = (
    "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage",
    "logs:CreateLogStream", "logs:PutLogEvents", "ssm:GetParameters", "secretsmanager:GetSecretValue",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """What was found or made: ARNs, and the ids of the subnets that tasks get."""

    region: str
    cluster: str
    events: str
    ticks: str
    execution_role: str
    scheduler_role: str
    task_role: str
    subnets: tuple[str, ...]

    def template(self, log_group: str) -> dict[str, Any]:
        """The LaunchTemplate `default` that offers all of it to every namespace."""
        return {
            "apiVersion": API_VERSION,
            "kind": TEMPLATE_KIND,
            "metadata": {"name": "default"},
            "spec": {
                "namespaces": ["*"],
                "region": self.region,
                "cluster": self.cluster,
                "network": {"subnets": list(self.subnets), "assignPublicIp": True},
                "executionRoleArn": self.execution_role,
                "schedulerRoleArn": self.scheduler_role,
                "taskRoles": {"demo": self.task_role},
                "queues": {"events": self.events, "ticks": self.ticks},
                "logs": {"group": log_group, "retentionDays": 7},
                "secrets": ["/{namespace}/*", "arn:aws:secretsmanager:*:*:secret:{namespace}/*"],
            },
        }


def provision(installation: str, env: Mapping[str, str]) -> Provisioned:
    """Create what is missing, in the AWS that the environment names.

    Raises:
        Blocked: AWS refuses, or cannot be reached; the message says what to grant.
    """
    session = boto3.Session(
        aws_access_key_id=env.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=env.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=env.get("AWS_SESSION_TOKEN"),
        region_name=env.get("AWS_REGION"),
    )
    try:
        return _Account(session, env.get("AWS_ENDPOINT_URL")).provision(f"bgt-{installation}", installation)
    except ClientError as e:
        error = e.response.get("Error", {})
        why = f"{e.operation_name}: {error.get('Code')}: {error.get('Message')}"
        raise Blocked("ProvisioningRefused", f"AWS refuses {why}") from e
    except BotoCoreError as e:
        raise Blocked("AwsUnreachable", f"AWS cannot be used: {e}") from e


class _Account:
    """One account and region."""

    def __init__(self, session: boto3.Session, endpoint: str | None) -> None:
        self._ecs = session.client("ecs", endpoint_url=endpoint)
        self._ec2 = session.client("ec2", endpoint_url=endpoint)
        self._sqs: SQSClient = session.client("sqs", endpoint_url=endpoint)
        self._events = session.client("events", endpoint_url=endpoint)
        self._iam = session.client("iam", endpoint_url=endpoint)
        self._region = self._ecs.meta.region_name

    def provision(self, name: str, installation: str) -> Provisioned:
        cluster = self._ecs.create_cluster(clusterName=name, capacityProviders=["FARGATE", "FARGATE_SPOT"])["cluster"][
            "clusterArn"
        ]
        events, ticks = self._queue(f"{name}-events"), self._queue(f"{name}-ticks")
        self._collect_events(name, installation, cluster, events)
        self._let_rules_send(ticks, f"{events.replace(':sqs:', ':events:').rpartition(':')[0]}:rule/*")
        execution = self._role(f"{name}-execution", ["ecs-tasks"], list(_EXECUTION_ACTIONS))
        task = self._role(f"{name}-task", ["ecs-tasks"], [])
        starts = ["ecs:RunTask", "ecs:TagResource", "iam:PassRole", "sqs:SendMessage"]
        scheduler = self._role(f"{name}-scheduler", ["scheduler", "events"], starts)
        return Provisioned(
            region=self._region,
            cluster=cluster,
            events=events,
            ticks=ticks,
            execution_role=execution,
            scheduler_role=scheduler,
            task_role=task,
            subnets=self._subnets(),
        )

    def _queue(self, name: str) -> str:
        """The ARN of a queue whose unreadable messages end in a queue of their own."""
        times: dict[QueueAttributeNameType, str] = {"MessageRetentionPeriod": _RETENTION}
        poison = self._arn(self._sqs.create_queue(QueueName=f"{name}-poison", Attributes=times)["QueueUrl"])
        url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        redrive = json.dumps({"deadLetterTargetArn": poison, "maxReceiveCount": _MAX_RECEIVES})
        self._sqs.set_queue_attributes(
            QueueUrl=url, Attributes={**times, "VisibilityTimeout": _VISIBILITY, "RedrivePolicy": redrive}
        )
        return self._arn(url)

    def _arn(self, url: str) -> str:
        return self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def _collect_events(self, name: str, installation: str, cluster: str, queue: str) -> None:
        """Send what is to be told of this installation's tasks to the queue, and let EventBridge do so."""
        pattern = {
            "source": ["aws.ecs"],
            "detail-type": ["ECS Task State Change"],
            "detail": {
                "clusterArn": [cluster],
                "group": [{"prefix": f"family:{family_prefix(installation)}"}],
                "lastStatus": list(TELLING),
            },
        }
        rule = self._events.put_rule(Name=f"{name}-tasks", EventPattern=json.dumps(pattern))["RuleArn"]
        self._let_rules_send(queue, rule)
        failed = self._events.put_targets(Rule=f"{name}-tasks", Targets=[{"Id": "events", "Arn": queue}])
        if failed["FailedEntryCount"]:
            entry = failed["FailedEntries"][0]
            raise Blocked("ProvisioningRefused", f"PutTargets: {entry.get('ErrorCode')}: {entry.get('ErrorMessage')}")

    def _let_rules_send(self, queue: str, rules: str) -> None:
        """Let EventBridge send to a queue (ARN) for the sake of rules: an ARN, or a pattern of ARNs."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnLike": {"aws:SourceArn": rules}},
        }
        url = self._sqs.get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"]
        self._sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy([statement])})

    def _role(self, name: str, services: list[str], actions: list[str]) -> str:
        principals = [f"{service}.amazonaws.com" for service in services]
        trust = _policy([{"Effect": "Allow", "Principal": {"Service": principals}, "Action": "sts:AssumeRole"}])
        try:
            arn = self._iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        except self._iam.exceptions.EntityAlreadyExistsException:
            arn = self._iam.get_role(RoleName=name)["Role"]["Arn"]
            self._iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)  # an older start let fewer in
        if actions:
            allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
            self._iam.put_role_policy(RoleName=name, PolicyName="bgt", PolicyDocument=_policy([allowed]))
        return arn

    def _subnets(self) -> tuple[str, ...]:
        found = self._ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
        ids = tuple(sorted(one["SubnetId"] for one in found))[:16]
        if not ids:
            raise Blocked("NoSubnets", f"There is no default VPC in {self._region}: create one, or set AWS_REGION.")
        return ids


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
