"""Runs that people and Git ask for: what they override, what they may not, and that each is launched once."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from backgroundtask.api.parsing import parse_run
from backgroundtask.plan.names import Owner
from backgroundtask.plan.requests import token
from fixtures.asking import FOREVER, PATIENCE, ask, ecs_tasks, launches, reaches, runs_of, status
from fixtures.world import INSTALLATION, Operator, World, eventually

pytestmark = pytest.mark.timeout(600)

SECRET = "the-word-that-nobody-tells"


def test_a_run_does_what_it_overrides_and_the_next_one_what_the_task_says(world: World, operator: Operator) -> None:
    world.apply("chosen", cron=None, command=["sh", "-c", 'test "$WORD" = "$WANTED" && exit 5; exit 6'])
    world.ready("chosen")
    words = [{"name": "WORD", "value": SECRET}, {"name": "WANTED", "value": SECRET}]

    ask(world, "with-words", task="chosen", overrides={"env": words})
    ask(world, "with-command", task="chosen", overrides={"command": ["sh", "-c", "exit 0"], "cpu": 512, "memory": 1024})
    ask(world, "plain", task="chosen", overrides={"env": [{"name": "WORD", "value": "another"}]})

    assert reaches(world, "with-words", "Failed")["exitCode"] == 5
    assert reaches(world, "with-command", "Succeeded")["exitCode"] == 0
    assert reaches(world, "plain", "Failed")["exitCode"] == 6
    assert max((one["cpu"], one["memory"]) for one in ecs_tasks(world, "chosen")) == ("512", "1024")
    told = world.kubectl("get", "events,bgt", "-o", "json") + json.dumps(status(world, "with-words"))
    assert SECRET not in told
    assert not operator.logged(SECRET)


def test_a_suspended_task_and_one_without_a_schedule_run_when_asked(world: World, operator: Operator) -> None:
    world.apply("asleep", cron="0 3 * * *", suspend=True)
    world.apply("unscheduled", cron=None)
    world.ready("asleep")

    ask(world, "asleep-now", task="asleep")
    ask(world, "unscheduled-now", task="unscheduled")

    reaches(world, "asleep-now", "Succeeded")
    reaches(world, "unscheduled-now", "Succeeded")
    assert eventually(lambda: world.status("asleep").get("lastSuccessfulTime"), "the task tells of it")
    assert operator.process.poll() is None


def test_a_changed_annotation_runs_the_task_once_and_the_first_value_never(world: World, operator: Operator) -> None:
    spec = {"image": "busybox:1", "cpu": 256, "memory": 512, "command": ["true"]}
    metadata = {"name": "git", "annotations": {"bgtask.dev/run-requested-at": "monday"}}
    body = {"apiVersion": "bgtask.dev/v1alpha1", "kind": "BackgroundTask", "metadata": metadata, "spec": spec}
    world.kubectl("apply", "-f", "-", stdin=body)
    assert world.ready("git")["lastHandledRunAt"] == "monday"
    assert runs_of(world, "git") == []

    for day in ("tuesday", "tuesday", "wednesday"):
        world.kubectl("annotate", "bgt", "git", f"bgtask.dev/run-requested-at={day}", "--overwrite")
        eventually(lambda day=day: world.status("git").get("lastHandledRunAt") == day, f"{day} is handled")

    eventually(
        lambda: [one["status"].get("phase") for one in runs_of(world, "git")] == ["Succeeded"] * 2,
        "two runs, for two changes",
        seconds=PATIENCE,
    )
    assert len(ecs_tasks(world, "git")) == 2
    assert operator.process.poll() is None


def test_what_the_template_does_not_allow_is_told_and_never_asked_of_ecs(world: World, operator: Operator) -> None:
    spec = {**world.template["spec"], "limits": {"cpu": 512}}
    tight = {**world.template, "metadata": {"name": "tight"}, "spec": spec}
    world.kubectl("apply", "-f", "-", stdin=tight)
    world.apply("small", cron=None, launchTemplate="tight")
    world.ready("small")
    since = world.now()

    ask(world, "too-big", task="small", overrides={"cpu": 1024, "memory": 2048})
    ask(world, "no-such-role", task="small", overrides={"taskRole": "nobody"})
    ask(world, "no-such-item", task="small", item="a")

    assert reaches(world, "too-big", "Failed")["reason"] == "LimitExceeded"
    assert reaches(world, "no-such-role", "Failed")["reason"] == "TaskRoleNotOffered"
    assert reaches(world, "no-such-item", "Failed")["reason"] == "UnknownItem"
    assert launches(world, since) == []
    assert operator.process.poll() is None


def test_a_run_waits_for_a_task_that_is_not_there_yet(world: World, operator: Operator) -> None:
    ask(world, "early", task="late")
    assert reaches(world, "early", "Pending")["reason"] == "TaskNotFound"

    world.apply("late", cron=None)

    reaches(world, "early", "Succeeded")
    assert operator.process.poll() is None


def test_a_run_of_an_immutable_spec_cannot_be_edited_but_for_its_end(world: World, operator: Operator) -> None:
    world.apply("fixed", cron=None, command=FOREVER)
    world.ready("fixed")
    ask(world, "fixed-now", task="fixed")
    arn = reaches(world, "fixed-now", "Running")["taskArn"]

    with pytest.raises(Exception, match="immutable"):
        world.kubectl("patch", "bgtr", "fixed-now", "--type=merge", "-p", '{"spec": {"task": "other"}}')
    world.kubectl("patch", "bgtr", "fixed-now", "--type=merge", "-p", '{"spec": {"cancel": true}}')

    ended = reaches(world, "fixed-now", "Cancelled")
    assert (ended["reason"], ended["taskArn"]) == ("Cancelled", arn)
    assert [one["lastStatus"] for one in ecs_tasks(world, "fixed")] == ["STOPPED"]
    assert operator.process.poll() is None


def test_deleting_an_active_run_stops_its_task_first(world: World, operator: Operator) -> None:
    world.apply("removed", cron=None, command=FOREVER)
    world.ready("removed")
    ask(world, "removed-now", task="removed")
    reaches(world, "removed-now", "Running")

    world.kubectl("delete", "bgtr", "removed-now", "--timeout=120s")

    assert [one["lastStatus"] for one in ecs_tasks(world, "removed")] == ["STOPPED"]
    eventually(lambda: world.status("removed").get("activeRuns") == 0, "the task has no active run")
    assert operator.process.poll() is None


def test_a_lost_answer_of_run_task_starts_one_task(world: World, operator: Operator) -> None:
    world.apply("unheard", cron=None)
    world.ready("unheard")
    world.aws.fault("drop-after", "ecs", "RunTask", principal="client", times=1)
    since = world.now()

    ask(world, "unheard-now", task="unheard")

    ended = reaches(world, "unheard-now", "Succeeded")
    assert [one["taskArn"] for one in ecs_tasks(world, "unheard")] == [ended["taskArn"]]
    sent = [one for one in launches(world, since) if "unheard" in json.dumps(one["params"])]
    assert {one["params"]["clientToken"] for one in sent} == {ended["launch"]["token"]}
    assert operator.process.poll() is None


def test_a_task_that_ecs_started_for_the_token_before_is_adopted(world: World) -> None:
    first = world.start_operator()
    world.apply("known", cron=None, command=FOREVER)
    revision = world.ready("known")["taskDefinitionArn"]
    assert first.terminate() == 0
    ask(world, "known-now", task="known")
    arn = _launch_as_another(world, "known-now", revision)

    second = world.start_operator()

    assert reaches(world, "known-now", "Running")["taskArn"] == arn
    assert [one["outcome"] for one in launches(world)][-1] == "ConflictException"
    assert len(ecs_tasks(world, "known")) == 1
    world.kubectl("delete", "bgtr", "known-now", "--timeout=120s")
    assert second.terminate() == 0


def _launch_as_another(world: World, name: str, revision: str) -> str:
    """Launch a run with its own token and another request; the ARN of the ECS task."""
    body = world.get("bgtr", name)
    task = world.get("bgt", "known")
    assert body is not None
    assert task is not None
    run = parse_run({**body, "status": {}})
    said = {"BGT_TASK_UID": task["metadata"]["uid"], "BGT_RUN": name, "BGT_RUN_UID": run.metadata.uid}
    environment = [{"name": key, "value": value} for key, value in said.items()]
    launched: Any = world.aws.client("ecs").run_task(
        cluster=world.template["spec"]["cluster"],
        taskDefinition=revision,
        clientToken=token(Owner(INSTALLATION, "default", "known"), run, 0),
        startedBy="somebody",
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": world.template["spec"]["network"]["subnets"]}},
        overrides={"containerOverrides": [{"name": "aws-bg-task", "environment": environment}]},
    )
    arn: str = launched["tasks"][0]["taskArn"]
    return arn


def test_a_launch_that_nobody_can_confirm_ends_as_lost_and_is_not_doubled(world: World, operator: Operator) -> None:
    world.apply("lost", cron=None)
    world.ready("lost")
    fault = world.aws.fault("error", "ecs", "RunTask", principal="client", code="ServerException", status=500)
    ask(world, "lost-now", task="lost")
    eventually(lambda: status(world, "lost-now").get("launch"), "its launch is frozen", seconds=PATIENCE)

    asked = json.dumps({"status": {"launch": {"time": "2020-01-01T00:00:00Z"}}})
    world.kubectl("patch", "bgtr", "lost-now", "--subresource=status", "--type=merge", "-p", asked)

    assert reaches(world, "lost-now", "Lost")["reason"] == "LaunchUnconfirmed"
    world.aws.remove_fault(fault)
    assert ecs_tasks(world, "lost") == []
    assert operator.process.poll() is None


def test_a_run_goes_when_its_time_after_the_end_is_over_unless_git_owns_it(world: World, operator: Operator) -> None:
    world.apply("brief", cron=None)
    world.ready("brief")
    kind = {"apiVersion": "bgtask.dev/v1alpha1", "kind": "BackgroundTaskRun"}
    spec = {"task": "brief", "ttlSecondsAfterFinished": 1}
    owned = {"name": "of-git", "annotations": {"argocd.argoproj.io/tracking-id": "apps:bgtask.dev/Run:default/of-git"}}
    for metadata in ({"name": "of-nobody"}, owned):
        world.kubectl("create", "-f", "-", stdin={**kind, "metadata": metadata, "spec": spec})

    eventually(lambda: world.get("bgtr", "of-nobody") is None, "its time is over", seconds=PATIENCE)

    reaches(world, "of-git", "Succeeded")
    eventually(
        lambda: "TTLSkippedManagedByGitOps" in world.kubectl("get", "events", "-o", "json"),
        "it is told that the other stays",
        seconds=PATIENCE,
    )
    assert world.get("bgtr", "of-git") is not None
    assert operator.process.poll() is None


def test_items_run_one_after_another_in_their_order(world: World, operator: Operator) -> None:
    world.apply("each", cron=None, forEach=["a", "b", "c"], command=["sh", "-c", 'test "$BGT_ITEM" != b'])
    world.ready("each")

    world.kubectl("annotate", "bgt", "each", "bgtask.dev/run-requested-at=now")

    phases = eventually(
        lambda: (
            (seen := {one["spec"]["item"]: one["status"].get("phase") for one in runs_of(world, "each")})
            and set(seen.values()) <= {"Succeeded", "Failed"}
            and len(seen) == 3
            and seen
        ),
        "all items have run",
        seconds=PATIENCE,
    )
    assert phases == {"a": "Succeeded", "b": "Failed", "c": "Succeeded"}
    tasks = ecs_tasks(world, "each")
    assert all(first["stoppedAt"] <= second["createdAt"] for first, second in itertools.pairwise(tasks))
    assert operator.process.poll() is None
