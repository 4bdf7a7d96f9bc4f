"""Shortages that a test asks for: launches that RunTask answers with `failures`, and tasks for which no room is found.

Knows which launches a shortage means and how often; what becomes of them is in `launching` and `life`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from localaws.contract import Params
from localaws.standing import Standing

ANY = "*"
# reported: apache/airflow#48001 for RunTask; dagster's list of reasons to launch again for tasks
_NO_CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"


class Outcome(enum.StrEnum):
    """What becomes of the tasks that a shortage hits."""

    REFUSED = "refused"
    """RunTask answers HTTP 200 with a failure for each of them; nothing starts and no event tells."""
    STARTED = "refused-but-started"
    """The same answer, and yet they start (reported: apache/airflow#16150)."""
    UNPLACED = "unplaced"
    """They are answered, stay PROVISIONING without containers, and fail to start half an hour later."""


@dataclass(slots=True, kw_only=True)
class Shortage:
    """One shortage: it lets `skip` matching launches pass, then hits `times` (None: all), of each `tasks` (None: all).

    `reason` and `detail` are those of the failures; of a task without a place, `reason` is why it stopped.
    """

    id: str
    outcome: Outcome
    reason: str = _NO_CAPACITY
    detail: str | None = None
    cluster: str = ANY
    family: str = ANY
    tasks: int | None = None
    skip: int = 0
    times: int | None = None
    hits: int = 0

    def means(self, cluster: str, family: str) -> bool:
        """Say whether it is about a launch, by the names of its cluster and family."""
        return self.cluster in (ANY, cluster) and self.family in (ANY, family)

    def among(self, count: int) -> int:
        """Say how many of `count` tasks of one launch it hits."""
        return count if self.tasks is None else min(count, self.tasks)

    def failures(self, count: int) -> list[Params]:
        """Give the failures of so many tasks (documented: API: Failure; the arn may be absent)."""
        failure = {"reason": self.reason} | ({"detail": self.detail} if self.detail else {})
        return [dict(failure) for _ in range(count)]

    def as_json(self) -> dict[str, Any]:
        """The shortage as `/_localaws/ecs/shortages` answers it; `times` and `skip` are what is left of them."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


class Shortages:
    """The shortages in force, in the order they were asked for; the first that means a launch hits it."""

    def __init__(self) -> None:
        self._shortages: Standing[Shortage] = Standing("shortage")

    def __iter__(self) -> Iterator[Shortage]:
        return iter(self._shortages)

    def add(self, wanted: dict[str, Any]) -> Shortage:
        """Take a shortage from JSON.

        Raises:
            ValueError: a member is unknown, missing or wrong; the text says which.
        """
        return self._shortages.set(parse({"id": self._shortages.new_id(), **wanted}))

    def remove(self, shortage_id: str) -> None:
        """End one.

        Raises:
            ValueError: there is none of that id.
        """
        if self._shortages.take_back(shortage_id) is None:
            raise ValueError(f"no shortage has the id {shortage_id!r}")

    def clear(self) -> None:
        """End all."""
        for shortage in self:
            self.remove(shortage.id)

    def hit(self, cluster: str, family: str) -> Shortage | None:
        """Give the shortage that hits a launch, which then counts; None where there is room for all."""
        return self._shortages.first(lambda shortage: shortage.means(cluster, family))


_TEXTS = ("id", "reason", "detail", "cluster", "family")
_NUMBERS = {"tasks": 1, "skip": 0, "times": 0}
_MEMBERS = frozenset({"outcome", *_TEXTS, *_NUMBERS})


def parse(wanted: dict[str, Any]) -> Shortage:
    """Read a shortage from JSON.

    Raises:
        ValueError: a member is unknown, missing or wrong; the text says which.
    """
    if unknown := sorted(wanted.keys() - _MEMBERS):
        raise ValueError(f"a shortage has no {unknown[0]!r}; it has {', '.join(sorted(_MEMBERS))}")
    given = {name: value for name, value in wanted.items() if value is not None}
    for name in given.keys() & set(_TEXTS):
        if not isinstance(given[name], str) or not given[name]:
            raise ValueError(f"{name!r} must be a non-empty string")
    for name in given.keys() & _NUMBERS.keys():
        if type(given[name]) is not int or given[name] < _NUMBERS[name]:
            raise ValueError(f"{name!r} must be a whole number, not below {_NUMBERS[name]}")
    if given.get("outcome") not in list(Outcome):
        raise ValueError(f"'outcome' must be one of {', '.join(Outcome)}")
    return Shortage(**{**given, "outcome": Outcome(given["outcome"])})
