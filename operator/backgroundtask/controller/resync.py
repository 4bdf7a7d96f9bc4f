"""The look at all that exists, in bulk: what events could not tell, because they were lost or because nobody sent any.

A few listings for all LaunchTemplates of one region and identity instead of questions a task. A task whose listings
look as its status says is left alone; one that differs is handed to its reconciler, which asks for everything. Each
task gets a full look once a day.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from backgroundtask.api.conditions import SCHEDULED, find
from backgroundtask.api.parsing import read_metadata, read_task_status
from backgroundtask.api.phases import ENDS
from backgroundtask.aws import Cloud
from backgroundtask.controller.context import Context, log
from backgroundtask.controller.keys import Delivery, Gone, ResyncKey, TaskKey
from backgroundtask.controller.orphans import Orphans
from backgroundtask.controller.poison import PoisonQueues
from backgroundtask.controller.slots import audit
from backgroundtask.controller.watch import Watcher, spread
from backgroundtask.controller.workqueue import Priority
from backgroundtask.errors import Expected
from backgroundtask.kube.cache import DELETED, KINDS
from backgroundtask.kube.resource import TASKS, TEMPLATES, Body, Resource
from backgroundtask.plan.names import family_prefix
from backgroundtask.plan.schedule import CLOCKS, clock_of, key_of
from backgroundtask.plan.site import Site

_DAY = timedelta(days=1)
_MOST_ASKED = 50  # objects that are asked for one by one; where more are missed, all are listed

Suspect = Callable[[TaskKey], None]
"""Somebody saw AWS differ: the next pass over the key asks for everything."""
IsRetiring = Callable[[TaskKey], bool]
"""Whether a task is known to have older revisions for now."""


class Resync:
    """The periodic looks: one at the API server, one at each AWS."""

    def __init__(self, context: Context, suspect: Suspect, is_retiring: IsRetiring, orphans: Orphans) -> None:
        self._context = context
        self._orphans = orphans
        self._suspect = suspect
        self._is_retiring = is_retiring
        self._watcher = Watcher(context)
        self._poison = PoisonQueues()
        self._full_looks: dict[TaskKey, datetime] = {}  # when the next is due

    def reconcile(self, key: ResyncKey) -> None:
        """Look, queue what differs, and come again.

        Raises:
            Expected: AWS or the API server is busy.
        """
        if key.template and self._context.cache.template(key.template) is None:
            return
        if key.template:
            self._look_at_aws(key.template)
        else:
            self._look_at_cluster()
        self._context.queue.add_after(key, self._context.settings.resync, Priority.RESYNC)

    def _look_at_cluster(self) -> None:
        """Heal what the watch missed, and see to it that each template has looks of its own."""
        self._orphans.listing()
        for resource in KINDS:
            self._heal(resource)
        self._orphans.listed()
        for _, name in self._context.cache.keys(TEMPLATES):
            self._context.queue.add_after(ResyncKey(name), self._context.settings.resync, Priority.RESYNC)
        places = list(self._places())
        self._poison.keep(queue for site, _ in places for queue in _queues(site))
        self._orphans.keep_clouds(cloud for _, cloud in places)
        tasks = {TaskKey(namespace, name) for namespace, name in self._context.cache.keys(TASKS)}
        for key in list(self._full_looks):
            if key not in tasks:
                self._full_looks.pop(key, None)
        audit(self._context)

    def _heal(self, resource: Resource) -> None:
        """Take in what came, changed or went without an event, as if one had told."""
        cache = self._context.cache
        bound = cache.newest(resource)
        listed = list(self._context.kube.names(resource))
        for body in cache.unlisted(resource, (uid for _, _, uid, _ in listed), bound=bound):
            metadata = body["metadata"]
            log.warning("%s %s/%s was deleted unseen", resource.kind, metadata.get("namespace", ""), metadata["name"])
            self._watcher.see(resource, DELETED, body)
        missed = [(place, name) for place, name, _, at in listed if cache.version(resource, place, name) < int(at)]
        for body in self._newest(resource, missed):
            self._watcher.see(resource, None, body)

    def _newest(self, resource: Resource, missed: list[tuple[str, str]]) -> Iterator[Body]:
        if len(missed) > _MOST_ASKED:
            yield from self._context.kube.list(resource)
            return
        for namespace, name in missed:
            body = self._context.kube.get(resource, namespace, name)
            if body is not None:
                yield body

    def _look_at_aws(self, template: str) -> None:
        """Look for all templates that share a cloud, when it is the turn of the first of them."""
        sites = self._sharing(template)
        if not sites or sites[0].template != template:
            return
        cloud = self._context.cloud(sites[0])
        installation = self._context.settings.installation
        shelves = sorted({shelf for site in sites for shelf in site.shelves(installation)})
        listed = {shelf: cloud.on(shelf.clock).enabled_by_name(shelf.group) for shelf in shelves}
        revisions = _by_family(cloud.ecs.all_active_revisions(family_prefix(installation)))
        for site in sites:
            enabled = {
                key_of(shelf.clock, name): fires
                for shelf in site.shelves(installation)
                for name, fires in listed[shelf].items()
            }
            self._look_at_tasks(site, enabled, revisions)
        definitions = (arn for arns in revisions.values() for arn in arns)
        self._orphans.look(cloud, sites, schedules=listed, definitions=definitions)
        self._poison.look(cloud, (queue for site in sites for queue in _queues(site)))
        trouble = [error for site in sites if (error := self._look_at_runs(cloud, site))]
        if trouble:
            raise trouble[0]

    def _sharing(self, template: str) -> list[Site]:
        """The sites of all templates that have the cloud of `template`, by name; none where it has no site itself."""
        places = {site.template: (site, cloud) for site, cloud in self._places()}
        if template not in places:
            return []
        _, shared = places[template]
        return [site for site, cloud in places.values() if cloud is shared]

    def _places(self) -> Iterator[tuple[Site, Cloud]]:
        for _, name in sorted(self._context.cache.keys(TEMPLATES)):
            try:
                site = self._context.site(name)
                yield site, self._context.cloud(site)
            except Expected:  # its reconciler says so
                continue

    def _look_at_tasks(self, site: Site, enabled: dict[str, bool], revisions: dict[str, list[str]]) -> None:
        for namespace, name in self._context.cache.tasks_using(site.template):
            key = TaskKey(namespace, name)
            if self._is_full_look_due(key) or self._differs(key, enabled, revisions):
                self._suspect(key)
                self._context.queue.add(key, Priority.RESYNC)

    def _differs(self, key: TaskKey, enabled: dict[str, bool], revisions: dict[str, list[str]]) -> bool:
        raw = self._context.cache.task(key.namespace, key.name)
        if raw is None:
            return False
        status, metadata = read_task_status(raw), read_metadata(raw)
        if status.observed_generation != metadata.generation or status.task_definition_arn is None:
            return False  # its reconciler is at it
        scheduled = find(status.conditions, SCHEDULED)
        is_on = scheduled is not None and scheduled.status == "True"
        owner = self._context.owner(metadata)
        keys = (key_of(clock, name) for clock in CLOCKS for name in owner.schedule_names)
        there = {key: enabled[key] for key in keys if key in enabled}
        listed = sorted(revisions.get(owner.family, []), key=_number)
        current = listed[-1:] if self._is_retiring(key) else listed
        told = {key_of(clock_of(one.arn), one.name): is_on for one in status.schedules}
        return there != told or current != [status.task_definition_arn]

    def _is_full_look_due(self, key: TaskKey) -> bool:
        """Once a day for each task, at a time of the day that its name decides: also where processes live short."""
        now = self._context.now()
        if now < self._full_looks.setdefault(key, _next_daily(key, now)):
            return False
        self._full_looks[key] = _next_daily(key, now)
        return True

    def _look_at_runs(self, cloud: Cloud, site: Site) -> Expected | None:
        """Ask ECS for the tasks of active runs, a hundred in a call: an event may have been lost.

        What keeps it from being asked (a cluster that is gone) is returned, for other clusters can be asked.
        """
        active = dict(self._active_runs(site.template))
        if not active:
            return None
        try:
            seen, missing = cloud.ecs.tasks(site.cluster, sorted(active))
        except Expected as error:
            return error
        told: dict[str, Delivery | Gone] = {arn: Delivery(task) for arn, task in seen.items()}
        for arn, what in (told | {arn: Gone(arn) for arn in missing}).items():
            self._context.inbox.put(active[arn], [what])
            self._context.queue.add(active[arn], Priority.RESYNC)
        return None

    def _active_runs(self, template: str) -> Iterable[tuple[str, TaskKey]]:
        for namespace, name in self._context.cache.tasks_using(template):
            for body in self._context.cache.runs_of(namespace, name):
                status = body.get("status") or {}
                if status.get("taskArn") and status.get("phase") not in ENDS:
                    yield status["taskArn"], TaskKey(namespace, name)


def _next_daily(key: TaskKey, now: datetime) -> datetime:
    """The next time after `now` that it is the task's time of the day."""
    day = _DAY.total_seconds()
    wait = (spread(str(key)) * day - now.timestamp()) % day
    return now + timedelta(seconds=wait or day)


def _queues(site: Site) -> tuple[str, str]:
    return site.spec.queues.events, site.spec.queues.ticks


def _number(arn: str) -> int:
    return int(arn.rpartition(":")[2])


def _by_family(arns: Iterable[str]) -> dict[str, list[str]]:
    families: defaultdict[str, list[str]] = defaultdict(list)
    for arn in arns:
        families[arn.rpartition("/")[2].rpartition(":")[0]].append(arn)
    return families
