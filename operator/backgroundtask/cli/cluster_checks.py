"""Whether the cluster is as the operator needs it: CRDs of this version, its rights, a leader. Nothing is changed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from backgroundtask.api.crds import crd_documents
from backgroundtask.api.names import VERSION
from backgroundtask.cli.findings import Finding, doubtful, looked, well, wrong
from backgroundtask.cli.output import ago
from backgroundtask.kube.client import Kube
from backgroundtask.kube.lease import NOBODY, Record
from backgroundtask.kube.resource import LEASES, Resource
from backgroundtask.kube.rights import Right, ServiceAccount, missing
from backgroundtask.plan.moments import moment

CRDS: Final = Resource(
    "customresourcedefinitions", "CustomResourceDefinition", namespaced=False, api_version="apiextensions.k8s.io/v1"
)
_CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""What the leader's clock and ours may be apart: it wrote when it last renewed."""
_APPLY: Final = "bgt crd | kubectl apply --server-side -f -"


def check_crds(kube: Kube) -> Iterator[Finding]:
    """The four kinds are served, and with the fields of this version."""
    for wanted in crd_documents():
        about = f"CRD {wanted['metadata']['name']}"
        yield from looked(about, partial(_check_crd, kube, about, wanted))


def _check_crd(kube: Kube, about: str, wanted: Mapping[str, Any]) -> Iterator[Finding]:
    found = kube.get(CRDS, "", wanted["metadata"]["name"])
    if found is None:
        yield wrong(about, "It is not installed.", _APPLY)
        return
    served = {one["name"]: one for one in found["spec"]["versions"] if one.get("served")}
    if VERSION not in served:
        yield wrong(about, f"It does not serve {VERSION}, but {', '.join(served) or 'nothing'}.", _APPLY)
        return
    if not _is_established(found):
        yield wrong(
            about, "The API server has not established it.", f"kubectl describe crd {wanted['metadata']['name']}"
        )
        return
    if served[VERSION]["schema"] != wanted["spec"]["versions"][0]["schema"]:
        yield doubtful(about, "Its fields are those of another version than this bgt's.", _APPLY)
        return
    yield well(about, f"{VERSION} is served, with the fields of this version.")


def _is_established(crd: Mapping[str, Any]) -> bool:
    conditions = crd.get("status", {}).get("conditions", ())
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def check_rights(kube: Kube, account: ServiceAccount | None, *, lease_namespace: str) -> Iterator[Finding]:
    """The operator's rights: those of a ServiceAccount, or of whoever asks."""
    about = f"Rights of {account}" if account else "Your rights"
    return looked(about, partial(_check_rights, kube, account, about, lease_namespace))


def _check_rights(kube: Kube, account: ServiceAccount | None, about: str, lease_namespace: str) -> Iterator[Finding]:
    lacking: defaultdict[Right, list[str]] = defaultdict(list)
    for verb, right in missing(kube, account, lease_namespace=lease_namespace):
        lacking[right].append(verb)
    for right, verbs in lacking.items():
        message = f"No right to {' '.join(verbs)} {_said(right, lease_namespace)}."
        if account is not None:
            yield wrong(
                about, message, f"Grant it to ServiceAccount {account}: docs/operations.md, Rights in Kubernetes."
            )
        else:
            yield doubtful(
                about,
                message,
                "The operator needs it, you may not: ask about it with --service-account NAMESPACE/NAME.",
            )
    if not lacking:
        yield well(about, "All that the operator needs.")


def check_leader(kube: Kube, installation: str, *, lease_namespace: str, now: datetime) -> Iterator[Finding]:
    """Somebody acts for an installation. Without a Lease there that is not known: there are operators without one."""
    name = f"bgt-{installation}"
    about = f"Lease {lease_namespace}/{name}"

    def look() -> Iterator[Finding]:
        body = kube.get(LEASES, lease_namespace, name)
        return iter(()) if body is None else _judged(about, Record.of(body), now)

    return looked(about, look)


def _judged(about: str, record: Record, now: datetime) -> Iterator[Finding]:
    renewed = moment(record.renewed)
    mend = "Start the operator, or look at what its pods log: until then schedules go on, and nothing else does."
    if record.holder == NOBODY or renewed is None:
        yield wrong(about, "No operator leads: the last one gave it back.", mend)
    elif now - renewed > timedelta(seconds=record.duration) + _CLOCKS_DIFFER:
        yield wrong(about, f"No operator leads: {record.holder} last renewed it {ago(renewed, now)}.", mend)
    else:
        yield well(about, f"{record.holder} leads.")


def _said(right: Right, lease_namespace: str) -> str:
    group = f" of {right.group}" if right.group else ""
    place = f" in namespace {lease_namespace}" if right.only_here else ""
    return f"{right.resource}{group}{f' {right.name}' if right.name else ''}{place}"
