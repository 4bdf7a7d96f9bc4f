"""What a user does with runs: asks for them, lets one fail and be tried again, replaces, cancels and deletes them.

Knows a task that runs on demand only, and what the statuses of its runs promise. Its containers end when the gate of
their world opens.
"""

from __future__ import annotations

from typing import Any, Final

from backgroundtask.api.names import API_VERSION, FINALIZER, RUN_KIND, TASK_KIND
from backgroundtask.kube.resource import RUNS, TASKS, Ref
from crash.steps import (
    Act,
    Missing,
    Move,
    Step,
    counted,
    created,
    delete_task,
    ending,
    move_on,
    open_gate,
    publish_template,
    template_ready,
)
from crash.world import IMAGES, NAME, CrashWorld

_SECRET = "sesame"
"""The value of an overridden variable: no status may hold it."""


def _create(world: CrashWorld) -> None:
    spec = {"image": IMAGES[0], "cpu": 256, "memory": 512, "backoffLimit": 1, "concurrencyPolicy": "Replace"}
    limits = {"failedRunsHistoryLimit": 10, "successfulRunsHistoryLimit": 10}
    body = {
        "apiVersion": API_VERSION,
        "kind": TASK_KIND,
        "metadata": {"name": NAME, "namespace": "default"},
        "spec": spec | limits,
    }
    world.api.create(TASKS, body)


def _ask(name: str) -> Act:
    def ask(world: CrashWorld) -> None:
        world.gate.unlink(missing_ok=True)
        body = {
            "apiVersion": API_VERSION,
            "kind": RUN_KIND,
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"task": NAME, "overrides": {"env": [{"name": "WORD", "value": _SECRET}]}},
        }
        world.api.create(RUNS, body)

    return ask


def _close_gate_and_move_on(world: CrashWorld) -> None:
    world.gate.unlink(missing_ok=True)
    move_on(world)


def _cancel(name: str) -> Act:
    def cancel(world: CrashWorld) -> None:
        world.api.patch(Ref.of(RUNS, _found(world, name)), {"spec": {"cancel": True}})

    return cancel


def _delete(name: str) -> Act:
    def delete(world: CrashWorld) -> None:
        world.api.delete(RUNS, "default", name, _found(world, name)["metadata"]["uid"])

    return delete


def _found(world: CrashWorld, name: str) -> dict[str, Any]:
    run = world.api.get(RUNS, "default", name)
    assert run is not None, f"run {name} is not there"
    return run


def _is(name: str, *phases: str, reason: str = "", attempts: int = 1) -> Missing:
    """A run is in one of these phases, with that many ECS tasks, and its task tells the same of it."""

    def missing(world: CrashWorld) -> str:
        run = world.api.get(RUNS, "default", name) or {"metadata": {}, "status": {}}
        status = run.get("status", {})
        if status.get("phase") not in phases or (reason and status.get("reason") != reason):
            return f"run {name} is {status.get('phase')} ({status.get('reason')}), not one of {phases} {reason}"
        if len(status.get("attempts", [])) != attempts:
            return f"run {name} has {len(status.get('attempts', []))} attempts, not {attempts}"
        return _told(world, name, is_active="completionTime" not in status) or _held(run)

    return missing


def _told(world: CrashWorld, name: str, *, is_active: bool) -> str:
    active = [one["name"] for one in (world.task() or {"status": {}})["status"].get("active", [])]
    return "" if (name in active) == is_active else f"the task tells {active} as active, and of {name} not as it is"


def _held(run: dict[str, Any]) -> str:
    is_held, has_ended = FINALIZER in run["metadata"].get("finalizers", []), "completionTime" in run["status"]
    return f"run {run['metadata']['name']} is still held" if is_held and has_ended else ""


def _vanished(name: str) -> Missing:
    def missing(world: CrashWorld) -> str:
        if world.api.get(RUNS, "default", name):
            return f"run {name} is still there"
        return _told(world, name, is_active=False)

    return missing


def _asked_to_stop(name: str) -> Missing:
    def missing(world: CrashWorld) -> str:
        return "" if _found(world, name).get("status", {}).get("stop") else f"run {name} is not to be stopped"

    return missing


def _parted(world: CrashWorld) -> str:
    """The task is gone; what people made themselves stays, and has ended."""
    run = _found(world, "last")
    if world.task() is not None or "completionTime" not in run.get("status", {}):
        return "the task is not gone, or its last run has not ended"
    return _held(run) or counted(world, 0)


def _both(*lacks: Missing) -> Missing:
    return lambda world: next(filter(None, (lack(world) for lack in lacks)), "")


def _reach(name: str, *phases: str) -> tuple[Move, ...]:
    return Move(_ask(name), _is(name, "Launching", "Running")), Move(move_on, _is(name, *phases))


RUNS_WORKLOAD: Final[tuple[Step, ...]] = (
    Step("run-template", (Move(publish_template, template_ready),)),
    Step("run-task", (Move(_create, created),)),
    Step("ask", _reach("asked", "Running")),
    Step(
        "retry",
        (
            Move(open_gate, ending),
            Move(_close_gate_and_move_on, _is("asked", "Running", attempts=2)),
            Move(move_on, _is("asked", "Running", attempts=2)),
        ),
    ),
    Step(
        "give-up",
        (
            Move(open_gate, ending),
            Move(move_on, _is("asked", "Failed", reason="BackoffLimitExceeded", attempts=2)),
        ),
    ),
    Step("older", _reach("older", "Running"), is_swept=False),
    Step(
        "replace",
        (
            Move(_ask("newer"), _both(_asked_to_stop("older"), ending)),
            Move(
                move_on,
                _both(_is("older", "Cancelled", reason="Replaced"), _is("newer", "Launching", "Running")),
            ),
            Move(move_on, _is("newer", "Running")),
        ),
    ),
    Step(
        "cancel",
        (
            Move(_cancel("newer"), _both(_asked_to_stop("newer"), ending)),
            Move(move_on, _is("newer", "Cancelled", reason="Cancelled")),
        ),
    ),
    Step(
        "drop", (*_reach("dropped", "Running"), Move(_delete("dropped"), ending), Move(move_on, _vanished("dropped")))
    ),
    Step("last", _reach("last", "Running"), is_swept=False),
    Step("run-delete", (Move(delete_task, _parted), Move(move_on, _parted))),
)
"""Each step leaves the world at rest. How a launch goes is swept once, in `ask`."""
