"""The operations on rules and their tags."""

from __future__ import annotations

from localaws.contract import Call, Params
from localaws.events.bus import Buses, page
from localaws.events.rule import DISABLED, check_room, read_rule
from localaws.events.running import Running, RunningWorld


class Rules:
    """PutRule, DescribeRule, ListRules, EnableRule, DisableRule, DeleteRule, and three on tags."""

    def __init__(self, world: RunningWorld, buses: Buses, running: Running) -> None:
        self._world = world
        self._buses = buses
        self._running = running

    async def put(self, call: Call) -> Params:
        """PutRule: all settings are replaced, targets stay, and tags of an update are ignored (documented: API)."""
        arn = f"arn:aws:events:{call.region}:{call.account}:rule/{call.params['Name']}"
        wanted = read_rule(call.params, arn=arn, now=self._world.clock.now())
        rules = self._buses.named(call)
        known = rules.get(wanted.name)
        if known is None:
            check_room(len(rules), call.region)
            wanted.tag(call.params.get("Tags", []))
            rules[wanted.name] = known = wanted
        elif wanted.schedule is not None:
            wanted.schedule = wanted.schedule.resuming(known.schedule)
        known.settings, known.match, known.schedule = wanted.settings, wanted.match, wanted.schedule
        self._running.schedule(known, call.account, call.region)
        return {"RuleArn": known.arn}

    async def describe(self, call: Call) -> Params:
        """DescribeRule."""
        return self._buses.rule(call, "Name").summary(call.account)

    async def list(self, call: Call) -> Params:
        """ListRules, by name."""
        prefix, rules = call.params.get("NamePrefix", ""), self._buses.named(call)
        shown, token = page([name for name in rules if name.startswith(prefix)], call.params)
        return {"Rules": [rules[name].summary(call.account) for name in shown], **token}

    async def enable(self, call: Call) -> Params:
        """EnableRule."""
        return self._set_state(call, "ENABLED")

    async def disable(self, call: Call) -> Params:
        """DisableRule."""
        return self._set_state(call, DISABLED)

    async def delete(self, call: Call) -> Params:
        """DeleteRule: one that is not there is no error (documented: API)."""
        known = self._buses.named(call).get(call.params["Name"])
        if known is not None:
            known.check_can_be_deleted()
            self._running.unschedule(known)
            del self._buses.named(call)[known.name]
        return {}

    async def tag(self, call: Call) -> Params:
        """TagResource."""
        self._buses.tagged(call).tag(call.params["Tags"])
        return {}

    async def untag(self, call: Call) -> Params:
        """UntagResource; a key that is not there is no error."""
        known = self._buses.tagged(call)
        for key in call.params["TagKeys"]:
            known.tags.pop(key, None)
        return {}

    async def tags(self, call: Call) -> Params:
        """ListTagsForResource."""
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._buses.tagged(call).tags.items()]}

    def _set_state(self, call: Call, state: str) -> Params:
        known = self._buses.rule(call, "Name")
        known.settings["State"] = state
        self._running.schedule(known, call.account, call.region)
        return {}
