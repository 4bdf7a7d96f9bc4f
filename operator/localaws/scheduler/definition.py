"""What CreateSchedule and UpdateSchedule ask for, checked, and with AWS's defaults in place.

Knows the rules between members; types, lengths, patterns and enums were checked against the API's model before.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from localaws.contract import Params
from localaws.scheduler import refusals
from localaws.scheduler.invocation import Target
from localaws.scheduler.target import read_target
from localaws.scheduler.timing import At, Expression, Timing, parse_expression, time_zone

_BACKDATING = dt.timedelta(minutes=5)
_ATTEMPTS, _AGE_SECONDS = 185, 86_400  # documented: UG, the defaults are the maxima


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to give up: retries after the first attempt, and the age of the invocation."""

    retries: int
    age: dt.timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A schedule as it was asked for; `members` are those of GetSchedule that the caller determines."""

    timing: Timing
    target: Target
    retry: RetryPolicy
    dead_letters: str | None  # ARN of the queue
    enabled: bool
    window: dt.timedelta  # how long after its slot it may be delivered
    deletes_itself: bool
    members: Params

    @property
    def role(self) -> str:
        """ARN of the role that the schedule runs with."""
        arn: str = self.members["Target"]["RoleArn"]
        return arn

    def with_timing(self, timing: Timing) -> Definition:
        """The same with another timing."""
        return dataclasses.replace(self, timing=timing)


def read_definition(params: Params, *, region: str, now: dt.datetime) -> Definition:
    """Read the members that CreateSchedule and UpdateSchedule share; what is absent takes its default, always.

    Raises:
        AwsError: ValidationException, in AWS's words where they are known.
    """
    timing = _timing(params, now)
    _check_window(params["FlexibleTimeWindow"])
    target = read_target(params["Target"], region)
    members = _with_defaults(params)
    policy = members["Target"]["RetryPolicy"]
    return Definition(
        timing=timing,
        target=target,
        retry=RetryPolicy(policy["MaximumRetryAttempts"], dt.timedelta(seconds=policy["MaximumEventAgeInSeconds"])),
        dead_letters=members["Target"].get("DeadLetterConfig", {}).get("Arn"),
        enabled=members["State"] == "ENABLED",
        window=dt.timedelta(minutes=params["FlexibleTimeWindow"].get("MaximumWindowInMinutes", 0)),
        deletes_itself=members["ActionAfterCompletion"] == "DELETE",
        members=members,
    )


def _with_defaults(params: Params) -> Params:
    """The members as GetSchedule answers them (reported: Terraform reads UTC and the retry policy 185 / 86400 back)."""
    retry = {"MaximumRetryAttempts": _ATTEMPTS, "MaximumEventAgeInSeconds": _AGE_SECONDS}
    target = {**params["Target"], "RetryPolicy": retry | params["Target"].get("RetryPolicy", {})}
    optional = ("Description", "StartDate", "EndDate", "KmsKeyArn")  # the key is kept and never used
    return {
        "ScheduleExpression": params["ScheduleExpression"],
        "ScheduleExpressionTimezone": params.get("ScheduleExpressionTimezone", "UTC"),
        "FlexibleTimeWindow": params["FlexibleTimeWindow"],
        "State": params.get("State", "ENABLED"),
        "ActionAfterCompletion": params.get("ActionAfterCompletion", "NONE"),
        "Target": target,
    } | {name: params[name] for name in optional if name in params}


def _timing(params: Params, now: dt.datetime) -> Timing:
    expression = _expression(params["ScheduleExpression"])
    zone = _zone(params.get("ScheduleExpressionTimezone", "UTC"))
    start, end = params.get("StartDate"), params.get("EndDate")
    if not isinstance(expression, At):  # documented: API, one-time schedules ignore both dates
        _check_dates(start, end, now)
    return Timing(expression=expression, zone=zone, anchor=now, start=start, end=end)


def _expression(text: str) -> Expression:
    try:
        return parse_expression(text)
    except ValueError as error:  # reported: this message for every fault, whatever it is
        raise refusals.invalid(f"Invalid Schedule Expression {text}.") from error


def _zone(name: str) -> ZoneInfo:
    try:
        return time_zone(name)
    except ValueError as error:  # assumed: the wording
        raise refusals.invalid(f"Invalid Schedule Expression Timezone {name}.") from error


def _check_dates(start: dt.datetime | None, end: dt.datetime | None, now: dt.datetime) -> None:
    if start is not None and start < now - _BACKDATING:  # reported, for Create and Update alike
        raise refusals.invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")
    # Reported by the CDK: the order. Assumed: the wording, and that an EndDate in the past is taken and never fires.
    if start is not None and end is not None and end <= start:
        raise refusals.invalid("The StartDate you specify must come before the EndDate.")


def _check_window(window: Params) -> None:
    # Documented: API, FlexibleTimeWindow, the length belongs to FLEXIBLE. Assumed: the wording.
    flexible, length = window["Mode"] == "FLEXIBLE", window.get("MaximumWindowInMinutes")
    if flexible and length is None:
        raise refusals.invalid("MaximumWindowInMinutes must be specified when the FlexibleTimeWindow is FLEXIBLE.")
    if not flexible and length is not None:
        raise refusals.invalid("MaximumWindowInMinutes cannot be specified when the FlexibleTimeWindow is OFF.")
