"""A process that is killed just before or just after any write leaves what the next one brings to the same end."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

import pytest

from backgroundtask.kube.resource import RUNS, TASKS
from fixtures.fake_account import family_of
from fixtures.fake_world import OWNER, World
from fixtures.trace import Call, Crash

Moment = Literal["before", "after"]
Act = Callable[[World], None]

_STEP = 1850  # seconds
_REST = 4 * _STEP  # of all acts together less than there is to the first slot
_TIMES = frozenset({"lastTransitionTime", "observedGeneration", "message"})  # of conditions: when, and with which ARN
_ARNS = frozenset({"taskDefinitionArn", "taskArn"})


def _create(world: World) -> None:
    world.apply()


def _change_image(world: World) -> None:
    world.edit(image="reports:2")


def _change_cron(world: World) -> None:
    world.edit(cron="0 3 1 * 1")


def _run(world: World) -> None:
    first = world.account.fire(OWNER.schedule_name(0), "2026-12-01T03:00:00Z")
    assert first is not None
    world.send(first, "RUNNING")
    world.send(first, "STOPPED", exit_code=3)


def _suspend(world: World) -> None:
    world.edit(suspend=True)


def _drop_cron(world: World) -> None:
    world.edit(cron=None, suspend=False)


def _delete(world: World) -> None:
    world.delete()


SCRIPT: tuple[Act, ...] = (_create, _change_image, _change_cron, _run, _suspend, _drop_cron, _delete)


class Killer:
    """Ends the process at one write of one act."""

    def __init__(self, moment: Moment, nth: int) -> None:
        self._moment = moment
        self._left = nth
        self.struck: Call | None = None

    def __call__(self, moment: str, call: Call) -> None:
        if moment != self._moment or self.struck:
            return
        if self._left == 0:
            self.struck = call
            raise Crash
        self._left -= 1


def begun(acts: tuple[Act, ...]) -> World:
    """A world in which some acts of the script have come to rest."""
    world = World()
    world.furnish()
    world.start()
    for act in acts:
        act(world)
        rest(world)
    return world


def rest(world: World) -> None:
    """Work until nothing is left to do, retirement included; a process that is killed is followed by another.

    It takes the same time whatever happens, so that the same slots pass.
    """
    end = world.clock.now + timedelta(seconds=_REST)
    while world.clock.now < end:
        try:
            _work(world)
        except Crash:
            world.start()


def _work(world: World) -> None:
    assert world.process is not None
    world.process.read_queues()
    world.pass_time(_STEP)
    world.process.read_queues()


def picture(world: World) -> dict[str, Any]:
    """What the cluster and AWS hold, without what may differ: times, and the numbers of revisions."""
    digests = {arn: one.digest for arn, one in world.account.revisions.items()}
    schedules = [(kept.expression, kept.enabled, digests[str(kept.definition_arn)]) for kept in _schedules(world)]
    return {
        "schedules": schedules,
        "revisions": sorted(str(digests[arn]) for arn in world.revisions()),
        "tasks": [_plain(body) for body in world.store.all(TASKS)],
        "runs": [_plain(body) for body in world.store.all(RUNS)],
        "stopped": [one["desiredStatus"] for one in world.account.tasks.values()],
        "messages": [len(world.account.messages(queue)) for queue in world.account.queues],
    }


def _schedules(world: World) -> list[Any]:
    return [world.account.schedule(name) for name in sorted(world.enabled())]


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    status = {key: value for key, value in body["status"].items() if key not in _ARNS and not key.endswith("Time")}
    conditions = [{k: v for k, v in one.items() if k not in _TIMES} for one in status.pop("conditions", [])]
    parts = {key: _without_arns(value) for key, value in status.items()}
    metadata = {key: body["metadata"].get(key) for key in ("name", "generation", "finalizers")}
    return {"metadata": metadata, "spec": body["spec"], "status": parts, "conditions": conditions}


def _without_arns(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_arns(one) for key, one in value.items() if key not in _ARNS and not key.endswith("Time")}
    return [_without_arns(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("index", range(len(SCRIPT)), ids=[act.__name__.strip("_") for act in SCRIPT])
@pytest.mark.timeout(120)  # each write of an act is a world of its own
def test_killed_at_any_write_it_ends_where_an_undisturbed_run_does(index: int, moment: Moment) -> None:
    undisturbed = begun(SCRIPT[: index + 1])
    wanted, revisions = picture(undisturbed), len(undisturbed.account.revisions)

    nth = 0
    while True:
        world, killer = begun(SCRIPT[:index]), Killer(moment, nth)
        world.trace.on_write = killer
        SCRIPT[index](world)
        rest(world)
        if killer.struck is None:
            break

        assert picture(world) == wanted, f"killed {moment} {killer.struck}"
        assert len(world.account.revisions) <= revisions + 1, f"killed {moment} {killer.struck}"
        nth += 1

    assert nth >= 1, "the act writes nothing"


def test_killed_after_each_step_of_a_creation_it_does_no_step_twice() -> None:
    world = World()
    world.furnish()
    world.start().work()
    world.apply()
    for step in ("kube.add_finalizer", "ecs.register", "schedules.create", "kube.patch_status"):
        world.trace.on_write = _at(step)
        with pytest.raises(Crash):
            _work(world)
        world.start()
    world.trace.on_write = lambda _, __: None

    rest(world)

    assert [family_of(arn) for arn in world.account.revisions] == [OWNER.family]
    assert world.condition()["status"] == "True"


def _at(operation: str) -> Callable[[str, Call], None]:
    def end(moment: str, call: Call) -> None:
        if (moment, call.operation) == ("after", operation):
            raise Crash

    return end
