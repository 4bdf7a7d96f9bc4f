"""Every call to AWS waits for its turn here, before it is signed: one line a bucket, an account and a region.

A thread waits for a turn that is near. Where it is not, `Paced` says when to come back, and the place in the line is
kept for the work in hand (`Pacing.work`): so a registration that is minutes away holds up no worker, and no deletion.
Knows who calls and how often; nothing of what the calls mean, beyond which of them share a bucket.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from botocore.client import BaseClient

from backgroundtask.aws.bucket import Bucket
from backgroundtask.aws.errors import is_throttle
from backgroundtask.aws.line import Line, Urgency
from backgroundtask.aws.rates import DOCUMENTED, Category, Rates, category_of
from backgroundtask.errors import Paced

OnWait = Callable[[str, float], None]
"""Told of every turn that had to be waited for: the category and seconds, when the turn has come."""
OnTurn = Callable[[Any], None]
"""Told the key of work that should come back sooner than it was told to, as somebody has left the line."""
Pause = Callable[[threading.Condition, float], object]
"""Waits for a notice of the condition, for some seconds at most."""

MODIFY = "RegisterTaskDefinition"
"""The operation whose bucket is the slowest by far; DeregisterTaskDefinition shares it."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What the calls of a thread are made for."""

    key: Hashable
    share: str = ""
    urgency: Urgency = Urgency.CHANGE


class _Nobody(NamedTuple):
    """The key of a thread that works on none: it keeps no place."""

    thread: int


_here: ContextVar[_Work | None] = ContextVar("work", default=None)


def _work_in_hand() -> _Work:
    return _here.get() or _Work(_Nobody(threading.get_ident()))


@contextmanager
def urgency(value: Urgency) -> Iterator[None]:
    """How urgent the calls are that this thread makes meanwhile."""
    token = _here.set(replace(_work_in_hand(), urgency=value))
    try:
        yield
    finally:
        _here.reset(token)


class Pacing:
    """The lines of one process, for every account and region that it works on. Any thread may call."""

    def __init__(
        self,
        rates: Rates = DOCUMENTED,
        *,
        on_wait: OnWait | None = None,
        on_turn: OnTurn | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Pause = threading.Condition.wait,
    ) -> None:
        self.rates = rates
        self.clock = clock
        self.pause = pause
        self.changed = threading.Condition()  # guards every line; told of each that is left
        self._on_wait = on_wait
        self._on_turn = on_turn
        self._paces: dict[tuple[str, str], Pace] = {}

    def of(self, account: str, region: str) -> "Pace":
        """The pace of an account in a region; the same object for the same of both."""
        with self.changed:
            return self._paces.setdefault((account, region), Pace(self))

    @contextmanager
    def work(self, key: Hashable, *, share: str, urgency: Urgency) -> Iterator[None]:
        """Make calls for `key`, whose place in a line is kept while it fails, and left when it succeeds.

        `share` is whom it belongs to: shares take turns.
        """
        token = _here.set(_Work(key, share, urgency))
        try:
            yield
            self.leave(key)
        finally:
            _here.reset(token)

    def leave(self, key: Hashable) -> None:
        """Give up every place of `key`, and what was kept for it; whoever's turn comes sooner by that is told."""
        with self.changed:
            left = [line for pace in self._paces.values() for line in pace.lines() if line.leave(key, self.clock())]
            early = {one for line in left for one in line.early(self.clock())}
            if left:
                self.changed.notify_all()
        for one in early:
            if self._on_turn is not None and not isinstance(one, _Nobody):
                self._on_turn(one)

    def tell(self, category: Category, waited: float) -> None:
        """A turn has come."""
        if self._on_wait is not None and waited > 0:
            self._on_wait(category.name, waited)


class Pace:
    """How fast one account may be called in one region."""

    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self._lines: dict[str, Line] = {}
        self._attempt = threading.local()

    def connect(self, client: BaseClient) -> None:
        """Let every call of a client wait for its turn, and learn from what AWS answers."""
        client.meta.events.register("before-call", self._before_call)
        client.meta.events.register("before-send", self._before_send)
        client.meta.events.register("response-received", self._answered)

    def reserve(self, operation: str = MODIFY, *, service: str = "ecs", patience: float | None = None) -> None:
        """Keep a token for the work in hand, which will call `operation`; it is left where it was not needed.

        `patience` are seconds to wait for the turn; None: as long as a call would.

        Raises:
            Paced: its turn is still to come; its place is kept.
        """
        category = category_of(service, operation)
        if category is not None:
            self._wait(category, patience)

    def admit(self, service: str, operation: str) -> None:
        """Wait until this may be called, and take the token for it.

        Raises:
            Paced: that would take too long for a thread to wait.
        """
        category = category_of(service, operation)
        if category is None:
            return
        self._wait(category)
        with self._pacing.changed:
            self._line(category).use(_work_in_hand().key)

    def lines(self) -> list[Line]:
        """Every line that somebody has asked in."""
        return list(self._lines.values())

    def _wait(self, category: Category, patience: float | None = None) -> None:
        pacing, work = self._pacing, _work_in_hand()
        end = pacing.clock() + (category.patience if patience is None else patience)
        with pacing.changed:
            line = self._line(category)
            while True:
                now = pacing.clock()
                turn = line.ask(work.key, urgency=work.urgency, share=work.share, now=now)
                if turn.wait == 0:
                    break
                if now + turn.wait > end:
                    self._refuse(line, category, turn.wait)
                pacing.pause(pacing.changed, turn.wait)
        pacing.tell(category, turn.waited)

    def _refuse(self, line: Line, category: Category, wait: float) -> None:
        key = _work_in_hand().key
        if isinstance(key, _Nobody):
            line.leave(key, self._pacing.clock())
        often = " and ".join(sorted(category.operations))
        raise Paced(
            "Paced", f"It waits for its turn and goes on by itself: AWS limits how often an account may call {often}.",
            retry_after=wait,
        )  # fmt: skip

    def _line(self, category: Category) -> Line:
        line = self._lines.get(category.name)
        if line is None:
            bucket = Bucket(self._pacing.rates[category.name], now=self._pacing.clock())
            line = self._lines[category.name] = Line(bucket)
        return line

    def _before_call(self, *, model: Any, **_: object) -> None:  # noqa: ANN401 - botocore's operation model
        self.admit(model.service_model.service_id.hyphenize(), model.name)
        self._attempt.is_paid = True

    def _before_send(self, *, event_name: str, **_: object) -> None:
        """A second attempt is a request to AWS, too: it waits for nobody, and whoever comes next waits longer."""
        is_paid, self._attempt.is_paid = getattr(self._attempt, "is_paid", False), False
        category = _category(event_name)
        if is_paid or category is None:
            return
        with self._pacing.changed:
            self._line(category).bucket.spend(self._pacing.clock())

    def _answered(self, *, event_name: str, parsed_response: Mapping[str, Any] | None, **_: object) -> None:
        error = (parsed_response or {}).get("Error")
        category = _category(event_name)
        if category is None or not error:
            return
        if is_throttle(str(error.get("Code") or ""), str(error.get("Message") or "")):
            with self._pacing.changed:
                self._line(category).bucket.throttled(self._pacing.clock())


def _category(event_name: str) -> Category | None:
    """The category of an event of botocore: `before-send.ecs.RunTask`."""
    _, service, operation = event_name.split(".")
    return category_of(service, operation)
