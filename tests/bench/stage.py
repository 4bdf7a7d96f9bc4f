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
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import psutil

from fixtures.world import INSTALLATION, World, eventually, furnished
from localkube import Console, audit, ensure_binaries

OPERATORS = ("bench-a", "bench-b")
"""Whom the audit log shows as the controllers."""
MEBI = 2**20

_QUIET = 2.0  # seconds without a call after which the controller is at rest
_LOOK = 0.2  # seconds between two looks at that
_IDLE = 0.15  # of a processor: what a controller at rest may use
_JOURNAL = 200_000
_AWS = ("ecs", "scheduler")


class CannotMeasureError(Exception):
    """The benchmark itself could not do its work."""


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
class Counts:
    """What was done between two moments."""

    writes: Counter[str]  # "patch backgroundtasks/status" -> times, by the controllers
    aws: Counter[str]  # "ecs.RegisterTaskDefinition" -> times
    cpu: Mapping[str, float]  # seconds by process
    seconds: float

    @property
    def api_writes(self) -> int:
        """Writes to the API server without Events for people, and without the lease."""
        return sum(times for what, times in self.writes.items() if what.split()[1] not in {"events", "leases"})

    @property
    def event_writes(self) -> int:
        """Writes of Events for people."""
        return sum(times for what, times in self.writes.items() if what.split()[1] == "events")

    @property
    def aws_calls(self) -> int:
        """Calls to ECS and Scheduler; the polls of SQS go on whatever happens."""
        return sum(self.aws.values())


@dataclass(frozen=True, slots=True)
class _Mark:
    audit: int
    journal: int
    cpu: Mapping[str, float]
    at: float


@dataclass
class Stage:
    """A world, and who works in it."""

    world: World
    client: subprocess.Popen[str]
    controllers: list[Controller] = field(default_factory=list)

    def start_controller(self, *flags: str, user: str = OPERATORS[0], leads: bool = True) -> Controller:
        """Start a controller; returns when it follows the API server and, where it leads, its template is ready."""
        number = len(self.controllers)
        log = self.world.folder / f"controller-{number}.log"
        kubeconfig = self.world.kube.kubeconfig_for(user, ["system:masters"])
        command = [sys.executable, "-P", "-m", "backgroundtask", "controller", "--installation", INSTALLATION]
        command += ["--kubeconfig", str(kubeconfig), "--metrics-port", "0", "--health-port", "0", *flags]
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
        if leads:
            eventually(
                lambda: self.world.condition("default", kind="bglt").get("status") == "True", "the template is ready"
            )
        return controller

    def ask(self, **job: Any) -> dict[str, Any]:
        """Give the client a job and wait for its answer."""
        assert self.client.stdin is not None
        assert self.client.stdout is not None
        self.client.stdin.write(json.dumps(job) + "\n")
        self.client.stdin.flush()
        text = self.client.stdout.readline()
        answer: dict[str, Any] = json.loads(text) if text else {"error": "the client ended"}
        if "error" in answer:
            raise CannotMeasureError(f"{job['do']}: {answer['error']}")
        return answer

    def mark(self) -> _Mark:
        """A moment to count from."""
        return _Mark(self._audited(), self.world.now(), self._cpu(), time.monotonic())

    def since(self, mark: _Mark) -> Counts:
        """What was done since the mark."""
        cpu = {name: seconds - mark.cpu.get(name, 0.0) for name, seconds in self._cpu().items()}
        return Counts(self._writes(mark), self._calls(mark), cpu, time.monotonic() - mark.at)

    def rest(self, *, at_least: float = 0.0) -> float:
        """Wait until the controllers neither call nor work; the monotonic time of the last that they did.

        It is looked for at least `at_least` seconds, and to within a fifth of a second.
        """
        began = last = time.monotonic()
        mark, seen, cpu = self.mark(), (0, 0), self._controllers_cpu()
        while (now := time.monotonic()) - last < _QUIET or now - began < at_least:
            time.sleep(_LOOK)  # between two looks; what is timed is what they show
            counts = self._calls(mark).total(), self._writes(mark).total()
            used, took = self._controllers_cpu() - cpu, time.monotonic() - now
            if counts != seen or used > _IDLE * took:
                last = time.monotonic()
            seen, cpu = counts, cpu + used
        return last

    def _cpu(self) -> dict[str, float]:
        processes = {
            "controllers": [one.process.pid for one in self.controllers if one.process.poll() is None],
            "localaws": [self.world.aws.pid],
            "client": [self.client.pid],
        }
        for name in ("kube-apiserver", "etcd"):
            identity = self.world.kube.component(name).identity
            processes[name] = [identity.pid] if identity else []
        return {name: sum(_cpu(psutil.Process(pid)) for pid in pids) for name, pids in processes.items()}

    def _controllers_cpu(self) -> float:
        return self._cpu()["controllers"]

    def _audited(self) -> int:
        with self.world.kube.audit_log.open("rb") as log:
            return sum(1 for _ in log)

    def _writes(self, mark: _Mark) -> Counter[str]:
        if self._audited() < mark.audit:
            raise CannotMeasureError("the audit log was rotated: measure with fewer tasks or events")
        made = islice(audit.entries(self.world.kube.audit_log), mark.audit, None)
        return Counter(f"{one.verb} {one.resource}" for one in made if one.is_write and one.user in OPERATORS)

    def _calls(self, mark: _Mark) -> Counter[str]:
        calls: Counter[str] = Counter()
        for service in _AWS:
            made = self.world.aws.journal(service=service, principal="client", since=mark.journal, limit=_JOURNAL)
            calls.update(f"{service}.{one['operation']}" for one in made)
        return calls


@contextmanager
def stage() -> Iterator[Stage]:
    """A new world, with a client and without a controller; all of it is gone on leaving."""
    with tempfile.TemporaryDirectory(prefix="bgt-bench-") as folder:
        binaries = ensure_binaries(Console(time.monotonic))
        with furnished(binaries, Path(folder)) as world, _client(world.kube.kubeconfig) as client:
            made = Stage(world, client)
            try:
                yield made
            finally:
                for controller in made.controllers:
                    controller.end(signal.SIGKILL)


@contextmanager
def _client(kubeconfig: Path) -> Iterator[subprocess.Popen[str]]:
    program: Sequence[str] = [sys.executable, "-P", str(Path(__file__).with_name("client.py")), str(kubeconfig)]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
