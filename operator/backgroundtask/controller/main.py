"""The controller as a process: what is started, in which order, and how it ends.

The cluster is listed once before anything acts, so that no event meets an empty cache. Of several processes one leads:
the workers of the others wait, while their caches and queues follow the cluster as the leader's do.

On SIGTERM nothing new is taken up, the workers finish the keys that they hold, what they stored is acknowledged, and
the lease is given back: all within twenty seconds, two for kopf (`queueing.exit_timeout`), and those below. Whatever is
cut off all the same is found by the next process.
"""

import asyncio
import time
from functools import partial
from typing import assert_never

import prometheus_client

from backgroundtask.aws import Clouds, Pacing, rates_of
from backgroundtask.controller import leadership, metrics, probes
from backgroundtask.controller.context import Context, log
from backgroundtask.controller.figures import FIGURES
from backgroundtask.controller.footprint import keep_what_is_here, share_heaps
from backgroundtask.controller.health import Health, keep_asking, keep_beating
from backgroundtask.controller.keys import Key, RepositoryKey, ResyncKey, TaskKey, TemplateKey
from backgroundtask.controller.leadership import Leadership
from backgroundtask.controller.orphans import Orphans
from backgroundtask.controller.repositories import Repositories
from backgroundtask.controller.resync import Resync
from backgroundtask.controller.settings import Settings
from backgroundtask.controller.takeover import Doubts
from backgroundtask.controller.tasks import Tasks
from backgroundtask.controller.templates import Templates
from backgroundtask.controller.tracker import Tracker
from backgroundtask.controller.watch import Watcher, watch
from backgroundtask.controller.workers import Reconcile, Workers
from backgroundtask.controller.workqueue import WorkQueue
from backgroundtask.errors import Blocked
from backgroundtask.kube.cache import KINDS, Cache
from backgroundtask.kube.client import connect
from backgroundtask.kube.events import Recorder
from backgroundtask.kube.resource import RUNS, TASKS, TEMPLATES

FINISH = 12.0
"""Seconds for the keys in work, and for the long polls."""
ACKNOWLEDGE = 2.0
"""Seconds for the messages that are stored, and as many for the Events for people."""
RELEASE = 1.5
"""Seconds to give the lease back."""


def run(settings: Settings) -> int:
    """Run the controller until SIGTERM or SIGINT; the exit code of the process.

    Raises:
        Expected: it cannot begin: no credentials, no CRDs, no rights.
    """
    share_heaps()
    health = Health()
    probes.serve(settings.health_port, health)
    leads = leadership.of(settings)
    context = _context(settings, leads, health)
    tracker = Tracker(context)
    doubts = Doubts(context)
    workers = Workers(context.queue, _dispatch(context, tracker, doubts), count=settings.workers)
    health.follow(workers, leads, tracker, context.recorder)
    _list(context)
    health.listed()
    _serve_metrics(settings.metrics_port)
    metrics.measure(lambda: context.queue.depth() if leads.is_leading else (0, 0.0))
    metrics.measure_lease(lambda: leads.is_leading, leads.renewed_seconds_ago)
    metrics.measure_events(lambda: context.recorder.dropped)
    if settings.task_metrics:
        FIGURES.name_tasks()
    keep_asking(health.api_server, context.kube.cluster_uid)
    keep_what_is_here()
    leads.start(lambda: _act(context, workers, doubts))
    try:
        asyncio.run(_watch(context, health))
    finally:
        finished = stop(context, tracker, workers)
        leads.stop(release=finished, timeout=RELEASE)
    return 0 if finished else 1


def _act(context: Context, workers: Workers, doubts: Doubts) -> None:
    """Work on all that was queued by now; the looks in bulk have their whole period before them."""
    if context.settings.leader_elect:
        doubts.begin()
    context.queue.add_after(ResyncKey(), context.settings.resync)
    watcher = Watcher(context)
    for _, template in context.cache.keys(TEMPLATES):
        watcher.expect_look(template)
    workers.start()


def _context(settings: Settings, leads: Leadership, health: Health) -> Context:
    kube = connect(
        kubeconfig=settings.kubeconfig,
        context=settings.context,
        threads=settings.workers,
        before_write=leads.before_write,
        on_call=partial(_told, health),
    )
    queue = WorkQueue[Key]()
    return Context(
        settings=settings,
        kube=kube,
        queue=queue,
        cache=Cache(),
        clouds=Clouds(
            installation=settings.installation,
            threads=settings.workers,
            on_call=metrics.aws_call,
            pacing=Pacing(rates_of(settings.aws_rates), on_wait=metrics.aws_paced, on_turn=queue.hasten),
            before_write=leads.before_write,
        ),
        recorder=Recorder(kube, component="backgroundtask-operator"),
        cluster_uid=kube.cluster_uid(),
        is_leading=lambda: leads.is_leading,
    )


def _dispatch(context: Context, tracker: Tracker, doubts: Doubts) -> Reconcile:
    orphans = Orphans(context)
    tasks = Tasks(context, orphans)
    templates = Templates(context, tracker)
    repositories = Repositories(context)
    resync = Resync(context, tasks.suspect, tasks.is_retiring, orphans)

    def reconcile(key: Key) -> None:
        match key:
            case TaskKey():
                doubts.settle(key)
                tasks.reconcile(key)
            case TemplateKey():
                templates.reconcile(key)
            case RepositoryKey():
                repositories.reconcile(key)
            case ResyncKey():
                resync.reconcile(key)
            case _:
                assert_never(key)

    def paced(key: Key) -> None:
        with context.pace(key):
            reconcile(key)

    return paced


def _list(context: Context) -> None:
    """Fill the cache and queue every key: templates first, as tasks cannot do without."""
    watcher = Watcher(context)
    for resource in KINDS:
        for body in context.kube.list(resource):
            watcher.see(resource, None, body)
    counts = context.cache.counts()
    log.info(
        "Watching %d templates, %d tasks and %d runs as installation %s",
        counts[TEMPLATES], counts[TASKS], counts[RUNS], context.settings.installation,
    )  # fmt: skip


def _serve_metrics(port: int) -> None:
    if not port:
        return
    try:
        prometheus_client.start_http_server(port, addr=probes.EVERYWHERE, registry=metrics.REGISTRY)
    except OSError as e:
        raise Blocked("PortUnavailable", f"Port {port} of /metrics cannot be used: {e.strerror}.") from e


def _told(health: Health, resource: str, verb: str, code: str) -> None:
    metrics.api_call(resource, verb, code)
    health.called(code)


async def _watch(context: Context, health: Health) -> None:
    ready = asyncio.Event()
    beside = [asyncio.create_task(one) for one in (_tell_ready(ready, health), keep_beating(health.loop))]
    await watch(context, ready=ready)
    for one in beside:
        one.cancel()


async def _tell_ready(ready: asyncio.Event, health: Health) -> None:
    await ready.wait()
    health.watched()
    log.info("Controller is ready")


def stop(context: Context, tracker: Tracker, workers: Workers) -> bool:
    """End what `run` started, within FINISH and twice ACKNOWLEDGE; False where work was cut off."""
    log.info("Stopping: finishing what is under way")
    end = time.monotonic() + FINISH
    tracker.stop_receiving()
    context.queue.close()
    finished = workers.join(FINISH)
    tracker.stop(max(end - time.monotonic(), 0.0) + ACKNOWLEDGE)
    context.recorder.stop(ACKNOWLEDGE)
    log.info("Stopped" if finished else "Stopped before all work was finished: the next start takes it up")
    return finished
