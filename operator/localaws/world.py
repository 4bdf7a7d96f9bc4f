"""The world that localaws' services act on: clock, journal, faults, the services themselves, and moto behind them.

Knows how a call finds its service and what it passes on the way; nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localaws import api
from localaws.clock import QUIET_TURNS, VirtualClock
from localaws.contract import AwsError, Call, Params, Service
from localaws.faults import Faults
from localaws.journal import Journal
from localaws.moto_bridge import Moto
from localaws.passage import Dropped, Passage

LONGEST_SETTLING = 2.0
"""Real seconds after which an advance of the clock goes on although something still stirs."""

LOG_BATCH = 10_000
"""PutLogEvents takes at most so many events (CloudWatch Logs API Reference)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a world is started with. `images` maps an image to the command that stands for its entry point."""

    account: str = "123456789012"
    region: str = "eu-west-1"
    rate: float = 1.0
    images: Mapping[str, Sequence[str]] = field(default_factory=dict)


class World:
    """`contract.World`, and what the server needs to run and reset it.

    `images` is what a container runs whose definition names no command: image → command. Tests change it over HTTP.
    """

    def __init__(self, settings: Settings, factories: Sequence[Callable[[World], Service]]) -> None:
        self.account = settings.account
        self.region = settings.region
        self.clock = VirtualClock(rate=settings.rate, settle=self._settle)
        self.journal = Journal()
        self.faults = Faults()
        self.passage = Passage(self.clock, self.journal, self.faults)
        self.moto = Moto(settings.account, self.clock)
        self.images: dict[str, list[str]] = {}
        self.services: dict[str, Service] = {}
        self._settings = settings
        self._factories = factories
        self._work: set[asyncio.Task[None]] = set()
        self._stirred = 0
        self._populate()

    async def start(self) -> None:
        """Start moto and all services."""
        await self.moto.start()
        for service in self.services.values():
            await service.start()

    async def stop(self) -> None:
        """End all services, all processes that they started and all work in the background."""
        await self._stop_services()
        await self.moto.stop()

    async def reset(self) -> None:
        """Begin anew: no resources, no journal, no faults, real time, as if just started."""
        await self._stop_services()
        self.faults.clear()
        self.journal.clear()
        self.clock.reset(self._settings.rate)
        await self.moto.reset()
        self._populate()
        for service in self.services.values():
            await service.start()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` in the background until it ends or the server stops; its exceptions are logged, never lost."""
        self._stirred += 1
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._ended)
        return task

    def emit(self, region: str, event: Params) -> None:
        """Hand an EventBridge event (the whole envelope) to the default bus of a region."""
        events = self.services.get("events")
        if events is not None:
            events.receive(region, event)  # type: ignore[attr-defined]  # the one service with an entrance for events

    async def call(self, service: str, operation: str, params: Params, *, region: str, principal: str) -> Params:
        """Call an operation of any service, own or moto's, as if it came over the wire: validated, faulted, journaled.

        Raises:
            AwsError: what the service answered; a fault that cuts the connection is a RequestTimeout.
        """
        self._stirred += 1
        text = json.dumps(params, default=str).encode()
        entry = self.passage.arrive(
            service=service, operation=operation, region=region, principal=principal, params=text
        )
        try:
            return await self.passage.take(
                entry, lambda: self._effect(service, operation, params, region=region, principal=principal)
            )
        except Dropped:
            raise AwsError("RequestTimeout", f"{service} did not answer", status=503) from None

    async def serve(self, operation: api.Operation, raw: Params, *, region: str, principal: str = "client") -> Params:
        """Let an own service answer: read and validate `raw`, then handle it.

        Raises:
            AwsError: what AWS would answer.
        """
        service = self.services[operation.service]
        call = Call(
            service=operation.service,
            operation=operation.name,
            params=operation.read(raw),
            region=region,
            account=self.account,
            principal=principal,
        )
        return await service.handle(call)

    async def write_log(self, region: str, group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
        """Append `(epoch milliseconds, message)` lines to a CloudWatch Logs stream, which is created if missing.

        Empty lines are left out, as the awslogs driver does: Logs takes no empty message.

        Raises:
            AwsError: ResourceNotFoundException where the group does not exist.
        """
        events = sorted(({"timestamp": at, "message": text} for at, text in lines if text), key=_timestamp)
        where = {"logGroupName": group, "logStreamName": stream}
        for start in range(0, len(events), LOG_BATCH):
            batch = {**where, "logEvents": events[start : start + LOG_BATCH]}
            try:
                await self._log_call("PutLogEvents", batch, region)
            except AwsError as e:
                if e.code != "ResourceNotFoundException":
                    raise
                await self._log_call("CreateLogStream", where, region)
                await self._log_call("PutLogEvents", batch, region)

    async def _log_call(self, operation: str, params: Params, region: str) -> Params:
        return await self.call("logs", operation, params, region=region, principal="ecs-tasks.amazonaws.com")

    async def _effect(self, service: str, operation: str, params: Params, *, region: str, principal: str) -> Params:
        if service in self.services:
            known = api.load(service).operation(operation)
            return await self.serve(known, params, region=region, principal=principal)
        return await self.moto.call(service, operation, params, region)

    def _populate(self) -> None:
        self.images = {image: list(command) for image, command in self._settings.images.items()}
        services = [factory(self) for factory in self._factories]
        self.services = {service.name: service for service in services}

    async def _stop_services(self) -> None:
        for service in self.services.values():
            await service.stop()
        work = list(self._work)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._stirred += 1
        self._work.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("work in the background failed", exc_info=error)

    async def _settle(self) -> None:
        """Wait until nothing has stirred for some turns of the loop: no call, no new or ended work, no sleeper, no moto."""
        end = time.monotonic() + LONGEST_SETTLING
        quiet, before = 0, -1
        while quiet < QUIET_TURNS and time.monotonic() < end:
            await asyncio.sleep(0.001 if self.moto.under_way else 0)
            now = self._stirred + self.clock.changes
            quiet = 0 if self.moto.under_way or now != before else quiet + 1
            before = now


def _timestamp(event: Params) -> int:
    return int(event["timestamp"])
