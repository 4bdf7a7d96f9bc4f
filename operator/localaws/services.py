"""Which services are localaws' own, besides EventBridge and SQS, which the world itself sends through."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from localaws.contract import Service
from localaws.ecs import EcsService
from localaws.scheduler import SchedulerService
from localaws.world import World


def _ecs(world: World) -> Service:
    return EcsService(world, throttles=world.throttles)


FACTORIES: Sequence[Callable[[World], Service]] = (_ecs, SchedulerService)
