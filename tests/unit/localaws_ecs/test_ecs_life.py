"""What happens to a task from RunTask to STOPPED: its states, its processes, its events."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from fixtures.ecs_world import ROLE, Ecs, awslogs, container, job
from localaws.ecs import Pace

pytestmark = pytest.mark.timeout(10)  # real processes, perhaps on a busy machine

BY_ITSELF = [
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
]


def lines(ecs: Ecs, group: str = "/bgt/reports") -> list[str]:
    return [line for stream in ecs.world.groups[group].values() for line in stream]


def logged(*command: str, **members: object) -> dict[str, object]:
    return container(*command, logConfiguration=awslogs(), **members)


def shell(script: str, **members: object) -> dict[str, object]:
    return logged("sh", "-c", script, **members)


def start(ecs: Ecs, *containers: dict[str, object], **params: object) -> dict[str, object]:
    """Run a task of these containers, whose output goes to the group /bgt/reports."""
    ecs.world.groups.setdefault("/bgt/reports", {})
    ecs.ready()
    ecs("RegisterTaskDefinition", **job(*containers, executionRoleArn=ROLE))
    return ecs.run(**params)


def test_a_task_passes_every_state_and_each_change_is_an_event_with_the_next_version(ecs: Ecs) -> None:
    task = ecs.ready().run()

    ecs.finish(task)

    assert ecs.statuses(task) == BY_ITSELF
    assert [detail["version"] for detail in ecs.details(task)] == list(range(1, 10))


def test_exit_code_zero_ends_as_essential_container_exited(ecs: Ecs) -> None:
    task = ecs.ready().run()

    ended = ecs.finish(task)

    assert (ended["stopCode"], ended["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert (ended["desiredStatus"], ended["containers"][0]["exitCode"]) == ("STOPPED", 0)


def test_an_exit_code_is_the_processes_own_and_absent_before_it_ended(ecs: Ecs) -> None:
    task = start(ecs, shell("exit 3"))

    ended = ecs.finish(task)

    codes = [detail["containers"][0].get("exitCode") for detail in ecs.details(task)]
    assert ended["containers"][0]["exitCode"] == 3
    assert codes == [None, None, None, None, 3, 3, 3, 3, 3]


def test_death_by_a_signal_is_128_and_its_number(ecs: Ecs) -> None:
    task = start(ecs, shell("kill -SEGV $$"))

    ended = ecs.finish(task)

    assert ended["containers"][0]["exitCode"] == 128 + signal.SIGSEGV


def test_timestamps_tell_the_states_in_order() -> None:
    ecs = Ecs(pace=Pace(provisioning=2, pending=3, activating=4, deactivating=5, deprovisioning=6))
    try:
        task = start(ecs, shell("trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done"))
        ecs.advance(seconds=9)
        ecs.until(lambda: lines(ecs) == ["up"])
        ecs("StopTask", cluster="main", task=task["taskArn"])
        ecs.advance(seconds=5)
        ecs.reach(task, "DEPROVISIONING")
        ecs.advance(seconds=6)

        ended = ecs.finish(task)

        begin = task["createdAt"]
        moments = ("connectivityAt", "pullStartedAt", "startedAt", "stoppingAt", "executionStoppedAt", "stoppedAt")
        assert [(ended[name] - begin).total_seconds() for name in moments] == [2, 5, 9, 9, 14, 20]
    finally:
        ecs.close()


def test_output_goes_line_by_line_to_prefix_container_task_id(ecs: Ecs) -> None:
    task = start(ecs, shell("echo one; echo two >&2; printf '\\nthree'"))

    ecs.finish(task)

    stream = f"bgt/app/{task['taskArn'].rpartition('/')[2]}"
    assert ecs.world.groups == {"/bgt/reports": {stream: ["one", "two", "three"]}}


def test_a_line_too_long_for_an_event_becomes_several(ecs: Ecs) -> None:
    task = start(ecs, shell("head -c 600000 /dev/zero | tr '\\0' x"))

    ecs.finish(task)

    assert [len(line) for line in lines(ecs)] == [262_118, 262_118, 75_764]


def test_a_line_that_does_not_end_is_written_as_soon_as_it_fills_an_event(ecs: Ecs) -> None:
    task = start(ecs, shell("head -c 300000 /dev/zero | tr '\\0' x; exec sleep 1000"))

    ecs.until(lambda: lines(ecs))

    assert [len(line) for line in lines(ecs)] == [262_118]
    assert ecs.describe(task)["lastStatus"] == "RUNNING"


def test_a_missing_log_group_stops_the_task_before_its_process(ecs: Ecs, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    ecs.ready()
    options = awslogs("/not/there")
    body = job(container("touch", str(mark), logConfiguration=options), executionRoleArn=ROLE)
    ecs("RegisterTaskDefinition", **body)
    task = ecs.run()

    ended = ecs.finish(task)

    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("ResourceInitializationError: failed to validate logger args")
    assert ecs.statuses(task) == ["PROVISIONING", "PENDING", "PENDING", "DEPROVISIONING", "STOPPED"]
    assert not mark.exists()


def test_awslogs_create_group_creates_the_group(ecs: Ecs) -> None:
    ecs.ready()
    options = awslogs("/new", **{"awslogs-create-group": "true"})
    ecs("RegisterTaskDefinition", **job(container("echo", "hi", logConfiguration=options), executionRoleArn=ROLE))

    ended = ecs.finish(ecs.run())

    assert ended["stopCode"] == "EssentialContainerExited"
    assert lines(ecs, "/new") == ["hi"]


def test_a_process_sees_the_environment_of_the_task_and_nothing_else(ecs: Ecs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "x")
    ours = shell("env", environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])
    changes = {"containerOverrides": [{"name": "app", "environment": [{"name": "B", "value": "3"}]}]}

    ecs.finish(start(ecs, ours, overrides=changes))

    seen = dict(line.split("=", 1) for line in lines(ecs))
    shells_own = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert {name: value for name, value in seen.items() if name not in shells_own} == {
        "A": "1",
        "B": "3",
        "PATH": os.environ["PATH"],
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
    }


def test_a_process_runs_in_a_folder_of_its_own_that_is_gone_afterwards(ecs: Ecs) -> None:
    task = start(ecs, shell("touch here; pwd; ls"))

    ecs.finish(task)

    folder, content = lines(ecs)
    assert content == "here"
    assert not Path(folder).exists()


COMMANDS = [
    (("echo", "a"), None, None, ["a"], "the definition's command runs"),
    (("echo", "a"), None, ("echo", "b"), ["b"], "an override replaces the command"),
    (("x", "y"), ("echo",), None, ["x y"], "the entry point stands before the command"),
    (("x",), ("echo",), ("z",), ["z"], "an override leaves the entry point alone"),
    (None, ("echo", "only"), None, ["only"], "an entry point is enough"),
    (None, None, None, ["from the image"], "without both the image says what runs"),
]


@pytest.mark.parametrize(("command", "entry_point", "override", "expected", "why"), COMMANDS)
def test_command_entry_point_override_and_image_make_the_command_line(
    ecs: Ecs, command: tuple | None, entry_point: tuple | None, override: tuple | None, expected: list[str], why: str
) -> None:
    ecs.world.images["app:1"] = ["echo", "from the image"]
    body = {"command": list(command or []), "entryPoint": list(entry_point or [])}
    changes = {"containerOverrides": [{"name": "app", "command": list(override)}]} if override else {}

    ecs.finish(start(ecs, logged() | body, overrides=changes))

    assert lines(ecs) == expected, why


def test_no_command_and_an_unknown_image_is_cannot_start_container(ecs: Ecs) -> None:
    task = start(ecs, logged() | {"command": []})

    ended = ecs.finish(task)

    assert (ended["stopCode"], ended["stoppedReason"]) == ("TaskFailedToStart", "Task failed to start")
    assert ended["containers"][0]["reason"].startswith("CannotStartContainerError: ")
    assert "app:1" in ended["containers"][0]["reason"]
    assert "exitCode" not in ended["containers"][0]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("no-such-program", 'exec: "no-such-program": executable file not found in $PATH'),
        ("/no/such/program", 'exec: "/no/such/program": stat /no/such/program: no such file or directory'),
        ("/etc/passwd", 'exec: "/etc/passwd": permission denied'),
    ],
)
def test_a_command_that_cannot_run_is_told_in_the_words_of_the_runtime(ecs: Ecs, command: str, words: str) -> None:
    task = start(ecs, logged(command))

    ended = ecs.finish(task)

    assert ended["containers"][0]["reason"].startswith("CannotStartContainerError: ")
    assert words in ended["containers"][0]["reason"]
    assert "exitCode" not in ended["containers"][0]
    assert "RUNNING" not in ecs.statuses(task)


def test_the_exit_of_an_essential_container_stops_the_others(ecs: Ecs) -> None:
    forever = shell("trap 'echo asked; exit 5' TERM; echo up; while :; do sleep 0.01; done", name="sidecar")
    waits = shell("exit 0") | {"essential": True}

    ended = ecs.finish(start(ecs, forever | {"essential": False}, waits))

    codes = {c["name"]: c["exitCode"] for c in ended["containers"]}
    assert codes["app"] == 0
    assert codes["sidecar"] in (5, 128 + signal.SIGTERM)  # it may not have set its trap yet
    assert ended["stopCode"] == "EssentialContainerExited"


def test_the_exit_of_another_container_is_an_event_and_no_more(ecs: Ecs) -> None:
    task = start(
        ecs,
        shell("trap 'exit 0' TERM; while :; do sleep 0.01; done"),
        shell("exit 7", name="sidecar", essential=False),
    )

    ecs.until(lambda: any("exitCode" in c for detail in ecs.details(task) for c in detail["containers"]))

    running = ecs.describe(task)
    by_name = {c["name"]: c for c in running["containers"]}
    assert (running["lastStatus"], running["desiredStatus"]) == ("RUNNING", "RUNNING")
    assert (by_name["sidecar"]["lastStatus"], by_name["sidecar"]["exitCode"]) == ("STOPPED", 7)
    assert by_name["app"]["lastStatus"] == "RUNNING"


def test_stop_task_asks_with_sigterm_first(ecs: Ecs) -> None:
    task = start(ecs, shell("trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.01; done"))
    ecs.until(lambda: lines(ecs) == ["up"])

    answer = ecs("StopTask", cluster="main", task=task["taskArn"], reason="cancelled")["task"]
    ended = ecs.finish(task)

    assert (answer["desiredStatus"], answer["lastStatus"]) == ("STOPPED", "RUNNING")
    assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "cancelled")
    assert ended["containers"][0]["exitCode"] == 9
    assert lines(ecs) == ["up", "bye"]


def test_stop_task_kills_what_does_not_stop_within_its_stop_timeout(ecs: Ecs) -> None:
    task = start(ecs, shell("trap '' TERM; echo up; while :; do sleep 0.01; done", stopTimeout=10))
    ecs.until(lambda: lines(ecs) == ["up"])
    ecs("StopTask", cluster="main", task=task["taskArn"])
    ecs.reach(task, "STOPPING")

    ecs.advance(seconds=9)
    before = ecs.describe(task)
    ecs.advance(seconds=1)
    ended = ecs.finish(task)

    assert before["lastStatus"] == "STOPPING"
    assert ended["containers"][0]["exitCode"] == 128 + signal.SIGKILL


@pytest.mark.parametrize(("seconds", "status"), [(0, "PROVISIONING"), (2, "PENDING"), (5, "ACTIVATING")])
def test_a_task_stopped_before_it_runs_never_runs(seconds: float, status: str, tmp_path: Path) -> None:
    ecs = Ecs(pace=Pace(provisioning=2, pending=3, activating=4, deactivating=0, deprovisioning=0))
    try:
        task = start(ecs, container("touch", str(tmp_path / "ran")))
        ecs.advance(seconds=seconds)

        stopped_in = ecs("StopTask", cluster="main", task=task["taskArn"])["task"]["lastStatus"]
        ended = ecs.finish(task)

        assert stopped_in == status
        assert ended["stopCode"] == "UserInitiated"
        assert "exitCode" not in ended["containers"][0]
        assert not (tmp_path / "ran").exists()
    finally:
        ecs.close()


def test_what_a_process_left_behind_dies_with_it(ecs: Ecs) -> None:
    task = start(ecs, shell("sleep 1000 & echo $!; exit 0"))

    ecs.finish(task)

    left = int(lines(ecs)[0])
    while _alive(left):  # killed, and nobody tells us when it is done with dying; the test's own timeout ends this
        time.sleep(0.001)


def test_a_process_that_left_the_session_and_holds_the_output_open_does_not_keep_the_task_alive(ecs: Ecs) -> None:
    task = start(ecs, shell("setsid sleep 1000 & echo $!; sleep 0.1"))

    try:
        assert ecs.finish(task)["containers"][0]["exitCode"] == 0
    finally:
        os.kill(int(lines(ecs)[0]), signal.SIGKILL)


def test_the_end_of_the_service_ends_every_process(ecs: Ecs) -> None:
    start(ecs, shell("trap '' TERM; echo $$; while :; do sleep 0.01; done"))
    ecs.until(lambda: lines(ecs))

    ecs.stop()

    assert not _alive(int(lines(ecs)[0]))


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # killed; whoever inherited it has not buried it yet


def test_an_event_is_the_task_without_tags_and_tokens_and_with_times_as_text(ecs: Ecs) -> None:
    changes = {"containerOverrides": [{"name": "app", "environment": [{"name": "BGT_TASK_UID", "value": "u"}]}]}
    task = ecs.ready().run(
        clientToken="t-1", startedBy="bgt/nightly", tags=[{"key": "k", "value": "v"}], overrides=changes
    )

    ecs.finish(task)

    event = ecs.world.events[-1]
    detail = event["detail"]
    assert event["detail-type"] == "ECS Task State Change"
    assert (event["version"], event["source"], event["account"]) == ("0", "aws.ecs", "123456789012")
    assert (event["region"], event["resources"]) == ("eu-west-1", [task["taskArn"]])
    assert event["time"] == "2026-11-02T03:00:00Z"
    assert (detail["stoppedAt"], detail["startedBy"]) == ("2026-11-02T03:00:00.000Z", "bgt/nightly")
    assert detail["group"] == "family:job"
    assert detail["overrides"]["containerOverrides"] == changes["containerOverrides"]
    assert detail["attachments"][0]["type"] == "eni"
    assert not {"tags", "clientToken", "healthStatus"} & detail.keys()


def test_the_detail_of_an_event_bears_the_version_that_describe_tasks_shows(ecs: Ecs) -> None:
    task = ecs.ready().run()

    ended = ecs.finish(task)

    assert ended["version"] == ecs.details(task)[-1]["version"]
