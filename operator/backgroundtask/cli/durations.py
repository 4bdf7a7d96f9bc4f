"""Lengths of time as people type them to kubectl: 90s, 5m, 1h30m; a bare number is seconds."""

import re
from datetime import timedelta
from typing import Final

import click

_SHAPE: Final = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,9})s?)?", re.ASCII)


class Duration(click.ParamType[timedelta]):
    """A length of time, in whole seconds."""

    name = "DURATION"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Refuses what is no length of time, and units that would be guessed at."""
        if isinstance(value, timedelta):
            return value
        shape = _SHAPE.fullmatch(value)
        if not value or shape is None:
            self.fail(f'"{value}" is no length of time; write one such as 90s, 5m or 1h30m', param, ctx)
        days, hours, minutes, seconds = (int(number or 0) for number in shape.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
