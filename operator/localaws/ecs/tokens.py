"""Client tokens of RunTask within one cluster: which request a token stands for, and until when.

documented: API Reference, "Ensuring idempotency": scope is the cluster; the lifetime is the smaller of 24 hours and the
lifetime of the tasks plus one hour; the same request again is answered with the tasks of the first, another request
with ConflictException.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from localaws.contract import Params
from localaws.ecs import errors

_LONGEST = dt.timedelta(hours=24)
_TOLD = dt.timedelta(hours=1)


class Tracked(Protocol):
    """What a token has to know of a task."""

    @property
    def arn(self) -> str:
        """Its ARN."""

    @property
    def forget_at(self) -> dt.datetime | None:
        """An hour after its end; None while it lives."""


@dataclass(frozen=True, slots=True)
class Launched:
    """What a token stands for: the request, and what came of it; `untold` tasks started although none was answered."""

    request: bytes
    at: dt.datetime
    tasks: Sequence[Tracked]
    failures: list[Params]
    untold: Sequence[Tracked] = ()

    def failures_at(self, now: dt.datetime) -> list[Params]:
        """Give the failures as a repeated request is answered: after an hour only that there were so many.

        documented: API Reference, "Ensuring idempotency"; assumed: that the count is told by empty failures
        """
        return self.failures if now < self.at + _TOLD else [{} for _ in self.failures]

    def forgotten(self, now: dt.datetime) -> bool:
        """Say whether the last of its tasks ended an hour ago; never where there are none."""
        ends = [task.forget_at for task in (*self.tasks, *self.untold)]
        return bool(ends) and all(end is not None and now >= end for end in ends)


def fingerprint(params: Params) -> bytes:
    """Tell the requests of one cluster apart by everything but their token and how they name the cluster."""
    rest = {name: value for name, value in params.items() if name not in ("clientToken", "cluster")}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).digest()


class Tokens:
    """The tokens in use. Memory follows the tasks: a token goes when the last of them is forgotten, or after a day."""

    def __init__(self) -> None:
        self._launched: dict[str, Launched] = {}  # oldest first

    def recall(self, token: str, request: bytes, now: dt.datetime) -> Launched | None:
        """Give what a token stands for, None where it is free.

        Raises:
            AwsError: ConflictException where it stands for another request.
        """
        self._expire_oldest(now)
        self.release(token, now)
        known = self._launched.get(token)
        if known is not None and known.request != request:
            raise errors.conflict([task.arn for task in (*known.tasks, *known.untold)])
        return known

    def keep(self, token: str, launched: Launched) -> None:
        """Let a free token stand for a request."""
        self._launched[token] = launched

    def release(self, token: str | None, now: dt.datetime) -> None:
        """Free a token whose tasks are forgotten."""
        if token in self._launched and self._launched[token].forgotten(now):
            del self._launched[token]

    def _expire_oldest(self, now: dt.datetime) -> None:
        while self._launched:
            token = next(iter(self._launched))
            if now < self._launched[token].at + _LONGEST:
                return
            del self._launched[token]
