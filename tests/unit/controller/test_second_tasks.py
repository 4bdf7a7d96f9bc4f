"""A second ECS task for one slot: recorded, told, and the younger of the two stopped, also after the run's end."""

from __future__ import annotations

from typing import Any

from backgroundtask.errors import Blocked
from backgroundtask.kube.resource import RUNS
from fixtures.fake_process import Process
from fixtures.fake_world import World

SLOT = "2026-11-22T03:00:00Z"


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def second(world: World, first: str) -> str:
    """ECS starts another task for the same slot, a second later, and says so."""
    world.clock.advance(1)
    environment = {
        one["name"]: one["value"]
        for one in world.account.tasks[first]["overrides"]["containerOverrides"][0]["environment"]
    }
    arn = world.account.start_task(world.account.tasks[first]["taskDefinitionArn"], environment)
    world.tells(arn, "RUNNING")
    return arn


def wanted(world: World, arn: str) -> str:
    return str(world.account.tasks[arn]["desiredStatus"])


def attempts(world: World) -> list[dict[str, Any]]:
    [run] = world.runs()
    found: list[dict[str, Any]] = run["status"]["attempts"]
    return found


def test_the_younger_one_is_stopped_and_the_run_ends_as_the_older_one_does(world: World) -> None:
    first = world.fires(SLOT)
    world.tells(first, "RUNNING")

    other = second(world, first)

    assert (wanted(world, first), wanted(world, other)) == ("RUNNING", "STOPPED")
    world.tells(other, "STOPPED", exit_code=143)
    world.tells(first, "STOPPED", exit_code=0)
    [run] = world.runs()
    assert (run["status"]["phase"], run["status"]["taskArn"]) == ("Succeeded", first)
    assert [(one["taskArn"], one.get("duplicate")) for one in attempts(world)] == [(first, None), (other, True)]


def test_one_that_starts_after_the_end_is_stopped(world: World) -> None:
    first = world.fires(SLOT)
    world.tells(first, "STOPPED", exit_code=0)

    other = second(world, first)

    assert wanted(world, other) == "STOPPED"


def test_a_run_that_is_deleted_stays_until_its_second_task_has_stopped(world: World) -> None:
    first = world.fires(SLOT)
    world.tells(first, "RUNNING")
    world.trace.fail_next("ecs.stop", Blocked("AccessDenied", "Grant it."), times=1000)
    other = second(world, first)
    world.tells(first, "STOPPED", exit_code=0)

    world.delete(RUNS, world.runs()[0]["metadata"]["name"])
    process(world).work()
    assert len(world.runs()) == 1
    world.trace.mend()
    world.pass_time(400)

    assert wanted(world, other) == "STOPPED"
    world.tells(other, "STOPPED", exit_code=143)
    assert world.runs() == []


def test_one_that_ecs_has_forgotten_is_not_stopped_for_ever(world: World) -> None:
    first = world.fires(SLOT)
    world.tells(first, "STOPPED", exit_code=0)
    other = second(world, first)
    del world.account.tasks[other]

    world.pass_time(400, step=20)

    assert attempts(world)[1]["reason"] == "TaskForgotten"
    assert "completionTime" in attempts(world)[1]
