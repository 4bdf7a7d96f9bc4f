"""Which days a calendar has: one rule a schedule, and nothing of months, years, hours or spelling.

Unix takes a day that either of its day fields names (`Days` with both); AWS takes one field and adds L, W and #:
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based. What that page leaves open is
read as Quartz does, from which AWS has the notation, and marked at the class; LW, `6L` and names in any case were seen
accepted by the AWS console (https://github.com/grumBit/aws_cron_expression_validator/issues/18, .../issues/12).

Weekdays count from Sunday = 0.
"""

import calendar
import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

SUNDAY, SATURDAY = 0, 6
WEEK = 7
COMMON_YEAR = 2023
EVERY = "*"


class DayRule(Protocol):
    """Which days of a month belong to a schedule."""

    @property
    def least_month(self) -> int:
        """How many days a month must have before the rule can have a day in it."""

    @property
    def candidates(self) -> tuple[str, str]:
        """Day-of-month and day-of-week, in plain Unix cron, of a set of days that holds all of the rule's days."""

    def matches(self, day: dt.date) -> bool:
        """Whether the rule has this day."""


def weekday(day: dt.date) -> int:
    """Sunday = 0 … Saturday = 6."""
    return day.isoweekday() % WEEK


@lru_cache  # asked of every schedule, and mostly of the same months
def longest_month(months: tuple[int, ...], years: tuple[int, ...]) -> int:
    """How many days the longest of these months has, in whichever of these years that is."""
    year = next(filter(calendar.isleap, years), COMMON_YEAR)
    return max(calendar.monthrange(year, month)[1] for month in months)


def _length(day: dt.date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _written(values: range | tuple[int, ...]) -> str:
    return ",".join(map(str, values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Days named by their number, by their weekday, or by either; None says nothing, so both None is every day."""

    month_days: tuple[int, ...] | None = None
    week_days: tuple[int, ...] | None = None

    @property
    def least_month(self) -> int:
        """The first of the days, where no weekday helps."""
        return min(self.month_days) if self.month_days and self.week_days is None else 1

    @property
    def candidates(self) -> tuple[str, str]:
        """Exactly these days."""
        return (
            EVERY if self.month_days is None else _written(self.month_days),
            EVERY if self.week_days is None else _written(self.week_days),
        )

    def matches(self, day: dt.date) -> bool:
        """Either set has it, or there is none."""
        if self.month_days is None and self.week_days is None:
            return True
        return day.day in (self.month_days or ()) or weekday(day) in (self.week_days or ())


@dataclass(frozen=True, slots=True)
class LastDay:
    """`L`, the last day of the month; `L-3`, three days before it (as in Quartz; in a shorter month, no day)."""

    days_before: int = 0

    @property
    def least_month(self) -> int:
        """One more day than are counted back."""
        return self.days_before + 1

    @property
    def candidates(self) -> tuple[str, str]:
        """The last day is one of 28 to 31."""
        return _written(range(max(1, 28 - self.days_before), 32 - self.days_before)), EVERY

    def matches(self, day: dt.date) -> bool:
        """Counted from the end."""
        return day.day == _length(day) - self.days_before


@dataclass(frozen=True, slots=True)
class NearestWeekday:
    """`15W`, the day from Monday to Friday that is nearest to the 15th and in the same month; None is `LW`, the last.

    A month without the day has no such weekday (as in Quartz).
    """

    target: int | None

    @property
    def least_month(self) -> int:
        """The day itself."""
        return self.target or 1

    @property
    def candidates(self) -> tuple[str, str]:
        """No weekday is more than two days from its target."""
        first, last = (26, 31) if self.target is None else (self.target - 2, self.target + 2)
        return _written(range(max(1, first), min(31, last) + 1)), EVERY

    def matches(self, day: dt.date) -> bool:
        """Saturday moves to Friday, Sunday to Monday, and the other way where that would leave the month."""
        length = _length(day)
        target = self.target or length
        return target <= length and day.day == _nearest(day.replace(day=target), length)


def _nearest(target: dt.date, length: int) -> int:
    if weekday(target) == SATURDAY:
        return target.day - 1 if target.day > 1 else target.day + 2
    if weekday(target) == SUNDAY:
        return target.day + 1 if target.day < length else target.day - 2
    return target.day


@dataclass(frozen=True, slots=True)
class LastWeekday:
    """`FRIL` or `6L`: the last Friday of the month (as in Quartz)."""

    week_day: int
    least_month: int = 1

    @property
    def candidates(self) -> tuple[str, str]:
        """All Fridays."""
        return EVERY, str(self.week_day)

    def matches(self, day: dt.date) -> bool:
        """The same weekday a week later is in the next month."""
        return weekday(day) == self.week_day and day.day + WEEK > _length(day)


@dataclass(frozen=True, slots=True)
class NthWeekday:
    """`FRI#2` or `6#2`: the second Friday of the month; a month without a fifth one has none."""

    week_day: int
    nth: int

    @property
    def least_month(self) -> int:
        """The earliest date that an nth weekday can have."""
        return WEEK * (self.nth - 1) + 1

    @property
    def candidates(self) -> tuple[str, str]:
        """All Fridays."""
        return EVERY, str(self.week_day)

    def matches(self, day: dt.date) -> bool:
        """Weeks counted from the first of the month."""
        return weekday(day) == self.week_day and (day.day - 1) // WEEK + 1 == self.nth
