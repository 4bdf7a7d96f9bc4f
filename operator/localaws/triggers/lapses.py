"""Delivery at least once, as a test asks for it: which firings come twice, and which come late.

Documented: EventBridge User Guide, "Troubleshooting": "a rule ran more than once in response to a single event", "the
same rule can run more than once for a single scheduled time"; Scheduler's, "What is EventBridge Scheduler":
"at-least-once event delivery". Unless somebody asks, each firing is delivered once and on time.

Pure: the chance of a firing is drawn from the seed and the firing itself, so it is the same in whatever order firings
come, and after a restart.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import hashlib
from dataclasses import dataclass
from typing import Any

from localaws import wishes

_LATEST = 7 * 86_400
_MEMBERS = {
    "deliver-twice": "deliver_twice",
    "late-seconds": "late_seconds",
    "second-after-seconds": "second_after_seconds",
    "only": "only",
    "seed": "seed",
}
_NUMBERS = {"deliver-twice": 1, "late-seconds": _LATEST, "second-after-seconds": _LATEST}
_ALL_CHANCES = 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapses:
    """What goes amiss: the part of all firings that comes twice, and how late every firing comes.

    `late_seconds` and `second_after_seconds` are virtual; the latter lie between the two deliveries of one firing.
    `only` is a shell pattern of the names that all this is about.
    """

    deliver_twice: float = 0.0
    late_seconds: float = 0.0
    second_after_seconds: float = 0.0
    only: str = "*"
    seed: int = 0

    def delays(self, names: tuple[str, ...], occasion: str) -> tuple[dt.timedelta, ...]:
        """How long after its time a firing is delivered, once for each delivery; by any of its names it is known."""
        if not any(fnmatch.fnmatchcase(name, self.only) for name in names):
            return (dt.timedelta(0),)
        first = dt.timedelta(seconds=self.late_seconds)
        if not self.deliver_twice or chance(str(self.seed), names[0], occasion) >= self.deliver_twice:
            return (first,)
        return first, first + dt.timedelta(seconds=self.second_after_seconds)

    def as_json(self) -> dict[str, Any]:
        """The lapses as `/_localaws/` takes and answers them."""
        return {name: getattr(self, member) for name, member in _MEMBERS.items()}


def chance(*words: str) -> float:
    """A number from 0 to below 1 that is always the same for the same words."""
    digest = hashlib.sha256("\n".join(words).encode()).digest()
    return int.from_bytes(digest[:8]) / _ALL_CHANCES


def parse_lapses(wanted: dict[str, Any]) -> Lapses:
    """Read lapses from JSON; what is left out is off.

    Raises:
        ValueError: a member is unknown or wrong; the text says which.
    """
    wishes.check(wanted, "firings", _MEMBERS, _NUMBERS)
    if not isinstance(wanted.get("only", "*"), str) or not wanted.get("only", "*"):
        raise ValueError("'only' must be a pattern of names, such as 'nightly-*'")
    return Lapses(**{_MEMBERS[name]: value for name, value in wanted.items()})
