"""Processes: which one a number means, how one is ended, how one runs until it is ready, and who ends it if we die.

Knows nothing of Kubernetes. Linux tells of processes in /proc; elsewhere `ps` does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from localkube.errors import LocalkubeError

GRACE_SECONDS = 10.0
"""How long a process may take to end by itself before it is killed."""

READY_SECONDS = 60.0
"""How long a program may take to become ready: it needs two seconds, a busy machine many more."""

_POLL_SECONDS = 0.02
_PROC = Path("/proc")
_STATE, _STARTTIME = 0, 19  # fields 3 and 22 of proc_pid_stat(5), counted after the name
_ZOMBIE = "Z"


_GARBAGE = "300"
"""The growth of the heap, in per cent, after which Go collects garbage (Go, package runtime, GOGC). At Go's own 100 an
API server under load spends a fifth of its time on that, and here it has more memory than processors."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process for good: its number, and when it started, since numbers are used again."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The process that has this number now; None if there is none, or it only waits for its parent to notice."""
        started = _linux_start(pid) if _PROC.joinpath("self").exists() else _ps_start(pid)
        return None if started is None else cls(pid, started)

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return ProcessId.of(self.pid) == self

    def end(self, grace: float = GRACE_SECONDS) -> None:
        """Ask it to end, kill it after `grace` seconds, and return when it is gone; a process that is gone is fine."""
        for sign, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, GRACE_SECONDS)):
            if not self.alive():
                return
            os.kill(self.pid, sign)
            if wait_until(lambda: not self.alive(), seconds):
                return


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether a condition came true within a time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


class Watchdog:
    """Ends a process group when this process dies, however it dies (see watchdog.py)."""

    def __init__(self, folder: Path | None) -> None:
        """Start watching; `folder`, if given, is removed with the group."""
        program = Path(__file__).with_name("watchdog.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", program, *([folder] if folder else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )

    @property
    def group(self) -> int:
        """The process group to start processes in."""
        return self._process.pid

    def dismiss(self) -> None:
        """Watch no longer; the group is left as it is."""
        self._process.kill()
        self._process.communicate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a component runs."""

    name: str
    arguments: Sequence[str | Path]
    ready: Callable[[], bool]
    """Whether it does its work by now; may take a moment, may not raise."""


class Component:
    """One program of a cluster: started until it is ready, stopped, killed and started again."""

    def __init__(
        self, program: Program, *, folder: Path, watchdog: Watchdog | None, started: Callable[[], None]
    ) -> None:
        """Describe it; without a watchdog it outlives this process. `started` is told of every new process."""
        self.name = program.name
        self.log = folder / f"{program.name}.log"
        self._program = program
        self._folder = folder
        self._watchdog = watchdog
        self._started = started
        self._process: subprocess.Popen[bytes] | None = None
        self._identity: ProcessId | None = None

    @property
    def identity(self) -> ProcessId | None:
        """The process, if one was started."""
        return self._identity

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._identity is not None and self._identity.alive()

    def start(self) -> None:
        """Start it, and return when it is ready.

        Raises:
            LocalkubeError: it ended instead, or is not ready in time; with the end of its log.
        """
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Start it without waiting."""
        if self.running:
            raise LocalkubeError(f"{self.name} already runs: stop or kill it first")
        try:
            self._process = self._spawn()
        except OSError as error:
            raise LocalkubeError(
                f"{self._program.arguments[0]} cannot be run ({error.strerror}): is it there, and for this machine?"
            ) from error
        self._identity = ProcessId.of(self._process.pid)
        self._started()

    def await_ready(self) -> None:
        """Return when it is ready, or raise as `start` does."""
        settled = wait_until(lambda: not self.running or self._program.ready(), READY_SECONDS)
        if settled and self.running:
            return
        what = f"is not ready after {READY_SECONDS:.0f} s" if self.running else "ended while it started"
        raise LocalkubeError(f"{self.name} {what}; the end of its log:\n{self._tail()}")

    def stop(self) -> None:
        """End it in its own time, or kill it when that takes too long."""
        if self._identity is not None:
            self._identity.end()
        self._reap()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        self._reap()

    def let_go(self) -> None:
        """Forget the process without ending it: it goes on after this one."""
        if self._process is not None:
            # subprocess has no way to part from a living child but to believe that it ended.
            self._process.returncode = 0

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self._program.arguments,
                cwd=self._folder,
                # Not ours: a proxy or a Go setting of the user must not change what the cluster does.
                env={"PATH": os.defpath, "HOME": str(self._folder), "GOGC": _GARBAGE},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=self._watchdog is None,
                process_group=None if self._watchdog is None else self._watchdog.group,
            )

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None
        self._identity = None

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])


def _linux_start(pid: int) -> str | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name is in parentheses and may hold anything, parentheses included.
    fields = stat[stat.rindex(")") + 2 :].split()
    if fields[_STATE] == _ZOMBIE:
        return None
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{fields[_STARTTIME]}"


def _ps_start(pid: int) -> str | None:
    answer = subprocess.run(
        ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)],
        env={"LC_ALL": "C", "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    return parse_ps(answer.stdout)


def parse_ps(answer: str) -> str | None:
    """When a process started, in what `ps -o stat= -o lstart=` says; None of a zombie, or of no process."""
    state, _, started = answer.strip().partition(" ")
    return None if not started or state.startswith(_ZOMBIE) else started.strip()
