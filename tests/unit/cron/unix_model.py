"""What a Unix schedule means to Kubernetes, said a second time: github.com/robfig/cron v3, `parser.go` and `spec.go`.

Imports nothing of the package under test and shares no idea with `aws_model`: fields are bit sets, as in the Go source,
and a day is asked one by one.
"""

import datetime as dt

BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
STAR_BIT = 1 << 63
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEK = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
NAMES = {name: number for names, first in ((MONTHS, 1), (WEEK, 0)) for number, name in enumerate(names, first)}


class UnixModel:
    """The days and the minutes of the day of five fields that are valid."""

    def __init__(self, text: str) -> None:
        self.minute, self.hour, self.dom, self.month, self.dow = (
            _bits(field, *bounds) for field, bounds in zip(text.split(), BOUNDS, strict=True)
        )

    def has_day(self, day: dt.date) -> bool:
        if not self.month >> day.month & 1:
            return False
        dom_match = self.dom >> day.day & 1
        dow_match = self.dow >> (day.weekday() + 1) % 7 & 1
        if (self.dom | self.dow) & STAR_BIT:
            return bool(dom_match and dow_match)
        return bool(dom_match or dow_match)

    def has_time(self, hour: int, minute: int) -> bool:
        return bool(self.hour >> hour & self.minute >> minute & 1)


def _bits(field: str, low: int, high: int) -> int:
    bits = 0
    for expr in field.split(","):
        range_and_step = expr.split("/")
        low_and_high = range_and_step[0].split("-")
        star = low_and_high[0] in "*?"
        start = low if star else _number(low_and_high[0])
        end = high if star else _number(low_and_high[-1])
        step = int(range_and_step[1]) if len(range_and_step) > 1 else 1
        if len(range_and_step) > 1 and len(low_and_high) == 1:
            end = high
        while start <= end:
            bits |= 1 << start
            start += step
        if star and step == 1:
            bits |= STAR_BIT
    return bits


def _number(text: str) -> int:
    return NAMES[text.lower()] if text.lower() in NAMES else int(text)
