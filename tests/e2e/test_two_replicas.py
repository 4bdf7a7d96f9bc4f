"""Two replicas and one Lease: one acts, the other takes over, and never do both; told by what either of them sent."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from fixtures.world import INSTALLATION, Operator, World, eventually
from localkube import audit

QUICK = ("--lease-duration", "10", "--renew-deadline", "7", "--retry-period", "0.5")
SLOW = ("--lease-duration", "300", "--renew-deadline", "200", "--retry-period", "0.5")
"""Nobody sees such a lease end: who leads within a test's patience was handed it over."""
LEASE = f"bgt-{INSTALLATION}"
ENOUGH = 60
"""Tasks of a rolling restart. Each leader registers 20 at once and then one a second, as AWS allows: these take a
minute at most, which is well within the wait for them."""

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Replica:
    """A process of the operator whose calls can be told from those of others: it has a name to both servers."""

    name: str
    operator: Operator
    world: World

    @property
    def leads(self) -> bool:
        return self.operator.logged("Leading as ")

    def kube_calls(self) -> list[audit.Entry]:
        """What it asked of the API server, oldest first, its Lease apart."""
        entries = audit.entries(self.world.kube.audit_log)
        return [one for one in entries if one.user == self.name and one.resource != "leases"]

    def listings(self) -> int:
        return sum(one.verb == "list" for one in self.kube_calls())

    def kube_writes(self) -> list[tuple[str, str]]:
        return [(one.resource, one.name) for one in self.kube_calls() if one.is_write]

    def aws_calls(self, **query: Any) -> list[dict[str, Any]]:
        return [one for one in self.world.aws.journal(limit=100_000, **query) if one["agent"] == self.name]


Start = Callable[[str, tuple[str, ...]], Replica]


@pytest.fixture
def start(world: World) -> Iterator[Start]:
    """Starts replicas, each ready to lead; at the end of the test nobody holds the Lease."""

    def started(name: str, terms: tuple[str, ...]) -> Replica:
        kubeconfig = world.kube.kubeconfig_for(name, ["system:masters"])
        flags = ("--kubeconfig", str(kubeconfig), *terms)
        return Replica(name, world.start_operator(*flags, elect=True, env={"AWS_SDK_UA_APP_ID": name}), world)

    yield started

    world.stop_operators()
    world.kubectl("delete", "lease", LEASE, "--ignore-not-found")


def pair(start: Start, prefix: str, terms: tuple[str, ...]) -> tuple[Replica, Replica]:
    """A leader and a standby."""
    leader = start(f"{prefix}-a", terms)
    eventually(lambda: leader.leads, "the first one leads")
    standby = start(f"{prefix}-b", terms)
    eventually(lambda: standby.operator.logged("Waiting for the lease held by "), "the second one waits")
    return leader, standby


def test_a_standby_takes_over_from_a_killed_leader_and_finishes_what_it_began(world: World, start: Start) -> None:
    doomed, standby = pair(start, "kill", QUICK)
    world.apply("resting")
    world.ready("resting")
    held = world.aws.fault("hold", "scheduler", "CreateSchedule", when_gone="drop")
    world.apply("begun")
    eventually(lambda: _is_held(world, held), "the schedule is about to be created")
    assert doomed.aws_calls(write=True)
    assert doomed.kube_writes()
    assert standby.aws_calls() == standby.kube_writes() == [], "a standby asks nothing of AWS and writes nothing"
    listings = standby.listings()

    doomed.operator.kill()
    world.aws.remove_fault(held)

    eventually(lambda: standby.leads, "the other one leads")
    status = world.ready("begun")
    assert world.revisions("begun") == [status["taskDefinitionArn"]]
    assert [one["name"] for one in status["schedules"]] == [one for one in world.schedules() if "begun" in one]
    eventually(lambda: standby.aws_calls(operation="DescribeClusters"), "it looks after the template")
    assert standby.listings() == listings
    assert [one for one in standby.kube_writes() if one[1] == "resting"] == []
    assert [one["operation"] for one in standby.aws_calls() if "resting" in json.dumps(one["params"])] == []
    assert standby.operator.terminate() == 0


def test_a_rolling_restart_of_both_loses_and_doubles_nothing(world: World, start: Start) -> None:
    first, second = pair(start, "roll", SLOW)
    before, stop, applied = world.now(), threading.Event(), list[str]()

    def apply() -> None:
        while not stop.is_set() and len(applied) < ENOUGH:
            name = f"rolled-{len(applied)}"
            world.apply(name)
            applied.append(name)

    applying = threading.Thread(target=apply)
    applying.start()
    try:
        eventually(lambda: len(applied) >= 3, "the first tasks are applied")
        assert first.operator.terminate() == 0
        third = start("roll-c", SLOW)
        eventually(lambda: second.leads, "the second one was handed the lease over")
        assert second.operator.terminate() == 0
        eventually(lambda: third.leads, "the third one was handed the lease over")
        enough = len(applied) + 3
        eventually(lambda: len(applied) >= enough or not applying.is_alive(), "tasks are applied to the third")
    finally:
        stop.set()
        applying.join()

    world.kubectl("wait", "--for=condition=Ready", "--timeout=110s", *(f"bgt/{name}" for name in applied))
    tasks = json.loads(world.kubectl("get", "bgt", "-o", "json"))["items"]
    ready = {one["metadata"]["name"]: one["status"] for one in tasks if one["metadata"]["name"] in applied}
    for name, status in ready.items():
        assert world.revisions(name) == [status["taskDefinitionArn"]]
        assert status["taskDefinitionArn"].endswith(":1"), "nobody registered a second one"
    calls = world.aws.journal(operation="CreateSchedule", since=before, limit=100_000)
    created = [one["params"]["Name"] for one in calls]
    assert [name for name in created if created.count(name) > 1] == []
    assert sorted(one["name"] for status in ready.values() for one in status["schedules"]) == [
        name for name in world.schedules() if "rolled-" in name
    ]
    assert third.operator.terminate() == 0


def test_a_leader_that_was_paused_past_its_deadline_ends_without_another_write(world: World, start: Start) -> None:
    paused, other = pair(start, "pause", QUICK)
    held = world.aws.fault("hold", "scheduler", "CreateSchedule")
    world.apply("paused")
    eventually(lambda: _is_held(world, held), "the schedule is about to be created")

    paused.operator.process.send_signal(signal.SIGSTOP)
    eventually(lambda: other.leads, "the other one leads")
    world.aws.remove_fault(held)
    status = world.ready("paused")
    before, writes = world.now(), paused.kube_writes()
    assert writes
    assert paused.aws_calls(operation="CreateSchedule")
    paused.operator.process.send_signal(signal.SIGCONT)

    assert paused.operator.process.wait(30) == 1
    assert paused.operator.logged("This process ends at once, so that two never act")
    assert paused.aws_calls(since=before, write=True) == []
    assert paused.kube_writes() == writes
    assert [one["name"] for one in status["schedules"]] == [one for one in world.schedules() if "paused" in one]
    assert world.revisions("paused") == [status["taskDefinitionArn"]]
    assert other.operator.terminate() == 0


def test_an_api_server_that_is_away_for_less_than_the_deadline_costs_nobody_the_lead(
    world: World, start: Start
) -> None:
    leader, standby = pair(start, "outage", SLOW)
    before, api = _lease(world), world.kube.component("kube-apiserver")

    api.kill()
    for replica in (leader, standby):
        eventually(
            lambda replica=replica: replica.operator.logged("The lease could not be looked after"), "they notice it"
        )
    api.start()

    eventually(lambda: _lease(world)["renewTime"] > before["renewTime"], "the leader renews again")
    world.apply("after-outage")
    world.ready("after-outage")
    assert _lease(world)["holderIdentity"] == before["holderIdentity"]
    assert _lease(world)["leaseTransitions"] == before["leaseTransitions"]
    assert not standby.leads
    assert [one.operator.terminate() for one in (standby, leader)] == [0, 0]


def test_a_lease_that_somebody_deletes_is_written_anew_by_its_holder(world: World, start: Start) -> None:
    leader, standby = pair(start, "deleted", SLOW)
    before = _lease(world)

    world.kubectl("delete", "lease", LEASE)

    after = eventually(lambda: _lease(world), "the Lease is there again")
    assert [after[key] for key in ("holderIdentity", "acquireTime")] == [
        before[key] for key in ("holderIdentity", "acquireTime")
    ]
    assert [one.operator.terminate() for one in (standby, leader)] == [0, 0]
    assert not standby.leads
    assert _lease(world)["holderIdentity"] == "", "it was given back"


def test_a_process_without_rights_on_its_lease_says_which_and_ends(world: World) -> None:
    rules = {"apiGroups": ["bgtask.dev", ""], "resources": ["*"], "verbs": ["*"]}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "leaseless"}}
    world.kubectl("apply", "-f", "-", stdin={**role, "rules": [rules]})
    world.kubectl("create", "clusterrolebinding", "leaseless", "--clusterrole=leaseless", "--user=leaseless")
    kubeconfig = world.kube.kubeconfig_for("leaseless")

    refused = world.start_operator("--kubeconfig", str(kubeconfig), elect=True, wait=False)

    assert refused.process.wait(30) == 1
    assert refused.logged('grant its ServiceAccount verb "get" on "leases" of API group "coordination.k8s.io"')


def _lease(world: World) -> dict[str, Any]:
    spec: dict[str, Any] = (world.get("lease", LEASE) or {}).get("spec", {})
    return spec


def _is_held(world: World, fault: str) -> bool:
    faults = world.aws.control("GET", "faults")["faults"]
    return any(one["id"] == fault and one["hits"] for one in faults)
