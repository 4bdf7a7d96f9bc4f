"""How far the reads of a service lag behind its writes: what was just created is not shown for a while.

Knows names of things (ARNs, as a rule) and until when each stays hidden; nothing of what they are. Writes never ask:
they act on what is true. Without being asked nothing is hidden.

documented: ECS API: RunTask, which "follows an eventual consistency model": "the result of an API command you run that
affects your Amazon ECS resources might not be immediately visible to all subsequent commands you run"; SQS API:
CreateQueue, "you must wait at least one second after the queue is created to be able to use the queue"
assumed: the same of EventBridge Scheduler; that what was changed or deleted is seen so at once
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol, runtime_checkable

from localaws.contract import Call, Clock

LONGEST = 86_400
"""Seconds; a longer delay is a typing error."""


class Lag:
    """What reads of one service do not show yet. `seconds` are virtual."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hidden: dict[str, dt.datetime] = {}  # until when, in order of creation
        self._missed: dict[str, None] = {}
        self.seconds = 0.0

    def be(self, seconds: float) -> None:
        """Hide for so long what is created from now on, and show all that is there."""
        self.seconds = seconds
        self._hidden.clear()

    def created(self, name: str) -> None:
        """Take note that something came into being."""
        if not self.seconds:
            return
        now = self._clock.now()
        for known in [known for known, until in self._hidden.items() if until <= now]:
            del self._hidden[known]
        self._hidden[name] = now + dt.timedelta(seconds=self.seconds)

    def shows(self, name: str) -> bool:
        """Say whether a read shows a thing; if not, that is remembered until `tell`."""
        if not self._hidden or self._hidden.get(name, self._clock.now()) <= self._clock.now():
            return True
        self._missed[name] = None
        return False

    def tell(self, call: Call) -> None:
        """Note in the journal what a read has not been shown."""
        for name in self._missed:
            call.caller.note(f"not shown yet: {name}")
        self._missed.clear()


@runtime_checkable
class Lagging(Protocol):
    """A service whose reads may lag."""

    lag: Lag


def parse_delays(wanted: dict[str, object], known: dict[str, Lag]) -> dict[str, float]:
    """Read the delay of each service from JSON: `{"seconds": 5}` for all, or `{"ecs": 5}`; what is left out has none.

    Raises:
        ValueError: a service is unknown, or a number is none; the text says which.
    """
    if "seconds" in wanted and len(wanted) > 1:
        raise ValueError("a visibility delay takes 'seconds' for all services, or a number for each, and not both")
    allowed = ["seconds", *sorted(known)]
    for name, value in wanted.items():
        if name not in allowed:
            raise ValueError(f"no visibility delay has the name {name!r}: it is one of {', '.join(allowed)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST:
            raise ValueError(f"{name!r} must be a number from 0 to {LONGEST}")
    delays = {name: float(value) for name, value in wanted.items() if isinstance(value, int | float)}
    return {name: delays.get("seconds", delays.get(name, 0.0)) for name in known}
