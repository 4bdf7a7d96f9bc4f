"""Who waits for tokens of one bucket, and whose turn it is. Time is an argument; nothing here waits.

Whoever asks has a place from then on and is told when its turn comes; it may go away and ask again at that moment.
Deletions and changes take turns, so that neither a roll-out nor the end of a namespace holds up the other by more than
one place; what nobody asked for comes after both. Of one kind the shares (namespaces) take turns, so that a thousand
changes of one hold up a single change of another by one place: start-time fair queueing (Goyal, Vin and Cheng, 1996).

The law: whoever has `n` before it goes once the bucket holds more than `n` tokens. So it costs nothing if one that is
before it comes late or never, and no token is lost meanwhile.
"""

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import takewhile, zip_longest

from backgroundtask.aws.bucket import Bucket

KEPT = 60.0
"""Seconds that a place, or a token, is kept for one that does not come at its turn."""
_RESERVE = 0.2  # of the burst: what work that nobody waits for leaves to others
_WELL_BEFORE = 5.0  # seconds: not everybody is told of every one that leaves
_SOONEST = 0.001  # seconds: a clock that is read twice at once must not keep anybody spinning


class Urgency(IntEnum):
    """Who goes first: of two that come together the one with the lower value does."""

    DELETE = 0  # something is to go: what has to end, ends
    CHANGE = 1  # a user or an event asks for it
    RESYNC = 2  # nothing is known to have changed, or nobody waits for it


@dataclass(frozen=True, slots=True)
class Turn:
    """The answer, in seconds: `wait` until the turn, 0 where it has come; `waited` since it was first asked for.

    Who has waited is told so once: who asks again for what is kept for it has not.
    """

    wait: float
    waited: float


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    urgency: Urgency
    round: int
    number: int
    key: Hashable = field(compare=False)
    since: float = field(compare=False)


def _urgency(place: _Place) -> Urgency:
    return place.urgency


class Line:
    """The line at one bucket. `now` are seconds of a monotonic clock, and never go back."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self._waiting: list[_Place] = []  # in order
        self._places: dict[Hashable, _Place] = {}
        self._until: dict[Hashable, float] = {}  # when a place, or a token that was granted, is given up
        self._granted: set[Hashable] = set()
        self._went = Urgency.CHANGE  # the last that went, of those that take turns
        self._round = dict.fromkeys(Urgency, 0)  # of the last of a kind that went
        self._rounds: dict[tuple[Urgency, str], int] = {}  # of the last that came, by kind and share
        self._number = 0
        self._left = 0  # since everybody was told

    def ask(self, key: Hashable, *, urgency: Urgency, share: str, now: float) -> Turn:
        """Is it the turn of `key`? Then a token is kept for it, to be used or left; otherwise a place."""
        self._forget(now)
        if key in self._granted:
            return Turn(0.0, 0.0)
        place = self._place(key, urgency, share, now)
        wait = self.bucket.wait(self._needed(place, self._before(place)), now)
        if wait > 0:
            wait = max(wait, _SOONEST)
            self._until[key] = now + wait + KEPT
            return Turn(wait, now - place.since)
        self._remove(place)
        self._round[place.urgency] = max(self._round[place.urgency], place.round)
        self._went = self._went if place.urgency == Urgency.RESYNC else place.urgency
        self.bucket.spend(now)
        self._granted.add(key)
        self._until[key] = now + KEPT
        return Turn(0.0, now - place.since)

    def use(self, key: Hashable) -> None:
        """Spend the token that is kept for `key`."""
        self._granted.discard(key)
        self._until.pop(key, None)

    def leave(self, key: Hashable, now: float) -> bool:
        """Give up the place of `key`, or the token that is kept for it; False where it had neither."""
        if key in self._granted:
            self.use(key)
            self.bucket.give_back(now)
            self._left += 1
            return True
        place = self._places.get(key)
        if place is None:
            return False
        self._remove(place)
        self._left += 1
        return True

    def early(self, now: float) -> list[Hashable]:
        """Those whose turn has come, and those whose turn comes well before they were told to come back.

        To be asked after `leave`. The latter are looked for only where enough have left to make such a difference.
        """
        waits = ((place.key, self.bucket.wait(self._needed(place, n), now)) for n, place in enumerate(self._in_order()))
        if self._left < _WELL_BEFORE * self.bucket.refill(now):
            return [key for key, _ in takewhile(lambda one: one[1] == 0, waits)]
        self._left = 0
        return [key for key, wait in waits if wait == 0 or now + wait + _WELL_BEFORE <= self._until[key] - KEPT]

    def _place(self, key: Hashable, urgency: Urgency, share: str, now: float) -> _Place:
        """The place of `key`: a new one at the end of its equals, or where it stands, if that is no worse."""
        known = self._places.get(key)
        if known is not None and known.urgency <= urgency:
            return known
        if known is not None:
            self._remove(known)
        self._number += 1
        turn = self._rounds[urgency, share] = max(self._round[urgency], self._rounds.get((urgency, share), 0)) + 1
        place = _Place(urgency, turn, self._number, key, known.since if known else now)
        insort(self._waiting, place)
        self._places[key] = place
        return place

    def _before(self, place: _Place) -> int:
        """How many go before it."""
        at, (deletions, changes) = bisect_left(self._waiting, place), self._urgent()
        if place.urgency == Urgency.RESYNC:
            return at
        own, others = (at, changes) if place.urgency == Urgency.DELETE else (at - deletions, deletions)
        return own + min(others, own + (place.urgency == self._went))

    def _in_order(self) -> Iterator[_Place]:
        """All that wait, as they go."""
        deletions, changes = self._urgent()
        kinds = [self._waiting[:deletions], self._waiting[deletions : deletions + changes]]
        for pair in zip_longest(*(reversed(kinds) if self._went == Urgency.DELETE else kinds)):
            yield from filter(None, pair)
        yield from self._waiting[deletions + changes :]

    def _first(self) -> _Place:
        """Whose turn is next."""
        deletions, changes = self._urgent()
        return self._waiting[deletions if changes and self._went == Urgency.DELETE else 0]

    def _urgent(self) -> tuple[int, int]:
        """How many deletions wait, and how many changes."""
        deletions, idle = (bisect_left(self._waiting, one, key=_urgency) for one in (Urgency.CHANGE, Urgency.RESYNC))
        return deletions, idle - deletions

    def _needed(self, place: _Place, before: int) -> float:
        spare = min(self.bucket.burst * _RESERVE, self.bucket.burst - 1) if place.urgency == Urgency.RESYNC else 0.0
        return before + 1 + spare

    def _remove(self, place: _Place) -> None:
        del self._waiting[bisect_left(self._waiting, place)]
        del self._places[place.key]
        self._until.pop(place.key, None)
        if not self._waiting:
            self._rounds.clear()
            self._round = dict.fromkeys(Urgency, 0)

    def _forget(self, now: float) -> None:
        """Who does not come holds nothing up for long: tokens come back, and so does the first place."""
        for key in [one for one in self._granted if self._until[one] < now]:
            self.leave(key, now)
        while self._waiting and self._until.get((first := self._first()).key, now) < now:
            self._remove(first)
