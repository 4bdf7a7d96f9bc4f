"""What work is about: the keys of the queue, and what is delivered to a key until a worker takes it up."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from backgroundtask.plan.outcome import Task

MOST_OF_A_TASK = 500
"""Deliveries that wait for one task: some sixty runs, at eight states each."""


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
class ResyncKey:
    """A look at all that exists for one LaunchTemplate, in bulk; with no name, at what the API server holds."""

    template: str = ""

    def __str__(self) -> str:
        return self.template or "cluster"


Key = TaskKey | TemplateKey | ResyncKey


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


class Inbox:
    """Deliveries by task, in the order in which they came; any thread may call.

    Each state of an ECS task waits there once, however often it is delivered: of two deliveries the older is dropped.
    So are the oldest of more than `MOST_OF_A_TASK`, as whoever works on the key cannot store them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[TaskKey, list[Delivery]] = {}

    def put(self, key: TaskKey, deliveries: Iterable[Delivery]) -> None:
        """Leave deliveries for whoever works on the key next."""
        with self._lock:
            dropped = self._merge(key, [*self._waiting.get(key, ()), *deliveries])
        for delivery in dropped:
            delivery.dropped()

    def put_back(self, key: TaskKey, deliveries: Iterable[Delivery]) -> None:
        """Leave what was taken and could not be stored; what came meanwhile is newer."""
        with self._lock:
            dropped = self._merge(key, [*deliveries, *self._waiting.get(key, ())])
        for delivery in dropped:
            delivery.dropped()

    def take(self, key: TaskKey) -> list[Delivery]:
        """All that waits for a key; it is the taker's from now on."""
        with self._lock:
            return self._waiting.pop(key, [])

    def waits(self, key: TaskKey) -> bool:
        """Whether anything waits for a key."""
        with self._lock:
            return key in self._waiting

    def _merge(self, key: TaskKey, deliveries: list[Delivery]) -> list[Delivery]:
        """Keep the newest delivery of each state; the others."""
        newest = {(one.task.arn, one.task.version): one for one in deliveries}
        kept = list(newest.values())[-MOST_OF_A_TASK:]
        if kept:
            self._waiting[key] = kept
        identities = {id(one) for one in kept}
        return [one for one in deliveries if id(one) not in identities]
