"""A queue's policy lets EventBridge send on behalf of a rule, or does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localaws.events.policy import Access, allows

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:events"
RULE = "arn:aws:events:eu-west-1:123456789012:rule/bgt"
ACCESS = Access(
    service="events.amazonaws.com",
    action="sqs:SendMessage",
    resource=QUEUE,
    source_arn=RULE,
    source_account="123456789012",
)
ALLOW: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": QUEUE,
    "Condition": {"ArnEquals": {"aws:SourceArn": RULE}},
}


def allowed(*changes: dict[str, Any]) -> bool:
    """Whether statements allow it, each being the usual one with a change; None takes a member away."""
    statements = [{k: v for k, v in {**ALLOW, **change}.items() if v is not None} for change in changes]
    return allows(json.dumps({"Version": "2012-10-17", "Statement": statements}), ACCESS)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, "as the EventBridge user guide writes it"),
        ({"Condition": None}, "without a condition"),
        ({"Principal": "*"}, "everybody"),
        ({"Principal": {"AWS": "*"}}, "everybody, the long way"),
        ({"Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}}, "one of several services"),
        ({"Action": ["sqs:ReceiveMessage", "SQS:Send*"]}, "actions know no case and take wildcards"),
        ({"Resource": "*"}, "every resource"),
        ({"Action": None, "NotAction": "sqs:DeleteMessage"}, "every action but another"),
        (
            {"Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:events:*:123456789012:rule/*"}}},
            "an ARN with wildcards",
        ),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}, "by account"),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": ["1", "123456789012"]}}}, "one of several values"),
        ({"Condition": {"StringLikeIfExists": {"aws:PrincipalOrgID": "o-*"}}}, "a key that need not be there"),
        ({"Condition": {"Bool": {"aws:SecureTransport": True}}}, "services speak TLS"),
    ],
)
def test_a_statement_allows(change: dict[str, Any], why: str) -> None:
    assert allowed(change), why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"Effect": "Deny"}, "a denial allows nothing"),
        ({"Principal": {"Service": "sns.amazonaws.com"}}, "another service"),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, "the account is not the service"),
        ({"Principal": None}, "nobody"),
        ({"Principal": None, "NotPrincipal": {"AWS": "x"}}, "what is not understood never allows"),
        ({"Action": "sqs:ReceiveMessage"}, "another action"),
        ({"Resource": QUEUE + "-dead"}, "another queue"),
        ({"Condition": {"ArnEquals": {"aws:SourceArn": RULE + "-other"}}}, "another rule"),
        ({"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:events:*"}}}, "a wildcard does not reach across parts"),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, "a key that is not there"),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, "a condition that is not understood"),
        (
            {"Condition": {"ArnEquals": {"aws:SourceArn": RULE}, "StringEquals": {"aws:SourceAccount": "1"}}},
            "all conditions have to hold",
        ),
    ],
)
def test_a_statement_does_not_allow(change: dict[str, Any], why: str) -> None:
    assert not allowed(change), why


def test_a_denial_beats_a_permission() -> None:
    assert not allowed({}, {"Effect": "Deny", "Principal": "*", "Condition": None})


def test_a_denial_for_another_rule_does_not_matter() -> None:
    assert allowed({}, {"Effect": "Deny", "Condition": {"ArnEquals": {"aws:SourceArn": RULE + "-other"}}})


@pytest.mark.parametrize("policy", [None, "", '{"Statement": []}'])
def test_a_queue_without_statements_allows_no_service(policy: str | None) -> None:
    assert not allows(policy, ACCESS)
