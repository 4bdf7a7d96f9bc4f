"""What the lives of the workload are made of: moves, steps, and what has to be there after them.

Knows what the statuses of a template and a task promise; which life a task leads, others know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backgroundtask.kube.resource import TASKS, TEMPLATES
from crash.world import NAME, TEMPLATE, CrashWorld
from fixtures.kstatus import kstatus

_START = 1.0  # virtual seconds in which an ECS task comes to run, and in which it is cleared away

Act = Callable[[CrashWorld], None]
Missing = Callable[[CrashWorld], str]


@dataclass(frozen=True, slots=True)
class Move:
    """Something that happens, and what is still missing afterwards: a sentence, empty at the end."""

    act: Act
    missing: Missing


@dataclass(frozen=True, slots=True)
class Step:
    """A named part of the workload; `is_swept`: its writes are struck, one by one."""

    name: str
    moves: tuple[Move, ...]
    is_swept: bool = True


def publish_template(world: CrashWorld) -> None:
    world.api.create(TEMPLATES, world.template)


def move_on(world: CrashWorld) -> None:
    world.aws.advance(_START)


def open_gate(world: CrashWorld) -> None:
    world.gate.touch()


def delete_task(world: CrashWorld) -> None:
    task = world.task()
    assert task is not None
    world.api.delete(TASKS, "default", NAME, task["metadata"]["uid"])


def template_ready(world: CrashWorld) -> str:
    template = world.api.get(TEMPLATES, "", TEMPLATE)
    return unready(template, "the LaunchTemplate")


def ready(world: CrashWorld) -> str:
    task = world.task()
    lack = unready(task, "the task")
    if lack or task is None:
        return lack
    current = task["status"]["taskDefinitionArn"]
    if world.active_revisions() != [current]:
        return f"other revisions than {current} are not retired: {world.active_revisions()}"
    return ""


def created(world: CrashWorld) -> str:
    return ready(world) or counted(world, 1)


def counted(world: CrashWorld, tasks: int) -> str:
    template = world.api.get(TEMPLATES, "", TEMPLATE) or {"status": {}}
    return "" if template["status"].get("tasks") == tasks else f"the LaunchTemplate does not count {tasks} tasks"


def ending(world: CrashWorld) -> str:
    going_on = {task["lastStatus"] for task in world.ecs_tasks()} - {"DEPROVISIONING", "STOPPED"}
    return f"the container is not over: {going_on}" if going_on else ""


def gone(world: CrashWorld) -> str:
    if world.task() or world.task_runs():
        return "the task and its runs are not gone"
    return counted(world, 0)


def unready(body: Mapping[str, Any] | None, what: str) -> str:
    if body is None:
        return f"{what} is not there"
    state = kstatus(body)
    conditions = {one["type"]: one["reason"] for one in body.get("status", {}).get("conditions", [])}
    return "" if state == "Current" and conditions else f"{what} is {state}: {conditions}"


def condition(body: Mapping[str, Any] | None, type_: str, status: str) -> str:
    conditions = (body or {"status": {}})["status"].get("conditions", [])
    found = next((one["status"] for one in conditions if one["type"] == type_), None)
    return "" if found == status else f"{type_} is {found}, not {status}"
