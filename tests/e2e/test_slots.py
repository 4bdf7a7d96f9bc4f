"""Slots of schedules, with a real API server: ticks, firings that are lost, given up or too late, and downtimes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fixtures.shifted_operator import SHIFT
from fixtures.world import Operator, World, eventually

FOREVER = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
LONG = 240.0  # seconds: a queue counts as drained once no message of an earlier reader can be hidden
ROOT = Path(__file__).parents[2]


class Times:
    """The clocks of AWS and of the operator, which move together."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.file = world.folder / "shift"
        self.file.write_text("0")

    @property
    def env(self) -> dict[str, str]:
        path = os.pathsep.join([str(ROOT / "operator"), str(ROOT / "tests")])
        return {SHIFT: str(self.file), "PYTHONPATH": path}

    def now(self) -> datetime:
        """The time in AWS."""
        return datetime.fromisoformat(self.world.aws.control("GET", "clock")["now"]).astimezone(UTC)

    def advance(self, seconds: float, *touch: str) -> None:
        """Move both clocks, and let the operator look at tasks then, as its timers would have."""
        self.world.aws.advance(seconds)
        self.file.write_text(str((self.now() - datetime.now(UTC)).total_seconds()))
        for task in touch:
            note = f"bgtask.dev/reconcile-requested-at={self.now().timestamp()}"
            self.world.kubectl("annotate", "--overwrite", "bgt", task, note)

    def next_minute(self) -> datetime:
        """The next full minute in AWS that is not about to begin."""
        return (self.now() + timedelta(seconds=75)).replace(second=0, microsecond=0)

    def to(self, moment: datetime, *touch: str) -> None:
        """Move both clocks to a moment."""
        self.advance(max((moment - self.now()).total_seconds(), 0.0), *touch)


@pytest.fixture(scope="module")
def times(world: World) -> Times:
    return Times(world)


@pytest.fixture(scope="module")
def shifted(world: World, times: Times) -> Iterator[Operator]:
    """One operator for the tests of this module: what it has read of its queues takes a minute to be sure."""
    started = world.start_operator(env=times.env, module="fixtures.shifted_operator")
    yield started
    if started.process.poll() is None:
        assert started.terminate() == 0


def test_under_forbid_ticks_launch_one_run_and_skip_the_next(world: World, times: Times, shifted: Operator) -> None:
    world.apply("ticking", cron="* * * * *", concurrencyPolicy="Forbid", command=FOREVER)
    world.ready("ticking")
    assert [one["launch"] for one in world.status("ticking")["schedules"]] == ["Queue"]

    times.to(times.next_minute(), "ticking")
    eventually(lambda: "Running" in _phases(world, "ticking"), "the first tick's run runs", seconds=90)
    times.advance(60, "ticking")
    eventually(lambda: "Skipped" in _phases(world, "ticking"), "the next one is skipped", seconds=90)

    _suspend(world, "ticking")
    skipped = next(run for run in world.runs("ticking") if run["status"]["phase"] == "Skipped")
    assert skipped["status"]["reason"] == "JobAlreadyActive"
    assert len(_ecs_tasks(world, "ticking")) == 1
    assert shifted.process.poll() is None


def test_a_firing_that_scheduler_lost_is_launched_late_with_the_schedules_token(
    world: World, times: Times, shifted: Operator
) -> None:
    slot = times.next_minute()
    world.apply("lost", cron=f"{slot.minute} {slot.hour} * * *")
    world.ready("lost")
    token = _token(world, "lost", slot)
    _silence(world, "lost")

    times.to(slot + timedelta(seconds=3001), "lost")

    eventually(lambda: "Succeeded" in _phases(world, "lost"), "it is launched all the same", seconds=LONG)
    launches = [one for one in world.aws.journal(operation="RunTask") if token in str(one["params"])]
    assert [one["principal"] for one in launches] == ["client"]
    assert len(_ecs_tasks(world, "lost")) == 1
    assert shifted.process.poll() is None


def test_a_dead_letter_is_looked_into_and_the_run_launched(world: World, times: Times, shifted: Operator) -> None:
    slot = times.next_minute()
    world.apply("denied", cron=f"{slot.minute} {slot.hour} * * *")
    world.ready("denied")
    world.aws.fault("error", "ecs", "RunTask", code="AccessDeniedException", message="no", status=400, times=1)

    times.to(slot)

    eventually(lambda: "Succeeded" in _phases(world, "denied"), "the operator has launched it", seconds=LONG)
    assert "FailedCreate" in world.kubectl("get", "events", "--field-selector", "involvedObject.name=denied")
    assert shifted.process.poll() is None


def test_a_slot_that_nothing_launched_in_time_is_missed(world: World, times: Times, shifted: Operator) -> None:
    slot = times.next_minute()
    world.apply("missed", cron=f"{slot.minute} {slot.hour} * * *", startingDeadlineSeconds=60)
    world.ready("missed")
    _silence(world, "missed")

    times.to(slot + timedelta(seconds=90), "missed")

    eventually(lambda: _phases(world, "missed") == ["Missed"], "it is recorded", seconds=LONG)
    assert "MissSchedule" in world.kubectl("get", "events", "--field-selector", "involvedObject.name=missed")
    assert _ecs_tasks(world, "missed") == []
    assert shifted.process.poll() is None


def test_an_end_that_came_while_the_operator_was_down_and_that_ecs_has_forgotten_is_recorded(
    world: World, times: Times, shifted: Operator
) -> None:
    slot = times.next_minute()
    world.apply("offline", cron=f"{slot.minute} {slot.hour} * * *", command=["sleep", "5"])
    world.ready("offline")
    times.to(slot)
    eventually(lambda: "Running" in _phases(world, "offline"), "it runs", seconds=90)

    shifted.kill()
    eventually(lambda: _stopped(world, "offline"), "it ends while nobody looks", seconds=90)
    times.advance(3 * 3600)
    again = world.start_operator(env=times.env, module="fixtures.shifted_operator")

    eventually(lambda: _phases(world, "offline") == ["Succeeded"], "its end is recorded", seconds=90)
    assert again.terminate() == 0


def _phases(world: World, task: str) -> list[str | None]:
    return [run.get("status", {}).get("phase") for run in world.runs(task)]


def _schedule(world: World, task: str) -> dict[str, Any]:
    [name] = [one for one in world.schedules() if one.endswith(f"-default-{task}")]
    found: dict[str, Any] = world.aws.client("scheduler").get_schedule(GroupName="bgt-e2e", Name=name)
    return found


def _silence(world: World, task: str) -> None:
    """Let Scheduler not fire, and not say so: behind the operator's back."""
    kept = _schedule(world, task)
    members = ("Name", "GroupName", "Description", "ScheduleExpression", "ScheduleExpressionTimezone")
    world.aws.client("scheduler").update_schedule(
        **{member: kept[member] for member in (*members, "FlexibleTimeWindow", "Target")}, State="DISABLED"
    )


def _token(world: World, task: str, slot: datetime) -> str:
    text: str = _schedule(world, task)["Target"]["Input"]
    token = text.partition('"ClientToken":"')[2].partition('"')[0]
    return token.replace("<aws.scheduler.scheduled-time>", slot.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _suspend(world: World, task: str) -> None:
    world.kubectl("patch", "bgt", task, "--type=merge", "-p", '{"spec": {"suspend": true}}')


def _ecs_tasks(world: World, task: str) -> list[str]:
    ecs, cluster = world.aws.client("ecs"), world.template["spec"]["cluster"]
    family = f"bgt_e2e_default_{task}"
    states = ("RUNNING", "STOPPED")
    return [
        arn
        for state in states
        for arn in ecs.list_tasks(cluster=cluster, family=family, desiredStatus=state)["taskArns"]
    ]


def _stopped(world: World, task: str) -> list[str]:
    ecs, cluster = world.aws.client("ecs"), world.template["spec"]["cluster"]
    family = f"bgt_e2e_default_{task}"
    arns: list[str] = ecs.list_tasks(cluster=cluster, family=family, desiredStatus="STOPPED")["taskArns"]
    return arns
