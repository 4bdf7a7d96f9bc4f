"""EventBridge as one of localaws' services: operations to methods, and the way of an event to the rules.

Knows the default bus of each region. Other buses, and targets other than SQS queues and ECS clusters, are refused.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from localaws.contract import AwsError, Call, Params, World
from localaws.events.bus import Buses
from localaws.events.entry import envelope, refuse
from localaws.events.pattern import InvalidPatternError, compile_pattern
from localaws.events.refusals import invalid
from localaws.events.rules import Rules
from localaws.events.running import Running, RunningWorld
from localaws.events.targets import Targets
from localaws.triggers.lapses import parse_lapses

_EVENT_MEMBERS = ("account", "detail-type", "id", "region", "resources", "source", "time")
_FAILING = "failing-entries"


class EventsWorld(World, RunningWorld, Protocol):
    """What EventBridge needs of the world."""


class EventsService:
    """`contract.Service` for EventBridge."""

    name = "events"

    def __init__(self, world: EventsWorld) -> None:
        self._world = world
        self._buses = Buses()
        self._running = Running(world)
        rules = Rules(world, self._buses, self._running)
        self._targets = Targets(world, self._buses)
        self._operations: dict[str, Callable[[Call], Awaitable[Params]]] = {
            "PutRule": rules.put,
            "DescribeRule": rules.describe,
            "ListRules": rules.list,
            "EnableRule": rules.enable,
            "DisableRule": rules.disable,
            "DeleteRule": rules.delete,
            "TagResource": rules.tag,
            "UntagResource": rules.untag,
            "ListTagsForResource": rules.tags,
            "PutTargets": self._targets.put,
            "RemoveTargets": self._targets.remove,
            "ListTargetsByRule": self._targets.of_rule,
            "ListRuleNamesByTarget": self._targets.rule_names,
            "PutEvents": self._put_events,
            "TestEventPattern": self._test_pattern,
        }

    async def start(self) -> None:
        """Nothing runs before the first rule."""

    async def stop(self) -> None:
        """Nothing to end: timers and deliveries belong to the world."""

    async def handle(self, call: Call) -> Params:
        """Answer one call; see `contract.Service`."""
        operation = self._operations.get(call.operation)
        if operation is None:
            raise AwsError("UnknownOperationException", f"localaws does not have {call.operation} of EventBridge")
        return await operation(call)

    def receive(self, region: str, event: Params) -> None:
        """Take an event (the whole envelope) and send it to the targets of every enabled rule that it matches."""
        self._running.receive(self._buses.of(region).values(), event)

    def counts(self) -> list[dict[str, Any]]:
        """What CloudWatch would count, by rule."""
        return [rule.counts() for rule in self._buses]

    def firing(self) -> Params:
        """How rules fire, as `drive` takes it."""
        return {**self._running.lapses.as_json(), _FAILING: self._targets.failing}

    def drive(self, wanted: Params) -> None:
        """Set which rules run twice or late, and how many further entries of PutTargets and RemoveTargets fail.

        Raises:
            ValueError: what is wanted makes no sense; the text says what to change.
        """
        failing = wanted.get(_FAILING, 0)
        if type(failing) is not int or failing < 0:
            raise ValueError(f"{_FAILING!r} must be a whole number, not below 0")
        self._running.lapses = parse_lapses({name: value for name, value in wanted.items() if name != _FAILING})
        self._targets.failing = failing

    async def _put_events(self, call: Call) -> Params:
        answers = [self._put_event(call, entry) for entry in call.params["Entries"]]
        return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}

    def _put_event(self, call: Call, entry: Params) -> Params:
        refusal = refuse(entry)
        if refusal is not None:
            return refusal
        event = envelope(entry, account=call.account, region=call.region, now=self._world.clock.now())
        self.receive(call.region, event)
        return {"EventId": event["id"]}

    async def _test_pattern(self, call: Call) -> Params:
        """TestEventPattern (documented: API, the members that an event must have; assumed: the wording)."""
        try:
            match = compile_pattern(call.params["EventPattern"])
        except InvalidPatternError as e:
            raise AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {e}") from e
        try:
            event = json.loads(call.params["Event"])
        except ValueError as e:
            raise invalid("Parameter Event is not valid. Reason: it is not JSON.") from e
        lacking = [name for name in _EVENT_MEMBERS if not isinstance(event, dict) or name not in event]
        if lacking:
            raise invalid(f"Parameter Event is not valid. Reason: it lacks {', '.join(lacking)}.")
        return {"Result": match(event)}
