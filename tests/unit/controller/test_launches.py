"""Runs that the operator launches: frozen before ECS is asked, never twice, and only where they are allowed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backgroundtask.api.names import FINALIZER
from backgroundtask.aws import NotStarted
from backgroundtask.errors import Blocked, Busy, Rejected
from backgroundtask.kube.resource import RUNS, TASKS, Body
from fixtures.fake_process import Process
from fixtures.fake_world import KEY, NAMESPACE, World
from fixtures.trace import Call, Crash

NO_ROOM = NotStarted("CapacityUnavailable", "AWS has no capacity for the task at the moment.", is_transient=True)
SECRET = "hunter2-never-to-be-told"


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def ask(world: World, name: str = "mine", *, task: str = "nightly", **spec: Any) -> None:
    """`kubectl create -f run.yaml`."""
    metadata = {"name": name, "namespace": NAMESPACE}
    world.store.insert(RUNS, {"kind": "BackgroundTaskRun", "metadata": metadata, "spec": {"task": task, **spec}})


def run(world: World, name: str = "mine") -> Body:
    return world.object(RUNS, name)


def status(world: World, name: str = "mine") -> dict[str, Any]:
    found: dict[str, Any] = run(world, name)["status"]
    return found


def said(world: World, name: str = "mine") -> tuple[str | None, str | None]:
    """Phase and reason of a run."""
    return status(world, name).get("phase"), status(world, name).get("reason")


def launched(world: World) -> list[dict[str, Any]]:
    """The RunTask requests of the operator, as ECS got them, by token."""
    return [dict(request) for request in world.account.requests.values()]


def environment(request: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in request["overrides"]["containerOverrides"][0]["environment"]}


def cancel(world: World, name: str = "mine") -> None:
    body = run(world, name)
    world.store.replace(RUNS, body, {**body, "spec": {**body["spec"], "cancel": True}})


@pytest.fixture
def idle() -> World:
    """A task without a schedule, that is ready."""
    world = World()
    world.furnish()
    world.apply(cron=None)
    world.start().work()
    return world


class TestOnDemand:
    def test_a_run_that_somebody_makes_is_held_frozen_and_launched_in_this_order(self, idle: World) -> None:
        mark = len(idle.trace.writes)
        ask(idle)

        process(idle).work()

        assert idle.trace.since(mark)[:4] == [
            "kube.add_finalizer",
            "kube.patch_status",  # the launch, frozen
            "ecs.run",
            "kube.patch_status",  # what it has started
        ]
        assert said(idle) == ("Launching", "Launching")
        assert status(idle)["taskArn"] == status(idle)["launch"]["taskArn"]
        assert status(idle)["taskArn"] in idle.account.tasks

    def test_what_ecs_answers_is_written_at_once_and_the_first_events_are_no_news(self, idle: World) -> None:
        ask(idle)
        process(idle).work()
        told, mark = status(idle), len(idle.trace.writes)

        idle.tells(told["taskArn"], "PENDING")

        assert (told["taskDefinitionArn"], bool(told["logs"]["stream"])) == (idle.revisions()[0], True)
        assert idle.trace.since(mark) == ["queues.delete"]

    @pytest.mark.parametrize("write", ["kube.add_finalizer", "kube.patch_status"])
    def test_one_that_goes_while_it_is_launched_is_not_launched_and_not_tried_again(
        self, idle: World, write: str
    ) -> None:
        def vanish(moment: str, call: Call) -> None:
            if (moment, call.operation, call.target) == ("before", write, "backgroundtaskruns mine"):
                idle.trace.on_write = lambda _, __: None
                body = run(idle)
                bare = {key: value for key, value in body["metadata"].items() if key != "finalizers"}
                idle.store.delete(RUNS, idle.store.replace(RUNS, body, {**body, "metadata": bare}))

        ask(idle)
        process(idle).watch.deliver()
        idle.trace.on_write, mark = vanish, len(idle.trace.writes)
        process(idle).tasks.reconcile(KEY)

        assert launched(idle) == []
        assert idle.trace.since(mark).count(write) == 1

    def test_the_ecs_task_knows_its_run(self, idle: World) -> None:
        ask(idle)
        process(idle).work()

        told = environment(launched(idle)[0])

        assert told["BGT_RUN"] == "mine"
        assert told["BGT_RUN_UID"] == run(idle)["metadata"]["uid"]
        assert "BGT_SCHEDULED_TIME" not in told

    def test_it_goes_through_its_phases_and_the_task_tells_of_it(self, idle: World) -> None:
        ask(idle)
        process(idle).work()
        arn = status(idle)["taskArn"]
        assert idle.status()["active"] == [{"name": "mine", "taskArn": arn}]

        idle.tells(arn, "RUNNING")
        assert said(idle)[0] == "Running"
        idle.tells(arn, "STOPPED", exit_code=3)

        assert said(idle) == ("Failed", "NonZeroExitCode")
        assert (idle.status()["activeRuns"], idle.status()["lastRun"]["name"]) == (0, "mine")
        assert "finalizers" not in run(idle)["metadata"]

    def test_overrides_are_sent_and_their_values_are_nowhere_else(self, idle: World) -> None:
        ask(
            idle,
            overrides={"command": ["now"], "env": [{"name": "TOKEN", "value": SECRET}], "cpu": 512, "memory": 1024},
        )

        process(idle).work()

        [request] = launched(idle)
        assert environment(request)["TOKEN"] == SECRET
        assert request["overrides"]["containerOverrides"][0]["command"] == ["now"]
        assert (request["overrides"]["cpu"], request["overrides"]["memory"]) == ("512", "1024")
        assert SECRET not in json.dumps([status(idle), idle.status()])
        assert not any(SECRET in one.message for one in process(idle).told.told)

    @pytest.mark.parametrize(
        ("overrides", "reason"),
        [
            ({"taskRole": "nobody"}, "TaskRoleNotOffered"),
            ({"cpu": 4096, "memory": 8192}, "LimitExceeded"),
            ({"cpu": 1024}, "InvalidFargateSize"),
            ({"env": [{"name": "BIG", "value": SECRET + "x" * 8150}]}, "OverridesTooLong"),
        ],
    )
    def test_what_the_template_does_not_allow_fails_and_launches_nothing(
        self, idle: World, overrides: dict[str, Any], reason: str
    ) -> None:
        idle.edit_template(limits={"cpu": 1024})
        process(idle).work()
        ask(idle, overrides=overrides)

        process(idle).work()

        assert said(idle) == ("Failed", reason)
        assert launched(idle) == []
        assert SECRET not in json.dumps(status(idle))
        assert "finalizers" not in run(idle)["metadata"]

    def test_a_suspended_task_runs_when_it_is_asked_to(self, world: World) -> None:
        world.edit(suspend=True)
        process(world).work()
        ask(world)

        process(world).work()

        assert said(world)[0] == "Launching"

    def test_a_task_that_is_being_brought_to_its_spec_keeps_its_runs_waiting(self, idle: World) -> None:
        idle.trace.fail_next("ecs.register", Blocked("RoleNotPassable", "Grant iam:PassRole."), times=2)
        idle.edit(image="reports:2")
        process(idle).work()
        ask(idle)
        process(idle).work()
        assert said(idle) == ("Pending", "TaskNotReady")

        idle.pass_time(60, step=5)

        assert [one["taskDefinition"] for one in launched(idle)] == [idle.revisions()[-1]]

    def test_a_refused_spec_lets_the_last_good_revision_run(self, idle: World) -> None:
        good = idle.status()["taskDefinitionArn"]
        idle.edit(taskRole="nobody")
        process(idle).work()
        idle.edit(taskRole=None, cpu=300)
        process(idle).work()
        assert idle.condition("Stalled")["status"] == "True"

        ask(idle)
        process(idle).work()

        assert [one["taskDefinition"] for one in launched(idle)] == [good]

    def test_a_run_that_cannot_be_read_fails_and_says_what_to_change(self, idle: World) -> None:
        ask(idle, overrides={"cpu": "many"})

        process(idle).work()

        assert said(idle) == ("Failed", "InvalidSpec")
        assert "spec.overrides.cpu" in status(idle)["message"]
        assert launched(idle) == []

    def test_a_namespace_that_lost_its_template_runs_nothing(self, idle: World) -> None:
        idle.edit_template(namespaces=["others"])
        process(idle).work()
        ask(idle)

        process(idle).work()

        assert said(idle) == ("Failed", "NamespaceNotAllowed")
        assert launched(idle) == []

    def test_a_paused_task_launches_nothing_until_it_is_not(self, idle: World) -> None:
        idle.annotate(paused="true")
        ask(idle)
        process(idle).work()
        assert said(idle) == ("Pending", "Paused")

        idle.annotate(paused="false")
        process(idle).work()

        assert said(idle)[0] == "Launching"

    def test_a_run_that_was_launched_is_left_alone_at_rest(self, idle: World) -> None:
        ask(idle)
        process(idle).work()
        mark = len(idle.trace.calls)

        process(idle).context.queue.add(KEY)
        process(idle).work()

        assert [str(call) for call in idle.trace.calls[mark:]] == []


class TestUnknownTask:
    def test_a_run_of_a_task_that_is_not_there_waits_and_says_so(self, idle: World) -> None:
        ask(idle, task="other")

        process(idle).work()

        assert said(idle) == ("Pending", "TaskNotFound")
        assert "finalizers" not in run(idle)["metadata"]

    def test_it_is_launched_once_the_task_is_there(self, idle: World) -> None:
        ask(idle, task="other")
        process(idle).work()

        idle.apply(name="other", cron=None)
        process(idle).work()

        assert said(idle)[0] == "Launching"

    def test_it_says_so_once(self, idle: World) -> None:
        ask(idle, task="other")
        process(idle).work()
        mark = len(idle.trace.writes)

        idle.pass_time(7200, step=600)

        assert [one for one in idle.trace.writes[mark:] if "mine" in one.target] == []

    def test_it_can_be_cancelled(self, idle: World) -> None:
        ask(idle, task="other")
        process(idle).work()

        cancel(idle)
        process(idle).work()

        assert said(idle) == ("Cancelled", "Cancelled")

    def test_the_end_of_its_task_ends_a_run_that_somebody_made(self, idle: World) -> None:
        ask(idle)
        process(idle).work()
        arn = status(idle)["taskArn"]

        idle.delete()
        process(idle).work()

        assert idle.account.tasks[arn]["desiredStatus"] == "STOPPED"
        assert said(idle) == ("Cancelled", "TaskDeleted")
        assert "finalizers" not in run(idle)["metadata"]


class TestAnnotation:
    def test_a_changed_value_runs_the_task_once(self, idle: World) -> None:
        idle.annotate(run_requested_at="monday")
        process(idle).work()
        idle.pass_time(600, step=60)

        [made] = idle.runs()
        assert made["metadata"]["labels"]["bgtask.dev/trigger"] == "annotation"
        assert len(launched(idle)) == 1
        assert idle.status()["lastHandledRunAt"] == "monday"

    def test_the_value_that_a_task_comes_with_runs_nothing(self) -> None:
        world = World()
        world.furnish()
        world.apply(cron=None, annotations={"bgtask.dev/run-requested-at": "monday"})
        world.start().work()

        assert (world.runs(), world.status()["lastHandledRunAt"]) == ([], "monday")

    def test_the_value_is_handled_only_after_its_run_is_there(self, idle: World) -> None:
        idle.trace.fail_next("kube.create", Blocked("ExceededQuota", "Raise it."))
        idle.annotate(run_requested_at="monday")
        process(idle).work()
        assert "lastHandledRunAt" not in idle.status()

        idle.pass_time(5)

        assert len(idle.runs()) == 1
        assert idle.status()["lastHandledRunAt"] == "monday"

    def test_a_crash_between_the_two_makes_no_second_run(self, idle: World) -> None:
        idle.annotate(run_requested_at="monday")
        idle.trace.on_write = crash_after("kube.create")
        with pytest.raises(Crash):
            process(idle).work()
        idle.trace.on_write = lambda _, __: None

        idle.start().work()

        assert len(idle.runs()) == len(launched(idle)) == 1

    def test_items_are_all_made_and_run_one_after_another(self, idle: World) -> None:
        idle.edit(forEach=["a", "b"])
        process(idle).work()
        idle.annotate(run_requested_at="monday")
        process(idle).work()

        first, second = (made["metadata"]["name"] for made in idle.runs())
        assert (said(idle, first)[0], said(idle, second)) == ("Launching", ("Pending", "SeriesOrder"))
        idle.tells(status(idle, first)["taskArn"], "STOPPED", exit_code=1)

        assert said(idle, first)[0] == "Failed"
        assert [environment(one)["BGT_ITEM"] for one in launched(idle)] == ["a", "b"]


def crash_after(operation: str) -> Any:
    def crash(moment: str, call: Call) -> None:
        if (moment, call.operation) == ("after", operation):
            raise Crash

    return crash


class TestUnknownAnswers:
    def test_a_lost_answer_is_asked_for_again_with_the_same_token(self, idle: World) -> None:
        idle.trace.fail_next("ecs.run", Busy("AwsUnreachable", "No answer."), after_effect=True)
        ask(idle)
        process(idle).work()
        assert "taskArn" not in status(idle)["launch"]

        idle.pass_time(5)

        assert len(idle.account.tasks) == 1
        assert status(idle)["taskArn"] in idle.account.tasks

    @pytest.mark.parametrize("operation", ["kube.add_finalizer", "kube.patch_status", "ecs.run"])
    def test_a_process_that_is_killed_at_any_step_leaves_one_task(self, idle: World, operation: str) -> None:
        ask(idle)
        idle.trace.on_write = crash_after(operation)
        with pytest.raises(Crash):
            process(idle).work()
        idle.trace.on_write = lambda _, __: None

        idle.start().work()

        assert len(idle.account.tasks) == 1
        assert status(idle)["taskArn"] in idle.account.tasks

    def test_a_task_that_has_ended_before_its_answer_came_is_adopted(self, idle: World) -> None:
        idle.trace.fail_next("ecs.run", Busy("AwsUnreachable", "No answer."), after_effect=True)
        ask(idle)
        process(idle).work()
        [arn] = idle.account.tasks
        idle.account.move(arn, "STOPPED", exit_code=0)

        idle.pass_time(5)

        assert said(idle)[0] == "Succeeded"
        assert len(idle.account.tasks) == 1

    def test_a_launch_that_was_refused_is_made_again_with_a_new_token_and_counts_no_failure(self, idle: World) -> None:
        idle.account.shortages.extend([NO_ROOM, NO_ROOM])
        ask(idle)
        process(idle).work()
        assert said(idle) == ("Launching", "CapacityUnavailable")
        assert status(idle)["launchFailures"] == 1

        idle.pass_time(60, step=1)

        assert len(set(idle.account.requests)) == 3
        assert status(idle)["launch"]["number"] == 2
        assert "failedAttempts" not in status(idle)
        assert "FailedCreate" in process(idle).told.reasons()

    def test_a_task_that_started_though_ecs_said_no_is_found_before_the_next_launch(self, idle: World) -> None:
        idle.account.shortages.append(NO_ROOM)
        ask(idle)
        process(idle).work()
        [request] = launched(idle)
        arn = idle.account.start_task(request["taskDefinition"], {}, overrides=request["overrides"])

        idle.pass_time(60, step=1)

        assert status(idle)["taskArn"] == arn
        assert len(idle.account.tasks) == 1

    def test_a_task_that_started_though_ecs_said_no_is_found_where_its_run_is_cancelled_in_that_moment(
        self, idle: World
    ) -> None:
        def meddle(moment: str, call: Call) -> None:
            if (moment, call.operation) == ("after", "kube.patch_status") and is_denied_again():
                idle.trace.on_write = lambda _, __: None
                cancel(idle)
                process(idle).watch.deliver()

        def is_denied_again() -> bool:
            launch = status(idle)["launch"]
            return launch["number"] == 1 and launch.get("refused", False)

        idle.account.shortages.append(NO_ROOM)
        ask(idle)
        process(idle).work()
        idle.trace.fail_next("ecs.run", Blocked("CapacityUnavailable", "AWS has no capacity."), after_effect=True)
        idle.trace.on_write = meddle

        idle.pass_time(60, step=1)

        assert [status(idle)["taskArn"]] == list(idle.account.tasks)
        assert status(idle)["stop"]["reason"] == "Cancelled"

    def test_what_somebody_has_to_grant_is_shown_and_tried_again(self, idle: World) -> None:
        idle.trace.fail_next("ecs.run", Blocked("RoleNotPassable", "Grant iam:PassRole."))
        ask(idle)
        process(idle).work()
        assert said(idle) == ("Launching", "RoleNotPassable")

        idle.pass_time(30, step=1)

        assert status(idle)["taskArn"] in idle.account.tasks

    def test_a_request_that_ecs_refuses_for_good_fails(self, idle: World) -> None:
        idle.trace.fail_next("ecs.run", Rejected("InvalidLaunch", "ECS refuses the request."))
        ask(idle)

        process(idle).work()

        assert said(idle) == ("Failed", "InvalidLaunch")

    def test_what_an_answer_that_was_lost_had_started_is_found_before_a_refusal_for_good_ends_the_run(
        self, idle: World
    ) -> None:
        idle.trace.fail_next("ecs.run", Busy("AwsUnreachable", "No answer."), after_effect=True)
        ask(idle)
        process(idle).work()
        idle.trace.fail_next("ecs.run", Rejected("InvalidLaunch", "ECS refuses the request."))

        idle.pass_time(5)

        assert [status(idle)["taskArn"]] == list(idle.account.tasks)
        assert said(idle)[0] == "Launching"

    @pytest.mark.parametrize(
        ("overrides", "less", "reason"),
        [
            ({}, {"namespaces": []}, "NamespaceNotAllowed"),
            ({"taskRole": "reader"}, {"taskRoles": {}}, "RightRevoked"),
            ({"cpu": 512, "memory": 1024}, {"limits": {"cpu": 256}}, "LimitExceeded"),
            ({}, {"images": ["somebody/else:*"]}, "RightRevoked"),
        ],
    )
    def test_a_launch_without_an_answer_is_not_repeated_once_it_is_no_longer_allowed(
        self, idle: World, overrides: dict[str, Any], less: dict[str, Any], reason: str
    ) -> None:
        idle.trace.fail_next("ecs.run", Busy("AwsUnreachable", "AWS does not answer."))
        ask(idle, overrides=overrides)
        process(idle).work()
        idle.edit_template(**less)

        idle.pass_time(240, step=10)
        assert said(idle)[0] == "Launching"
        idle.pass_time(120, step=10)

        assert said(idle) == ("Failed", reason)
        assert idle.account.tasks == {}

    def test_what_it_has_started_all_the_same_is_found(self, idle: World) -> None:
        idle.trace.fail_next("ecs.run", Busy("AwsUnreachable", "AWS does not answer."), after_effect=True)
        ask(idle)
        process(idle).work()
        idle.edit_template(namespaces=[])

        idle.pass_time(60, step=10)

        assert status(idle)["taskArn"] in idle.account.tasks

    def test_a_run_that_changed_while_it_was_decided_about_is_decided_about_again(self, idle: World) -> None:
        def meddle(moment: str, call: Call) -> None:
            if (moment, call.operation) == ("after", "kube.add_finalizer"):
                idle.trace.on_write = lambda _, __: None
                cancel(idle)
                process(idle).watch.deliver()

        ask(idle)
        idle.trace.on_write = meddle
        process(idle).work()
        idle.pass_time(5)

        assert said(idle)[0] == "Cancelled"
        assert launched(idle) == []


class TestForbid:
    @pytest.fixture
    def strict(self) -> World:
        world = World()
        world.furnish()
        world.apply(cron=None, concurrencyPolicy="Forbid")
        world.start().work()
        return world

    def test_leave_is_stored_before_the_launch(self, strict: World) -> None:
        mark = len(strict.trace.writes)
        ask(strict)

        process(strict).work()

        written = [str(one) for one in strict.trace.writes[mark:]]
        assert written.index("kube.patch_status backgroundtasks nightly") < next(
            place for place, one in enumerate(written) if one.startswith("ecs.run")
        )

    def test_of_two_that_are_asked_for_one_waits_for_the_end_of_the_other(self, strict: World) -> None:
        ask(strict, "a")
        ask(strict, "b")
        process(strict).work()
        assert (said(strict, "a")[0], said(strict, "b")) == ("Launching", ("Pending", "ConcurrencyForbidden"))

        strict.tells(status(strict, "a")["taskArn"], "STOPPED", exit_code=0)

        assert said(strict, "b")[0] == "Launching"

    def test_leave_that_another_has_got_meanwhile_is_decided_again(self, strict: World) -> None:
        def other_leader(moment: str, call: Call) -> None:
            if (moment, call.operation, call.target) == ("before", "kube.patch_status", "backgroundtasks nightly"):
                strict.trace.on_write = lambda _, __: None
                body = strict.task()
                active = {"active": [{"name": "b"}], "activeRuns": 1}
                strict.store.replace(TASKS, body, {**body, "status": {**body["status"], **active}})

        ask(strict, "a")
        ask(strict, "b")
        strict.trace.on_write = other_leader
        process(strict).work()
        strict.pass_time(5)

        assert (said(strict, "a"), said(strict, "b")[0]) == (("Pending", "ConcurrencyForbidden"), "Launching")
        assert len(launched(strict)) == 1

    def test_a_run_with_leave_that_the_cache_does_not_know_is_asked_for(self, strict: World) -> None:
        ask(strict, "a")
        process(strict).work()
        body = run(strict, "a")
        process(strict).context.cache._remove(RUNS, (NAMESPACE, "a"))  # noqa: SLF001 - a cache that lags

        ask(strict, "b")
        process(strict).work()

        assert body["status"]["taskArn"] in strict.account.tasks
        assert said(strict, "b") == ("Pending", "ConcurrencyForbidden")
        assert len(launched(strict)) == 1

    def test_a_new_process_whose_cache_lags_takes_no_leave_away(self, strict: World) -> None:
        ask(strict, "a")
        process(strict).work()
        ask(strict, "b")
        strict.edit(image="example.com/report:2")

        strict.start().context.cache._remove(RUNS, (NAMESPACE, "a"))  # noqa: SLF001 - a cache that lags
        process(strict).work()

        assert said(strict, "b") == ("Pending", "ConcurrencyForbidden")
        assert len(launched(strict)) == 1

    def test_nobody_waits_for_a_run_with_leave_that_was_deleted_while_nobody_looked(self, strict: World) -> None:
        ask(strict, "a")
        process(strict).work()
        body = run(strict, "a")
        ask(strict, "b")
        held = {key: value for key, value in body["metadata"].items() if key != "finalizers"}
        strict.store.delete(RUNS, strict.store.replace(RUNS, body, {**body, "metadata": held}))

        strict.start().work()

        assert said(strict, "b")[0] == "Launching"

    def test_a_crash_between_leave_and_launch_launches_once(self, strict: World) -> None:
        ask(strict, "a")
        ask(strict, "b")
        strict.trace.on_write = crash_after("kube.patch_status")
        with pytest.raises(Crash):
            process(strict).work()
        strict.trace.on_write = lambda _, __: None

        strict.start().work()

        assert len(launched(strict)) == 1


class TestReplace:
    def test_the_new_one_waits_for_the_end_of_the_old_one(self) -> None:
        world = World()
        world.furnish()
        world.apply(cron=None, concurrencyPolicy="Replace")
        world.start().work()
        ask(world, "old")
        process(world).work()
        world.pass_time(60)

        ask(world, "young")
        process(world).work()
        arn = status(world, "old")["taskArn"]
        assert world.account.tasks[arn]["desiredStatus"] == "STOPPED"
        assert (status(world, "old")["stop"]["reason"], said(world, "young")[0]) == ("Replaced", "Pending")
        world.tells(arn, "STOPPED", exit_code=143)

        assert said(world, "old") == ("Cancelled", "Replaced")
        assert said(world, "young")[0] == "Launching"

    def test_what_ecs_denies_is_looked_for_anew_where_ecs_was_asked_before_it_was_launched(self, idle: World) -> None:
        idle.edit(concurrencyPolicy="Replace")
        idle.account.shortages.append(NO_ROOM)
        ask(idle, "a")
        process(idle).work()
        cancel(idle, "a")
        for name in ("b", "c"):
            ask(idle, name)
        idle.trace.fail_next("ecs.run", Blocked("CapacityUnavailable", "AWS has no capacity."), after_effect=True)

        process(idle).work()

        [arn] = idle.account.tasks
        assert said(idle, "a") == ("Cancelled", "Cancelled")
        assert (status(idle, "b")["taskArn"], status(idle, "b")["stop"]["reason"]) == (arn, "Replaced")
        assert said(idle, "c") == ("Pending", "Replacing")


def refusing_status_of(task: str) -> Any:
    """Lets the API server refuse the status of one task."""

    def refuse(when: str, call: Call) -> None:
        if (when, call.operation) == ("before", "kube.patch_status") and call.target.endswith(f" {task}"):
            raise Blocked("Forbidden", "An admission webhook refuses it.")

    return refuse


class TestLimit:
    @pytest.fixture
    def crowded(self) -> World:
        world = World()
        world.furnish(limits={"concurrentRuns": 2})
        for name in ("a", "b", "c"):
            world.apply(name=name, cron=None)
        world.start().work()
        return world

    def waiting(self, world: World) -> list[str]:
        return [one["metadata"]["name"] for one in world.runs() if one["status"]["reason"] == "ConcurrentRunsLimit"]

    def test_more_runs_than_the_template_allows_wait_and_go_in_the_order_they_were_asked_for(
        self, crowded: World
    ) -> None:
        for number, task in enumerate(["c", "b", "a", "a", "b"]):
            ask(crowded, f"run-{number}", task=task)
            crowded.pass_time(1)
        assert self.waiting(crowded) == ["run-2", "run-3", "run-4"]

        for number in range(3):
            crowded.tells(status(crowded, f"run-{number}")["taskArn"], "STOPPED", exit_code=0)
            assert self.waiting(crowded) == [f"run-{left}" for left in range(number + 3, 5)]

    def test_what_is_being_deleted_keeps_no_place_in_the_line(self, crowded: World) -> None:
        for number, task in enumerate(["a", "a", "b", "c"]):
            ask(crowded, f"run-{number}", task=task)
            crowded.pass_time(1)
        crowded.annotate(name="b", paused="true")
        crowded.delete(name="b")
        process(crowded).work()

        crowded.tells(status(crowded, "run-0")["taskArn"], "STOPPED", exit_code=0)
        process(crowded).work()

        assert (said(crowded, "run-2")[0], said(crowded, "run-3")[0]) == ("Pending", "Launching")

    def test_a_task_whose_status_cannot_be_written_keeps_nobody_waiting(self, crowded: World) -> None:
        for number, task in enumerate(["a", "a", "b", "c"]):
            ask(crowded, f"run-{number}", task=task)
            crowded.pass_time(1)
        crowded.edit(name="b", image="reports:2")
        crowded.trace.on_write = refusing_status_of("b")
        process(crowded).work()

        crowded.tells(status(crowded, "run-0")["taskArn"], "STOPPED", exit_code=0)
        crowded.pass_time(60, step=5)

        assert (said(crowded, "run-2")[0], said(crowded, "run-3")[0]) == ("Pending", "Launching")

    def test_the_order_survives_the_process(self, crowded: World) -> None:
        for number, task in enumerate(["c", "b", "c", "a"]):
            ask(crowded, f"run-{number}", task=task)
            crowded.pass_time(1)

        crowded.start().work()
        assert self.waiting(crowded) == ["run-2", "run-3"]
        crowded.tells(status(crowded, "run-0")["taskArn"], "STOPPED", exit_code=0)

        assert self.waiting(crowded) == ["run-3"]

    def test_a_place_that_is_given_up_goes_to_the_next(self, crowded: World) -> None:
        for number in range(4):
            ask(crowded, f"run-{number}", task="abcc"[number])
            crowded.pass_time(1)

        cancel(crowded, "run-2")
        process(crowded).work()
        crowded.tells(status(crowded, "run-0")["taskArn"], "STOPPED", exit_code=0)

        assert said(crowded, "run-3")[0] == "Launching"

    def test_a_greater_limit_lets_them_go(self, crowded: World) -> None:
        for number in range(4):
            ask(crowded, f"run-{number}", task="abcc"[number])
        process(crowded).work()
        assert len(self.waiting(crowded)) == 2

        crowded.edit_template(limits={"concurrentRuns": 10})
        crowded.pass_time(10)

        assert self.waiting(crowded) == []


class TestStops:
    def test_a_cancelled_run_is_stopped_and_says_so(self, idle: World) -> None:
        ask(idle)
        process(idle).work()
        arn = status(idle)["taskArn"]

        cancel(idle)
        process(idle).work()
        assert idle.account.tasks[arn]["desiredStatus"] == "STOPPED"
        idle.tells(arn, "STOPPED", exit_code=143)

        assert said(idle) == ("Cancelled", "Cancelled")

    def test_a_deadline_stops_it_at_its_time(self, idle: World) -> None:
        idle.edit(activeDeadlineSeconds=60)
        process(idle).work()
        ask(idle)
        process(idle).work()
        arn = status(idle)["taskArn"]
        idle.tells(arn, "RUNNING")

        idle.pass_time(58)
        assert idle.account.tasks[arn]["desiredStatus"] == "RUNNING"
        idle.pass_time(4)
        assert idle.account.tasks[arn]["desiredStatus"] == "STOPPED"
        idle.tells(arn, "STOPPED", exit_code=143)

        assert said(idle) == ("Failed", "DeadlineExceeded")

    def test_a_stop_whose_end_nobody_tells_is_looked_for(self, idle: World) -> None:
        ask(idle)
        process(idle).work()
        arn = status(idle)["taskArn"]
        cancel(idle)
        process(idle).work()
        idle.account.move(arn, "STOPPED", exit_code=143)

        idle.pass_time(200, step=20)

        assert said(idle)[0] == "Cancelled"

    def test_failed_attempts_are_made_again_until_the_limit(self, idle: World) -> None:
        idle.edit(backoffLimit=1)
        process(idle).work()
        ask(idle)
        process(idle).work()
        first = status(idle)["taskArn"]
        idle.tells(first, "RUNNING")
        idle.tells(first, "STOPPED", exit_code=1)
        assert said(idle) == ("Running", "BackoffRetry")

        idle.pass_time(15, step=1)
        second = status(idle)["taskArn"]
        assert second != first
        idle.tells(second, "STOPPED", exit_code=1)

        assert said(idle) == ("Failed", "BackoffLimitExceeded")
        assert [one["exitCode"] for one in status(idle)["attempts"]] == [1, 1]


class TestDeletion:
    def test_a_run_whose_launch_nobody_knows_is_looked_for_before_it_goes(self, idle: World) -> None:
        idle.trace.fail_next("ecs.run", Busy("AwsUnreachable", "No answer."), after_effect=True)
        ask(idle)
        process(idle).work()
        [arn] = idle.account.tasks

        idle.delete(RUNS, "mine")
        idle.pass_time(20, step=1)
        assert idle.account.tasks[arn]["desiredStatus"] == "STOPPED"
        idle.tells(arn, "STOPPED", exit_code=143)

        assert idle.find(RUNS, "mine") is None

    def test_one_that_started_nothing_goes_when_ecs_would_show_it(self, idle: World) -> None:
        idle.trace.fail_next("ecs.run", Busy("AwsUnreachable", "No answer."))
        ask(idle)
        process(idle).work()
        idle.delete(RUNS, "mine")
        idle.pass_time(60, step=5)
        assert FINALIZER in run(idle)["metadata"]["finalizers"]

        idle.pass_time(600, step=5)

        assert idle.find(RUNS, "mine") is None
        assert idle.account.tasks == {}

    def test_a_task_that_started_though_ecs_said_no_is_stopped_with_its_run(self, idle: World) -> None:
        arn = self._denied(idle)

        idle.delete(RUNS, "mine")
        idle.pass_time(20, step=1)
        assert idle.account.tasks[arn]["desiredStatus"] == "STOPPED"
        idle.tells(arn, "STOPPED", exit_code=143)

        assert idle.find(RUNS, "mine") is None

    def test_a_task_that_started_though_ecs_said_no_is_stopped_with_its_background_task(self, idle: World) -> None:
        arn = self._denied(idle)

        idle.delete()
        idle.pass_time(20, step=1)

        assert idle.account.tasks[arn]["desiredStatus"] == "STOPPED"
        assert idle.find(TASKS, "nightly") is None

    @staticmethod
    def _denied(world: World) -> str:
        """Ask for a run of which ECS says that nothing was started; the ARN of what it has started."""
        world.account.shortages.append(NO_ROOM)
        ask(world)
        process(world).work()
        [request] = launched(world)
        return world.account.start_task(request["taskDefinition"], {}, overrides=request["overrides"])

    def test_a_task_is_not_gone_before_its_launches_are_known(self, idle: World) -> None:
        idle.trace.fail_next("ecs.run", Busy("AwsUnreachable", "No answer."))
        ask(idle)
        process(idle).work()

        idle.delete()
        process(idle).work()
        assert idle.find(TASKS, "nightly") is not None
        idle.pass_time(600, step=10)

        assert idle.find(TASKS, "nightly") is None

    def test_while_it_waits_for_that_no_schedule_starts_anything_more(self, world: World) -> None:
        world.trace.fail_next("ecs.run", Busy("AwsUnreachable", "No answer."))
        ask(world)
        process(world).work()

        world.delete()
        process(world).work()

        assert world.find(TASKS, "nightly") is not None
        assert list(world.enabled().values()) == [False]

    def test_unless_that_is_forced(self, idle: World) -> None:
        idle.trace.fail_next("ecs.run", Busy("AwsUnreachable", "No answer."))
        ask(idle)
        process(idle).work()

        idle.delete()
        idle.annotate(force_orphan="true")
        process(idle).work()

        assert idle.find(TASKS, "nightly") is None


class TestTime:
    def test_a_run_is_deleted_when_its_time_after_the_end_is_over(self, idle: World) -> None:
        ask(idle, ttlSecondsAfterFinished=60)
        process(idle).work()
        idle.tells(status(idle)["taskArn"], "STOPPED", exit_code=0)
        idle.pass_time(58)
        assert idle.find(RUNS, "mine") is not None

        idle.pass_time(4)

        assert idle.find(RUNS, "mine") is None

    @pytest.mark.parametrize("restarts", [False, True], ids=["goes on", "restarts"])
    def test_a_run_that_its_task_has_left_behind_is_deleted_in_its_time_too(
        self, idle: World, *, restarts: bool
    ) -> None:
        ask(idle, ttlSecondsAfterFinished=60)
        process(idle).work()
        idle.delete()
        process(idle).work()
        idle.pass_time(50)
        assert said(idle) == ("Cancelled", "TaskDeleted")
        if restarts:
            idle.start().work()

        idle.pass_time(20)

        assert idle.find(RUNS, "mine") is None

    def test_a_run_that_git_owns_stays_and_says_so_once(self, idle: World) -> None:
        ask(idle, ttlSecondsAfterFinished=60)
        body = run(idle)
        labels = {"kustomize.toolkit.fluxcd.io/name": "jobs"}
        idle.store.replace(RUNS, body, {**body, "metadata": {**body["metadata"], "labels": labels}})
        process(idle).work()
        idle.tells(status(idle)["taskArn"], "STOPPED", exit_code=0)

        idle.pass_time(600, step=60)

        assert idle.find(RUNS, "mine") is not None
        assert process(idle).told.reasons().count("TTLSkippedManagedByGitOps") == 1
