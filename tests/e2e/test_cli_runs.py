"""The commands for runs as a person types them: processes that talk to a real API server and to localaws."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from backgroundtask.api.names import TRIGGER_LABEL
from fixtures.world import Operator, World, eventually

SECONDS = 120
CANARY = "canary-secret"
GATE = "gate"


def bgt(world: World, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_BGT, *arguments],
        env={**world.env, **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=SECONDS,
    )  # fmt: skip


@contextmanager
def started(world: World, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on while the test does something; killed on leaving if it has not ended."""
    process = subprocess.Popen(
        [*_BGT, *arguments],
        env=world.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def waiting_for(gate: Path) -> list[str]:
    return ["sh", "-c", f"echo waiting; while [ ! -e {gate} ]; do sleep 0.1; done; echo through"]


def test_run_exits_as_the_container_did_with_its_words_and_variables(world: World, operator: Operator) -> None:
    world.apply("asked", cron=None, command=["false"], env=[{"name": "WHO", "value": "nobody"}])
    world.ready("asked")

    done = bgt(
        world, "run", "asked", "--logs", "--timeout", "100s", "--env", f"TOKEN={CANARY}", "--env", "WHO=emea",
        "--", "sh", "-c", "echo for $WHO; echo ${#TOKEN}; exit 7",
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (7, f"for emea\n{len(CANARY)}\n"), done.stderr
    assert CANARY not in done.stderr
    [run] = world.runs("asked")
    name = run["metadata"]["name"]
    assert run["metadata"]["labels"][TRIGGER_LABEL] == "manual"
    assert (run["status"]["phase"], run["status"]["exitCode"]) == ("Failed", 7)
    assert f"{name}: Failed (NonZeroExitCode)" in done.stderr
    assert bgt(world, "wait", name).returncode == 7
    assert operator.process.poll() is None


def test_run_is_0_for_success_only_and_rerun_does_the_same_again(world: World, operator: Operator) -> None:
    world.apply("again", cron=None, command=["false"])
    world.ready("again")

    done = bgt(world, "run", "again", "--wait", "--timeout", "100s", "--", "sh", "-c", "echo once more")
    name = done.stdout.strip()
    anew = bgt(world, "rerun", name, "--logs", "--timeout", "100s")

    assert (done.returncode, anew.returncode) == (0, 0), done.stderr + anew.stderr
    assert anew.stdout == "once more\n"
    first, second = sorted(world.runs("again"), key=lambda run: run["metadata"]["creationTimestamp"])
    assert first["metadata"]["name"] != second["metadata"]["name"]
    assert first["spec"] == second["spec"]
    assert bgt(world, "logs", name).stdout == "once more\n"
    told = bgt(world, "history", "again").stdout
    assert [line.split()[:4] for line in told.splitlines()[1:]] == [
        [run["metadata"]["name"], "manual", "Succeeded", "0"] for run in _newest_first(first, second)
    ]
    assert operator.process.poll() is None


def test_lines_are_shown_while_the_container_runs_and_patience_ends_without_it(
    world: World, operator: Operator, tmp_path: Path
) -> None:
    world.apply("slow", cron=None, command=waiting_for(tmp_path / GATE))
    world.ready("slow")
    with started(world, "run", "slow", "--logs") as shown:
        assert shown.stdout is not None
        assert shown.stdout.readline() == "waiting\n"
        [run] = world.runs("slow")
        name = run["metadata"]["name"]

        impatient = bgt(world, "wait", name, "--timeout", "1s")
        assert impatient.returncode == 124, impatient.stderr
        assert "goes on" in impatient.stderr
        (tmp_path / GATE).touch()

        rest, _ = shown.communicate(timeout=SECONDS)
        assert (shown.returncode, rest) == (0, "through\n")
    assert operator.process.poll() is None


def test_cancel_stops_the_container(world: World, operator: Operator, tmp_path: Path) -> None:
    world.apply("endless", cron=None, command=waiting_for(tmp_path / GATE), terminationGracePeriodSeconds=2)
    world.ready("endless")
    name = bgt(world, "run", "endless").stdout.strip()
    eventually(lambda: world.status(name, "bgtr").get("phase") == "Running", "it runs")

    done = bgt(world, "cancel", name)

    assert (done.returncode, done.stdout) == (0, f"{name} is being cancelled\n"), done.stderr
    assert bgt(world, "wait", name, "--timeout", "100s").returncode != 0
    assert world.status(name, "bgtr")["phase"] == "Cancelled"
    assert operator.process.poll() is None


def test_items_run_one_after_the_other(world: World, operator: Operator) -> None:
    world.apply("each", cron=None, command=["sh", "-c", "echo for $BGT_ITEM"], forEach=["emea", "apac"])
    world.ready("each")

    done = bgt(world, "run", "each", "--logs", "--timeout", "110s")

    assert (done.returncode, done.stdout) == (0, "for emea\nfor apac\n"), done.stderr
    first, second = sorted(world.runs("each"), key=lambda run: run["metadata"]["name"])
    assert first["status"]["completionTime"] <= second["status"]["startTime"]
    assert operator.process.poll() is None


def test_a_run_that_the_template_does_not_allow_fails_with_its_reason_and_no_container(
    world: World, operator: Operator
) -> None:
    world.apply("greedy", cron=None)
    world.ready("greedy")

    done = bgt(world, "run", "greedy", "--wait", "--timeout", "100s", "--task-role", "admin")

    assert done.returncode == 1, done.stderr
    assert "Failed (TaskRoleNotOffered)" in done.stderr
    assert bgt(world, "logs", done.stdout.strip()).stderr.endswith("no container was started for it (Failed)\n")
    assert operator.process.poll() is None


def test_the_exit_code_is_known_though_no_run_is_kept(world: World, operator: Operator) -> None:
    world.apply("fleeting", cron=None, command=["sh", "-c", "exit 5"], failedRunsHistoryLimit=0)
    world.ready("fleeting")

    done = bgt(world, "run", "fleeting", "--wait", "--timeout", "100s")

    assert done.returncode == 5, done.stderr
    eventually(lambda: world.runs("fleeting") == [], "its run is pruned")
    assert operator.process.poll() is None


def test_a_task_from_its_schedule_to_what_the_commands_tell_of_it(world: World, operator: Operator) -> None:
    cron = world.soon()
    world.apply("told", cron=cron, command=["sh", "-c", "echo The disk is full.; exit 3"])
    world.ready("told")
    world.next_slot()
    eventually(lambda: world.status("told").get("lastRun"), "its run has ended")
    suspended = bgt(world, "suspend", "told")
    eventually(lambda: world.condition("told", "Scheduled").get("reason") == "Suspended", "it is suspended")

    status, table = bgt(world, "status", "told").stdout, bgt(world, "status", "-A").stdout
    lines = bgt(world, "logs", "told")
    resumed = bgt(world, "resume", "told")

    [run] = world.runs("told")
    assert (suspended.stdout, resumed.stdout) == ("told suspended\n", "told resumed\n")
    assert f"{run['metadata']['name']} Failed (NonZeroExitCode), exit code 3" in status
    assert f"{cron} UTC suspended" in status
    assert any(line.split()[:3] == ["default", "told", "True"] for line in table.splitlines())
    assert lines.stdout == "The disk is full.\n", lines.stderr
    assert "\x1b" not in status + table
    body = world.get("bgt", "told")
    assert body is not None
    assert body["spec"]["suspend"] is False
    assert operator.process.poll() is None


def test_a_dry_run_is_judged_by_the_api_server_and_its_yaml_can_be_created(world: World) -> None:
    world.apply("dry", cron=None)

    done = bgt(world, "run", "dry", "--dry-run", "--cpu", "512", "--memory", "1024", "--", "echo", "later")
    listed = world.runs("dry")
    created = world.kubectl("create", "-f", "-", "-o", "json", stdin=yaml.safe_load(done.stdout))

    assert (done.returncode, done.stderr) == (0, "")
    assert listed == []
    spec = json.loads(created)["spec"]
    assert spec["overrides"] == {"command": ["echo", "later"], "cpu": 512, "memory": 1024}
    left_out = bgt(world, "run", "dry", "--dry-run", "--env", f"TOKEN={CANARY}")
    assert CANARY not in left_out.stdout + left_out.stderr
    assert "fill in TOKEN" in left_out.stderr


def test_who_may_not_is_told_what_to_ask_for(world: World) -> None:
    world.apply("foreign", cron=None)
    stranger = str(world.kube.kubeconfig_for("ann"))

    refusals = {
        command: bgt(world, *command, "--kubeconfig", stranger)
        for command in (("run", "foreign"), ("status",), ("suspend", "foreign"))
    }

    for done in refusals.values():
        assert done.returncode == 1
        assert done.stderr.startswith("Error: You may not ")
        assert "kubectl auth can-i" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_kubectl_finds_it_as_a_plugin_and_a_shell_completes_names(world: World, tmp_path: Path) -> None:
    world.apply("complete-me", cron=None)
    plugin = tmp_path / "kubectl-bgtask"
    plugin.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{_MAIN.format(path=plugin)}' \"$@\"\n")
    plugin.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{world.kube.env['PATH']}"
    kubectl = shutil.which("kubectl", path=path)
    assert kubectl is not None

    told = subprocess.run(
        [kubectl, "bgtask", "run", "-h"],
        env={**world.env, "PATH": path}, capture_output=True, text=True, check=True, timeout=SECONDS,
    )  # fmt: skip
    words = bgt(world, _BGT_COMPLETE="bash_complete", COMP_WORDS="bgt run complete-", COMP_CWORD="2")

    assert told.stdout.startswith("Usage: kubectl bgtask run [OPTIONS] TASK [-- COMMAND...]")
    assert words.stdout == "plain,complete-me\n", words.stderr


_BGT = [sys.executable, "-P", "-m", "backgroundtask"]
_MAIN = 'import sys; sys.argv[0] = "{path}"; from backgroundtask.cli.main import main; main()'


def _newest_first(first: dict[str, Any], second: dict[str, Any]) -> list[dict[str, Any]]:
    """As the table has them: by the second they were made in, and by name within it."""
    return sorted(
        (first, second), key=lambda run: (run["metadata"]["creationTimestamp"], run["metadata"]["name"]), reverse=True
    )
