"""Fires schedules: one heap of the next slots of all of them, one waker, one background task for each delivery.

Knows when, and nothing of operations. All runs on one loop: whoever is about to change a schedule first calls
`fire_due`, so a slot whose moment has come fires as it was defined then, and none fires twice or not at all.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import heapq
import itertools
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

from localaws.contract import World
from localaws.scheduler.delivery import Slot, deliver
from localaws.scheduler.invocation import zulu
from localaws.scheduler.state import Schedule
from localaws.triggers.lapses import Lapses, chance

_BATCH = 100  # slots fired before others get a turn on the loop, after the clock jumped
_SLACK = 64

_Entry = tuple[dt.datetime, int, Schedule]


class Heap:
    """The next slot of each schedule; a replaced entry stays behind until it surfaces or too many have."""

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self._live: dict[int, int] = {}  # schedule, by identity -> its current entry's number
        self._numbers = itertools.count()

    def put(self, schedule: Schedule, slot: dt.datetime) -> None:
        """Set the next slot of a schedule."""
        number = next(self._numbers)
        self._live[id(schedule)] = number
        heapq.heappush(self._heap, (slot, number, schedule))
        if len(self._heap) > 2 * len(self._live) + _SLACK:
            self._heap = [entry for entry in self._heap if self._is_live(entry)]
            heapq.heapify(self._heap)

    def drop(self, schedule: Schedule) -> None:
        """Forget a schedule; one that is not there is no error."""
        self._live.pop(id(schedule), None)

    def next(self) -> dt.datetime | None:
        """The earliest slot of all."""
        while self._heap and not self._is_live(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_until(self, moment: dt.datetime) -> Iterator[tuple[dt.datetime, Schedule]]:
        """Take out what is due at `moment`, earliest first; what is put meanwhile is seen."""
        while (slot := self.next()) is not None and slot <= moment:
            schedule = heapq.heappop(self._heap)[2]
            del self._live[id(schedule)]
            yield slot, schedule

    def __len__(self) -> int:
        return len(self._heap)

    def _is_live(self, entry: _Entry) -> bool:
        return self._live.get(id(entry[2])) == entry[1]


class Ignition:
    """Fires what is due.

    Args:
        world: the clock, and who runs and receives deliveries.
        delay: how long after its slot a schedule fires; up to 60 seconds on AWS (documented: UG, "precision").
        new_id: makes execution ids.
        completed: told of each schedule whose last slot was delivered, unless it was changed meanwhile.

    `lapses` says which slots are delivered twice or late; whoever sets it changes what fires from then on.
    """

    def __init__(
        self, world: World, *, delay: dt.timedelta, new_id: Callable[[], str], completed: Callable[[Schedule], None]
    ) -> None:
        self._world = world
        self.lapses = Lapses()
        self._delay = delay
        self._new_id = new_id
        self._completed = completed
        self._heap = Heap()
        self._sooner = asyncio.Event()
        self._waker: asyncio.Task[None] | None = None
        self._deliveries: set[asyncio.Task[None]] = set()

    def set(self, schedule: Schedule) -> None:
        """Take up a schedule that is new or was changed."""
        self._heap.drop(schedule)
        slot, before = schedule.next_slot(), self._heap.next()
        if slot is None:
            return
        self._heap.put(schedule, slot)
        if before is None or slot < before:
            self._sooner.set()

    def drop(self, schedule: Schedule) -> None:
        """Let go of a schedule; what is being delivered goes on (assumed)."""
        self._heap.drop(schedule)

    def fire_due(self) -> dt.datetime:
        """Fire all slots whose moment has come, in order, each with its own time; return up to which moment."""
        horizon = self._world.clock.now() - self._delay
        for _ in self._fire(horizon):
            pass
        return horizon

    def start(self) -> None:
        """Begin to fire by itself."""
        self._waker = self._world.spawn(self._wake())

    async def stop(self) -> None:
        """End the waker and every delivery."""
        running = [task for task in (self._waker, *self._deliveries) if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _wake(self) -> None:
        while True:
            self._sooner.clear()
            for count, _ in enumerate(self._fire(self._world.clock.now() - self._delay), start=1):
                if count % _BATCH == 0:
                    await asyncio.sleep(0)
            await self._until_next()

    async def _until_next(self) -> None:
        """Return when the earliest slot is due, or when a sooner one was set."""
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._sooner.wait())]
        if (slot := self._heap.next()) is not None:
            waits.append(asyncio.ensure_future(self._world.clock.sleep_until(slot + self._delay)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _fire(self, horizon: dt.datetime) -> Iterator[None]:
        for slot, schedule in self._heap.pop_until(horizon):
            schedule.considered = slot
            following = schedule.next_slot()
            if following is not None:
                self._heap.put(schedule, following)
            self._launch(schedule, slot, last=following is None)
            yield

    def _launch(self, schedule: Schedule, slot: dt.datetime, *, last: bool) -> None:
        fired = Slot(schedule_arn=schedule.arn, scheduled_time=slot, definition=schedule.definition)
        delays = self.lapses.delays((schedule.name, f"{schedule.group}/{schedule.name}"), zulu(slot))
        self._begin(self._deliver(schedule, fired, delays, last=last))

    def _begin(self, delivery: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._world.spawn(delivery)
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)
        return task

    async def _deliver(self, schedule: Schedule, slot: Slot, delays: Sequence[dt.timedelta], *, last: bool) -> None:
        due = self._world.clock.now() + _place_in(slot)
        again = [self._begin(self._deliver_at(due + delay, slot)) for delay in delays[1:]]
        await self._deliver_at(due + delays[0], slot)
        await asyncio.gather(*again)
        if last and schedule.definition is slot.definition:
            self._completed(schedule)

    async def _deliver_at(self, moment: dt.datetime, slot: Slot) -> None:
        if moment > self._world.clock.now():
            await self._world.clock.sleep_until(moment)
        await deliver(self._world, slot, self._new_id)


def _place_in(slot: Slot) -> dt.timedelta:
    """How far into its flexible time window a slot is delivered.

    Documented: UG, "Configuring flexible time windows": Scheduler "invokes your target within the window". Assumed:
    anywhere in it, on whole seconds; here always at the same place for the same slot.
    """
    if not slot.definition.window:
        return dt.timedelta(0)
    seconds = slot.definition.window.total_seconds() * chance(slot.schedule_arn, zulu(slot.scheduled_time))
    return dt.timedelta(seconds=int(seconds))
