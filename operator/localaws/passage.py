"""What every call passes through, from a client or from a service: the journal, the faults, the throttles.

Knows nothing of what the call does: that is the `effect` it is given.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from localaws.contract import AwsError, Clock
from localaws.faults import Action, Faults, Rule, WhenGone
from localaws.journal import PENDING, Entry, Journal
from localaws.throttles import Throttles, throttled

GONE_LOOK = 0.05
"""Real seconds between two looks at whether the client of a held call is still there."""

Answer = TypeVar("Answer")


class Dropped(Exception):  # noqa: N818  # an outcome that a test asked for, not an error
    """The connection of this call is to be cut without an answer."""


class Passage:
    """The way in for every call."""

    def __init__(self, clock: Clock, journal: Journal, faults: Faults, throttles: Throttles) -> None:
        self._clock = clock
        self._journal = journal
        self._faults = faults
        self._throttles = throttles
        self._beginnings = 0

    def begin_anew(self) -> None:
        """Let no call have an effect any more that a fault delays or holds: it belongs to the old world."""
        self._beginnings += 1

    def arrive(
        self, *, service: str, operation: str, region: str, principal: str, params: bytes, agent: str = ""
    ) -> Entry:
        """Note a call in the journal; `params` is JSON."""
        return self._journal.open(
            Entry(
                sequence=0,
                time=self._clock.now(),
                service=service,
                operation=operation,
                region=sys.intern(region),  # each call brings its own copy, and the journal keeps many
                principal=principal,
                params=params,
                agent=sys.intern(agent),
            )
        )

    async def take(
        self, entry: Entry, effect: Callable[[], Awaitable[Answer]], *, gone: Callable[[], bool] = lambda: False
    ) -> Answer:
        """Let a call have its effect, unless a fault says otherwise, and note what became of it.

        `gone` tells whether the client has left. The effect may set `entry.outcome` and `entry.status` itself.

        Raises:
            AwsError: the effect's, or the fault's.
            Dropped: the connection is to be cut.
        """
        started = time.monotonic()
        entry.status = 200
        try:
            return await self._through(entry, effect, gone)
        except AwsError as e:
            entry.outcome, entry.status = e.code, e.status
            raise
        except Dropped:
            entry.outcome, entry.status = "dropped", 0
            raise
        except BaseException:
            entry.outcome, entry.status = "InternalFailure", 500
            raise
        finally:
            entry.seconds = time.monotonic() - started

    async def _through(self, entry: Entry, effect: Callable[[], Awaitable[Answer]], gone: Callable[[], bool]) -> Answer:
        rule, begun = self._faults.hit(entry.service, entry.operation, entry.principal), self._beginnings
        if rule is not None:
            await _before(rule, entry, gone)
        if begun != self._beginnings:
            raise Dropped
        self._throttles.take(entry.service, entry.operation, entry.region)
        answer = await effect()
        entry.effect = entry.outcome == PENDING
        if rule is not None and rule.action is Action.DROP_AFTER:
            raise Dropped
        if entry.effect:
            entry.outcome = "ok"
        return answer


async def _before(rule: Rule, entry: Entry, gone: Callable[[], bool]) -> None:
    match rule.action:
        case Action.ERROR:
            raise AwsError(rule.code, rule.message, status=rule.status)
        case Action.THROTTLE:
            raise throttled(entry.service)
        case Action.DROP_BEFORE:
            raise Dropped
        case Action.DELAY:
            await asyncio.sleep(rule.seconds)
        case Action.HOLD:
            await _hold(rule, entry, gone)
        case Action.DROP_AFTER:
            return


async def _hold(rule: Rule, entry: Entry, gone: Callable[[], bool]) -> None:
    entry.outcome = "held"
    while not rule.removed.is_set():
        try:
            await asyncio.wait_for(rule.removed.wait(), GONE_LOOK)
        except TimeoutError:
            if rule.when_gone is WhenGone.DROP and gone():
                raise Dropped from None
    if rule.when_gone is WhenGone.DROP and gone():
        raise Dropped
    entry.outcome = PENDING
