"""Faults that a test asks for: rules that make calls fail, wait, or lose their answer.

Knows which calls a rule means and how often; what a fault does to a call is in `passage`.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from localaws.standing import Standing

ANY = "*"

_Choice = TypeVar("_Choice", bound=enum.StrEnum)


class Action(enum.StrEnum):
    """What happens to a call that a rule matches."""

    ERROR = "error"
    """It is answered with the rule's code, message and status, and has no effect."""
    HOLD = "hold"
    """It waits until the rule is removed, then goes on."""
    DELAY = "delay"
    """It waits for the rule's real seconds, then goes on."""
    THROTTLE = "throttle"
    """It is refused as the service refuses whoever asks too often, and has no effect."""
    DROP_BEFORE = "drop-before"
    """Its connection is cut and it has no effect."""
    DROP_AFTER = "drop-after"
    """It has its effect and then its connection is cut."""


class WhenGone(enum.StrEnum):
    """What becomes of a held call whose client is gone."""

    PROCEED = "proceed"
    DROP = "drop"


@dataclass(slots=True, kw_only=True)
class Rule:
    """One fault. `skip` matching calls pass first, then `times` are hit (None: all)."""

    id: str
    action: Action
    service: str = ANY
    operation: str = ANY
    principal: str = ANY
    code: str = "InternalFailure"
    message: str = "injected by a fault rule"
    status: int = 500
    seconds: float = 0.0
    times: int | None = None
    skip: int = 0
    when_gone: WhenGone = WhenGone.PROCEED
    hits: int = 0
    removed: asyncio.Event = field(default_factory=asyncio.Event)

    def means(self, service: str, operation: str, principal: str) -> bool:
        """Whether a call is one of those that the rule is about."""
        return (
            self.service in (ANY, service) and self.operation in (ANY, operation) and self.principal in (ANY, principal)
        )

    def as_json(self) -> dict[str, Any]:
        """The rule as `/_localaws/faults` answers it; `times` and `skip` are what is left of them."""
        return {
            "id": self.id,
            "action": self.action,
            "service": self.service,
            "operation": self.operation,
            "principal": self.principal,
            "code": self.code,
            "message": self.message,
            "status": self.status,
            "seconds": self.seconds,
            "times": self.times,
            "skip": self.skip,
            "when_gone": self.when_gone,
            "hits": self.hits,
        }


class Faults:
    """The rules in force, in the order they were set; the first that means a call and is not used up hits it."""

    def __init__(self) -> None:
        self._rules: Standing[Rule] = Standing("fault")

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def add(self, wanted: dict[str, Any]) -> Rule:
        """Set a rule from JSON.

        Raises:
            ValueError: a member is unknown, missing or wrong; the text says which.
        """
        return self._rules.set(parse_rule({"id": self._rules.new_id(), **wanted}))

    def remove(self, rule_id: str) -> bool:
        """Remove a rule and let go what it holds; whether it was there."""
        rule = self._rules.take_back(rule_id)
        if rule is not None:
            rule.removed.set()
        return rule is not None

    def clear(self) -> None:
        """Remove all rules."""
        for rule in self:
            self.remove(rule.id)

    def hit(self, service: str, operation: str, principal: str) -> Rule | None:
        """The rule that hits this call, which then counts as hit; None where it passes unharmed."""
        return self._rules.first(lambda rule: rule.means(service, operation, principal))


_STRINGS = ("id", "service", "operation", "principal", "code", "message")
_COUNTS = ("times", "skip", "status")
_ERRORS = range(400, 600)
_LONGEST = 86_400
_MEMBERS = frozenset({*_STRINGS, *_COUNTS, "action", "seconds", "when_gone"})


def parse_rule(wanted: dict[str, Any]) -> Rule:
    """Read a rule from JSON.

    Raises:
        ValueError: a member is unknown, missing or wrong; the text says which.
    """
    unknown = sorted(wanted.keys() - _MEMBERS)
    if unknown:
        raise ValueError(f"a fault has no {unknown[0]!r}; it has {', '.join(sorted(_MEMBERS))}")
    for name in _STRINGS:
        if name in wanted and (not isinstance(wanted[name], str) or not wanted[name]):
            raise ValueError(f"{name!r} must be a non-empty string")
    for name in _COUNTS:
        if wanted.get(name) is not None and (type(wanted[name]) is not int or wanted[name] < 0):
            raise ValueError(f"{name!r} must be a whole number, not below 0")
    if wanted.get("status") is not None and wanted["status"] not in _ERRORS:
        raise ValueError(f"'status' must be that of an error, from {_ERRORS.start} to {_ERRORS.stop - 1}")
    seconds = wanted.get("seconds", 0)
    if type(seconds) not in (int, float) or not 0 <= seconds <= _LONGEST:
        raise ValueError(f"'seconds' must be a number from 0 to {_LONGEST}")
    action = _one_of(Action, "action", wanted.get("action"))
    when_gone = _one_of(WhenGone, "when_gone", wanted.get("when_gone", WhenGone.PROCEED))
    given = {name: value for name, value in wanted.items() if value is not None}
    return Rule(**{**given, "action": action, "when_gone": when_gone})


def _one_of(kind: type[_Choice], name: str, value: object) -> _Choice:
    for choice in kind:
        if value == choice:
            return choice
    raise ValueError(f"{name!r} must be one of {', '.join(kind)}")
