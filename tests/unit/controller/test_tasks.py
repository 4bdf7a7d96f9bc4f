"""The reconciler of tasks: one status patch, nothing where nothing changes, and an end that can be begun again."""

from typing import Any

import pytest

from backgroundtask.aws import task_of
from backgroundtask.controller.keys import Delivery
from backgroundtask.errors import Blocked, Busy, Rejected
from backgroundtask.kube.resource import RUNS, TASKS, TEMPLATES
from backgroundtask.plan.outcome import Task
from fixtures.fake_process import Process
from fixtures.fake_world import EVENTS, KEY, OWNER, World
from fixtures.trace import Call, Crash

THROTTLED = Busy("Throttled", "AWS throttles.")
HOUR = 3600


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def work(world: World) -> list[str]:
    before = len(world.trace.writes)
    process(world).work()
    return world.trace.since(before)


class TestStatus:
    def test_a_whole_reconcile_is_one_status_patch(self, world: World) -> None:
        world.edit(image="reports:2", cron="0 3 1 * 1")

        assert work(world).count("kube.patch_status") == 1

    def test_a_second_reconcile_writes_nothing(self, world: World) -> None:
        process(world).context.queue.add(KEY)

        assert work(world) == []

    def test_a_passing_slot_tells_the_next_one(self, world: World) -> None:
        assert world.status()["nextScheduleTime"] == "2026-11-22T03:00:00Z"

        world.pass_time(15 * HOUR + 1)

        assert world.status()["nextScheduleTime"] == "2026-11-23T03:00:00Z"

    def test_a_spec_that_cannot_be_read_is_told(self, world: World) -> None:
        world.edit(cpu="many")
        work(world)

        assert world.condition("Stalled")["reason"] == "InvalidSpec"
        assert "spec.cpu" in world.condition("Stalled")["message"]
        assert world.status()["observedGeneration"] == 2

    def test_a_conflict_is_decided_again(self, world: World) -> None:
        world.trace.fail_next("kube.patch_status", Busy("Conflict", "Someone else changed it at the same time"))
        world.edit(image="reports:2")
        work(world)
        assert world.status()["observedGeneration"] == 1

        world.pass_time(2)

        assert world.status()["observedGeneration"] == 2
        assert len(world.account.revisions) == 2

    def test_a_namesake_gets_no_status_of_what_was_there_before(self, bare: World) -> None:
        bare.apply(cron="61 * * * *")
        process(bare).watch.deliver()
        bare.delete()
        bare.apply()
        second = bare.task()["metadata"]["uid"]

        process(bare).work()

        assert bare.task()["metadata"]["uid"] == second
        assert bare.condition()["status"] == "True"
        assert "UnparseableSchedule" not in process(bare).told.reasons()

    def test_nor_does_one_that_came_while_the_other_was_worked_on(self, bare: World) -> None:
        def replace(moment: str, call: Call) -> None:
            if (moment, call.operation) == ("before", "kube.add_finalizer"):
                bare.trace.on_write = lambda _, __: None
                bare.delete()
                bare.apply()
                process(bare).watch.deliver()

        bare.apply()
        bare.trace.on_write = replace

        assert work(bare).count("kube.patch_status") == 1
        assert bare.condition()["status"] == "True"

    def test_a_new_task_has_one_event_after_that_of_its_template(self, bare: World) -> None:
        bare.apply()
        work(bare)

        assert process(bare).told.reasons()[1:] == ["Reconciled"]

    def test_a_new_task_that_is_suspended_says_so(self, bare: World) -> None:
        bare.apply(suspend=True)
        work(bare)

        assert process(bare).told.reasons()[1:] == ["Reconciled", "Suspended"]

    def test_events_bear_the_words_that_cronjobs_do(self, world: World) -> None:
        world.edit(cron="61 * * * *")
        work(world)

        assert process(world).told.told[-1].reason == "UnparseableSchedule"
        assert process(world).told.told[-1].type == "Warning"


class TestApart:
    def test_what_keeps_aws_from_the_spec_keeps_no_run_from_its_record(self, world: World) -> None:
        task = world.fires()
        world.edit(cpu="many")

        world.tells(task, "STOPPED", exit_code=0)

        assert world.status()["lastRun"]["phase"] == "Succeeded"
        assert world.condition("Stalled")["reason"] == "InvalidSpec"

    def test_what_keeps_a_run_from_its_record_keeps_aws_from_nothing(self, world: World) -> None:
        task = world.fires()
        world.trace.fail_next("kube.create", Blocked("ExceededQuota", "Raise it."), times=3)
        world.edit(image="reports:2")

        world.tells(task, "RUNNING")

        assert len(world.revisions()) == 2
        assert world.condition()["status"] == "True"
        assert len(world.account.messages(EVENTS)) == 1
        world.pass_time(60, step=1)
        assert [run["status"]["phase"] for run in world.runs()] == ["Running"]
        assert world.account.messages(EVENTS) == []


class TestPatience:
    def test_a_busy_aws_is_not_worth_a_line_for_some_time(self, world: World) -> None:
        world.trace.fail_next("ecs.register", THROTTLED, times=4)
        world.edit(image="reports:2")

        work(world)
        assert world.condition("Reconciling") == {}
        world.pass_time(30, step=1)

        assert len(world.revisions()) == 2
        assert "Throttled" not in process(world).told.reasons()

    def test_an_aws_that_stays_busy_is_told(self, world: World) -> None:
        world.trace.fail_next("ecs.register", THROTTLED, times=100)
        world.edit(image="reports:2")

        world.pass_time(HOUR, step=60)

        assert world.condition("Reconciling")["reason"] == "Throttled"

    def test_what_somebody_has_to_grant_is_told_at_once(self, world: World) -> None:
        world.trace.fail_next("ecs.register", Blocked("RoleNotPassable", "Grant iam:PassRole."))
        world.edit(image="reports:2")
        work(world)

        assert world.condition("Reconciling")["reason"] == "RoleNotPassable"
        assert world.condition()["status"] == "False"
        world.pass_time(2)
        assert world.condition()["status"] == "True"

    def test_a_refused_spec_is_looked_at_hourly(self, world: World) -> None:
        world.edit(cpu=300)
        work(world)
        asked = [call.operation for call in world.trace.calls].count("ecs.register")

        world.pass_time(3 * HOUR + 60, step=60)

        assert [call.operation for call in world.trace.calls].count("ecs.register") == asked + 3

    def test_a_task_without_its_template_says_what_to_create(self, bare: World) -> None:
        bare.apply(launchTemplate="other")
        work(bare)

        assert bare.condition()["reason"] == "LaunchTemplateNotFound"
        assert "finalizers" not in bare.task()["metadata"]


class TestEnd:
    def test_schedules_go_first_then_tasks_then_revisions_then_the_object(self, world: World) -> None:
        task = world.fires()
        world.tells(task, "RUNNING")
        world.delete()

        assert work(world)[:5] == [
            "schedules.remove",
            "ecs.stop",
            "ecs.deregister",
            "kube.remove_finalizer",  # of the run
            "kube.remove_finalizer",
        ]
        assert world.find(TASKS, "nightly") is None
        world.store.collect_garbage()
        assert (world.runs(), world.revisions(), world.enabled()) == ([], [], {})

    def test_tasks_that_nobody_told_of_are_stopped_too(self, world: World) -> None:
        unheard = world.fires()
        world.delete()
        work(world)

        assert world.account.tasks[unheard]["desiredStatus"] == "STOPPED"

    def test_tasks_that_ecs_does_not_list_yet_are_stopped_too(self, world: World) -> None:
        task = world.fires()
        world.tells(task, "RUNNING")
        del world.account.tasks[task]
        world.delete()
        work(world)

        assert [call.target for call in world.trace.writes if call.operation == "ecs.stop"] == [task]

    @pytest.mark.parametrize(
        "operation", ["schedules.remove", "ecs.stop", "ecs.deregister", "ecs.tasks_of", "kube.remove_finalizer"]
    )
    @pytest.mark.parametrize("error", [THROTTLED, Blocked("AccessDenied", "Grant it."), Rejected("Odd", "Odd.")])
    def test_an_end_that_fails_at_any_step_says_why_and_is_begun_again(
        self, world: World, operation: str, error: Exception
    ) -> None:
        world.tells(world.fires(), "RUNNING")
        world.trace.fail_next(operation, error)
        world.trace.fail_next(operation, error, after_effect=True)
        world.delete()
        work(world)
        assert world.find(TASKS, "nightly") is not None
        if not isinstance(error, Busy) and not operation.startswith("kube."):
            assert world.condition()["reason"] == getattr(error, "reason", "")

        world.pass_time(30, step=1)
        world.store.collect_garbage()

        assert world.find(TASKS, "nightly") is None
        assert (world.runs(), world.revisions(), world.enabled()) == ([], [], {})

    def test_retain_leaves_aws_as_it_is(self, world: World) -> None:
        world.edit(deletionPolicy="Retain")
        work(world)
        world.delete()

        marks = ["schedules.update", "ecs.retain"]
        assert work(world) == [*marks, "kube.remove_finalizer", "kube.patch_status"]  # the template counts its tasks
        assert world.enabled() == {OWNER.schedule_name(0): True}
        assert len(world.revisions()) == 1

    def test_a_paused_task_waits_with_its_end_and_still_records(self, world: World) -> None:
        task = world.fires()
        world.annotate(paused="true")
        world.delete()

        world.tells(task, "STOPPED", exit_code=0)
        assert world.enabled() == {OWNER.schedule_name(0): True}
        assert [run["status"]["phase"] for run in world.runs()] == ["Succeeded"]
        world.annotate(paused="false")
        work(world)

        assert world.find(TASKS, "nightly") is None

    def test_what_comes_for_a_task_that_waits_for_its_template_is_recorded(self, world: World) -> None:
        task = world.fires()
        world.trace.fail_next("schedules.*", Blocked("AccessDenied", "Grant it."), times=50)
        world.delete()
        work(world)

        world.tells(task, "STOPPED", exit_code=0)

        assert world.account.messages(EVENTS) == []

    def test_what_comes_for_a_task_that_only_another_holds_is_answered(self, world: World) -> None:
        task = world.fires()
        body = world.task()
        held = {**body["metadata"], "finalizers": [*body["metadata"]["finalizers"], "example.com/other"]}
        world.store.replace(TASKS, body, {**body, "metadata": held})
        world.delete()
        work(world)
        assert world.task()["metadata"]["finalizers"] == ["example.com/other"]

        world.tells(task, "STOPPED", exit_code=0)

        assert world.account.messages(EVENTS) == []
        assert world.runs() == []

    def test_a_template_may_go_once_its_last_task_has(self, world: World) -> None:
        world.delete(TEMPLATES, "default")
        work(world)
        assert world.condition("Reconciling", of=world.object(TEMPLATES, "default"))["reason"] == "InUse"

        world.delete()
        work(world)

        assert world.find(TEMPLATES, "default") is None


class TestAbsence:
    def test_what_is_delivered_to_a_task_that_is_gone_is_answered(self, world: World) -> None:
        task = world.fires()
        world.edit(deletionPolicy="Retain")
        work(world)
        world.delete()
        work(world)

        world.tells(task, "STOPPED", exit_code=0)

        assert world.account.messages(EVENTS) == []
        assert world.runs() == []

    def test_it_is_not_answered_while_nobody_knows_whether_the_task_is_gone(self, world: World) -> None:
        answered: list[str] = []
        context = process(world).context
        world.delete()
        work(world)
        world.trace.fail_next("kube.get", Busy("Unreachable", "The API server does not answer"))
        context.inbox.put(KEY, [Delivery(_stray(world), lambda: answered.append("it"))])
        context.queue.add(KEY)

        process(world).work()
        assert answered == []
        world.pass_time(2)

        assert answered == ["it"]
        assert len(world.runs()) == 0

    def test_a_cache_that_insists_on_a_tasks_end_is_not_asked_without_pause(self, world: World) -> None:
        context = process(world).context
        context.cache.see(TASKS, "DELETED", world.task())
        context.inbox.put(KEY, [Delivery(_stray(world), lambda: None)])
        context.queue.add(KEY)
        before = len(world.trace.calls)

        process(world).work()

        assert [call.operation for call in world.trace.calls[before:]].count("kube.get") == 1

    def test_a_task_that_the_cache_does_not_know_yet_is_asked_for(self, bare: World) -> None:
        answered: list[str] = []
        context = process(bare).context
        bare.apply()
        process(bare).watch.pending.clear()  # the watch has not told it yet
        context.inbox.put(KEY, [Delivery(_stray(bare), lambda: answered.append("it"))])
        context.queue.add(KEY)

        process(bare).work()

        assert answered == ["it"]
        assert bare.condition()["status"] == "True"


def _stray(world: World) -> Task:
    """An ECS task that nobody of ours has started."""
    revision = world.account.add_revision("somebody-elses").arn
    return task_of(world.account.tasks[world.account.start_task(revision, {})])


def test_a_crash_in_the_middle_of_a_record_leaves_the_message(world: World) -> None:
    task = world.fires()

    def end(moment: str, call: Any) -> None:
        if (moment, call.operation) == ("after", "kube.create"):
            raise Crash

    world.trace.on_write = end
    with pytest.raises(Crash):
        world.tells(task, "RUNNING")
    world.trace.on_write = lambda _, __: None
    assert len(world.account.messages(EVENTS)) == 1

    world.start().work()
    process(world).read_queues()

    assert [run["status"]["phase"] for run in world.store.all(RUNS)] == ["Running"]
    assert world.account.messages(EVENTS) == []
