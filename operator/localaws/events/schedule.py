"""When a scheduled rule triggers itself: cron in UTC, and rate.

Pure. Documented: EventBridge User Guide, "Creating a rule that runs on a schedule": cron has six required fields and
is in UTC; a rate of 1 takes the singular and every other the plural; a rate counts from the creation of the rule.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from localaws.triggers.cron import Cron

_EXPRESSION = re.compile(r"(cron|rate)\((.*)\)")
_RATE = re.compile(r"(?:1 (minute|hour|day)|0*([1-9][0-9]{0,8}) (minute|hour|day)s)")
_CRON_FIELDS = 6
_ONE = 1


@dataclass(frozen=True, slots=True)
class Schedule:
    """An expression, and since when it counts."""

    text: str
    expression: Cron | dt.timedelta
    since: dt.datetime

    def next_after(self, moment: dt.datetime) -> dt.datetime | None:
        """The first moment strictly after `moment` (aware, not before `since`); None if there is none any more."""
        if isinstance(self.expression, Cron):
            minute = moment.astimezone(dt.UTC).replace(tzinfo=None, second=0, microsecond=0)
            times = (time.replace(tzinfo=dt.UTC) for time in self.expression.local_times(minute))
            return next((time for time in times if time > moment), None)
        try:
            return self.since + ((moment - self.since) // self.expression + 1) * self.expression
        except OverflowError:
            return None

    def resuming(self, previous: Schedule | None) -> Schedule:
        """This schedule, or the previous one if it says the same (assumed: an update then counts on)."""
        return previous if previous is not None and previous.text == self.text else self


def parse_schedule(text: str, now: dt.datetime) -> Schedule:
    """Read `cron(…)` or `rate(…)`; it counts from `now`.

    Raises:
        ValueError: it is neither; says what is wrong with it.
    """
    found = _EXPRESSION.fullmatch(text)
    if found is None:
        raise ValueError("an expression is cron(…) or rate(…)")
    kind, inner = found.groups()
    return Schedule(text, _cron(inner) if kind == "cron" else _rate(inner), now.replace(microsecond=0))


def _cron(text: str) -> Cron:
    if len(text.split()) != _CRON_FIELDS:
        raise ValueError("a cron expression has six fields")
    return Cron.parse(text)


def _rate(text: str) -> dt.timedelta:
    found = _RATE.fullmatch(text)
    if found is None or found[2] == "1":
        raise ValueError("a rate is 1 minute, hour or day, or a larger whole number of minutes, hours or days")
    one, count, many = found.groups()
    return dt.timedelta(**{f"{one or many}s": int(count or _ONE)})
