"""The lease against a real API server: what the tests in memory count on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from backgroundtask.errors import Blocked
from backgroundtask.kube.election import Candidate
from backgroundtask.kube.lease import Lease, connect
from fixtures.clock import Clock
from localkube import Cluster

NAME, DURATION = "bgt-test", 15


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def lease(kube: Cluster, namespace: str) -> Lease:
    return connect(kubeconfig=str(kube.kubeconfig), context=None, namespace=namespace, name=NAME, deadline=40.0)


@pytest.fixture
def spec(kube: Cluster, namespace: str) -> Callable[[], dict[str, Any]]:
    """What everybody sees of the Lease."""

    def seen() -> dict[str, Any]:
        members: dict[str, Any] = json.loads(kube.kubectl("get", "lease", NAME, "-n", namespace, "-o", "json"))["spec"]
        return members

    return seen


def take_and_renew(candidate: Candidate) -> None:
    candidate.attempt()
    candidate.attempt()


Join = Callable[[str], Candidate]
Spec = Callable[[], dict[str, Any]]


@pytest.fixture
def join(lease: Lease, clock: Clock) -> Join:
    return lambda identity: Candidate(lease, identity=identity, duration=DURATION, clock=clock)


def test_it_is_taken_renewed_and_given_back_as_client_go_does(join: Join, spec: Spec) -> None:
    a, b = join("a"), join("b")
    assert a.attempt() is not None
    first = spec()
    assert a.attempt() is not None
    renewed = spec()

    assert b.attempt() is None
    assert (first["holderIdentity"], first["leaseDurationSeconds"], first["leaseTransitions"]) == ("a", DURATION, 0)
    assert renewed["renewTime"] > first["renewTime"] == first["acquireTime"] == renewed["acquireTime"]
    a.release()
    assert (spec()["holderIdentity"], spec()["leaseDurationSeconds"]) == ("", 1)
    assert b.attempt() is not None
    assert (spec()["holderIdentity"], spec()["leaseTransitions"]) == ("b", 1)


def test_of_two_that_find_it_over_one_gets_it_and_the_last_holder_learns_that(
    join: Join, clock: Clock, spec: Spec
) -> None:
    a, b, c = join("a"), join("b"), join("c")
    a.attempt()
    assert b.attempt() is c.attempt() is None
    clock.now += DURATION

    assert b.attempt() == clock.now
    assert c.attempt() is None
    assert a.attempt() is None, "its version is no longer the newest"
    assert a.holder == spec()["holderIdentity"] == "b"


def test_a_deleted_lease_is_written_anew_by_its_holder_and_only_by_it(
    kube: Cluster, namespace: str, join: Join, spec: Spec
) -> None:
    a, b = join("a"), join("b")
    a.attempt()
    b.attempt()
    acquired = spec()["acquireTime"]
    kube.kubectl("delete", "lease", NAME, "-n", namespace)

    assert b.attempt() is None
    assert a.attempt() is not None
    assert (spec()["holderIdentity"], spec()["acquireTime"]) == ("a", acquired)


def test_what_people_write_into_it_stays(kube: Cluster, namespace: str, join: Join) -> None:
    a = join("a")
    a.attempt()
    kube.kubectl("label", "lease", NAME, "-n", namespace, "team=platform")

    assert a.attempt() is not None, "a label is no other holder"

    labels = kube.kubectl("get", "lease", NAME, "-n", namespace, "-o", "jsonpath={.metadata.labels.team}")
    assert labels == "platform"


@pytest.mark.parametrize(
    ("verbs", "missing"),
    [([], "get"), (["get"], "create"), (["get", "create"], "update")],
    ids=["get", "create", "update"],
)
def test_a_right_that_is_missing_is_named(kube: Cluster, namespace: str, verbs: list[str], missing: str) -> None:
    user = f"op-{missing}"
    for verb in verbs:
        kube.kubectl("create", "role", f"{verb}-leases", "-n", namespace, f"--verb={verb}", "--resource=leases")
        kube.kubectl(
            "create", "rolebinding", f"{verb}-leases", "-n", namespace, f"--role={verb}-leases", f"--user={user}"
        )
    kubeconfig = str(kube.kubeconfig_for(user))
    candidate = Candidate(
        connect(kubeconfig=kubeconfig, context=None, namespace=namespace, name=NAME, deadline=40.0),
        identity="a",
        duration=DURATION,
    )

    with pytest.raises(Blocked) as refusal:
        take_and_renew(candidate)

    grant = f'verb "{missing}" on "leases" of API group "coordination.k8s.io" in namespace {namespace}'
    assert grant in refusal.value.message


def test_a_namespace_that_does_not_exist_is_named(kube: Cluster) -> None:
    lease = connect(kubeconfig=str(kube.kubeconfig), context=None, namespace="nowhere", name=NAME, deadline=40.0)

    with pytest.raises(Blocked, match="Namespace nowhere does not exist: create it"):
        Candidate(lease, identity="a", duration=DURATION).attempt()
