"""What a schedule is once it has been read: frozen values, with no text left to interpret.

A `Calendar` (Unix cron, or `cron(...)` of AWS) is a set of minutes, of hours, of months and of years, and one rule for
its days. The days are a noun of their own (`days.py`) because only there do the dialects differ in more than spelling.

Refuses to know: any spelling, any time zone, any clock.
"""

import datetime as dt
import enum
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from backgroundtask.cron.days import DayRule
from backgroundtask.errors import Rejected

Values: TypeAlias = tuple[int, ...]
"""The values of one field: ascending, distinct, never empty."""

YEARS: Values = tuple(range(1970, 2200))
"""The years that AWS knows: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based"""


class Kind(enum.StrEnum):
    """How a schedule was said."""

    UNIX = "unix"
    CRON = "cron"
    RATE = "rate"
    AT = "at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A schedule that recurs at minutes of the day, on days of the calendar, in local time.

    `text` is what was read, with its spaces made single; for `cron(...)` it is what AWS is sent.
    """

    kind: Kind
    text: str
    minutes: Values
    hours: Values
    months: Values
    years: Values
    days: DayRule

    slots_known: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A schedule that recurs after `value` `unit`s, counted from a moment that only AWS knows: no slot is known.

    `unit` is `minute`, `hour` or `day`, always singular here.
    """

    text: str
    value: int
    unit: str

    kind: ClassVar[Kind] = Kind.RATE
    slots_known: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """A schedule of one moment; `local` is naive, in the time zone of the schedule."""

    text: str
    local: dt.datetime

    kind: ClassVar[Kind] = Kind.AT
    slots_known: ClassVar[bool] = True


Expression: TypeAlias = Calendar | Rate | At
"""A schedule. `kind`, `text` and `slots_known` (whether its times can be told in advance) are common to all."""


def invalid(message: str) -> Rejected:
    """The refusal of a schedule; `message` says what was found and what to write instead."""
    return Rejected("InvalidSchedule", message)
