"""What the benchmark runs on: the world of the end-to-end tests, a controller to measure, and everybody's counters.

Counts come from outside the controller: API writes from the audit log, AWS calls from localaws' journal, memory and
processor time from the kernel. Knows nothing of what is measured with them.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from backgroundtask.aws.rates import CATEGORIES
from bench.tally import OPERATORS, CannotMeasureError, Counts, Mark, Tally
from fixtures.world import INSTALLATION, World, eventually, furnished
from localkube import Console, ensure_binaries

FREELY = ("--aws-rates", ",".join(f"{one.name}=1000000/1000000" for one in CATEGORIES))
"""Flags of a controller in an account that takes any number of calls."""

_QUIET = 2.0  # seconds without a call after which the controller is at rest
_LOOK = 0.2  # seconds between two looks at that
_IDLE = 0.15  # of a processor: what a controller at rest may use


@dataclass
class Controller:
    """One process of the controller."""

    process: subprocess.Popen[bytes]
    user: str
    log: Path
    started: float  # monotonic

    @property
    def _ps(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    def rss(self) -> int:
        """Bytes that it holds in memory."""
        return int(self._ps.memory_info().rss)

    def cpu(self) -> float:
        """Seconds of processor time since its start."""
        return _cpu(self._ps)

    def logged(self, words: str) -> bool:
        """Whether its log has these words."""
        return words.encode() in self.log.read_bytes()

    def end(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal and wait until it is gone."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
        self.process.wait(30)


@dataclass(frozen=True, slots=True)
class Client:
    """A process of `client.py`. Whoever asks waits for the answer: for two jobs at once there are two clients."""

    process: subprocess.Popen[str]

    def ask(self, **job: Any) -> dict[str, Any]:
        """Give it a job and wait for its answer; what the members are, the job in `client.py` says."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        text = self.process.stdout.readline()
        answer: dict[str, Any] = json.loads(text) if text else {"error": "the client ended"}
        if "error" in answer:
            raise CannotMeasureError(f"{job['do']}: {answer['error']}")
        return answer


@dataclass
class Stage:
    """A world, and who works in it."""

    world: World
    client: Client
    tally: Tally
    controllers: list[Controller] = field(default_factory=list)

    def start_controller(self, *flags: str, user: str = OPERATORS[0], is_ready: bool = True) -> Controller:
        """Start a controller; returns when it follows the API server and, with `is_ready`, its template is ready."""
        number = len(self.controllers)
        log = self.world.folder / f"controller-{number}.log"
        kubeconfig = self.world.kube.kubeconfig_for(user, ["system:masters"])
        command = [sys.executable, "-P", "-m", "backgroundtask", "controller", "--installation", INSTALLATION]
        command += ["--kubeconfig", str(kubeconfig), "--metrics-port", "0", "--health-port", "0"]
        command += [*flags] if "--aws-rates" in flags else [*FREELY, *flags]
        started = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env=self.world.env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        controller = Controller(process, user, log, started)
        self.controllers.append(controller)
        eventually(lambda: process.poll() is not None or controller.logged("Controller is ready"), f"{log} says so")
        if process.poll() is not None:
            raise CannotMeasureError(f"the controller ended: {log.read_text()[-2000:]}")
        if is_ready:
            eventually(
                lambda: self.world.condition("default", kind="bglt").get("status") == "True", "the template is ready"
            )
        return controller

    def mark(self) -> Mark:
        """A moment to count from."""
        return Mark(*self.tally.now(), self._cpu(), time.monotonic())

    def since(self, mark: Mark) -> Counts:
        """What was done since the mark."""
        writes, aws = self.tally.now()
        cpu = {name: seconds - mark.cpu.get(name, 0.0) for name, seconds in self._cpu().items()}
        return Counts(writes - mark.writes, aws - mark.aws, cpu, time.monotonic() - mark.at)

    def rest(self, *, at_least: float = 0.0) -> float:
        """Wait until the controllers neither call nor work; the monotonic time of the last that they did.

        It is looked for at least `at_least` seconds, and to within a fifth of a second.
        """
        began = last = time.monotonic()
        seen, cpu = self.tally.now(), self._cpu()["controllers"]
        while (now := time.monotonic()) - last < _QUIET or now - began < at_least:
            time.sleep(_LOOK)  # between two looks; what is timed is what they show
            before, seen = seen, self.tally.now()
            used, cpu = -cpu, self._cpu()["controllers"]
            used += cpu
            if seen != before or used > _IDLE * (time.monotonic() - now):
                last = time.monotonic()
        return last

    def _cpu(self) -> dict[str, float]:
        processes = {
            "controllers": [one.process.pid for one in self.controllers if one.process.poll() is None],
            "localaws": [self.world.aws.pid],
            "client": [self.client.process.pid],
        }
        for name in ("kube-apiserver", "etcd"):
            identity = self.world.kube.component(name).identity
            processes[name] = [identity.pid] if identity else []
        return {name: sum(_cpu(psutil.Process(pid)) for pid in pids) for name, pids in processes.items()}


@contextmanager
def stage() -> Iterator[Stage]:
    """A new world, with a client and without a controller; all of it is gone on leaving."""
    with tempfile.TemporaryDirectory(prefix="bgt-bench-") as folder:
        binaries = ensure_binaries(Console(time.monotonic))
        with furnished(binaries, Path(folder)) as world, client_of(world) as client:
            made = Stage(world, client, Tally(world))
            try:
                yield made
            finally:
                made.tally.close()
                for controller in made.controllers:
                    controller.end(signal.SIGKILL)


@contextmanager
def client_of(world: World) -> Iterator[Client]:
    """A client that may do everything; it ends on leaving."""
    program = [sys.executable, "-P", "-m", "bench.client", str(world.kube.kubeconfig)]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Client(process)
    finally:
        process.kill()
        process.communicate()


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
