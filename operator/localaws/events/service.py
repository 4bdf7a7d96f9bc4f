"""The operations of EventBridge on rules with patterns, and the way of an event through them.

Knows the default bus of each region. Scheduled rules, other buses and targets other than SQS are refused.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from localaws.contract import AwsError, Call, Params
from localaws.events import rule
from localaws.events.delivery import Delivery, Mail, deliveries
from localaws.events.entry import envelope, is_default, refuse
from localaws.events.rule import Rule

PAGE = 100


class EventsWorld(Mail, Protocol):
    """What EventBridge needs of the world."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> object:
        """Run work in the background."""


class EventsService:
    """`contract.Service` for EventBridge."""

    name = "events"

    def __init__(self, world: EventsWorld) -> None:
        self._world = world
        self._rules: dict[str, dict[str, Rule]] = {}
        self._operations: dict[str, Callable[[Call], Awaitable[Params]]] = {
            "PutRule": self._put_rule,
            "DescribeRule": self._describe_rule,
            "ListRules": self._list_rules,
            "ListRuleNamesByTarget": self._list_rule_names_by_target,
            "EnableRule": self._enable_rule,
            "DisableRule": self._disable_rule,
            "DeleteRule": self._delete_rule,
            "PutTargets": self._put_targets,
            "RemoveTargets": self._remove_targets,
            "ListTargetsByRule": self._list_targets_by_rule,
            "TagResource": self._tag_resource,
            "UntagResource": self._untag_resource,
            "ListTagsForResource": self._list_tags_for_resource,
            "PutEvents": self._put_events,
        }

    async def start(self) -> None:
        """Nothing runs by itself: events come from outside."""

    async def stop(self) -> None:
        """Nothing to end: deliveries belong to the world."""

    async def handle(self, call: Call) -> Params:
        """Answer one call; see `contract.Service`."""
        operation = self._operations.get(call.operation)
        if operation is None:
            raise AwsError("UnknownOperationException", f"localaws does not have {call.operation} of EventBridge")
        return await operation(call)

    def receive(self, region: str, event: Params) -> None:
        """Take an event (the whole envelope) and send it to the targets of every enabled rule that it matches."""
        for matched in self._in(region).values():
            if matched.enabled and matched.match(event):
                matched.triggered += 1
                for delivery in deliveries(matched, event):
                    self._world.spawn(self._deliver(matched, delivery))

    def counts(self) -> list[dict[str, Any]]:
        """What CloudWatch would count, by rule."""
        return [
            {
                "arn": known.arn,
                "triggeredRules": known.triggered,
                "invocations": known.invocations,
                "failedInvocations": known.failed,
            }
            for rules in self._rules.values()
            for known in rules.values()
        ]

    async def _deliver(self, matched: Rule, delivery: Delivery) -> None:
        delivered = await delivery.run(self._world)
        matched.invocations += 1
        matched.failed += not delivered

    async def _put_rule(self, call: Call) -> Params:
        settings, match = rule.settings(call.params)
        rules, name = self._bus(call), call.params["Name"]
        known = rules.get(name)
        if known is not None:  # tags of an update are ignored; TagResource changes them
            known.settings, known.match = settings, match
            return {"RuleArn": known.arn}
        if len(rules) >= rule.MOST_RULES:
            raise rule.limit_exceeded()
        arn = f"arn:aws:events:{call.region}:{call.account}:rule/{name}"
        tags = rule.tags_of(call.params.get("Tags", []))
        rules[name] = Rule(name=name, arn=arn, settings=settings, match=match, tags=tags)
        return {"RuleArn": arn}

    async def _describe_rule(self, call: Call) -> Params:
        return self._rule(call, "Name").summary(call.account)

    async def _list_rules(self, call: Call) -> Params:
        prefix = call.params.get("NamePrefix", "")
        names = [name for name in self._bus(call) if name.startswith(prefix)]
        shown, token = _page(names, call.params)
        return {"Rules": [self._bus(call)[name].summary(call.account) for name in shown], **token}

    async def _list_rule_names_by_target(self, call: Call) -> Params:
        arn = call.params["TargetArn"]
        found = [
            name for name, known in self._bus(call).items() if any(t["Arn"] == arn for t in known.targets.values())
        ]
        shown, token = _page(found, call.params)
        return {"RuleNames": shown, **token}

    async def _enable_rule(self, call: Call) -> Params:
        self._rule(call, "Name").settings["State"] = "ENABLED"
        return {}

    async def _disable_rule(self, call: Call) -> Params:
        self._rule(call, "Name").settings["State"] = rule.DISABLED
        return {}

    async def _delete_rule(self, call: Call) -> Params:
        known = self._bus(call).get(call.params["Name"])
        if known is not None:
            known.check_can_be_deleted()
            del self._bus(call)[known.name]
        return {}

    async def _put_targets(self, call: Call) -> Params:
        known = self._rule(call, "Rule")
        wanted = {target["Id"]: target for target in call.params["Targets"]}
        for target in wanted.values():
            rule.check_target(target)
        if len(known.targets.keys() | wanted.keys()) > rule.MOST_TARGETS:
            raise rule.limit_exceeded()
        known.targets.update(wanted)
        return {"FailedEntryCount": 0, "FailedEntries": []}

    async def _remove_targets(self, call: Call) -> Params:
        known = self._rule(call, "Rule")
        for target_id in call.params["Ids"]:
            known.targets.pop(target_id, None)
        return {"FailedEntryCount": 0, "FailedEntries": []}

    async def _list_targets_by_rule(self, call: Call) -> Params:
        known = self._rule(call, "Rule")
        shown, token = _page(list(known.targets), call.params)
        return {"Targets": [known.targets[target_id] for target_id in shown], **token}

    async def _tag_resource(self, call: Call) -> Params:
        known = self._tagged(call)
        given = rule.tags_of(call.params["Tags"])
        if len(known.tags.keys() | given.keys()) > rule.MOST_TAGS:
            raise rule.limit_exceeded()
        known.tags.update(given)
        return {}

    async def _untag_resource(self, call: Call) -> Params:
        known = self._tagged(call)
        for key in call.params["TagKeys"]:
            known.tags.pop(key, None)
        return {}

    async def _list_tags_for_resource(self, call: Call) -> Params:
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._tagged(call).tags.items()]}

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

    def _in(self, region: str) -> dict[str, Rule]:
        return self._rules.setdefault(region, {})

    def _bus(self, call: Call) -> dict[str, Rule]:
        bus = call.params.get("EventBusName", "default")
        if not is_default(bus):
            raise AwsError("ResourceNotFoundException", f"Event bus {bus} does not exist.")
        return self._in(call.region)

    def _rule(self, call: Call, member: str) -> Rule:
        name = call.params[member]
        known = self._bus(call).get(name)
        if known is None:
            raise AwsError("ResourceNotFoundException", f"Rule {name} does not exist on EventBus default.")
        return known

    def _tagged(self, call: Call) -> Rule:
        arn = call.params["ResourceARN"]
        known = self._in(call.region).get(arn.rpartition("/")[2])
        if known is None or known.arn != arn:
            raise AwsError("ResourceNotFoundException", f"Resource {arn} does not exist.")
        return known


def _page(names: list[str], params: Params) -> tuple[list[str], Params]:
    """The names of the page that a token asks for, and the next token as a member; a token is the last name told."""
    after = ""
    if "NextToken" in params:
        try:
            after = base64.urlsafe_b64decode(params["NextToken"]).decode()
        except (binascii.Error, ValueError) as e:
            raise rule.invalid("The NextToken is not valid.") from e
    rest = sorted(name for name in names if name > after)
    most = params.get("Limit", PAGE)
    shown = rest[:most]
    if len(rest) <= most:
        return shown, {}
    return shown, {"NextToken": base64.urlsafe_b64encode(shown[-1].encode()).decode()}
