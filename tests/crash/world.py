"""A world whose controller talks to everybody through a fault proxy, and which can begin anew in a second.

The clock of AWS stands still unless it is moved, so that a schedule fires when the workload wants it and at no other
time. Knows how to look at the world, and when nothing more is going on in it; refuses to know what should be there.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import localaws
from backgroundtask.api.crds import crd_files
from backgroundtask.api.names import MAIN_CONTAINER
from backgroundtask.cli.provision import provision
from backgroundtask.kube.client import Kube, connect
from backgroundtask.kube.resource import RUNS, TASKS, TEMPLATES, Body, Ref
from backgroundtask.plan.names import Owner
from fixtures.fault_proxy import FaultProxy
from fixtures.world import INSTALLATION, LOG_GROUP, Operator, World, eventually
from localkube import Binaries, Cluster

NAME = "crash"
OWNER = Owner(INSTALLATION, "default", NAME)
GROUP = f"bgt-{INSTALLATION}"
TEMPLATE = "default"
IMAGES = ("reports:1", "reports:2")
"""Their containers end with EXIT_CODE once the gate of their world is open."""
EXIT_CODE = 3
FLAGS = ("--workers", "1")
"""One thread, so that the writes of two runs have one order."""
TERMS = ("--lease-duration", "6", "--renew-deadline", "4", "--retry-period", "0.5")
"""Of several replicas: seconds that a test has, and that a busy machine keeps."""

_GATE = "gate"
_PATIENCE = 60.0  # seconds until a world that does not come to rest is given up
_MOST_REVIVALS = 10
_LOOK = 0.05
_QUIET = 0.3  # seconds without a write; a status that follows on another takes milliseconds
_RESYNC = "2"  # seconds; what a dead process had still to retire is found by the next look at all of AWS
_STUCK = 1.5  # seconds in which a reader would have deleted what it received
_VISIBILITY = 60  # virtual seconds until SQS shows a message again


class NotAtRestError(AssertionError):
    """The world does not come to rest; the text says what is missing."""


@dataclass(kw_only=True)
class CrashWorld(World):
    """`controllers` are those that run, or have just ended; `revivals` counts how often one was followed by another."""

    proxy: FaultProxy
    slots: list[dt.datetime] = field(default_factory=list)
    controllers: list[Operator] = field(default_factory=list)
    revivals: int = 0
    _flags: tuple[str, ...] = FLAGS
    _clients: dict[str, Any] = field(default_factory=dict)
    _queues: dict[str, str] = field(default_factory=dict)
    _kube: Kube | None = None

    @property
    def env(self) -> dict[str, str]:
        proxied = {"KUBECONFIG": str(self.proxy.kubeconfig), "AWS_ENDPOINT_URL": self.proxy.aws_url}
        return {**super().env, **proxied}

    @property
    def api(self) -> Kube:
        """The API server, past the proxy."""
        self._kube = self._kube or connect(kubeconfig=str(self.kube.kubeconfig))
        return self._kube

    @property
    def gate(self) -> Path:
        """The file whose appearance ends the containers of the task."""
        return self.folder / _GATE

    def client(self, service: str) -> Any:
        """A boto3 client, past the proxy."""
        if service not in self._clients:
            self._clients[service] = self.aws.client(service)
        return self._clients[service]

    def queue(self, name: str) -> str:
        """The URL of a queue: `events`, `ticks`, and each with the suffix `-poison`."""
        if name not in self._queues:
            self._queues[name] = self.client("sqs").get_queue_url(QueueName=f"bgt-{INSTALLATION}-{name}")["QueueUrl"]
        return self._queues[name]

    @property
    def leader(self) -> Operator | None:
        """The replica that has told that it leads, and lives."""
        living = [one for one in self.controllers if one.process.poll() is None]
        return next((one for one in living if one.logged("Leading as ")), None)

    def begin(self, *, replicas: int = 1) -> None:
        """As on the first day: no object, nothing in AWS but what the platform team made, and a controller or more."""
        self.stop_operators()
        self._wipe()
        self.aws.reset()
        self.aws.set_rate(0)
        self.template = provision(INSTALLATION, self.aws.environment).template(LOG_GROUP)
        self.template["spec"]["namespaces"] = ["default"]
        self.slots, self.revivals = [], 0
        self.proxy.writes = []
        self.gate.unlink(missing_ok=True)
        self.kubectl("delete", "lease", f"bgt-{INSTALLATION}", "--ignore-not-found")
        self._flags = FLAGS if replicas == 1 else (*FLAGS, *TERMS)
        self.controllers = [self._controller() for _ in range(replicas)]

    def kill(self) -> None:
        """End the controller at once."""
        [controller] = self.controllers
        controller.kill()

    def rest(self, missing: Callable[[], str]) -> None:
        """Return once `missing` says that nothing is missing, no write follows and no message waits.

        A controller that was killed is followed by another. Messages that a dead process has received, or whose
        deletion got lost, come again when the clock of AWS reaches the end of their visibility timeout.

        Raises:
            NotAtRestError: what is missing stays missing.
        """
        end, stuck_since = time.monotonic() + _PATIENCE, time.monotonic()
        while True:
            if self._revive():  # a start takes seconds, on a busy machine many more
                end = time.monotonic() + _PATIENCE
            lack = self._unquiet() or missing() or self._unread()
            if not lack:
                return
            if time.monotonic() > end:
                raise NotAtRestError(lack)
            if not self._is_stuck():
                stuck_since = time.monotonic()
            if time.monotonic() - stuck_since > _STUCK:
                self.aws.advance(_VISIBILITY)
                stuck_since = time.monotonic()
            time.sleep(_LOOK)

    def task(self) -> Body | None:
        return self.api.get(TASKS, "default", NAME)

    def task_runs(self) -> list[Body]:
        return sorted(self.api.list(RUNS), key=lambda body: str(body["metadata"]["name"]))

    def ecs_tasks(self) -> list[dict[str, Any]]:
        """What ECS tells of the task's ECS tasks, running or stopped, by slot."""
        ecs, cluster = self.client("ecs"), self.template["spec"]["cluster"]
        states = ("RUNNING", "STOPPED")
        listed = [ecs.list_tasks(cluster=cluster, family=OWNER.family, desiredStatus=one) for one in states]
        arns = [arn for answer in listed for arn in answer["taskArns"]]
        described = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
        return sorted(described, key=slot_of)

    def active_revisions(self) -> list[str]:
        answer = self.client("ecs").list_task_definitions(familyPrefix=OWNER.family, status="ACTIVE")
        return list(answer["taskDefinitionArns"])

    def now_in_aws(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.aws.control("GET", "clock")["now"])

    def _revive(self) -> bool:
        """Start a controller in the place of each that has ended, as Kubernetes does; whether there was one."""
        ended = [at for at, controller in enumerate(self.controllers) if controller.process.poll() is not None]
        for at in ended:
            self.revivals += 1
            if self.revivals > _MOST_REVIVALS:
                raise NotAtRestError(f"the controller has ended {self.revivals} times")
            self.controllers[at] = self._controller("--resync", _RESYNC)
        return bool(ended)

    def _controller(self, *flags: str) -> Operator:
        return self.start_operator(*self._flags, *flags, elect=self._flags != FLAGS)

    def _unquiet(self) -> str:
        return "" if self.proxy.quiet_for >= _QUIET else "writes go on"

    def _unread(self) -> str:
        waiting = [sum(counts) for counts in self._messages()]
        return f"messages wait: {waiting}" if any(waiting) else ""

    def _is_stuck(self) -> bool:
        """Every message that is left is hidden, and nobody writes."""
        counts = self._messages()
        hidden, visible = sum(one[1] for one in counts), sum(one[0] for one in counts)
        return hidden > 0 and not visible and self.proxy.quiet_for > _QUIET

    def _messages(self) -> list[tuple[int, int]]:
        """How many messages are visible, and how many hidden, in each queue."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = []
        for queue in ("events", "ticks"):
            told = self.client("sqs").get_queue_attributes(QueueUrl=self.queue(queue), AttributeNames=names)
            visible, hidden = (int(told["Attributes"][name]) for name in names)
            counts.append((visible, hidden))
        return counts

    def _wipe(self) -> None:
        for resource in (RUNS, TASKS, TEMPLATES):
            for body in list(self.api.list(resource)):
                ref = Ref.of(resource, body)
                self.api.patch(ref, {"metadata": {"finalizers": None}})
                self.api.delete(resource, ref.namespace, ref.name, ref.uid)
        eventually(
            lambda: not any(list(self.api.list(resource)) for resource in (RUNS, TASKS, TEMPLATES)),
            "the objects of the last case are gone",
        )


def slot_of(ecs_task: dict[str, Any]) -> str:
    """The slot that an ECS task was started for, as its override tells; else the name of the run."""
    overrides: Sequence[dict[str, Any]] = ecs_task["overrides"]["containerOverrides"]
    env = next(one["environment"] for one in overrides if one["name"] == MAIN_CONTAINER)
    told = {one["name"]: str(one["value"]) for one in env}
    return told.get("BGT_SCHEDULED_TIME") or told["BGT_RUN"]


@contextmanager
def crash_world(binaries: Binaries, folder: Path) -> Iterator[CrashWorld]:
    """A world with nobody in it; `begin` furnishes it for a case."""
    gate = folder / _GATE
    command = ["sh", "-c", f"until [ -e {gate} ]; do sleep 0.05; done; exit {EXIT_CODE}"]
    images = dict.fromkeys(IMAGES, command)
    with Cluster(binaries=binaries) as kube, localaws.start(log=folder / "localaws.log", images=images) as aws:
        kube.kubectl("apply", "--server-side", "-f", "-", stdin="\n---\n".join(crd_files().values()))
        kube.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        with FaultProxy(kubeconfig=kube.kubeconfig, aws_url=aws.url, folder=folder) as proxy:
            world = CrashWorld(kube=kube, aws=aws, folder=folder, template={}, proxy=proxy)
            try:
                yield world
            finally:
                world.stop_operators()
