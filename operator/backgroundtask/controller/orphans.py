"""The orphan sweep: what bears our mark in AWS and has no BackgroundTask is reported, and taken when seen again.

It rides on the look at all that exists (`resync`), which lists what AWS holds anyway. Only where the schedule group is
this cluster's, the API server was just listed completely, and it proves by itself that there is no such object; never
where something is marked as retained; and nothing at all above a cap. What is taken ends as a task does that somebody
deletes, under the task's key, so that it never races with one that comes back. When to take is the decision of
`plan.orphans`; what there is, `sightings` asks.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.aws import Cloud
from backgroundtask.controller import metrics
from backgroundtask.controller.context import Context, log
from backgroundtask.controller.holdings import Holdings
from backgroundtask.controller.keys import TaskKey
from backgroundtask.controller.sightings import Listed, Sightings
from backgroundtask.controller.workqueue import Priority
from backgroundtask.kube.resource import TEMPLATES, Ref
from backgroundtask.plan.names import Owner
from backgroundtask.plan.orphans import Verdict, judge
from backgroundtask.plan.site import Site

_SHOWN = 8  # names in an Event, which holds 1024 bytes; the log has all
_LISTED_LATELY = 2.5  # periods of resync that a complete listing of the API server vouches for


@dataclass(slots=True)
class _Memory:
    """What is known of one cloud's orphans; a process that has forgotten it sees each twice again."""

    sightings: Sightings
    since: Mapping[Owner, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)  # by kind
    over: int = 0  # as told last


class Orphans:
    """The orphans of all clouds. `clock` tells seconds and never goes back."""

    def __init__(self, context: Context, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._context = context
        self._clock = clock
        self._memories: dict[Cloud, _Memory] = {}
        self._due: dict[TaskKey, Sequence[Site]] = {}
        self._listed_at: float | None = None

    def listing(self) -> None:
        """The API server is being listed: until that is complete, it proves nothing."""
        self._listed_at = None

    def listed(self) -> None:
        """All of it was listed."""
        self._listed_at = self._clock()

    def keep_clouds(self, named: Iterable[Cloud]) -> None:
        """Forget what was seen in an AWS that no template names any more: nobody looks there again."""
        kept = set(named)
        for cloud in [one for one in list(self._memories) if one not in kept]:
            del self._memories[cloud]
        self._measure()

    def look(self, cloud: Cloud, sites: Sequence[Site], *, schedules: Listed, definitions: Iterable[str]) -> None:
        """Judge what was listed of one cloud: names of schedules, ARNs of ACTIVE definitions of ours.

        Raises:
            Expected: AWS cannot be asked for more.
        """
        if self._context.settings.orphan_sweep == "off" or not self._was_listed_lately():
            return
        memory = self._memories.setdefault(cloud, _Memory(Sightings(self._context, cloud, clock=self._clock)))
        seen = memory.sightings.look(sites, schedules=schedules, definitions=definitions)
        verdict = judge(
            seen.orphans,
            owners=seen.owners,
            before=memory.since,
            now=self._clock(),
            grace=self._context.settings.orphan_grace,
        )
        memory.since, memory.counts = verdict.since, seen.counts
        self._tell(memory, verdict, sites[0])
        if verdict.is_over_cap:
            self._withdraw(verdict.since)
        elif self._takes:
            self._hand_over(verdict.take, sites)

    def take(self, key: TaskKey) -> None:
        """End what is due of a key of which the caller has just proved that there is no object.

        Raises:
            Expected: AWS is in the way; what was done stays done.
        """
        sites = self._due.get(key)
        if sites is None:
            return
        owner = Owner(self._context.settings.installation, key.namespace, key.name)
        memory = self._memories.get(self._context.cloud(sites[0]))
        if memory is not None and memory.sightings.is_still_orphan(owner, sites):
            self._end(key, sites)
        self._due.pop(key, None)

    def is_due(self, key: TaskKey) -> bool:
        """Whether something of a key is to be taken, once it is proved that there is no object."""
        return key in self._due

    def keep(self, key: TaskKey) -> None:
        """There is an object: nothing of it is taken."""
        self._due.pop(key, None)

    def _end(self, key: TaskKey, sites: Sequence[Site]) -> None:
        metadata = ObjectMeta(namespace=key.namespace, name=key.name)
        held = [Holdings(self._context, metadata, site) for site in sites]
        for one in held if len(held) > 1 else ():
            one.switch_off()  # no schedule of one place may fire what another place has retired
        for one in held:
            one.take_down(frozenset())
        metrics.ORPHANS_TAKEN.inc()
        message = f"What {key} had in AWS was deleted: it bore this installation's mark and had no BackgroundTask."
        log.warning("%s", message, extra={"task": str(key), "reason": "OrphanDeleted"})
        self._emit(sites[0], "Normal", "OrphanDeleted", message)

    def _was_listed_lately(self) -> bool:
        period = self._context.settings.resync * _LISTED_LATELY
        return self._listed_at is not None and self._clock() - self._listed_at <= period

    @property
    def _takes(self) -> bool:
        """Where another cluster is being taken over, its objects may still be on their way."""
        return self._context.settings.orphan_sweep == "delete" and not self._context.settings.adopt

    def _hand_over(self, owners: Sequence[Owner], sites: Sequence[Site]) -> None:
        places = {(site.group, site.cluster, site.clocks): site for site in sites}
        for owner in owners:
            key = TaskKey(owner.namespace, owner.name)
            self._due[key] = tuple(places.values())
            self._context.queue.add(key, Priority.RESYNC)

    def _withdraw(self, owners: Iterable[Owner]) -> None:
        """What was believed before, and could not be taken yet, is believed no longer."""
        for owner in owners:
            self._due.pop(TaskKey(owner.namespace, owner.name), None)

    def _tell(self, memory: _Memory, verdict: Verdict, site: Site) -> None:
        if verdict.report:
            self._tell_found([f"{owner.namespace}/{owner.name}" for owner in verdict.report], site)
        over = len(verdict.since) if verdict.is_over_cap else 0
        if over and over != memory.over:
            self._tell_too_many(over, verdict.cap, site)
        memory.over = over
        self._measure()

    def _measure(self) -> None:
        for kind in ("schedule", "definition"):
            total = sum(one.counts.get(kind, 0) for one in list(self._memories.values()))
            metrics.ORPHANS.labels(kind).set(total)
        metrics.ORPHANS_OVER_CAP.set(sum(one.over for one in list(self._memories.values())))

    def _tell_found(self, tasks: Sequence[str], site: Site) -> None:
        """A line of log each, one Event for all."""
        then = "It is deleted when it is seen again" if self._takes else "Nothing is done about it"
        for task in tasks:
            told = {"task": task, "template": site.template, "reason": "OrphanFound"}
            log.warning("AWS holds what bears our mark and has no BackgroundTask: %s. %s.", task, then, extra=told)
        more = f" and {len(tasks) - _SHOWN} more" if len(tasks) > _SHOWN else ""
        names = f"{', '.join(tasks[:_SHOWN])}{more}"
        message = f"AWS holds what bears our mark and has no BackgroundTask: {names}. {then}."
        self._emit(site, "Warning", "OrphanFound", message)

    def _tell_too_many(self, over: int, cap: int, site: Site) -> None:
        message = (
            f"AWS holds things of {over} owners that bear our mark and have no BackgroundTask. More than {cap} at once "
            "are not believed: nothing is deleted. See that this is the right cluster and that its objects are there."
        )
        log.warning("%s", message, extra={"template": site.template, "reason": "TooManyOrphans"})
        self._emit(site, "Warning", "TooManyOrphans", message)

    def _emit(self, site: Site, kind: str, reason: str, message: str) -> None:
        raw = self._context.cache.template(site.template)
        if raw is not None:
            self._context.recorder.emit(Ref.of(TEMPLATES, raw), type=kind, reason=reason, message=message)
