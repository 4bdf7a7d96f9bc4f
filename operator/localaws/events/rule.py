"""What a rule is and what a target may be: nouns and the checks on them.

Pure. Limits and messages: EventBridge User Guide, "Quotas", and the API reference of PutRule and PutTargets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from localaws.contract import AwsError, Params
from localaws.events.pattern import InvalidPatternError, Match, compile_pattern

MOST_RULES = 300
MOST_TARGETS = 5
MOST_TAGS = 50
DISABLED = "DISABLED"

_QUEUE_ARN = re.compile(r"arn:aws[\w-]*:sqs:([a-z0-9-]+):(\d{12}):([\w-]{1,80}(?:\.fifo)?)", re.ASCII)
_INPUT_PATH = re.compile(r"\$(?:\.[\w-]+|\[\d+\]|\['[^']+'\])*", re.ASCII)
_PATH_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]|\['([^']+)'\]", re.ASCII)
_KNOWN = frozenset({"Id", "Arn", "RoleArn", "Input", "InputPath", "SqsParameters", "DeadLetterConfig", "RetryPolicy"})
_INPUTS = ("Input", "InputPath", "InputTransformer")


@dataclass(slots=True, kw_only=True)
class Rule:
    """One rule. `settings` are the members that PutRule set; the counters are CloudWatch's of the same names."""

    name: str
    arn: str
    settings: Params
    match: Match
    tags: dict[str, str] = field(default_factory=dict)
    targets: dict[str, Params] = field(default_factory=dict)
    triggered: int = 0
    invocations: int = 0
    failed: int = 0

    @property
    def enabled(self) -> bool:
        """Whether it takes part at all."""
        return bool(self.settings["State"] != DISABLED)

    def summary(self, account: str) -> Params:
        """The rule as DescribeRule and ListRules tell it."""
        return {"Name": self.name, "Arn": self.arn, "EventBusName": "default", "CreatedBy": account, **self.settings}

    def check_can_be_deleted(self) -> None:
        """Refuse while it has targets.

        Raises:
            AwsError: ValidationException.
        """
        if self.targets:
            raise invalid("Rule can't be deleted since it has targets.")


def settings(params: Params) -> tuple[Params, Match]:
    """The settings that PutRule asks for, with its defaults, and the compiled pattern.

    Raises:
        AwsError: the pattern is none, or the rule is of a kind that localaws does not run.
    """
    if "ScheduleExpression" in params:
        raise invalid(
            "localaws does not fire scheduled rules yet: use EventBridge Scheduler, or give only an EventPattern."
        )
    if "EventPattern" not in params:
        raise invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    try:
        match = compile_pattern(params["EventPattern"])
    except InvalidPatternError as e:
        raise AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {e}") from e
    names = ("EventPattern", "State", "Description", "RoleArn")
    return {"State": "ENABLED", **{name: params[name] for name in names if name in params}}, match


def check_target(target: Params) -> None:
    """Refuse a target that EventBridge would refuse, or that localaws cannot deliver to.

    Raises:
        AwsError: ValidationException.
    """
    label = f"target {target['Id']}"
    foreign = sorted(target.keys() - _KNOWN)
    if foreign:
        raise invalid(f"localaws does not support {foreign[0]} of a target yet: leave it out of {label}.")
    if not target["Arn"].startswith("arn:"):
        raise invalid("Parameter Arn is not valid. Reason: Provided Arn is not in correct format.")
    *_, name = queue_of(target["Arn"])
    if name.endswith(".fifo") and "MessageGroupId" not in target.get("SqsParameters", {}):
        raise invalid(f"Parameter(s) SqsParameters must be specified for target: {target['Id']}.")
    if sum(name in target for name in _INPUTS) > 1:
        raise invalid(f"Only one of Input, InputPath, or InputTransformer must be provided for {label}.")
    if "Input" in target and not _is_json(target["Input"]):
        raise invalid(f"JSON syntax error in input for {label}.")
    if "InputPath" in target and not _INPUT_PATH.fullmatch(target["InputPath"]):
        raise invalid(f"Invalid InputPath for {label}.")
    if "Arn" in target.get("DeadLetterConfig", {}):
        queue_of(target["DeadLetterConfig"]["Arn"])


def queue_of(arn: str) -> tuple[str, str, str]:
    """Region, account and name of a queue.

    Raises:
        AwsError: ValidationException where the ARN is not one of a queue.
    """
    found = _QUEUE_ARN.fullmatch(arn)
    if found is None:
        raise invalid(f"localaws delivers to SQS queues only, not to {arn}.")
    region, account, name = found.groups()
    return region, account, name


def body_for(target: Params, event: Params) -> str:
    """The message that a target gets for an event."""
    if "Input" in target:
        return str(target["Input"])
    value: Any = event
    for name, index, quoted in _PATH_STEP.findall(target.get("InputPath", "$")):
        value = _step(value, name or quoted, index)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def tags_of(tags: Iterable[Params]) -> dict[str, str]:
    """Tags by key.

    Raises:
        AwsError: more than a resource may have.
    """
    by_key = {tag["Key"]: tag["Value"] for tag in tags}
    if len(by_key) > MOST_TAGS:
        raise limit_exceeded()
    return by_key


def invalid(message: str) -> AwsError:
    """EventBridge's answer to an input that makes no sense."""
    return AwsError("ValidationException", message)


def limit_exceeded() -> AwsError:
    """EventBridge's answer to one too many."""
    return AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")


def _step(value: Any, name: str, index: str) -> Any:  # noqa: ANN401  # whatever an event holds
    if index:
        return value[int(index)] if isinstance(value, list) and int(index) < len(value) else None
    return value.get(name) if isinstance(value, dict) else None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
