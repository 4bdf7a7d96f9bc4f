"""The runs of one task: a delivery is answered once, and only after the API server has what it says."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from backgroundtask.controller.keys import Delivery
from backgroundtask.controller.memory import Ends
from backgroundtask.errors import Blocked, Busy
from backgroundtask.kube.resource import RUNS, TASKS
from backgroundtask.plan.names import run_name
from backgroundtask.plan.outcome import Task
from fixtures.fake_process import Process
from fixtures.fake_world import KEY, World
from fixtures.objects import CLUSTER, run_object

SLOT = datetime(2026, 11, 22, 3, tzinfo=UTC)
RUN = run_name("nightly", SLOT)
NO_ANSWER = Busy("Unreachable", "The API server does not answer")


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def seen(world: World, number: int = 1, **members: Any) -> Task:
    """An ECS task of the slot, as somebody saw it."""
    known = {
        "arn": f"{CLUSTER.replace(':cluster/', ':task/')}/{number:032x}",
        "definition_arn": world.revisions()[0],
        "version": 1,
        "last_status": "RUNNING",
        "desired_status": "RUNNING",
        "uid": world.task()["metadata"]["uid"],
        "slot": SLOT,
    }
    return Task(**(known | members))


def stopped(world: World, number: int = 1, *, exit_code: int = 0, **members: Any) -> Task:
    ended = {"version": 2, "last_status": "STOPPED", "desired_status": "STOPPED", "exit_code": exit_code}
    return seen(world, number, **(ended | members))


@pytest.fixture
def answered() -> list[str]:
    """What was answered, in order."""
    return []


Deliver = Callable[..., None]


@pytest.fixture
def deliver(world: World, answered: list[str]) -> Deliver:
    """Leave sights for the task's worker, and let it work."""

    def left(*tasks: Task) -> None:
        names = [f"{task.last_status} {task.version}" for task in tasks]
        deliveries = [
            Delivery(task, lambda name=name: answered.append(name)) for task, name in zip(tasks, names, strict=True)
        ]
        process(world).context.inbox.put(KEY, deliveries)
        process(world).context.queue.add(KEY)
        process(world).work()

    return left


class TestRecording:
    def test_a_slot_becomes_a_run_that_tells_how_it_goes(self, world: World, deliver: Deliver) -> None:
        deliver(seen(world), stopped(world, exit_code=3))

        [run] = world.runs()
        assert run["metadata"]["name"] == RUN
        assert run["metadata"]["ownerReferences"][0]["uid"] == world.task()["metadata"]["uid"]
        assert (run["status"]["phase"], run["status"]["exitCode"]) == ("Failed", 3)
        assert run["status"]["logs"]["group"] == "/bgt/test"
        assert world.status()["lastRun"]["name"] == RUN

    def test_the_number_of_active_runs_is_told_also_where_it_is_none(self, world: World, deliver: Deliver) -> None:
        assert world.status()["activeRuns"] == 0

        deliver(seen(world))
        assert world.status()["activeRuns"] == 1
        deliver(stopped(world))

        assert world.status()["activeRuns"] == 0

    def test_each_delivery_is_answered_once_and_after_it_is_stored(
        self, world: World, deliver: Deliver, answered: list[str]
    ) -> None:
        heard: list[int] = []
        world.trace.on_write = lambda moment, call: (
            heard.append(len(answered)) if (moment, call.operation) == ("after", "kube.patch_status") else None
        )

        deliver(seen(world), stopped(world))

        assert answered == ["RUNNING 1", "STOPPED 2"]
        assert heard[:2] == [0, 1], "the first answer came after the first write, the second after the second"

    @pytest.mark.parametrize("operation", ["kube.create", "kube.patch_status"])
    @pytest.mark.parametrize("error", [NO_ANSWER, Blocked("Forbidden", "Grant it.")])
    def test_what_could_not_be_stored_waits_in_order_and_is_stored_later(
        self, world: World, deliver: Deliver, answered: list[str], operation: str, error: Exception
    ) -> None:
        world.trace.fail_next(operation, error)

        deliver(seen(world), stopped(world))

        assert answered == []
        waiting = [one.task.last_status for one in process(world).context.inbox.take(KEY)]
        assert waiting == ["RUNNING", "STOPPED"]

    def test_an_answer_of_the_api_server_that_was_lost_makes_no_second_run(
        self, world: World, deliver: Deliver, answered: list[str]
    ) -> None:
        world.trace.fail_next("kube.create", NO_ANSWER, after_effect=True)
        world.trace.fail_next("kube.patch_status", NO_ANSWER, after_effect=True)
        deliver(stopped(world))

        world.pass_time(60, step=1)

        assert [run["status"]["phase"] for run in world.runs()] == ["Succeeded"]
        assert answered == ["STOPPED 2"]

    def test_a_run_that_another_process_made_for_the_task_is_found_by_its_name(
        self, world: World, deliver: Deliver
    ) -> None:
        theirs = run_object(name=RUN, slot="2026-11-22T03:00:00Z")
        theirs["metadata"]["ownerReferences"][0]["uid"] = world.task()["metadata"]["uid"]
        world.store.insert(RUNS, theirs)
        process(world).watch.pending.clear()  # its event has not come yet

        deliver(stopped(world))

        assert [run["status"]["phase"] for run in world.runs()] == ["Succeeded"]

    def test_a_run_of_a_namesake_that_is_gone_is_left_alone_and_told_of(self, world: World, deliver: Deliver) -> None:
        theirs = run_object(name=RUN, slot="2026-11-22T03:00:00Z")
        theirs["metadata"]["ownerReferences"][0]["uid"] = "of-a-task-that-bore-the-name-before"
        world.store.insert(RUNS, theirs)

        deliver(stopped(world))

        assert [run["status"].get("phase") for run in world.runs()] == [None]
        assert "UnexpectedJob" in process(world).told.reasons()


class TestTrouble:
    """What keeps one run from being written keeps no other, and no message for ever."""

    def test_a_run_that_is_refused_keeps_no_other_run_waiting(
        self, world: World, deliver: Deliver, answered: list[str]
    ) -> None:
        world.trace.fail_next("kube.create", Blocked("ExceededQuota", "Raise it."))
        other = SLOT.replace(hour=4)

        deliver(seen(world), stopped(world), seen(world, 2, version=3, slot=other))

        assert [run["metadata"]["name"] for run in world.runs()] == [run_name("nightly", other)]
        assert answered == ["RUNNING 3"]
        assert [one.task.version for one in process(world).context.inbox.take(KEY)] == [1, 2]

    def test_where_nobody_answers_each_run_is_not_waited_for(
        self, world: World, deliver: Deliver, answered: list[str]
    ) -> None:
        world.trace.fail_next("kube.create", NO_ANSWER)

        deliver(seen(world), seen(world, 2, slot=SLOT.replace(hour=4)))

        assert answered == []
        assert [call.operation for call in world.trace.calls].count("kube.create") == 1

    def test_a_bug_is_told_and_dropped_and_keeps_nothing_waiting(
        self, world: World, caplog: pytest.LogCaptureFixture, answered: list[str]
    ) -> None:
        world.trace.fail_next("kube.create", KeyError("a bug"))
        deliveries = [
            Delivery(
                task, lambda at=at: answered.append(f"stored {at}"), lambda at=at: answered.append(f"dropped {at}")
            )
            for at, task in enumerate([seen(world), seen(world, 2, version=2, slot=SLOT.replace(hour=4))])
        ]

        process(world).context.inbox.put(KEY, deliveries)
        process(world).context.queue.add(KEY)
        process(world).work()

        assert answered == ["dropped 0", "stored 1"]
        assert len(world.runs()) == 1
        assert not process(world).context.inbox.waits(KEY)
        assert [line.exc_info is not None for line in caplog.records if line.levelname == "ERROR"] == [True]


class TestNobodysBusiness:
    @pytest.mark.parametrize(
        ("members", "why"),
        [
            ({"uid": "uid-of-a-namesake"}, "another object had the name"),
            ({"uid": None}, "somebody else started it"),
            ({"slot": None}, "no slot is told"),
        ],
    )
    def test_what_is_not_of_this_task_is_answered_and_leaves_no_run(
        self, world: World, deliver: Deliver, answered: list[str], members: dict[str, Any], why: str
    ) -> None:
        deliver(seen(world, **members))

        assert world.runs() == [], why
        assert answered == ["RUNNING 1"], why

    def test_what_comes_again_writes_nothing(self, world: World, deliver: Deliver, answered: list[str]) -> None:
        deliver(seen(world), stopped(world))
        before = len(world.trace.writes)

        deliver(stopped(world), seen(world))

        assert world.trace.since(before) == []
        assert len(answered) == 4

    def test_an_end_that_comes_again_does_not_revive_a_deleted_run(
        self, world: World, deliver: Deliver, answered: list[str]
    ) -> None:
        deliver(stopped(world))
        world.delete(RUNS, RUN)
        process(world).work()
        assert world.runs() == []

        deliver(stopped(world))

        assert world.runs() == []
        assert len(answered) == 2

    def test_a_second_task_of_a_slot_is_recorded_beside_the_first_and_told(
        self, world: World, deliver: Deliver
    ) -> None:
        deliver(seen(world))
        deliver(seen(world, 2))

        [run] = world.runs()
        assert [one["taskArn"][-1] for one in run["status"]["attempts"]] == ["1", "2"]
        assert run["status"]["taskArn"].endswith("1")
        assert "UnexpectedJob" in process(world).told.reasons()


class TestHistory:
    def test_ended_runs_beyond_the_limits_are_deleted_oldest_first(self, world: World, deliver: Deliver) -> None:
        world.edit(successfulRunsHistoryLimit=2)
        slots = [SLOT.replace(hour=hour) for hour in range(4)]
        for number, slot in enumerate(slots):
            deliver(stopped(world, number, slot=slot, stopped_at=slot))
        world.pass_time(16 * 3600)  # past the slots: until then their runs are what keeps them from being made anew

        assert [run["metadata"]["name"] for run in world.runs()] == [run_name("nightly", slot) for slot in slots[2:]]
        assert process(world).told.reasons().count("SuccessfulDelete") == 2

    def test_a_run_is_let_go_once_it_has_ended(self, world: World, deliver: Deliver) -> None:
        deliver(seen(world))
        assert world.runs()[0]["metadata"]["finalizers"] == ["bgtask.dev/finalizer"]

        deliver(stopped(world))

        assert "finalizers" not in world.runs()[0]["metadata"]


class TestDeletedRuns:
    def test_deleting_a_run_stops_its_task_and_waits_for_the_end(self, world: World) -> None:
        task = world.fires()
        world.tells(task, "RUNNING")
        [run] = world.runs()

        world.delete(RUNS, run["metadata"]["name"])
        process(world).work()
        world.annotate(wakes="it up")
        process(world).work()

        assert world.account.tasks[task]["desiredStatus"] == "STOPPED"
        assert world.trace.since(0, "ecs.stop") == ["ecs.stop"]
        assert len(world.runs()) == 1
        world.tells(task, "STOPPED", exit_code=143)
        assert world.runs() == []

    def test_it_is_stopped_also_where_the_tasks_spec_cannot_be_read(self, world: World) -> None:
        task = world.fires()
        world.tells(task, "RUNNING")
        world.edit(cpu=1, memory="lots")

        world.delete(RUNS, world.runs()[0]["metadata"]["name"])
        process(world).work()

        assert world.account.tasks[task]["desiredStatus"] == "STOPPED"

    def test_a_run_whose_task_is_gone_is_held_by_nobody(self, world: World, deliver: Deliver) -> None:
        deliver(seen(world))
        body = world.task()
        metadata = {key: value for key, value in body["metadata"].items() if key != "finalizers"}
        world.store.replace(TASKS, body, {**body, "metadata": metadata})  # somebody took the finalizer off
        world.delete()
        world.store.collect_garbage()

        process(world).work()

        assert world.runs() == []


def test_of_many_ends_the_oldest_are_forgotten() -> None:
    ends = Ends()
    for number in range(10_001):
        ends.add(str(number))

    assert "0" not in ends
    assert "10000" in ends
