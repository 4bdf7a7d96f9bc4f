"""Builds the pinned Kubernetes once into a cache that all processes of the user share.

A program is in the cache whole or not at all: it is linked beside its place and renamed into it. One lock for the cache
lets one process build while the others wait and then find what they need. What an interrupted build finished stays, so
the next one goes on from there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from localkube import golang, pin
from localkube.errors import LocalkubeError
from localkube.progress import Progress, elapsed

_TAIL_LINES = 20


def cache_root() -> Path:
    """`$XDG_CACHE_HOME/bgtask`, by default `~/.cache/bgtask` (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bgtask"


def cached(names: Sequence[str], progress: Progress) -> dict[str, Path]:
    """The paths of programs, built first where the cache does not have them: minutes the first time, then nothing.

    Raises:
        LocalkubeError: no Go could be had, or the build failed.
    """
    go_mod = (pin.MODULE / "go.mod").read_text()
    goos, goarch = pin.target()
    folder = cache_root() / pin.cache_key(go_mod, (pin.MODULE / "go.sum").read_text(), goos, goarch)
    paths = {name: folder / name for name in names}
    if not all(path.exists() for path in paths.values()):
        _make_folder(folder)
        with _lock(cache_root() / "kubernetes.lock", progress):
            missing = {name: path for name, path in paths.items() if not path.exists()}
            if missing:
                _build(missing, go_mod, progress)
    return paths


@dataclass(frozen=True, slots=True)
class _Builder:
    """One Go with the environment and flags of this build."""

    toolchain: golang.Toolchain
    env: dict[str, str]
    flags: list[str]
    progress: Progress

    def total(self, package: str) -> int:
        """How many packages a program consists of; fetches the modules that hold them."""
        count = 0
        for line in self._run(["list", "-deps", "-f", "package", package]):
            if line == "package":
                count += 1
            else:
                self.progress.moving(f"fetching: {line}")
        return count

    def build(self, package: str, output: Path, title: str) -> None:
        """Compile and link one program."""
        started = time.monotonic()
        total = self.total(package)
        compiled = 0
        for line in self._run(["build", "-v", *self.flags, "-o", str(output), package]):
            compiled += not line.startswith("go: ")
            self.progress.moving(f"{title}: {compiled} of {total} packages, {elapsed(time.monotonic() - started)}")

    def _run(self, arguments: list[str]) -> Iterator[str]:
        """The lines that Go prints while it works, of both its streams; raises if it fails."""
        process = subprocess.Popen(
            [self.toolchain.go, *arguments],
            cwd=pin.MODULE,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # so that its compilers can be ended with it
        )
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        with process, _ended(process):
            assert process.stdout is not None  # noqa: S101 - says to mypy what PIPE means
            for line in process.stdout:
                tail.append(line.rstrip())
                yield tail[-1]
            code = process.wait()
        if code != 0:
            shown = "\n".join(line for line in tail if line != "package")
            raise LocalkubeError(f"go {arguments[0]} {arguments[-1]} failed with exit code {code}:\n{shown}")


def _build(missing: dict[str, Path], go_mod: str, progress: Progress) -> None:
    version = pin.kubernetes_version(go_mod)
    goos, goarch = pin.target()
    toolchain = golang.find(pin.required_go(go_mod), cache_root(), progress.note)
    builder = _Builder(toolchain, toolchain.environment(goos, goarch), pin.build_flags(version), progress)
    started = time.monotonic()
    progress.note(f"building Kubernetes {version} once ({', '.join(missing)}): 5 to 8 minutes on two cores")
    for number, (name, path) in enumerate(missing.items(), start=1):
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".building-") as scratch:
            linked = Path(scratch) / name
            builder.build(pin.PACKAGES[name], linked, f"{name} ({number} of {len(missing)})")
            linked.rename(path)
        progress.note(f"{name} built in {elapsed(time.monotonic() - began)}")
    if toolchain.disposable is not None:
        shutil.rmtree(toolchain.disposable, ignore_errors=True)
    progress.note(f"Kubernetes {version} built in {elapsed(time.monotonic() - started)}")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalkubeError(f"the cache {folder} cannot be written ({error.strerror}): set XDG_CACHE_HOME") from error


@contextlib.contextmanager
def _lock(path: Path, progress: Progress) -> Iterator[None]:
    """Hold the cache alone; the kernel lets go of it when this process ends, however it ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.note("another process builds Kubernetes: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        # Only the holder of the lock builds: what a killed one left behind is nobody's.
        for leftover in path.parent.glob("kubernetes-*/.building-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """Leave no compiler behind when the build is given up."""
    try:
        yield
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
