"""One queue: its identity, its settings, its messages, who waits for them, and the alarm that shows hidden ones.

Knows itself; other queues and the requests of the API are not its business.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
from collections.abc import Mapping

from localaws.contract import Params, World
from localaws.sqs.backlog import Backlog, Message
from localaws.sqs.bell import Bell
from localaws.sqs.deduplication import Deduplication
from localaws.sqs.lines import GroupedLine, StandardLine
from localaws.sqs.settings import Settings

SECOND = 1000
"""Milliseconds, in which all moments of messages are."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)


def milliseconds(moment: dt.datetime) -> int:
    """A moment as messages have it."""
    return (moment - _EPOCH) // _MILLISECOND


class Queue:
    """A queue from its creation to its deletion, after which it is `gone`."""

    def __init__(self, world: World, *, region: str, name: str, settings: Settings) -> None:
        self._world = world
        self.name = name
        self.arn = f"arn:aws:sqs:{region}:{world.account}:{name}"
        self.path = f"/{world.account}/{name}"
        self.seal = secrets.token_hex(8)
        self.settings = settings
        self.tags: dict[str, str] = {}
        self.created = self.modified = self.now()
        self.purged: int | None = None
        self.gone = False
        self.backlog = Backlog(GroupedLine() if settings.fifo else StandardLine())
        self.deduplication = Deduplication()
        self.bell = Bell()
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = 0

    def now(self) -> int:
        """The virtual moment."""
        return milliseconds(self._world.clock.now())

    def settle(self) -> int:
        """Let time have passed for the messages, and return the moment."""
        now = self.now()
        self.backlog.settle(now, self.settings.retention * SECOND)
        return now

    def add(self, message: Message, *, now: int, delay: int = 0) -> None:
        """Take a message in, which becomes receivable after `delay` seconds."""
        self.backlog.add(message, now=now, visible=now + delay * SECOND)
        self.stirred()

    def stirred(self) -> None:
        """Something may be receivable, now or at another moment than before: tell those who wait."""
        if not self.bell:
            return
        self.bell.ring(self.backlog.waiting)
        self._set_alarm()

    async def wait(self, seconds: float) -> None:
        """Wait for a message, for so many real seconds."""
        self._set_alarm()
        await self.bell.wait(seconds)

    def close(self) -> None:
        """Let go whoever waits; the queue is gone."""
        self.gone = True
        if self._alarm is not None:
            self._alarm.cancel()
        self.bell.ring(_ALL)

    def shown(self) -> Mapping[str, str]:
        """All attributes, as GetQueueAttributes has them. The numbers of messages are exact here."""
        self.settle()
        return {
            "QueueArn": self.arn,
            "ApproximateNumberOfMessages": str(self.backlog.waiting),
            "ApproximateNumberOfMessagesNotVisible": str(self.backlog.in_flight),
            "ApproximateNumberOfMessagesDelayed": str(self.backlog.delayed),
            "CreatedTimestamp": str(self.created // SECOND),
            "LastModifiedTimestamp": str(self.modified // SECOND),
            **self.settings.shown(),
        }

    def counts(self) -> Params:
        """The queue as `/_localaws/queues` tells it."""
        self.settle()
        backlog = self.backlog
        numbers = {"waiting": backlog.waiting, "inFlight": backlog.in_flight, "delayed": backlog.delayed}
        return {"arn": self.arn, **numbers}

    def _set_alarm(self) -> None:
        """Let the clock stop when the next message becomes receivable, as long as somebody waits for one."""
        moment = self.backlog.next_moment()
        if moment is None:
            return
        if self._alarm is not None and not self._alarm.done():
            if self._alarm_at <= moment:
                return
            self._alarm.cancel()
        self._alarm_at = moment
        self._alarm = self._world.spawn(self._show_at(_EPOCH + moment * _MILLISECOND))

    async def _show_at(self, moment: dt.datetime) -> None:
        await self._world.clock.sleep_until(moment)
        self.settle()
        self._alarm = None  # it rings now, and the next one is another
        self.stirred()


_ALL = 1_000_000
