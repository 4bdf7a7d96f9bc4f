"""The journal: every call that reached this world, in the order of arrival, with what became of it.

Parameters are kept as JSON text, so a long journal stays small. Bounded in entries and in bytes: the oldest go first.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

READS = ("Describe", "List", "Get", "Head", "Lookup", "Receive", "BatchGet", "BatchCheck", "Filter", "GET ", "HEAD ")
"""How the names of operations begin that change nothing, as far as a client cares."""

PENDING = "pending"

_WORDS = {"true": True, "false": False}


def is_write(operation: str) -> bool:
    """Whether an operation changes something, judged by its name as IAM's access levels do."""
    return not operation.startswith(READS)


@dataclass(slots=True, kw_only=True)
class Entry:
    """One call.

    `outcome` is `pending`, `held`, `ok`, `dropped` or the code of the error that was answered; `effect` tells whether
    the service did what was asked. `seconds` are real ones, from arrival to answer; `params` is JSON. `notes` is what
    the service has to say that its answer does not tell, such as a message that is delivered for the second time.
    """

    sequence: int
    time: dt.datetime
    service: str
    operation: str
    region: str
    principal: str
    params: bytes
    agent: str = ""
    outcome: str = PENDING
    effect: bool = False
    status: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    def note(self, text: str) -> None:
        """Add what the service has to say."""
        self.notes += (text,)

    def as_json(self) -> dict[str, Any]:
        """The entry as `/_localaws/journal` answers it."""
        return {
            "sequence": self.sequence,
            "time": self.time.isoformat(),
            "service": self.service,
            "operation": self.operation,
            "write": is_write(self.operation),
            "region": self.region,
            "principal": self.principal,
            "agent": self.agent,
            "params": _parsed(self.params),
            "outcome": self.outcome,
            "effect": self.effect,
            "status": self.status,
            "seconds": round(self.seconds, 6),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which entries to answer: those after `since` that bear every name given, oldest first."""

    service: str | None = None
    operation: str | None = None
    principal: str | None = None
    outcome: str | None = None
    write: bool | None = None
    since: int = 0
    limit: int = 1000

    def matches(self, entry: Entry) -> bool:
        """Whether an entry is asked for."""
        return (
            entry.sequence > self.since
            and self.service in (None, entry.service)
            and self.operation in (None, entry.operation)
            and self.principal in (None, entry.principal)
            and self.outcome in (None, entry.outcome)
            and self.write in (None, is_write(entry.operation))
        )


class Journal:
    """The last `most` calls, or as many of them as fit into `bytes_` of parameters."""

    def __init__(self, *, most: int = 200_000, bytes_: int = 64 * 1024 * 1024) -> None:
        self._entries: deque[Entry] = deque()
        self._most = most
        self._room = bytes_
        self._bytes = 0
        self.last = 0

    def open(self, entry: Entry) -> Entry:
        """Note a call on its arrival, under the next sequence number."""
        self.last += 1
        entry.sequence = self.last
        self._entries.append(entry)
        self._bytes += len(entry.params)
        while len(self._entries) > self._most or self._bytes > self._room:
            self._bytes -= len(self._entries.popleft().params)
        return entry

    def find(self, query: Query) -> list[Entry]:
        """The first `query.limit` entries that match."""
        found: list[Entry] = []
        for entry in self._after(query.since):
            if len(found) >= query.limit:
                break
            if query.matches(entry):
                found.append(entry)
        return found

    def clear(self) -> None:
        """Forget all entries; sequence numbers go on, so that a reader's `since` stays true."""
        self._entries.clear()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def _after(self, since: int) -> Iterator[Entry]:
        if not self._entries:
            return iter(())
        known = max(0, since - self._entries[0].sequence + 1)
        return itertools.islice(self._entries, known, None)


def parse_query(given: Mapping[str, str]) -> Query:
    """Read a query from the words of an URL.

    Raises:
        ValueError: a word is unknown or its value wrong; the text says which.
    """
    wanted: dict[str, Any] = dict(given)
    unknown = sorted(given.keys() - set(Query.__dataclass_fields__))
    if unknown:
        raise ValueError(f"the journal is not asked by {unknown[0]!r}, but by {', '.join(Query.__dataclass_fields__)}")
    for name in ("since", "limit"):
        if name in given and not given[name].isdecimal():
            raise ValueError(f"{name!r} must be a whole number, not below 0")
        if name in given:
            wanted[name] = int(given[name])
    if "write" in given:
        if given["write"] not in _WORDS:
            raise ValueError("'write' must be true or false")
        wanted["write"] = _WORDS[given["write"]]
    return Query(**wanted)


def _parsed(text: bytes) -> Any:  # noqa: ANN401  # whatever JSON says
    try:
        return json.loads(text or b"{}")
    except (ValueError, RecursionError):
        return text.decode(errors="replace")
