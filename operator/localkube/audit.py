"""The API server's audit log: what it records, and how a test reads it.

Knows the log's format (audit.k8s.io/v1) and which users are the cluster's own machinery; knows nothing of processes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})

_READS = ["get", "list", "watch"]

POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi/*"]},
        {"level": "None", "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*"]},
        {"level": "None", "users": ["system:apiserver", "system:kube-controller-manager"], "verbs": _READS},
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"], "verbs": _READS},
        {"level": "Metadata"},
    ],
}
"""Who did what to which object, without contents; not the probes, the discovery and the machinery's own reads.

Rules are tried in order (https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/#audit-policy).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request, after it was answered (a watch: after it began)."""

    user: str
    verb: str
    resource: str  # "pods", or "pods/status"
    namespace: str  # "" for what is in no namespace
    name: str  # "" for lists and for a create that leaves the name to the body
    code: int

    @property
    def is_write(self) -> bool:
        """Whether the request may change an object."""
        return self.verb in WRITES


def entries(log: Path) -> Iterator[Entry]:
    """What a log holds by now, oldest first; a line that is still being written is left for the next call."""
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield parse(line)


def parse(line: str) -> Entry:
    """The entry of one line."""
    event: dict[str, Any] = json.loads(line)
    target = event.get("objectRef", {})
    resource = "/".join(filter(None, (target.get("resource", ""), target.get("subresource"))))
    return Entry(
        user=event["user"].get("username", ""),
        verb=event["verb"],
        resource=resource or event["requestURI"],
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
    )
