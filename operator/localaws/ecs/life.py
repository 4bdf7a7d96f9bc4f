"""The life of a task on Fargate, from PROVISIONING to STOPPED, with an event at each change.

documented: developer guide, "Amazon ECS task lifecycle": PROVISIONING, PENDING, ACTIVATING, RUNNING, DEACTIVATING,
STOPPING, DEPROVISIONING, STOPPED; API: Task.version: one more with each change that makes an event.
assumed: RUNNING is always passed, if only for an instant, where the processes could be started; a task that could not
be started goes straight to DEPROVISIONING.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass

from localaws.contract import World
from localaws.ecs import events
from localaws.ecs.crew import Crew
from localaws.ecs.failures import CannotStartTask
from localaws.ecs.filesystems import FileSystems
from localaws.ecs.memory import Sampler
from localaws.ecs.model import Cluster, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a task stays in the states that have nothing to do here, in virtual seconds."""

    provisioning: float = 0.1
    pending: float = 0.1
    activating: float = 0.1
    deactivating: float = 0.0
    deprovisioning: float = 0.1


_PLACING = 1800.0
"""Virtual seconds for which a task waits for a place (reported: aws/containers-roadmap#2381, ten to thirty minutes)."""


class _StopWanted(Exception):  # noqa: N818 - not an error: someone called StopTask before the task ran
    pass


class Fargate:
    """Runs tasks: what begins here ends here, with no process left."""

    def __init__(self, world: World, pace: Pace) -> None:
        self._world = world
        self._pace = pace
        self._lives: set[asyncio.Task[None]] = set()
        self._sampler = Sampler()
        self._file_systems = FileSystems()

    def begin(self, cluster: Cluster, task: Task) -> None:
        """Let a new task live."""
        self._emit(task)
        life = self._world.spawn(self._live(cluster, task))
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)

    def stop(self, task: Task, reason: str) -> None:
        """Decide that a task stops, as a user asks; it takes its time. A decision made before stands."""
        self._want_stop(task, "UserInitiated", reason)

    def interrupt(self, task: Task) -> None:
        """Take its Spot capacity away: SIGTERM at once, as StopTask sends it.

        documented: developer guide, "Fargate capacity providers": stop code, reason, and the event as the warning
        """
        self._want_stop(task, "SpotInterruption", "Your Spot Task was interrupted.")

    async def close(self) -> None:
        """End all tasks where they stand, and their processes with them; no events are emitted any more."""
        lives = list(self._lives)
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
        await self._sampler.close()
        self._file_systems.close()

    async def _live(self, cluster: Cluster, task: Task) -> None:
        crew = Crew(self._world, task, self._file_systems)
        try:
            if await self._bring_up(task, crew):
                self._sampler.watch(crew)
                await self._run(task, crew)
                await self._wind_down(task, crew)
        finally:
            self._sampler.leave(crew)
            await crew.kill()
        await self._clear_away(cluster, task)

    async def _bring_up(self, task: Task, crew: Crew) -> bool:
        """Start it; say whether it came to run. Where it did not, it knows why."""
        try:
            await self._provision(task)
            await self._initialize(task, crew)
            return await self._start(task, crew)
        except _StopWanted:
            return False
        except CannotStartTask as e:
            self._want_stop(task, "TaskFailedToStart", str(e))
            return False

    async def _provision(self, task: Task) -> None:
        if task.unplaced is not None:
            await self._pause(task, _PLACING)
            raise CannotStartTask(task.unplaced)
        await self._pause(task, self._pace.provisioning)
        task.attachment = "ATTACHED"
        task.moments["connectivityAt"] = self._now()
        self._enter(task, "PENDING")

    async def _initialize(self, task: Task, crew: Crew) -> None:
        await self._pause(task, self._pace.pending)
        await crew.prepare()
        task.moments["pullStartedAt"] = task.moments["pullStoppedAt"] = self._now()
        crew.pull()
        self._enter(task, "ACTIVATING")

    async def _start(self, task: Task, crew: Crew) -> bool:
        await self._pause(task, self._pace.activating)
        if not await crew.start():
            # reported: aws/amazon-ecs-agent#1654; the container's reason says which and why
            self._want_stop(task, "TaskFailedToStart", "Task failed to start")
            return False
        task.moments["startedAt"] = self._now()
        self._enter(task, "RUNNING")
        return True

    async def _run(self, task: Task, crew: Crew) -> None:
        """Wait for its end: the first exit of an essential container, or a decision to stop it."""
        while not task.stopping.is_set():
            ended = await crew.next_exits(task.stopping)
            if any(container.definition["essential"] for container in ended):
                task.moments["executionStoppedAt"] = self._now()
                # documented: API: ContainerDefinition.essential; developer guide, "Stopped tasks error messages"
                self._want_stop(task, "EssentialContainerExited", "Essential container in task exited")
            elif ended:
                self._changed(task)

    async def _wind_down(self, task: Task, crew: Crew) -> None:
        self._enter(task, "DEACTIVATING")
        await self._rest(self._pace.deactivating)
        self._enter(task, "STOPPING")
        await crew.stop()
        task.moments.setdefault("executionStoppedAt", self._now())

    async def _clear_away(self, cluster: Cluster, task: Task) -> None:
        for container in task.containers:
            container.last_status = "STOPPED"
        task.attachment = "DELETED"
        self._enter(task, "DEPROVISIONING")
        await self._rest(self._pace.deprovisioning)
        task.moments["stoppedAt"] = self._now()
        task.last_status = "STOPPED"
        cluster.note_end(task)
        self._changed(task)

    def _want_stop(self, task: Task, code: str, reason: str) -> None:
        if task.want_stop(code, reason, self._now()):
            self._changed(task)

    def _enter(self, task: Task, status: str) -> None:
        task.last_status = status
        self._changed(task)

    def _changed(self, task: Task) -> None:
        task.version += 1
        self._emit(task)

    def _emit(self, task: Task) -> None:
        self._world.emit(task.place.region, events.task_state_change(task, self._now()))

    def _now(self) -> dt.datetime:
        return self._world.clock.now()

    async def _pause(self, task: Task, seconds: float) -> None:
        """Let virtual time pass, unless the task is to stop."""
        waits = {asyncio.ensure_future(self._rest(seconds)), asyncio.ensure_future(task.stopping.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        if task.stopping.is_set():
            raise _StopWanted

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            await self._world.clock.sleep_until(self._now() + dt.timedelta(seconds=seconds))
