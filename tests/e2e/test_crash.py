"""What is left after the operator was killed: the next process finds it, and nothing is doubled or lost."""

from __future__ import annotations

import json

from fixtures.world import Operator, World, eventually


def test_killed_between_revision_and_schedule_it_leaves_one_of_each(world: World) -> None:
    doomed = world.start_operator()
    held = world.aws.fault("hold", "scheduler", "CreateSchedule", when_gone="drop")
    world.apply("crashed")
    eventually(lambda: world.revisions("crashed"), "the revision is registered")
    eventually(lambda: _is_held(world, held), "the schedule is about to be created")

    doomed.kill()
    world.aws.remove_fault(held)
    restarted = world.start_operator()

    status = world.ready("crashed")
    assert [one["name"] for one in status["schedules"]] == world.schedules()
    assert len(world.schedules()) == 1
    assert world.revisions("crashed") == [status["taskDefinitionArn"]]
    assert restarted.terminate() == 0


def test_a_replaced_revision_is_retired_once_no_firing_can_want_it(world: World, operator: Operator) -> None:
    world.apply("retired")
    world.ready("retired")
    [old] = world.revisions("retired")

    world.kubectl("patch", "bgt", "retired", "--type=merge", "-p", json.dumps({"spec": {"image": "busybox:2"}}))

    eventually(lambda: old not in world.revisions("retired"), "the old revision is deregistered")
    assert world.revisions("retired") == [world.ready("retired")["taskDefinitionArn"]]
    assert operator.process.poll() is None


def _is_held(world: World, fault: str) -> bool:
    faults = world.aws.control("GET", "faults")["faults"]
    return any(one["id"] == fault and one["hits"] for one in faults)
