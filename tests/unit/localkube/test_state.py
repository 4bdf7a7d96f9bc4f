"""What a folder remembers of its cluster."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from localkube import LocalkubeError, State, down, status
from localkube.process import ProcessId
from localkube.state import claim


def own() -> ProcessId:
    found = ProcessId.of(os.getpid())
    assert found is not None
    return found


def state(**components: ProcessId) -> State:
    return State(
        server="https://127.0.0.1:4711",
        kubeconfig=Path("/kube/kubeconfig"),
        kubectl=Path("/programs/kubectl"),
        components=components,
    )


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = state(etcd=own())

    written.save(tmp_path)

    assert State.load(tmp_path) == written
    assert [path.name for path in tmp_path.iterdir()] == ["localkube.json"]


def test_a_folder_without_a_state_is_stopped(tmp_path: Path) -> None:
    assert State.load(tmp_path) is None
    assert status(tmp_path) == {"dir": str(tmp_path), "state": "stopped"}


@pytest.mark.parametrize("content", ["", "[]", '{"server": 1}', '{"components": {"etcd": 7}}'])
def test_a_file_of_someone_else_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "localkube.json").write_text(content)

    with pytest.raises(LocalkubeError, match=r"localkube\.json is no state file of localkube"):
        State.load(tmp_path)


def test_a_process_that_took_over_a_number_is_not_the_component() -> None:
    assert state(etcd=own()).alive == ["etcd"]
    assert state(etcd=ProcessId(os.getpid(), "before the last boot")).alive == []


@pytest.mark.parametrize(
    ("started", "health", "why"),
    [
        ((True, True), "running", "all live"),
        ((True, False), "degraded", "one is gone"),
        ((False, False), "stopped", "all are gone"),
    ],
)
def test_health_counts_what_lives(started: tuple[bool, bool], health: str, why: str) -> None:
    living, gone = own(), ProcessId(os.getpid(), "long ago")
    first, second = (living if lives else gone for lives in started)

    assert state(etcd=first, apiserver=second).health == health, why


def test_status_names_pids_and_logs(tmp_path: Path) -> None:
    state(etcd=own()).save(tmp_path)

    found = status(tmp_path)

    assert found["state"] == "running"
    assert found["components"]["etcd"] == {
        "pid": os.getpid(),
        "running": True,
        "log": str(tmp_path / "etcd.log"),
    }
    assert json.loads(json.dumps(found)) == found


def test_the_environment_puts_the_fitting_kubectl_first_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/programs:/bin")

    assert state().env == {"KUBECONFIG": "/kube/kubeconfig", "PATH": "/programs:/usr/bin:/bin"}


def test_down_of_nothing_is_fine(tmp_path: Path) -> None:
    assert down(tmp_path / "absent", purge=True) == []


def test_purge_removes_what_localkube_made_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "etcd").mkdir()
    (tmp_path / "etcd" / "data").touch()
    (tmp_path / "audit-2026-11-21T10-00-00.000.log").touch()
    (tmp_path / "kubeconfig").touch()
    (tmp_path / "notes.txt").touch()

    down(tmp_path, purge=True)

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_purge_removes_a_folder_that_is_then_empty(tmp_path: Path) -> None:
    folder = tmp_path / "kube"
    folder.mkdir()
    (folder / "kubeconfig").touch()

    down(folder, purge=True)

    assert not folder.exists()


def test_a_folder_is_claimed_by_one_cluster_at_a_time(tmp_path: Path) -> None:
    with claim(tmp_path), pytest.raises(LocalkubeError, match="another cluster uses"):
        claim(tmp_path)

    claim(tmp_path).close()


def test_a_folder_whose_cluster_lives_is_not_claimed(tmp_path: Path) -> None:
    state(etcd=own()).save(tmp_path)

    with pytest.raises(LocalkubeError, match=r"a cluster runs in .* \(etcd\): end it with `localkube down --dir"):
        claim(tmp_path)


def test_a_folder_that_cannot_be_is_answered(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(LocalkubeError, match="give another folder"):
        claim(tmp_path / "file" / "kube")
