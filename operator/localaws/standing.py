"""Rules that tests set and take back by id, each of which passes over some things and then hits some.

Knows whose turn it is; what a rule is about, and what it does, is told by who keeps it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar


class Counting(Protocol):
    """A rule: `skip` things that it means pass first, then `times` are hit (None: all); `hits` were so far."""

    id: str
    skip: int
    times: int | None
    hits: int


_Rule = TypeVar("_Rule", bound=Counting)


class Standing(Generic[_Rule]):
    """The rules of one kind that are in force, in the order in which they were set."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._rules: dict[str, _Rule] = {}
        self._numbers = itertools.count(1)

    def __iter__(self) -> Iterator[_Rule]:
        return iter(list(self._rules.values()))

    def new_id(self) -> str:
        """An id for a rule to which a test gives none."""
        return f"{self._kind}-{next(self._numbers)}"

    def set(self, rule: _Rule) -> _Rule:
        """Put a rule in force.

        Raises:
            ValueError: there is one of its id.
        """
        if rule.id in self._rules:
            raise ValueError(
                f"a {self._kind} with the id {rule.id!r} is already set; remove it first or leave out the id"
            )
        self._rules[rule.id] = rule
        return rule

    def take_back(self, rule_id: str) -> _Rule | None:
        """End a rule; None where there is none of that id."""
        return self._rules.pop(rule_id, None)

    def first(self, means: Callable[[_Rule], bool]) -> _Rule | None:
        """The first rule that hits a thing, by whether it means it, which then counts; None where none does."""
        for rule in self._rules.values():
            if rule.times == 0 or not means(rule):
                continue
            if rule.skip:
                rule.skip -= 1
                continue
            rule.hits += 1
            if rule.times is not None:
                rule.times -= 1
            return rule
        return None
