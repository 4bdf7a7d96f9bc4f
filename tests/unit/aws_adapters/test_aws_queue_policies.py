"""Whether a queue takes what EventBridge rules send, as far as its policy tells."""

import json
from typing import Any

import pytest

from backgroundtask.aws import Queues
from fixtures.wire import Wire

QUEUE = "arn:aws:sqs:eu-west-1:111122223333:ticks"
EVENTS = {"Service": "events.amazonaws.com"}
SEND = "sqs:SendMessage"


def allowing(**members: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Principal": EVENTS, "Action": SEND, "Resource": "*", **members}]}


@pytest.mark.parametrize(
    ("policy", "takes", "why"),
    [
        (allowing(), True, "as it is documented"),
        (allowing(Condition={"ArnLike": {"aws:SourceArn": "arn:aws:events:*"}}), True, "for some rules at least"),
        (allowing(Principal={"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}), True, "one of several"),
        (allowing(Principal="*"), True, "everybody"),
        (allowing(Principal={"AWS": "*"}), True, "everybody, said otherwise"),
        (allowing(Action=["SQS:*"]), True, "every action, in any case"),
        ({"Statement": allowing()["Statement"][0]}, True, "a statement without a list around it"),
        (allowing(Principal={"Service": "sns.amazonaws.com"}), False, "another service"),
        (allowing(Principal={"AWS": "arn:aws:iam::111122223333:root"}), False, "the account's own callers"),
        (allowing(Action="sqs:ReceiveMessage"), False, "another action"),
        (allowing(Effect="Deny"), False, "a denial"),
        (None, False, "no policy: the account's own callers only"),
    ],
)
def test_a_queue_takes_from_rules_what_its_policy_lets_in(
    wire: Wire, policy: dict[str, Any] | None, *, takes: bool, why: str
) -> None:
    facts = {"VisibilityTimeout": "60", "MessageRetentionPeriod": "1209600"}
    wire.says("GetQueueUrl", {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/ticks"})
    wire.says("GetQueueAttributes", {"Attributes": facts | ({"Policy": json.dumps(policy)} if policy else {})})

    found = Queues(wire.clients()).describe(QUEUE)

    assert found.takes_from_rules is takes, why
