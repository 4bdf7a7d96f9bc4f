"""What Prometheus is told. Labels are words of ours or of AWS, never a tenant's text or an object's name."""

import contextlib
import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

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
AWS_SECONDS = Histogram("bgt_aws_call_seconds", "Seconds of a call to AWS.", ["operation"], registry=REGISTRY)
RUNS = Counter("bgt_runs_total", "Runs by the phase in which they ended.", ["phase"], registry=REGISTRY)
DUPLICATES = Counter("bgt_duplicate_tasks_total", "ECS tasks beyond the first for one slot.", registry=REGISTRY)
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
EVENTS_DROPPED = Gauge(
    "bgt_events_dropped", "Events for people that were not written since the start: floods, refusals.",
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


def aws_call(operation: str, code: str, seconds: float) -> None:
    """Count one attempt at a call to AWS."""
    AWS_CALLS.labels(operation, code).inc()
    AWS_SECONDS.labels(operation).observe(seconds)
