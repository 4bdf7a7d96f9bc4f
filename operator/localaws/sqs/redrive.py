"""Where a queue's messages go that nobody can read: RedrivePolicy, and RedriveAllowPolicy of the other side.

Knows the two documents; not which queues there are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from localaws.sqs import refusals

_MOST_RECEIVES = 1000  # documented: DG, "Dead-letter queues": from 1 to 1,000
_MOST_SOURCES = 10  # documented: API: CreateQueue, RedriveAllowPolicy


@dataclass(frozen=True, slots=True)
class Redrive:
    """After `most` receives a message goes to the queue of that ARN."""

    arn: str
    most: int

    def as_text(self) -> str:
        """The policy as the API answers it; assumed: maxReceiveCount is a number, however it was set."""
        return json.dumps({"deadLetterTargetArn": self.arn, "maxReceiveCount": self.most}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whose dead-letter queue a queue may be: any queue's, none's, or that of these ARNs."""

    permission: str
    sources: tuple[str, ...] = ()

    def allows(self, source: str) -> bool:
        """Whether the queue of that ARN may name it."""
        return self.permission == "allowAll" or source in self.sources


def read_redrive(text: str) -> Redrive:
    """A RedrivePolicy.

    Raises:
        AwsError: InvalidParameterValue; reported: crossplane-contrib/provider-aws#443; assumed: the other reasons.
    """
    policy = _object(text, "RedrivePolicy", "Redrive policy is not a valid JSON map.")
    for member in ("deadLetterTargetArn", "maxReceiveCount"):
        if not policy.get(member):
            reason = f"Redrive policy does not contain mandatory attribute: {member}."
            raise refusals.invalid_value(text, "RedrivePolicy", reason)
    count = str(policy["maxReceiveCount"])
    if not count.isdecimal() or not 1 <= int(count) <= _MOST_RECEIVES:
        reason = f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive."
        raise refusals.invalid_value(text, "RedrivePolicy", reason)
    return Redrive(str(policy["deadLetterTargetArn"]), int(count))


def read_allowance(text: str) -> Allowance:
    """A RedriveAllowPolicy.

    Raises:
        AwsError: InvalidParameterValue; documented: API: CreateQueue for the rules; assumed: the reasons.
    """
    policy = _object(text, "RedriveAllowPolicy", "Redrive allow policy is not a valid JSON map.")
    permission, sources = policy.get("redrivePermission"), policy.get("sourceQueueArns", [])
    listed = isinstance(sources, list) and len(sources) <= _MOST_SOURCES
    if permission not in ("allowAll", "denyAll", "byQueue") or not listed:
        reason = "redrivePermission must be allowAll, denyAll or byQueue, with at most 10 sourceQueueArns."
        raise refusals.invalid_value(text, "RedriveAllowPolicy", reason)
    if (permission == "byQueue") != bool(sources):
        reason = "sourceQueueArns are given with redrivePermission byQueue, and only with it."
        raise refusals.invalid_value(text, "RedriveAllowPolicy", reason)
    return Allowance(permission, tuple(map(str, sources)))


def _object(text: str, name: str, reason: str) -> dict[str, Any]:
    try:
        policy = json.loads(text)
    except ValueError:
        raise refusals.invalid_value(text, name, reason) from None
    if not isinstance(policy, dict):
        raise refusals.invalid_value(text, name, reason)
    return policy
