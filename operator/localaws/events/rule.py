"""What a rule is: a noun, what PutRule may ask for, and the limits.

Pure. Limits and messages: EventBridge User Guide, "Quotas", and the API reference of PutRule and PutTargets.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from localaws.contract import AwsError, Params
from localaws.events.entry import is_default
from localaws.events.pattern import InvalidPatternError, Match, compile_pattern
from localaws.events.refusals import invalid, limit_exceeded
from localaws.events.schedule import Schedule, parse_schedule
from localaws.events.target import Target

DISABLED = "DISABLED"

_MOST_RULES = 300
_MOST_RULES_IN = {"af-south-1": 100, "eu-south-1": 100}  # documented: User Guide, "Quotas"
_MOST_TARGETS = 5
_MOST_TAGS = 50


@dataclass(slots=True, kw_only=True)
class Rule:
    """One rule. `settings` are the members that PutRule set; the counters are CloudWatch's of the same names."""

    name: str
    arn: str
    settings: Params
    match: Match | None
    schedule: Schedule | None
    tags: dict[str, str] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    triggered: int = 0
    invocations: int = 0
    failed: int = 0

    @property
    def enabled(self) -> bool:
        """Whether it takes part at all."""
        return bool(self.settings["State"] != DISABLED)

    def matches(self, event: Params) -> bool:
        """Whether it is enabled and has a pattern that the event matches."""
        return self.enabled and self.match is not None and self.match(event)

    def summary(self, account: str) -> Params:
        """The rule as DescribeRule and ListRules tell it."""
        return {"Name": self.name, "Arn": self.arn, "EventBusName": "default", "CreatedBy": account, **self.settings}

    def counts(self) -> Params:
        """What CloudWatch would count of it."""
        return {
            "arn": self.arn,
            "triggeredRules": self.triggered,
            "invocations": self.invocations,
            "failedInvocations": self.failed,
        }

    def check_room_for(self, ids: Iterable[str]) -> None:
        """Refuse more targets than a rule may have.

        Raises:
            AwsError: LimitExceededException.
        """
        if len(self.targets.keys() | set(ids)) > _MOST_TARGETS:
            raise limit_exceeded()

    def tag(self, tags: Iterable[Params]) -> None:
        """Add tags, and replace those of the same keys.

        Raises:
            AwsError: LimitExceededException.
        """
        wanted = self.tags | {tag["Key"]: tag["Value"] for tag in tags}
        if len(wanted) > _MOST_TAGS:
            raise limit_exceeded()
        self.tags = wanted

    def check_can_be_deleted(self) -> None:
        """Refuse while it has targets (documented: API, DeleteRule; reported: the wording).

        Raises:
            AwsError: ValidationException.
        """
        if self.targets:
            raise invalid("Rule can't be deleted since it has targets.")


def read_rule(params: Params, *, arn: str, now: dt.datetime) -> Rule:
    """The rule that PutRule asks for, with its defaults, without targets and tags.

    Reported: all messages.

    Raises:
        AwsError: neither pattern nor schedule, or one of them is none.
    """
    if "EventPattern" not in params and "ScheduleExpression" not in params:
        raise invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    names = ("EventPattern", "ScheduleExpression", "State", "Description", "RoleArn")
    return Rule(
        name=params["Name"],
        arn=arn,
        settings={"State": "ENABLED", **{name: params[name] for name in names if name in params}},
        match=_pattern(params["EventPattern"]) if "EventPattern" in params else None,
        schedule=_schedule(params, now) if "ScheduleExpression" in params else None,
    )


def check_room(rules: int, region: str) -> None:
    """Refuse one rule more than a bus may have.

    Raises:
        AwsError: LimitExceededException.
    """
    if rules >= _MOST_RULES_IN.get(region, _MOST_RULES):
        raise limit_exceeded()


def _pattern(text: str) -> Match:
    try:
        return compile_pattern(text)
    except InvalidPatternError as e:
        raise AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {e}") from e


def _schedule(params: Params, now: dt.datetime) -> Schedule:
    if not is_default(params.get("EventBusName", "default")):
        raise invalid("ScheduleExpression is supported only on the default event bus.")
    try:
        return parse_schedule(params["ScheduleExpression"], now)
    except ValueError as e:
        raise invalid("Parameter ScheduleExpression is not valid.") from e
