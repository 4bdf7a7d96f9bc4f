"""Who is received next: the line of the messages of a standard queue, and those of a FIFO queue's groups.

Knows keys and groups of messages, nothing of what they say. A key stands in a line from `put` until it is taken or
discarded; a taken one is out until `free`.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from typing import Protocol

from localaws.sqs.agenda import Agenda

WINDOW = 32
"""Among so many messages chance chooses where a queue is told to give its messages out of order."""


class Line(Protocol):
    """What a queue needs of either. `chance` shuffles, where order is not promised."""

    def __len__(self) -> int:
        """How many can be received sooner or later without another change."""

    def put(self, key: int, group: str) -> None:
        """Let a message stand in line."""

    def take(self, most: int, chance: random.Random | None) -> list[int]:
        """Up to `most` that are next; they are out."""

    def discard(self, key: int, group: str) -> None:
        """A message leaves the line without having been taken; one that does not stand in it may be named."""

    def free(self, key: int, group: str) -> None:
        """A message that was taken is out no more: it is gone, or is about to be put again."""


class StandardLine:
    """Best effort: in the order of arrival, and who returns stands behind all others.

    documented: DG, "Amazon SQS standard queues": best-effort ordering; assumed: where a message stands that was
    received before. So none that nobody can read keeps the others waiting.
    """

    __slots__ = ("_turns", "_waiting")

    def __init__(self) -> None:
        self._waiting = Agenda()
        self._turns = itertools.count()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, key: int, group: str) -> None:  # noqa: ARG002  # fair queues promise nothing that could be kept here
        """Let a message stand in line."""
        self._waiting.put(key, next(self._turns))

    def take(self, most: int, chance: random.Random | None) -> list[int]:
        """Up to `most` that are next, or any of the next ones."""
        window = self._pop(most if chance is None else max(most, WINDOW))
        if chance is None:
            return [key for key, _ in window]
        chance.shuffle(window)
        for key, turn in window[most:]:
            self._waiting.put(key, turn)
        return [key for key, _ in window[:most]]

    def discard(self, key: int, group: str) -> None:  # noqa: ARG002  # see put
        """A message leaves the line."""
        self._waiting.discard(key)

    def free(self, key: int, group: str) -> None:
        """Nothing waits for a message that is out."""

    def _pop(self, most: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        while len(found) < most and (entry := self._waiting.pop()) is not None:
            found.append(entry)
        return found


@dataclass(slots=True)
class _Group:
    number: int
    waiting: Agenda = field(default_factory=Agenda)
    out: int = 0


class GroupedLine:
    """Each group in the order of sending, and none while a message of it is out.

    documented: DG, "FIFO queue delivery logic": no more of a group while some are invisible, and as many of the same
    group as possible at once. Groups take turns by their first message.
    """

    __slots__ = ("_groups", "_length", "_names", "_numbers", "_ready")

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}
        self._names: dict[int, str] = {}
        self._numbers = itertools.count()
        self._ready = Agenda()  # groups by number, at the key of their first message
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, key: int, group: str) -> None:
        """Let a message stand in the line of its group, in the place that it had before if it was in it."""
        line = self._groups.get(group)
        if line is None:
            line = self._groups[group] = _Group(next(self._numbers))
            self._names[line.number] = group
        self._length += key not in line.waiting
        line.waiting.put(key, key)
        self._offer(line)

    def take(self, most: int, chance: random.Random | None) -> list[int]:  # noqa: ARG002  # the order is promised
        """Up to `most`, of as few groups as possible."""
        taken: list[int] = []
        while len(taken) < most and (ready := self._ready.pop()) is not None:
            line = self._groups[self._names[ready[0]]]
            while len(taken) < most and (entry := line.waiting.pop()) is not None:
                taken.append(entry[0])
                line.out += 1
                self._length -= 1
        return taken

    def discard(self, key: int, group: str) -> None:
        """A message leaves the line of its group."""
        line = self._groups.get(group)
        if line is not None and line.waiting.discard(key):
            self._length -= 1
            self._offer(line)

    def free(self, key: int, group: str) -> None:  # noqa: ARG002  # a group counts who is out
        """A message is out no more, and with the last of them the group goes on."""
        line = self._groups[group]
        line.out -= 1
        self._offer(line)

    def _offer(self, line: _Group) -> None:
        if line.out:
            return
        first = line.waiting.first()
        if first is not None:
            self._ready.put(line.number, first)
            return
        self._ready.discard(line.number)
        del self._groups[self._names.pop(line.number)]
