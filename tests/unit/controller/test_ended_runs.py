"""A run that has ended: what is still asked of it changes nothing, and is answered."""

from __future__ import annotations

from backgroundtask.kube.resource import RUNS
from fixtures.fake_world import World

SLOT = "2026-11-22T03:00:00Z"


def test_a_cancellation_that_comes_too_late_is_observed_so_that_kubectl_wait_returns(world: World) -> None:
    assert world.process is not None
    arn = world.fires(SLOT)
    world.tells(arn, "STOPPED", exit_code=0)
    [run] = world.runs()

    world.store.replace(RUNS, run, {**run, "spec": {**run["spec"], "cancel": True}})
    world.process.work()

    [run] = world.runs()
    told = {one["type"]: (one["status"], one["observedGeneration"]) for one in run["status"]["conditions"]}
    assert run["metadata"]["generation"] == run["status"]["observedGeneration"] == 2
    assert told == {"Complete": ("True", 2), "Ready": ("True", 2)}
