"""The way of an AWS service's event into EventBridge: at least once, in no sure order, some time later.

documented: ECS Developer Guide, "Handling Amazon ECS events": "at-least-once delivery", "you might receive multiple
copies of a given event", "events might not be delivered to your event listeners in the order in which the events
occurred". As long as nobody asks for that, each event goes its way once, in order, at once.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from localaws import wishes
from localaws.contract import Clock, Params

LONGEST_WAIT = 1.0
"""Virtual seconds that an event waits for another one to overtake it."""

_LATEST = 86_400
_NAMES = {"deliver-twice": "deliver_twice", "reorder": "reorder", "late-seconds": "late_seconds", "seed": "seed"}

Receive = Callable[[str, Params], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How events arrive: which part of them twice, which part after the one that follows, and how late at most.

    `late_seconds` are virtual; each event draws its own from 0 to there. The same `seed` gives the same fate to the
    same sequence of events.
    """

    deliver_twice: float = 0.0
    reorder: float = 0.0
    late_seconds: float = 0.0
    seed: int = 0

    def as_json(self) -> dict[str, Any]:
        """The habits as `/_localaws/events` takes and answers them."""
        return {name: getattr(self, member) for name, member in _NAMES.items()}


def parse_habits(wanted: dict[str, Any]) -> Habits:
    """Read habits from JSON; what is left out is off.

    Raises:
        ValueError: a member is unknown or wrong; the text says which.
    """
    wishes.check(wanted, "events", _NAMES, {"deliver-twice": 1, "reorder": 1, "late-seconds": _LATEST})
    return Habits(**{_NAMES[name]: value for name, value in wanted.items()})


class Emission:
    """Takes events from services and hands them to `receive` with the region they come from."""

    def __init__(self, clock: Clock, spawn: Callable[[Coroutine[Any, Any, None]], object], receive: Receive) -> None:
        self._clock = clock
        self._spawn = spawn
        self._receive = receive
        self.be(Habits())

    def be(self, habits: Habits) -> None:
        """Take on habits, and begin their chance anew; an event that still waits is overtaken by none of the next."""
        self.habits = habits
        self._waiting: asyncio.Event | None = None  # set when the next event has passed
        self._random = random.Random(habits.seed)  # noqa: S311  # chance that has to repeat itself

    def emit(self, region: str, event: Params) -> None:
        """Let an event go its way."""
        if self.habits == dataclasses.replace(Habits(), seed=self.habits.seed):
            self._receive(region, event)
            return
        overtaken, self._waiting = self._waiting, None
        for _ in range(1 + (self._random.random() < self.habits.deliver_twice)):
            self._send(region, event, may_wait=overtaken is None)
        if overtaken is not None:
            overtaken.set()

    def _send(self, region: str, event: Params, *, may_wait: bool) -> None:
        late = dt.timedelta(seconds=self._random.random() * self.habits.late_seconds)
        if may_wait and self._waiting is None and self._random.random() < self.habits.reorder:
            self._waiting = asyncio.Event()
            self._spawn(self._after_next(self._waiting, region, event))
        elif late:
            self._spawn(self._late(late, region, event))
        else:
            self._receive(region, event)

    async def _late(self, late: dt.timedelta, region: str, event: Params) -> None:
        await self._clock.sleep_until(self._clock.now() + late)
        self._receive(region, event)

    async def _after_next(self, passed: asyncio.Event, region: str, event: Params) -> None:
        """Send the event when the next one has passed, or nobody comes for some time."""
        alone = asyncio.ensure_future(self._clock.sleep_until(self._clock.now() + dt.timedelta(seconds=LONGEST_WAIT)))
        overtaken = asyncio.ensure_future(passed.wait())
        try:
            await asyncio.wait({alone, overtaken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alone.cancel()
            overtaken.cancel()
        if self._waiting is passed:
            self._waiting = None
        self._receive(region, event)
