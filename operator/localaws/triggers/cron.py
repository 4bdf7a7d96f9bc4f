"""AWS's cron expressions: which local minutes they name.

Knows the six fields and their grammar (documented: UG, schedule-types, "Cron-based schedules"). Knows no time zone and
no clock: its times are naive local minutes, and whether a zone has such a minute is asked elsewhere.
"""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SUNDAY, _SATURDAY = 1, 7
_REQUIRED_FIELDS, _ALL_FIELDS = 5, 6


@dataclass(frozen=True, slots=True)
class _Field:
    """The range of a field, the names its first values go by, and what it takes beyond lists, ranges and `*`."""

    low: int
    high: int
    names: tuple[str, ...] = ()
    steps: bool = True
    wraps: bool = True

    def value(self, text: str) -> int:
        if text.upper() in self.names:
            return self.low + self.names.index(text.upper())
        if not re.fullmatch(r"[0-9]{1,4}", text):
            raise ValueError(f"{text!r} is not a value from {self.low} to {self.high}")
        value = int(text)
        if not self.low <= value <= self.high:
            raise ValueError(f"{value} is not within {self.low} to {self.high}")
        return value

    def values(self, text: str) -> tuple[int, ...]:
        """The values of a comma-separated list, ascending."""
        return tuple(sorted({value for item in text.split(",") for value in self._item(item)}))

    def _item(self, item: str) -> Iterator[int]:
        span, slash, step = item.partition("/")
        if slash and not self.steps:
            raise ValueError(f"{item!r}: steps are not allowed in this field")
        first, last = self._span(span, open_ended=bool(slash))
        stride = self._step(step) if slash else 1
        size = self.high - self.low + 1
        # Assumed, as Quartz does: a range whose end lies before its start (20-2, FRI-MON) goes on past the maximum.
        length = (last - first) % size if self.wraps else last - first
        if length < 0:
            raise ValueError(f"{item!r} ends before it starts")
        return (self.low + (first - self.low + offset) % size for offset in range(0, length + 1, stride))

    def _span(self, span: str, *, open_ended: bool) -> tuple[int, int]:
        if span == "*":
            return self.low, self.high
        first, dash, last = span.partition("-")
        if dash:
            return self.value(first), self.value(last)
        return self.value(first), self.high if open_ended else self.value(first)

    def _step(self, step: str) -> int:
        # Reported for rules (aws/aws-sdk-js#4212): a step beyond the field's maximum, as in */60 minutes, is refused.
        if not re.fullmatch(r"[0-9]{1,4}", step) or not 1 <= int(step) <= self.high:
            raise ValueError(f"{step!r} is not a step from 1 to {self.high}")
        return int(step)


_MINUTES = _Field(0, 59)
_HOURS = _Field(0, 23)
_DAYS_OF_MONTH = _Field(1, 31)
_MONTHS_OF_YEAR = _Field(1, 12, _MONTHS)
_DAYS_OF_WEEK = _Field(1, 7, _WEEKDAYS, steps=False)  # documented: the field's wildcards are , - * ? L #
_YEARS = _Field(1970, 2199, wraps=False)


class _Month:
    """One month: its length, and the day of the week of each of its days, Sunday being 1."""

    __slots__ = ("_first", "length")

    def __init__(self, year: int, month: int) -> None:
        self._first, self.length = monthrange(year, month)

    def weekday(self, day: int) -> int:
        return (self._first + day) % 7 + 1

    def nearest_working_day(self, day: int) -> int:
        """The working day closest to `day`, never in another month (assumed, as Quartz does)."""
        weekday = self.weekday(day)
        if weekday == _SATURDAY:
            return day - 1 if day > 1 else day + 2
        if weekday == _SUNDAY:
            return day + 1 if day < self.length else day - 2
        return day


class _DayRule(Protocol):
    """Which days of a month an expression names."""

    def days(self, month: _Month) -> Sequence[int]:
        """Ascending days, from 1."""


@dataclass(frozen=True, slots=True)
class _OnDaysOfMonth:
    wanted: tuple[int, ...]

    def days(self, month: _Month) -> Sequence[int]:
        return [day for day in self.wanted if day <= month.length]


@dataclass(frozen=True, slots=True)
class _OnLastDay:
    working: bool

    def days(self, month: _Month) -> Sequence[int]:
        return [month.nearest_working_day(month.length) if self.working else month.length]


@dataclass(frozen=True, slots=True)
class _OnWorkingDayNearest:
    day: int

    def days(self, month: _Month) -> Sequence[int]:
        # Assumed: 31W names no day in a month of 30.
        return [month.nearest_working_day(self.day)] if self.day <= month.length else []


@dataclass(frozen=True, slots=True)
class _OnDaysOfWeek:
    wanted: frozenset[int]

    def days(self, month: _Month) -> Sequence[int]:
        return [day for day in range(1, month.length + 1) if month.weekday(day) in self.wanted]


@dataclass(frozen=True, slots=True)
class _OnOneDayOfWeek:
    """The n-th of a weekday in its month, counted from the front (1 to 5), or from the back (-1)."""

    weekday: int
    nth: int

    def days(self, month: _Month) -> Sequence[int]:
        every = _OnDaysOfWeek(frozenset({self.weekday})).days(month)
        index = self.nth - 1 if self.nth > 0 else self.nth
        return [every[index]] if index < len(every) else []


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression, parsed: its local minutes are enumerated lazily and in order."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...]
    years: tuple[int, ...]
    day_rule: _DayRule

    @classmethod
    def parse(cls, fields: str) -> Cron:
        """Read what stands between the parentheses of `cron(…)`.

        Raises:
            ValueError: says which part is wrong.
        """
        parts = fields.split()
        if len(parts) == _REQUIRED_FIELDS:  # documented: UG, "five required fields and one optional field"
            parts.append("*")
        if len(parts) != _ALL_FIELDS:
            raise ValueError(f"a cron expression has five or six fields, not {len(parts)}")
        minutes, hours, day_of_month, month, day_of_week, year = parts
        return cls(
            minutes=_MINUTES.values(minutes),
            hours=_HOURS.values(hours),
            months=_MONTHS_OF_YEAR.values(month),
            years=_YEARS.values(year),
            day_rule=_day_rule(day_of_month, day_of_week),
        )

    def local_times(self, start: dt.datetime) -> Iterator[dt.datetime]:
        """The naive local minutes that the expression names, from the minute `start` on, ascending, until 2199."""
        for day in self._days(start.date()):
            first_hour = start.hour if day == start.date() else 0
            for hour in self.hours[bisect_left(self.hours, first_hour) :]:
                times = (dt.datetime(day.year, day.month, day.day, hour, minute) for minute in self.minutes)  # noqa: DTZ001  # local by definition
                yield from (time for time in times if time >= start)

    def _days(self, first: dt.date) -> Iterator[dt.date]:
        for year, month in self._months(first):
            days = (dt.date(year, month, day) for day in self.day_rule.days(_Month(year, month)))
            yield from (day for day in days if day >= first)

    def _months(self, first: dt.date) -> Iterator[tuple[int, int]]:
        for year in self.years[bisect_left(self.years, first.year) :]:
            yield from ((year, month) for month in self.months if (year, month) >= (first.year, first.month))


def _day_rule(day_of_month: str, day_of_week: str) -> _DayRule:
    # Documented: UG, "if you specify a value or a * in one of the fields, you must use a ? in the other".
    if (day_of_month == "?") == (day_of_week == "?"):
        raise ValueError("exactly one of day-of-month and day-of-week must be ?")
    return _month_rule(day_of_month) if day_of_week == "?" else _week_rule(day_of_week)


def _month_rule(text: str) -> _DayRule:
    """Day-of-month. L, LW and nW stand alone, never in a list (assumed, as Quartz has it; so is the refusal of L-3)."""
    upper = text.upper()
    if upper in {"L", "LW"}:
        return _OnLastDay(working=upper == "LW")
    if upper.endswith("W"):
        return _OnWorkingDayNearest(_DAYS_OF_MONTH.value(upper.removesuffix("W")))
    return _OnDaysOfMonth(_DAYS_OF_MONTH.values(text))


def _week_rule(text: str) -> _DayRule:
    """Day-of-week. `6L` is the last Friday of the month, `3#2` its second Tuesday, `L` each Saturday.

    Documented: UG, at most one expression with #. Assumed: nL and L stand alone too.
    """
    upper = text.upper()
    if upper == "L":
        return _OnDaysOfWeek(frozenset({_SATURDAY}))
    if upper.endswith("L"):
        return _OnOneDayOfWeek(_DAYS_OF_WEEK.value(upper.removesuffix("L")), -1)
    weekday, sharp, nth = upper.partition("#")
    if not sharp:
        return _OnDaysOfWeek(frozenset(_DAYS_OF_WEEK.values(text)))
    if nth not in {"1", "2", "3", "4", "5"}:
        raise ValueError(f"{nth!r} is not a count from 1 to 5")
    return _OnOneDayOfWeek(_DAYS_OF_WEEK.value(weekday), int(nth))
