"""Which services are localaws' own."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from localaws.contract import Service
from localaws.world import World


def _factories() -> list[Callable[[World], Service]]:
    found = []
    for module, name in (("ecs", "EcsService"), ("scheduler", "SchedulerService"), ("events", "EventsService")):
        try:
            factory = getattr(importlib.import_module(f"localaws.{module}"), name, None)
        except ImportError:
            factory = None
        if factory is not None:
            found.append(factory)
    return found


FACTORIES: list[Callable[[World], Service]] = _factories()
