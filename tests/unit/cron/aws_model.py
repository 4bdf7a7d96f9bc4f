"""What `cron(...)` means to EventBridge Scheduler, said a second time, from its user guide (and Quartz for LW and L-n).

Imports nothing of the package under test and shares no idea with `unix_model`: an item of a field is asked whether it
has a value, by the distance from where it begins, going round the field; days are picked from the list of a month.
"""

import datetime as dt
import re
from functools import lru_cache

DAY = dt.timedelta(days=1)
SIZES = {"minute": (0, 60), "hour": (0, 24), "day": (1, 31), "month": (1, 12), "week": (1, 7), "year": (1970, 230)}
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEK = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


class AwsModel:
    """The days and the minutes of the day of an expression that is valid."""

    def __init__(self, expression: str) -> None:
        inside = re.fullmatch(r"cron\(([^()]+)\)", expression)
        assert inside is not None, expression
        self.minute, self.hour, self.dom, self.month, self.dow, self.year = inside[1].split(" ")
        assert (self.dom == "?") != (self.dow == "?"), expression
        assert "/" not in self.dow, expression
        assert len(expression) <= 256, expression

    def has_time(self, hour: int, minute: int) -> bool:
        return _has("hour", self.hour, hour) and _has("minute", self.minute, minute)

    def days(self, year: int) -> list[dt.date]:
        """The days of a year."""
        if not _has("year", self.year, year):
            return []
        months = [month for month in range(1, 13) if _has("month", self.month, month)]
        return [day for month in months for day in self._of(_month(year, month))]

    def _of(self, month: list[dt.date]) -> list[dt.date]:
        return _by_week(self.dow, month) if self.dom == "?" else _by_number(self.dom, month)


@lru_cache
def _month(year: int, month: int) -> list[dt.date]:
    first = dt.date(year, month, 1)
    return [first + DAY * n for n in range(31) if (first + DAY * n).month == month]


def _by_number(field: str, month: list[dt.date]) -> list[dt.date]:
    working = [day for day in month if _name(day) not in ("SAT", "SUN")]
    if field == "LW":
        return working[-1:]
    if field.startswith("L"):
        back = int(field[2:] or 0)
        return [month[-1 - back]] if back < len(month) else []
    if field.endswith("W"):
        wanted = int(field[:-1])
        near = sorted(working, key=lambda day: abs(day.day - wanted))
        return near[:1] if wanted <= len(month) else []
    return [day for day in month if _has("day", field, day.day)]


@lru_cache(2_000)
def _name(day: dt.date) -> str:
    return day.strftime("%a").upper()


def _by_week(field: str, month: list[dt.date]) -> list[dt.date]:
    if field == "L":
        field = "SAT"
    if "#" in field:
        name, nth = field.split("#")
        return _by_week(name, month)[int(nth) - 1 : int(nth)]
    if field.endswith("L"):
        return _by_week(field[:-1], month)[-1:]
    return [day for day in month if _has("week", field, WEEK.index(_name(day)) + 1)]


@lru_cache(10_000)
def _has(kind: str, field: str, value: int) -> bool:
    return any(_item_has(kind, item, value) for item in field.split(","))


def _item_has(kind: str, item: str, value: int) -> bool:
    least, size = SIZES[kind]
    span, _, step = item.partition("/")
    if span == "*":
        return (value - least) % int(step or 1) == 0
    begin, _, end = span.partition("-")
    first = _number(begin)
    last = _number(end) if end else (least + size - 1 if step else first)
    distance = (value - first) % size
    return distance <= (last - first) % size and distance % int(step or 1) == 0


def _number(text: str) -> int:
    for names in (MONTHS, WEEK):
        if text in names:
            return names.index(text) + 1
    return int(text)
