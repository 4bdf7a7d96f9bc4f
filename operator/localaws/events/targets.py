"""The operations on the targets of rules.

Knows that a call can succeed in part: what failed stands in its answer, with HTTP 200.
"""

from __future__ import annotations

from localaws.contract import Call, Params, World
from localaws.events.bus import Buses, page
from localaws.events.refusals import invalid
from localaws.events.target import PRINCIPAL, read_target
from localaws.triggers.trust import trust_policy, trusts

_MOST_ENTRIES = 10
_CONCURRENT = "ConcurrentModificationException"


class Targets:
    """PutTargets, RemoveTargets, ListTargetsByRule and ListRuleNamesByTarget.

    `failing` is how many further entries of PutTargets and RemoveTargets fail by themselves. Documented: API: both "can
    partially fail if too many requests are made at the same time"; here that happens when a test asks for it.
    """

    def __init__(self, world: World, buses: Buses) -> None:
        self.failing = 0
        self._world = world
        self._buses = buses

    async def put(self, call: Call) -> Params:
        """PutTargets: targets of the same id are replaced. Reported: an entry that makes no sense refuses the call."""
        _check_length(call.params["Targets"], "targets")
        wanted = [read_target(target) for target in call.params["Targets"]]
        for role in {target.params["RoleArn"] for target in wanted if "RoleArn" in target.params}:
            await self._require_assumable(role, call)
        known = self._buses.rule(call, "Rule")
        known.check_room_for(target.params["Id"] for target in wanted)
        failed = self._failed([target.params["Id"] for target in wanted])
        known.targets.update({id_: target for target in wanted if (id_ := target.params["Id"]) not in failed})
        return _answer(failed)

    async def remove(self, call: Call) -> Params:
        """RemoveTargets. Assumed: an id that is not there fails by itself, and the wording."""
        _check_length(call.params["Ids"], "ids")
        known = self._buses.rule(call, "Rule")
        failed = self._failed(call.params["Ids"])
        for target_id in dict.fromkeys(call.params["Ids"]):
            if target_id in failed:
                continue
            if known.targets.pop(target_id, None) is None:
                message = f"Rule {known.name} does not have the target {target_id}."
                failed[target_id] = ("ResourceNotFoundException", message)
        return _answer(failed)

    async def of_rule(self, call: Call) -> Params:
        """ListTargetsByRule, by id."""
        known = self._buses.rule(call, "Rule")
        shown, token = page(list(known.targets), call.params)
        return {"Targets": [known.targets[target_id].params for target_id in shown], **token}

    async def rule_names(self, call: Call) -> Params:
        """ListRuleNamesByTarget, by name."""
        arn, rules = call.params["TargetArn"], self._buses.named(call).values()
        found = [rule.name for rule in rules if any(target.params["Arn"] == arn for target in rule.targets.values())]
        shown, token = page(found, call.params)
        return {"RuleNames": shown, **token}

    def _failed(self, ids: list[str]) -> dict[str, tuple[str, str]]:
        """The entries that fail by themselves: by id, code and message."""
        hit = ids[: self.failing]
        self.failing -= len(hit)
        return dict.fromkeys(hit, (_CONCURRENT, "Too many requests were made at the same time."))

    async def _require_assumable(self, role: str, call: Call) -> None:
        # Reported: the wording. Documented: User Guide, "Identity-based policies": events.amazonaws.com is trusted.
        rule = f"arn:aws:events:{call.region}:{call.account}:rule/{call.params['Rule']}"
        policy = await trust_policy(self._world, role, PRINCIPAL)
        if policy is None or not trusts(policy, PRINCIPAL, rule):
            raise invalid(f"Provided role '{role}' cannot be assumed by principal '{PRINCIPAL}'.")


def _check_length(entries: list[object], name: str) -> None:
    # Documented: API, "the maximum number of entries per request is 10"; assumed: the wording.
    if len(entries) > _MOST_ENTRIES:
        raise invalid(
            f"1 validation error detected: Value at '{name}' failed to satisfy constraint: "
            f"Member must have length less than or equal to {_MOST_ENTRIES}"
        )


def _answer(failed: dict[str, tuple[str, str]]) -> Params:
    entries = [
        {"TargetId": target_id, "ErrorCode": code, "ErrorMessage": message}
        for target_id, (code, message) in failed.items()
    ]
    return {"FailedEntryCount": len(entries), "FailedEntries": entries}
