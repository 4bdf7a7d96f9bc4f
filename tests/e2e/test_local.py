"""`bgt local` and `bgt demo` as a user starts them: processes that come up, work together, and are gone afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import localaws
from backgroundtask.cli import remembered, stack
from fixtures.world import eventually
from localkube import Binaries
from localkube.process import ProcessId

TASK = """
apiVersion: bgtask.dev/v1alpha1
kind: BackgroundTask
metadata: {name: nightly, namespace: default}
spec: {image: "busybox:1", cpu: 256, memory: 512, command: ["true"], cron: "0 3 * * *"}
"""
KUBERNETES = {"etcd", "kube-apiserver", "kube-controller-manager"}
SECONDS = 200


@pytest.fixture
def folder(tmp_path: Path, kube_binaries: Binaries) -> Iterator[Path]:
    """Where a world may live; ended whatever the test says."""
    assert kube_binaries.kubectl.exists()  # built before any test's time runs
    place = tmp_path / "world"
    yield place
    stack.down(place, purge=True)


def test_up_twice_starts_once_and_down_leaves_no_process(folder: Path) -> None:
    first = _up(folder)
    second = _up(folder)

    assert first.keys() == {"env", "dir", "pids"}
    assert second["pids"] == first["pids"]
    assert first["pids"].keys() == {*KUBERNETES, "localaws", "operator"}
    assert _kubectl(first, "get", "bglt/default", "-o", "jsonpath={.status.conditions[0].status}") == "True"
    assert _bgt("local", "status", "--dir", str(folder)).returncode == 0
    processes = _processes(folder)

    done = _bgt("local", "down", "--dir", str(folder), "--purge")

    assert done.returncode == 0
    assert not [name for name, process in processes.items() if process.alive()]
    assert not folder.exists()
    assert _bgt("local", "status", "--dir", str(folder)).returncode == 3


def test_the_operator_can_come_later_and_makes_anew_what_a_fresh_aws_lacks(folder: Path) -> None:
    bare = _up(folder, "--no-operator")
    assert bare["pids"].keys() == {*KUBERNETES, "localaws"}
    _kubectl(bare, "apply", "-f", "-", stdin=TASK)

    whole = _up(folder)

    assert bare["pids"].items() <= whole["pids"].items()
    _kubectl(whole, "wait", "--for=condition=Ready", "bgt/nightly", "--timeout=30s")
    _bgt("local", "down", "--dir", str(folder))
    again = _up(folder)
    _eventually_scheduled(again)


def test_another_aws_is_used_where_one_is_named(folder: Path, tmp_path: Path) -> None:
    with localaws.start(log=tmp_path / "localaws.log") as aws:
        world = _up(folder, "--aws-endpoint-url", aws.url)
        _kubectl(world, "apply", "-f", "-", stdin=TASK)

        assert "localaws" not in world["pids"]
        assert world["env"]["AWS_ENDPOINT_URL"] == aws.url
        _eventually_scheduled(world)
        assert aws.client("ecs").list_clusters()["clusterArns"] != []
        assert _bgt("local", "down", "--dir", str(folder), "--purge").returncode == 0
        assert aws.control("GET", "health")

        again = _up(folder, "--aws-endpoint-url", aws.url)

        assert "operator" in again["pids"], "what the purged cluster left in that AWS is taken over"
        assert _bgt("local", "status", "--dir", str(folder)).returncode == 0


def test_a_localaws_that_runs_is_not_left_for_another_aws(folder: Path) -> None:
    _up(folder, "--no-operator")

    refused = _bgt("local", "up", "--dir", str(folder), "--aws-endpoint-url", "http://127.0.0.1:9")

    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("Error: localaws runs in")
    assert "`bgt local down`" in refused.stderr


def test_the_demo_ends_by_itself_after_a_scheduled_success_and_a_failure(folder: Path) -> None:
    done = _bgt("demo", "--once", "--dir", str(folder))

    assert done.returncode == 0, done.stderr
    for name, phase, code in (("hello", "Succeeded", 0), ("failing", "Failed", 3)):
        told = re.search(rf"^{name}: {phase}, as scheduled for (\S+)Z$((?:\n  .+)+)", done.stdout, re.MULTILINE)
        assert told, done.stdout
        facts = dict(line.strip().split(maxsplit=1) for line in told[2].replace("task ARN", "arn").splitlines() if line)
        assert facts["run"].startswith(f"{name}-")
        assert facts["arn"].startswith("arn:aws:ecs:eu-west-1:")
        assert facts["exit"] == f"code  {code}"
        assert facts["log"].startswith({"hello": "Hello, world: it is", "failing": "The disk is full."}[name])
        assert facts["next"] > f"run   {told[1]}"
    assert "export KUBECONFIG=" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert not folder.exists()


@pytest.mark.parametrize(
    ("number", "code", "why"),
    [
        (signal.SIGINT, 0, "Ctrl-C is how people end what shows until they end it"),
        (signal.SIGTERM, 143, "a supervisor ended it: 128 + 15, as shells say"),
    ],
)
def test_the_demo_ends_all_that_it_started_when_it_is_told_to(folder: Path, number: int, code: int, why: str) -> None:
    demo = subprocess.Popen(
        [*_BGT, "demo", "--dir", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert demo.stdout is not None
    assert any("ready True" in line for line in demo.stdout)
    processes = _processes(folder)
    assert processes["operator"].alive()

    demo.send_signal(number)

    assert demo.wait(60) == code, why
    assert not [name for name, process in processes.items() if process.alive()]
    assert not folder.exists()
    demo.stdout.close()


_BGT = [sys.executable, "-P", "-m", "backgroundtask"]


def _bgt(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_BGT, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=SECONDS
    )


def _up(folder: Path, *flags: str) -> dict[str, Any]:
    done = _bgt("local", "up", "--dir", str(folder), "-o", "json", *flags)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _kubectl(world: dict[str, Any], *arguments: str, stdin: str | None = None) -> str:
    env = {**os.environ, **world["env"]}
    kubectl = Path(env["PATH"].partition(os.pathsep)[0], "kubectl")
    return subprocess.run(
        [kubectl, *arguments], env=env, input=stdin, capture_output=True, text=True, check=True, timeout=60
    ).stdout


def _processes(folder: Path) -> dict[str, ProcessId]:
    known = remembered.load(folder)
    return dict(known.processes) if known else {}


def _eventually_scheduled(world: dict[str, Any]) -> None:
    scheduler = localaws.Running(
        url=world["env"]["AWS_ENDPOINT_URL"], pid=0, account="123456789012", region="eu-west-1"
    ).client("scheduler")
    eventually(lambda: scheduler.list_schedules(GroupName="bgt-local")["Schedules"], "AWS holds the schedule")
