"""The one door: a text becomes an `Expression`, in whichever dialect it is written, or is refused with a reason.

Five fields and `@…` are Unix cron; six fields, `cron(...)`, `rate(...)` and `at(...)` are AWS. Nothing else is a
schedule, and what asks for a date that no calendar has is none either.
"""

import re
from collections.abc import Callable

from backgroundtask.cron import aws, unix
from backgroundtask.cron.days import longest_month
from backgroundtask.cron.expression import Calendar, Expression, invalid
from backgroundtask.cron.fields import MONTH
from backgroundtask.errors import Rejected

LONGEST = 1024  # characters: far more than every value of every field, written out
CALL = re.compile(r"([A-Za-z]+)\s*\(([^()]*)\)")
READERS: dict[str, Callable[[str], Expression]] = {"cron": aws.read_cron, "rate": aws.read_rate, "at": aws.read_at}

UNIX_FIELDS = 5
AWS_FIELDS = 6
AWS_MONTH_DAY = re.compile(r"[LW]", re.IGNORECASE)
AWS_WEEK_DAY = re.compile(r"#|L$", re.IGNORECASE)


def parse(text: str) -> Expression:
    """Read a schedule as a user writes it in `spec.cron`.

    Raises:
        Rejected: `InvalidSchedule`; the message names the field, what was found there and what to write instead.
    """
    text = _plain(text)
    expression = _read(text)
    if isinstance(expression, Calendar):
        _refuse_impossible(expression)
    return expression


def _plain(text: str) -> str:
    text = text.strip()
    if not text:
        raise invalid('the schedule is empty; write one, such as "0 3 * * 1-5", or leave cron out')
    if len(text) > LONGEST:
        raise invalid(f"the schedule has {len(text)} characters; write at most {LONGEST}")
    if not text.isascii():
        odd = next(character for character in text if not character.isascii())
        raise invalid(f'"{odd}" (U+{ord(odd):04X}) is no character of a schedule; write plain ASCII, such as - and *')
    return text


def _read(text: str) -> Expression:
    if text.startswith("@"):
        return unix.read_macro(text)
    if text.upper().startswith(("TZ=", "CRON_TZ=")):
        raise invalid(f'"{text.split(maxsplit=1)[0]}" has no place in the schedule; put the zone in spec.timeZone')
    if "(" in text or ")" in text:
        return _read_call(text)
    return _read_bare(text.split())


def _read_call(text: str) -> Expression:
    call = CALL.fullmatch(text)
    if call is None or call[1] not in READERS:
        raise invalid(f'"{text}": write cron({aws.NAMES}), rate(5 minutes) or at(2026-12-31T23:59:00), in lower case')
    return READERS[call[1]](call[2].strip())


def _read_bare(fields: list[str]) -> Expression:
    if len(fields) == UNIX_FIELDS:
        return _read_five(fields)
    if len(fields) == AWS_FIELDS:
        return _read_six(fields)
    raise invalid(
        f'"{" ".join(fields)}" has {len(fields)} fields; write five (Unix cron: minute hour day-of-month month '
        f"day-of-week) or six (AWS: {aws.NAMES})"
    )


def _read_five(fields: list[str]) -> Calendar:
    if AWS_MONTH_DAY.search(fields[2]) or AWS_WEEK_DAY.search(fields[4]):
        raise invalid(
            f'"{" ".join(fields)}": five fields are read as Unix cron, which has no L, W or #; write it as AWS does, '
            f"with a year: cron({aws.NAMES})"
        )
    return unix.read_fields(fields)


def _read_six(fields: list[str]) -> Calendar:
    try:
        return aws.read_cron(" ".join(fields))
    except Rejected as refusal:
        raise invalid(
            f"{refusal.message}; six fields are read as AWS writes them ({aws.NAMES}): if the first is meant as "
            "seconds, leave it out, since a schedule has none, and five fields are read as Unix cron"
        ) from refusal


def _refuse_impossible(calendar: Calendar) -> None:
    longest = longest_month(calendar.months, calendar.years)
    if calendar.days.least_month <= longest:
        return
    months = ",".join(name for name, number in MONTH.names.items() if number in calendar.months)
    raise invalid(
        f'"{calendar.text}" never runs: the months that it has ({months}) end by day {longest}; write a day-of-month '
        "or a month that exists together"
    )
