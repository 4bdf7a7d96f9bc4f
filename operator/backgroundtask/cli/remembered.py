"""What `bgt local` remembers of a world in a folder: how to use it, what was asked for, which processes it is.

Knows the file and the processes; starts nothing.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from backgroundtask.errors import Blocked
from localkube.process import ProcessId

KUBERNETES = ("etcd", "kube-apiserver", "kube-controller-manager")
OPERATOR, LOCALAWS = "operator", "localaws"
STATE = "bgt-local.json"

_GRACE_SECONDS = 25.0  # the operator needs 20 at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The world in a folder: the environment to use it, its processes by name, and the names of those asked for."""

    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)
    processes: Mapping[str, ProcessId] = field(default_factory=dict)
    asked: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What `-o json` prints: `env`, `dir`, `pids`."""
        pids = {name: process.pid for name, process in self.processes.items() if process.alive()}
        return {"env": dict(self.env), "dir": str(self.folder), "pids": pids}

    def runs(self, name: str) -> bool:
        """Whether the process of that name lives."""
        return name in self.processes and self.processes[name].alive()

    def whole(self) -> bool:
        """Whether something was asked for, and all of that runs; what an earlier start asked for does not matter."""
        return bool(self.asked) and all(map(self.runs, self.asked))

    def end(self, name: str) -> None:
        """End the process of that name; one that does not run is fine."""
        if self.runs(name):
            self.processes[name].end(_GRACE_SECONDS)

    def log(self, name: str) -> Path:
        """The file that a process of ours writes to."""
        return self.folder / f"{name}.log"

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl in this world and return what it prints.

        Raises:
            Blocked: it failed; with what it says.
        """
        program = Path(self.env["PATH"].split(os.pathsep)[0]) / "kubectl"
        done = subprocess.run(
            [program, *arguments], input=stdin, capture_output=True, text=True, check=False, env=dict(self.env)
        )
        if done.returncode:
            raise Blocked("KubectlFailed", f"kubectl {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def with_(self, *, env: Mapping[str, str] | None = None, processes: Mapping[str, ProcessId] | None = None) -> Self:
        """This world with more in it, remembered from now on."""
        grown = replace(self, env={**self.env, **(env or {})}, processes={**self.processes, **(processes or {})})
        grown.save()
        return grown

    def asking(self, *, operator: bool, own_aws: bool) -> Self:
        """This world with what it is to consist of, remembered before any of it is started."""
        others = {OPERATOR: operator, LOCALAWS: own_aws}
        asked = replace(self, asked=(*KUBERNETES, *(name for name, wanted in others.items() if wanted)))
        asked.save()
        return asked

    def save(self) -> None:
        """Remember it, whole or not at all."""
        processes = {name: {"pid": one.pid, "started": one.started} for name, one in self.processes.items()}
        fresh = self.folder / f"{STATE}.new"
        fresh.touch(mode=0o600)  # it holds credentials
        fresh.write_text(json.dumps({"env": dict(self.env), "processes": processes, "asked": self.asked}, indent=2))
        fresh.replace(self.folder / STATE)


def load(folder: Path) -> Stack | None:
    """The world that was started in a folder; None where there is none. Blocked (NotOurs) if it cannot be read."""
    try:
        content = json.loads((folder / STATE).read_text())
        processes = {name: ProcessId(**one) for name, one in content["processes"].items()}
        asked = tuple(content.get("asked", processes))
        return Stack(folder=folder, env=dict(content["env"]), processes=processes, asked=asked)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise Blocked("NotOurs", f"{folder / STATE} cannot be read: remove it, or give another --dir.") from e
