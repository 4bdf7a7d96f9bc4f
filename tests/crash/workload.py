"""What a user does to one task in its life, step by step, and what has to be there before the next step.

Knows a task's spec and what its status promises. The slots of its schedule come when the clock of AWS is moved to them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from backgroundtask.api.names import API_VERSION, FINALIZER, TASK_KIND
from backgroundtask.kube.resource import TASKS, Ref
from crash.steps import (
    Act,
    Missing,
    Move,
    Step,
    condition,
    created,
    delete_task,
    ending,
    gone,
    move_on,
    open_gate,
    publish_template,
    ready,
    template_ready,
    unready,
)
from crash.world import IMAGES, NAME, OWNER, CrashWorld

SLOT_MINUTES = 30
HALF_HOURLY = f"*/{SLOT_MINUTES} * * * *"
EITHER_DAY = "0 3 1 * 1"
"""The first of the month or a Monday: two schedules."""
_AFTER_SLOT = 0.05  # virtual seconds: the ECS task is provisioned, and its start still to come


def _create(world: CrashWorld) -> None:
    spec = {
        "image": IMAGES[0],
        "cpu": 256,
        "memory": 512,
        "env": [{"name": "REGION", "value": "emea"}],
        "cron": EITHER_DAY,
        "failedRunsHistoryLimit": 1,
    }
    body = {
        "apiVersion": API_VERSION,
        "kind": TASK_KIND,
        "metadata": {"name": NAME, "namespace": "default"},
        "spec": spec,
    }
    world.api.create(TASKS, body)


def _edit(**spec: object) -> Act:
    def edit(world: CrashWorld) -> None:
        task = world.task()
        assert task is not None
        world.api.patch(Ref.of(TASKS, task), {"spec": spec})

    return edit


def _reach_slot(world: CrashWorld) -> None:
    """Move the clock just beyond the next slot."""
    world.gate.unlink(missing_ok=True)
    now = world.now_in_aws()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    period = dt.timedelta(minutes=SLOT_MINUTES)
    slot = midnight + ((now - midnight) // period + 1) * period
    world.slots.append(slot)
    world.aws.advance((slot - now).total_seconds() + _AFTER_SLOT)


def _scheduled(*, halves: int) -> Missing:
    def missing(world: CrashWorld) -> str:
        listed = world.client("scheduler").list_schedules(GroupName=f"bgt-{OWNER.installation}")["Schedules"]
        return ready(world) or ("" if len(listed) == halves else f"there are not {halves} schedules, but {len(listed)}")

    return missing


def _is_scheduled(*, status: str) -> Missing:
    def missing(world: CrashWorld) -> str:
        return ready(world) or condition(world.task(), "Scheduled", status)

    return missing


def _run_is(*phases: str) -> Missing:
    def missing(world: CrashWorld) -> str:
        task = world.task()
        last = [run for run in world.task_runs() if _slot(run) == world.slots[-1]]
        told = [run.get("status", {}).get("phase") for run in last]
        if len(told) != 1 or told[0] not in phases:
            return f"the run of the slot is {told}, not one of {phases}"
        return unready(task, "the task") or _told_of(task or {}, last[0])

    return missing


def _told_of(task: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """The task's status speaks of the run as the run does of itself."""
    name, phase, status = run["metadata"]["name"], run["status"]["phase"], task["status"]
    active = [one["name"] for one in status.get("active", [])]
    if phase not in {"Succeeded", "Failed"}:
        return "" if active == [name] else f"run {name} is not told as active"
    if FINALIZER in run["metadata"].get("finalizers", []):
        return f"run {name} is still held"
    last = status.get("lastRun", {})
    return "" if (last.get("name"), last.get("phase"), active) == (name, phase, []) else f"run {name} is not the last"


def _pruned(world: CrashWorld) -> str:
    runs = [run["metadata"]["name"] for run in world.task_runs()]
    return ready(world) or (f"runs are not pruned: {runs}" if runs else "")


def _slot(run: Mapping[str, Any]) -> dt.datetime:
    return dt.datetime.fromisoformat(run["spec"]["scheduledTime"])


_LAUNCH = (Move(_reach_slot, _run_is("Pending", "Launching", "Running")), Move(move_on, _run_is("Running")))

WORKLOAD: tuple[Step, ...] = (
    Step("template", (Move(publish_template, template_ready),)),
    Step("create", (Move(_create, created),)),
    Step("image", (Move(_edit(image=IMAGES[1]), ready),)),
    Step("cron", (Move(_edit(cron=HALF_HOURLY), _scheduled(halves=1)),)),
    Step("suspend", (Move(_edit(suspend=True), _is_scheduled(status="False")),)),
    Step("resume", (Move(_edit(suspend=False), _is_scheduled(status="True")),)),
    Step("launch", _LAUNCH),
    Step("end", (Move(open_gate, ending), Move(move_on, _run_is("Failed")))),
    Step("history", (Move(_edit(failedRunsHistoryLimit=0), _pruned),)),
    Step("active", _LAUNCH),
    Step("delete", (Move(delete_task, gone), Move(move_on, gone))),
)
"""The whole life; each step leaves the world at rest."""
