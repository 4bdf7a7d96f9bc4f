"""`bgt next`, `bgt diff` and `bgt doctor` as programs, against a real API server, localaws and a running operator."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.world import Operator, World, eventually

CANARY = "canary-secret"
PATIENCE = 120.0  # seconds that one command may take on a busy machine
Bgt = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def operator(world: World) -> Operator:
    """The operator, with metrics of each task, and its template ready; the world ends it."""
    started = world.start_operator("--metrics-port", str(_METRICS), "--task-metrics")
    eventually(lambda: world.condition("default", kind="bglt").get("status") == "True", "the template is ready")
    return started


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_METRICS = _free_port()


@pytest.fixture
def bgt(world: World) -> Bgt:
    def call(
        *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "backgroundtask", *arguments], check=False, capture_output=True, text=True,
            input=stdin, env={**world.env, **(env or {})}, timeout=PATIENCE,
        )  # fmt: skip

    return call


def manifest(name: str, **spec: Any) -> str:
    members = {
        "image": "busybox:1", "cpu": 256, "memory": 512, "command": ["true"], "cron": "0 3 * * *",
        "env": [{"name": "TOKEN", "value": CANARY}],
    }  # fmt: skip
    kept = {key: value for key, value in {**members, **spec}.items() if value is not None}
    metadata = {"name": name, "namespace": "default"}
    return yaml.safe_dump(
        {"apiVersion": "bgtask.dev/v1alpha1", "kind": "BackgroundTask", "metadata": metadata, "spec": kept}
    )


def apply(world: World, text: str) -> None:
    world.kube.kubectl("apply", "-f", "-", stdin=text)


@pytest.mark.usefixtures("operator")
def test_diff_tells_what_an_apply_changes_and_afterwards_nothing(world: World, bgt: Bgt) -> None:
    first, second = manifest("planned"), manifest("planned", image="busybox:2", cron="0 4 * * *", env=None)
    before = world.now()
    new = bgt("diff", "-f", "-", stdin=first)
    assert (new.returncode, new.stderr) == (1, "")
    assert "+ task definition bgt_e2e_default_planned" in new.stdout
    assert world.aws_writes(before) == [], "it only looks"

    apply(world, first)
    world.ready("planned")
    same = bgt("diff", "-f", "-", stdin=first)
    changed = bgt("diff", "-f", "-", "-o", "json", stdin=second)

    assert (same.stdout, same.stderr, same.returncode) == ("default/planned: no change\n", "", 0)
    assert changed.returncode == 1
    definition, schedule = json.loads(changed.stdout)["tasks"][0]["changes"]
    told = {one["path"]: (one["before"], one["after"]) for one in definition["differences"]}
    assert told == {"image": ("busybox:1", "busybox:2"), "env.TOKEN": ("…", None)}
    assert {one["path"] for one in schedule["differences"]} == {"expression", "taskDefinition"}
    assert CANARY not in new.stdout + changed.stdout

    apply(world, second)
    world.ready("planned")
    assert bgt("diff", "-f", "-", stdin=second).returncode == 0


@pytest.mark.usefixtures("operator")
def test_diff_says_what_would_be_refused(bgt: Bgt) -> None:
    refused = bgt("diff", "-f", "-", stdin=manifest("refused", taskRole="admin"))

    assert refused.returncode == 2
    assert "TaskRoleNotOffered" in refused.stderr


@pytest.mark.usefixtures("operator")
def test_next_tells_what_aws_was_given_and_a_file_alone_needs_no_cluster(
    world: World, bgt: Bgt, tmp_path: Path
) -> None:
    text = manifest("calendar", cron="0 3 13 * FRI", timeZone="Europe/Berlin")
    file = tmp_path / "calendar.yaml"
    file.write_text(text)
    nowhere = {"KUBECONFIG": str(tmp_path / "none")}
    planned = bgt("next", "-f", str(file), "-c", "4", "-o", "json", env=nowhere)
    apply(world, text)
    world.ready("calendar")
    suspended = manifest("sleeping", suspend=True)
    apply(world, suspended)
    world.ready("sleeping")

    given = bgt("next", "calendar", "-c", "4", "-o", "json")
    everything = bgt("next", "-A")

    assert planned.returncode == given.returncode == everything.returncode == 0, planned.stderr + given.stderr
    times = [one["time"] for one in json.loads(given.stdout)["runs"]]
    assert times == [one["time"] for one in json.loads(planned.stdout)["runs"]]
    assert len(times) == 4
    assert "calendar" in everything.stdout
    assert "It is suspended" in everything.stdout


@pytest.mark.usefixtures("operator")
def test_doctor_finds_a_world_that_was_furnished_by_us_well_and_then_what_was_broken(world: World, bgt: Bgt) -> None:
    well = bgt("doctor")
    assert well.returncode == 0, well.stdout + well.stderr
    assert [line for line in well.stdout.splitlines() if not line.startswith("ok")] == []

    events, queue = world.aws.client("events"), world.template["spec"]["queues"]["events"]
    [rule] = events.list_rule_names_by_target(TargetArn=queue)["RuleNames"]
    events.disable_rule(Name=rule)
    sick = bgt("doctor", "-o", "json")
    events.enable_rule(Name=rule)

    assert sick.returncode == 1
    wrong = [one for one in json.loads(sick.stdout)["findings"] if one["level"] == "fail"]
    assert [one["message"] for one in wrong] == [f"Rule {rule} is disabled."]
    assert wrong[0]["mend"] == f"aws events enable-rule --name {rule}"


@pytest.mark.usefixtures("operator")
def test_doctor_asks_what_a_service_account_may_do(bgt: Bgt) -> None:
    told = bgt("doctor", "--service-account", "default/nobody", "-o", "json")

    found = json.loads(told.stdout)["findings"]
    lacking = [one["message"] for one in found if one["about"] == "Rights of default/nobody"]
    assert told.returncode == 1
    assert "No right to get list watch patch backgroundtasks of bgtask.dev." in lacking
    assert "No right to patch backgroundtasks/status of bgtask.dev." in lacking


@pytest.mark.usefixtures("operator")
def test_with_task_metrics_prometheus_is_told_of_each_task_until_it_is_gone(world: World) -> None:
    apply(world, manifest("measured"))
    world.ready("measured")
    series = 'bgt_task_ready{namespace="default",task="measured"} 1.0'

    def told() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{_METRICS}/metrics", timeout=30) as answer:
            return str(answer.read().decode())

    eventually(lambda: series in told(), "the task is told of")
    world.kubectl("delete", "bgt", "measured")
    eventually(lambda: 'task="measured"' not in told(), "nothing of it is left")
