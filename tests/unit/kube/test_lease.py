"""The Lease's record, who may take it, and what is sent for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client import Configuration

from backgroundtask.errors import Blocked, Busy
from backgroundtask.kube.lease import NOBODY, Acquire, Decision, Lease, Record, Renew, Wait, decide, microtime
from backgroundtask.kube.login import Login
from backgroundtask.kube.transport import Transport
from fixtures.scripted_rest import HOST, Reply, ScriptedRest, not_found, status

ME, OTHER = "pod-a_1", "pod-b_2"
PATH = "/apis/coordination.k8s.io/v1/namespaces/bgtask/leases"


def record(holder: str, duration: int = 15, renewed: str = "2026-01-01T00:00:00.000000Z") -> Record:
    return Record(holder=holder, duration=duration, acquired="2026-01-01T00:00:00.000000Z", renewed=renewed)


def lease_over(*replies: Reply | Exception) -> tuple[Lease, ScriptedRest]:
    rest = ScriptedRest(*replies)
    return Lease(Transport(Login(Configuration(host=HOST)), rest), namespace="bgtask", name="bgt-prod"), rest


def body(spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    named = {"name": "bgt-prod", "namespace": "bgtask", "uid": "u", "resourceVersion": "7", **metadata}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": named, "spec": spec or {}}


class TestDecide:
    @pytest.mark.parametrize(
        ("seen", "observed_at", "now", "expected", "why"),
        [
            (None, 0.0, 100.0, Acquire(), "there is no Lease yet"),
            (record(NOBODY, 1), 100.0, 100.0, Acquire(), "it was given back: nobody waits for its duration"),
            (record(ME), 0.0, 1.0, Renew(), "it is ours"),
            (record(ME), 0.0, 1000.0, Renew(), "it is ours as long as nobody else wrote, however late we are"),
            (record(OTHER), 100.0, 100.0, Wait(15.0), "it was renewed just now"),
            (record(OTHER), 100.0, 114.5, Wait(0.5), "it is not over"),
            (record(OTHER), 100.0, 115.0, Acquire(), "it is over: unchanged for its whole duration"),
            (record(OTHER, 60), 100.0, 130.0, Wait(30.0), "its holder's duration counts, not ours"),
            (record(OTHER, 0), 100.0, 100.0, Acquire(), "somebody took the duration out by hand"),
        ],
    )
    def test_who_may_take_it(
        self, seen: Record | None, observed_at: float, now: float, expected: Decision, why: str
    ) -> None:
        assert decide(seen, observed_at=observed_at, now=now, identity=ME) == expected, why

    @given(st.sampled_from([ME, OTHER, NOBODY]), st.integers(1, 3600), st.floats(0, 1e6), st.floats(0, 1e6), st.text())
    def test_nobody_takes_a_lease_from_its_holder_within_its_duration(
        self, holder: str, duration: int, observed_at: float, later: float, renewed: str
    ) -> None:
        decision = decide(
            record(holder, duration, renewed), observed_at=observed_at, now=observed_at + later, identity=ME
        )

        is_anothers = holder not in (ME, NOBODY) and observed_at + duration > observed_at + later
        assert isinstance(decision, Wait) == is_anothers


class TestRecord:
    def test_it_is_read_as_it_was_written(self) -> None:
        written = Record(holder=ME, duration=15, acquired="a", renewed="r", transitions=3)

        assert Record.of({"spec": written.as_spec()}) == written

    @pytest.mark.parametrize("spec", [None, {}, {"holderIdentity": None, "leaseDurationSeconds": None}])
    def test_a_lease_without_members_is_nobodys(self, spec: dict[str, Any] | None) -> None:
        assert Record.of({"spec": spec}).holder == NOBODY

    def test_times_are_utc_with_microseconds_whatever_the_zone(self) -> None:
        noon = datetime(2026, 1, 31, 12, tzinfo=UTC)

        assert (
            microtime(noon)
            == microtime(noon.astimezone(timezone(timedelta(hours=5))))
            == ("2026-01-31T12:00:00.000000Z")
        )


class TestLease:
    def test_it_is_created_where_there_is_none(self) -> None:
        lease, rest = lease_over(not_found("bgt-prod", "leases"), Reply(201, body()))

        assert lease.read() is None
        assert lease.write(record(ME), None) == body()

        sent = rest.sent[1]
        assert (sent.method, sent.path) == ("POST", PATH)
        assert sent.body["metadata"] == {"name": "bgt-prod", "namespace": "bgtask"}
        assert sent.body["spec"] == record(ME).as_spec()

    def test_an_update_is_fenced_by_the_version_and_keeps_what_others_wrote(self) -> None:
        before = body({"holderIdentity": OTHER, "strategy": "OldestEmulationVersion"}, labels={"team": "a"})
        lease, rest = lease_over(Reply(200, body()))

        lease.write(record(ME), before)

        sent = rest.sent[0]
        assert (sent.method, sent.path) == ("PUT", f"{PATH}/bgt-prod")
        assert sent.body["metadata"] == before["metadata"]
        assert sent.body["spec"] == {**record(ME).as_spec(), "strategy": "OldestEmulationVersion"}

    @pytest.mark.parametrize(
        ("reply", "why"),
        [
            (status(409, "Conflict", name="bgt-prod", kind="leases"), "somebody else wrote since"),
            (status(409, "AlreadyExists", name="bgt-prod", kind="leases"), "somebody else created it"),
            (not_found("bgt-prod", "leases"), "somebody deleted it"),
        ],
    )
    def test_who_comes_too_late_is_told_so(self, reply: Reply, why: str) -> None:
        lease, _ = lease_over(reply)

        assert lease.write(record(ME), body()) is None, why

    @pytest.mark.parametrize("verb", ["get", "create", "update"])
    def test_a_refusal_says_which_right_to_grant(self, verb: str) -> None:
        message = f'leases.coordination.k8s.io "bgt-prod" is forbidden: User "op" cannot {verb} resource "leases"'
        lease, _ = lease_over(status(403, "Forbidden", message))
        calls = {
            "get": lease.read,
            "create": lambda: lease.write(record(ME), None),
            "update": lambda: lease.write(record(ME), body()),
        }

        with pytest.raises(Blocked) as refusal:
            calls[verb]()

        assert refusal.value.reason == "Forbidden"
        assert f'verb "{verb}" on "leases" of API group "coordination.k8s.io" in namespace bgtask' in (
            refusal.value.message
        )

    def test_a_namespace_that_is_not_there_is_named(self) -> None:
        lease, _ = lease_over(
            status(404, "NotFound", 'namespaces "bgtask" not found', name="bgtask", kind="namespaces")
        )

        with pytest.raises(Blocked, match="Namespace bgtask does not exist") as refusal:
            lease.write(record(ME), None)

        assert refusal.value.reason == "NamespaceNotFound"

    def test_a_proxys_404_is_no_proof_of_absence(self) -> None:
        lease, _ = lease_over(Reply(404, "<html>"))

        with pytest.raises((Blocked, Busy)):
            lease.read()

    def test_its_text_is_where_it_is(self) -> None:
        lease, _ = lease_over()

        assert str(lease) == "bgtask/bgt-prod"
