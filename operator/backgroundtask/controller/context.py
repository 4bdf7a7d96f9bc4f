"""What the parts of the controller share: the way to the API server and to AWS, the queue, the inbox, the time."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.parsing import parse_template, read_template_status
from backgroundtask.aws import Cloud, Clouds, Urgency
from backgroundtask.controller.drains import Drains
from backgroundtask.controller.keys import Inbox, Key, RepositoryKey, ResyncKey, TaskKey
from backgroundtask.controller.settings import Settings
from backgroundtask.controller.workqueue import Priority, WorkQueue
from backgroundtask.errors import Blocked, Busy, Expected, Paced, Rejected
from backgroundtask.kube.cache import Cache
from backgroundtask.kube.client import Kube
from backgroundtask.kube.events import Recorder
from backgroundtask.plan.names import Owner
from backgroundtask.plan.site import Site, schedule_group

PATIENCE = 5
"""Failures in a row before a busy AWS or API server is worth a line in a status."""
_LONG = 5.0
"""Seconds until its turn that are worth a line in the status of an object that waits for it."""

log = logging.getLogger("backgroundtask")
"""The operator's log. Its lines name tasks, reasons and ARNs; never env, never a whole spec."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Handed to every part; nothing in it is replaced while the process lives."""

    settings: Settings
    kube: Kube
    cache: Cache
    clouds: Clouds
    recorder: Recorder
    cluster_uid: str
    queue: WorkQueue[Key] = field(default_factory=WorkQueue)
    inbox: Inbox = field(default_factory=Inbox)
    drains: Drains = field(default_factory=Drains)
    now: Callable[[], datetime] = _now
    is_leading: Callable[[], bool] = lambda: True

    def owner(self, metadata: ObjectMeta) -> Owner:
        """Whose mark the AWS objects of a task bear."""
        return Owner(self.settings.installation, metadata.namespace, metadata.name)

    def site(self, template: str) -> Site:
        """The place that a LaunchTemplate describes.

        Raises:
            Blocked: LaunchTemplateNotFound, or LaunchTemplateNotReady while it was never verified.
            Rejected: its spec cannot be read.
        """
        raw = self.cache.template(template)
        if raw is None:
            raise Blocked(
                "LaunchTemplateNotFound", f"There is no LaunchTemplate {template}: create it, or name another."
            )
        status = read_template_status(raw)
        if status.cluster_arn is None:
            raise Blocked("LaunchTemplateNotReady", f"LaunchTemplate {template} is not ready yet: see its conditions.")
        spec = parse_template(raw).spec
        return Site(
            template=template,
            spec=spec,
            cluster=status.cluster_arn,
            group=schedule_group(spec, self.settings.installation),
            clocks=status.clocks or ("Scheduler",),
        )

    def is_worth_telling(self, key: Key, error: Expected) -> bool:
        """Whether what keeps an object from its goal belongs into its status, or is over before anybody reads it."""
        if isinstance(error, Paced):
            return error.retry_after >= _LONG
        return not isinstance(error, Busy) or self.queue.failures(key) >= PATIENCE

    def pace(self, key: Key) -> AbstractContextManager[None]:
        """Make the calls of a reconcile of `key`: its place in the lines at AWS's buckets is kept until it succeeds."""
        is_idle = isinstance(key, ResyncKey) or self.queue.priority(key) is Priority.RESYNC
        return self.clouds.pacing.work(
            key,
            share=key.namespace if isinstance(key, TaskKey | RepositoryKey) else "",
            urgency=Urgency.RESYNC if is_idle else Urgency.CHANGE,
        )

    def drained(self, template: str) -> datetime | None:
        """The moment up to which all that ECS told of a LaunchTemplate's tasks is stored; None where none is known."""
        raw = self.cache.template(template)
        if raw is None:
            return None
        try:
            return self.drains.until(parse_template(raw).spec.queues.events)
        except Rejected:  # its reconciler says so
            return None

    def cloud(self, site: Site) -> Cloud:
        """AWS as a LaunchTemplate's tasks see it: its region, its role."""
        return self.clouds.of(
            region=site.spec.region, assume_role_arn=site.spec.assume_role_arn, template=site.template
        )
