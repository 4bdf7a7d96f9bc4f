"""What the operator may do in the cluster: its rights, one by one, and how the API server is asked whether it has them.

The table is the law that manifests and docs are held to; nothing here grants anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from backgroundtask.api import names
from backgroundtask.errors import Busy
from backgroundtask.kube.client import Kube
from backgroundtask.kube.resource import Resource

_REVIEWS: Final = "authorization.k8s.io/v1"
_OWN: Final = Resource("selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False, api_version=_REVIEWS)
_ANYBODYS: Final = Resource("subjectaccessreviews", "SubjectAccessReview", namespaced=False, api_version=_REVIEWS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """Verbs on a resource, as a Role spells it (`backgroundtasks/status`).

    `name` is the only object of the kind that it is needed for. `only_here`: in one namespace, that of the Lease.
    """

    group: str
    resource: str
    verbs: tuple[str, ...]
    name: str = ""
    only_here: bool = False


RIGHTS: Final = (
    Right(group=names.GROUP, resource=names.TASK_PLURAL, verbs=("get", "list", "watch", "patch")),
    Right(group=names.GROUP, resource=names.TEMPLATE_PLURAL, verbs=("get", "list", "watch", "patch")),
    Right(group=names.GROUP, resource=names.REPOSITORY_PLURAL, verbs=("get", "list", "watch", "patch")),
    Right(group=names.GROUP, resource=names.RUN_PLURAL, verbs=("get", "list", "watch", "create", "patch", "delete")),
    *(
        Right(group=names.GROUP, resource=f"{plural}/status", verbs=("patch",))
        for plural in (names.TASK_PLURAL, names.RUN_PLURAL, names.TEMPLATE_PLURAL, names.REPOSITORY_PLURAL)
    ),
    Right(group="", resource="events", verbs=("create", "patch")),
    Right(group="", resource="namespaces", verbs=("get",), name="kube-system"),
    Right(group="coordination.k8s.io", resource="leases", verbs=("get", "create", "update"), only_here=True),
)


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Whose rights are asked about, where it is not one's own."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def missing(kube: Kube, account: ServiceAccount | None, *, lease_namespace: str) -> Iterator[tuple[str, Right]]:
    """The verbs that are not granted, each with its right: to a ServiceAccount, or to whoever asks.

    Raises:
        Blocked: one may not ask: about others that takes the right to create subjectaccessreviews.
        Busy: the API server does not answer.
    """
    for right in RIGHTS:
        for verb in right.verbs:
            if not _is_granted(kube, right, verb, account, lease_namespace):
                yield verb, right


def _is_granted(kube: Kube, right: Right, verb: str, account: ServiceAccount | None, lease_namespace: str) -> bool:
    resource, _, subresource = right.resource.partition("/")
    wanted = {"verb": verb, "group": right.group, "resource": resource, "subresource": subresource}
    place = {"namespace": lease_namespace} if right.only_here else {}
    # The API server takes no create of a name as one of that object: a Role with resourceNames cannot grant it.
    name = {"name": right.name} if right.name and verb != "create" else {}
    spec: dict[str, object] = {"resourceAttributes": {**wanted, **place, **name}}
    kind = _OWN if account is None else _ANYBODYS
    if account is not None:
        spec |= {
            "user": f"system:serviceaccount:{account.namespace}:{account.name}",
            "groups": [
                "system:serviceaccounts",
                f"system:serviceaccounts:{account.namespace}",
                "system:authenticated",
            ],
        }
    body = {"apiVersion": _REVIEWS, "kind": kind.kind, "metadata": {"name": ""}, "spec": spec}
    answer, _ = kube.create(kind, body)
    status = answer.get("status")
    if not isinstance(status, dict):
        raise Busy("Unavailable", "The API server does not say whether it is allowed.")
    return bool(status.get("allowed"))
