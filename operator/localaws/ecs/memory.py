"""How much memory the processes of containers take: looked at now and then, for all tasks at once.

Knows sessions of processes and bytes, not ECS: which session is whose, and how it is killed, is the business of `crew`.
A process that leaves the session of its container is not counted.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Protocol, TypeVar

import psutil

PERIOD = 0.25
"""Real seconds between two looks."""

Usage = Callable[[Mapping[int, int]], dict[int, int]]


Who = TypeVar("Who", bound=Hashable)


def too_greedy(taken: Mapping[Who, int], most: Mapping[Who, int], together: int) -> list[Who]:
    """Say who takes more than they may, or else, where all together do, who takes most (all in bytes).

    documented: API: ContainerDefinition.memory, "the container is killed"; .memory of the task for all
    assumed: who is killed for what all take together
    """
    greedy = [who for who, size in taken.items() if size > most[who]]
    if greedy or sum(taken.values()) <= together:
        return greedy
    return [max(taken, key=lambda who: taken[who])]


class Sampled(Protocol):
    """Who wants to know what its sessions take."""

    def thresholds(self) -> Mapping[int, int]:
        """Give the bytes from which on each of its sessions is worth an exact look, by the ids of the sessions."""

    def sampled(self, usage: Mapping[int, int]) -> None:
        """Hear how many bytes each session takes; one that has ended is left out."""


class Sampler:
    """One look a period at all sessions of all who want it, while there is somebody who does."""

    def __init__(self, *, period: float = PERIOD, usage: Usage | None = None) -> None:
        self._period = period
        self._usage = usage or session_bytes
        self._watching: set[Sampled] = set()
        self._looking: asyncio.Task[None] | None = None

    def watch(self, who: Sampled) -> None:
        """Look at someone's sessions from now on."""
        self._watching.add(who)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    def leave(self, who: Sampled) -> None:
        """Look no more; once is enough."""
        self._watching.discard(who)

    async def close(self) -> None:
        """End the looking."""
        self._watching.clear()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        while self._watching:
            await asyncio.sleep(self._period)
            wanted = {session: most for who in self._watching for session, most in who.thresholds().items()}
            usage = await asyncio.to_thread(self._usage, wanted) if wanted else {}
            for who in list(self._watching):
                who.sampled({session: usage[session] for session in who.thresholds() if session in usage})


def session_bytes(thresholds: Mapping[int, int]) -> dict[int, int]:
    """Add up what the processes of each session take.

    Pages that processes share are counted once for each, which is quick; only where that is more than the session's
    threshold, each process is asked for its share of them, where the system knows it.
    """
    members = _members(thresholds)
    quick = {session: sum(map(_resident, pids)) for session, pids in members.items()}
    return {
        session: size if size <= thresholds[session] else sum(map(_proportional, members[session]))
        for session, size in quick.items()
    }


def _members(sessions: Collection[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for pid in psutil.pids():
        try:
            session = os.getsid(pid)
        except OSError:
            continue  # it has ended, or is none of ours
        if session in sessions:
            found[session].append(pid)
    return found


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0  # it has ended


def _proportional(pid: int) -> int:
    try:
        full = psutil.Process(pid).memory_full_info()
    except psutil.Error:
        return 0  # it has ended
    return int(getattr(full, "pss", full.uss))
