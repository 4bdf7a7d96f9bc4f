"""Task definitions of one region: families, their revisions, and what became of each.

Knows which revision a name means at a moment; knows nothing of what a definition must contain.
"""

from __future__ import annotations

import bisect
import datetime as dt
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from localaws.contract import Params
from localaws.ecs import errors
from localaws.ecs.names import DefinitionRef, Place, definition_ref

ACTIVE = "ACTIVE"
INACTIVE = "INACTIVE"
DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"
# documented: API: DeleteTaskDefinitions, it stays "until all the associated tasks have been terminated";
# assumed: how long it stays after that
_DELETING = dt.timedelta(hours=1)

Shown = Callable[[str], bool]
"""Whether a read is shown the definition of an ARN."""


def _all(_arn: str) -> bool:
    return True


@dataclass(slots=True, eq=False)
class Definition:
    """One revision. `body` is what the API shows of it, apart from the status and its moments; it never changes."""

    arn: str
    family: str
    revision: int
    body: Params
    tags: dict[str, str]
    status: str = ACTIVE
    deregistered_at: dt.datetime | None = None
    delete_requested_at: dt.datetime | None = None
    tasks: int = 0  # not stopped yet

    def gone(self, now: dt.datetime) -> bool:
        """Say whether its deletion is complete."""
        asked = self.delete_requested_at
        return asked is not None and self.tasks == 0 and now - asked >= _DELETING

    def deregister(self, now: dt.datetime) -> None:
        """Make it INACTIVE; once is enough."""
        if self.status == ACTIVE:
            self.status, self.deregistered_at = INACTIVE, now

    def describe(self) -> Params:
        """Give the shape TaskDefinition."""
        moments = {"deregisteredAt": self.deregistered_at, "deleteRequestedAt": self.delete_requested_at}
        return {**self.body, "status": self.status, **{name: at for name, at in moments.items() if at}}


@dataclass(slots=True)
class Family:
    """All revisions of a name, by number, oldest first."""

    last_revision: int = 0
    registered: float = -math.inf  # when its last registration was answered, by the clock of `Call.arrived`
    revisions: dict[int, Definition] = field(default_factory=dict)


class Catalog:
    """The families of a region, and the one place that hands out revision numbers."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._families: dict[str, Family] = {}
        self._names: list[str] = []  # sorted
        self._deleting: deque[Definition] = deque()  # by the moment at which it was asked for

    def add(self, family: str, body: Params, tags: dict[str, str]) -> Definition:
        """Register the next revision. Numbers are never used twice (documented: API: DeleteTaskDefinitions)."""
        if family not in self._families:
            self._families[family] = Family()
            bisect.insort(self._names, family)
        entry = self._families[family]
        entry.last_revision += 1
        arn = self._place.definition(family, entry.last_revision)
        body = {"taskDefinitionArn": arn, "family": family, "revision": entry.last_revision, **body}
        definition = Definition(arn, family, entry.last_revision, body, tags)
        entry.revisions[definition.revision] = definition
        return definition

    def overlaps(self, family: str, arrived: float) -> bool:
        """Say whether a registration was answered after one of the same family had arrived."""
        entry = self._families.get(family)
        return entry is not None and arrived < entry.registered

    def note_registration(self, family: str, answered: float) -> None:
        """Take note of when a registration was answered."""
        self._families[family].registered = answered

    def delete(self, definition: Definition, now: dt.datetime) -> None:
        """Begin the deletion of an INACTIVE revision; once is enough."""
        self._drop_gone(now)
        if definition.status == INACTIVE:
            definition.status, definition.delete_requested_at = DELETE_IN_PROGRESS, now
            self._deleting.append(definition)

    def _drop_gone(self, now: dt.datetime) -> None:
        while self._deleting and self._deleting[0].gone(now):
            definition = self._deleting.popleft()
            del self._families[definition.family].revisions[definition.revision]

    def find(self, text: str, now: dt.datetime, *, shown: Shown = _all) -> Definition | None:
        """Find what a name means: a revision of any status, or the latest ACTIVE one of a bare family, among the shown.

        documented: API: DescribeTaskDefinition.taskDefinition

        Raises:
            AwsError: ClientException where the revision is not a number.
        """
        return self._look_up(definition_ref(text, self._place), now, shown)

    def revision(self, text: str, now: dt.datetime) -> Definition | None:
        """Find a revision that has to be named as one, as DeregisterTaskDefinition and DeleteTaskDefinitions ask.

        Raises:
            AwsError: ClientException where the revision is missing or no number.
        """
        ref = definition_ref(text, self._place)
        if ref.revision is None:
            # documented: API: DeregisterTaskDefinition, "You must specify a revision"; assumed: the wording
            raise errors.client("Task definition must include a revision, as family:revision.")
        return self._look_up(ref, now, _all)

    def _look_up(self, ref: DefinitionRef, now: dt.datetime, shown: Shown) -> Definition | None:
        family = None if ref.elsewhere else self._families.get(ref.family)
        if family is None:
            return None
        if ref.revision is None:
            return next((d for d in reversed(family.revisions.values()) if d.status == ACTIVE and shown(d.arn)), None)
        definition = family.revisions.get(ref.revision)
        return None if definition is None or definition.gone(now) or not shown(definition.arn) else definition

    def names(self, prefix: str, after: str, now: dt.datetime, *, shown: Shown) -> Iterator[str]:
        """Go through the families with a shown revision that begin with `prefix` and come after `after`, by name."""
        start = bisect.bisect_right(self._names, after) if after else bisect.bisect_left(self._names, prefix)
        for name in self._names[start:]:
            if not name.startswith(prefix):
                return
            if any(not d.gone(now) and shown(d.arn) for d in self._families[name].revisions.values()):
                yield name

    def is_active(self, family: str) -> bool:
        """Say whether a family has an ACTIVE revision."""
        return any(d.status == ACTIVE for d in reversed(self._families[family].revisions.values()))

    def listing(self, family: str | None, *, descending: bool) -> Iterator[Definition]:
        """Go through the revisions of one family or of all, by family and revision."""
        names = self._names if family is None else [family] * (family in self._families)
        for name in reversed(names) if descending else names:
            revisions = self._families[name].revisions.values()
            yield from reversed(revisions) if descending else revisions
