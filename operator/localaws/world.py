"""The world that localaws' services act on: clock, journal, faults, the services themselves, and moto behind them.

Knows how a call finds its service and what it passes on the way; nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localaws import api, cloudwatch
from localaws.background import Background
from localaws.clock import VirtualClock
from localaws.contract import INSIDE, AwsError, Call, Caller, Clock, Params, Service
from localaws.emission import Emission, Habits
from localaws.events import EventsService
from localaws.events.policy import Access, allows
from localaws.faults import Faults
from localaws.journal import Journal
from localaws.moto_bridge import Moto
from localaws.passage import Dropped, Passage
from localaws.sqs import SqsService
from localaws.throttles import Throttles


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a world is started with. `images` maps an image to the command that stands for its entry point."""

    account: str = "123456789012"
    region: str = "eu-west-1"
    rate: float = 1.0
    images: Mapping[str, Sequence[str]] = field(default_factory=dict)


class World:
    """`contract.World`, and what the server needs to run and reset it.

    `images` is what a container runs whose definition names no command: image → command, or None where the image cannot
    be pulled. Tests change it over HTTP.
    """

    def __init__(self, settings: Settings, factories: Sequence[Callable[[World], Service]]) -> None:
        self.account = settings.account
        self.region = settings.region
        self.background = Background(stirs=self._stirs, busy=self._busy)
        self.virtual_clock = VirtualClock(rate=settings.rate, settle=self.background.settle)
        self.clock: Clock = self.virtual_clock
        self.moto = Moto(settings.account, self.clock)
        self.journal = Journal()
        self.faults = Faults()
        self.throttles = Throttles(self.clock)
        self.passage = Passage(self.clock, self.journal, self.faults, self.throttles)
        self.emission = Emission(self.clock, self.spawn, self._receive)
        self._settings = settings
        self._factories = factories
        self._calls = 0
        self._resetting = asyncio.Lock()
        self._populate()

    def _populate(self) -> None:
        self.images: dict[str, list[str] | None] = {image: list(it) for image, it in self._settings.images.items()}
        self.events = EventsService(self)
        self.queues = SqsService(self)
        services: list[Service] = [self.events, self.queues, *(factory(self) for factory in self._factories)]
        self.services: dict[str, Service] = {service.name: service for service in services}

    async def start(self) -> None:
        """Start moto and all services."""
        await self.moto.start()
        await self._start_services()

    async def stop(self) -> None:
        """End all services, all processes that they started and all work in the background."""
        await self._stop_services()
        await self.moto.stop()

    async def reset(self) -> None:
        """Begin anew: no resources, no journal, no faults, real time, as if just started.

        Calls that are under way are dropped; those that come meanwhile wait (`ready`).
        """
        async with self._resetting:
            await self._begin_anew()

    async def ready(self) -> None:
        """Wait for the end of a reset that is under way."""
        if self._resetting.locked():
            async with self._resetting:
                return

    async def _begin_anew(self) -> None:
        self.passage.begin_anew()
        self.faults.clear()
        await self._stop_services()
        self.throttles.put(())
        self.emission.be(Habits())
        self.journal.clear()
        self.virtual_clock.reset(self._settings.rate)
        await self.moto.reset()
        self._populate()
        await self._start_services()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` in the background until it ends or the server stops; its exceptions are logged, never lost."""
        return self.background.spawn(work)

    def emit(self, region: str, event: Params) -> None:
        """Hand an EventBridge event (the whole envelope) to the default bus of a region."""
        self.emission.emit(region, event)

    def _receive(self, region: str, event: Params) -> None:
        self.events.receive(region, event)  # whichever service of events the last reset has made

    async def call(self, service: str, operation: str, params: Params, *, region: str, principal: str) -> Params:
        """Call an operation of any service, own or moto's, as if it came over the wire: validated, faulted, journaled.

        Raises:
            AwsError: what the service answered; a fault that cuts the connection is a RequestTimeout.
        """
        arrived = time.monotonic()

        async def effect() -> Params:
            if service not in self.services:
                return await self.moto.call(service, operation, params, region)
            known = api.load(service).operation(operation)
            return await self.serve(known, params, region=region, principal=principal, arrived=arrived)

        return await self._pass(service, operation, params, region=region, principal=principal, effect=effect)

    async def serve(
        self,
        operation: api.Operation,
        raw: Params,
        *,
        region: str,
        principal: str = "client",
        caller: Caller = INSIDE,
        arrived: float = math.inf,
    ) -> Params:
        """Let an own service answer: read and validate `raw`, then handle it; the rest is as in `contract.Call`.

        Raises:
            AwsError: what AWS would answer.
        """
        call = Call(
            service=operation.service,
            operation=operation.name,
            params=operation.read(raw),
            region=region,
            account=self.account,
            principal=principal,
            caller=caller,
            arrived=arrived,
        )
        return await self.services[operation.service].handle(call)

    async def send_message(
        self,
        queue_arn: str,
        body: str,
        attributes: Mapping[str, str] | None = None,
        *,
        principal: str,
        source_arn: str = "",
        group: str = "",
    ) -> None:
        """Send a message to a queue, with string attributes; to a FIFO queue in a message group.

        With a `source_arn` the queue's resource policy has to let the principal do so on behalf of that resource.

        Raises:
            AwsError: AccessDenied, or what SQS answered.
        """
        region, account, name = queue_arn.split(":")[3:6]
        params: Params = {"QueueUrl": f"https://sqs.{region}.amazonaws.com/{account}/{name}", "MessageBody": body}
        if attributes:
            params["MessageAttributes"] = {k: {"DataType": "String", "StringValue": v} for k, v in attributes.items()}
        if group:
            params["MessageGroupId"] = group

        async def effect() -> Params:
            if source_arn and not self._may_send(queue_arn, principal, source_arn):
                raise AwsError("AccessDenied", f"Access to {queue_arn} is denied for {principal}", status=403)
            send = api.load("sqs").operation("SendMessage")
            return await self.serve(send, params, region=region, principal=principal)

        await self._pass("sqs", "SendMessage", params, region=region, principal=principal, effect=effect)

    async def write_log(self, region: str, group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
        """Append `(epoch milliseconds, message)` lines to a CloudWatch Logs stream, which is created if missing.

        Raises:
            AwsError: ResourceNotFoundException where the group does not exist.
        """

        async def call(operation: str, params: Params) -> Params:
            return await self.call("logs", operation, params, region=region, principal="ecs-tasks.amazonaws.com")

        await cloudwatch.append(call, group, stream, lines)

    async def _pass(
        self,
        service: str,
        operation: str,
        params: Params,
        *,
        region: str,
        principal: str,
        effect: Callable[[], Coroutine[Any, Any, Params]],
    ) -> Params:
        self._calls += 1
        entry = self.passage.arrive(
            service=service,
            operation=operation,
            region=region,
            principal=principal,
            params=json.dumps(params, default=str).encode(),
        )
        try:
            return await self.passage.take(entry, effect)
        except Dropped:
            raise AwsError("RequestTimeout", f"{service} did not answer", status=503) from None

    def _may_send(self, queue_arn: str, principal: str, source_arn: str) -> bool:
        region, _, name = queue_arn.split(":")[3:6]
        wanted = {"service": principal, "action": "sqs:SendMessage", "resource": queue_arn}
        access = Access(**wanted, source_arn=source_arn, source_account=self.account)
        return allows(self.queues.policy(region, name), access)

    def _stirs(self) -> int:
        return self.virtual_clock.changes + self._calls

    def _busy(self) -> bool:
        return self.moto.under_way > 0

    async def _start_services(self) -> None:
        for service in self.services.values():
            await service.start()

    async def _stop_services(self) -> None:
        for service in self.services.values():
            await service.stop()
        await self.background.cancel()
