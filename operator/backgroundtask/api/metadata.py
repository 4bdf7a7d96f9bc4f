"""What Kubernetes keeps about every object, as far as the operator reads it.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
"""

from pydantic import Field

from backgroundtask.api.model import Model


class OwnerReference(Model):
    """The object that this one is deleted with."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


class ObjectMeta(Model):
    """The metadata of an object; `namespace` is empty for cluster-scoped ones."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = Field((), strict=False)
    owner_references: tuple[OwnerReference, ...] = Field((), strict=False)
