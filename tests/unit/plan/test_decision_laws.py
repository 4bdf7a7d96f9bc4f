"""The laws of what is decided for runs: for any scene, and for whole lives in a world that answers badly."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.api.phases import ENDS
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.plan.attempts import is_launched, is_outstanding, live_task
from backgroundtask.plan.identity import has_ended, slot_of_run, unit_of
from backgroundtask.plan.life import Launch, Policy, Scene, Search, Step, decide
from fixtures.run_world import RunWorld, phases
from fixtures.runs import (
    SLOT,
    arn,
    asked_run,
    ended,
    failed,
    launch,
    made_run,
    minutes,
    outstanding,
    refused,
    running,
    slot_run,
    unstarted,
)

pytestmark = pytest.mark.timeout(60)  # a hundred scenes, and a hundred lives, on a machine that does other things

RANK = {"": 0, "Pending": 1, "Launching": 2, "Running": 3}
STOP = {"stop": {"reason": "Replaced", "time": "2026-11-21T03:00:00Z"}}
STATUSES: list[dict[str, Any]] = [
    {},
    {"phase": "Pending", "reason": "SeriesOrder"},
    running(1),
    running(2, **STOP),
    outstanding(),
    outstanding(**STOP),
    refused(),
    refused(number=3),
    failed(3, retryTime="2026-11-21T03:10:00Z"),
    failed(4, retryTime="2026-11-21T03:10:00Z", launch=launch(number=2, taskArn=arn(4))),
    unstarted(5, retryTime="2026-11-21T03:05:00Z", launchFailures=1),
    *map(ended, sorted(ENDS)),
    ended("Skipped", reason="JobAlreadyActive"),
]
KINDS = ["slot", "awaited", "item", "asked", "made"]


@cache
def one_run(kind: str, after: int, status: int, is_deleted: bool, is_cancelled: bool) -> BackgroundTaskRun:  # noqa: FBT001 - drawn
    more: dict[str, Any] = {"is_deleted": is_deleted, "spec": {"cancel": is_cancelled}, **STATUSES[status]}
    match kind:
        case "item":
            return slot_run(after // 3, item=f"item-{after % 3}", index=after % 3, **more)
        case "asked":
            return asked_run(str(after), after=after, **more)
        case "made":
            return made_run(f"by-hand-{after}", after=after, **more)
    return slot_run(after, queue=kind == "slot", **more)


seldom = st.sampled_from([False, False, False, True])
any_run = st.builds(
    one_run, st.sampled_from(KINDS), st.integers(0, 4), st.integers(0, len(STATUSES) - 1), seldom, seldom
)


policies = st.builds(
    Policy,
    concurrency=st.sampled_from(["Allow", "Forbid", "Replace"]),
    starting_deadline=st.sampled_from([None, minutes(2), minutes(600)]),
    active_deadline=st.sampled_from([None, minutes(3), minutes(600)]),
    backoff_limit=st.integers(0, 3),
    suspended=st.booleans(),
)


@st.composite
def any_scene(draw: st.DrawFn) -> Scene:
    runs = draw(st.lists(any_run, max_size=6, unique_by=lambda run: run.metadata.name))
    names = [run.metadata.name for run in runs]
    some = st.frozensets(st.sampled_from(names)) if names else st.just(frozenset())
    now = SLOT + timedelta(minutes=draw(st.integers(0, 130)))
    drained = st.sampled_from([None, SLOT, now])
    gone = draw(st.sampled_from([{}, {}, {arn(1): now, arn(2): now}]))
    unknown = draw(st.sampled_from([frozenset(), frozenset(), frozenset({"unknown"})]))
    return Scene(
        now=now,
        policy=draw(policies),
        runs=tuple(runs),
        holders=draw(some) | unknown,
        drained=draw(drained),
        given_up=draw(some),
        gone=gone,
    )


def launches(steps: tuple[Step, ...]) -> list[Launch]:
    inner = [step.otherwise if isinstance(step, Search) else step for step in steps]
    return [step for step in inner if isinstance(step, Launch)]


def others(run: BackgroundTaskRun, scene: Scene) -> list[BackgroundTaskRun]:
    return [one for one in scene.runs if one.metadata.name != run.metadata.name and not has_ended(one)]


def executes(run: BackgroundTaskRun) -> bool:
    return live_task(run.status) is not None or is_outstanding(run.status)


@given(any_scene())
def test_leave_is_given_to_one_and_only_while_no_other_has_it_or_is_active(scene: Scene) -> None:
    if scene.policy.concurrency == "Allow":
        return

    found = launches(decide(scene).steps)

    assert len(found) <= 1
    for step in found:
        rest = others(step.run, scene)
        assert not any(map(executes, rest))
        if step.needs_leave:
            assert not any(map(is_launched, rest))
            dead = {one.metadata.name for one in scene.runs if has_ended(one) or one.metadata.deletion_timestamp}
            assert not scene.holders - dead


@given(any_scene())
def test_nothing_is_launched_that_is_over_stopped_too_late_or_suspended(scene: Scene) -> None:
    for step in launches(decide(scene).steps):
        run, status = step.run, step.run.status
        assert not has_ended(run)
        assert not run.spec.cancel
        assert status.stop is None
        assert run.metadata.deletion_timestamp is None
        slot, has_run = slot_of_run(run), any(one.start_time for one in status.attempts)
        if slot is not None and not has_run:
            deadline = scene.policy.starting_deadline
            assert deadline is None or scene.now < slot + deadline
        if slot is not None and not status.attempts:
            assert not scene.policy.suspended


@given(any_scene())
def test_a_token_is_used_anew_only_after_an_answer(scene: Scene) -> None:
    for step in launches(decide(scene).steps):
        assert not executes(step.run)
        record = step.run.status.launch
        assert record is None or (step.number == record.number + 1 and (record.refused or record.task_arn))


@given(any_scene())
def test_items_take_turns(scene: Scene) -> None:
    for step in launches(decide(scene).steps):
        unit = [one for one in others(step.run, scene) if unit_of(one) == unit_of(step.run)]
        assert not any(map(executes, unit))


@given(any_scene(), st.randoms(use_true_random=False))
def test_the_order_in_which_runs_are_known_decides_nothing(scene: Scene, chance: Any) -> None:
    runs = list(scene.runs)
    chance.shuffle(runs)
    shuffled = Scene(
        now=scene.now,
        policy=scene.policy,
        runs=runs,
        holders=scene.holders,
        drained=scene.drained,
        given_up=scene.given_up,
        gone=scene.gone,
    )

    assert decide(shuffled) == decide(scene)


@given(any_scene())
def test_nobody_is_forgotten(scene: Scene) -> None:
    decisions = decide(scene)

    told = {step.run.metadata.name for step in decisions.steps}
    assert decisions.look_at is None or decisions.look_at > scene.now
    for run in scene.runs:
        if has_ended(run) or run.metadata.deletion_timestamp or run.metadata.name in told:
            continue
        is_asleep = decisions.look_at is not None or live_task(run.status) is not None
        assert is_asleep or launches(decisions.steps), "it waits for a time, for ECS, or for who goes first"


@given(any_scene(), st.booleans())
def test_without_the_passing_of_time_all_comes_to_rest(scene: Scene, is_refusing: bool) -> None:  # noqa: FBT001 - drawn
    world = RunWorld(policy=scene.policy, now=scene.now, holders=scene.holders - {"unknown"})
    world.add(*scene.runs)
    world.answers = ["refused" if is_refusing else "lost on the way"] * 1000

    world.settle()

    before = dict(world.runs)
    world.settle()
    assert world.runs == before


def tick(world: RunWorld, is_queued: bool) -> None:  # noqa: FBT001 - drawn
    after = (world.now - SLOT) // timedelta(minutes=1)
    world.add(slot_run(after, queue=is_queued, created=world.now))


def ask(world: RunWorld, number: int) -> None:
    world.add(asked_run(str(number), created=world.now))


def wait(world: RunWorld, count: float) -> None:
    world.pass_time(minutes(count))


def exits(world: RunWorld, exit_code: int) -> None:
    for token in [token for token, task in world.tasks.items() if not task.has_ended][:1]:
        world.end(token, exit_code=exit_code, told=exit_code < 2)


def spot(world: RunWorld, _: object) -> None:
    for token in list(world.tasks)[-1:]:
        world.end(token, exit_code=143, stop_code="SpotInterruption")


def cancel(world: RunWorld, number: int) -> None:
    for name in sorted(world.runs)[number : number + 1]:
        run = world.runs[name]
        world.runs[name] = run.model_copy(update={"spec": run.spec.model_copy(update={"cancel": True})})


def answer(world: RunWorld, how: str) -> None:
    world.answers.append(how)


def redeliver(world: RunWorld, _: object) -> None:
    for task in reversed(list(world.tasks.values())):
        world.tell(task)


Event = tuple[Callable[[RunWorld, Any], None], Any]
EVENTS = st.one_of(
    st.tuples(st.just(tick), st.booleans()),
    st.tuples(st.just(ask), st.integers(0, 9)),
    st.tuples(st.just(wait), st.sampled_from([0.1, 0.5, 1, 4, 30, 61])),
    st.tuples(st.just(exits), st.integers(0, 2)),
    st.tuples(st.just(spot), st.none()),
    st.tuples(st.just(cancel), st.integers(0, 9)),
    st.tuples(st.just(answer), st.sampled_from(["refused", "unknown", "lost on the way"])),
    st.tuples(st.just(redeliver), st.none()),
)
lives = st.lists(EVENTS, max_size=20)


def lived(policy: Policy, events: list[Event]) -> RunWorld:
    """The world after these events, everything having come to its end."""
    world = RunWorld(policy=policy)
    for happen, detail in events:
        happen(world, detail)
        world.settle()
    finish(world)
    return world


def finish(world: RunWorld) -> None:
    """Let everything come to its end: events arrive, containers exit, hours pass."""
    world.answers = []
    for _ in range(12):
        for token in list(world.tasks):
            world.end(token)
        for task in list(world.tasks.values()):
            world.tell(task)
        world.settle()
        world.pass_time(minutes(61))
        world.settle()


@given(policies, lives)
def test_every_run_ends_and_no_phase_goes_back(policy: Policy, events: list[Event]) -> None:
    world = lived(policy, events)

    for name, history in world.history.items():
        stages = phases(history)
        begun = [RANK[phase] for phase in stages if phase in RANK]
        final = {phase for phase in stages if phase in ENDS - {"Missed", "Lost"}}
        assert begun == sorted(begun), (name, stages)
        assert stages[-1] in ENDS, (name, stages)
        assert len(final) <= 1, (name, stages)
        assert history[-1].completion_time


@given(policies, lives)
def test_never_two_at_once_under_forbid(policy: Policy, events: list[Event]) -> None:
    world = lived(replace(policy, concurrency="Forbid"), events)

    assert world.most_at_once <= 1


@given(policies, lives)
def test_no_attempt_is_made_twice(policy: Policy, events: list[Event]) -> None:
    world = lived(policy, events)

    for run in world.runs.values():
        assert sum(one.exit_code == 0 for one in run.status.attempts) <= 1
        assert not any(one.duplicate for one in run.status.attempts)
        assert (run.status.failed_attempts or 0) <= policy.backoff_limit + 1
