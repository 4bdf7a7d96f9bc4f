"""AddPermission and RemovePermission: statements of a queue's policy by label.

Knows policies as text. documented: API: AddPermission, at most seven actions a statement; reported: the wordings.
"""

from __future__ import annotations

import json
import re
from typing import Any

from localaws.contract import AwsError, Params
from localaws.sqs import refusals

_LABEL = re.compile(r"[\w-]{1,80}", re.ASCII)
_MOST_ACTIONS = 7
_ACTIONS = frozenset(
    {
        "*",
        "SendMessage",
        "ReceiveMessage",
        "DeleteMessage",
        "ChangeMessageVisibility",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "PurgeQueue",
    }
)


def added(policy: str | None, arn: str, params: Params) -> str:
    """The policy with a statement that lets accounts do actions on the queue.

    Raises:
        AwsError: MissingParameter, InvalidParameterValue or OverLimit.
    """
    document = _read(policy, arn)
    label = _new_label(params.get("Label") or "", document)
    accounts, actions = _listed(params, "AWSAccountIds"), _listed(params, "Actions")
    if len(actions) > _MOST_ACTIONS:
        message = f"{len(actions)} Actions were found, maximum allowed is {_MOST_ACTIONS}."
        raise AwsError("OverLimit", message, status=403)
    for action in actions:
        if action not in _ACTIONS:
            raise refusals.invalid_value(
                f"SQS:{action}", "ActionName", "Only the queue owner is allowed to invoke this action."
            )
    statement = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_all([f"arn:aws:iam::{account}:root" for account in accounts])},
        "Action": _one_or_all([f"SQS:{action}" for action in actions]),
        "Resource": arn,
    }
    document["Statement"].append(statement)
    return json.dumps(document)


def removed(policy: str | None, params: Params) -> str:
    """The policy without the statement of a label; empty where no statement is left.

    Raises:
        AwsError: InvalidParameterValue, where it has none of that label.
    """
    document, label = _read(policy, ""), params.get("Label") or ""
    kept = [statement for statement in document["Statement"] if statement.get("Sid") != label]
    if len(kept) == len(document["Statement"]):
        raise refusals.invalid_value(label, "Label", "can't find label on existing policy.")
    document["Statement"] = kept
    return json.dumps(document) if kept else ""


def _new_label(label: str, document: dict[str, Any]) -> str:
    if not _LABEL.fullmatch(label):
        reason = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        raise refusals.invalid_value(label, "Label", reason)
    if any(statement.get("Sid") == label for statement in document["Statement"]):
        raise refusals.invalid_value(label, "Label", "Already exists.")
    return label


def _read(policy: str | None, arn: str) -> dict[str, Any]:
    if policy is None:
        return {"Version": "2012-10-17", "Id": f"{arn}/SQSDefaultPolicy", "Statement": []}
    document: dict[str, Any] = json.loads(policy)
    statements = document.get("Statement", [])
    document["Statement"] = statements if isinstance(statements, list) else [statements]
    return document


def _listed(params: Params, name: str) -> list[str]:
    found: list[str] = params.get(name) or []
    if not found:
        raise refusals.missing(name)
    return found


def _one_or_all(texts: list[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else texts
