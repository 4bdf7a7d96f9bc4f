"""What goes wrong on one side keeps nothing else from going right: rights, deletions, runs, late listings."""

from datetime import UTC, datetime
from typing import Any

import pytest

from backgroundtask.controller.keys import Gone
from backgroundtask.errors import Blocked, Busy
from backgroundtask.kube.resource import RUNS, TASKS, TEMPLATES
from fixtures.fake_process import Process
from fixtures.fake_world import KEY, OWNER, World
from fixtures.objects import ACCOUNT

NAME = OWNER.schedule_name(0)
ON, OFF = {NAME: True}, {NAME: False}
DENIED = Blocked("AccessDenied", "Grant it.")
NO_ANSWER = Busy("Unreachable", "The API server does not answer")


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


class TestRights:
    def test_a_refused_edit_does_not_keep_a_role_that_is_taken_away(self, world: World) -> None:
        world.edit_template(taskRoles={"admin": f"arn:aws:iam::{ACCOUNT}:role/admin"})
        world.edit(taskRole="admin")
        process(world).work()
        world.edit(taskRole="nonsense")
        process(world).work()
        assert world.enabled() == ON

        world.edit_template(taskRoles={})
        process(world).work()

        assert world.enabled() == OFF

    def test_a_refused_edit_does_not_keep_a_secret_that_is_taken_away(self, world: World) -> None:
        world.edit(env=[{"name": "WORD", "valueFrom": {"ssmParameter": "/reports/word"}}])
        process(world).work()
        world.edit(cron="61 * * * *")
        process(world).work()
        assert world.enabled() == ON

        world.edit_template(secrets=[])
        process(world).work()

        assert world.enabled() == OFF

    @pytest.mark.parametrize("template", [{"namespaces": ["other"]}, {"taskRoles": {}}])
    def test_a_paused_task_loses_its_rights_like_any_other(self, world: World, template: dict[str, Any]) -> None:
        world.edit(taskRole="reader")
        process(world).work()
        world.annotate(paused="true")
        process(world).work()
        assert world.condition()["reason"] == "Paused"

        world.edit_template(**template)
        process(world).work()

        assert world.enabled() == OFF

    @pytest.mark.parametrize("change", ["namespace", "suspend"])
    def test_a_task_whose_spec_cannot_be_read_is_switched_off_all_the_same(self, world: World, change: str) -> None:
        world.edit(cpu="many")
        process(world).work()
        assert world.enabled() == ON

        if change == "namespace":
            world.edit_template(namespaces=["other"])
        else:
            world.edit(suspend=True)
        process(world).work()

        assert world.enabled() == OFF


class TestDeletion:
    def test_an_event_that_cannot_be_recorded_keeps_no_task_from_going(self, world: World) -> None:
        task = world.fires()
        world.trace.fail_next("kube.create", Blocked("NamespaceTerminating", "It goes."), times=1000)
        world.delete()

        world.tells(task, "RUNNING")
        world.pass_time(60, step=1)

        assert world.find(TASKS, "nightly") is None
        assert (world.enabled(), world.revisions()) == ({}, [])

    def test_a_cluster_that_is_gone_keeps_no_task_from_going(self, world: World) -> None:
        world.account.clusters.clear()

        world.delete()
        process(world).work()

        assert world.find(TASKS, "nightly") is None
        assert (world.enabled(), world.revisions()) == ({}, [])

    def test_a_run_goes_though_ecs_has_forgotten_its_task(self, world: World) -> None:
        task = world.fires()
        world.tells(task, "RUNNING")
        del world.account.tasks[task]
        [run] = world.runs()

        world.delete(RUNS, run["metadata"]["name"])
        world.pass_time(15 * 60, step=10)

        assert world.runs() == []
        assert world.status()["activeRuns"] == 0

    def test_a_run_does_not_go_because_ecs_does_not_show_its_task_yet(self, world: World) -> None:
        task = world.fires()
        world.tells(task, "RUNNING")
        shown = world.account.tasks.pop(task)
        process(world).context.inbox.put(KEY, [Gone(task)])
        [run] = world.runs()

        world.delete(RUNS, run["metadata"]["name"])
        process(world).work()
        world.account.tasks[task] = shown
        world.pass_time(5 * 60, step=10)

        assert world.account.tasks[task]["desiredStatus"] == "STOPPED"
        assert len(world.runs()) == 1

    def test_a_run_that_cannot_be_stopped_keeps_no_other_from_its_end(self, world: World) -> None:
        tasks = [world.fires(slot) for slot in ("2026-11-22T03:00:00Z", "2026-11-23T03:00:00Z")]
        for task in tasks:
            world.tells(task, "RUNNING")
        stuck, other = sorted(run["metadata"]["name"] for run in world.runs())
        world.trace.fail_next("ecs.stop", DENIED, times=1000)
        world.delete(RUNS, stuck)
        process(world).work()

        world.tells(tasks[1], "STOPPED", exit_code=0)

        assert "finalizers" not in world.object(RUNS, other)["metadata"]


class TestPatience:
    def test_a_slot_that_cannot_be_told_is_tried_with_patience(self, world: World) -> None:
        world.trace.fail_next("kube.patch_status", NO_ANSWER, times=1000)
        world.pass_time(86_400)
        mark = len(world.trace.calls)

        world.pass_time(120, step=1)

        tries = [str(call) for call in world.trace.calls[mark:] if call.operation == "kube.patch_status"]
        assert 0 < len(tries) < 20


class TestRuns:
    def test_a_run_of_a_namesake_that_is_gone_says_nothing_of_the_task(self, world: World) -> None:
        spec = {"task": "nightly", "scheduledTime": "2999-01-01T00:00:00Z"}
        theirs = {"apiVersion": "bgtask.dev/v1alpha1", "kind": "BackgroundTask", "name": "nightly", "uid": "before"}
        metadata = {"name": "mine", "namespace": "reports", "ownerReferences": [{**theirs, "controller": True}]}
        world.store.insert(RUNS, {"kind": "BackgroundTaskRun", "metadata": metadata, "spec": spec})

        process(world).work()

        assert world.status()["activeRuns"] == 0
        assert "lastScheduleTime" not in world.status()

    def test_a_pruned_run_is_told_of_once(self, world: World) -> None:
        world.edit(successfulRunsHistoryLimit=0)
        process(world).work()
        task = world.fires()

        world.tells(task, "STOPPED", exit_code=0)
        world.pass_time(16 * 3600)
        world.pass_time(60, step=1)

        assert process(world).told.reasons().count("SuccessfulDelete") == 1


class TestTime:
    def test_a_slot_that_passes_while_the_status_is_written_is_told_soon_after(self, world: World) -> None:
        queue = process(world).context.queue
        world.clock.now = datetime(2026, 11, 22, 2, 59, 59, 900_000, tzinfo=UTC)
        patch_status = world.kube.patch_status

        def slow(ref: Any, status: Any) -> Any:
            answer = patch_status(ref, status)
            world.clock.advance(0.2)
            return answer

        world.kube.patch_status = slow  # type: ignore[method-assign]  # the API server takes its time
        world.edit(description="another")
        process(world).work()
        assert queue is process(world).context.queue

        world.pass_time(60, step=1)

        assert world.status()["nextScheduleTime"] == "2026-11-23T03:00:00Z"

    def test_a_listing_that_lags_behind_makes_no_second_revision(self, world: World) -> None:
        ecs, real = world.cloud.ecs, world.cloud.ecs.active_revisions
        known = frozenset(world.revisions())
        ecs.active_revisions = lambda family: tuple(arn for arn in real(family) if arn in known)  # type: ignore[method-assign]
        world.trace.fail_next("schedules.update", Busy("Throttled", "AWS throttles."), times=4)

        world.edit(image="reports:2")
        world.pass_time(30, step=1)

        assert len(world.account.revisions) == 2
        assert world.condition()["status"] == "True"

    def test_a_suspended_task_does_not_claim_that_a_schedule_starts_it(self, world: World) -> None:
        world.edit(suspend=True)
        process(world).work()

        assert "is switched off" in world.condition()["message"]

    def test_a_firing_that_was_under_way_while_the_task_was_taken_down_is_stopped(self, world: World) -> None:
        started: list[str] = []
        deregister = world.cloud.ecs.deregister

        def late(arn: str) -> None:
            if not started:
                started.append(world.account.start_task(arn, {}))
            deregister(arn)

        world.cloud.ecs.deregister = late  # type: ignore[method-assign]  # a firing comes in between

        world.delete()
        process(world).work()

        assert world.account.tasks[started[0]]["desiredStatus"] == "STOPPED"
        assert world.find(TEMPLATES, "default") is not None


class TestWords:
    def test_a_refused_spec_is_a_line_of_log(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        world.edit(cron="61 * * * *")
        process(world).work()

        assert [line for line in caplog.messages if "InvalidSchedule" in line and "reports/nightly" in line]

    def test_a_right_that_is_taken_away_is_one_event(self, world: World) -> None:
        world.edit_template(namespaces=["other"])
        process(world).work()

        assert process(world).told.reasons().count("NamespaceNotAllowed") == 1

    def test_a_pause_is_no_warning(self, world: World) -> None:
        world.annotate(paused="true")
        process(world).work()

        assert [one.type for one in process(world).told.told if one.reason == "Paused"] == ["Normal"]
