"""At-least-once, made visible: messages delivered twice and out of order, because somebody asked for it.

documented: DG, "Amazon SQS standard queues": at-least-once delivery, "occasionally more than one copy of a message is
delivered", best-effort ordering. As long as nobody asks, each message is delivered once, in order.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from localaws import wishes

_NAMES = {"deliver-twice": "deliver_twice", "reorder": "reorder", "seed": "seed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """Which part of the messages standard queues deliver twice, and which part of the receives find no order.

    A message that comes twice comes either at once, while its first delivery is in flight, or after it was deleted.
    The same `seed` gives the same fate to the same sequence of receives.
    """

    deliver_twice: float = 0.0
    reorder: float = 0.0
    seed: int = 0

    def as_json(self) -> dict[str, Any]:
        """The habits as `/_localaws/queues` takes and answers them."""
        return {name: getattr(self, member) for name, member in _NAMES.items()}


def parse_habits(wanted: dict[str, Any]) -> Habits:
    """Read habits from JSON; what is left out is off.

    Raises:
        ValueError: a member is unknown or wrong; the text says which.
    """
    wishes.check(wanted, "queues", _NAMES, {"deliver-twice": 1, "reorder": 1})
    return Habits(**{_NAMES[name]: value for name, value in wanted.items()})


class Chance:
    """Decides by habits, one after the other."""

    def __init__(self) -> None:
        self.be(Habits())

    def be(self, habits: Habits) -> None:
        """Take on habits, and begin anew."""
        self.habits = habits
        self._random = random.Random(habits.seed)  # noqa: S311  # chance that has to repeat itself

    def of_order(self) -> random.Random | None:
        """What shuffles the next receive; None where it is to be in order."""
        return self._random if self.habits.reorder and self._random.random() < self.habits.reorder else None

    def doubles(self) -> bool:
        """Whether the next message is to come twice."""
        return bool(self.habits.deliver_twice) and self._random.random() < self.habits.deliver_twice

    def after_deletion(self) -> bool:
        """Whether the second delivery waits for the deletion of the first."""
        return self._random.random() < _HALF


_HALF = 0.5
