"""How far the queues of events were seen drained: all that ECS told before then has been stored.

Whoever says that something did not happen (a run is Missed, or Lost) has to know that no message says otherwise. An
empty answer to a long poll asks all of SQS's servers (Amazon SQS Developer Guide, "Short and long polling"), but shows
no message that somebody has received and not deleted. So an empty answer counts only after all that was received before
it is stored, and not while a message of an earlier reader, or one that was given up, is hidden. A queue that is never
empty is judged by what it brings: messages come about in the order in which they were sent ("Amazon SQS standard
queues": best-effort ordering), so none is older than the oldest of the last half minute. Knows moments and messages;
refuses to know what these say.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from backgroundtask.aws import Message
from backgroundtask.controller.leases import Leases

_DISORDER = 30.0  # seconds of receives in which what was sent before all of them would have come


class Drains:
    """The moments of all queues of the process, by ARN; any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moments: dict[str, datetime] = {}

    def note(self, queue: str, moment: datetime) -> None:
        """All that was sent into a queue before `moment` is stored. What was true once stays so."""
        with self._lock:
            self._moments[queue] = max(moment, self._moments.get(queue, moment))

    def until(self, queue: str) -> datetime | None:
        """The last such moment, or None where this process has seen none."""
        with self._lock:
            return self._moments.get(queue)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Whom a reader tells up to which moment all is stored, and by whose clock."""

    now: Callable[[], datetime]
    drained: Callable[[datetime], None]


@dataclass(frozen=True, slots=True)
class _Claim:
    """All that was sent before `moment` has been received; it is stored once nothing of `open` is held any more."""

    moment: datetime
    open: frozenset[str]  # ids of messages
    unsettled: int  # how often messages had been let go unstored by then


class Drain:
    """What one reader knows of its queue. Only its receiving thread calls. `clock` tells the seconds of `leases`."""

    def __init__(self, leases: Leases, *, clock: Callable[[], float]) -> None:
        self._leases = leases
        self._clock = clock
        self._claim: _Claim | None = None
        self._known = datetime.min.replace(tzinfo=UTC)
        self._began = datetime.max.replace(tzinfo=UTC)
        self._shows_all = False
        self._oldest: deque[tuple[float, datetime]] = deque()  # of each receive: when, and its oldest message

    def begin(self, moment: datetime) -> None:
        """A receive begins."""
        self._began, self._shows_all = moment, not self._leases.may_hide_any()

    def received(self, messages: Sequence[Message]) -> None:
        """It brought `messages`, and they are held."""
        began, now = self._began, self._clock()
        self._oldest.append((now, min((one.sent_at or began for one in messages), default=began)))
        while len(self._oldest) > 1 and self._oldest[1][0] <= now - _DISORDER:
            self._oldest.popleft()
        moment = min(oldest for _, oldest in self._oldest) if messages else began
        is_shown = self._shows_all and (not messages or self._oldest[0][0] <= now - _DISORDER)
        if self._claim is None and is_shown and moment > self._known:
            self._claim = _Claim(moment, self._leases.held(), self._leases.unsettled)

    def settled(self) -> datetime | None:
        """The moment up to which everything is stored, where that is news."""
        claim = self._claim
        if claim is None:
            return None
        if self._leases.unsettled != claim.unsettled:
            self._claim = None  # a message was let go, and comes again: what was claimed is not stored
            return None
        if claim.open & self._leases.held():
            return None
        self._claim, self._known = None, claim.moment
        return claim.moment
