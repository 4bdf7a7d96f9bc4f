"""The fence around what only the leader may do: each write asks it, right before it is sent.

A leader that was paused (a stopped process, a suspended machine, a starved node) does not know that another one leads
by now. So it counts from the *start* of its last successful renewal, on a clock that never jumps, and gives up before
the lease is over for everybody else: past that deadline the process ends instead of writing. What is left is the time
between this look and the bytes: a connection that has still to be made, or a pause just there. Deterministic names and
tokens make that harmless.
"""

import os
import threading
from collections.abc import Callable
from typing import Final, NoReturn

from backgroundtask.controller.context import log
from backgroundtask.errors import Busy
from backgroundtask.kube.election import elapsed

_LAST_WORDS: Final = 1.0
"""Seconds for the last line of the log: whoever reads it may be stuck."""


def end_process(why: str) -> NoReturn:
    """End at once, whatever other threads are at; Kubernetes starts the process again, as a standby."""
    try:
        threading.Timer(_LAST_WORDS, os._exit, (1,)).start()
        log.error("%s. This process ends at once, so that two never act", why)
    finally:  # not even a thread that cannot be started keeps it
        os._exit(1)


class Fence:
    """Open from a renewal of the lease for `deadline` seconds. Any thread may ask.

    `end` ends the process; `clock` is the one that tells when renewals began.
    """

    def __init__(
        self, deadline: float, *, clock: Callable[[], float] = elapsed, end: Callable[[str], NoReturn] = end_process
    ) -> None:
        self._deadline = deadline
        self._clock = clock
        self._end = end
        self._ending = threading.Lock()
        self._renewed_at: float | None = None
        self._is_closed = False

    def renewed(self, began: float) -> None:
        """The lease was renewed, by a write that began at `began`."""
        self._renewed_at = began

    def remaining(self) -> float:
        """Seconds for which it stays open; 0 where it is not."""
        since = self.seconds_since_renewal()
        return 0.0 if since is None or self._is_closed else max(self._deadline - since, 0.0)

    def seconds_since_renewal(self) -> float | None:
        """Seconds since the last renewal began; None before the first."""
        return None if self._renewed_at is None else self._clock() - self._renewed_at

    def close(self) -> None:
        """Let nothing pass any more: the lease is about to be given back, and the process to end."""
        self._is_closed = True

    def check(self) -> None:
        """Return where a write may go now.

        Raises:
            Busy: this process has given the lease back.
        """
        if self._is_closed:
            raise Busy("Unavailable", "This process has given its lease back and is about to end")
        if self.remaining() <= 0.0:
            self.lose(f"The lease was not renewed within {self._deadline:g} s")

    def lose(self, why: str) -> NoReturn:
        """The lease is not ours: say `why`, and end the process. Nothing passes while that is said."""
        self._renewed_at = None
        with self._ending:  # one of all threads says so, the others wait for their end
            self._end(why)
