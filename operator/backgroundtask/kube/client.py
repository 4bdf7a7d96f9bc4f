"""Reads and writes of Kubernetes objects: what the operator asks of the API server, one method a question.

Knows optimistic concurrency, absence and paging; refuses to know what the objects mean. Objects are plain dicts.
Every write is repeatable, and none can reach another object than the one that its caller saw: each carries the UID.
All methods are synchronous, thread-safe and bounded in time, and raise `Busy` or `Blocked` as `refusal` says.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from backgroundtask.errors import Busy
from backgroundtask.kube.login import Credentials, login
from backgroundtask.kube.refusal import Words, is_conflict, personal_refusal, refusal
from backgroundtask.kube.resource import CONFLICT, EXPIRED, NAMESPACES, Answer, Body, Ref, Request, Resource
from backgroundtask.kube.transport import BeforeWrite, OnCall, Timeouts, Transport, pooled, tell_nobody, unfenced

PAGE: Final = 100
"""Objects a page. With client-go's 500 a start with 700 tasks leaves the process 4 MB larger, for good."""
OTHER_THREADS: Final = 2
"""Who else uses the connections: the one that writes Events, and of the readers of queues one at a time."""
MOST_EXPIRIES: Final = 5
"""How often one listing may outlive the API server's memory before it is given up."""
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
NAMES_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
"""https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches"""


def connect(
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    threads: int = 8,
    on_call: OnCall = tell_nobody,
    before_write: BeforeWrite = unfenced,
) -> "Kube":
    """A client for `threads` threads, with a pod's ServiceAccount or a kubeconfig; nothing is sent yet.

    `on_call` is told of every request, `before_write` is asked before each that may change something.

    Raises:
        Blocked: no usable credentials; the message says what to provide.

    """
    identity = login(kubeconfig=kubeconfig, context=context)
    connections = threads + OTHER_THREADS
    return Kube(pooled(identity, connections=connections, on_call=on_call, before_write=before_write))


def connect_person(*, kubeconfig: str | None, context: str | None, timeouts: Timeouts) -> "Kube":
    """A client for a person at a command line: refusals are told to them, and what the API server refuses is theirs.

    `timeouts` are the seconds to connect, and to wait for an answer.

    Raises:
        Blocked: no usable credentials; the message says what to provide.

    """
    identity = login(kubeconfig=kubeconfig, context=context)
    return Kube(pooled(identity, connections=1, timeouts=timeouts), words=personal_refusal)


class Kube:
    """The API server; `page` is how many objects one answer of a listing holds at most, `words` tells refusals."""

    def __init__(self, transport: Transport, *, page: int = PAGE, words: Words = refusal) -> None:
        self._transport = transport
        self._page = page
        self._words = words

    def credentials(self) -> Credentials:
        """How we log in, as of now: tokens rotate, so ask again."""
        return self._transport.login.credentials()

    def list(self, resource: Resource, namespace: str = "", *, labels: str = "") -> Iterator[Body]:
        """Every object of a namespace, or of all of them, page by page; `labels` is a selector (`app=web`).

        A listing that outlives the API server's memory goes on from where it was in the newest state. Where the API
        server cannot do that, it begins anew, and objects may come a second time.
        """
        query = {"labelSelector": labels} if labels else {}
        return self._pages(Request("list", resource, namespace, query=query))

    def names(self, resource: Resource, namespace: str = "") -> Iterator[tuple[str, str, str, str]]:
        """(namespace, name, UID, resourceVersion) of every object, as `list` has them: a listing without contents."""
        for body in self._pages(Request("list", resource, namespace, query={}, accept=NAMES_ONLY)):
            metadata = body["metadata"]
            yield metadata.get("namespace", ""), metadata["name"], metadata["uid"], metadata["resourceVersion"]

    def get(self, resource: Resource, namespace: str, name: str) -> Body | None:
        """The newest state (a quorum read), or `None` where the API server proves that there is none."""
        request = Request("get", resource, namespace, name)
        answer = self._transport.send(request)
        return None if answer.is_absence_of(request) else self._done(request, answer)

    def create(self, resource: Resource, body: Mapping[str, Any], *, dry_run: bool = False) -> tuple[Body, bool]:
        """Create the object; where its name is taken, return what is there and `False`: the name is a lock.

        Whether what is there is ours is the caller's question. `dry_run` asks only whether it could be created
        (https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run).
        """
        metadata = body["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        query = {"dryRun": "All"} if dry_run else None
        request = Request("create", resource, namespace, query=query, body=body)
        answer = self._transport.send(request)
        if answer.status != CONFLICT or answer.reason != "AlreadyExists":
            return self._done(request, answer), True
        existing = self.get(resource, namespace, name)
        if existing is None:
            raise Busy("Conflict", f"Could not create {resource.plural}: a namesake was deleted at the same time")
        return existing, False

    def patch(self, ref: Ref, patch: Mapping[str, Any], *, subresource: str = "") -> Body | None:
        """Merge `patch` into the object (RFC 7386); `None` where the object of this UID is gone.

        Raises:
            Busy: `Conflict` where `ref` has a resourceVersion that is no longer the newest.

        """
        fence = {"uid": ref.uid} | ({"resourceVersion": ref.resource_version} if ref.resource_version else {})
        fenced = {**patch, "metadata": {**patch.get("metadata", {}), **fence}}
        request = Request("patch", ref.resource, ref.namespace, ref.name, subresource, None, fenced, MERGE_PATCH)
        return self._changed(request, ref.uid)

    def patch_status(self, ref: Ref, status: Mapping[str, Any]) -> Body | None:
        """Merge `status` into the status; as `patch`.

        In a patch of /status the API server ignores the UID, so that only a resourceVersion keeps it from a namesake: a
        `ref` without one costs a read more.
        """
        fenced = ref if ref.resource_version else self._as_it_is(ref)
        return self.patch(fenced, {"status": status}, subresource="status") if fenced else None

    def add_finalizer(self, resource: Resource, obj: Mapping[str, Any], finalizer: str) -> Body | None:
        """Add `finalizer` to the object that `obj` shows; a copy of `obj` itself if it has it, `None` if it is gone.

        Raises:
            Busy: `Conflict` where the finalizers are no longer those of `obj`.

        """
        finalizers = obj["metadata"].get("finalizers") or []
        if finalizer in finalizers:
            return dict(obj)
        # A JSON patch cannot test that a field is absent: without finalizers the resourceVersion stands for it.
        key, value = (
            ("finalizers", finalizers) if finalizers else ("resourceVersion", obj["metadata"]["resourceVersion"])
        )
        add = {"op": "add", "path": "/metadata/finalizers", "value": [*finalizers, finalizer]}
        return self._patch_json(resource, obj, [_test(key, value), add])

    def remove_finalizer(self, resource: Resource, obj: Mapping[str, Any], finalizer: str) -> Body | None:
        """Remove `finalizer` from the object that `obj` shows; as `add_finalizer`. The answer may be its last state."""
        finalizers = obj["metadata"].get("finalizers") or []
        if finalizer not in finalizers:
            return dict(obj)
        place = f"finalizers/{finalizers.index(finalizer)}"
        return self._patch_json(
            resource, obj, [_test(place, finalizer), {"op": "remove", "path": f"/metadata/{place}"}]
        )

    def delete(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        """Ask for the deletion of the object of this UID, and of what it owns in the background; gone is fine."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        self._changed(Request("delete", resource, namespace, name, body=options), uid)

    def cluster_uid(self) -> str:
        """What tells this cluster from every other: the UID of its namespace kube-system."""
        namespace = self.get(NAMESPACES, "", "kube-system")
        if namespace is None:
            raise Busy("Conflict", "The cluster has no namespace kube-system yet")
        return str(namespace["metadata"]["uid"])

    def _as_it_is(self, ref: Ref) -> Ref | None:
        live = self.get(ref.resource, ref.namespace, ref.name)
        return Ref.of(ref.resource, live, fenced=True) if live and live["metadata"]["uid"] == ref.uid else None

    def _patch_json(self, resource: Resource, obj: Mapping[str, Any], changes: Sequence[Body]) -> Body | None:
        ref = Ref.of(resource, obj)
        operations = [_test("uid", ref.uid), *changes]
        request = Request("patch", resource, ref.namespace, ref.name, body=operations, content_type=JSON_PATCH)
        return self._changed(request, ref.uid)

    def _changed(self, request: Request, uid: str) -> Body | None:
        """The object after a write that is meant for `uid` alone; `None` where that object is gone."""
        answer = self._transport.send(request)
        if answer.is_absence_of(request):
            return None
        if not is_conflict(answer):
            return self._done(request, answer)
        # Another UID under the name is refused like a conflict: only a look tells "gone" from "try again".
        live = self.get(request.resource, request.namespace, request.name)
        if live is None or live["metadata"]["uid"] != uid:
            return None
        raise self._words(request, Answer(CONFLICT, {}))

    def _pages(self, first: Request) -> Iterator[Body]:
        token, expiries = "", 0
        while True:
            paging = {"limit": str(self._page)} | ({"continue": token} if token else {})
            request = replace(first, query={**(first.query or {}), **paging})
            answer = self._transport.send(request)
            if answer.status == EXPIRED and expiries < MOST_EXPIRIES:
                token, expiries = _next(answer), expiries + 1
                continue
            yield from self._done(request, answer)["items"] or ()  # a listing of names that finds none says null
            token = _next(answer)
            if not token:
                return

    def _done(self, request: Request, answer: Answer) -> Body:
        if not answer.ok:
            raise self._words(request, answer)
        return answer.body


def _next(answer: Answer) -> str:
    """Where a listing goes on; a 410 says it, too, in the state of now instead of the one that has expired."""
    return str((answer.body.get("metadata") or {}).get("continue") or "")


def _test(key: str, value: object) -> Body:
    return {"op": "test", "path": f"/metadata/{key}", "value": value}
