"""One try at one slot, and the call that it makes.

Knows context attributes and how Scheduler writes a moment. Refuses to know any target.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from localaws.contract import Params


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at one slot; gives the context attributes their values (documented: UG, "Adding context attributes")."""

    schedule_arn: str
    scheduled_time: dt.datetime
    execution_id: str  # a new one for each attempt
    number: int  # from 1

    @property
    def schedule_name(self) -> str:
        """The name of the schedule in its group."""
        return self.schedule_arn.rpartition("/")[2]

    def fill(self, text: str) -> str:
        """Replace the context attributes, as text: in keys, in values and inside longer strings alike."""
        for name, value in (
            ("schedule-arn", self.schedule_arn),
            ("scheduled-time", zulu(self.scheduled_time)),
            ("execution-id", self.execution_id),
            ("attempt-number", str(self.number)),
        ):
            text = text.replace(f"<aws.scheduler.{name}>", value)
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The call of one attempt; `body` is the same request as a dead letter shows it."""

    service: str
    operation: str
    region: str
    params: Params
    body: str


class Target(Protocol):
    """What a schedule calls."""

    @property
    def arn(self) -> str:
        """The ARN as the schedule has it."""

    def invocation(self, attempt: Attempt) -> Invocation:
        """The request of one attempt."""


def zulu(moment: dt.datetime) -> str:
    """A moment as Scheduler writes it: 2022-03-22T18:59:43Z."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
