"""What a refusal of the API server means: which of the three errors, and what its reader has to change.

Pure: an answer goes in, an exception comes out. The API server's own messages are never passed on, because it quotes
rejected values in them, and an env value is one; they are only looked at to tell refusals apart.
Meaning of the codes: https://kubernetes.io/docs/reference/using-api/api-concepts/ and
https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#http-status-codes
"""

from collections.abc import Callable
from typing import Final

from backgroundtask.errors import Blocked, Busy, Expected, Rejected
from backgroundtask.kube.resource import CONFLICT, EXPIRED, NOT_FOUND, UNPROCESSABLE, Answer, Request
from backgroundtask.plan.outcome import plain

UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
TOO_MANY_REQUESTS: Final = 429
SERVER_ERRORS: Final = 500

DEFAULT_RETRY: Final = 1.0
LONGEST_RETRY: Final = 300.0

Words = Callable[[Request, Answer], Exception]
"""Whose words a refusal is told in: `refusal`, or `personal_refusal`."""


def refusal(request: Request, answer: Answer) -> Exception:
    """The error for an answer that the caller has no use for.

    `Blocked` where someone has to grant or install something, `Busy` where the same call is expected to work later, and
    a plain `RuntimeError` where our own request was wrong: that is a bug, and it names fields, never values.
    """
    if answer.status in (UNAUTHORIZED, FORBIDDEN):
        return _denied(request, answer)
    if _is_admission(answer):
        return _not_admitted(request, answer)
    if answer.status == NOT_FOUND:
        return _not_served(request, answer)
    if answer.status in (CONFLICT, EXPIRED, TOO_MANY_REQUESTS) or answer.status >= SERVER_ERRORS:
        return _busy(request, answer)
    return RuntimeError(
        f"The API server answers {answer.status} {answer.reason} to {request.verb} {request.rbac}: {_fields(answer)}"
    )


def personal_refusal(request: Request, answer: Answer) -> Exception:
    """As `refusal`, told to a person at a command line: who may not is they, and what is wrong is theirs to change."""
    where = _where(request)
    if answer.status == UNAUTHORIZED:
        return Blocked("Forbidden", "The API server does not accept your credentials: log in to the cluster again")
    if answer.status == FORBIDDEN and _is_for_lack_of_rights(answer):
        return Blocked(
            "Forbidden",
            f"You may not {request.verb} {request.rbac} in {where}: ask for a role with that right"
            f" (`kubectl auth can-i {request.verb} {request.rbac}.{_group(request)}` tells when you have it)",
        )
    if _is_admission(answer) or (
        answer.status == FORBIDDEN and not (_is_in_deletion(answer) or _is_for_lack_of_room(answer))
    ):
        return Blocked(
            "Forbidden", f"An admission policy of {where} refuses to {request.verb} {request.rbac}.{_says(answer)}"
        )
    told = refusal(request, answer)
    if isinstance(told, Expected):
        return told
    why = f"{answer.status} {answer.reason}: {_fields(answer)}"
    return Rejected("InvalidSpec", f"The API server refuses to {request.verb} this {request.resource.kind}: {why}")


def is_conflict(answer: Answer) -> bool:
    """Whether a write was refused because the object is no longer the one that the writer saw.

    Each fence has its own refusal: a resourceVersion, or the UID of a delete, 409; the `test` and the paths of a JSON
    patch, 422 that names no object (one that the schema refuses is named); the UID of a merge patch, 422 as immutable.
    """
    if answer.status != UNPROCESSABLE:
        return answer.status == CONFLICT
    is_named = "name" in (answer.body.get("details") or {})
    return not is_named or any(cause.get("field") == "metadata.uid" for cause in answer.causes)


def retry_after(header: str | None) -> float | None:
    """Seconds of a Retry-After header, at most five minutes; `None` without one (the API server sends no dates)."""
    if header is None or not header.isascii() or not header.isdigit():
        return None
    return min(float(header), LONGEST_RETRY)


def _denied(request: Request, answer: Answer) -> Blocked:
    resource, group = request.rbac, _group(request)
    where = _where(request)
    if answer.status == UNAUTHORIZED:
        return Blocked(
            "Forbidden",
            "The API server does not accept the operator's credentials: renew its ServiceAccount token or kubeconfig",
        )
    if _is_in_deletion(answer):
        return Blocked("NamespaceTerminating", f"{where} is being deleted: nothing can be created in it".capitalize())
    if _is_for_lack_of_room(answer):
        return Blocked("ExceededQuota", f"A ResourceQuota of {where} leaves no room for more {resource}: raise it")
    if _is_for_lack_of_rights(answer):
        grant = f'verb "{request.verb}" on "{resource}" of API group "{group}" in {where}'
        return Blocked("Forbidden", f"The operator may not {request.verb} {resource}: grant its ServiceAccount {grant}")
    return _not_admitted(request, answer)


def _is_in_deletion(answer: Answer) -> bool:
    return any(cause.get("reason") == "NamespaceTerminating" for cause in answer.causes)


def _is_for_lack_of_room(answer: Answer) -> bool:
    return "exceeded quota" in str(answer.body.get("message", ""))


def _is_for_lack_of_rights(answer: Answer) -> bool:
    return " cannot " in str(answer.body.get("message", ""))


def _is_admission(answer: Answer) -> bool:
    """A policy that answers Invalid, its default, blames no field; the schema always does."""
    return answer.status == UNPROCESSABLE and bool(answer.causes) and not any("field" in one for one in answer.causes)


def _not_admitted(request: Request, answer: Answer) -> Blocked:
    return Blocked(
        "Forbidden",
        f"An admission policy of {_where(request)} refuses to {request.verb} {request.rbac}: "
        f"exempt the operator from it.{_says(answer)}",
    )


def _where(request: Request) -> str:
    return f"namespace {request.namespace}" if request.namespace else "the cluster"


def _group(request: Request) -> str:
    return request.resource.api_version.rpartition("/")[0].split("/")[0]


def _says(answer: Answer) -> str:
    words = "; ".join(str(cause["message"]) for cause in answer.causes if "message" in cause)
    return f" It says: {plain(words)}" if words else ""


def _not_served(request: Request, answer: Answer) -> Blocked:
    kind = (answer.body.get("details") or {}).get("kind")
    if kind == "namespaces":
        return Blocked("NamespaceNotFound", f"Namespace {request.namespace} does not exist: create it")
    served = f"{request.resource.plural} of {request.resource.api_version}"
    return Blocked(
        "NotServed", f"The API server does not serve {served}: install the CRDs of this version of the operator"
    )


def _busy(request: Request, answer: Answer) -> Busy:
    reason, why = {
        CONFLICT: ("Conflict", "someone else changed it at the same time"),
        EXPIRED: ("Expired", "the listing took longer than the API server remembers"),
        TOO_MANY_REQUESTS: ("TooManyRequests", "the API server limits its callers"),
    }.get(answer.status, ("Unavailable", f"the API server answers {answer.status}"))
    after = DEFAULT_RETRY if answer.retry_after is None else answer.retry_after
    return Busy(reason, f"Could not {request.verb} {request.rbac}: {why}", retry_after=after)


def _fields(answer: Answer) -> str:
    fields = sorted(f"{cause.get('field', '?')} ({cause.get('reason', '?')})" for cause in answer.causes)
    return ", ".join(fields) or "it names no field"
