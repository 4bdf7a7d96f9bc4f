"""The command line answers in sentences."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from localkube import State
from localkube.__main__ import main
from localkube.process import ProcessId


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def running(tmp_path: Path) -> Path:
    """A folder with a cluster that consists of this very process."""
    own = ProcessId.of(os.getpid())
    assert own is not None
    State(
        server="https://127.0.0.1:4711",
        kubeconfig=tmp_path / "kube config",
        kubectl=Path("/programs/kubectl"),
        components={"etcd": own},
    ).save(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", ["build", "up", "down", "status", "env"])
def test_every_command_explains_itself(command: str) -> None:
    answer = run(command, "--help")

    assert answer.exit_code == 0
    assert len(answer.output.splitlines()) > 4


def test_a_wrong_setting_is_one_sentence_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", "/absent")

    answer = run("build")

    assert answer.exit_code == 1
    assert answer.output == "Error: KUBEBUILDER_ASSETS=/absent is no folder: correct it or unset it\n"


def test_status_of_a_stopped_cluster_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    answer = run("status", "--dir", str(tmp_path), "-o", "json")

    assert answer.exit_code == 3
    assert json.loads(answer.output) == {"dir": str(tmp_path), "state": "stopped"}


def test_status_of_a_running_cluster_shows_where_and_what(running: Path) -> None:
    answer = run("status", "--dir", str(running))

    assert answer.exit_code == 0
    assert "https://127.0.0.1:4711" in answer.output
    assert f"pid {os.getpid()}" in answer.output


def test_env_is_for_the_shell(running: Path) -> None:
    answer = run("env", "--dir", str(running))

    assert f"export KUBECONFIG='{running}/kube config'" in answer.output
    assert "export PATH=/programs:" in answer.output


def test_env_without_a_cluster_says_how_to_start_one(tmp_path: Path) -> None:
    answer = run("env", "--dir", str(tmp_path))

    assert answer.exit_code == 1
    assert "start one with `localkube up --dir" in answer.output


def test_up_leaves_a_running_cluster_alone(running: Path) -> None:
    answer = run("up", "--dir", str(running), "-o", "json")

    assert answer.exit_code == 0
    assert json.loads(answer.output)["components"]["etcd"]["pid"] == os.getpid()


def test_the_folder_may_come_from_the_environment(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALKUBE_DIR", str(running))

    assert run("status").exit_code == 0


def test_down_of_nothing_succeeds(tmp_path: Path) -> None:
    answer = run("down", "--dir", str(tmp_path))

    assert answer.exit_code == 0
    assert "No cluster runs" in answer.output
