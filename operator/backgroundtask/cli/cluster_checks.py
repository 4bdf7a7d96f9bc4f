"""Whether the cluster is as the operator needs it: CRDs of this version, and its rights. Nothing is changed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from backgroundtask.api.crds import crd_documents
from backgroundtask.api.names import VERSION
from backgroundtask.cli.findings import Finding, doubtful, looked, well, wrong
from backgroundtask.kube.client import Kube
from backgroundtask.kube.resource import Resource
from backgroundtask.kube.rights import Right, ServiceAccount, missing

CRDS: Final = Resource(
    "customresourcedefinitions", "CustomResourceDefinition", namespaced=False, api_version="apiextensions.k8s.io/v1"
)
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


def _said(right: Right, lease_namespace: str) -> str:
    group = f" of {right.group}" if right.group else ""
    place = f" in namespace {lease_namespace}" if right.only_here else ""
    return f"{right.resource}{group}{f' {right.name}' if right.name else ''}{place}"
