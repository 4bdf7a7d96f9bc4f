"""What work is about: the keys of the queue, and what is delivered to a key until a worker takes it up."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from backgroundtask.plan.outcome import Task


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


@dataclass(frozen=True, slots=True)
class Delivery:
    """An ECS task as somebody saw it. `stored` is called once, after the sight is recorded for good."""

    task: Task
    stored: Callable[[], None]


class Inbox:
    """Deliveries by task, in the order in which they came; any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: defaultdict[TaskKey, list[Delivery]] = defaultdict(list)

    def put(self, key: TaskKey, deliveries: Iterable[Delivery]) -> None:
        """Leave deliveries for whoever works on the key next."""
        with self._lock:
            self._waiting[key].extend(deliveries)

    def take(self, key: TaskKey) -> list[Delivery]:
        """All that waits for a key; it is the taker's from now on."""
        with self._lock:
            return self._waiting.pop(key, [])

    def waits(self, key: TaskKey) -> bool:
        """Whether anything waits for a key."""
        with self._lock:
            return key in self._waiting
