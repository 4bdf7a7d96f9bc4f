"""What the services of localaws share: a call, an error, a clock, and the world they act on.

Knows nothing of HTTP, of moto or of any one service. A service is a plain object whose `handle` runs on the event loop
and never blocks: all state belongs to that one loop, so there are no locks.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import math
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

Params = dict[str, Any]
"""Members of a botocore shape by their API names; timestamps are aware `datetime`s, blobs are `bytes`."""


def _stays() -> bool:
    return False


def _unheard(_text: str) -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who waits for the answer: a client on the other side of a connection, or, as it is by default, an AWS service.

    `host` is host:port as the client wrote it, empty for a service; `gone` tells whether the client has left; `note`
    adds a sentence to the call's entry in the journal.
    """

    host: str = ""
    gone: Callable[[], bool] = _stays
    note: Callable[[str], None] = _unheard


INSIDE = Caller()
"""An AWS service, which waits for every answer and reads no notes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, parsed and validated against botocore's model of the operation."""

    service: str  # botocore's service name: "ecs", "scheduler", "events"
    operation: str  # "RunTask"
    params: Params
    region: str
    account: str
    principal: str = "client"  # or the AWS service that calls: "scheduler.amazonaws.com"
    caller: Caller = INSIDE
    arrived: float = math.inf  # `time.monotonic()` at its arrival, before faults delayed it; without it: just now


class AwsError(Exception):
    """An error as AWS answers it: code, message, HTTP status, and the further members of the error's shape."""

    def __init__(self, code: str, message: str, *, status: int = 400, fields: Params | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields or {}


class Clock(Protocol):
    """Virtual time. It runs as fast as it is told to and can be moved forward; every service asks only this clock."""

    def now(self) -> dt.datetime:
        """The virtual moment, aware, in UTC."""

    async def sleep_until(self, moment: dt.datetime) -> None:
        """Return once `now() >= moment`; an advance of the clock wakes all whose moment has come, earliest first."""


class World(Protocol):
    """What a service may do beyond its own state."""

    account: str
    clock: Clock

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` in the background until it ends or the server stops; its exceptions are logged, never lost."""

    def emit(self, region: str, event: Params) -> None:
        """Hand an EventBridge event (the whole envelope) to the default bus of a region."""

    async def call(self, service: str, operation: str, params: Params, *, region: str, principal: str) -> Params:
        """Call an operation of any service, own or moto's, as if it came over the wire: validated, faulted, journaled.

        Raises:
            AwsError: what the service answered.
        """

    async def write_log(self, region: str, group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
        """Append `(epoch milliseconds, message)` lines to a CloudWatch Logs stream, which is created if missing.

        Raises:
            AwsError: ResourceNotFoundException where the group does not exist.
        """


class Service(Protocol):
    """One AWS service of localaws' own."""

    name: str  # botocore's service name

    async def handle(self, call: Call) -> Params:
        """Answer one call with the members of the operation's output shape.

        Raises:
            AwsError: with the code, message and status that AWS would answer.
        """

    async def start(self) -> None:
        """Begin what runs by itself: firing schedules, for instance."""

    async def stop(self) -> None:
        """End it, and every process it started, before returning."""


class NoSuchControlError(Exception):
    """A service has nothing there to be driven; the text says what it has."""


@runtime_checkable
class Controlled(Protocol):
    """A service that tests drive under `/_localaws/<name>/`, beyond what its own API lets them do."""

    @property
    def controls(self) -> Sequence[tuple[str, str]]:
        """Which requests it takes: method, and path after its name, empty for the name alone."""

    def control(self, method: str, path: str, wanted: Params) -> Params:
        """Do what a request asks: `path` is what follows the service's name, `wanted` the JSON of its body.

        Raises:
            NoSuchControlError: there is no such path.
            ValueError: the request makes no sense; the text says what to change.
        """
