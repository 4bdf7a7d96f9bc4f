"""Which Events are worth a write: repeats are counted, floods are cut. Pure: the time is an argument.

The rules and numbers are client-go's EventCorrelator, so that people see here what they see of every controller:
https://github.com/kubernetes/client-go/blob/v0.36.0/tools/record/events_cache.go. Refuses to know the API server.
"""

import zlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from backgroundtask.kube.resource import Body, Ref

REPEATS_WITHIN: Final = timedelta(minutes=10)
BURST: Final = 25
REFILL: Final = timedelta(minutes=5)
MOST_REMEMBERED: Final = 4096
"""Kinds of Events, and objects: client-go's size of its cache."""

WARNING: Final = "Warning"
HOME_OF_CLUSTER_SCOPED: Final = "default"
"""The namespace of Events about cluster-scoped objects: the API server accepts no other."""
LONGEST_NAME: Final = 225
"""Leaves room for the time behind it in the 253 characters of an object's name."""

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to an object, for people. Equal happenings are repeats of each other."""

    ref: Ref
    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Record:
    """The Event object of a happening: its name, and how often and when it happened.

    `uid` is empty until the API server has the Event.
    """

    happening: Happening
    name: str
    count: int
    first: datetime
    last: datetime
    uid: str = ""

    @property
    def namespace(self) -> str:
        """Where the Event lives."""
        return self.happening.ref.namespace or HOME_OF_CLUSTER_SCOPED

    def as_event(self, component: str) -> Body:
        """The Event, as core/v1: `kubectl describe` and `kubectl get events` show its `count` and times best."""
        ref = self.happening.ref
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "involvedObject": {
                "apiVersion": ref.resource.api_version,
                "kind": ref.resource.kind,
                "namespace": ref.namespace,
                "name": ref.name,
                "uid": ref.uid,
            },
            "type": self.happening.type,
            "reason": self.happening.reason,
            "message": self.happening.message,
            "source": {"component": component},
            "reportingComponent": component,
            "reportingInstance": component,
            "firstTimestamp": _rfc3339(self.first),
            **self.as_repeat(),
        }

    def as_repeat(self) -> Body:
        """What a repeat changes in the Event that is already there."""
        return {"count": self.count, "lastTimestamp": _rfc3339(self.last)}


class Correlator:
    """What was recorded lately. For one thread."""

    def __init__(self) -> None:
        self._records: OrderedDict[Happening, Record] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def record(self, happening: Happening, now: datetime) -> Record | None:
        """The record to write: with a UID it is a repeat of an Event that is there; `None` is one too many."""
        bucket = self._buckets.get(happening.ref.uid, _Bucket(float(BURST), now)).at(now)
        if bucket.tokens < 1:
            return None
        _remember(self._buckets, happening.ref.uid, replace(bucket, tokens=bucket.tokens - 1))
        known = self._records.get(happening)
        if known is None or now - known.last > REPEATS_WITHIN:
            record = first(happening, now)
        else:
            record = replace(known, count=known.count + 1, last=now)
        _remember(self._records, happening, record)
        return record

    def written(self, record: Record, uid: str) -> None:
        """Note that the API server has the Event of `record`, so that repeats count it up."""
        _remember(self._records, record.happening, replace(record, uid=uid))


def first(happening: Happening, now: datetime) -> Record:
    """The record of a happening that has no Event yet, or none any more: the API server keeps Events an hour."""
    return Record(happening, _name(happening, now), 1, now, now)


@dataclass(frozen=True, slots=True)
class _Bucket:
    """How many Events an object may still have."""

    tokens: float
    since: datetime

    def at(self, now: datetime) -> "_Bucket":
        if now <= self.since:
            return self  # the clock was set back: what has been refilled is not refilled again
        return _Bucket(min(float(BURST), self.tokens + (now - self.since) / REFILL), now)


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > MOST_REMEMBERED:
        memory.popitem(last=False)


def _name(happening: Happening, now: datetime) -> str:
    """Unique among Events: client-go's `<object>.<time>`, and what tells happenings of one microsecond apart."""
    what = zlib.crc32(f"{happening.ref.uid} {happening.reason} {happening.message}".encode())
    return f"{happening.ref.name[:LONGEST_NAME]}.{int(now.timestamp() * 1_000_000):x}{what:08x}"


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
