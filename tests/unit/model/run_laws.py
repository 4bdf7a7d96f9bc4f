"""What must hold of runs whoever asks for them and whatever comes in between: each promise as one named check.

A `Witness` stands where RunTask takes effect and judges each request in the world as it is at that moment; what breaks
a promise there is told by the next check, as an exception would be the operator's to handle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from backgroundtask.api.phases import ENDS
from backgroundtask.aws import Launched, NotStarted
from backgroundtask.kube.resource import TASKS, TEMPLATES, Body
from backgroundtask.plan.moments import moment
from backgroundtask.plan.names import run_name
from fixtures.fake_world import NAMESPACE, World
from unit.model.laws import Chronicle, environment

_ALONE = frozenset({"Forbid", "Replace"})
TOKEN_KNOWN = timedelta(hours=1)  # after the end of its task (Amazon ECS API, "Ensuring idempotency")


@dataclass(frozen=True)
class Sent:
    """A tick that was put into the queue."""

    message: str
    task: str
    uid: str
    slot: str


class Witness:
    """Hears each RunTask that reaches ECS. `lies` are the answers to the next that start a task: ECS denies that."""

    def __init__(self, world: World) -> None:
        self.broken: list[str] = []
        self.lies: list[NotStarted] = []
        self.started: dict[str, str] = {}  # ARN of an ECS task -> UID of the run that the operator launched it for
        self.is_late = False  # who asks has asked before another leader has: ECS has answered, and starts nothing more
        self._world = world
        self._asked: dict[str, tuple[str, int, Mapping[str, Any]]] = {}  # token -> UID of the run, number, request
        self._launch = world.account.launch
        world.account.launch = self._heard  # type: ignore[method-assign] # nobody else can stand there

    def _heard(self, request: Mapping[str, Any]) -> Launched:
        token = str(request["clientToken"])
        if self.is_late and token in self._world.account.requests:
            return self._launch(request)
        run = next((one for one in self._world.runs() if _launch_of(one).get("token") == token), None)
        if run is None:
            self.broken.append(f"I5: no run tells of {token}")
            return self._launch(request)
        self._judge(run, request)
        known = set(self._world.account.tasks)
        answer = self._launch(request)
        for arn in self._world.account.tasks.keys() - known:
            self._judge_start(run, arn)
            self.started[arn] = run["metadata"]["uid"]
            if self.lies:
                self._world.account.unseen.pop(arn)  # who hears a clear no looks at once, and once only
                return self.lies.pop()
        return answer

    def _judge(self, run: Body, request: Mapping[str, Any]) -> None:
        name, token = run["metadata"]["name"], str(request["clientToken"])
        task = self._world.find(TASKS, run["spec"]["task"])
        is_first = token not in self._asked
        found = [
            *self._i5_as_it_was_frozen(run, request),
            *self._i12_as_the_template_allows(run, request),
            *self._i18_while_it_may_be(run, task),
            *(self._i17_alone(run, task) if is_first and task is not None else ()),
        ]
        self.broken += [f"{what}: {name} {token}" for what in found]

    def _i5_as_it_was_frozen(self, run: Body, request: Mapping[str, Any]) -> list[str]:
        """The run tells of it before ECS is asked, and ECS is asked the same for ever."""
        launch, uid, token = _launch_of(run), run["metadata"]["uid"], str(request["clientToken"])
        broken = []
        if launch.get("taskArn") or launch.get("refused"):
            broken.append("I5: the launch has its answer already")
        if _merged(json.loads(launch["request"]), run["spec"].get("overrides") or {}) != request:
            broken.append("I5: not what was frozen")
        numbers = [number for of, number, _ in self._asked.values() if of == uid]
        before, asked = self._asked.get(token), (uid, launch["number"], request)
        if before is not None and before[0] == uid and before != asked:  # a slot's run may be made anew
            broken.append("I5: not what was sent with the token before")
        self._asked[token] = asked
        if any(number > launch["number"] for number in numbers):
            broken.append("I1: the number of the launch goes back")
        return broken

    def _i12_as_the_template_allows(self, run: Body, request: Mapping[str, Any]) -> list[str]:
        """What the LaunchTemplate says in this moment."""
        spec = self._world.object(TEMPLATES, "default")["spec"]
        overrides = request["overrides"]
        broken = [] if NAMESPACE in spec["namespaces"] else ["I12: not in this namespace"]
        if overrides.get("taskRoleArn") not in {None, *spec.get("taskRoles", {}).values()}:
            broken.append("I12: not with this role")
        if int(overrides.get("cpu", 0)) > spec.get("limits", {}).get("cpu", 1_000_000):
            broken.append("I12: not of this size")
        named = (run["spec"].get("overrides") or {}).get("taskRole")
        if named and named not in spec.get("taskRoles", {}):
            broken.append("I12: the role is not offered")
        return broken

    def _i17_alone(self, run: Body, task: Body) -> list[str]:
        """Under Forbid and Replace: with leave, and while no other run of the task is granted anything."""
        if task["spec"]["concurrencyPolicy"] not in _ALONE:
            return []
        active = {one["name"] for one in task["status"].get("active", ())}
        broken = [] if run["metadata"]["name"] in active else ["I17: without leave"]
        uid = task["metadata"]["uid"]
        for arn, of in self.started.items():
            other = self._world.account.tasks.get(arn)
            if other is None or other["lastStatus"] == "STOPPED" or of == run["metadata"]["uid"]:
                continue
            if environment(other)["BGT_TASK_UID"] == uid:
                broken.append(f"I17: beside {arn}")
        for other_run in self._world.runs():
            status, is_other = other_run["status"], other_run["metadata"]["uid"] != run["metadata"]["uid"]
            is_of_task = other_run["spec"]["task"] == task["metadata"]["name"]
            if is_other and is_of_task and status.get("phase") not in ENDS and _is_outstanding(other_run):
                broken.append(f"I17: {other_run['metadata']['name']} may be started")
        return broken

    def _i18_while_it_may_be(self, run: Body, task: Body | None) -> list[str]:
        """Not after a cancel or a deletion; the first time not after the slot's deadline, and not suspended."""
        broken = ["I18: it is cancelled"] if run["spec"].get("cancel") else []
        if "deletionTimestamp" in run["metadata"]:
            broken.append("I18: it is deleted")
        if task is None or "deletionTimestamp" in task["metadata"]:
            return [*broken, "I18: its task is deleted"]
        slot = _slot_of(run)
        if slot is None or run["status"].get("attempts"):
            return broken
        deadline = task["spec"].get("startingDeadlineSeconds")
        begun = any(_slot_of(one) == slot and _is_started(one, run) for one in self._world.runs())
        if not begun and deadline is not None and self._world.clock() >= slot + timedelta(seconds=deadline):
            broken.append("I18: after startingDeadlineSeconds")
        if task["spec"]["suspend"]:
            broken.append("I18: its task is suspended")
        return broken

    def _judge_start(self, run: Body, arn: str) -> None:
        """I1: what ECS has started for the run before has ended."""
        for other, task in self._world.account.tasks.items():
            if other != arn and task["lastStatus"] != "STOPPED" and _is_of(task, run):
                self.broken.append(f"I1: {run['metadata']['name']} has two tasks, {other} and {arn}")


def all_launches_were_right(witness: Witness) -> None:
    """I1, I5, I12, I17 and I18, each judged as ECS was asked."""
    assert witness.broken == [], witness.broken


def i5_a_frozen_launch_stays_as_it_is(chronicle: Chronicle) -> None:
    """A launch is another one only with another number and another token; its answer is all that changes."""
    for statuses in chronicle.runs.values():
        launches = [status["launch"] for status in statuses if status.get("launch")]
        for before, after in pairwise(launches):
            is_same = before["number"] == after["number"]
            assert is_same or after["number"] == before["number"] + 1, (before, after)
            assert is_same == (before["token"] == after["token"]), (before, after)
            assert not is_same or _asked(before) == _asked(after), (before, after)


def i8_a_tick_is_deleted_after_its_run_is_there(world: World, chronicle: Chronicle, sent: list[Sent]) -> None:
    """A tick that is no longer in the queue has its run, or its slot is accounted for, or its task is gone."""
    kept = {message.id for queue in world.account.queues for message in world.account.messages(queue)}
    staying = {one["metadata"]["uid"]: one for one in world.store.all(TASKS) if _stays(one)}
    for tick in sent:
        if tick.message in kept or tick.uid not in staying or tick.slot <= chronicle.accounted.get(tick.uid, ""):
            continue
        name = run_name(tick.task, _moment(tick.slot))
        assert {name, f"{name}-0"} & chronicle.names, tick


def i19_what_goes_on_is_what_runs_say(world: World, witness: Witness) -> None:
    """At rest the ECS tasks that go on are those of the runs that have not ended, one each."""
    staying = {one["metadata"]["uid"] for one in world.store.all(TASKS) if _stays(one)}
    uids = {one["metadata"]["uid"] for one in world.runs()}
    told = [one["status"].get("taskArn") for one in world.runs() if one["status"].get("phase") not in ENDS]
    going = {
        arn
        for arn, task in world.account.tasks.items()
        if task["desiredStatus"] == "RUNNING"
        and environment(task)["BGT_TASK_UID"] in staying
        and witness.started.get(arn, next(iter(uids), "")) in uids
    }
    counted = [arn for arn in told if arn is not None and arn in going]
    assert sorted(counted) == sorted(going)


def i19_nobody_waits_for_nothing(world: World, *, limit: int | None) -> None:
    """At rest a run has ended, has an ECS task that goes on, or waits for one that has."""
    open_ = [one for one in world.runs() if one["status"].get("phase") not in ENDS]
    executing = [one for one in open_ if _executes(world, one)]
    for run in open_:
        reason, task = run["status"].get("reason"), run["spec"]["task"]
        others = [one for one in executing if one["spec"]["task"] == task and one is not run]
        is_full = limit is not None and len(executing) >= limit
        waits = {
            "ConcurrencyForbidden": bool(others),
            "Replacing": bool(others),
            "SeriesOrder": True,
            "ConcurrentRunsLimit": is_full,
            "TaskNotFound": world.find(TASKS, task) is None,
            "TaskStalled": True,
        }
        assert run in executing or waits.get(reason or "", False), (run["metadata"]["name"], run["status"])


def _executes(world: World, run: Body) -> bool:
    task = world.account.tasks.get(run["status"].get("taskArn") or "")
    return task is not None and task["lastStatus"] != "STOPPED"


def _launch_of(run: Body) -> dict[str, Any]:
    return run["status"].get("launch") or {}


def _is_started(run: Body, before: Body) -> bool:
    """Whether ECS has, or may have, started a task for an item before another: what began in time goes on."""
    launch, is_other = _launch_of(run), run["metadata"]["uid"] != before["metadata"]["uid"]
    is_asked = bool(launch) and not launch.get("refused")
    return is_other and run["spec"]["task"] == before["spec"]["task"] and (is_asked or "attempts" in run["status"])


def _is_outstanding(run: Body) -> bool:
    launch = _launch_of(run)
    return bool(launch) and not launch.get("taskArn") and not launch.get("refused")


def _asked(launch: Mapping[str, Any]) -> tuple[Any, ...]:
    return launch["time"], launch["request"]


def _merged(request: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """What ECS is to be sent for a record, told a second time and otherwise than the operator does it."""
    container = dict(request["overrides"]["containerOverrides"][0])
    variables = [{"name": one["name"], "value": one["value"]} for one in overrides.get("env", ())]
    container["environment"] = variables + container["environment"]
    container |= {"command": overrides["command"]} if overrides.get("command") else {}
    sizes = {key: str(overrides[key]) for key in ("cpu", "memory") if overrides.get(key)}
    return {**request, "overrides": {**request["overrides"], "containerOverrides": [container], **sizes}}


def _is_of(task: Mapping[str, Any], run: Body) -> bool:
    told = environment(dict(task))
    if "BGT_RUN_UID" in told:
        return told["BGT_RUN_UID"] == run["metadata"]["uid"]
    owners = {owner["uid"] for owner in run["metadata"].get("ownerReferences", ())}
    slot = told.get("BGT_SCHEDULED_TIME")
    is_of_task = told["BGT_TASK_UID"] in owners and slot is not None
    return is_of_task and run_name(run["spec"]["task"], _moment(slot or "")) == run["metadata"]["name"]


def _slot_of(run: Body) -> datetime | None:
    """The slot of a run that the operator made for one."""
    time = run["spec"].get("scheduledTime")
    return _moment(time) if time and run["metadata"].get("labels", {}).get("bgtask.dev/trigger") == "schedule" else None


def _moment(text: str) -> datetime:
    at = moment(text)
    assert at is not None
    return at


def _stays(body: Body) -> bool:
    return "deletionTimestamp" not in body["metadata"]
