"""Unix cron as Kubernetes reads it: five fields, the @ macros, and nothing of AWS.

Kubernetes hands `schedule` to github.com/robfig/cron v3 `ParseStandard` (parser.go; spec.go `dayMatches`), so that is
the law here, where it differs from crontab(5) too:

- day-of-week is 0-6; 7 is not Sunday. `?` is `*` in every field. `a/n` is `a-max/n`. Ranges do not wrap.
- A field has a *star* when an item of its list is `*`, `?`, `*/1` or `?/1`; `*/2` and `1-31` are none.
- With a star in either day field, a day needs both fields (one of which has every day); without, either will do.
- `@every <duration>` is a distance, not a calendar: it becomes a rate, in whole minutes.

Narrower than Kubernetes in three things that can only be slips: `*-5` (read as `*` there), a list of nothing but
commas (runs never there) and `+5`.
"""

import dataclasses
import re
from fractions import Fraction

from backgroundtask.cron.days import WEEK, Days, longest_month
from backgroundtask.cron.expression import YEARS, Calendar, Kind, Rate, Values, invalid
from backgroundtask.cron.fields import DAY_OF_MONTH, HOUR, MINUTE, MONTH, WEEK_DAYS, Field

DAY_OF_WEEK = Field(
    "day-of-week",
    0,
    6,
    {name: number for number, name in enumerate(WEEK_DAYS)},
    "Kubernetes counts from Sunday = 0, so write 0 or SUN for Sunday",
)
FIELDS = (MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK)
STARS = ("*", "?")
STAR_ITEM = re.compile(r"[*?](/0*1)?")

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

# Go's time.ParseDuration, https://pkg.go.dev/time#ParseDuration; its microsecond sign is not ASCII and never gets here.
DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|ms|s|m|h)")
NANOSECONDS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
LONGEST_DURATION = 2**63 - 1  # Go counts nanoseconds in an int64


def read_fields(fields: list[str]) -> Calendar:
    """Read five fields.

    Raises:
        Rejected: a field says what Kubernetes would refuse.
    """
    minutes, hours, month_days, months, week_days = map(_values, FIELDS, fields)
    return Calendar(
        kind=Kind.UNIX,
        text=" ".join(fields),
        minutes=minutes,
        hours=hours,
        months=months,
        years=YEARS,
        days=_days(
            month_days,
            week_days,
            star=_has_star(fields[2]) or _has_star(fields[4]),
            month_length=longest_month(months, YEARS),
        ),
    )


def read_macro(text: str) -> Calendar | Rate:
    """Read `@daily` and its like, and `@every 5m`.

    Raises:
        Rejected: a macro that is unknown, or that no schedule can say.
    """
    name, *rest = text.split()
    if name == "@every":
        return _every(" ".join(rest))
    if name in MACROS and not rest:
        return dataclasses.replace(read_fields(MACROS[name].split()), text=name)
    if name == "@reboot":
        raise invalid("@reboot: a schedule has no machine that boots; write when to run, for instance @daily")
    known = ", ".join((*MACROS, "@every 5m"))
    raise invalid(f'"{text}" is no macro that Kubernetes knows; write one of {known}, in lower case')


def _values(field: Field, text: str) -> Values:
    items = [item for item in text.split(",") if item]
    if not items:
        raise field.refuse(text, "a list of nothing but commas has no value; write * or the values")
    return tuple(sorted({value for item in items for value in _item(field, item)}))


def _item(field: Field, item: str) -> range:
    span, slash, step = item.partition("/")
    low, high = _span(field, span, item, open_ended=bool(slash))
    return range(low, high + 1, field.step(step, item) if slash else 1)


def _span(field: Field, span: str, item: str, *, open_ended: bool) -> tuple[int, int]:
    if span in STARS:
        return field.low, field.high
    first, dash, last = span.partition("-")
    if first in STARS:
        raise field.refuse(item, "a range begins with a value; write * alone, or a range such as 1-5")
    low = field.value(first, item)
    if not dash:
        return low, field.high if open_ended else low
    high = field.value(last, item)
    if high < low:
        halves = f"{low}-{field.high},{field.low}-{high}"
        raise field.refuse(item, f"the range runs backwards; write it from low to high, or as two: {halves}")
    return low, high


def _has_star(text: str) -> bool:
    return any(STAR_ITEM.fullmatch(item) for item in text.split(","))


def _days(month_days: Values, week_days: Values, *, star: bool, month_length: int) -> Days:
    """The rule of robfig/cron's `dayMatches`, as an *or* in which None says nothing.

    A star always comes with every value of its field, so its *and* is the other field alone.
    """
    possible = [day for day in month_days if day <= month_length]
    every_month_day, every_week_day = len(possible) == month_length, len(week_days) == WEEK
    if star:
        return Days(
            month_days=None if every_month_day else month_days,
            week_days=None if every_week_day else week_days,
        )
    if every_month_day or every_week_day:
        return Days()
    return Days(month_days=month_days if possible else None, week_days=week_days)


def _every(duration: str) -> Rate:
    seconds = _seconds(duration)
    minutes, rest = divmod(seconds, 60)
    if rest or not minutes:
        raise invalid(
            f'"@every {duration}": EventBridge counts whole minutes; write a whole number of minutes, such as @every 5m'
        )
    return Rate(text=f"@every {duration}", value=minutes, unit="minute")


def _seconds(duration: str) -> int:
    """Whole seconds, as robfig/cron's `Every` cuts them."""
    parts = DURATION.findall(duration.removeprefix("+"))
    if not parts or "".join(map("".join, parts)) != duration.removeprefix("+"):
        raise invalid(f'"@every {duration}": not a duration; write hours and minutes, such as @every 1h30m')
    total = sum(Fraction(amount) * NANOSECONDS[unit] for amount, unit in parts)
    if total > LONGEST_DURATION:
        raise invalid(f'"@every {duration}": longer than Kubernetes can count; write at most 2562047h')
    return int(total // NANOSECONDS["s"])
