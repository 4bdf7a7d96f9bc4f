"""What one AWS holds that bears our mark, and whose: asked only of what no BackgroundTask that we know can have.

Listings tell names; marks have to be asked for one by one. So what turned out to be a stranger's, or retained, is left
alone for a day before it is asked for again. Writes nothing, and decides nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from backgroundtask.api.template import Clock
from backgroundtask.aws import Cloud
from backgroundtask.controller.context import Context
from backgroundtask.controller.groups import is_own
from backgroundtask.errors import Busy
from backgroundtask.kube.resource import TASKS
from backgroundtask.plan.names import Owner, owner_of_definition, owner_of_mark
from backgroundtask.plan.observed import Found, Observed, Revision
from backgroundtask.plan.orphans import is_retained
from backgroundtask.plan.schedule import Shelf
from backgroundtask.plan.site import Site

_ASK_AGAIN = 86_400.0  # seconds until what is not ours to take is asked for again

Listed = Mapping[Shelf, Iterable[str]]
"""Names of schedules by where they lie."""
Place = tuple[Shelf, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The orphans of a cloud, how many owners they are among, and how many things of each kind are orphaned."""

    orphans: frozenset[Owner] = frozenset()
    owners: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Suspect:
    """What may be of one owner without an object: schedules by their places, definitions as ARNs."""

    schedules: list[Place] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)


class Sightings:
    """One cloud, for one thread at a time."""

    def __init__(self, context: Context, cloud: Cloud, *, clock: Callable[[], float]) -> None:
        self._context = context
        self._cloud = cloud
        self._clock = clock
        self._orphans: set[Owner] = set()  # as asked for; kept where a look goes no further, so that the next one does
        self._strangers: dict[Place, float] = {}  # schedules, and when they were asked for
        self._owners: dict[Place, Owner] = {}  # of schedules that were asked for
        self._left_alone: dict[Owner, float] = {}  # retained, or without our mark, and when that was asked for

    def look(self, sites: Sequence[Site], *, schedules: Listed, definitions: Iterable[str]) -> Seen:
        """What of all that is listed is an orphan.

        Raises:
            Expected: AWS cannot be asked.
        """
        known = {Owner(self._context.settings.installation, *key) for key in self._context.cache.keys(TASKS)}
        suspects: defaultdict[Owner, _Suspect] = defaultdict(_Suspect)
        owners: set[Owner] = set()
        for arn in definitions:
            owner = owner_of_definition(arn)
            if owner is not None:
                owners.add(owner)
                suspects[owner].definitions.append(arn)
        for owner, place in self._of_schedules(known, schedules):
            owners.add(owner)
            suspects[owner].schedules.append(place)
        without = {owner: suspect for owner, suspect in suspects.items() if owner not in known}
        self._ask_for_marks(without, sites)
        found = [without[owner] for owner in self._orphans]
        counts = {
            "schedule": sum(len(one.schedules) for one in found),
            "definition": sum(len(one.definitions) for one in found),
        }
        believed = owners - self._left_alone.keys()  # the more is retained, the more would count as few
        return Seen(orphans=frozenset(self._orphans), owners=len(believed), counts=counts)

    def is_still_orphan(self, owner: Owner, sites: Sequence[Site]) -> bool:
        """Whether what is there now may be taken: everything is asked anew, as another replica may have marked it.

        Raises:
            Expected: AWS cannot be asked.
        """
        if not self._is_ours(sites):
            return False
        shelves = self._shelves(sites)
        if any(self._elsewhere(owner, clock, shelves) for clock in sorted({shelf.clock for shelf in shelves})):
            return False  # a template that is not looked at, or another cluster, still fires it
        places = [(shelf, name) for shelf in shelves for name in owner.schedule_names]
        definitions = self._cloud.ecs.active_revisions(owner.family)
        return self._may_be_taken(owner, _Suspect(places, list(definitions)))

    def _elsewhere(self, owner: Owner, clock: Clock, looked_at: Sequence[Shelf]) -> bool:
        groups = self._cloud.on(clock).groups_of(owner.schedule_prefix)
        return not groups <= {shelf.group for shelf in looked_at if shelf.clock == clock}

    def _shelves(self, sites: Sequence[Site]) -> tuple[Shelf, ...]:
        installation = self._context.settings.installation
        return tuple(sorted({shelf for site in sites for shelf in site.shelves(installation)}))

    def _of_schedules(self, known: set[Owner], listed: Listed) -> list[tuple[Owner, Place]]:
        """Whose the schedules are that no known task can have."""
        names = {name for owner in known for name in owner.schedule_names}
        places = {(shelf, name) for shelf, listing in listed.items() for name in listing if name not in names}
        self._strangers = {one: at for one, at in self._strangers.items() if one in places}
        self._owners = {one: owner for one, owner in self._owners.items() if one in places}
        for place in sorted(places - self._owners.keys()):
            if not self._was_asked(self._strangers.get(place)):
                self._ask_for_owner(*place)
        return [(owner, place) for place, owner in sorted(self._owners.items())]

    def _ask_for_owner(self, shelf: Shelf, name: str) -> None:
        found = self._cloud.on(shelf.clock).find(shelf.group, name)
        owner = owner_of_mark(found.schedule.owner) if found else None
        if (
            owner is None
            or owner.installation != self._context.settings.installation
            or name not in owner.schedule_names
        ):
            self._strangers[shelf, name] = self._clock()
            return
        self._owners[shelf, name] = owner

    def _ask_for_marks(self, suspects: Mapping[Owner, _Suspect], sites: Sequence[Site]) -> None:
        self._left_alone = {owner: at for owner, at in self._left_alone.items() if owner in suspects}
        asked = {owner for owner in suspects if not self._was_asked(self._left_alone.get(owner))}
        self._orphans &= asked
        if not asked or not self._is_ours(sites):
            self._orphans.clear()
            return
        for owner in sorted(asked - self._orphans):
            if self._may_be_taken(owner, suspects[owner]):
                self._orphans.add(owner)
                continue
            self._left_alone[owner] = self._clock()

    def _may_be_taken(self, owner: Owner, suspect: _Suspect) -> bool:
        """Whether anything of it bears the owner's mark, and nothing says that it is retained."""
        schedules = {
            f"{shelf.clock}/{shelf.group}/{name}": self._cloud.on(shelf.clock).find(shelf.group, name)
            for shelf, name in suspect.schedules
        }
        observed = Observed(
            revisions=tuple(filter(None, map(self._revision, suspect.definitions))),
            schedules={place: found for place, found in schedules.items() if isinstance(found, Found)},
        )
        mark = str(owner)
        marks = [found.schedule.owner for found in observed.schedules.values()] + [
            one.owner for one in observed.revisions
        ]
        return mark in marks and not is_retained(observed, mark)

    def _revision(self, arn: str) -> Revision | None:
        try:
            return self._cloud.ecs.revision(arn, fresh=True)
        except Busy as busy:
            if busy.reason != "RevisionVanished":
                raise
            return None

    def _is_ours(self, sites: Sequence[Site]) -> bool:
        """Whether everything that holds schedules bears this cluster's mark: others' objects are not ours to judge."""
        return all(is_own(self._context, self._cloud, shelf) for shelf in self._shelves(sites))

    def _was_asked(self, at: float | None) -> bool:
        return at is not None and self._clock() - at < _ASK_AGAIN
