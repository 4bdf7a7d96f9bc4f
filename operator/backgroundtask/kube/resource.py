"""The nouns of the API server: which resources there are, which object is meant, what is asked and what was answered.

Knows paths and the shape of an answer; refuses to know connections, credentials and what an answer means for us
(`refusal`). Objects are plain dicts as the API server writes them: whoever needs a field's meaning parses it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

from backgroundtask.api import names

Body = dict[str, Any]
"""A Kubernetes object, or a part of one, as JSON."""

OK: Final = range(200, 300)
NOT_FOUND: Final = 404
CONFLICT: Final = 409
EXPIRED: Final = 410
UNPROCESSABLE: Final = 422

_METHODS: Final = {
    "get": "GET",
    "list": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
}


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object that the API server serves; the group defaults to ours."""

    plural: str
    kind: str
    namespaced: bool = True
    api_version: str = names.API_VERSION

    @property
    def root(self) -> str:
        """Where the API server serves the group: the core group has a root of its own."""
        prefix = "apis" if "/" in self.api_version else "api"
        return f"/{prefix}/{self.api_version}"


TASKS: Final = Resource(names.TASK_PLURAL, names.TASK_KIND)
RUNS: Final = Resource(names.RUN_PLURAL, names.RUN_KIND)
TEMPLATES: Final = Resource(names.TEMPLATE_PLURAL, names.TEMPLATE_KIND, namespaced=False)
REPOSITORIES: Final = Resource(names.REPOSITORY_PLURAL, names.REPOSITORY_KIND)
EVENTS: Final = Resource("events", "Event", api_version="v1")
LEASES: Final = Resource("leases", "Lease", api_version="coordination.k8s.io/v1")
NAMESPACES: Final = Resource("namespaces", "Namespace", namespaced=False, api_version="v1")


@dataclass(frozen=True, slots=True)
class Ref:
    """One object; `namespace` is empty for cluster-scoped kinds.

    `uid` keeps a write from reaching a namesake that was created later. `resource_version`, where it is set, keeps it
    from overwriting what someone else wrote since.
    """

    resource: Resource
    namespace: str
    name: str
    uid: str
    resource_version: str | None = None

    @classmethod
    def of(cls, resource: Resource, body: Mapping[str, Any], *, fenced: bool = False) -> Self:
        """The object that `body` shows; `fenced` insists on its being exactly as `body` shows it."""
        metadata = body["metadata"]
        version = metadata["resourceVersion"] if fenced else None
        return cls(resource, metadata.get("namespace", ""), metadata["name"], metadata["uid"], version)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the API server; `verb` is RBAC's word for it."""

    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: Mapping[str, str] | None = None
    body: Any = None
    content_type: str = "application/json"
    accept: str = "application/json"

    @property
    def method(self) -> str:
        """The HTTP method of the verb."""
        return _METHODS[self.verb]

    @property
    def is_write(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"

    @property
    def path(self) -> str:
        """Path and query; each part is quoted, so that no name can leave its place."""
        parts = [self.resource.root]
        if self.resource.namespaced and self.namespace:
            parts += ["namespaces", quote(self.namespace, safe="")]
        parts += [quote(part, safe="") for part in (self.resource.plural, self.name, self.subresource) if part]
        path = "/".join(parts)
        return f"{path}?{urlencode(self.query)}" if self.query else path

    @property
    def rbac(self) -> str:
        """The resource as a Role spells it, with its subresource."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said. `body` is empty where it was not a JSON object."""

    status: int
    body: Body
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return self.status in OK

    @property
    def reason(self) -> str:
        """Kubernetes' word for a refusal, as in `Status.reason`."""
        return str(self.body.get("reason", ""))

    @property
    def causes(self) -> list[Body]:
        """What a refusal names as its causes, as in `Status.details.causes`."""
        causes: list[Body] = (self.body.get("details") or {}).get("causes") or []
        return causes

    def is_absence_of(self, request: Request) -> bool:
        """Whether this proves that the object of `request` is not there.

        Only the API server's own `Status` that names this very object is a proof: a 404 is also what a proxy, a missing
        CRD or a missing namespace answers.
        """
        details = self.body.get("details") or {}
        named = (details.get("kind"), details.get("name")) == (request.resource.plural, request.name)
        return self.status == NOT_FOUND and self.reason == "NotFound" and named
