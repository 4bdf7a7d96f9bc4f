"""The Lease that says which of several processes acts: its record, who may take it, and how it is read and written.

Knows client-go's protocol, so that every tool shows it as any controller's; refuses to know threads and what a holder
does. No clock of another machine is believed: a lease is over when its record was *seen* unchanged for its whole
duration, and each write is fenced by the version that its writer saw.
https://github.com/kubernetes/client-go/blob/v0.36.0/tools/leaderelection/leaderelection.go
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from backgroundtask.kube.login import login
from backgroundtask.kube.refusal import refusal
from backgroundtask.kube.resource import CONFLICT, LEASES, Answer, Body, Request
from backgroundtask.kube.transport import OnCall, Transport, pooled, tell_nobody

NOBODY: Final = ""
"""The holder of a lease that was given back."""
RELEASED_SECONDS: Final = 1
"""client-go's duration of a lease that was given back: the API server refuses 0."""
_PARTS: Final = 4  # connecting and reading take half of the renew deadline at most, so that there is a second try


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a Lease says (coordination.k8s.io/v1, LeaseSpec). Seconds; times as the holder's clock told them.

    Two records are equal where nothing was written between them.
    """

    holder: str
    duration: int
    acquired: str
    renewed: str
    transitions: int = 0

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """The record of a Lease; members that somebody removed by hand count as nobody, and as no time."""
        spec = body.get("spec") or {}
        return cls(
            holder=spec.get("holderIdentity") or NOBODY,
            duration=spec.get("leaseDurationSeconds") or 0,
            acquired=spec.get("acquireTime") or "",
            renewed=spec.get("renewTime") or "",
            transitions=spec.get("leaseTransitions") or 0,
        )

    def as_spec(self) -> Body:
        """The members of LeaseSpec that we write."""
        return {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self.duration,
            "acquireTime": self.acquired,
            "renewTime": self.renewed,
            "leaseTransitions": self.transitions,
        }


@dataclass(frozen=True, slots=True)
class Acquire:
    """Nobody holds it: write us into it, if nobody is faster."""


@dataclass(frozen=True, slots=True)
class Renew:
    """It is ours: say that we are still there."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody else holds it, and for `seconds` more if nothing is heard of them."""

    seconds: float


Decision = Acquire | Renew | Wait


def decide(record: Record | None, *, observed_at: float, now: float, identity: str) -> Decision:
    """What the candidate `identity` does about a record that is as it is since `observed_at`; None: there is none.

    Both times are seconds of the candidate's own monotonic clock; `observed_at` is no earlier than the record's write.
    """
    if record is None or record.holder == NOBODY:
        return Acquire()
    if record.holder == identity:
        return Renew()
    left = observed_at + record.duration - now
    return Wait(left) if left > 0 else Acquire()


def microtime(moment: datetime) -> str:
    """A time as Kubernetes' MicroTime, `2026-01-31T12:00:00.000000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Lease:
    """One Lease object. For one thread; raises `Busy` and `Blocked` as `refusal` says."""

    def __init__(self, transport: Transport, *, namespace: str, name: str) -> None:
        self._transport = transport
        self._namespace = namespace
        self._name = name

    def __str__(self) -> str:
        return f"{self._namespace}/{self._name}"

    def read(self) -> Body | None:
        """The newest state (a quorum read), or None where the API server proves that there is none."""
        request = Request("get", LEASES, self._namespace, self._name)
        answer = self._transport.send(request)
        return None if answer.is_absence_of(request) else _done(request, answer)

    def write(self, record: Record, before: Mapping[str, Any] | None) -> Body | None:
        """Replace the Lease `before`, or create it where that is None; None where somebody else wrote since.

        What others put into the object (labels, owners) stays.
        """
        request = self._creation(record) if before is None else self._update(record, before)
        answer = self._transport.send(request)
        if answer.status == CONFLICT or answer.is_absence_of(request):
            return None
        return _done(request, answer)

    def _creation(self, record: Record) -> Request:
        metadata = {"name": self._name, "namespace": self._namespace}
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": metadata,
            "spec": record.as_spec(),
        }
        return Request("create", LEASES, self._namespace, body=body)

    def _update(self, record: Record, before: Mapping[str, Any]) -> Request:
        body = {**before, "spec": {**(before.get("spec") or {}), **record.as_spec()}}
        return Request("update", LEASES, self._namespace, self._name, body=body)


def connect(
    *,
    kubeconfig: str | None,
    context: str | None,
    namespace: str,
    name: str,
    deadline: float,
    on_call: OnCall = tell_nobody,
) -> Lease:
    """A Lease over a connection and credentials of its own, for a holder that has to renew within `deadline` seconds.

    `on_call` is told of every request.

    Raises:
        Blocked: no usable credentials.
    """
    own = login(kubeconfig=kubeconfig, context=context)
    seconds = deadline / _PARTS
    transport = pooled(own, connections=1, on_call=on_call, timeouts=(seconds, seconds))
    return Lease(transport, namespace=namespace, name=name)


def _done(request: Request, answer: Answer) -> Body:
    if not answer.ok:
        raise refusal(request, answer)
    return answer.body
