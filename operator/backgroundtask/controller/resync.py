"""The look at all that exists, in bulk: what events could not tell, because they were lost or because nobody sent any.

A few listings a LaunchTemplate instead of questions a task. A task whose listings look as its status says is left
alone; one that differs is handed to its reconciler, which asks for everything. Each task gets a full look once a day.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable

from backgroundtask.api.parsing import read_metadata, read_task_status
from backgroundtask.api.phases import ENDS
from backgroundtask.controller.context import Context, log
from backgroundtask.controller.keys import Delivery, ResyncKey, TaskKey, TemplateKey
from backgroundtask.controller.workqueue import Priority
from backgroundtask.errors import Blocked
from backgroundtask.kube.resource import RUNS, TASKS, TEMPLATES
from backgroundtask.plan.desired import Site
from backgroundtask.plan.names import family_prefix

_DAY = 86400.0

Suspect = Callable[[TaskKey], None]
"""Somebody saw AWS differ: the next pass over the key asks for everything."""


class Resync:
    """The periodic looks: one at the API server, one a LaunchTemplate at AWS."""

    def __init__(self, context: Context, suspect: Suspect) -> None:
        self._context = context
        self._suspect = suspect

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
        """Heal deletions that the watch missed, and see to it that each template has a look of its own."""
        cache = self._context.cache
        for resource in (TEMPLATES, TASKS, RUNS):
            bound = cache.newest(resource)
            listed = [(namespace, name, uid) for namespace, name, uid, _ in self._context.kube.names(resource)]
            for namespace, name in cache.retain(resource, listed, bound=bound):
                log.warning("%s %s/%s was deleted unseen", resource.kind, namespace, name)
                if resource == TASKS:
                    self._context.queue.add(TaskKey(namespace, name))
        for _, name in cache.keys(TEMPLATES):
            self._context.queue.add(TemplateKey(name), Priority.RESYNC)
            self._context.queue.add(ResyncKey(name), Priority.RESYNC)

    def _look_at_aws(self, template: str) -> None:
        try:
            site = self._context.site(template)
        except Blocked:
            return
        cloud = self._context.cloud(site)
        enabled = cloud.schedules.enabled_by_name(site.group)
        revisions = _by_family(cloud.ecs.all_active_revisions(family_prefix(self._context.settings.installation)))
        for namespace, name in self._context.cache.tasks_using(template):
            key = TaskKey(namespace, name)
            if self._differs(key, enabled, revisions) or self._is_day_of(key):
                self._suspect(key)
                self._context.queue.add(key, Priority.RESYNC)
        self._look_at_runs(site)

    def _differs(self, key: TaskKey, enabled: dict[str, bool], revisions: dict[str, list[str]]) -> bool:
        raw = self._context.cache.task(key.namespace, key.name)
        if raw is None:
            return False
        status, metadata = read_task_status(raw), read_metadata(raw)
        if status.observed_generation != metadata.generation or status.task_definition_arn is None:
            return False  # its reconciler is at it
        wanted = not (raw.get("spec") or {}).get("suspend", False)
        owner = self._context.owner(metadata)
        there = {name: enabled[name] for name in owner.schedule_names if name in enabled}
        return there != {one.name: wanted for one in status.schedules} or revisions.get(owner.family, []) != [
            status.task_definition_arn
        ]

    def _is_day_of(self, key: TaskKey) -> bool:
        """Once a day for each task, spread over the day by its name."""
        interval = self._context.settings.resync
        rounds = max(int(_DAY / interval), 1)
        return zlib.crc32(str(key).encode()) % rounds == int(self._context.now().timestamp() / interval) % rounds

    def _look_at_runs(self, site: Site) -> None:
        """Ask ECS for the tasks of active runs, a hundred in a call: an event may have been lost."""
        cloud = self._context.cloud(site)
        active = dict(self._active_runs(site.template))
        if not active:
            return
        seen, _ = cloud.ecs.tasks(site.cluster, sorted(active))
        for arn, task in seen.items():
            self._context.inbox.put(active[arn], [Delivery(task, _nobody_waits)])
            self._context.queue.add(active[arn], Priority.RESYNC)

    def _active_runs(self, template: str) -> Iterable[tuple[str, TaskKey]]:
        for namespace, name in self._context.cache.tasks_using(template):
            for body in self._context.cache.runs_of(namespace, name):
                status = body.get("status") or {}
                if status.get("taskArn") and status.get("phase") not in ENDS:
                    yield status["taskArn"], TaskKey(namespace, name)


def _by_family(arns: Iterable[str]) -> dict[str, list[str]]:
    families: defaultdict[str, list[str]] = defaultdict(list)
    for arn in arns:
        families[arn.rpartition("/")[2].rpartition(":")[0]].append(arn)
    return families


def _nobody_waits() -> None:
    """The answer to a delivery that no message brought."""
