"""More of a task: file systems, a shell, private registries, limits; and the last lines of a run that failed."""

from __future__ import annotations

import json
import sys
from typing import Any

from fixtures.world import INSTALLATION, Operator, World, eventually

SYSTEM = "fs-0123456789abcdef0"
VOLUME = {"name": "data", "mountPath": "/mnt/data", "efs": {"fileSystemId": SYSTEM}}
# What is mounted at /mnt/data is below the working folder of a process of localaws.
COUNT = ["sh", "-c", "echo x >> mnt/data/seen && wc -l < mnt/data/seen | tr -d ' '"]
BOOM = """
import sys
for number in range(1, 15):
    print(f"step {number}", flush=True)
print("\\033[31mValueError: no rows\\033[0m", file=sys.stderr, flush=True)
sys.exit(3)
"""

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "bigcpu": ({"cpu": 4096, "memory": 8192}, "LimitExceeded"),
    "bigmemory": ({"cpu": 1024, "memory": 8192}, "LimitExceeded"),
    "otherimage": ({"image": "docker.io/other:1"}, "ImageNotAllowed"),
    "otherfiles": ({"volumes": [VOLUME]}, "FileSystemNotAllowed"),
    "noshell": ({"enableExecuteCommand": True, "taskRole": "demo"}, "ExecuteCommandNotAllowed"),
    "otherregistry": (
        {"registryCredentials": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:other/registry"},
        "SecretNotAllowed",
    ),
}


def test_runs_share_a_file_system_that_the_template_offers(world: World, operator: Operator) -> None:
    _offer(world, fileSystems=[SYSTEM])
    world.apply("counting", cron=None, volumes=[VOLUME], command=COUNT)
    world.ready("counting")

    first, second = (_ran(world, "counting", f"counting-{number}") for number in (1, 2))

    assert [first["status"]["phase"], second["status"]["phase"]] == ["Succeeded", "Succeeded"]
    assert [_output(world, first), _output(world, second)] == [["1"], ["2"]]
    assert _definition(world, "counting")["volumes"] == [
        {"name": "data", "efsVolumeConfiguration": {"fileSystemId": SYSTEM, "transitEncryption": "ENABLED"}}
    ]
    assert operator.process.poll() is None


def test_a_file_system_that_is_taken_back_switches_the_schedule_off(world: World, operator: Operator) -> None:
    _offer(world, fileSystems=["*"])
    world.apply("mounted", volumes=[VOLUME])
    world.ready("mounted")

    _offer(world, fileSystems=[])

    eventually(lambda: world.condition("mounted", "Stalled").get("reason") == "FileSystemNotAllowed", "it says why")
    eventually(lambda: _state(world, "mounted") == "DISABLED", "its schedule is disabled")
    assert operator.process.poll() is None


def test_a_shell_is_open_where_the_template_allows_it_however_the_task_is_launched(
    world: World, operator: Operator
) -> None:
    _offer(world, allowExecuteCommand=True)
    world.apply("entered", cron=world.soon(), taskRole="demo", enableExecuteCommand=True)
    world.ready("entered")
    asked = _ran(world, "entered", "entered-by-hand")
    world.next_slot()
    slots = eventually(lambda: _ended_slots(world, "entered"), "a slot has run")

    for run in (asked, slots[0]):
        assert _ecs_task(world, run)["enableExecuteCommand"] is True

    _offer(world, allowExecuteCommand=False)
    eventually(lambda: _state(world, "entered") == "DISABLED", "its schedule is disabled")
    assert operator.process.poll() is None


def test_an_image_is_pulled_with_the_credentials_of_the_namespace(world: World, operator: Operator) -> None:
    secrets = world.aws.client("secretsmanager")
    text = json.dumps({"username": "me", "password": "hidden"})
    arn = secrets.create_secret(Name="default/registry", SecretString=text)["ARN"]
    _offer(world, secrets=[f"{arn.rpartition('/')[0]}/*"])
    world.apply("pulling", cron=None, registryCredentials=arn)
    world.ready("pulling")
    pulled = _ran(world, "pulling", "pulling-1")

    secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    failed = _ran(world, "pulling", "pulling-2")

    assert pulled["status"]["phase"] == "Succeeded"
    assert (failed["status"]["phase"], failed["status"]["reason"]) == ("Failed", "SecretUnavailable")
    assert not operator.logged("hidden")
    assert operator.process.poll() is None


def test_what_a_template_does_not_offer_is_stalled_before_anything_is_touched(world: World, operator: Operator) -> None:
    _offer(world, limits={"cpu": 2048, "memory": 4096}, images=["busybox:*"], fileSystems=[], allowExecuteCommand=False)

    try:
        for name, (spec, _) in REFUSED.items():
            world.apply(name, **spec)
        for name, (_, reason) in REFUSED.items():
            eventually(
                lambda name=name, reason=reason: world.condition(name, "Stalled").get("reason") == reason,
                f"{name} is refused: {reason}",
            )
    finally:
        _offer(world, limits=None, images=None)

    assert [arn for name in REFUSED for arn in world.revisions(name)] == []
    assert operator.process.poll() is None


def test_the_last_lines_of_a_failed_run_are_in_its_status_and_in_an_event(world: World, operator: Operator) -> None:
    world.apply("failing", cron=None, command=[sys.executable, "-c", BOOM])
    world.ready("failing")

    run = _ran(world, "failing", "failing-1")
    tail = eventually(lambda: _run(world, "failing-1")["status"]["logs"].get("tail"), "its last lines are there")
    event = eventually(lambda: _event(world, "LogTail"), "an Event tells them")

    assert (run["status"]["phase"], run["status"]["exitCode"]) == ("Failed", 3)
    assert tail == [*(f"step {number}" for number in range(6, 15)), "ValueError: no rows"]
    assert event["note"].startswith("Last lines: step 6 | ")
    assert event["note"].endswith("| ValueError: no rows")
    assert (event["regarding"]["kind"], event["regarding"]["name"]) == ("BackgroundTaskRun", "failing-1")
    assert "NonZeroExitCode" in world.kubectl("describe", "bgtr", "failing-1").rpartition("Events:")[2]
    assert operator.process.poll() is None


def _offer(world: World, **spec: Any) -> None:
    world.kubectl("patch", "bglt", "default", "--type=merge", "-p", json.dumps({"spec": spec}))


def _run(world: World, name: str) -> dict[str, Any]:
    return world.get("bgtr", name) or {"status": {}}


def _ran(world: World, task: str, name: str) -> dict[str, Any]:
    """Ask for a run; the run at its end."""
    body = {
        "apiVersion": "bgtask.dev/v1alpha1",
        "kind": "BackgroundTaskRun",
        "metadata": {"name": name},
        "spec": {"task": task},
    }
    world.kubectl("create", "-f", "-", stdin=body)
    return eventually(lambda: (run := _run(world, name))["status"].get("completionTime") and run, f"{name} ends")


def _ended_slots(world: World, task: str) -> list[dict[str, Any]]:
    runs = (one for one in world.runs(task) if one["spec"].get("scheduledTime"))
    return [one for one in runs if one.get("status", {}).get("completionTime")]


def _ecs_task(world: World, run: dict[str, Any]) -> dict[str, Any]:
    arn = run["status"]["taskArn"]
    found = world.aws.client("ecs").describe_tasks(cluster=arn.split("/")[1], tasks=[arn])["tasks"]
    return dict(found[0])


def _definition(world: World, task: str) -> dict[str, Any]:
    arn = world.status(task)["taskDefinitionArn"]
    return dict(world.aws.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"])


def _output(world: World, run: dict[str, Any]) -> list[str]:
    logs = run["status"]["logs"]
    answer = world.aws.client("logs").get_log_events(logGroupName=logs["group"], logStreamName=logs["stream"])
    return [event["message"] for event in answer["events"]]


def _state(world: World, task: str) -> str:
    name = next(one for one in world.schedules() if one.endswith(f"-default-{task}"))
    return str(world.aws.client("scheduler").get_schedule(GroupName=f"bgt-{INSTALLATION}", Name=name)["State"])


def _event(world: World, reason: str) -> dict[str, Any] | None:
    events = json.loads(world.kubectl("get", "events.events.k8s.io", "-o", "json"))["items"]
    return next((one for one in events if one["reason"] == reason), None)
