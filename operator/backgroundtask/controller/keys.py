"""What work is about: the keys of the queue, and what is delivered to a key until a worker takes it up."""

import threading
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime

from backgroundtask.plan.outcome import Task

MOST_OF_A_TASK = 500
"""Deliveries that wait for one task: some sixty runs, at eight states each, and as many ticks."""


@dataclass(frozen=True, slots=True, order=True)
class TaskKey:
    """A BackgroundTask with all its runs: decisions about one task never race."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class TemplateKey:
    """A LaunchTemplate."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, order=True)
class RepositoryKey:
    """An ImageRepository."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class ResyncKey:
    """A look at all that exists for one LaunchTemplate, in bulk; with no name, at what the API server holds."""

    template: str = ""

    def __str__(self) -> str:
        return self.template or "cluster"


Key = TaskKey | TemplateKey | RepositoryKey | ResyncKey


def _nobody_waits() -> None:
    """The answer to a sight that no message brought."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An ECS task as somebody saw it.

    One of two is called in the end: `stored` after the sight is recorded for good, `dropped` where it is given up. The
    message that brought it then comes again, or goes to the poison queue.
    """

    task: Task
    stored: Callable[[], None] = _nobody_waits
    dropped: Callable[[], None] = _nobody_waits

    @property
    def identity(self) -> Hashable:
        """What it tells: a state of an ECS task."""
        return self.task.arn, self.task.version


@dataclass(frozen=True, slots=True)
class Tick:
    """A schedule, or a rule, says that a slot is due and that the operator is to launch it. Answered as a Delivery."""

    slot: datetime
    uid: str  # of the task that the schedule was made for
    stored: Callable[[], None] = _nobody_waits
    dropped: Callable[[], None] = _nobody_waits

    @property
    def identity(self) -> Hashable:
        """What it tells: that the slot is due."""
        return Tick, self.uid, self.slot


@dataclass(frozen=True, slots=True)
class GivenUp:
    """EventBridge Scheduler gave the launch of a slot up: look at it now. Answered as a Delivery."""

    slot: datetime
    uid: str
    stored: Callable[[], None] = _nobody_waits
    dropped: Callable[[], None] = _nobody_waits

    @property
    def identity(self) -> Hashable:
        """What it tells: that Scheduler will not launch the slot."""
        return GivenUp, self.uid, self.slot


@dataclass(frozen=True, slots=True)
class Gone:
    """ECS, asked for a task that a run names, said that there is none (DescribeTasks: MISSING)."""

    arn: str
    stored: Callable[[], None] = _nobody_waits
    dropped: Callable[[], None] = _nobody_waits

    @property
    def identity(self) -> Hashable:
        """What it tells: that ECS does not know the task."""
        return Gone, self.arn


Hint = Tick | GivenUp | Gone
"""What says where to look, and shows no ECS task."""


class Inbox:
    """Deliveries by task, in the order in which they came; any thread may call.

    Each thing waits there once, however often it is delivered: of two deliveries of one state of an ECS task, of one
    slot that is due, the older is dropped. So are the oldest of more than `MOST_OF_A_TASK`, as whoever works on the key
    cannot store them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[TaskKey, list[Delivery | Hint]] = {}

    def put(self, key: TaskKey, deliveries: Iterable[Delivery | Hint]) -> None:
        """Leave deliveries for whoever works on the key next."""
        with self._lock:
            dropped = self._merge(key, [*self._waiting.get(key, ()), *deliveries])
        for delivery in dropped:
            delivery.dropped()

    def put_back(self, key: TaskKey, deliveries: Iterable[Delivery | Hint]) -> None:
        """Leave what was taken and could not be stored; what came meanwhile is newer."""
        with self._lock:
            dropped = self._merge(key, [*deliveries, *self._waiting.get(key, ())])
        for delivery in dropped:
            delivery.dropped()

    def take(self, key: TaskKey) -> list[Delivery]:
        """The ECS tasks that were seen for a key; they are the taker's from now on."""
        with self._lock:
            waiting = self._waiting.pop(key, [])
            self._merge(key, [one for one in waiting if not isinstance(one, Delivery)])
            return [one for one in waiting if isinstance(one, Delivery)]

    def take_hints(self, key: TaskKey) -> list[Hint]:
        """All else that waits for a key; it is the taker's from now on."""
        with self._lock:
            waiting = self._waiting.pop(key, [])
            self._merge(key, [one for one in waiting if isinstance(one, Delivery)])
            return [one for one in waiting if not isinstance(one, Delivery)]

    def waits(self, key: TaskKey) -> bool:
        """Whether anything waits for a key."""
        with self._lock:
            return key in self._waiting

    def _merge(self, key: TaskKey, deliveries: list[Delivery | Hint]) -> list[Delivery | Hint]:
        """Keep the newest delivery of each thing; the others."""
        newest = {one.identity: one for one in deliveries}
        kept = list(newest.values())[-MOST_OF_A_TASK:]
        if kept:
            self._waiting[key] = kept
        identities = {id(one) for one in kept}
        return [one for one in deliveries if id(one) not in identities]
