"""Faults of AWS: it is not there, it denies, and its queues bring messages again and in another order."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

from crash.disturbance import Disturbance
from crash.picture import picture_of
from crash.world import CrashWorld
from fixtures.calls import Call
from fixtures.fault_proxy import CUT, Reply
from fixtures.world import eventually

_TEN_MINUTES = 600.0  # virtual seconds
_TRIES = 3


class MessagesRepeated(Disturbance):
    """SQS brings what it brings in reverse, with the oldest a poll late, and everything once more in the next poll."""

    last_step = "end"

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
    last_step = "launch"

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


def _without_checksum(reply: Reply) -> dict[str, str]:
    return {key: value for key, value in reply.headers.items() if not key.lower().startswith("x-amz-crc")}
