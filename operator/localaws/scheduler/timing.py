"""When a schedule is due: cron, rate and at, in a time zone, between a start and an end.

Knows daylight saving and the bounds. Refuses to know any clock: every question carries its moment, and every moment
that goes in or comes out is aware and in UTC.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import importlib.resources
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from localaws.triggers.cron import Cron

_EXPRESSION = re.compile(r"(cron|rate|at)\((.*)\)")
_RATE = re.compile(r"([0-9]{1,9})\s+(minute|hour|day)s?")
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_TICK = dt.timedelta(microseconds=1)
_MINUTE = dt.timedelta(minutes=1)
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_BEGINNING = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so often, counted in elapsed time: a day is 24 hours (documented: UG, "Daylight savings time")."""

    period: dt.timedelta


@dataclass(frozen=True, slots=True)
class At:
    """Once, at a naive local time."""

    local: dt.datetime


Expression = Cron | Rate | At


def parse_expression(text: str) -> Expression:
    """Read `cron(…)`, `rate(…)` or `at(…)`.

    Raises:
        ValueError: says what is wrong with it.
    """
    match = _EXPRESSION.fullmatch(text)
    if match is None:
        raise ValueError("an expression is cron(…), rate(…) or at(…)")
    kind, body = match.groups()
    if kind == "cron":
        return Cron.parse(body)
    return _parse_rate(body) if kind == "rate" else _parse_at(body)


def _parse_rate(body: str) -> Rate:
    # Documented: API, a positive integer and one of minute, minutes, hour, hours, day, days. Reported: rate(1 minutes)
    # is taken, rate(30 seconds) is not.
    match = _RATE.fullmatch(body)
    if match is None or int(match[1]) == 0:
        raise ValueError("a rate is a positive integer and one of minute(s), hour(s), day(s)")
    return Rate(dt.timedelta(**{f"{match[2]}s": int(match[1])}))


def _parse_at(body: str) -> At:
    # Reported: fractional seconds or a trailing Z are refused. Assumed: the years are those of cron.
    if not _AT.fullmatch(body):
        raise ValueError("a one-time schedule is at(yyyy-mm-ddThh:mm:ss)")
    local = dt.datetime.fromisoformat(body)
    if not _FIRST_YEAR <= local.year <= _LAST_YEAR:
        raise ValueError(f"the year is not within {_FIRST_YEAR} to {_LAST_YEAR}")
    return At(local)


@functools.cache
def time_zone(name: str) -> ZoneInfo:
    """A zone of the tzdata package, whatever the machine has (documented: UG, IANA names).

    Raises:
        ValueError: there is no zone of that name.
    """
    if name not in _zone_names():
        raise ValueError(f"{name!r} is not an IANA time zone")
    with importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@functools.cache
def _zone_names() -> frozenset[str]:
    return frozenset(importlib.resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def instant(local: dt.datetime, zone: ZoneInfo) -> dt.datetime | None:
    """The moment a zone's clocks show a naive local time, the first of two; None where they skip it.

    Documented: UG, "Daylight savings time": a skipped local time is not run, a repeated one once. Assumed: the first of
    the two, and the same for at().
    """
    moment = local.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)
    return moment if moment.astimezone(zone).replace(tzinfo=None) == local else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a schedule is due. `anchor` is the moment this timing was set, from which a rate without start counts."""

    expression: Expression
    zone: ZoneInfo
    anchor: dt.datetime
    start: dt.datetime | None = None
    end: dt.datetime | None = None

    @property
    def once(self) -> bool:
        """Is it a one-time schedule's?"""
        return isinstance(self.expression, At)

    @property
    def opening(self) -> dt.datetime:
        """The moment strictly after which its slots count.

        Reported (measured on AWS): at() in the past is accepted and runs at once. Documented: UG, a rate without
        StartDate starts immediately. Otherwise only what lies after the moment the timing was set.
        """
        match self.expression:
            case At():
                return _BEGINNING
            case Rate() if self.start is None:
                return self._first_of_rate() - _TICK
            case _:
                return self.anchor

    def resuming(self, previous: Timing) -> Timing:
        """This timing with the anchor of the previous one, unless the two count differently.

        Assumed: an update that leaves expression, zone and StartDate as they were does not start a rate afresh.
        """
        same = (self.expression, self.zone, self.start) == (previous.expression, previous.zone, previous.start)
        return dataclasses.replace(self, anchor=previous.anchor) if same else self

    def next_after(self, moment: dt.datetime) -> dt.datetime | None:
        """The first slot strictly after `moment`; None if there is none any more."""
        match self.expression:
            case At(local):  # documented: API, one-time schedules ignore StartDate and EndDate
                due = instant(local, self.zone)
                return due if due is not None and due > moment else None
            case Rate(period):
                return self._until_end(_next_of_rate(self._first_of_rate(), period, moment))
            case Cron() as cron:
                earliest = moment if self.start is None else max(moment, self.start - _TICK)
                return self._until_end(_next_of_cron(cron, self.zone, earliest))

    def _first_of_rate(self) -> dt.datetime:
        if self.start is None:
            return self.anchor.replace(microsecond=0)
        # Reported (measured on AWS): the seconds of StartDate are ignored and a rate fires on whole minutes. Assumed:
        # on the first that is not before StartDate.
        floor = self.start.replace(second=0, microsecond=0)
        return floor if floor == self.start else floor + _MINUTE

    def _until_end(self, slot: dt.datetime | None) -> dt.datetime | None:
        # Documented: API, invocations might stop on, or before, the EndDate.
        return None if slot is None or (self.end is not None and slot > self.end) else slot


def _next_of_rate(first: dt.datetime, period: dt.timedelta, moment: dt.datetime) -> dt.datetime | None:
    if moment < first:
        return first
    try:
        return first + ((moment - first) // period + 1) * period
    except OverflowError:
        return None


def _next_of_cron(cron: Cron, zone: ZoneInfo, moment: dt.datetime) -> dt.datetime | None:
    # Local minutes in order are moments in order, as a repeated one counts as its first: one pass finds the next.
    local = moment.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)
    moments = (instant(time, zone) for time in cron.local_times(local))
    return next((found for found in moments if found is not None and found > moment), None)
