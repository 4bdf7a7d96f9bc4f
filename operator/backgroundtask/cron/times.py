"""When a schedule runs next: local times of its calendar, made moments by the rules of EventBridge Scheduler.

Who knows what: `croniter` walks the days, in plain Unix cron, where it is right. A day rule then says which of them it
means (croniter has neither Unix's `1-31` nor all of `L W #`), the hours and minutes of a day are the same every day,
and the time zone is applied here, since croniter follows crontab(5), which moves what a clock change swallows.

AWS: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time: a local time that
the clock skips does not run, one that it repeats runs once. Which of the two, the page does not say; here the first.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from itertools import product, takewhile
from typing import assert_never

from croniter import croniter

from backgroundtask.cron import zones
from backgroundtask.cron.days import EVERY
from backgroundtask.cron.expression import YEARS, At, Calendar, Expression, Rate
from backgroundtask.cron.fields import MONTH

BEGIN = dt.datetime(YEARS[0] - 1, 12, 30, tzinfo=dt.UTC)  # nowhere has the first year begun
END = dt.datetime(YEARS[-1] + 1, 1, 2, tzinfo=dt.UTC)  # everywhere has the last year ended


def next_times(expression: Expression, *, time_zone: str, after: dt.datetime) -> Iterator[dt.datetime]:
    """The moments at which the schedule runs, strictly after an aware `after`, ascending, without duplicates, in UTC.

    Empty where no slot is known (a rate) and where none is left; ends with the last year that AWS knows, 2199.

    Raises:
        Rejected: `UnknownTimeZone`, at once and not at the first moment.
    """
    zone = zones.time_zone(time_zone)
    if after >= END:
        return iter(())
    local = max(after, BEGIN).astimezone(zone).replace(tzinfo=None)
    return _moments(_local_slots(expression, local), zone, after)


def times_between(
    expression: Expression, *, time_zone: str, start: dt.datetime, end: dt.datetime
) -> Iterator[dt.datetime]:
    """The moments of `next_times` after `start`, up to and with `end`."""
    return takewhile(lambda moment: moment <= end, next_times(expression, time_zone=time_zone, after=start))


def _moments(slots: Iterable[dt.datetime], zone: dt.tzinfo, after: dt.datetime) -> Iterator[dt.datetime]:
    """Local times as moments, in their order: the first passing (fold=0) of a later time is never the earlier one."""
    for slot in slots:
        moment = slot.replace(tzinfo=zone).astimezone(dt.UTC)
        exists = moment.astimezone(zone).replace(tzinfo=None) == slot
        if exists and moment > after:
            yield moment


def _local_slots(expression: Expression, start: dt.datetime) -> Iterator[dt.datetime]:
    """Naive local times, from some time in the hour of `start` on."""
    match expression:
        case Rate():
            return iter(())
        case At():
            return iter((expression.local,))
        case Calendar():
            return _calendar_slots(expression, start)
        case _:
            assert_never(expression)


def _calendar_slots(calendar: Calendar, start: dt.datetime) -> Iterator[dt.datetime]:
    for year in calendar.years:
        if year < start.year:
            continue
        for day in _days(calendar, max(start.date(), dt.date(year, 1, 1))):
            hours = calendar.hours if day > start.date() else [hour for hour in calendar.hours if hour >= start.hour]
            for hour, minute in product(hours, calendar.minutes):
                yield dt.datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - local, with no zone yet


def _days(calendar: Calendar, first: dt.date) -> Iterator[dt.date]:
    """The schedule's days from `first` to the end of its year."""
    month_day, week_day = calendar.days.candidates
    month = EVERY if calendar.months == MONTH.all else ",".join(map(str, calendar.months))
    eve = dt.datetime.combine(first, dt.time()) - dt.timedelta(minutes=1)
    days = croniter(f"0 0 {month_day} {month} {week_day}", eve, ret_type=dt.datetime)
    in_year = takewhile(lambda day: day.year == first.year, (midnight.date() for midnight in days))
    return filter(calendar.days.matches, in_year)
