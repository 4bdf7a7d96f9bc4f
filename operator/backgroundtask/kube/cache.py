"""What this replica knows of the cluster's objects: the newest state of each, compact, with the two lookups it needs.

Knows which of two states is newer, whatever the order in which they arrive: from the watch, from the answers to own
writes, from a listing. Refuses to know what anyone does about a change. Thread-safe; reads cost no request and return
dicts that belong to the caller. A state that was seen is never replaced by an older one, and an object that was seen to
be gone never comes back: a UID is never used twice.
"""

import sys
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from backgroundtask.kube.resource import REPOSITORIES, RUNS, TASKS, TEMPLATES, Body, Resource
from backgroundtask.kube.snapshot import Change, Snapshot, is_over, keep, version_of

Key = tuple[str, str]
"""(namespace, name); the namespace of cluster-scoped objects is empty."""

DELETED: Final = "DELETED"
KINDS: Final = (TEMPLATES, REPOSITORIES, RUNS, TASKS)
"""All that is cached, in the order in which to list it: first what others cannot do without."""
MOST_GRAVES: Final = 4096
"""How many deletions are remembered: many times as many as there can be writes under way."""


class Cache:
    """Tasks, runs, templates and repositories."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[Resource, dict[Key, Snapshot]] = {r: {} for r in KINDS}
        self._newest: dict[Resource, int] = dict.fromkeys(self._objects, 0)
        self._graves: dict[str, None] = {}
        self._followers: dict[Resource, defaultdict[Key, set[Key]]] = {r: defaultdict(set) for r in self._objects}

    def see(self, resource: Resource, event_type: str | None, body: Mapping[str, Any]) -> Change | None:
        """Take in what a watch, a listing (`None` as type) or a write shows; return what it brings, `None` if nothing.

        `event_type` is Kubernetes': ADDED, MODIFIED, DELETED or None.
        """
        if event_type == DELETED or is_over(body):
            return self._bury(resource, body)
        with self._lock:
            if not self._is_news(resource, body):
                return None
        kept = keep(body)
        snapshot = Snapshot.of(kept)  # most of the work of taking in, and the lock is not needed for it
        with self._lock:
            return self._store(resource, kept, snapshot)

    def put(self, resource: Resource, body: Mapping[str, Any]) -> Change | None:
        """Take in the answer to an own write, so that the next read shows it before the watch does."""
        return self.see(resource, None, body)

    def task(self, namespace: str, name: str) -> Body | None:
        """The task as last seen."""
        return self._get(TASKS, (namespace, name))

    def run(self, namespace: str, name: str) -> Body | None:
        """The run as last seen."""
        return self._get(RUNS, (namespace, name))

    def template(self, name: str) -> Body | None:
        """The launch template as last seen."""
        return self._get(TEMPLATES, ("", name))

    def repository(self, namespace: str, name: str) -> Body | None:
        """The image repository as last seen."""
        return self._get(REPOSITORIES, (namespace, name))

    def runs_of(self, namespace: str, task: str) -> list[Body]:
        """The runs whose `spec.task` is this task, by name."""
        with self._lock:
            keys = sorted(self._followers[RUNS].get((namespace, task), ()))
            snapshots = [self._objects[RUNS][key] for key in keys]
        return [snapshot.body() for snapshot in snapshots]

    def tasks_using(self, template: str) -> list[Key]:
        """The keys of the tasks whose `spec.launchTemplate` is this template, in order."""
        with self._lock:
            return sorted(self._followers[TASKS].get(("", template), ()))

    def repositories_using(self, template: str) -> list[Key]:
        """The keys of the image repositories whose `spec.launchTemplate` is this template, in order."""
        with self._lock:
            return sorted(self._followers[REPOSITORIES].get(("", template), ()))

    def keys(self, resource: Resource) -> list[Key]:
        """The keys of all objects of the kind, in no order."""
        with self._lock:
            return list(self._objects[resource])

    def counts(self) -> dict[Resource, int]:
        """How many objects of each kind."""
        with self._lock:
            return {resource: len(objects) for resource, objects in self._objects.items()}

    def newest(self, resource: Resource) -> int:
        """The newest resourceVersion seen of the kind: ask before a listing begins, hand it to `unlisted` after."""
        with self._lock:
            return self._newest[resource]

    def version(self, resource: Resource, namespace: str, name: str) -> int:
        """The resourceVersion that was last seen of an object; 0 where none is known."""
        with self._lock:
            known = self._objects[resource].get((namespace, name))
        return known.version if known else 0

    def unlisted(self, resource: Resource, uids: Iterable[str], *, bound: int) -> list[Body]:
        """What a whole, fresh listing of these UIDs proves to be gone, as last seen: `see` it as DELETED.

        `bound` is what `newest` said before the listing began: what is newer may have come after the listing passed its
        place, and counts as there.
        """
        listed = set(uids)
        with self._lock:
            objects = self._objects[resource].values()
            gone = [known for known in objects if known.version <= bound and known.uid not in listed]
        return [known.body() for known in gone]

    def _get(self, resource: Resource, key: Key) -> Body | None:
        with self._lock:
            snapshot = self._objects[resource].get(key)
        return snapshot.body() if snapshot else None

    def _is_news(self, resource: Resource, body: Mapping[str, Any]) -> bool:
        known = self._objects[resource].get(_key(body))
        return body["metadata"]["uid"] not in self._graves and (known is None or known.version < version_of(body))

    def _store(self, resource: Resource, kept: Body, snapshot: Snapshot) -> Change | None:
        if not self._is_news(resource, kept):
            return None  # another thread was faster
        key, objects = _key(kept), self._objects[resource]
        known = objects.get(key)
        if known is not None and known.uid != snapshot.uid:
            self._remember_grave(known.uid)
        self._remove(resource, key)
        objects[key] = snapshot
        self._followers[resource][_leader(resource, key, snapshot)].add(key)
        self._newest[resource] = max(self._newest[resource], snapshot.version)
        if known is None or known.uid != snapshot.uid:
            return Change.NEW
        return Change.CHANGED if known.packed != snapshot.packed else None

    def _bury(self, resource: Resource, body: Mapping[str, Any]) -> Change | None:
        key, uid = _key(body), body["metadata"]["uid"]
        with self._lock:
            self._newest[resource] = max(self._newest[resource], version_of(body))
            self._remember_grave(uid)
            known = self._objects[resource].get(key)
            if known is None or known.uid != uid:
                return None
            self._remove(resource, key)
        return Change.GONE

    def _remember_grave(self, uid: str) -> None:
        self._graves[uid] = None
        if len(self._graves) > MOST_GRAVES:
            del self._graves[next(iter(self._graves))]

    def _remove(self, resource: Resource, key: Key) -> None:
        known = self._objects[resource].pop(key, None)
        if known is None:
            return
        leader, followers = _leader(resource, key, known), self._followers[resource]
        followers[leader].discard(key)
        if not followers[leader]:
            del followers[leader]


def _key(body: Mapping[str, Any]) -> Key:
    metadata = body["metadata"]
    return sys.intern(metadata.get("namespace", "")), metadata["name"]


def _leader(resource: Resource, key: Key, snapshot: Snapshot) -> Key:
    """The key of what the object depends on: runs of a task of their namespace, all else of a cluster-wide template."""
    return (key[0] if resource == RUNS else "", snapshot.follows)
