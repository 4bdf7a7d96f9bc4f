"""Tasks that EventBridge rules fire: their slots become runs, and nothing of them is left, lost or run twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fixtures.world import INSTALLATION, Operator, World, eventually

FOREVER = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
TWICE = {"deliver-twice": 1, "late-seconds": 0, "second-after-seconds": 2, "seed": 1}
LONG = 90.0


@pytest.fixture(scope="module")
def running(world: World) -> Operator:
    """The operator, for all tests of the module; the world ends it."""
    return world.start_operator()


@pytest.fixture(autouse=True)
def ruled(world: World, running: Operator) -> Iterator[None]:
    """The template has clock Rule at the beginning of each test, and no rule fires twice at its end."""
    clock(world, "Rule")
    yield
    world.aws.control("PUT", "rules", {**TWICE, "deliver-twice": 0})
    assert running.process.poll() is None


def clock(world: World, name: str) -> None:
    world.kubectl("patch", "bglt", "default", "--type=merge", "-p", f'{{"spec": {{"clock": "{name}"}}}}')
    eventually(
        lambda: (
            world.condition("default", kind="bglt").get("status") == "True"
            and name in world.status("default", "bglt").get("clocks", [])
        ),
        "the template is verified",
    )


def rules(world: World, task: str) -> dict[str, str]:
    """The rules of a task and their states."""
    pages = world.aws.client("events").get_paginator("list_rules").paginate()
    mark = f"bgtask.dev/owner={INSTALLATION}/default/{task} "
    found = (one for page in pages for one in page["Rules"] if one.get("Description", "").startswith(mark))
    return {one["Name"]: one["State"] for one in found}


def target(world: World, task: str) -> dict[str, Any]:
    [name] = rules(world, task)
    [found] = world.aws.client("events").list_targets_by_rule(Rule=name)["Targets"]
    return found


def ended(world: World, task: str) -> list[dict[str, Any]]:
    """The runs of a task, once the last slot has ended well."""
    eventually(lambda: world.status(task).get("lastSuccessfulTime"), f"{task} has succeeded", seconds=LONG)
    return world.runs(task)


def gone(world: World, task: str) -> bool:
    return rules(world, task) == {} and [one for one in world.schedules() if one.endswith(f"-{task}")] == []


def test_a_rule_fires_and_the_slot_becomes_a_run(world: World) -> None:
    world.apply("ruled", cron=world.soon())
    [told] = world.ready("ruled")["schedules"]
    assert ":rule/" in told["arn"]
    assert (told["timeZone"], told["launch"]) == ("UTC", "Direct")

    world.next_slot()

    run = ended(world, "ruled")[0]
    assert run["metadata"]["labels"]["bgtask.dev/trigger"] == "schedule"
    assert run["status"]["phase"] == "Succeeded"
    described = world.aws.client("ecs").describe_tasks(
        cluster=world.template["spec"]["cluster"], tasks=[run["status"]["taskArn"]]
    )
    [container] = described["tasks"][0]["overrides"]["containerOverrides"]
    environment = {one["name"]: one["value"] for one in container["environment"]}
    assert environment["BGT_SCHEDULED_TIME"] == run["spec"]["scheduledTime"]
    assert described["tasks"][0]["startedBy"].startswith("events-rule/")
    world.kubectl("delete", "bgt", "ruled", "--timeout=60s")


def test_a_tick_of_a_rule_is_launched_by_the_operator(world: World) -> None:
    world.apply("ticked", cron=world.soon(), concurrencyPolicy="Forbid")
    [told] = world.ready("ticked")["schedules"]
    assert (told["launch"], told["launchReason"]) == ("Queue", "concurrencyPolicy: Forbid")
    assert target(world, "ticked")["Arn"] == world.template["spec"]["queues"]["ticks"]

    world.next_slot()

    run = ended(world, "ticked")[0]
    assert run["metadata"]["labels"]["bgtask.dev/launch"] == "Queue"
    world.kubectl("delete", "bgt", "ticked", "--timeout=60s")


def test_a_new_image_repoints_the_rule_and_suspending_silences_it(world: World) -> None:
    world.apply("moved", cron="0 3 * * *")
    first = world.ready("moved")["taskDefinitionArn"]
    assert target(world, "moved")["EcsParameters"]["TaskDefinitionArn"] == first

    world.apply("moved", cron="0 3 * * *", image="busybox:2", suspend=True)

    eventually(lambda: list(rules(world, "moved").values()) == ["DISABLED"], "the rule is switched off")
    second = world.ready("moved")["taskDefinitionArn"]
    assert second != first
    assert target(world, "moved")["EcsParameters"]["TaskDefinitionArn"] == second
    assert world.condition("moved", "Scheduled")["reason"] == "Suspended"
    world.kubectl("delete", "bgt", "moved", "--timeout=60s")


def test_a_deleted_task_leaves_no_rule_no_target_and_no_revision(world: World) -> None:
    world.apply("brief", cron="0 3 1 * 1")
    world.ready("brief")
    assert len(rules(world, "brief")) == 2

    world.kubectl("delete", "bgt", "brief", "--timeout=60s")

    assert gone(world, "brief")
    assert world.revisions("brief") == []


def test_of_two_tasks_that_a_rule_starts_for_one_slot_the_younger_is_stopped_and_recorded(world: World) -> None:
    world.aws.control("PUT", "rules", TWICE)
    world.apply("doubled", cron=world.soon(), command=FOREVER)
    world.ready("doubled")

    world.next_slot()

    run = eventually(lambda: _with_duplicate(world, "doubled"), "two tasks are recorded for one slot", seconds=LONG)
    [double] = [one for one in run["status"]["attempts"] if one.get("duplicate")]
    assert double["taskArn"] != run["status"]["taskArn"]
    eventually(
        lambda: _ecs(world, double["taskArn"])["lastStatus"] == "STOPPED", "the younger is stopped", seconds=LONG
    )
    older = _ecs(world, run["status"]["taskArn"])
    assert older["desiredStatus"] == "RUNNING"
    assert older["createdAt"] <= _ecs(world, double["taskArn"])["createdAt"]
    world.kubectl("delete", "bgt", "doubled", "--timeout=90s")


def test_a_task_moves_with_its_templates_clock_there_and_back(world: World) -> None:
    world.apply("nomad", cron="0 3 * * *")
    world.ready("nomad")
    assert rules(world, "nomad")

    clock(world, "Scheduler")
    eventually(lambda: rules(world, "nomad") == {}, "the rule is gone", seconds=LONG)
    assert [one for one in world.schedules() if one.endswith("-nomad")], "the schedule was there before that"
    eventually(lambda: ":schedule/" in world.status("nomad")["schedules"][0]["arn"], "the status tells")

    clock(world, "Rule")
    eventually(lambda: list(rules(world, "nomad").values()) == ["ENABLED"], "the rule is back", seconds=LONG)
    eventually(lambda: not [one for one in world.schedules() if one.endswith("-nomad")], "the schedule is gone")

    world.kubectl("delete", "bgt", "nomad", "--timeout=60s")
    assert gone(world, "nomad")


def test_another_time_zone_is_refused_with_what_to_write_instead(world: World) -> None:
    world.apply("local", cron="0 3 * * *", timeZone="Europe/Berlin")

    condition = eventually(
        lambda: (seen := world.condition("local", "Stalled")).get("status") == "True" and seen, "it is refused"
    )

    assert condition["reason"] == "TimeZoneNotSupported"
    assert "write the cron in UTC" in condition["message"]
    assert rules(world, "local") == {}
    world.kubectl("delete", "bgt", "local", "--timeout=60s")


def test_entries_that_fail_in_a_call_that_succeeds_are_tried_again(world: World) -> None:
    world.aws.control("PUT", "rules", {**TWICE, "deliver-twice": 0, "failing-entries": 2})
    world.apply("stubborn", cron="0 3 * * *")
    world.ready("stubborn")
    assert target(world, "stubborn")["Id"] == "bgt"

    world.aws.control("PUT", "rules", {**TWICE, "deliver-twice": 0, "failing-entries": 2})
    world.kubectl("delete", "bgt", "stubborn", "--timeout=90s")

    assert gone(world, "stubborn")


def _with_duplicate(world: World, task: str) -> dict[str, Any] | None:
    found = (run for run in world.runs(task) if any(one.get("duplicate") for one in run["status"].get("attempts", [])))
    return next(found, None)


def _ecs(world: World, arn: str) -> dict[str, Any]:
    cluster = world.template["spec"]["cluster"]
    return world.aws.client("ecs").describe_tasks(cluster=cluster, tasks=[arn])["tasks"][0]
