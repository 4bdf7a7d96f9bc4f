"""The other faults: of the API server, of its watches, of AWS and of its queues. Each is a disturbance with a name."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any, ClassVar, Final, Literal

from backgroundtask.errors import Expected
from crash.disturbance import Disturbance
from crash.picture import picture_of
from crash.world import CrashWorld
from fixtures.calls import Call
from fixtures.fault_proxy import CUT, Reply
from fixtures.world import eventually

_GONE = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Failure",
    "message": "too old resource version",
    "reason": "Expired",
    "code": 410,
}
_TEN_MINUTES = 600.0  # virtual seconds
_TRIES = 3


class ApiServerKilled(Disturbance):
    """The API server is killed as soon as something has changed, and started again."""

    STEPS: ClassVar = {"image", "launch", "delete"}

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


class MessagesRepeated(Disturbance):
    """SQS brings what it brings in reverse, with the oldest a poll late, and everything once more in the next poll."""

    def __init__(self) -> None:
        super().__init__()
        self._late: dict[str, list[Any]] = {}
        self._again: dict[str, list[Any]] = {}
        self._held: set[str] = set()
        self._receipts: dict[str, str] = {}  # the newest of each message: AWS never hands out an older one later

    def answered(self, call: Call, reply: Reply) -> Reply | Literal["cut"]:
        if call.label != "sqs.ReceiveMessage" or reply.status != 200:
            return reply
        url = str(json.loads(call.body)["QueueUrl"])
        new = json.loads(reply.body).get("Messages", [])
        held = [one for one in new[:-1] if one["MessageId"] not in self._held][:1]
        self._held.update(one["MessageId"] for one in held)
        told = [*(one for one in reversed(new) if one not in held), *self._late.pop(url, []), *self._again.pop(url, [])]
        self._late[url], self._again[url] = held, new
        self._receipts |= {one["MessageId"]: one["ReceiptHandle"] for one in new}
        told = [{**one, "ReceiptHandle": self._receipts[one["MessageId"]]} for one in told]
        self.reached = self.reached or len(told) > len(new)
        return Reply(status=200, body=json.dumps({"Messages": told}).encode(), headers=_without_checksum(reply))


class AwsDown(Disturbance):
    """Nobody answers for AWS, from before a change until the controller has tried in vain, while ten minutes pass."""

    STEPS: ClassVar = {"cron": 0.0, "launch": _TEN_MINUTES, "delete": _TEN_MINUTES}

    def __init__(self) -> None:
        super().__init__()
        self._is_down = False
        self._cut = 0

    def before(self, world: CrashWorld, step: str) -> None:
        del world
        self._is_down, self._cut = step in self.STEPS, 0

    def acted(self, world: CrashWorld, step: str) -> None:
        if step not in self.STEPS:
            return
        world.aws.advance(self.STEPS[step])
        eventually(lambda: self._cut >= _TRIES, "the controller tries to reach AWS", seconds=60)
        self._is_down, self.reached = False, True

    def meet(self, call: Call) -> Reply | Literal["cut"] | None:
        if not self._is_down or call.service == "kube":
            return None
        self._cut += 1
        return CUT


class Denied(Disturbance):
    """AWS denies one operation in one step, until the task says so; what was there stays there meanwhile."""

    def __init__(self, operation: str, step: str, *, kept: tuple[str, ...]) -> None:
        """`kept` are the parts of the picture that must not change before the right is granted."""
        super().__init__()
        self._operation, self._step, self._kept = operation, step, kept
        self.last_step = step
        self._is_denied = False
        self._before: dict[str, tuple[str, ...]] = {}

    def before(self, world: CrashWorld, step: str) -> None:
        self._is_denied = step == self._step
        if self._is_denied:
            self._before = picture_of(world).parts

    def acted(self, world: CrashWorld, step: str) -> None:
        if step != self._step:
            return
        eventually(lambda: self.reached and _is_told(world), f"the task tells that {self._operation} is denied")
        now = picture_of(world).parts
        for part in self._kept:
            assert now[part] == self._before[part], f"{part} changed while {self._operation} was denied: {now[part]}"
        self._is_denied = False

    def meet(self, call: Call) -> Reply | Literal["cut"] | None:
        if not self._is_denied or call.operation != self._operation:
            return None
        self.reached = True
        message = f"User: operator is not authorized to perform: {call.service}:{call.operation}"
        body = json.dumps({"__type": "AccessDeniedException", "message": message, "Message": message}).encode()
        kind = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": "AccessDeniedException"}
        return Reply(status=400 if call.service == "ecs" else 403, body=body, headers=kind)


def _is_told(world: CrashWorld) -> bool:
    task = world.task()
    if task is None or task["status"]["observedGeneration"] != task["metadata"]["generation"]:
        return False
    return any(one["type"] == "Ready" and one["status"] == "False" for one in task["status"]["conditions"])


def _answers(world: CrashWorld) -> bool:
    with contextlib.suppress(Expected):
        return bool(world.api.cluster_uid())
    return False


def _without_checksum(reply: Reply) -> dict[str, str]:
    return {key: value for key, value in reply.headers.items() if not key.lower().startswith("x-amz-crc")}


_ALL = ("definitions", "schedules", "ECS tasks")

SCENARIOS: Final[dict[str, Callable[[], Disturbance]]] = {
    "api-server-killed": ApiServerKilled,
    "watches-cut": WatchesCut,
    "watches-expired": WatchesExpire,
    "watches-refused": WatchesRefused,
    "status-conflicts": StatusConflicts,
    "messages-repeated": MessagesRepeated,
    "aws-down": AwsDown,
    "denied-GetSchedule": lambda: Denied("GetSchedule", "image", kept=_ALL),
    "denied-ListTaskDefinitions": lambda: Denied("ListTaskDefinitions", "image", kept=_ALL),
    "denied-RegisterTaskDefinition": lambda: Denied("RegisterTaskDefinition", "image", kept=_ALL),
    "denied-DeleteSchedule": lambda: Denied("DeleteSchedule", "delete", kept=_ALL),
}
"""By the name that `--only` takes."""
