"""Who wrote what and called whom: counters that read the audit log and localaws' journal as these grow.

Knows how both tell of a controller; nothing of what is measured with it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from fixtures.world import World
from localkube import audit

OPERATORS = ("bench-a", "bench-b")
"""Whom the audit log shows as the controllers."""

_JOURNAL = 200_000
_AWS = ("ecs", "scheduler")


class CannotMeasureError(Exception):
    """The benchmark itself could not do its work."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was done between two moments."""

    writes: Counter[str]  # "patch backgroundtasks/status" -> times, by the controllers; not of the lease
    aws: Counter[str]  # "ecs.RegisterTaskDefinition" -> times
    cpu: Mapping[str, float]  # seconds by process
    seconds: float

    @property
    def api_writes(self) -> int:
        """Writes to the API server without Events for people."""
        return self.writes.total() - self.event_writes

    @property
    def event_writes(self) -> int:
        """Writes of Events for people."""
        return sum(times for what, times in self.writes.items() if what.split()[1] == "events")

    @property
    def aws_calls(self) -> int:
        """Calls to ECS and Scheduler; the polls of SQS go on whatever happens."""
        return sum(self.aws.values())


class Tally:
    """What the audit log and the journal have told since the start; both are read once, and only as they grow."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._log: IO[str] = world.kube.audit_log.open(encoding="utf-8")
        self._journal = world.now()
        self._writes: Counter[str] = Counter()
        self.wrote: list[tuple[str, datetime]] = []
        """Who wrote to the API server, and when; Events and leases left out."""
        self._aws: Counter[str] = Counter()

    def close(self) -> None:
        """Read no more."""
        self._log.close()

    def now(self) -> tuple[Counter[str], Counter[str]]:
        """API writes and AWS calls until now."""
        self._read_audit_log()
        last = self._world.now()
        for service in _AWS:
            made = self._world.aws.journal(service=service, principal="client", since=self._journal, limit=_JOURNAL)
            self._aws.update(f"{service}.{one['operation']}" for one in made if one["sequence"] <= last)
        self._journal = last
        return self._writes.copy(), self._aws.copy()

    def _read_audit_log(self) -> None:
        if self._world.kube.audit_log.stat().st_size < self._log.tell():
            raise CannotMeasureError("the audit log was rotated: measure with fewer tasks or events")
        while True:
            at, line = self._log.tell(), self._log.readline()
            if not line.endswith("\n"):
                self._log.seek(at)  # the rest of the line is still to come
                return
            self._count(audit.parse(line), line)

    def _count(self, entry: audit.Entry, line: str) -> None:
        if not entry.is_write or entry.user not in OPERATORS or entry.resource == "leases":
            return
        self._writes[f"{entry.verb} {entry.resource}"] += 1
        if entry.resource != "events":
            received = datetime.fromisoformat(json.loads(line)["requestReceivedTimestamp"])
            self.wrote.append((entry.user, received))


@dataclass(frozen=True, slots=True)
class Mark:
    writes: Counter[str]
    aws: Counter[str]
    cpu: Mapping[str, float]
    at: float
