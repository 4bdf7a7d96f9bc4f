"""The last lines of a failed run: fetched after its end is stored, told once, and in the way of nothing."""

import logging
from typing import Any

import pytest

from backgroundtask.aws import Line
from backgroundtask.errors import Blocked, Busy, Paced
from backgroundtask.kube.resource import RUNS
from fixtures.fake_process import Process, Told
from fixtures.fake_world import World

TRACEBACK = ["Traceback (most recent call last):", '  File "job.py", line 7', "\x1b[31mValueError: no rows\x1b[0m"]


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def ended(world: World, *, exit_code: int = 1, slot: str = "2026-11-22T03:00:00Z") -> str:
    """A run comes to its end; its ECS task."""
    arn = world.fires(slot)
    world.tells(arn, "RUNNING")
    world.tells(arn, "STOPPED", exit_code=exit_code)
    return arn


def writes(world: World, arn: str, lines: list[str]) -> None:
    """The output of a container reaches CloudWatch."""
    stream = f"reports/nightly/aws-bg-task/{arn.rpartition('/')[2]}"
    world.account.lines["/bgt/test", stream] = [Line(world.clock(), text) for text in lines]


def run(world: World, name: str = "nightly-29921940") -> dict[str, Any]:
    return world.object(RUNS, name)


def tail(world: World) -> list[str]:
    lines: list[str] = run(world)["status"]["logs"].get("tail", [])
    return lines


def told(world: World) -> list[Told]:
    return [one for one in process(world).told.told if one.reason == "LogTail"]


def asked(world: World) -> int:
    return sum(call.operation == "log_events.latest" for call in world.trace.calls)


def test_the_last_lines_follow_the_end_some_seconds_later(world: World) -> None:
    arn = ended(world)
    writes(world, arn, TRACEBACK)

    at_the_end = (run(world)["status"]["phase"], tail(world), asked(world))
    world.pass_time(6)

    assert at_the_end == ("Failed", [], 0)
    assert tail(world) == [*TRACEBACK[:2], "ValueError: no rows"]
    (event,) = told(world)
    assert (event.about, event.type) == ("backgroundtaskruns nightly-29921940", "Warning")
    assert event.message.endswith('  File "job.py", line 7 | ValueError: no rows')


def test_they_are_told_once(world: World) -> None:
    writes(world, ended(world), TRACEBACK)
    world.pass_time(6)
    before = len(world.trace.writes)

    world.pass_time(3600, step=600)
    world.start().work()
    world.pass_time(120, step=10)

    assert asked(world) == 1
    assert told(world) == []
    assert [one for one in world.trace.since(before, "kube") if one == "kube.patch_status"] == []


def test_lines_that_come_late_are_found_by_a_later_look(world: World) -> None:
    arn = ended(world)
    world.pass_time(6)
    writes(world, arn, TRACEBACK)
    world.pass_time(15)

    assert len(tail(world)) == 3
    assert asked(world) == 2


def test_a_run_that_wrote_nothing_is_not_asked_about_for_ever(world: World) -> None:
    ended(world)
    world.pass_time(3600, step=120)

    assert asked(world) == 3
    assert told(world) == []
    assert "tail" not in run(world)["status"]["logs"]


def test_a_run_that_succeeded_keeps_its_lines_to_itself(world: World) -> None:
    writes(world, ended(world, exit_code=0), ["fine"])
    world.pass_time(120, step=10)

    assert (asked(world), tail(world)) == (0, [])


@pytest.mark.parametrize(
    "trouble",
    [
        Busy("AwsUnreachable", "AWS does not answer."),
        Blocked("AccessDenied", "Grant logs:GetLogEvents on * to operator."),
    ],
    ids=lambda trouble: trouble.reason,
)
def test_what_keeps_the_lines_from_us_keeps_nothing_else(
    world: World, caplog: pytest.LogCaptureFixture, trouble: Exception
) -> None:
    world.trace.fail_next("log_events.latest", trouble, times=10)

    with caplog.at_level(logging.WARNING):
        ended(world)
        world.pass_time(120, step=5)
        arn = world.fires("2026-11-23T03:00:00Z")
        world.tells(arn, "RUNNING")

    assert world.condition()["status"] == "True"
    assert run(world, "nightly-29923380")["status"]["phase"] == "Running"
    complaints = [one.message for one in caplog.records if "last lines" in one.message]
    assert len(complaints) == 1
    assert "nightly-29921940" in complaints[0]


def test_it_waits_for_its_turn_without_losing_a_look(world: World) -> None:
    world.trace.fail_next("log_events.latest", Paced("Paced", "It waits.", retry_after=30.0), times=1)
    arn = ended(world)
    writes(world, arn, TRACEBACK)

    world.pass_time(6)
    between = asked(world)
    world.pass_time(25, step=5)
    early = asked(world)
    world.pass_time(10, step=5)

    assert (between, early, asked(world)) == (1, 1, 2)
    assert len(tail(world)) == 3


def test_a_status_that_changed_meanwhile_is_looked_at_again(world: World) -> None:
    writes(world, ended(world), TRACEBACK)
    world.trace.fail_next("kube.patch_status", Busy("Conflict", "Someone else changed it at the same time"))

    world.pass_time(6)
    world.pass_time(5)

    assert len(tail(world)) == 3
    assert len(told(world)) == 1


def test_a_process_that_takes_over_finds_the_lines_of_what_failed_just_before(world: World) -> None:
    writes(world, ended(world), TRACEBACK)
    world.start().work()

    world.pass_time(6)

    assert len(tail(world)) == 3
