"""What Prometheus is told. Labels are words of ours, of AWS or of the platform team, never a tenant's text or name.

Runs are counted in `run_metrics`, tasks in `figures`.
"""

import contextlib
import importlib.metadata
import platform
import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

# Nobody asks when a counter was made, and it is a series more for each.
disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
REGISTRY = CollectorRegistry()

_READS = frozenset({"get", "list"})

RECONCILES = Counter(
    "bgt_reconciles_total", "Reconciles by kind of key and how they ended.", ["kind", "outcome"], registry=REGISTRY
)
RECONCILE_SECONDS = Histogram(
    "bgt_reconcile_seconds", "Seconds that a reconcile took, by kind of key.", ["kind"], registry=REGISTRY
)
QUEUE_DEPTH = Gauge("bgt_queue_depth", "Keys that wait for a worker.", registry=REGISTRY)
QUEUE_OLDEST = Gauge("bgt_queue_oldest_seconds", "Seconds that the oldest of them has waited.", registry=REGISTRY)
AWS_CALLS = Counter(
    "bgt_aws_calls_total", "Calls to AWS by operation and error code (OK for none).", ["operation", "code"],
    registry=REGISTRY,
)  # fmt: skip
AWS_PACED = Counter(
    "bgt_aws_paced_seconds_total",
    "Seconds that calls to AWS waited for their turn, by the bucket that they share.",
    ["category"],
    registry=REGISTRY,
)
AWS_SECONDS = Histogram("bgt_aws_call_seconds", "Seconds of a call to AWS.", ["operation"], registry=REGISTRY)
DUPLICATES = Counter("bgt_duplicate_tasks_total", "ECS tasks beyond the first for one slot.", registry=REGISTRY)
SLOTS = Counter(
    "bgt_slots_total",
    "Runs that were made for slots of schedules, by what told of the slot first: task (its ECS task), tick, deadletter "
    "(Scheduler gave it up), watchdog (nobody). Each ends once: they are the runs of trigger schedule.",
    ["told_by"],
    registry=REGISTRY,
)
for _teller in ("task", "tick", "deadletter", "watchdog"):
    SLOTS.labels(_teller)
SLOTS_UNACCOUNTED = Gauge(
    "bgt_slots_unaccounted",
    "Slots of schedules that have no run though it is past time to have looked for them, at the last look at all "
    "tasks: 0 where all is well.",
    registry=REGISTRY,
)
MESSAGES = Counter(
    "bgt_messages_total",
    "Messages of the queues: stored, dropped (of no task that we know), malformed (left to the poison queue), "
    "undelivered (a launch that Scheduler gave up), failed (a bug, left to the poison queue), late (not stored before "
    "the visibility timeout: it comes again).",
    ["fate"],
    registry=REGISTRY,
)
FULL = Counter(
    "bgt_reader_full_seconds_total",
    "Seconds that a queue was not read, as too many of its messages were not stored yet.",
    registry=REGISTRY,
)
POISON = Gauge(
    "bgt_poison_messages",
    "Messages that wait for people in a poison queue (by ARN), as SQS counted them at the last look at its AWS.",
    ["queue"],
    registry=REGISTRY,
)
ORPHANS = Gauge(
    "bgt_orphans",
    "Things in AWS that bear our mark and have no BackgroundTask, by kind: schedule or definition.",
    ["kind"],
    registry=REGISTRY,
)
ORPHANS_TAKEN = Counter(
    "bgt_orphans_taken_total", "Owners without a BackgroundTask whose things in AWS were deleted.", registry=REGISTRY
)
ORPHANS_OVER_CAP = Gauge(
    "bgt_orphans_over_cap", "Owners without a BackgroundTask, where they are too many at once to be believed; else 0.",
    registry=REGISTRY,
)  # fmt: skip
API_WRITES = Counter(
    "bgt_api_writes_total",
    "Writes to the API server by resource, verb and HTTP status (Unreachable for no answer).",
    ["resource", "verb", "code"],
    registry=REGISTRY,
)
LOOP_LAG = Histogram(
    "bgt_loop_lag_seconds", "Seconds by which the event loop of the watches came late to its own beat.",
    registry=REGISTRY, buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0),
)  # fmt: skip
BUILD = Gauge("bgt_build_info", "1; its labels say what runs.", ["version", "python"], registry=REGISTRY)
BUILD.labels(importlib.metadata.version("backgroundtask-operator"), platform.python_version()).set(1)
ProcessCollector(registry=REGISTRY)
EVENTS_DROPPED = Gauge(
    "bgt_events_dropped", "Events for people that were not written since the start: floods, refusals.",
    registry=REGISTRY,
)  # fmt: skip

LEADER = Gauge("bgt_leader", "1 while this process leads, 0 while it stands by.", registry=REGISTRY)
LEASE_TRANSITIONS = Counter(
    "bgt_lease_transitions_total", "Changes of the leader that this process saw.", registry=REGISTRY
)
LEASE_RENEWED = Gauge(
    "bgt_lease_renewed_seconds_ago", "Seconds since the last successful renewal began; -1 where there was none.",
    registry=REGISTRY,
)  # fmt: skip


@contextlib.contextmanager
def reconciling(kind: str) -> Iterator[None]:
    """Time a reconcile."""
    start = time.monotonic()
    try:
        yield
    finally:
        RECONCILE_SECONDS.labels(kind).observe(time.monotonic() - start)


def measure(depth: Callable[[], tuple[int, float]]) -> None:
    """Ask `depth` how many keys wait, and for how many seconds the oldest has, whenever Prometheus asks us."""
    QUEUE_DEPTH.set_function(lambda: depth()[0])
    QUEUE_OLDEST.set_function(lambda: depth()[1])


def measure_events(dropped: Callable[[], int]) -> None:
    """Ask `dropped` how many Events were not written since the start, whenever Prometheus asks us."""
    EVENTS_DROPPED.set_function(dropped)


def measure_lease(is_leading: Callable[[], bool], renewed_seconds_ago: Callable[[], float | None]) -> None:
    """Ask whether we lead, and how old the last renewal is, whenever Prometheus asks us."""
    LEADER.set_function(is_leading)
    LEASE_RENEWED.set_function(lambda: -1.0 if (seconds := renewed_seconds_ago()) is None else seconds)


def aws_paced(category: str, seconds: float) -> None:
    """Count what a call to AWS, or the work that it is made for, has waited for its turn."""
    AWS_PACED.labels(category).inc(seconds)


def aws_call(operation: str, code: str, seconds: float) -> None:
    """Count one attempt at a call to AWS."""
    AWS_CALLS.labels(operation, code).inc()
    AWS_SECONDS.labels(operation).observe(seconds)


def api_call(resource: str, verb: str, code: str) -> None:
    """Count one request to the API server where it may change something (`kube.transport.OnCall`)."""
    if verb not in _READS:
        API_WRITES.labels(resource, verb, code).inc()
