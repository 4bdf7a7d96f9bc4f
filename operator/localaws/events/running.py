"""Rules at work: events and schedules trigger them, and what they trigger is delivered.

Knows when a rule runs and how often. Refuses to know operations and what a target is.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Coroutine, Iterable
from typing import Any, Protocol

from localaws.contract import Params
from localaws.events.delivery import Delivery
from localaws.events.rule import Rule
from localaws.events.target import Courier
from localaws.events.transformer import Occasion
from localaws.triggers.lapses import Lapses


class RunningWorld(Courier, Protocol):
    """What running rules needs of the world."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run work in the background."""


class Running:
    """The rules of all regions as far as they do something; `lapses` says which run twice or late."""

    def __init__(self, world: RunningWorld) -> None:
        self.lapses = Lapses()
        self._world = world
        self._timers: dict[str, asyncio.Task[None]] = {}

    def receive(self, rules: Iterable[Rule], event: Params) -> None:
        """Take an event (the whole envelope) and run every rule that it matches."""
        for rule in rules:
            if rule.matches(event):
                self._trigger(rule, event)

    def schedule(self, rule: Rule, account: str, region: str) -> None:
        """Take up the schedule of a rule that is new or was changed, if it has one and is enabled."""
        self.unschedule(rule)
        if rule.enabled and rule.schedule is not None:
            since = self._world.clock.now()
            self._timers[rule.arn] = self._world.spawn(self._tick(rule, since, account, region))

    def unschedule(self, rule: Rule) -> None:
        """Let go of a rule; what it triggered already is delivered."""
        timer = self._timers.pop(rule.arn, None)
        if timer is not None:
            timer.cancel()

    async def _tick(self, rule: Rule, moment: dt.datetime, account: str, region: str) -> None:
        """Trigger the rule at each of its times after a moment."""
        while rule.schedule is not None and (slot := rule.schedule.next_after(moment)) is not None:
            await self._world.clock.sleep_until(slot)
            moment = slot
            self._trigger(rule, _scheduled_event(rule, slot, account, region))

    def _trigger(self, rule: Rule, event: Params) -> None:
        occasion = Occasion(event=event, rule_arn=rule.arn, rule_name=rule.name, ingested=self._world.clock.now())
        delays = self.lapses.delays((rule.name,), str(rule.triggered))
        for delay in delays:
            rule.triggered += 1
            for target in rule.targets.values():
                delivery = Delivery(occasion=occasion, target=target)
                self._world.spawn(self._deliver(rule, delivery, occasion.ingested + delay))

    async def _deliver(self, rule: Rule, delivery: Delivery, moment: dt.datetime) -> None:
        if moment > self._world.clock.now():
            await self._world.clock.sleep_until(moment)
        delivered = await delivery.run(self._world)
        rule.invocations += 1
        rule.failed += not delivered


def _scheduled_event(rule: Rule, slot: dt.datetime, account: str, region: str) -> Params:
    """The event of a schedule (documented: EventBridge User Guide, "Scheduled events"); only its own rule gets it."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": f"{slot:%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": [rule.arn],
        "detail": {},
    }
