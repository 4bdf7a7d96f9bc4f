"""What is in AWS without an object: swept where nobody wants it, left alone where somebody does, told in any case."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from backgroundtask.plan.names import Owner
from fixtures.world import INSTALLATION, Operator, World, eventually

PATIENCE = 90.0  # seconds that some looks at AWS may take on a busy machine
STRANGER = "not-ours"


@pytest.fixture
def sweeper(world: World) -> Iterator[Operator]:
    """An operator that looks at AWS every second, and that two sightings a second apart convince."""
    started = world.start_operator("--resync", "1", "--orphan-grace", "1")
    yield started
    assert started.terminate() == 0


def test_what_lost_its_object_is_told_and_swept_and_nothing_else_is_touched(world: World, sweeper: Operator) -> None:
    world.apply("kept")
    world.apply("lost", cron=world.soon(), command=["sleep", "300"])
    kept, lost = (world.ready(name)["taskDefinitionArn"] for name in ("kept", "lost"))
    _make_strangers(world)
    world.next_slot()
    eventually(lambda: _running(world, "lost"), "a task of it runs")

    _lose(world, "lost")

    eventually(lambda: world.revisions("lost") == [], "its definition is retired", seconds=PATIENCE)
    assert _schedule("lost") not in world.schedules()
    eventually(lambda: not _running(world, "lost"), "its task was stopped")
    eventually(lambda: {"OrphanFound", "OrphanDeleted"} <= _reasons(world), "it is told on the template")
    assert _order(sweeper, lost) == ["found", "deleted"]
    assert world.revisions("kept") == [kept]
    assert {_schedule("kept"), STRANGER} <= set(world.schedules())
    listed = world.aws.client("ecs").list_task_definitions(familyPrefix="bgt_another_default_lost")
    assert len(listed["taskDefinitionArns"]) == 1


def test_what_was_retained_is_no_orphan(world: World, sweeper: Operator) -> None:
    world.apply("retained", deletionPolicy="Retain")
    revision = world.ready("retained")["taskDefinitionArn"]
    world.kubectl("delete", "bgt", "retained", "--timeout=60s")
    world.apply("witness")
    world.ready("witness")
    _lose(world, "witness")

    eventually(lambda: world.revisions("witness") == [], "an orphan that came later is swept", seconds=PATIENCE)

    assert world.revisions("retained") == [revision]
    assert _schedule("retained") in world.schedules()
    assert not sweeper.logged("default/retained. It is deleted")
    world.apply("retained")
    assert world.ready("retained")["taskDefinitionArn"] == revision
    world.kubectl("delete", "bgt", "retained", "--timeout=60s")
    assert world.revisions("retained") == []


def test_force_orphan_lets_go_what_aws_does_not_and_the_sweep_takes_it_once_it_may(
    world: World, sweeper: Operator
) -> None:
    world.apply("stuck")
    revision = world.ready("stuck")["taskDefinitionArn"]
    fault = world.aws.fault(
        "error", "scheduler", "DeleteSchedule", code="AccessDeniedException", message="not authorized", status=403
    )
    world.kubectl("annotate", "bgt", "stuck", "bgtask.dev/force-orphan=true")
    eventually(lambda: "ForceOrphanIgnored" in _reasons(world), "it does nothing yet, and says so")
    world.kubectl("annotate", "bgt", "stuck", "bgtask.dev/force-orphan-")
    world.kubectl("delete", "bgt", "stuck", "--wait=false")
    eventually(lambda: world.condition("stuck").get("reason") == "AccessDenied", "it is held, and says why")

    world.kubectl("annotate", "bgt", "stuck", "bgtask.dev/force-orphan=true")

    eventually(lambda: world.get("bgt", "stuck") is None, "it is gone", seconds=PATIENCE)
    eventually(lambda: [one for one in _told(world, "Orphaned") if revision in one], "what is left is told")
    assert all(_schedule("stuck") in message for message in _told(world, "Orphaned"))
    assert _schedule("stuck") in world.schedules()
    assert sweeper.logged(revision)
    world.aws.remove_fault(fault)
    eventually(lambda: world.revisions("stuck") == [], "the sweep takes what is left", seconds=PATIENCE)
    assert _schedule("stuck") not in world.schedules()


def _schedule(task: str) -> str:
    return Owner(INSTALLATION, "default", task).schedule_name(0)


def _lose(world: World, task: str) -> None:
    """Take the finalizer off and delete the object, before the operator can put it back."""
    world.kubectl("annotate", "bgt", task, "bgtask.dev/paused=true")
    eventually(lambda: world.condition(task).get("reason") == "Paused", "the operator leaves it alone")
    world.kubectl("delete", "bgt", task, "--wait=false")
    world.kubectl("patch", "bgt", task, "--type=merge", "-p", json.dumps({"metadata": {"finalizers": None}}))
    eventually(lambda: world.get("bgt", task) is None, "the object is gone")


def _make_strangers(world: World) -> None:
    """A schedule in our group that bears no mark, and a family of another installation that bears its own."""
    world.aws.client("scheduler").create_schedule(
        Name=STRANGER,
        GroupName=f"bgt-{INSTALLATION}",
        ScheduleExpression="cron(0 1 * * ? *)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": world.template["spec"]["queues"]["ticks"],
            "RoleArn": world.template["spec"]["schedulerRoleArn"],
            "Input": "theirs",
        },
    )
    world.aws.client("ecs").register_task_definition(
        family="bgt_another_default_lost",
        containerDefinitions=[{"name": "main", "image": "busybox:1", "memory": 64}],
        tags=[{"key": "bgtask.dev/owner", "value": "another/default/lost"}],
    )


def _running(world: World, task: str) -> list[str]:
    family = Owner(INSTALLATION, "default", task).family
    cluster = world.template["spec"]["cluster"]
    return list(world.aws.client("ecs").list_tasks(cluster=cluster, family=family, desiredStatus="RUNNING")["taskArns"])


def _events(world: World) -> list[dict[str, Any]]:
    return list(json.loads(world.kubectl("get", "events", "-A", "-o", "json"))["items"])


def _reasons(world: World) -> set[str]:
    return {one["reason"] for one in _events(world)}


def _told(world: World, reason: str) -> list[str]:
    return [one["message"] for one in _events(world) if one["reason"] == reason]


def _order(operator: Operator, revision: str) -> list[str]:
    """In which order the log tells of an orphan."""
    task = revision.rpartition("/")[2].partition(":")[0].replace(f"bgt_{INSTALLATION}_", "").replace("_", "/")
    words = {f"no BackgroundTask: {task}": "found", f"What {task} had in AWS was deleted": "deleted"}
    return [word for line in operator.lines() for said, word in words.items() if said in line]
