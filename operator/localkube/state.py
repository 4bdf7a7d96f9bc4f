"""What a folder remembers of the cluster in it, so that another process can find, judge and end it.

Knows the state file and which files of the folder are ours; starts nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from localkube import programs
from localkube.errors import LocalkubeError
from localkube.process import ProcessId

KUBECONFIG = "kubeconfig"
KUBECONFIGS = "kubeconfigs"
LOCK = "localkube.lock"
STATE = "localkube.json"

Health = Literal["running", "degraded", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A cluster that was started in a folder: where it answers and which processes it consists of."""

    server: str
    kubeconfig: Path
    kubectl: Path
    components: Mapping[str, ProcessId]
    """By name, in the order in which they were started."""

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        content = {
            "server": self.server,
            "kubeconfig": str(self.kubeconfig),
            "kubectl": str(self.kubectl),
            "components": {
                name: {"pid": process.pid, "started": process.started} for name, process in self.components.items()
            },
        }
        fresh = folder / f"{STATE}.new"
        fresh.write_text(json.dumps(content, indent=2) + "\n")
        fresh.replace(folder / STATE)

    @classmethod
    def load(cls, folder: Path) -> State | None:
        """The state of a folder; None if no cluster was started in it, or it was stopped."""
        path = folder / STATE
        try:
            content = json.loads(path.read_text())
            components = {name: ProcessId(**process) for name, process in content["components"].items()}
            return cls(
                server=content["server"],
                kubeconfig=Path(content["kubeconfig"]),
                kubectl=Path(content["kubectl"]),
                components=components,
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LocalkubeError(f"{path} is no state file of localkube: remove it, or give another folder") from error

    @property
    def alive(self) -> list[str]:
        """The names of the components that run."""
        return [name for name, process in self.components.items() if process.alive()]

    @property
    def health(self) -> Health:
        """Whether all, some or none of the components run."""
        running = len(self.alive)
        if running == len(self.components):
            return "running"
        return "degraded" if running else "stopped"

    @property
    def env(self) -> dict[str, str]:
        """What to set in an environment to use the cluster with kubectl; PATH as it is now, kubectl first."""
        ours = str(self.kubectl.parent)
        others = [path for path in os.environ.get("PATH", os.defpath).split(os.pathsep) if path != ours]
        return {"KUBECONFIG": str(self.kubeconfig), "PATH": os.pathsep.join([ours, *others])}


def claim(folder: Path) -> TextIO:
    """Have a folder that no other cluster uses, for as long as the returned file is open.

    Raises:
        LocalkubeError: one uses it, or it cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise LocalkubeError(f"{folder} cannot be written ({error.strerror}): give another folder") from error
    with contextlib.ExitStack() as undo:
        undo.callback(lock.close)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalkubeError(f"another cluster uses {folder}: stop it, or give another folder") from None
        _refuse_running(folder)
        undo.pop_all()
    return lock


def _refuse_running(folder: Path) -> None:
    state = State.load(folder)
    if state is not None and state.alive:
        raise LocalkubeError(
            f"a cluster runs in {folder} ({', '.join(state.alive)}): "
            f"end it with `localkube down --dir {folder}`, or give another folder"
        )


def status(folder: Path) -> dict[str, Any]:
    """The cluster of a folder as JSON: `state` ("running", "degraded", "stopped"), and unless stopped, where it is."""
    state = State.load(folder)
    if state is None or not state.alive:
        return {"dir": str(folder), "state": "stopped"}
    alive = state.alive
    return {
        "dir": str(folder),
        "state": state.health,
        "server": state.server,
        "kubeconfig": str(state.kubeconfig),
        "kubectl": str(state.kubectl),
        "components": {
            name: {"pid": process.pid, "running": name in alive, "log": str(folder / f"{name}.log")}
            for name, process in state.components.items()
        },
    }


def down(folder: Path, *, purge: bool = False) -> list[str]:
    """End the cluster of a folder, and with `purge` remove its files; the names of what was still running.

    Ending what is not there is fine. Only files that localkube made are removed, and the folder only if then empty.
    """
    state = State.load(folder)
    ended = state.alive if state else []
    if state is not None:
        for process in reversed(list(state.components.values())):
            process.end()
        (folder / STATE).unlink(missing_ok=True)
    if purge and folder.is_dir():
        _purge(folder)
    return ended


def _purge(folder: Path) -> None:
    for pattern in (
        *(programs.PKI, programs.ETCD_DATA, *programs.ETCD_SOCKETS, KUBECONFIGS),
        *(KUBECONFIG, ".kube", programs.CONTROLLER_MANAGER_KUBECONFIG, programs.AUDIT_POLICY, STATE, LOCK),
        *("audit*.log", "etcd.log", "kube-apiserver.log", "kube-controller-manager.log"),
    ):
        for path in folder.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
                continue
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()
