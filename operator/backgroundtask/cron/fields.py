"""The fields that both dialects have, and how one value of a field is read.

Knows bounds, names and how to refuse a value so that its writer can mend it. Knows nothing of lists, ranges and steps:
those differ between Unix and AWS, and each dialect reads its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backgroundtask.cron.expression import YEARS, Values, invalid
from backgroundtask.errors import Rejected

MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEK_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a cron expression: its name, its bounds (both included) and the names of its values."""

    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)
    hint: str = ""  # what people usually meant when a number is out of bounds

    @property
    def all(self) -> Values:
        """Every value of the field."""
        return tuple(range(self.low, self.high + 1))

    def refuse(self, found: str, problem: str) -> Rejected:
        """The refusal of this field; `problem` says what is wrong with `found` and what to write instead."""
        return invalid(f'{self.name} "{found}": {problem}')

    def value(self, text: str, found: str) -> int:
        """One value, as a number or as a name in any case; `found` is the item that holds it.

        Raises:
            Rejected: it is neither, or out of bounds.
        """
        if text.upper() in self.names:
            return self.names[text.upper()]
        number = self.number(text, found)
        if self.low <= number <= self.high:
            return number
        raise self.refuse(found, f"{number} is outside {self.low}-{self.high}; {self.hint or 'write a value within'}")

    def step(self, text: str, found: str) -> int:
        """The n of `/n`: a positive number.

        Raises:
            Rejected: it is not.
        """
        step = self.number(text, found)
        if step == 0:
            raise self.refuse(found, "a step of 0 never ends; write a step of 1 or more")
        return step

    def number(self, text: str, found: str) -> int:
        """Decimal digits.

        Raises:
            Rejected: anything else.
        """
        if text.isdecimal():
            return int(text)
        allowed = f"a number from {self.low} to {self.high}"
        if self.names:
            allowed += f" or one of {', '.join(self.names)}"
        what = f'"{text}" is not a value' if text else "a value is missing"
        raise self.refuse(found, f"{what}; write {allowed}")


MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY_OF_MONTH = Field("day-of-month", 1, 31)
MONTH = Field("month", 1, 12, {name: number for number, name in enumerate(MONTH_NAMES, 1)})
YEAR = Field("year", YEARS[0], YEARS[-1])
