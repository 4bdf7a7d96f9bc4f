"""What a region of ECS holds: clusters and their tasks.

Values and indexes only: how a task lives is told in `life`, how it looks to a caller in `rendering`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from localaws.contract import Clock, Params
from localaws.ecs import errors
from localaws.ecs.catalog import Catalog, Definition
from localaws.ecs.controls import Leeway
from localaws.ecs.names import Place, cluster_name
from localaws.ecs.shortages import Shortages
from localaws.ecs.tokens import Tokens
from localaws.lag import Lag

# documented: API: DescribeTasks, "stopped tasks appear in the returned results for at least one hour"
REMEMBERED = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What the tasks of one RunTask have in common."""

    definition: Definition
    overrides: Params  # a TaskOverride with one containerOverrides entry a container
    group: str
    started_by: str | None
    launch_type: str
    capacity_provider: str | None
    platform_version: str
    cpu: str
    memory: str
    ephemeral_gib: int
    execute_command: bool
    subnet: str
    token: str | None


@dataclass(slots=True, eq=False)
class Container:
    """One container of a task."""

    definition: Params  # a ContainerDefinition
    id: str
    last_status: str = "PENDING"
    exit_code: int | None = None
    reason: str | None = None
    runtime_id: str | None = None
    pulled: bool = False

    @property
    def name(self) -> str:
        """Its name in the definition."""
        name: str = self.definition["name"]
        return name


@dataclass(slots=True, eq=False, kw_only=True)
class Task:
    """One task. `moments` holds its timestamps by their API names; `version` counts its events."""

    id: str
    number: int  # in order of creation within the cluster
    place: Place
    cluster: str
    launch: Launch
    containers: list[Container]
    tags: dict[str, str]
    moments: dict[str, dt.datetime]
    version: int = 1
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    stop_code: str | None = None
    stopped_reason: str | None = None
    unplaced: str | None = None  # why no place is ever found for it, where a test wants that
    attachment: str = "PRECREATED"
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def arn(self) -> str:
        """The long ARN."""
        return self.place.task(self.cluster, self.id)

    @property
    def stopped(self) -> bool:
        """Whether its life is over."""
        return self.last_status == "STOPPED"

    @property
    def forget_at(self) -> dt.datetime | None:
        """When ECS stops answering for it; None while it lives."""
        return self.moments["stoppedAt"] + REMEMBERED if self.stopped else None

    def want_stop(self, code: str, reason: str, now: dt.datetime) -> bool:
        """Decide that it stops, and why; only the first reason counts. Says whether this was it."""
        if self.desired_status == "STOPPED":
            return False
        self.desired_status, self.stop_code, self.stopped_reason = "STOPPED", code, reason
        self.moments["stoppingAt"] = now
        self.stopping.set()
        return True


@dataclass(slots=True, eq=False)
class Cluster:
    """A cluster: its settings as the API has them, its tasks, and the client tokens that name them."""

    name: str
    arn: str
    tags: dict[str, str]
    settings: list[Params]
    configuration: Params | None
    capacity_providers: list[str]
    default_strategy: list[Params]
    status: str = "ACTIVE"
    tokens: Tokens = field(default_factory=Tokens)
    _tasks: dict[str, Task] = field(default_factory=dict)
    _families: dict[str, dict[str, Task]] = field(default_factory=dict)
    _ended: deque[Task] = field(default_factory=deque)
    _created: int = 0

    def next_number(self) -> int:
        """Number the next task."""
        self._created += 1
        return self._created

    def add(self, task: Task) -> None:
        """Hold a new task."""
        self._tasks[task.id] = task
        self._families.setdefault(task.launch.definition.family, {})[task.id] = task
        task.launch.definition.tasks += 1

    def note_end(self, task: Task) -> None:
        """Take note that a task is STOPPED, so that it can be forgotten in time."""
        task.launch.definition.tasks -= 1
        self._ended.append(task)

    def task(self, task_id: str, now: dt.datetime) -> Task | None:
        """Find a task that ECS still remembers."""
        self._forget(now)
        return self._tasks.get(task_id)

    def tasks(self, family: str | None, now: dt.datetime) -> Iterator[Task]:
        """Go through the remembered tasks, of one family or all, oldest first."""
        self._forget(now)
        found = self._tasks if family is None else self._families.get(family, {})
        return iter(found.values())

    def _forget(self, now: dt.datetime) -> None:
        while self._ended and now - self._ended[0].moments["stoppedAt"] >= REMEMBERED:
            task = self._ended.popleft()
            family = task.launch.definition.family
            del self._tasks[task.id]
            del self._families[family][task.id]
            if not self._families[family]:
                del self._families[family]
            self.tokens.release(task.launch.token, now)


@dataclass(slots=True, eq=False)
class Realm:
    """ECS in one account and region."""

    place: Place
    clock: Clock
    new_id: Callable[[], str]
    catalog: Catalog
    shortages: Shortages
    leeway: Leeway
    lag: Lag
    throttle: Callable[[str, int], None]  # takes the tokens of so many launches on a capacity provider, or raises
    clusters: dict[str, Cluster] = field(default_factory=dict)

    def cluster(self, text: str | None) -> Cluster:
        """Find a cluster by name or ARN; a deleted one is found too.

        Raises:
            AwsError: ClusterNotFoundException.
        """
        found = self.clusters.get(cluster_name(text))
        if found is None or ((text or "").startswith("arn:") and text != found.arn):
            raise errors.cluster_not_found()
        return found

    def active_cluster(self, text: str | None) -> Cluster:
        """Find a cluster that takes tasks.

        Raises:
            AwsError: ClusterNotFoundException, or InvalidParameterException where it was deleted.
        """
        found = self.cluster(text)
        if found.status != "ACTIVE":
            raise errors.invalid("The referenced cluster was inactive.")  # assumed: code and wording
        return found
