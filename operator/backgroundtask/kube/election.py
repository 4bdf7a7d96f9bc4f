"""A candidate for a Lease: what it saw of the record, and one attempt at a time to take or to keep it.

Knows when the lease is ours and since when; refuses to know when to try again, and what follows from it. The clock
tells seconds and goes on while the machine sleeps; `now` is the wall clock, for people who read the Lease.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from backgroundtask.errors import Busy
from backgroundtask.kube.lease import (
    NOBODY,
    RELEASED_SECONDS,
    Acquire,
    Decision,
    Lease,
    Record,
    Wait,
    decide,
    microtime,
)
from backgroundtask.kube.resource import Body

_ROUNDS: Final = 2  # one on what we know, one on what is there

_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Seconds that never jump and that count on while the machine is suspended, where the kernel tells them."""
    return time.clock_gettime(_CLOCK)


def _now() -> datetime:
    return datetime.now(UTC)


class Candidate:
    """One process that wants the lease, under an identity that nobody else has. For one thread."""

    def __init__(
        self,
        lease: Lease,
        *,
        identity: str,
        duration: int,
        clock: Callable[[], float] = elapsed,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._lease = lease
        self.identity = identity
        self._duration = duration
        self._clock = clock
        self._now = now
        self._body: Body | None = None  # as last seen; None: there is no Lease
        self._record: Record | None = None  # outlives a Lease that somebody deleted: its holder may still act
        self._observed_at = 0.0

    @property
    def holder(self) -> str:
        """Who holds it, as far as we know; empty for nobody."""
        return self._record.holder if self._record else NOBODY

    @property
    def is_holder(self) -> bool:
        """Whether it is ours, as far as we know: nobody took it in an orderly way."""
        return self.holder == self.identity

    def remaining(self) -> float:
        """Seconds until the lease of somebody else is over, if nothing is heard of them."""
        decision = self._decide(self._clock())
        return decision.seconds if isinstance(decision, Wait) else 0.0

    def attempt(self) -> float | None:
        """Take or keep the lease: the moment since which it is ours for its duration; None where it is not ours.

        None to who held it means that it is lost; an error, that nobody knows.

        Raises:
            Busy, Blocked: the API server did not do it, or did it without saying so.
        """
        was_ours = self.is_holder
        if not was_ours:
            self._look()
        for _ in range(_ROUNDS):
            began = self._clock()
            decision = self._decide(began)
            if isinstance(decision, Wait):
                return None
            if self._write(self._claim(anew=isinstance(decision, Acquire))):
                return began
            self._look()
            if was_ours and not self.is_holder:
                return None
        raise Busy("Conflict", f"Others write the Lease {self._lease} at the same time")

    def release(self) -> None:
        """Give it back, so that the next one need not wait: only once nothing of what it protects goes on.

        Raises:
            Busy, Blocked: as `attempt`; the lease then ends by itself.
        """
        if self._record is None or not self.is_holder:
            return
        stamp = microtime(self._now())
        self._write(replace(self._record, holder=NOBODY, duration=RELEASED_SECONDS, acquired=stamp, renewed=stamp))

    def _decide(self, now: float) -> Decision:
        return decide(self._record, observed_at=self._observed_at, now=now, identity=self.identity)

    def _claim(self, *, anew: bool) -> Record:
        stamp, known = microtime(self._now()), self._record
        mine = Record(holder=self.identity, duration=self._duration, acquired=stamp, renewed=stamp)
        if known is None:
            return mine
        if anew:
            return replace(mine, transitions=known.transitions + 1)
        return replace(mine, acquired=known.acquired, transitions=known.transitions)

    def _write(self, record: Record) -> bool:
        written = self._lease.write(record, self._body)
        if written is not None:
            self._see(written)
        return written is not None

    def _look(self) -> None:
        body = self._lease.read()
        if body is None:
            self._body = None
            return
        self._see(body)

    def _see(self, body: Body) -> None:
        self._body, record = body, Record.of(body)
        if record != self._record:
            self._record, self._observed_at = record, self._clock()
