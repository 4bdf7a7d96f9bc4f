"""Registrations are throttled by AWS: the operator stays below, nobody sees an error, and a deletion does not wait."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from fixtures.world import World, eventually

BURST, REFILL = 4, 1
RATES = f"RegisterTaskDefinition={BURST}/{REFILL}"
LIMIT = {
    "name": "definitions",
    "service": "ecs",
    "operations": ["RegisterTaskDefinition", "DeregisterTaskDefinition"],
    "burst": BURST,
    "rate": REFILL,
}
NAMES = [f"paced-{number:02}" for number in range(20)]


@pytest.fixture(autouse=True)
def _leave_nothing(world: World) -> Any:
    yield
    world.aws.control("PUT", "throttles", {"limits": []})
    world.aws.control("DELETE", "faults")


def test_twenty_tasks_become_ready_without_a_throttle_and_a_deletion_goes_ahead(world: World) -> None:
    world.aws.control("PUT", "throttles", {"limits": [LIMIT]})
    operator = world.start_operator("--aws-rates", RATES)
    template = world.template["metadata"]["name"]
    eventually(lambda: world.condition(template, kind="bglt").get("status") == "True", "the template is ready")
    world.apply("old")
    world.ready("old")
    since = world.now()

    _apply_all(world)
    eventually(lambda: _waiting(world), "some say that they wait for their turn")
    world.kubectl("delete", "bgt", "old", "--timeout=30s")
    before = len(_calls(world, since, "RegisterTaskDefinition"))

    eventually(lambda: len(_ready(world)) == len(NAMES), f"all are ready: {_ready(world)}", seconds=90)
    registered = _calls(world, since, "RegisterTaskDefinition")
    retired = _calls(world, since, "DeregisterTaskDefinition")
    assert {one["outcome"] for one in [*registered, *retired]} == {"ok"}
    assert (len(registered), len(retired)) == (len(NAMES), 1)
    assert before < len(NAMES), "the deletion was over before the last of them was registered"
    _stays_below([*registered, *retired])
    assert world.warnings() == []
    assert operator.terminate() == 0


def test_what_aws_throttles_all_the_same_is_tried_again_and_registered_once(world: World) -> None:
    operator = world.start_operator()
    world.aws.fault(
        "error", "ecs", "RegisterTaskDefinition", code="ThrottlingException", message="Rate exceeded", times=2
    )
    since = world.now()

    world.apply("throttled")

    world.ready("throttled")
    outcomes = [one["outcome"] for one in _calls(world, since, "RegisterTaskDefinition")]
    assert outcomes == ["ThrottlingException", "ThrottlingException", "ok"]
    assert len(world.revisions("throttled")) == 1
    assert operator.terminate() == 0


def _apply_all(world: World) -> None:
    spec = {"image": "busybox:1", "cpu": 256, "memory": 512, "command": ["true"], "cron": "0 3 * * *"}
    items = [
        {"apiVersion": "bgtask.dev/v1alpha1", "kind": "BackgroundTask", "metadata": {"name": name}, "spec": spec}
        for name in NAMES
    ]
    world.kubectl("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": items})


def _tasks_with(world: World, type_: str, member: str, value: str) -> list[str]:
    """The tasks that have a condition of that type in which a member has that value."""
    items = json.loads(world.kubectl("get", "bgt", "-o", "json"))["items"]
    return [
        item["metadata"]["name"]
        for item in items
        for one in item.get("status", {}).get("conditions", [])
        if item["metadata"]["name"] in NAMES and one["type"] == type_ and one[member] == value
    ]


def _ready(world: World) -> list[str]:
    return _tasks_with(world, "Ready", "status", "True")


def _waiting(world: World) -> list[str]:
    return _tasks_with(world, "Reconciling", "reason", "Paced")


def _calls(world: World, since: int, operation: str) -> list[dict[str, Any]]:
    return world.aws.journal(service="ecs", operation=operation, since=since, principal="client")


def _stays_below(calls: list[dict[str, Any]]) -> None:
    """No window sees more than AWS allows."""
    moments = sorted(datetime.fromisoformat(one["time"]) for one in calls)
    for first, start in enumerate(moments):
        for last, end in enumerate(moments[first:], 1):
            assert last <= BURST + REFILL * ((end - start) / timedelta(seconds=1))
