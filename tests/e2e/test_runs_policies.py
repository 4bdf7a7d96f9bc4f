"""Runs beside each other: never two under Forbid, whoever asks and whoever leads; replaced, queued, cancelled."""

from __future__ import annotations

import pytest

from fixtures.asking import FOREVER, PATIENCE, ask, ecs_tasks, launches, overlaps, reaches, runs_of, status
from fixtures.world import INSTALLATION, Operator, World, eventually

pytestmark = pytest.mark.timeout(600)

BRIEF = ["sh", "-c", "sleep 0.5"]
QUICK = ("--lease-duration", "10", "--renew-deadline", "7", "--retry-period", "0.5")
ENDS = {"Succeeded", "Failed", "Cancelled", "Skipped", "Missed", "Lost"}


def all_over(world: World, task: str, at_least: int) -> bool:
    """Whether there are so many runs of a task, and all have ended."""
    phases = [one["status"].get("phase") for one in runs_of(world, task)]
    return len(phases) >= at_least and set(phases) <= ENDS


def test_under_forbid_no_two_run_at_once_whoever_asks(world: World, operator: Operator) -> None:
    world.apply(
        "strict", cron="* * * * *", concurrencyPolicy="Forbid", command=BRIEF,
        successfulRunsHistoryLimit=100, failedRunsHistoryLimit=100,
    )  # fmt: skip
    world.ready("strict")

    for number in range(3):
        ask(world, f"strict-by-hand-{number}", task="strict")
        world.next_slot()
        world.next_slot()
    world.kubectl("patch", "bgt", "strict", "--type=merge", "-p", '{"spec": {"suspend": true}}')

    eventually(lambda: all_over(world, "strict", 6), "all runs have ended", seconds=PATIENCE)
    by_hand = [status(world, f"strict-by-hand-{number}")["phase"] for number in range(3)]
    assert by_hand == ["Succeeded"] * 3, "who was asked for waits, and is not skipped"
    tasks = ecs_tasks(world, "strict")
    assert overlaps(tasks) == []
    ran = [one for one in runs_of(world, "strict") if one["status"]["phase"] == "Succeeded"]
    assert len(tasks) == len(ran)
    skipped = [one["status"]["reason"] for one in runs_of(world, "strict") if one["status"]["phase"] == "Skipped"]
    assert set(skipped) <= {"JobAlreadyActive", "Suspended"}
    assert operator.process.poll() is None


def test_a_slot_that_is_due_while_another_run_is_active_is_skipped_and_told(world: World, operator: Operator) -> None:
    world.apply("busy", cron=world.soon(), concurrencyPolicy="Forbid", command=FOREVER)
    world.ready("busy")
    ask(world, "busy-now", task="busy")
    reaches(world, "busy-now", "Running")

    world.next_slot()

    eventually(
        lambda: [one for one in runs_of(world, "busy") if one["status"].get("reason") == "JobAlreadyActive"],
        "the slot is skipped",
        seconds=PATIENCE,
    )
    assert len(ecs_tasks(world, "busy")) == 1
    world.kubectl("delete", "bgt", "busy", "--timeout=120s")
    assert operator.process.poll() is None


def test_under_forbid_no_two_run_at_once_across_a_change_of_the_leader(world: World) -> None:
    first = world.start_operator(*QUICK, elect=True)
    eventually(lambda: first.logged("Leading as "), "it leads", seconds=PATIENCE)
    second = world.start_operator(*QUICK, elect=True)
    world.apply("led", cron=None, concurrencyPolicy="Forbid", command=["sh", "-c", "sleep 2"])
    world.ready("led")

    for number in range(4):
        ask(world, f"led-{number}", task="led")
    eventually(lambda: ecs_tasks(world, "led"), "the first is launched", seconds=PATIENCE)
    first.kill()

    for number in range(4):
        reaches(world, f"led-{number}", "Succeeded")
    tasks = ecs_tasks(world, "led")
    assert (len(tasks), overlaps(tasks)) == (4, [])
    assert second.terminate() == 0
    world.kubectl("delete", "lease", f"bgt-{INSTALLATION}", "--ignore-not-found")


def test_a_younger_run_replaces_the_one_that_goes_on(world: World, operator: Operator) -> None:
    world.apply("fresh", cron=None, concurrencyPolicy="Replace", command=FOREVER)
    world.ready("fresh")
    ask(world, "fresh-old", task="fresh")
    reaches(world, "fresh-old", "Running")

    ask(world, "fresh-young", task="fresh")

    assert reaches(world, "fresh-old", "Cancelled")["reason"] == "Replaced"
    reaches(world, "fresh-young", "Running")
    assert overlaps(ecs_tasks(world, "fresh")) == []
    world.kubectl("delete", "bgt", "fresh", "--timeout=120s")
    assert operator.process.poll() is None


def test_runs_beyond_the_limit_of_the_template_wait_for_their_turn(world: World, operator: Operator) -> None:
    spec = {**world.template["spec"], "limits": {"concurrentRuns": 2}}
    world.kubectl("apply", "-f", "-", stdin={**world.template, "metadata": {"name": "narrow"}, "spec": spec})
    for name in ("one", "two", "three"):
        world.apply(name, cron=None, launchTemplate="narrow", command=FOREVER)
        world.ready(name)
    for name in ("one", "two"):
        ask(world, f"{name}-now", task=name)
        reaches(world, f"{name}-now", "Running")

    ask(world, "three-now", task="three")
    assert reaches(world, "three-now", "Pending", "ConcurrentRunsLimit")
    assert ecs_tasks(world, "three") == []
    world.kubectl("patch", "bgtr", "one-now", "--type=merge", "-p", '{"spec": {"cancel": true}}')

    reaches(world, "three-now", "Running")
    assert status(world, "one-now")["phase"] == "Cancelled"
    world.kubectl("delete", "bgt", "one", "two", "three", "--timeout=120s")
    assert operator.process.poll() is None


def test_a_run_that_is_cancelled_before_its_turn_is_never_launched(world: World, operator: Operator) -> None:
    world.apply("serial", cron=None, concurrencyPolicy="Forbid", command=FOREVER)
    world.ready("serial")
    ask(world, "serial-first", task="serial")
    reaches(world, "serial-first", "Running")
    ask(world, "serial-second", task="serial")
    reaches(world, "serial-second", "Pending", "ConcurrencyForbidden")
    since = world.now()

    world.kubectl("patch", "bgtr", "serial-second", "--type=merge", "-p", '{"spec": {"cancel": true}}')

    assert reaches(world, "serial-second", "Cancelled")["reason"] == "Cancelled"
    assert launches(world, since) == []
    world.kubectl("delete", "bgt", "serial", "--timeout=120s")
    assert operator.process.poll() is None
