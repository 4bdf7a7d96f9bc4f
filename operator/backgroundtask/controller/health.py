"""Whether the process can go on, and whether it does its work: named checks, for who restarts it and for who waits.

*Alive* fails only where nothing but a restart helps: a Kubernetes liveness probe ends the process for it. So no outage
of the API server or of AWS is in it. *Ready* is whether this replica follows the cluster, and works where it leads; one
that stands by is ready. Knows moments and threads; who asks, and over what, is `probes`' business.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from backgroundtask.controller import metrics
from backgroundtask.controller.context import log
from backgroundtask.errors import Expected

BEAT: Final = 1.0
"""Seconds between two beats of kopf's loop."""
LONGEST_SILENCE: Final = 60.0
"""Seconds without a beat after which the loop counts as hung: no single step of it takes any time at all."""
LONGEST_RECONCILE: Final = 600.0
"""Seconds in one key after which its worker counts as stuck: every call that it makes has a time limit of its own."""
LONGEST_UNANSWERED: Final = 30.0
"""Seconds after the API server's last answer within which it counts as answering; one request's own time limit."""

Report = Mapping[str, str | None]
"""What each check says: None where all is well, else what is wrong in a few words, without names of objects."""


class Crew(Protocol):
    """The threads that work, as `workers.Workers`."""

    def started(self) -> bool:
        """Whether they were told to begin."""

    def ended(self) -> list[str]:
        """The names of those that ended though there may be work."""

    def longest(self) -> float:
        """Seconds that the longest of them is at its key already; 0 where none has one."""


class Helper(Protocol):
    """Threads that work beside the crew: readers of queues, as `tracker.Tracker`; the writer of Events."""

    def ended(self) -> list[str]:
        """What those of them did that ended though nobody told them to."""


class Lead(Protocol):
    """Whether this process acts, as `leadership.Leadership`."""

    @property
    def is_leading(self) -> bool:
        """Whether it may act now."""

    @property
    def is_candidate(self) -> bool:
        """Whether it leads, or can still become the leader."""


class Pulse:
    """The last sign of life of something; any thread may ask and tell. `clock` tells seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: float | None = None

    def beat(self) -> None:
        """It lives."""
        self._last = self._clock()

    def age(self) -> float | None:
        """Seconds since the last sign; None before the first."""
        last = self._last
        return None if last is None else self._clock() - last


class Health:
    """What the parts of one process tell of themselves; any thread may ask."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.loop = Pulse(clock)
        self.api_server = Pulse(clock)
        self._crew: Crew | None = None
        self._lead: Lead | None = None
        self._helpers: tuple[Helper, ...] = ()
        self._missing = {"listed": "not all kinds were listed yet", "watched": "the watches have not begun yet"}

    def follow(self, crew: Crew, lead: Lead, *helpers: Helper) -> None:
        """Ask these from now on."""
        self._crew, self._lead, self._helpers = crew, lead, helpers

    def listed(self) -> None:
        """All kinds were listed once, completely."""
        self._missing.pop("listed", None)

    def watched(self) -> None:
        """The watches of all kinds have begun."""
        self._missing.pop("watched", None)

    def called(self, code: str) -> None:
        """The API server was asked, `code` is the HTTP status: a sign of life, unless an outage answered, or nobody."""
        if code.isdigit() and int(code) < 500:  # noqa: PLR2004 - HTTP's server errors begin there
            self.api_server.beat()

    def alive(self) -> Report:
        """What only a restart mends."""
        return {
            "loop": self._hung_loop(),
            "workers": self._dead_crew(),
            "helpers": self._dead_helpers(),
            "keys": self._stuck(),
            "lease": self._lost(),
        }

    def ready(self) -> Report:
        """What keeps this replica from its work, or from being able to take it up."""
        missing = next(iter(list(self._missing.values())), None)
        return {"caches": missing, "api-server": self._silent_api_server(), "workers": self._idle_crew()}

    def _hung_loop(self) -> str | None:
        age = self.loop.age()
        return f"the event loop did nothing for {age:.0f} s" if age is not None and age > LONGEST_SILENCE else None

    def _dead_crew(self) -> str | None:
        ended = self._crew.ended() if self._crew else []
        return f"{', '.join(ended)} ended" if ended else None

    def _dead_helpers(self) -> str | None:
        ended = [name for helper in self._helpers for name in helper.ended()]
        return f"{', '.join(ended)} ended" if ended else None

    def _stuck(self) -> str | None:
        seconds = self._crew.longest() if self._crew else 0.0
        return f"a reconcile takes {seconds:.0f} s already" if seconds > LONGEST_RECONCILE else None

    def _lost(self) -> str | None:
        return None if self._lead is None or self._lead.is_candidate else "the thread that renews the lease ended"

    def _silent_api_server(self) -> str | None:
        age = self.api_server.age()
        if age is None:
            return "it has not answered yet"
        return f"it has not answered for {age:.0f} s" if age > LONGEST_UNANSWERED else None

    def _idle_crew(self) -> str | None:
        if self._crew is None or self._lead is None:
            return "they were not made yet"
        return "this process leads, and they do not run" if self._lead.is_leading and not self._crew.started() else None


async def keep_beating(loop: Pulse) -> None:
    """Tell, from within an event loop, that it goes on, and Prometheus how late it is."""
    while True:
        asked = time.monotonic()
        loop.beat()
        await asyncio.sleep(BEAT)
        metrics.LOOP_LAG.observe(max(time.monotonic() - asked - BEAT, 0.0))


def keep_asking(api_server: Pulse, ask: Callable[[], object]) -> Callable[[], None]:
    """Start a thread that asks the API server where nobody else does: a quiet cluster is no outage. Answers its end.

    What is answered is told where the answer arrives (`Health.called`).
    """
    stopping = threading.Event()

    def work() -> None:
        while not stopping.wait(LONGEST_UNANSWERED / 3):
            age = api_server.age()
            if age is not None and age < LONGEST_UNANSWERED / 3:
                continue
            try:
                ask()
            except Expected:  # readiness tells it
                continue
            except Exception:  # noqa: BLE001 - a thread that ended would turn a bug into an outage
                log.exception("Cannot ask whether the API server answers")

    threading.Thread(target=work, name="api-server-pulse", daemon=True).start()
    return stopping.set
