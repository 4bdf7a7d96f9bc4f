"""A schedule as EventBridge Scheduler takes it: one expression, or two that together are exactly the one.

AWS takes days from one field only, so a Unix schedule whose days come from either field becomes two schedules. They
overlap where a day is in both, and whoever fires them must start one run a slot (the run's client token does).

Values are written out rather than kept as the user spelled them, so that equal schedules have equal expressions and
nothing rests on a form that the two dialects read differently: weekdays by name (AWS counts them from 1), the rest as
runs and lists, and `a/n` where a field has every nth value up to its end.
"""

from itertools import pairwise

from backgroundtask.cron import aws
from backgroundtask.cron.days import Days
from backgroundtask.cron.expression import Calendar, Expression, Kind, Rate, Values, invalid
from backgroundtask.cron.fields import DAY_OF_MONTH, HOUR, MINUTE, MONTH, WEEK_DAYS, Field

LONGEST = 256
"""Characters of a ScheduleExpression (botocore's model of CreateSchedule)."""

FEWEST_STEPS = 3  # two values read better as a list


def to_aws(expression: Expression) -> tuple[str, ...]:
    """One ScheduleExpression, or two for a Unix schedule whose day-of-month and day-of-week are both restricted.

    Raises:
        Rejected: `InvalidSchedule`, a `cron(...)` is longer than AWS takes; Unix cron needs at most 240 characters.
    """
    written = _written(expression)
    for text in written:
        if len(text) > LONGEST:
            raise invalid(
                f'"{expression.text}" is {len(text)} characters for AWS, which takes {LONGEST}; write fewer values, '
                "or ranges and steps in their place"
            )
    return written


def _written(expression: Expression) -> tuple[str, ...]:
    if isinstance(expression, Rate):
        return (aws.said(expression),)
    if isinstance(expression, Calendar) and isinstance(expression.days, Days) and expression.kind is Kind.UNIX:
        return _unix(expression, expression.days)
    return (expression.text,)


def _unix(calendar: Calendar, days: Days) -> tuple[str, ...]:
    time = f"{_field(MINUTE, calendar.minutes)} {_field(HOUR, calendar.hours)}"
    month = _field(MONTH, calendar.months)
    written = []
    if days.month_days is not None:
        written.append(f"cron({time} {_field(DAY_OF_MONTH, days.month_days)} {month} ? *)")
    if days.week_days is not None:
        names = ",".join(WEEK_DAYS[day] for day in days.week_days)
        written.append(f"cron({time} ? {month} {names} *)")
    return tuple(written) or (f"cron({time} * {month} ? *)",)


def _field(field: Field, values: Values) -> str:
    if values == field.all:
        return "*"
    gaps = {after - before for before, after in pairwise(values)}
    if len(values) >= FEWEST_STEPS and len(gaps) == 1 and values[-1] + max(gaps) > field.high and gaps != {1}:
        return f"{values[0]}/{max(gaps)}"
    return ",".join(_run(first, last) for first, last in _runs(values))


def _runs(values: Values) -> list[tuple[int, int]]:
    """Values as runs without a gap, each by its first and last."""
    starts = [value for value in values if value - 1 not in values]
    ends = [value for value in values if value + 1 not in values]
    return list(zip(starts, ends, strict=True))


def _run(first: int, last: int) -> str:
    if first == last:
        return str(first)
    return f"{first}{',' if last == first + 1 else '-'}{last}"
