"""Executions: from the events of ECS, doubled, late, foreign or broken, to runs and their end."""

from __future__ import annotations

import json
from typing import Any

from fixtures.world import Operator, World, eventually

FOREVER = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]


def test_a_running_task_is_shown_while_it_runs_and_stopped_with_its_background_task(
    world: World, operator: Operator
) -> None:
    world.apply("endless", cron=world.soon(), command=FOREVER)
    world.ready("endless")
    world.next_slot()
    status = eventually(
        lambda: (seen := world.status("endless")).get("activeRuns") == 1 and _is_running(world, "endless") and seen,
        "its run is active",
    )
    [run] = world.runs("endless")
    assert status["active"] == [{"name": run["metadata"]["name"], "taskArn": run["status"]["taskArn"]}]
    assert run["status"]["phase"] == "Running"
    assert "completionTime" not in run["status"]

    world.kubectl("delete", "bgt", "endless", "--timeout=30s")

    eventually(lambda: _ecs_status(world, run["status"]["taskArn"]) == "STOPPED", "its ECS task is stopped")
    eventually(lambda: world.runs("endless") == [], "its run is collected")
    assert operator.process.poll() is None


def test_deleting_an_active_run_stops_its_task_and_the_run_goes_when_that_has_ended(
    world: World, operator: Operator
) -> None:
    world.apply("halted", cron=world.soon(), command=FOREVER)
    world.ready("halted")
    world.next_slot()
    eventually(lambda: _is_running(world, "halted"), "it runs")
    [run] = world.runs("halted")
    _suspend(world, "halted")

    world.kubectl("delete", "bgtr", run["metadata"]["name"], "--timeout=30s")

    assert _ecs_status(world, run["status"]["taskArn"]) == "STOPPED"
    eventually(lambda: world.status("halted").get("activeRuns") == 0, "the task has no active run")
    assert world.runs("halted") == []
    assert operator.process.poll() is None


def test_a_namespace_goes_while_its_tasks_run_and_their_events_are_under_way(world: World, operator: Operator) -> None:
    world.kubectl("patch", "bglt", "default", "--type=merge", "-p", '{"spec": {"namespaces": ["*"]}}')
    world.kubectl("create", "namespace", "doomed")
    spec = {"image": "busybox:1", "cpu": 256, "memory": 512, "command": FOREVER, "cron": world.soon()}
    for name in ("one", "two", "three"):
        body = {"apiVersion": "bgtask.dev/v1alpha1", "kind": "BackgroundTask", "metadata": {"name": name}, "spec": spec}
        world.kubectl("apply", "-n", "doomed", "-f", "-", stdin=body)
    world.kubectl("wait", "-n", "doomed", "--for=condition=Ready", "bgt", "--all", "--timeout=30s")

    world.kubectl("delete", "namespace", "doomed", "--wait=false")
    world.next_slot()

    world.kubectl("wait", "--for=delete", "namespace/doomed", "--timeout=90s")
    assert [name for name in world.schedules() if "doomed" in name] == []
    assert operator.process.poll() is None


def test_what_happened_while_the_operator_was_down_is_recorded_when_it_is_back(world: World) -> None:
    first = world.start_operator()
    world.apply("offline", cron=world.soon())
    world.ready("offline")
    assert first.terminate() == 0

    world.next_slot()
    eventually(lambda: _stopped_tasks(world, "offline"), "the schedule has launched without the operator")
    second = world.start_operator()

    eventually(lambda: world.status("offline").get("lastSuccessfulTime"), "its success is reported")
    assert len(world.runs("offline")) == len(_stopped_tasks(world, "offline"))
    _suspend(world, "offline")
    assert second.terminate() == 0


def test_doubled_and_reordered_events_change_nothing_and_foreign_and_broken_ones_do_no_harm(
    world: World, operator: Operator
) -> None:
    world.apply("echo", cron=world.soon())
    world.ready("echo")
    world.next_slot()
    eventually(lambda: world.status("echo").get("lastSuccessfulTime"), "it has succeeded")
    _suspend(world, "echo")
    eventually(lambda: world.condition("echo", "Scheduled").get("reason") == "Suspended", "it is suspended")
    [run] = world.runs("echo")
    described = world.aws.client("ecs").describe_tasks(cluster=_cluster(world), tasks=[run["status"]["taskArn"]])
    detail = json.loads(json.dumps(described["tasks"][0], default=lambda moment: moment.isoformat()))

    for changes in ({}, {}, {"version": 2, "lastStatus": "RUNNING"}, {"taskDefinitionArn": _foreign(detail)}):
        _send(world, {"detail-type": "ECS Task State Change", "detail": {**detail, **changes}})
    _send(world, "neither JSON nor an event")
    _send(world, {"detail-type": "Something else"})

    eventually(lambda: _waiting(world, "events") == 0, "every message was taken up", seconds=60)
    assert world.runs("echo") == [run]
    assert operator.logged("left to its poison queue")


def test_a_launch_that_scheduler_gives_up_is_told_on_the_task(world: World, operator: Operator) -> None:
    world.apply("denied", cron=world.soon())
    world.ready("denied")
    fault = world.aws.fault(
        "error", "ecs", "RunTask", code="AccessDeniedException", message="may not pass role", status=400
    )

    world.next_slot()

    eventually(lambda: "may not pass role" in _events(world, "denied"), "an Event says what AWS refused")
    world.aws.remove_fault(fault)
    _suspend(world, "denied")
    assert operator.logged("[WARN] - Background task execution failed for taskID=default/denied err=")


def test_secrets_reach_the_container_by_reference_and_a_missing_one_is_told(world: World, operator: Operator) -> None:
    world.aws.client("ssm").put_parameter(Name="/default/word", Value="sesame", Type="SecureString")
    for name, parameter in (("opened", "/default/word"), ("locked", "/default/lost")):
        variable = {"name": "WORD", "valueFrom": {"ssmParameter": parameter}}
        world.apply(name, cron=world.soon(), command=["sh", "-c", 'test "$WORD" = sesame'], env=[variable])
        world.ready(name)

    world.next_slot()

    ends = {
        name: eventually(lambda name=name: world.status(name).get("lastRun"), "it ended")
        for name in ("opened", "locked")
    }
    assert ends["opened"]["phase"] == "Succeeded"
    assert (ends["locked"]["phase"], ends["locked"]["reason"]) == ("Failed", "SecretUnavailable")
    assert "exitCode" not in ends["locked"]
    for name in ends:
        _suspend(world, name)
    assert not operator.logged("sesame")


def test_sigterm_ends_the_operator_in_time_while_it_is_at_work(world: World) -> None:
    busy = world.start_operator()
    for number in range(20):
        world.apply(f"work-{number}")

    assert busy.terminate() == 0

    again = world.start_operator()
    for number in range(20):
        world.ready(f"work-{number}")
        assert len(world.revisions(f"work-{number}")) == 1
    assert again.terminate() == 0


def _is_running(world: World, task: str) -> bool:
    return [one["status"].get("phase") for one in world.runs(task)] == ["Running"]


def _suspend(world: World, task: str) -> None:
    world.kubectl("patch", "bgt", task, "--type=merge", "-p", '{"spec": {"suspend": true}}')


def _cluster(world: World) -> str:
    return world.template["spec"]["cluster"]


def _ecs_status(world: World, arn: str) -> str:
    return world.aws.client("ecs").describe_tasks(cluster=_cluster(world), tasks=[arn])["tasks"][0]["lastStatus"]


def _stopped_tasks(world: World, task: str) -> list[str]:
    return world.aws.client("ecs").list_tasks(
        cluster=_cluster(world), family=f"bgt_e2e_default_{task}", desiredStatus="STOPPED"
    )["taskArns"]


def _foreign(detail: dict[str, Any]) -> str:
    return detail["taskDefinitionArn"].replace("_echo:", "_stranger:")


def _queue(world: World, name: str) -> str:
    return world.aws.client("sqs").get_queue_url(QueueName=f"bgt-e2e-{name}")["QueueUrl"]


def _send(world: World, message: object) -> None:
    body = message if isinstance(message, str) else json.dumps(message)
    world.aws.client("sqs").send_message(QueueUrl=_queue(world, "events"), MessageBody=body)


def _waiting(world: World, name: str) -> int:
    names = ["ApproximateNumberOfMessages"]
    attributes = world.aws.client("sqs").get_queue_attributes(QueueUrl=_queue(world, name), AttributeNames=names)
    return int(attributes["Attributes"]["ApproximateNumberOfMessages"])


def _events(world: World, task: str) -> str:
    return world.kubectl("get", "events", "--field-selector", f"involvedObject.name={task}")
