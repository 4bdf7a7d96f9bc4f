"""What the cache keeps of an object: the parts that decisions need, compressed, and whether two states of it differ.

Pure. Refuses to know which object is newer. Most of what the API server stores beside spec and status (managedFields,
the last applied configuration) is longer than the object itself and decides nothing.
"""

import enum
import json
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Self

from backgroundtask.api import names
from backgroundtask.kube.resource import Body

METADATA: Final = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
    "labels",
    "ownerReferences",
)
GITOPS_ANNOTATIONS: Final = frozenset({"argocd.argoproj.io/tracking-id", "meta.helm.sh/release-name"})
"""They tell what keeps an object in Git; the labels that do are kept with all labels."""
FASTEST: Final = 1
"""zlib's level: a higher one saves 4 % of the bytes for twice the time."""
MOST_UNPACKED: Final = 256
"""How many objects are also kept as they are: those that the passes under way read, which takes less than 1 MB."""


class Change(enum.Enum):
    """What a newer state of an object brings."""

    NEW = enum.auto()
    """Not seen before, or another object of the same name."""
    CHANGED = enum.auto()
    """Something of it that is kept is another."""
    GONE = enum.auto()
    """It no longer exists."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One object in one state; `follows` is the name of what it depends on: a run's task, a task's template.

    `packed` is without the resourceVersion: it is equal where nothing that is kept has changed.
    """

    uid: str
    version: int
    follows: str
    packed: bytes

    @classmethod
    def of(cls, kept: Body) -> Self:
        """Pack what `keep` left of an object."""
        unversioned = {key: value for key, value in kept["metadata"].items() if key != "resourceVersion"}
        plain = json.dumps({**kept, "metadata": unversioned}, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        follows = sys.intern(kept["spec"].get("task") or kept["spec"].get("launchTemplate") or "")
        return cls(kept["metadata"]["uid"], version_of(kept), follows, zlib.compress(plain.encode(), FASTEST))

    def body(self) -> Body:
        """The object, made anew for each caller: who changes it changes nothing else."""
        body: Body = json.loads(_unpacked(self.packed))
        body["metadata"]["resourceVersion"] = str(self.version)
        return body


@lru_cache(maxsize=MOST_UNPACKED)
def _unpacked(packed: bytes) -> bytes:
    """The JSON of an object.

    A pass reads the same few again and again, and each inflation lets go of the interpreter's lock, which all other
    threads want: to get it back takes longer than to inflate.
    """
    return zlib.decompress(packed)


def version_of(body: Mapping[str, Any]) -> int:
    """The resourceVersion, as a number: newer is greater.

    The API promises the order since Kubernetes 1.35 (KEP-5504); etcd's revisions always had it.
    """
    return int(body["metadata"]["resourceVersion"])


def is_over(body: Mapping[str, Any]) -> bool:
    """Whether the state is an object's last: deleted, and nobody holds it any more.

    The answer to the patch that removes the last finalizer looks like this.
    """
    metadata = body["metadata"]
    return bool(metadata.get("deletionTimestamp")) and not metadata.get("finalizers")


def keep(body: Mapping[str, Any]) -> Body:
    """The parts of an object that decisions need; annotations, spec and status are there even if empty."""
    metadata = body["metadata"]
    kept = {key: metadata[key] for key in METADATA if key in metadata}
    annotations = metadata.get("annotations") or {}
    kept["annotations"] = {key: value for key, value in annotations.items() if _is_kept(key)}
    return {"metadata": kept, "spec": body.get("spec") or {}, "status": body.get("status") or {}}


def _is_kept(annotation: str) -> bool:
    return annotation.startswith(names.TAG_PREFIX) or annotation in GITOPS_ANNOTATIONS
