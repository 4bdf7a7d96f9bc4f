"""The world on a laptop: a real API server, an AWS, the operator, each a process that outlives the command.

What was started is remembered in a folder at once, so that another `bgt` finds and ends it. Starting twice is fine:
what runs is left alone; objects of earlier starts are still there, and what a fresh localaws lacks is made anew.
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from backgroundtask.api.crds import crd_files
from backgroundtask.api.names import RECONCILE_REQUESTED_AT
from backgroundtask.cli import environment
from backgroundtask.cli.provision import provision
from backgroundtask.cli.remembered import LOCALAWS, OPERATOR, STATE, Stack, load
from backgroundtask.errors import Blocked
from localkube import Cluster, Console, LocalkubeError, ensure_binaries
from localkube import State as KubeState
from localkube import down as kube_down
from localkube.process import ProcessId, wait_until

INSTALLATION = "local"
LOG_GROUP = f"/bgt/{INSTALLATION}"

_READY_SECONDS = 60.0
_AWS_READY = "aws-ready.json"
_APPLY = ("apply", "--server-side", "--force-conflicts", "-f", "-")
Say = Callable[[str], None]


def default_folder() -> Path:
    """Where the world lives unless told otherwise: `$XDG_STATE_HOME/bgtask/local`, or below `~/.local/state`."""
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home, "bgtask", "local").expanduser()


def up(folder: Path, *, operator: bool, aws_endpoint_url: str | None, say: Say) -> Stack:
    """Start what does not run yet, and return when all of it is ready; Blocked names the log of what does not start.

    Rejected (InvalidEndpoint): the URL is none; nothing was started.
    """
    foreign = None if aws_endpoint_url is None else environment.of_foreign_aws(aws_endpoint_url)
    folder = folder.expanduser().resolve()
    with _claimed(folder):
        before = load(folder) or Stack(folder=folder)
        if foreign is not None and before.runs(LOCALAWS):
            raise Blocked("AnotherAws", f"localaws runs in {folder}: end it with `bgt local down` first.")
        stack = _with_kubernetes(before.asking(operator=operator, own_aws=foreign is None), say)
        stack = stack.with_(env=foreign) if foreign is not None else _with_localaws(stack, say)
        is_another_aws = stack.env["AWS_ENDPOINT_URL"] != before.env.get("AWS_ENDPOINT_URL")
        if is_another_aws:
            stack.end(OPERATOR)
        _furnish(stack, say)
        if is_another_aws:
            _ask_for_reconciles(stack)
        return _with_operator(stack, say) if operator and not stack.runs(OPERATOR) else stack


def down(folder: Path, *, purge: bool) -> list[str]:
    """End the world in a folder, the operator first; the names of what still ran. With `purge` its data goes, too."""
    folder = folder.expanduser().resolve()
    stack = load(folder) or Stack(folder=folder)
    ended = [name for name in (OPERATOR, LOCALAWS) if stack.runs(name)]
    for name in ended:
        stack.end(name)
    try:
        ended += kube_down(folder / "kube", purge=purge)
    except LocalkubeError as e:
        raise Blocked("KubernetesNotEnded", f"{e}.") from e
    logs = (stack.log(OPERATOR), stack.log(LOCALAWS)) if purge else ()
    for path in (folder / STATE, folder / _AWS_READY, *logs):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # somebody's file keeps the folder
        folder.rmdir()
    return ended


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Have the folder, for one `up` at a time; the kernel lets go of it however this process ends."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        claim = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as e:
        raise Blocked("FolderNotWritable", f"{folder} cannot be used ({e.strerror}): give another --dir.") from e
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Blocked("Starting", f"Another bgt starts the world in {folder}: wait for it.") from None
    finally:
        os.close(claim)


def _with_kubernetes(stack: Stack, say: Say) -> Stack:
    folder = stack.folder / "kube"
    try:
        state = KubeState.load(folder)
        if state is None or state.health != "running":
            binaries = ensure_binaries(Console(time.monotonic))
            stack.end(OPERATOR)  # it would go on asking the old one
            say("Starting Kubernetes")
            kube_down(folder)
            Cluster(folder, binaries=binaries, detached=True).start()
            state = KubeState.load(folder)
    except LocalkubeError as e:
        raise Blocked("KubernetesNotStarted", f"{e}.") from e
    if state is None:
        raise Blocked("KubernetesNotStarted", f"Kubernetes ended at once: see the logs in {folder}.")
    cache = {
        "KUBECACHEDIR": str(folder / ".kube" / "cache")
    }  # ports are used again: what a home caches may be another's
    return stack.with_(env={**state.env, **cache}, processes=state.components)


def _with_localaws(stack: Stack, say: Say) -> Stack:
    if stack.runs(LOCALAWS):
        return stack
    say("Starting localaws")
    ready, region = stack.folder / _AWS_READY, environment.region()
    ready.unlink(missing_ok=True)
    stack = _start(stack, LOCALAWS, "localaws", "--port", "0", "--region", region, "--ready-file", str(ready))
    if not wait_until(lambda: ready.exists() or not stack.runs(LOCALAWS), _READY_SECONDS) or not ready.exists():
        raise Blocked("LocalawsNotStarted", f"localaws did not start: see {stack.log(LOCALAWS)}.")
    return stack.with_(env=environment.of_localaws(json.loads(ready.read_text())["url"], region))


def _furnish(stack: Stack, say: Say) -> None:
    say("Creating what the operator needs: CRDs, cluster, queues, event rule, roles")
    stack.kubectl(*_APPLY, stdin="\n---\n".join(crd_files().values()))
    stack.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    stack.kubectl(*_APPLY, stdin=json.dumps(provision(INSTALLATION, stack.env).template(LOG_GROUP)))


def _ask_for_reconciles(stack: Stack) -> None:
    """Tasks of an earlier start say that they are ready, of an AWS that this one is not."""
    now = datetime.now(UTC).isoformat()
    stack.kubectl("annotate", "bgt", "--all", "--all-namespaces", "--overwrite", f"{RECONCILE_REQUESTED_AT}={now}")


def _with_operator(stack: Stack, say: Say) -> Stack:
    """Start the operator; it is ready when it follows the API server and has verified the template in AWS.

    It adopts: the installation is this world's alone, and an AWS may still hold what a purged cluster made. It is the
    only one, so that it waits for no lease of one that was killed, and outlives the sleep of a laptop.
    """
    say("Starting the operator")
    log = stack.log(OPERATOR)
    begin = log.stat().st_size if log.exists() else 0
    ports = ("--metrics-port", "0", "--health-port", "0")
    flags = ("--installation", INSTALLATION, "--kubeconfig", stack.env["KUBECONFIG"], *ports, "--adopt")
    stack = _start(stack, OPERATOR, "backgroundtask", "controller", *flags, "--no-leader-elect")

    def follows() -> bool:
        return b"Controller is ready" in log.read_bytes()[begin:]

    if not wait_until(lambda: follows() or not stack.runs(OPERATOR), _READY_SECONDS) or not stack.runs(OPERATOR):
        raise Blocked("OperatorNotReady", f"The operator did not start: see {log}.")
    try:
        stack.kubectl("wait", "--for=condition=Ready", "bglt/default", f"--timeout={_READY_SECONDS:.0f}s")
    except Blocked as e:
        raise Blocked(
            "OperatorNotReady", f"The operator is not ready: see {log}. {why_unready(stack) or e.message}"
        ) from e
    return stack


def why_unready(stack: Stack) -> str:
    """What the template's condition Ready says; empty if the operator has not judged it."""
    try:
        return stack.kubectl("get", "bglt/default", "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].message}")
    except Blocked:
        return ""


def _start(stack: Stack, name: str, module: str, *arguments: str) -> Stack:
    """Start a program of ours in a session of its own, and remember it before anything else can go wrong."""
    env = environment.with_nothing_foreign(stack.env, own_aws=name == LOCALAWS or stack.runs(LOCALAWS))
    with stack.log(name).open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            cwd=stack.folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    identity = ProcessId.of(process.pid)
    if identity is None:
        raise Blocked("NotStarted", f"{name} ended at once: see {stack.log(name)}.")
    return stack.with_(processes={name: identity})
