"""Runs that are tried again, after their own failures up to a limit, after AWS's without counting them; for so long.

Here the clock of AWS is the machine's: a deadline counts from when ECS says that it has taken the launch.
"""

from __future__ import annotations

import pytest

from fixtures.asking import FOREVER, PATIENCE, ask, ecs_tasks, reaches, status
from fixtures.world import INSTALLATION, Operator, World, eventually

pytestmark = pytest.mark.timeout(600)


def test_a_failed_run_is_tried_again_up_to_its_limit_with_all_attempts_told(world: World, operator: Operator) -> None:
    world.apply("stubborn", cron=None, backoffLimit=1, command=["sh", "-c", "echo no luck; exit 4"])
    world.ready("stubborn")

    ask(world, "stubborn-now", task="stubborn")

    waiting = eventually(
        lambda: (seen := status(world, "stubborn-now")).get("retryTime") and seen, "it waits", seconds=PATIENCE
    )
    assert (waiting["phase"], waiting["reason"], waiting["failedAttempts"]) == ("Running", "BackoffRetry", 1)
    ended = reaches(world, "stubborn-now", "Failed")
    assert ended["reason"] == "BackoffLimitExceeded"
    assert [one["exitCode"] for one in ended["attempts"]] == [4, 4]
    assert len(ecs_tasks(world, "stubborn")) == 2
    assert operator.process.poll() is None


def test_a_launch_that_finds_no_room_is_tried_again_and_counts_as_no_failure(world: World, operator: Operator) -> None:
    world.apply("crowded", cron=None, backoffLimit=0)
    world.ready("crowded")
    family = f"bgt_{INSTALLATION}_default_crowded"
    world.aws.control("POST", "ecs/shortages", {"outcome": "refused", "family": family, "times": 1})

    ask(world, "crowded-now", task="crowded")

    refused = eventually(
        lambda: (seen := status(world, "crowded-now")).get("launchFailures") and seen,
        "it was refused",
        seconds=PATIENCE,
    )
    assert (refused["phase"], refused["reason"]) == ("Launching", "CapacityUnavailable")
    ended = reaches(world, "crowded-now", "Succeeded")
    assert "failedAttempts" not in ended
    assert (ended["launch"]["number"], len(ecs_tasks(world, "crowded"))) == (1, 1)
    assert operator.process.poll() is None


def test_a_task_that_started_though_ecs_said_no_is_found_and_not_doubled(world: World, operator: Operator) -> None:
    world.apply("liar", cron=None, command=FOREVER)
    world.ready("liar")
    shortage = {"outcome": "refused-but-started", "family": f"bgt_{INSTALLATION}_default_liar", "times": 1}
    world.aws.control("POST", "ecs/shortages", shortage)

    ask(world, "liar-now", task="liar")

    running = reaches(world, "liar-now", "Running")
    assert [one["taskArn"] for one in ecs_tasks(world, "liar")] == [running["taskArn"]]
    world.kubectl("delete", "bgtr", "liar-now", "--timeout=120s")
    assert len(ecs_tasks(world, "liar")) == 1
    assert operator.process.poll() is None


def test_an_interruption_of_spot_is_tried_again_and_counts_as_no_failure(world: World, operator: Operator) -> None:
    spec = {**world.template["spec"], "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}
    world.kubectl("apply", "-f", "-", stdin={**world.template, "metadata": {"name": "spot"}, "spec": spec})
    world.apply("cheap", cron=None, launchTemplate="spot", backoffLimit=0, command=FOREVER)
    world.ready("cheap")
    ask(world, "cheap-now", task="cheap")
    first = reaches(world, "cheap-now", "Running")["taskArn"]

    world.aws.control("POST", "ecs/interrupt", {"task": first})

    again = eventually(
        lambda: (seen := status(world, "cheap-now")).get("taskArn") not in {None, first} and seen,
        "it is launched again",
        seconds=PATIENCE,
    )
    assert "failedAttempts" not in again
    assert again["attempts"][0]["reason"] == "SpotInterruption"
    world.kubectl("delete", "bgt", "cheap", "--timeout=120s")
    assert operator.process.poll() is None


def test_a_run_that_goes_on_for_too_long_is_stopped(world: World, operator: Operator) -> None:
    world.apply("long", cron=None, activeDeadlineSeconds=3, command=FOREVER)
    world.ready("long")

    ask(world, "long-now", task="long")

    ended = reaches(world, "long-now", "Failed")
    assert ended["reason"] == "DeadlineExceeded"
    assert ended["stop"]["reason"] == "DeadlineExceeded"
    assert [one["lastStatus"] for one in ecs_tasks(world, "long")] == ["STOPPED"]
    assert operator.process.poll() is None
