"""The world on a laptop: a real API server, an AWS, the operator, each a process that outlives the command.

What was started is remembered in a folder, so that another `bgt` finds and ends it. Starting twice is fine: what runs
is left alone, what does not is started, and data of earlier starts is still there.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backgroundtask.api.crds import crd_files
from backgroundtask.cli.provision import provision
from backgroundtask.errors import Blocked
from localkube import Cluster, Console, LocalkubeError, ensure_binaries
from localkube import State as KubeState
from localkube import down as kube_down
from localkube.process import ProcessId, wait_until

INSTALLATION = "local"
LOG_GROUP = f"/bgt/{INSTALLATION}"

_READY_SECONDS = 60.0
_STATE = "bgt-local.json"
Say = Callable[[str], None]


def default_folder() -> Path:
    """Where the world lives unless told otherwise: `$XDG_STATE_HOME/bgtask/local`, or below `~/.local/state`."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return Path(home) / "bgtask" / "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The world in a folder: the environment to use it, and its processes by name."""

    folder: Path
    env: Mapping[str, str]
    processes: Mapping[str, ProcessId]

    def as_json(self) -> dict[str, Any]:
        """What `-o json` prints: `env`, `dir`, `pids`."""
        pids = {name: process.pid for name, process in self.processes.items() if process.alive()}
        return {"env": dict(self.env), "dir": str(self.folder), "pids": pids}

    def save(self) -> None:
        """Remember it, whole or not at all."""
        processes = {name: {"pid": one.pid, "started": one.started} for name, one in self.processes.items()}
        fresh = self.folder / f"{_STATE}.new"
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps({"env": dict(self.env), "processes": processes}, indent=2))
        fresh.replace(self.folder / _STATE)


def load(folder: Path) -> Stack | None:
    """The world that was started in a folder; None where there is none."""
    try:
        content = json.loads((folder / _STATE).read_text())
        processes = {name: ProcessId(**one) for name, one in content["processes"].items()}
        return Stack(folder=folder, env=content["env"], processes=processes)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as e:
        raise Blocked("NotOurs", f"{folder / _STATE} cannot be read: remove it, or give another --dir.") from e


def up(folder: Path, *, operator: bool, aws_endpoint_url: str | None, say: Say) -> Stack:
    """Start what does not run yet, and return when all of it is ready.

    Raises:
        Blocked: something does not start; the message names its log.
    """
    folder = folder.expanduser().resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = load(folder)
    kube = _kubernetes(folder / "kube", say)
    processes = dict(known.processes) if known else {}
    aws = _aws(folder, processes, aws_endpoint_url, say)
    stack = Stack(folder=folder, env={**kube.env, **aws}, processes={**processes, **kube.components})
    stack.save()
    _furnish(kube.kubectl, stack.env, say)
    if operator and not _runs(processes, "operator"):
        say("Starting the operator")
        processes["operator"] = _operator(folder, stack.env)
        stack = Stack(folder=folder, env=stack.env, processes={**processes, **kube.components})
        stack.save()
        _await_ready(kube.kubectl, stack)
    return stack


def down(folder: Path, *, purge: bool) -> list[str]:
    """End the world in a folder, the operator first; the names of what still ran. With `purge` its data goes, too."""
    folder = folder.expanduser().resolve()
    stack = load(folder)
    ended = []
    for name in ("operator", "localaws"):
        process = stack.processes.get(name) if stack else None
        if process is not None and process.alive():
            process.end(grace=25.0)
            ended.append(name)
    with suppress(LocalkubeError):
        ended += kube_down(folder / "kube", purge=purge)
    for name in (_STATE, "aws-ready.json", *(("operator.log", "localaws.log") if purge else ())):
        (folder / name).unlink(missing_ok=True)
    return ended


def _runs(processes: Mapping[str, ProcessId], name: str) -> bool:
    return name in processes and processes[name].alive()


def _kubernetes(folder: Path, say: Say) -> KubeState:
    try:
        state = KubeState.load(folder)
        if state is None or state.health != "running":
            binaries = ensure_binaries(Console(time.monotonic))
            say("Starting Kubernetes")
            kube_down(folder)
            Cluster(folder, binaries=binaries, detached=True).start()
            state = KubeState.load(folder)
    except LocalkubeError as e:
        raise Blocked("KubernetesNotStarted", str(e)) from e
    if state is None:
        raise Blocked("KubernetesNotStarted", f"Kubernetes ended at once: see the logs in {folder}.")
    return state


def _aws(folder: Path, processes: dict[str, ProcessId], url: str | None, say: Say) -> dict[str, str]:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "eu-west-1"
    if url is not None:
        return {"AWS_ENDPOINT_URL": url, "AWS_REGION": region, **_credentials()}
    ready = folder / "aws-ready.json"
    if not _runs(processes, "localaws"):
        say("Starting localaws")
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "localaws", "--port", "0", "--region", region, "--ready-file", str(ready)]
        processes["localaws"] = _start(command, folder / "localaws.log", os.environ)
        alive = processes["localaws"].alive
        if not wait_until(lambda: ready.exists() or not alive(), _READY_SECONDS) or not alive():
            raise Blocked("LocalawsNotStarted", f"localaws did not start: see {folder / 'localaws.log'}.")
    return {
        "AWS_ENDPOINT_URL": json.loads(ready.read_text())["url"],
        "AWS_REGION": region,
        "AWS_ACCESS_KEY_ID": "localaws",
        "AWS_SECRET_ACCESS_KEY": "localaws",
    }


def _credentials() -> dict[str, str]:
    """Those of the environment; an emulator takes any, so that there are some where it has none."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")
    given = {name: os.environ[name] for name in names if name in os.environ}
    return given or {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


def _furnish(kubectl: Path, env: Mapping[str, str], say: Say) -> None:
    say("Creating what the operator needs: CRDs, cluster, queues, event rule, roles")
    crds = "\n---\n".join(crd_files().values())
    _kubectl(kubectl, env, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=crds)
    _kubectl(kubectl, env, "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    template = provision(INSTALLATION, env).template(LOG_GROUP)
    _kubectl(kubectl, env, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(template))


def _operator(folder: Path, env: Mapping[str, str]) -> ProcessId:
    command = [sys.executable, "-m", "backgroundtask", "controller", "--installation", INSTALLATION]
    return _start([*command, "--metrics-port", "0"], folder / "operator.log", {**os.environ, **env})


def _await_ready(kubectl: Path, stack: Stack) -> None:
    """The operator is ready when it has verified the template: it has then used both sides of its world."""
    log = stack.folder / "operator.log"
    try:
        _kubectl(
            kubectl, stack.env, "wait", "--for=condition=Ready", "bglt/default", f"--timeout={_READY_SECONDS:.0f}s"
        )
    except Blocked as e:
        raise Blocked("OperatorNotReady", f"The operator is not ready: see {log}. {e.message}") from e
    if not stack.processes["operator"].alive():
        raise Blocked("OperatorEnded", f"The operator ended: see {log}.")


def _start(command: list[str], log: Path, env: Mapping[str, str]) -> ProcessId:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=dict(env), start_new_session=True
        )
    identity = ProcessId.of(process.pid)
    if identity is None:
        raise Blocked("NotStarted", f"{command[2]} ended at once: see {log}.")
    return identity


def _kubectl(kubectl: Path, env: Mapping[str, str], *arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run(
        [shutil.which("kubectl", path=str(kubectl.parent)) or str(kubectl), *arguments],
        input=stdin, capture_output=True, text=True, check=False, env={**os.environ, **env},
    )  # fmt: skip
    if done.returncode:
        raise Blocked("KubectlFailed", f"kubectl {arguments[0]}: {done.stderr.strip()}")
    return done.stdout
