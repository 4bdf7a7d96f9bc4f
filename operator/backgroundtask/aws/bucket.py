"""A token bucket that gives way when AWS throttles all the same. Time is an argument; nothing here waits.

AWS tells neither how full its bucket is nor who else takes from it. So an answer that throttles halves the refill and
empties the bucket, and the refill grows back evenly to what was configured, never above: additive increase,
multiplicative decrease, as TCP shares a line (Chiu and Jain, 1989).
"""

import math

from backgroundtask.aws.rates import Rate

RECOVERY = 60.0
"""Seconds in which the refill would grow from nothing to what was configured."""
_LEAST = 1 / 16  # of the configured refill
_ONE_CUT = 1.0  # seconds: calls that were under way together are throttled together, which says no more than one
_EPSILON = 1e-9  # tokens; a sum of fractions never meets a whole number


class Bucket:
    """`now` are seconds of a monotonic clock, and never go back."""

    def __init__(self, rate: Rate, *, now: float) -> None:
        self._full = rate
        self._slope = rate.refill / RECOVERY
        self._tokens = rate.burst
        self._refill = rate.refill
        self._at = now
        self._cut_at = -math.inf

    @property
    def burst(self) -> float:
        """The most tokens that it holds."""
        return self._full.burst

    def refill(self, now: float) -> float:
        """Tokens that come in a second."""
        self._advance(now)
        return self._refill

    def spend(self, now: float) -> None:
        """Take a token; where there is none, the next one."""
        self._advance(now)
        self._tokens -= 1

    def give_back(self, now: float) -> None:
        """Return a token that was not needed."""
        self._advance(now)
        self._tokens = min(self._tokens + 1, self._full.burst)

    def throttled(self, now: float) -> None:
        """AWS has said no: whatever we thought, its bucket is empty, and fills less for us than we took."""
        self._advance(now)
        self._tokens = min(self._tokens, 0.0)
        if now - self._cut_at < _ONE_CUT:
            return
        self._cut_at = now
        self._refill = max(self._refill / 2, self._full.refill * _LEAST)

    def wait(self, tokens: float, now: float) -> float:
        """Seconds until it would have held that many since now, were it never full; 0 where it holds them."""
        self._advance(now)
        missing = tokens - self._tokens
        if missing <= _EPSILON:
            return 0.0
        climb = self._climb()
        while_growing = self._gain(climb)
        if missing >= while_growing:
            return climb + (missing - while_growing) / self._full.refill
        return (math.sqrt(self._refill**2 + 2 * self._slope * missing) - self._refill) / self._slope

    def _advance(self, now: float) -> None:
        passed = now - self._at
        if passed <= 0:
            return
        self._tokens = min(self._tokens + self._gain(passed), self._full.burst)
        self._refill = min(self._refill + self._slope * passed, self._full.refill)
        self._at = now

    def _climb(self) -> float:
        """Seconds until the refill is as configured."""
        return (self._full.refill - self._refill) / self._slope

    def _gain(self, seconds: float) -> float:
        """Tokens that come in that time."""
        growing = min(seconds, self._climb())
        grown = self._refill * growing + self._slope * growing**2 / 2
        return grown + self._full.refill * (seconds - growing)
