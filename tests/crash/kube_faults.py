"""Faults of the API server, of its watches, and of the replicas that share it."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from typing import ClassVar, Literal

from backgroundtask.errors import Expected
from crash.disturbance import Disturbance
from crash.world import CrashWorld
from fixtures.calls import Call
from fixtures.fault_proxy import Reply
from fixtures.world import Operator, eventually

_GONE = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Failure",
    "message": "too old resource version",
    "reason": "Expired",
    "code": 410,
}


class ApiServerKilled(Disturbance):
    """The API server is killed as soon as something has changed, and started again."""

    STEPS: ClassVar = {"image", "launch", "delete"}
    last_step = "image"

    def acted(self, world: CrashWorld, step: str) -> None:
        if step not in self.STEPS:
            return
        server = world.kube.component("kube-apiserver")
        server.kill()
        server.start()
        eventually(lambda: _answers(world), "the API server answers again", seconds=60)
        self.reached = True


class WatchesCut(Disturbance):
    """All watch streams are cut, before and after every change."""

    last_step = "cron"
    last_words = b""

    def before(self, world: CrashWorld, step: str) -> None:
        del step
        self.acted(world, "")

    def acted(self, world: CrashWorld, step: str) -> None:
        del step
        self.reached = bool(world.proxy.cut_watches(self.last_words)) or self.reached


class WatchesExpire(WatchesCut):
    """Every watch is told in its stream that its resourceVersion is too old.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#410-gone-responses
    """

    last_words = json.dumps({"type": "ERROR", "object": _GONE}).encode() + b"\n"


class WatchesRefused(WatchesCut):
    """In some steps the watches are cut, and those asked for next are refused with 410.

    kopf ends the process then, and the next one begins with a listing: that is how it goes on.
    """

    STEPS: ClassVar = {"image", "launch", "delete"}
    most_ends = 9

    def __init__(self) -> None:
        super().__init__()
        self._left = 0

    def acted(self, world: CrashWorld, step: str) -> None:
        if step in self.STEPS:
            self._left = 3
            super().acted(world, step)

    def meet(self, call: Call) -> Reply | Literal["cut"] | None:
        if not call.is_watch or not self._left:
            return None
        self._left -= 1
        return Reply(status=410, body=json.dumps(_GONE).encode())


class StatusConflicts(Disturbance):
    """Every other write of a status is refused: somebody else was faster."""

    last_step = "end"

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[str, int] = {}

    def meet(self, call: Call) -> Reply | Literal["cut"] | None:
        if not (call.is_write and call.service == "kube" and call.operation.endswith("/status")):
            return None
        self._asked[call.label] = self._asked.get(call.label, 0) + 1
        if self._asked[call.label] % 2 == 0:
            return None
        self.reached = True
        conflict = {**_GONE, "reason": "Conflict", "message": "the object has been modified", "code": 409}
        return Reply(status=409, body=json.dumps(conflict).encode())


class LeaderPaused(Disturbance):
    """The leader is paused in the middle of its work, and goes on when its lease is over and the other one leads.

    It ends then, before it writes anything, and is followed by a new standby.
    """

    AFTER: ClassVar = {
        "image": "ecs.RegisterTaskDefinition",
        "launch": "kube.POST backgroundtaskruns",
        "delete": "scheduler.DeleteSchedule",
    }
    last_step = "image"
    replicas = 2
    most_ends = 3

    def __init__(self) -> None:
        super().__init__()
        self._leader: Operator | None = None
        self._label = ""
        self._paused = threading.Event()

    def before(self, world: CrashWorld, step: str) -> None:
        self._leader = eventually(lambda: world.leader, "one of the two leads")
        self._paused.clear()
        self._label = self.AFTER.get(step, "")

    def acted(self, world: CrashWorld, step: str) -> None:
        if step not in self.AFTER:
            return
        leader = self._leader
        assert leader is not None
        eventually(self._paused.is_set, f"the leader has made {self.AFTER[step]}")
        others = [one for one in world.controllers if one is not leader]
        eventually(lambda: any(one.logged("Leading as ") for one in others), "the other one leads")
        leader.process.send_signal(signal.SIGCONT)
        eventually(lambda: leader.process.poll() is not None, "the one that led before has ended")
        self.reached = True

    def answered(self, call: Call, reply: Reply) -> Reply | Literal["cut"]:
        if call.label == self._label and self._leader is not None:
            self._label = ""
            self._leader.process.send_signal(signal.SIGSTOP)
            self._paused.set()
        return reply


def _answers(world: CrashWorld) -> bool:
    with contextlib.suppress(Expected):
        return bool(world.api.cluster_uid())
    return False
