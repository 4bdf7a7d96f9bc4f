"""What may disturb a run of the workload, and when; and a controller that is struck at one of its writes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Self, get_args

from crash.world import CrashWorld
from fixtures.calls import Call
from fixtures.fault_proxy import CUT, Fault, Reply

Moment = Literal["before", "after", "lost"]
"""Killed before the write arrives, or after its effect and before its answer; or alive, with the answer lost."""

MOMENTS: tuple[Moment, ...] = get_args(Moment)
_HELD_UP = 0.6  # seconds; receipts of messages are gathered for a third of it
_POINT = re.compile(r"(?P<step>[\w-]+):(?P<label>.+)#(?P<nth>\d+):(?P<moment>before|after|lost)")


class Disturbance(Fault):
    """Nothing at all; who disturbs overrides what it takes. One object for one run.

    `reached` tells whether what was to be disturbed was there. `from_step` is the first step after which the world may
    differ, empty for the first of all; `last_step` the one after which it must be as if nothing had been, empty where
    only the end tells. `most_ends` is how often a controller may end; `replicas` is how many there are.
    """

    from_step = last_step = ""
    most_ends = 0
    replicas = 1

    def __init__(self) -> None:
        self.reached = False

    def before(self, world: CrashWorld, step: str) -> None:
        """A step begins."""

    def acted(self, world: CrashWorld, step: str) -> None:
        """The first move of a step was made, and what follows from it is under way."""


@dataclass(frozen=True, slots=True)
class Point:
    """The `nth` write (from 1) of one kind in one step, and what is done to it.

    It is named by what is written and when, not by a bare number, so that its name means the same in every run.
    """

    step: str
    label: str
    nth: int
    moment: Moment

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"{self.step}:{self.label}#{self.nth}:{self.moment}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The point that a text names.

        Raises:
            ValueError: it names none; the text says what one looks like.
        """
        found = _POINT.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no point: write one as image:ecs.RegisterTaskDefinition#1:lost")
        moment: Moment = next(one for one in MOMENTS if one == found["moment"])
        return cls(found["step"], found["label"], int(found["nth"]), moment)


class Strike(Disturbance):
    """Kills the controller at one write, or loses the answer to it."""

    def __init__(self, point: Point, world: CrashWorld) -> None:
        super().__init__()
        self.from_step = self.last_step = point.step
        self.most_ends = int(point.moment != "lost")
        self._point, self._world = point, world
        self._step = ""
        self._left = point.nth
        self._target: Call | None = None

    def before(self, world: CrashWorld, step: str) -> None:
        del world
        self._step = step

    def arrive(self, call: Call) -> float:
        """A write that never arrives is held up first: what ought to wait for it shows, if it does not."""
        if self._step != self._point.step or not call.is_write or call.label != self._point.label:
            return 0.0
        self._left -= 1
        if self._left == 0:
            self._target = call
        return _HELD_UP if call is self._target and self._point.moment == "before" else 0.0

    def meet(self, call: Call) -> Reply | Literal["cut"] | None:
        return self._strike() if call is self._target and self._point.moment == "before" else None

    def answered(self, call: Call, reply: Reply) -> Reply | Literal["cut"]:
        return self._strike() if call is self._target else reply

    def _strike(self) -> Literal["cut"]:
        self.reached = True
        if self._point.moment != "lost":
            self._world.kill()
        return CUT
