"""kopf as the shell: login, watches, reconnects and signals, and nothing else of it.

Every event of our four kinds goes into the cache; what it changes there decides which key is queued. kopf keeps no
state on our objects: no annotations, no finalizer, no progress, no Events of its own.
"""

import asyncio
import datetime as dt
import itertools
import random
import zlib
from collections.abc import Iterator
from typing import Any

import kopf

from backgroundtask.api.names import GROUP, VERSION
from backgroundtask.controller.context import Context
from backgroundtask.controller.keys import RepositoryKey, ResyncKey, TaskKey, TemplateKey
from backgroundtask.controller.workqueue import Priority
from backgroundtask.kube.cache import KINDS
from backgroundtask.kube.client import PAGE
from backgroundtask.kube.resource import REPOSITORIES, RUNS, TEMPLATES, Body, Resource
from backgroundtask.kube.snapshot import Change

_TOKEN_LIFE = dt.timedelta(minutes=15)  # a ServiceAccount's token rotates; the next login reads the new one
_USERS_SETTLE = 3.0  # seconds in which more tasks of a template may come or go before they are counted


async def watch(context: Context, *, ready: asyncio.Event) -> None:
    """Follow the API server until SIGTERM, SIGINT or a fault that only a new process mends."""
    await kopf.operator(
        registry=_registry(context),
        settings=_settings(),
        clusterwide=True,
        ready_flag=ready,
    )


def spread(name: str) -> float:
    """A place in the period, from 0 to below 1, that is always the name's own: so that not all come at once."""
    return zlib.crc32(name.encode()) / 2**32


class Watcher:
    """From events to keys."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def see(self, resource: Resource, event_type: str | None, body: Body) -> None:
        """Take one object in, as a watch or a listing shows it."""
        change = self._context.cache.see(resource, event_type, body)
        if not change:
            return
        metadata = body["metadata"]
        if resource == TEMPLATES:
            self._see_template(metadata["name"], change)
        elif resource == RUNS:
            self._context.queue.add(TaskKey(metadata["namespace"], body["spec"].get("task", "")))
        else:
            key = RepositoryKey if resource == REPOSITORIES else TaskKey
            self._see_user(key(metadata["namespace"], metadata["name"]), body, change)

    def _see_template(self, name: str, change: Change) -> None:
        self._context.queue.add(TemplateKey(name))
        if change is Change.NEW and self._context.is_leading():
            self.expect_look(name)

    def expect_look(self, template: str) -> None:
        """Have the first look at a template's AWS at its own time in the period."""
        first = spread(template) * self._context.settings.resync
        self._context.queue.add_after(ResyncKey(template), first, Priority.RESYNC)

    def _see_user(self, key: TaskKey | RepositoryKey, body: Body, change: Change) -> None:
        """What uses a template: how many there are decides about the template, too."""
        self._context.queue.add(key)
        if change is not Change.CHANGED:
            template = TemplateKey(body["spec"].get("launchTemplate", ""))
            self._context.queue.add_after(template, _USERS_SETTLE)


class _Nothing(kopf.DiffBaseStorage, kopf.ProgressStorage):
    """kopf's memory on objects, without one: there are no handlers whose progress or diffs it could keep."""

    def build(self, **_: Any) -> kopf.BodyEssence:  # noqa: ANN401 - kopf's signature
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> None:  # noqa: ANN401 - kopf's signature
        return None

    def store(self, **_: Any) -> None:  # noqa: ANN401 - kopf's signature
        return None

    def purge(self, **_: Any) -> None:  # noqa: ANN401 - kopf's signature
        return None

    def touch(self, **_: Any) -> None:  # noqa: ANN401 - kopf's signature
        return None

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


class _Patience:
    """Seconds between tries to reach the API server, for ever: kopf's own list ends, and with it the process."""

    def __iter__(self) -> Iterator[float]:
        return (random.uniform(0.5, 1.0) * min(2.0**step, 30.0) for step in itertools.count())  # noqa: S311 - jitter


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    nothing = _Nothing()
    settings.persistence.diffbase_storage = nothing
    settings.persistence.progress_storage = nothing
    settings.queueing.idle_timeout = 0.1  # an object's worker ends soon after its last event
    settings.queueing.worker_limit = None
    settings.watching.chunk_size = PAGE  # kopf parses a page at once, as we do
    settings.watching.server_timeout = 300
    settings.watching.initial_streaming = False  # kopf 1.45 loses objects when such a stream is cut
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = _Patience()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    return settings


def _registry(context: Context) -> kopf.OperatorRegistry:
    registry, watcher = kopf.OperatorRegistry(), Watcher(context)

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:  # noqa: ANN401 - kopf's signature
        return _connection(context)

    for resource in KINDS:
        _register(registry, watcher, resource)
    return registry


def _register(registry: kopf.OperatorRegistry, watcher: Watcher, resource: Resource) -> None:
    @kopf.on.event(GROUP, VERSION, resource.plural, registry=registry, id=f"see-{resource.plural}")
    async def see(event: kopf.RawEvent, **_: Any) -> None:  # noqa: ANN401 - kopf's signature
        watcher.see(resource, event["type"], dict(event["object"]))


def _connection(context: Context) -> kopf.ConnectionInfo:
    """How kopf logs in: as our own client does, and anew before the token gets old."""
    now = context.kube.credentials()
    return kopf.ConnectionInfo(
        server=now.server,
        ca_path=now.ca_path,
        certificate_path=now.certificate_path,
        private_key_path=now.private_key_path,
        scheme=now.scheme,
        token=now.token,
        insecure=now.insecure,
        proxy_url=now.proxy_url,
        expiration=context.now() + _TOKEN_LIFE if now.token else None,
    )
