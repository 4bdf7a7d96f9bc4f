"""The expressions of EventBridge Scheduler: `cron(...)`, `rate(...)`, `at(...)`, validated and otherwise left alone.

Grammar: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html and, with the examples (`20-2` among
them), https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html, eb-rate-expressions.html.

Where the pages are silent, this is narrow on purpose, because what AWS refuses at the first apply costs more than what
is refused here with a reason: no `/` in day-of-week; `L`, `W` and `#` stand alone in their field (as in Quartz, and as
the page says of `#`); a step is no longer than its field; `rate(1 hours)` is refused as rules refuse it.
`LW`, `6L` and `L-2` are on no page, but were seen accepted (days.py), and names in any case too.
"""

import datetime as dt
import re

from backgroundtask.cron.days import DayRule, Days, LastDay, LastWeekday, NearestWeekday, NthWeekday
from backgroundtask.cron.expression import YEARS, At, Calendar, Kind, Rate, Values, invalid
from backgroundtask.cron.fields import DAY_OF_MONTH, HOUR, MINUTE, MONTH, WEEK_DAYS, YEAR, Field

DAY_OF_WEEK = Field(
    "day-of-week",
    1,
    7,
    {name: number for number, name in enumerate(WEEK_DAYS, 1)},
    "AWS counts from Sunday = 1 to Saturday = 7",
)
NAMES = "minutes hours day-of-month month day-of-week year"
UNITS = ("minute", "hour", "day")
WEEKS_OF_MONTH = 5

AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
LAST_DAY = re.compile(r"L(?:-([0-9]{1,2}))?")
NEAREST_WEEKDAY = re.compile(r"([0-9]+|L)W")


def read_cron(body: str) -> Calendar:
    """Read what stands between the parentheses of `cron(...)`; the year may be left out, and is written out again.

    Raises:
        Rejected: a field says what AWS would refuse, or the days are not in exactly one of the two day fields.
    """
    fields = body.upper().split()
    if len(fields) not in {5, 6}:
        raise invalid(f'"cron({body})" has {len(fields)} fields; write six: cron({NAMES})')
    minute, hour, month_day, month, week_day, year = [*fields, "*"][:6]
    return Calendar(
        kind=Kind.CRON,
        text=f"cron({minute} {hour} {month_day} {month} {week_day} {year})",
        minutes=_values(MINUTE, minute),
        hours=_values(HOUR, hour),
        months=_values(MONTH, month),
        years=_values(YEAR, year),
        days=_days(month_day, week_day),
    )


def read_rate(body: str) -> Rate:
    """Read what stands between the parentheses of `rate(...)`.

    Raises:
        Rejected: it is not a positive number and a unit that fits the number.
    """
    value, unit = _rate_parts(body)
    fitting = unit.removesuffix("s")
    if fitting not in UNITS or not value:
        raise invalid(f'"rate({body})": write a positive number and minutes, hours or days, such as rate(5 minutes)')
    rate = Rate(text=f"rate({value} {unit})", value=value, unit=fitting)
    if unit != (fitting if value == 1 else f"{fitting}s"):
        raise invalid(f'"rate({body})": AWS wants the singular after 1 and the plural otherwise; write {said(rate)}')
    return rate


def said(rate: Rate) -> str:
    """A rate as AWS writes it: `rate(1 hour)`, `rate(5 minutes)`."""
    return f"rate({rate.value} {rate.unit}{'' if rate.value == 1 else 's'})"


def read_at(body: str) -> At:
    """Read what stands between the parentheses of `at(...)`: a local date and time.

    Raises:
        Rejected: it is none, or beyond the years that AWS knows.
    """
    local = _local_time(body)
    if local is None or local.year not in YEARS:
        raise invalid(
            f'"at({body})": write a date that exists from {YEARS[0]} to {YEARS[-1]} and a time without an offset, '
            "such as at(2026-12-31T23:59:00); spec.timeZone says where"
        )
    return At(text=f"at({body})", local=local)


def _rate_parts(body: str) -> tuple[int, str]:
    parts = body.split()
    if len(parts) != len(("value", "unit")) or not parts[0].isdecimal():
        return 0, ""
    return int(parts[0]), parts[1]


def _local_time(body: str) -> dt.datetime | None:
    if not AT.fullmatch(body):
        return None
    try:
        return dt.datetime.fromisoformat(body)
    except ValueError:
        return None


def _values(field: Field, text: str) -> Values:
    return tuple(sorted({value for item in text.split(",") for value in _item(field, item)}))


def _item(field: Field, item: str) -> Values:
    span, slash, step_text = item.partition("/")
    step = _step(field, step_text, item) if slash else 1
    if span == "*":
        return field.all[::step]
    first, dash, last = span.partition("-")
    low = field.value(first, item)
    if not dash:
        return tuple(range(low, field.high + 1, step)) if slash else (low,)
    return _range(field, low, field.value(last, item), item)[::step]


def _range(field: Field, low: int, high: int, item: str) -> Values:
    """A range that runs backwards goes over the end of its field: `20-2` are the hours 20 to 23, and 0 to 2."""
    if low <= high:
        return tuple(range(low, high + 1))
    if field is YEAR:
        raise field.refuse(item, "years do not begin again; write the range from low to high")
    return (*range(low, field.high + 1), *range(field.low, high + 1))


def _step(field: Field, text: str, item: str) -> int:
    step = field.step(text, item)
    if step > field.high - field.low:
        raise field.refuse(item, f"the step goes beyond the field; write the value alone, or a step below {step}")
    return step


def _days(month_day: str, week_day: str) -> DayRule:
    if (month_day == "?") == (week_day == "?"):
        raise invalid(
            f'day-of-month "{month_day}" and day-of-week "{week_day}": AWS wants the days in one of the two and "?" in '
            "the other; write ? in the one that does not matter (Unix cron has five fields and no cron() around them)"
        )
    return _month_days(month_day) if week_day == "?" else _week_days(week_day)


def _month_days(text: str) -> DayRule:
    if nearest := NEAREST_WEEKDAY.fullmatch(text):
        return NearestWeekday(None if nearest[1] == "L" else DAY_OF_MONTH.value(nearest[1], text))
    if last := LAST_DAY.fullmatch(text):
        return _last_day(int(last[1] or 0), text)
    if text == "*":
        return Days()
    if re.search(r"[LW]", text):
        raise DAY_OF_MONTH.refuse(text, "L and W stand alone in the field; write L, L-2, LW or 15W")
    return Days(month_days=_values(DAY_OF_MONTH, text))


def _last_day(days_before: int, text: str) -> LastDay:
    if days_before >= DAY_OF_MONTH.high:
        raise DAY_OF_MONTH.refuse(text, "no month is that long; write L-1 to L-30")
    return LastDay(days_before)


def _week_days(text: str) -> DayRule:
    if text in {"*", "L"}:
        return Days() if text == "*" else Days(week_days=(_sunday_zero("7", text),))
    if "/" in text:
        raise DAY_OF_WEEK.refuse(text, "AWS takes no / here; write the days, such as MON,WED,FRI")
    if "#" in text:
        return _nth(text)
    if text.endswith("L") and "," not in text:
        return LastWeekday(_sunday_zero(text.removesuffix("L"), text))
    return Days(week_days=tuple(sorted(value - 1 for value in _values(DAY_OF_WEEK, text))))


def _nth(text: str) -> NthWeekday:
    day, _, nth = text.partition("#")
    if not nth.isdecimal() or not 1 <= int(nth) <= WEEKS_OF_MONTH:
        raise DAY_OF_WEEK.refuse(text, "one weekday, # and a number from 1 to 5; write FRI#2 for the second Friday")
    return NthWeekday(_sunday_zero(day, text), int(nth))


def _sunday_zero(day: str, found: str) -> int:
    return DAY_OF_WEEK.value(day, found) - 1
