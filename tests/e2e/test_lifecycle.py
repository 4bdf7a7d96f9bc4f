"""One task through its whole life, seen from outside: what the API server and AWS hold after each thing a user does."""

from __future__ import annotations

import json
import os
from typing import Any

from backgroundtask.plan.names import Owner
from fixtures.world import INSTALLATION, Operator, World, eventually

SCHEDULE = Owner(INSTALLATION, "default", "report").schedule_name(0)


def test_a_task_from_apply_through_a_fired_schedule_to_its_deletion(world: World, operator: Operator) -> None:
    _becomes_a_definition_and_a_schedule(world, operator)
    _fires_and_reports(world)
    _takes_a_new_image_without_a_gap(world)
    _suspends_and_resumes(world, operator)
    _loses_its_schedule_and_gets_it_back(world, operator)
    _goes_away(world, operator)


def _becomes_a_definition_and_a_schedule(world: World, operator: Operator) -> None:
    world.apply("report", cron=world.soon(), command=["sh", "-c", "echo for $WHO; exit 3"], env=[_env("WHO", "emea")])

    status = world.ready("report")

    assert status["taskDefinitionArn"] == world.revisions("report")[0]
    assert [one["name"] for one in status["schedules"]] == world.schedules() == [SCHEDULE]
    assert status["nextScheduleTime"].endswith(":00Z")
    assert operator.logged("[INFO] - Registered task from scheduler taskID=default/report")
    assert _input(world)["TaskDefinition"] == status["taskDefinitionArn"]


def _fires_and_reports(world: World) -> None:
    world.next_slot()

    status = eventually(
        lambda: (seen := world.status("report")).get("lastRun") and seen, "the run is reported in the task's status"
    )
    run = world.get("bgtr", status["lastRun"]["name"])
    assert run is not None
    assert run["status"]["phase"] == status["lastRun"]["phase"] == "Failed"
    assert run["status"]["exitCode"] == status["lastRun"]["exitCode"] == 3
    assert run["status"]["taskArn"] == status["lastRun"]["taskArn"]
    assert run["metadata"]["ownerReferences"][0]["name"] == "report"
    assert status["lastFailureTime"] == run["status"]["completionTime"]
    assert status["lastScheduleTime"] == run["spec"]["scheduledTime"]
    assert world.condition("report", "LastRunSucceeded")["status"] == "False"
    assert world.condition("report")["status"] == "True"
    logs = run["status"]["logs"]
    lines = world.aws.client("logs").get_log_events(logGroupName=logs["group"], logStreamName=logs["stream"])
    assert [one["message"] for one in lines["events"]] == ["for emea"]


def _takes_a_new_image_without_a_gap(world: World) -> None:
    before, [old] = world.now(), world.revisions("report")

    _patch(world, image="busybox:2")

    eventually(lambda: world.ready("report")["taskDefinitionArn"] != old, "a new revision is in the status")
    assert world.aws_writes(before)[:2] == ["RegisterTaskDefinition", "UpdateSchedule"]
    assert _input(world)["TaskDefinition"] == world.status("report")["taskDefinitionArn"]
    assert "DeleteSchedule" not in world.aws_writes(before)


def _suspends_and_resumes(world: World, operator: Operator) -> None:
    for suspend, state in ((True, "DISABLED"), (False, "ENABLED")):
        _patch(world, suspend=suspend)

        world.ready("report")
        assert _schedule(world)["State"] == state
        assert ("nextScheduleTime" in world.status("report")) is not suspend
        assert world.condition("report", "Scheduled")["status"] == str(not suspend)
    assert operator.logged("[INFO] - Removed task from scheduler taskID=default/report")


def _loses_its_schedule_and_gets_it_back(world: World, operator: Operator) -> None:
    _patch(world, cron=None)

    eventually(lambda: world.condition("report", "Scheduled").get("reason") == "NoSchedule", "no schedule is told")
    assert world.schedules() == []
    assert world.condition("report")["status"] == "True"
    _patch(world, cron="0 3 1 * 1")
    eventually(lambda: len(world.ready("report").get("schedules", [])) == 2, "both halves of the or are there")
    assert len(world.schedules()) == 2
    assert operator.process.poll() is None


def _goes_away(world: World, operator: Operator) -> None:
    world.kubectl("delete", "bgt", "report", "--timeout=30s")

    assert world.schedules() == []
    assert world.revisions("report") == []
    eventually(lambda: world.runs("report") == [], "its runs are collected")
    assert operator.logged("[INFO] - Removed task from scheduler taskID=default/report")


def test_reordered_env_and_defaults_written_out_make_no_revision_and_no_write(world: World, operator: Operator) -> None:
    env = [_env("A", "1"), _env("B", "2")]
    world.apply("steady", env=env)
    world.ready("steady")
    before = world.now()

    world.apply("steady", env=env[::-1], timeZone="UTC", suspend=False, deletionPolicy="Delete")

    world.ready("steady")
    assert world.aws_writes(before) == []
    assert len(world.revisions("steady")) == 1
    assert operator.process.poll() is None
    world.kubectl("delete", "bgt", "steady", "--timeout=30s")


def test_a_restart_with_everything_in_place_writes_nothing(world: World, operator: Operator) -> None:
    world.apply("kept")
    world.ready("kept")
    eventually(lambda: world.status("default", "bglt").get("tasks") == 1, "its template has counted it")
    assert operator.terminate() == 0
    before, versions = world.now(), _versions(world)

    again = world.start_operator()

    eventually(lambda: _calls_after(world, before, "DescribeClusters"), "the new process has looked at its template")
    assert again.terminate() == 0
    assert world.aws_writes(before) == []
    assert _versions(world) == versions


def test_env_values_appear_in_no_status_event_or_log(world: World, operator: Operator) -> None:
    canary = f"canary-{os.urandom(8).hex()}"
    world.apply("discreet", cron=world.soon(), env=[_env("TOKEN", canary)])
    world.ready("discreet")
    world.next_slot()
    eventually(lambda: world.status("discreet").get("lastRun"), "it has run")
    _patch(world, "discreet", cron="61 * * * *")
    eventually(lambda: world.condition("discreet", "Stalled"), "its new schedule is refused")

    said = [*operator.lines(), json.dumps(world.status("discreet")), world.kubectl("get", "events", "-o", "json")]

    assert not [line for line in said if canary in line]
    assert canary not in world.kubectl("get", "bgtr", "-o", "json")


def _env(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def _patch(world: World, name: str = "report", **spec: Any) -> None:
    world.kubectl("patch", "bgt", name, "--type=merge", "-p", json.dumps({"spec": spec}))


def _schedule(world: World) -> dict[str, Any]:
    return world.aws.client("scheduler").get_schedule(GroupName=f"bgt-{INSTALLATION}", Name=SCHEDULE)


def _input(world: World) -> dict[str, Any]:
    return json.loads(_schedule(world)["Target"]["Input"])


def _versions(world: World) -> dict[str, str]:
    listed = json.loads(world.kubectl("get", "bgt,bgtr,bglt", "-o", "json"))["items"]
    return {f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"] for one in listed}


def _calls_after(world: World, since: int, operation: str) -> bool:
    return any(one["operation"] == operation for one in world.aws.journal(since=since))
