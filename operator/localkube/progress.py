"""How a build that takes minutes tells where it is: one rewritten line on a terminal, a line now and then in a log.

Knows nothing of Go. The clock is an argument.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TextIO

LOG_EVERY_SECONDS = 30.0


class Progress(Protocol):
    """Who is told how a build goes on."""

    def note(self, text: str) -> None:
        """Something worth keeping happened."""

    def moving(self, text: str) -> None:
        """Where the build is now; called often, worth showing only the newest."""


@dataclass(slots=True)
class Console:
    """Progress for people: rewrites its last line on a terminal, and thins the lines out elsewhere."""

    clock: Callable[[], float]
    """Seconds, monotonic."""
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    _last: float | None = None

    def note(self, text: str) -> None:
        """Write a line that stays."""
        self._write(f"\r\x1b[K{text}\n" if self.stream.isatty() else f"{text}\n")

    def moving(self, text: str) -> None:
        """Rewrite the line on a terminal; elsewhere write one if the last is long ago."""
        if self.stream.isatty():
            self._write(f"\r\x1b[K{text}")
            return
        now = self.clock()
        if self._last is None or now - self._last >= LOG_EVERY_SECONDS:
            self._last = now
            self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


class Silent:
    """Progress for nobody."""

    def note(self, text: str) -> None:
        """Drop it."""

    def moving(self, text: str) -> None:
        """Drop it."""


def elapsed(seconds: float) -> str:
    """A duration as people say it: "48 s", "7 min 05 s"."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
