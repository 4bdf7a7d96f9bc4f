"""Reads of AWS lag behind writes: nothing is made twice, nothing is left, and no user is told of an error."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from fixtures.world import Operator, World, eventually

DELAY = 5
"""Seconds for which AWS does not show what was created: well more than a change takes."""

REST = DELAY + 3
"""Seconds after which whatever the operator still does of its own accord has been done."""

MADE = {"RegisterTaskDefinition", "CreateSchedule", "UpdateSchedule", "DeleteSchedule", "RunTask", "StopTask"}


@pytest.fixture
def lagging(world: World, operator: Operator) -> Iterator[World]:
    """A world whose reads lag, with an operator that follows it."""
    assert operator.process.poll() is None
    world.aws.set_visibility(DELAY)
    yield world
    world.aws.set_visibility(0)


def made(world: World, since: int) -> Counter[tuple[str, str]]:
    """How often each write had which outcome, retirements apart, since a point of the journal."""
    calls = world.aws.journal(write=True, since=since, principal="client")
    return Counter((call["operation"], call["outcome"]) for call in calls if call["operation"] in MADE)


def at_rest(world: World, since: int) -> Counter[tuple[str, str]]:
    """The writes of a change once no other follows, although AWS shows everything by then."""
    seen, quiet = made(world, since), time.monotonic()
    while time.monotonic() - quiet < REST:
        time.sleep(0.2)
        if (now := made(world, since)) != seen:
            seen, quiet = now, time.monotonic()
    return seen


def test_a_change_makes_one_revision_and_one_schedule_while_aws_shows_neither(lagging: World) -> None:
    before = lagging.now()

    lagging.apply("late", cron="0 3 * * *")
    first = lagging.ready("late")["taskDefinitionArn"]
    created = at_rest(lagging, before)
    changing = lagging.now()
    lagging.apply("late", cron="0 3 * * *", image="busybox:2")
    eventually(lambda: lagging.ready("late")["taskDefinitionArn"] != first, "the new revision is in the status")
    changed = at_rest(lagging, changing)

    assert created == {("RegisterTaskDefinition", "ok"): 1, ("CreateSchedule", "ok"): 1}
    assert changed == {("RegisterTaskDefinition", "ok"): 1, ("UpdateSchedule", "ok"): 1}
    assert lagging.revisions("late") == [lagging.status("late")["taskDefinitionArn"]]
    assert len([name for name in lagging.schedules() if name in str(lagging.status("late")["schedules"])]) == 1
    lagging.kubectl("delete", "bgt", "late", "--timeout=60s")


def test_changes_in_quick_succession_make_one_revision_each_while_aws_shows_none(lagging: World) -> None:
    before = lagging.now()
    arns = []
    for number in range(3):
        lagging.apply("hasty", image=f"busybox:{number}")
        eventually(lambda: lagging.ready("hasty")["taskDefinitionArn"] not in arns, "a new revision is in the status")
        arns.append(lagging.status("hasty")["taskDefinitionArn"])

    writes = at_rest(lagging, before)

    assert writes == {
        ("RegisterTaskDefinition", "ok"): 3,
        ("CreateSchedule", "ok"): 1,
        ("UpdateSchedule", "ok"): 2,
    }
    eventually(lambda: lagging.revisions("hasty") == arns[-1:], "the replaced revisions are retired")
    lagging.kubectl("delete", "bgt", "hasty", "--timeout=60s")


def test_what_is_deleted_before_aws_has_shown_it_leaves_nothing(lagging: World) -> None:
    lagging.apply("brief")
    lagging.ready("brief")

    lagging.kubectl("delete", "bgt", "brief", "--timeout=60s")
    gone = lagging.now()
    at_rest(lagging, gone)

    assert lagging.revisions("brief") == []
    assert lagging.schedules() == []


def test_a_change_after_a_crash_finds_what_aws_does_not_show_yet(lagging: World, operator: Operator) -> None:
    before = lagging.now()
    lagging.apply("orphaned")
    first = lagging.ready("orphaned")["taskDefinitionArn"]
    operator.kill()
    lagging.apply("orphaned", image="busybox:2")

    again = lagging.start_operator()
    eventually(lambda: lagging.ready("orphaned")["taskDefinitionArn"] != first, "the new revision is in the status")
    writes = at_rest(lagging, before)

    assert (writes["RegisterTaskDefinition", "ok"], writes["CreateSchedule", "ok"]) == (2, 1)
    eventually(
        lambda: lagging.revisions("orphaned") == [lagging.status("orphaned")["taskDefinitionArn"]],
        "the replaced revision is retired",
    )
    lagging.kubectl("delete", "bgt", "orphaned", "--timeout=60s")
    assert lagging.schedules() == []
    assert again.terminate() == 0


def test_a_run_is_recorded_once_while_aws_does_not_describe_its_task(lagging: World, operator: Operator) -> None:
    lagging.apply("run", cron=lagging.soon())
    lagging.ready("run")
    before = lagging.now()
    lagging.next_slot()

    eventually(lambda: lagging.status("run").get("lastRun", {}).get("phase") == "Succeeded", "its run has ended well")

    started = lagging.aws.journal(operation="RunTask", outcome="ok", since=before)
    slots = eventually(
        lambda: len(runs := lagging.runs("run")) >= len(started) and runs, "each started task has a run of its own"
    )
    assert len({run["status"]["taskArn"] for run in slots}) == len(slots)
    assert not operator.logged("has a second ECS task")
    lagging.kubectl("delete", "bgt", "run", "--timeout=60s")
