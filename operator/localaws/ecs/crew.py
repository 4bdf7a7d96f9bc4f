"""The processes of one task: started together, watched for exits, ended together.

Knows containers and their processes; what an exit means for the task is told in `life`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import signal
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

from localaws.contract import World
from localaws.ecs import command, dependencies, logs, memory, process, secrets
from localaws.ecs.failures import CannotPullContainer, CannotStartContainer
from localaws.ecs.filesystems import FileSystems
from localaws.ecs.model import Container, Task
from localaws.ecs.process import Process

_STOP_SECONDS = 30  # documented: API: ContainerDefinition.stopTimeout, the default on Fargate
_REASON_LENGTH = 1024  # documented: API: Container.reason
_MIB = 2**20
_SIGKILLED = 128 + signal.SIGKILL
_KILLED = "OutOfMemoryError: Container killed due to memory usage"  # documented: "Stopped tasks error messages"


class Crew:
    """The processes of a task that have not been seen to exit yet."""

    def __init__(self, world: World, task: Task, file_systems: FileSystems) -> None:
        self._world = world
        self._task = task
        self._images: dict[str, list[str] | None] = getattr(world, "images", {})
        self._file_systems = file_systems
        self._secrets: dict[str, dict[str, str]] = {}
        self._mounts: dict[str, dict[str, str]] = {}
        self._running: dict[Container, Process] = {}

    async def prepare(self) -> None:
        """Mount the file systems, fetch the secrets and create the log streams of all containers.

        Raises:
            ResourceInitialization: something of it is not there.
        """
        region, body = self._task.place.region, self._task.launch.definition.body
        for container in self._task.containers:
            self._mounts[container.name] = self._file_systems.mounts(body, container.definition, region)
            if credentials := container.definition.get("repositoryCredentials"):
                await secrets.check_registry(self._world, credentials["credentialsParameter"], region)
            wanted = container.definition.get("secrets", [])
            self._secrets[container.name] = await secrets.resolve(self._world, wanted, region)
            stream = logs.stream_of(self._world, self._task, container)
            if stream is not None:
                await stream.prepare()

    def pull(self) -> None:
        """Pull the images of all containers, as far as the world says that there are such images.

        Raises:
            CannotPullContainer: it says that there is not; the container knows too.
        """
        for container in self._task.containers:
            image = container.definition["image"]
            if image in self._images and self._images[image] is None:
                failure = CannotPullContainer(image)
                container.reason = str(failure)[:_REASON_LENGTH]  # assumed: the same words as the task's
                raise failure
            container.pulled = True

    async def start(self) -> bool:
        """Start every container, each after those that it depends on; say whether all essential ones run.

        The others end with the reason why not.
        """
        containers = {container.name: container for container in self._task.containers}
        order = dependencies.start_order([container.definition for container in self._task.containers])
        started = [await self._start(containers[name]) for name in order]
        return all(started)

    async def _start(self, container: Container) -> bool:
        stream = logs.stream_of(self._world, self._task, container)
        try:
            line = command.of(self._task, container, self._images, self._secrets[container.name])
            line = replace(line, mounts=self._mounts[container.name])
            running = await process.start(line, functools.partial(logs.copy, stream=stream))
        except CannotStartContainer as e:
            container.last_status, container.reason = "STOPPED", str(e)[:_REASON_LENGTH]
            return not container.definition["essential"]
        self._running[container] = running
        container.last_status = "RUNNING"
        # documented: developer guide, "Task metadata endpoint v4 for Fargate": 32 characters, a dash, a number
        container.runtime_id = f"{self._task.id.replace('-', '')}-{int(container.id[:8], 16)}"
        return True

    async def next_exits(self, interrupt: asyncio.Event) -> list[Container]:
        """Wait until containers exit, and take note of their exit codes; none where the interrupt came first."""
        interrupted = asyncio.create_task(interrupt.wait())
        exits = {running.exited: container for container, running in self._running.items()}
        try:
            await asyncio.wait({interrupted, *exits}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            interrupted.cancel()
        ended = [container for exited, container in exits.items() if exited.done()]
        for container in ended:
            self._note_exit(container, self._running[container].exited.result())
        return ended

    async def stop(self) -> None:
        """Stop what still runs, all at the same time: SIGTERM, and SIGKILL after each container's stopTimeout."""
        await self._end(lambda container, running: running.stop(self._grace(container)))

    async def kill(self) -> None:
        """Kill what still runs."""
        await self._end(lambda _, running: running.kill())

    async def _end(self, how: Callable[[Container, Process], Coroutine[Any, Any, int]]) -> None:
        running = dict(self._running)
        codes = await asyncio.gather(*(how(container, it) for container, it in running.items()))
        for container, code in zip(running, codes, strict=True):
            self._note_exit(container, code)

    async def _grace(self, container: Container) -> None:
        clock = self._world.clock
        seconds = container.definition.get("stopTimeout", _STOP_SECONDS)
        await clock.sleep_until(clock.now() + dt.timedelta(seconds=seconds))

    def thresholds(self) -> dict[int, int]:
        """Give the bytes from which on each of its sessions is worth an exact look (`memory.Sampled`)."""
        share = self._task_bytes() // len(self._task.containers)
        return {it.session: min(share, self._most_bytes(container)) for container, it in self._running.items()}

    def sampled(self, usage: Mapping[int, int]) -> None:
        """Kill the containers that take more than they may (`memory.Sampled`)."""
        taken = {container: usage[it.session] for container, it in self._running.items() if it.session in usage}
        most = {container: self._most_bytes(container) for container in taken}
        for container in memory.too_greedy(taken, most, self._task_bytes()):
            container.reason = _KILLED
            self._running[container].send_kill()

    def _task_bytes(self) -> int:
        return int(self._task.launch.memory) * _MIB

    def _most_bytes(self, container: Container) -> int:
        override = command.override_of(self._task, container)
        most = override.get("memory") or container.definition.get("memory")
        return int(most) * _MIB if most else self._task_bytes()

    def _note_exit(self, container: Container, code: int) -> None:
        container.last_status, container.exit_code = "STOPPED", code
        if container.reason == _KILLED and code != _SIGKILLED:
            container.reason = None  # it ended by itself, just before
        self._running.pop(container, None)
