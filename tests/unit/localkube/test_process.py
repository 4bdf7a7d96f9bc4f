"""Processes are known for good, and ended for sure."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localkube import Component, LocalkubeError
from localkube.process import ProcessId, Program, parse_ps, wait_until


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def identity(process: subprocess.Popen[bytes]) -> ProcessId:
    found = ProcessId.of(process.pid)
    assert found is not None
    return found


def test_a_process_is_itself_as_long_as_it_lives(sleeper: subprocess.Popen[bytes]) -> None:
    known = identity(sleeper)

    assert known.alive()
    assert ProcessId.of(sleeper.pid) == known

    sleeper.kill()
    sleeper.wait()
    assert not known.alive()


def test_a_process_that_nobody_waited_for_is_gone(sleeper: subprocess.Popen[bytes]) -> None:
    known = identity(sleeper)

    sleeper.kill()

    assert wait_until(lambda: not known.alive(), 1)


def test_a_number_that_means_another_process_now_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    ProcessId(sleeper.pid, "long ago").end()

    assert sleeper.poll() is None


def test_end_lets_a_process_finish_by_itself(sleeper: subprocess.Popen[bytes]) -> None:
    identity(sleeper).end()

    assert sleeper.wait() == -15


def test_end_kills_what_does_not_listen() -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-S", "-c", deaf], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()

        identity(process).end(grace=0.05)

        assert process.wait() == -9


@pytest.mark.parametrize(
    ("answer", "started", "why"),
    [
        ("S+   Sat Nov 21 10:26:41 2026    \n", "Sat Nov 21 10:26:41 2026", "a process sleeps"),
        ("Z    Sat Nov 21 10:26:41 2026    \n", None, "a zombie only waits for its parent"),
        ("", None, "no process has the number"),
    ],
)
def test_where_there_is_no_proc_ps_tells_when_a_process_started(answer: str, started: str | None, why: str) -> None:
    assert parse_ps(answer) == started, why


def component(tmp_path: Path, script: str, *, ready: bool) -> Component:
    program = Program(name="server", arguments=["/bin/sh", "-c", script], ready=lambda: ready)
    return Component(program, folder=tmp_path, watchdog=None, started=lambda: None)


def test_a_component_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    failing = component(tmp_path, "echo no such flag; exit 1", ready=False)

    with pytest.raises(LocalkubeError, match=r"(?s)server ended while it started.*no such flag"):
        failing.start()

    failing.stop()


def test_a_component_that_never_gets_ready_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localkube.process.READY_SECONDS", 0.05)
    stuck = component(tmp_path, "echo waiting for godot; exec sleep 60", ready=False)

    with pytest.raises(LocalkubeError, match="server is not ready after"):
        stuck.start()

    stuck.stop()
    assert not stuck.running


def test_a_component_sees_nothing_of_the_users_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com")
    printing = component(tmp_path, "env; exec sleep 60", ready=True)
    printing.start()

    assert wait_until(lambda: "PATH=" in printing.log.read_text(), 1)

    printing.kill()
    assert "PROXY" not in printing.log.read_text()


def test_a_killed_component_starts_again(tmp_path: Path) -> None:
    server = component(tmp_path, "exec sleep 60", ready=True)
    server.start()
    first = server.identity

    server.kill()
    assert not server.running
    server.start()

    assert server.running
    assert server.identity != first
    server.stop()
