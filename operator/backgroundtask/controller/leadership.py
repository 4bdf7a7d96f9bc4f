"""Which of several processes acts: the thread that takes the lease and keeps it, and what the others ask it.

All processes watch; only the leader's workers act. The thread has its own connection and time limits, so that nothing
that the others do delays a renewal. A lease that is lost ends the process: nothing of it could go on in an orderly way.
"""

import logging
import random
import socket
import threading
import uuid
from collections.abc import Callable
from typing import Final, Protocol

from backgroundtask.controller import metrics
from backgroundtask.controller.context import log
from backgroundtask.controller.fence import Fence
from backgroundtask.controller.settings import Settings
from backgroundtask.errors import Busy, Expected
from backgroundtask.kube import lease
from backgroundtask.kube.election import Candidate
from backgroundtask.kube.login import own_namespace

_JITTER: Final = 0.2  # of a candidate's pause: several do not ask at the same time

OnLeading = Callable[[], None]
"""Called once, when this process begins to lead; it must not wait."""


class Leadership(Protocol):
    """What the parts of a process ask about it; any thread may."""

    @property
    def is_leading(self) -> bool:
        """Whether this process may act now."""

    @property
    def is_candidate(self) -> bool:
        """Whether this process leads, or may still begin to; not where the thread that sees to it has ended."""

    def renewed_seconds_ago(self) -> float | None:
        """Seconds since the last successful renewal of our lease began; None before the first."""

    def before_write(self) -> None:
        """Return where a write may be sent now; end the process where the lease is lost."""

    def start(self, on_leading: OnLeading) -> None:
        """Begin to be a candidate, once everything else is ready to act.

        Raises:
            Blocked: the API server refuses the Lease; the message says what to grant.
        """

    def stop(self, *, release: bool, timeout: float) -> None:
        """End, within `timeout` seconds; `release` the lease where nothing of what it protects goes on."""


def of(settings: Settings) -> Leadership:
    """The leadership that the settings ask for; nothing is sent yet.

    Raises:
        Blocked: no usable credentials.
    """
    if not settings.leader_elect:
        return Sole()
    mine = lease.connect(
        kubeconfig=settings.kubeconfig,
        context=settings.context,
        namespace=settings.lease_namespace or own_namespace(),
        name=f"bgt-{settings.installation}",
        deadline=settings.renew_deadline,
        on_call=metrics.api_call,
    )
    identity = f"{socket.gethostname()}_{uuid.uuid4()}"
    return Elected(
        Candidate(mine, identity=identity, duration=settings.lease_duration),
        Fence(settings.renew_deadline),
        retry_period=settings.retry_period,
    )


class Sole:
    """The leadership of a process that is alone: it leads from its start to its end."""

    is_leading = True
    is_candidate = True

    def renewed_seconds_ago(self) -> float | None:
        """There is no lease."""
        return None

    def before_write(self) -> None:
        """Nobody else writes."""

    def start(self, on_leading: OnLeading) -> None:
        """Lead."""
        on_leading()

    def stop(self, *, release: bool, timeout: float) -> None:
        """There is nothing to give back."""


class Elected:
    """The leadership of one candidate among several. `jitter` answers 0 ≤ x < 1."""

    def __init__(
        self,
        candidate: Candidate,
        fence: Fence,
        *,
        retry_period: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._candidate = candidate
        self._fence = fence
        self._retry_period = retry_period
        self._jitter = jitter
        self._leads = False
        self._holder = ""  # as told last
        self._trouble = ""  # as told last
        self._release = False
        self._stopping = threading.Event()
        self._on_leading: OnLeading = lambda: None
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    @property
    def is_leading(self) -> bool:
        """Whether the lease is ours, and was renewed in time."""
        return self._leads and self._fence.remaining() > 0.0

    @property
    def is_candidate(self) -> bool:
        """Whether the thread lives, or is not needed yet or any more."""
        return self._thread.ident is None or self._thread.is_alive() or self._stopping.is_set()

    def renewed_seconds_ago(self) -> float | None:
        """Seconds since the last successful renewal began; None where we never led."""
        return self._fence.seconds_since_renewal()

    def before_write(self) -> None:
        """As `Fence.check`."""
        self._fence.check()

    def start(self, on_leading: OnLeading) -> None:
        """Try once, and go on in a thread.

        Raises:
            Blocked: the API server refuses the Lease; the message says what to grant.
        """
        self._on_leading = on_leading
        try:
            self._follow(self._candidate.attempt())
        except Busy as busy:
            self._complain(busy)
        self._thread.start()

    def stop(self, *, release: bool, timeout: float) -> None:
        """As the protocol says. Without `release` the others wait until the lease is over."""
        self._release = release
        self._stopping.set()
        self._thread.join(timeout)

    def step(self) -> float:
        """One attempt and what follows from it; the seconds until the next."""
        if self._leads:
            self._fence.check()
        try:
            self._follow(self._candidate.attempt())
            self._trouble = ""
        except Expected as error:
            self._complain(error)
        if self._leads:
            self._fence.check()
            return min(self._retry_period, self._fence.remaining())
        pause = self._retry_period * (1 + _JITTER * (2 * self._jitter() - 1))
        return min(pause, self._candidate.remaining() or pause)

    def _run(self) -> None:
        try:
            pause = self._retry_period if self._leads else 0.0
            while not self._stopping.wait(pause):
                pause = self.step()
            self._give_back()
        except Exception:  # noqa: BLE001 - whatever it is, nobody renews any more
            log.exception("The thread that renews the lease failed: a bug")
            self._fence.lose("The lease is not renewed any more")

    def _follow(self, began: float | None) -> None:
        if began is not None:
            self._hold(began)
        elif self._leads:
            self._fence.lose(f"The lease was taken over by {self._candidate.holder or 'nobody: it was given back'}")
        else:
            self._tell("Waiting for the lease held by %s")

    def _hold(self, began: float) -> None:
        self._fence.renewed(began)
        if self._leads or self._fence.remaining() <= 0.0:
            return
        self._leads = True
        self._tell("Leading as %s")
        self._on_leading()

    def _tell(self, line: str) -> None:
        """Each new holder once."""
        before, self._holder = self._holder, self._candidate.holder
        if before == self._holder:
            return
        if before:
            metrics.LEASE_TRANSITIONS.inc()
        log.info(line, self._holder)

    def _complain(self, error: Expected) -> None:
        """Each trouble once for as long as it lasts; a leader's at once, as it has only seconds."""
        if error.message == self._trouble:
            return
        self._trouble = error.message
        level = logging.INFO if isinstance(error, Busy) and not self._leads else logging.WARNING
        log.log(level, "The lease could not be looked after: %s: %s", error.reason, error.message)

    def _give_back(self) -> None:
        if not (self._release and self._leads):
            return
        self._fence.close()
        try:
            self._candidate.release()
        except Expected as error:
            log.warning("The lease could not be given back, and ends by itself: %s: %s", error.reason, error.message)
