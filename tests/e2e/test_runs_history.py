"""Which ended runs are kept, while slots go by.

In a world of its own: the clock of AWS is moved slot by slot from the machine's time on, so that none is left out.
"""

from __future__ import annotations

import pytest

from fixtures.asking import PATIENCE
from fixtures.world import Operator, World, eventually

pytestmark = pytest.mark.timeout(600)


def test_history_keeps_as_many_runs_as_the_limits_say(world: World, operator: Operator) -> None:
    world.apply("pruned", cron="* * * * *", successfulRunsHistoryLimit=2)
    world.ready("pruned")

    for _ in range(4):
        slot = world.status("pruned").get("lastScheduleTime")
        world.next_slot()
        eventually(
            lambda slot=slot: _last_success(world, "pruned", slot), "the next slot has succeeded", seconds=PATIENCE
        )

    eventually(lambda: len(world.runs("pruned")) == 2, "two runs are left", seconds=PATIENCE)
    kept = sorted(one["spec"]["scheduledTime"] for one in world.runs("pruned"))
    assert kept[-1] == world.status("pruned")["lastScheduleTime"]
    assert operator.process.poll() is None


def _last_success(world: World, task: str, earlier: str | None) -> bool:
    status = world.status(task)
    last = status.get("lastScheduleTime")
    return last is not None and last != earlier and not status["activeRuns"] and "lastSuccessfulTime" in status
