"""What people ask of AWS to find out what is wrong or would change: read only, and nothing that the operator relies on.

Who may not ask is told what to grant (`Blocked`), so that the caller can say what could not be looked at.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from backgroundtask.aws.clients import Clients
from backgroundtask.aws.errors import code_of, translated
from backgroundtask.aws.queues import Queues

_NO_ROLE = "NoSuchEntity"


@dataclass(frozen=True, slots=True)
class Feed:
    """An EventBridge rule that sends to a queue; `pattern` is its event pattern as JSON, None where it has none."""

    name: str
    arn: str
    is_enabled: bool
    pattern: str | None


@dataclass(frozen=True, slots=True)
class Trust:
    """What the trust policy of a role says: the AWS services that may assume it."""

    services: frozenset[str] = field(default_factory=frozenset)


class Inspection:
    """One account and region, as one identity sees it."""

    def __init__(self, clients: Clients, queues: Queues) -> None:
        self._clients = clients
        self._queues = queues

    @translated()
    def caller(self) -> str:
        """The ARN of who calls; its fifth part is the account (AWS STS API, GetCallerIdentity: needs no right)."""
        return self._clients.sts.get_caller_identity()["Arn"]

    @translated()
    def definition(self, arn: str) -> dict[str, Any]:
        """The content of a revision in the words of ECS: with the defaults that it adds, and the tags under `tags`.

        It has the values of env: whoever shows it leaves them out.
        """
        answer = self._clients.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
        return {**answer["taskDefinition"], "tags": answer.get("tags", [])}

    @translated()
    def trust(self, role: str) -> Trust | None:
        """The trust of a role (its ARN), or None where IAM knows no such role (404)."""
        try:
            document: Any = self._clients.iam.get_role(RoleName=role.rpartition("/")[2])["Role"].get(
                "AssumeRolePolicyDocument", {}
            )
        except ClientError as error:
            if code_of(error) != _NO_ROLE:
                raise
            return None
        policy = json.loads(document) if isinstance(document, str) else document
        return Trust(frozenset(_trusted(policy)))

    @translated()
    def feeds(self, queue: str) -> tuple[Feed, ...]:
        """The rules of the default bus that have a queue (its ARN) as target, by name."""
        events, names, token = self._clients.events, list[str](), ""
        while True:
            page = (
                events.list_rule_names_by_target(TargetArn=queue, NextToken=token)
                if token
                else events.list_rule_names_by_target(TargetArn=queue)
            )
            names += page.get("RuleNames", [])
            token = page.get("NextToken", "")
            if not token:
                break
        rules = [events.describe_rule(Name=name) for name in sorted(names)]
        return tuple(
            Feed(rule["Name"], rule["Arn"], rule.get("State") != "DISABLED", rule.get("EventPattern")) for rule in rules
        )

    @translated()
    def matches(self, pattern: str, event: Mapping[str, Any]) -> bool:
        """Whether an event pattern matches an event, as EventBridge itself judges (TestEventPattern)."""
        return self._clients.events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]

    @translated()
    def senders(self, queue: str) -> tuple[Mapping[str, Any], ...]:
        """The statements of a queue's policy, empty where it has none."""
        url = self._queues.url(queue)
        answer = self._clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
        return tuple(_statements(json.loads(answer.get("Attributes", {}).get("Policy", "{}"))))


def _statements(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = policy.get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)


def _trusted(policy: Mapping[str, Any]) -> Iterator[str]:
    for statement in _statements(policy):
        principal = statement.get("Principal", {})
        if statement.get("Effect") != "Allow" or not isinstance(principal, Mapping):
            continue
        services = principal.get("Service", [])
        yield from [services] if isinstance(services, str) else services
