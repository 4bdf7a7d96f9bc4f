"""What callers see where the API server refuses, or does not answer."""

import traceback
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import NewConnectionError, ProtocolError, ReadTimeoutError

from backgroundtask.errors import Blocked, Busy, Expected
from backgroundtask.kube.client import Kube
from backgroundtask.kube.resource import RUNS, TASKS, Ref
from fixtures.objects import task_object
from fixtures.scripted_rest import Reply, ScriptedRest, kube_over, not_found, status

CANARY = "canary-secret"
OBJECT = task_object(env=[{"name": "TOKEN", "value": CANARY}])
REF = Ref.of(TASKS, OBJECT, fenced=True)


def read(kube: Kube) -> Any:
    return kube.get(TASKS, "reports", "nightly")


def test_an_object_that_is_not_there_is_known_by_a_status_that_names_it() -> None:
    kube = kube_over(ScriptedRest(not_found("nightly")))

    found = read(kube)

    assert found is None


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(404, "404 page not found\n"), "the API server says this where the CRD is not installed"),
        (Reply(404, "<html>Not Found</html>"), "a proxy says this"),
        (not_found("reports", "namespaces"), "another object is missing"),
        (status(404, "NotFound", "the server could not find the requested resource"), "nothing is named"),
    ],
)
def test_no_other_404_counts_as_absence(reply: Reply, why: str) -> None:
    kube = kube_over(ScriptedRest(reply))

    with pytest.raises(Blocked):
        read(kube)
    assert why


@pytest.mark.parametrize(
    ("reply", "kind", "reason", "says"),
    [
        (Reply(404, "404 page not found\n"), Blocked, "NotServed", "install the CRDs"),
        (not_found("reports", "namespaces"), Blocked, "NamespaceNotFound", "create it"),
        (status(401, "Unauthorized", "Unauthorized"), Blocked, "Forbidden", "renew its ServiceAccount token"),
        (
            status(403, "Forbidden", 'backgroundtasks is forbidden: User "x" cannot get resource "backgroundtasks"'),
            Blocked,
            "Forbidden",
            'verb "get" on "backgroundtasks" of API group "bgtask.dev" in namespace reports',
        ),
        (
            status(403, "Forbidden", "forbidden: unable to create", causes=[{"reason": "NamespaceTerminating"}]),
            Blocked,
            "NamespaceTerminating",
            "is being deleted",
        ),
        (
            status(403, "Forbidden", "exceeded quota: runs, requested: count/x=1, used: 5, limited: 5"),
            Blocked,
            "ExceededQuota",
            "raise it",
        ),
        (status(403, "Forbidden", "ValidatingAdmissionPolicy denied"), Blocked, "Forbidden", "admission policy"),
        (status(409, "Conflict"), Busy, "Conflict", "at the same time"),
        (status(410, "Expired"), Busy, "Expired", "longer than the API server remembers"),
        (status(429, "TooManyRequests"), Busy, "TooManyRequests", "limits its callers"),
        (status(500, "InternalError", "etcdserver: leader changed"), Busy, "Unavailable", "500"),
        (Reply(503, "upstream connect error"), Busy, "Unavailable", "503"),
        (NewConnectionError(None, "refused"), Busy, "Unreachable", "does not answer"),  # type: ignore[arg-type] # no pool
        (ReadTimeoutError(None, "/", "timed out"), Busy, "Unreachable", "does not answer"),  # type: ignore[arg-type] # no pool
        (ProtocolError("Connection broken"), Busy, "Unreachable", "does not answer"),
        (ConnectionResetError(), Busy, "Unreachable", "does not answer"),
        (ApiException(status=0, reason="SSLError"), Busy, "Unreachable", "check the CA"),
    ],
)
def test_a_refusal_says_what_has_to_happen_next(
    reply: Reply | Exception, kind: type[Expected], reason: str, says: str
) -> None:
    kube = kube_over(ScriptedRest(reply))

    with pytest.raises(kind) as refused:
        read(kube)
    assert refused.value.reason == reason
    assert says in refused.value.message


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("86400", 300.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 1.0), (None, 1.0)]
)
def test_the_api_servers_wish_for_a_pause_is_passed_on_within_bounds(header: str | None, seconds: float) -> None:
    headers = {"Retry-After": header} if header else {}
    kube = kube_over(ScriptedRest(Reply(429, {}, headers)))

    with pytest.raises(Busy) as busy:
        read(kube)
    assert busy.value.retry_after == seconds


def test_a_write_that_the_schema_refuses_is_a_bug_that_names_fields_and_no_values() -> None:
    cause = {"reason": "FieldValueInvalid", "field": "spec.env[0].value", "message": f'Invalid value: "{CANARY}"'}
    refused = status(422, "Invalid", f'invalid: spec.env[0].value: "{CANARY}"', name="nightly", causes=[cause])
    kube = kube_over(ScriptedRest(refused))

    with pytest.raises(RuntimeError) as bug:
        kube.create(TASKS, OBJECT)
    assert not isinstance(bug.value, Expected)
    assert "spec.env[0].value (FieldValueInvalid)" in str(bug.value)
    assert CANARY not in "".join(traceback.format_exception(bug.value))


def test_creating_what_is_there_returns_it_and_says_so() -> None:
    there = task_object()
    kube = kube_over(ScriptedRest(status(409, "AlreadyExists"), Reply(200, there)))

    assert kube.create(TASKS, task_object(image="other")) == (there, False)


def test_creating_what_is_deleted_meanwhile_is_tried_again() -> None:
    kube = kube_over(ScriptedRest(status(409, "AlreadyExists"), not_found("nightly")))

    with pytest.raises(Busy):
        kube.create(TASKS, OBJECT)


NAMESAKE = {**OBJECT, "metadata": {**OBJECT["metadata"], "uid": "another"}}
FAILED_TEST = status(422, "Invalid", "the server rejected our request due to an error in our request")
IMMUTABLE_UID = status(422, "Invalid", name="nightly", causes=[{"field": "metadata.uid"}])


@pytest.mark.parametrize("refused", [status(409, "Conflict"), FAILED_TEST, IMMUTABLE_UID])
@pytest.mark.parametrize("live", [not_found("nightly"), Reply(200, NAMESAKE)])
def test_a_fenced_write_to_an_object_that_is_gone_or_replaced_says_gone(refused: Reply, live: Reply) -> None:
    kube = kube_over(ScriptedRest(refused, live))

    assert kube.patch(REF, {"metadata": {"annotations": {"a": "b"}}}) is None


@pytest.mark.parametrize("refused", [status(409, "Conflict"), FAILED_TEST])
def test_a_fenced_write_to_an_object_that_has_changed_is_a_conflict(refused: Reply) -> None:
    kube = kube_over(ScriptedRest(refused, Reply(200, OBJECT)))

    with pytest.raises(Busy) as conflict:
        kube.add_finalizer(TASKS, OBJECT, "bgtask.dev/finalizer")
    assert conflict.value.reason == "Conflict"


def test_a_status_is_written_to_no_namesake() -> None:
    rest = ScriptedRest(Reply(200, NAMESAKE))
    kube = kube_over(rest)

    written = kube.patch_status(Ref.of(TASKS, OBJECT), {"observedGeneration": 1})

    assert written is None
    assert [sent.method for sent in rest.sent] == ["GET"]


def test_deleting_what_is_gone_is_done() -> None:
    kube = kube_over(ScriptedRest(not_found("nightly"), status(409, "Conflict"), Reply(200, NAMESAKE)))

    kube.delete(TASKS, "reports", "nightly", "uid")
    kube.delete(TASKS, "reports", "nightly", OBJECT["metadata"]["uid"])


def test_a_finalizer_that_is_there_or_not_there_already_costs_no_request() -> None:
    rest = ScriptedRest()
    held = {**OBJECT, "metadata": {**OBJECT["metadata"], "finalizers": ["bgtask.dev/finalizer"]}}

    assert kube_over(rest).add_finalizer(TASKS, held, "bgtask.dev/finalizer") == held
    assert kube_over(rest).remove_finalizer(TASKS, OBJECT, "bgtask.dev/finalizer") == OBJECT
    assert rest.sent == []


def page(*names: str, token: str = "") -> Reply:
    items = [
        {"metadata": {"name": name, "namespace": "reports", "uid": name, "resourceVersion": "1"}} for name in names
    ]
    return Reply(200, {"items": items, "metadata": {"continue": token}})


def listed(*replies: Reply) -> list[str]:
    return [name for _, name, _, _ in kube_over(ScriptedRest(*replies)).names(RUNS)]


def test_a_listing_is_read_to_its_last_page() -> None:
    assert listed(page("a", "b", token="1"), page("c", token="2"), page("d")) == ["a", "b", "c", "d"]


def test_a_listing_of_nothing_is_empty_though_the_api_server_says_null() -> None:
    assert listed(Reply(200, {"kind": "PartialObjectMetadataList", "metadata": {}, "items": None})) == []


def test_a_listing_that_has_expired_goes_on_where_the_api_server_says() -> None:
    expired = Reply(410, {"kind": "Status", "reason": "Expired", "metadata": {"continue": "newer"}})
    rest = ScriptedRest(page("a", token="old"), expired, page("b"))

    names = [name for _, name, _, _ in kube_over(rest).names(RUNS)]

    assert names == ["a", "b"]
    assert "continue=newer" in rest.sent[-1].path


def test_a_listing_that_has_expired_for_good_begins_anew() -> None:
    assert listed(page("a", token="old"), Reply(410, {}), page("a", token="new"), page("b")) == ["a", "a", "b"]


def test_a_listing_that_expires_again_and_again_is_given_up() -> None:
    with pytest.raises(Busy) as busy:
        listed(page("a", token="old"), *[Reply(410, {})] * 6)
    assert busy.value.reason == "Expired"


def test_no_name_can_leave_its_place_in_the_path() -> None:
    rest = ScriptedRest(not_found("../../secrets"))

    kube_over(rest).get(TASKS, "a/b", "../../secrets")

    assert rest.sent[0].path == "/apis/bgtask.dev/v1alpha1/namespaces/a%2Fb/backgroundtasks/..%2F..%2Fsecrets"


def test_a_policy_that_calls_a_run_invalid_is_to_be_mended_by_someone_and_says_its_own_words() -> None:
    causes = [{"message": "ValidatingAdmissionPolicy 'quiet' denied request: no runs here"}]
    answer = Reply(422, {"kind": "Status", "reason": "Invalid", "details": {"name": "r", "causes": causes}})

    with pytest.raises(Blocked, match=r"exempt the operator from it\. It says: .*no runs here") as blocked:
        kube_over(ScriptedRest(answer)).create(RUNS, {"metadata": {"namespace": "reports", "name": "r"}})

    assert blocked.value.reason == "Forbidden"
