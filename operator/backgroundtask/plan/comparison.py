"""What differs between what AWS holds and what is wanted, member by member, for people to read before they apply.

ECS adds defaults and forgets orders, so only what a definition of ours can say is compared. Values of env are compared
and never told: of a variable only its name is. Pure; decides nothing (`changes` does).
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backgroundtask.api.names import MAIN_CONTAINER, TAG_PREFIX
from backgroundtask.plan.definition import Definition
from backgroundtask.plan.schedule import Schedule

VARIABLES: Final = "env."
"""What the paths of variables begin with."""
UNTOLD: Final = "…"
"""What stands for a value that is not told."""
_DEFINITION: Final = {
    "cpu": "cpu",
    "memory": "memory",
    "taskRoleArn": "taskRole",
    "executionRoleArn": "executionRole",
    "ephemeralStorage": "ephemeralStorage",
    "runtimePlatform": "runtimePlatform",
}
_CONTAINER: Final = {
    "image": "image",
    "command": "command",
    "entryPoint": "entryPoint",
    "stopTimeout": "stopTimeout",
    "linuxParameters": "linuxParameters",
    "repositoryCredentials": "repositoryCredentials",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One member. None is absent; both sides are `…` where the values differ and may not be told."""

    path: str
    before: str | None
    after: str | None


def of_definitions(held: Mapping[str, Any], wanted: Definition) -> tuple[Difference, ...]:
    """What a new revision has otherwise than one that ECS describes (with its tags), by path."""
    before, after = _members(held), _members(wanted.to_ecs())
    return tuple(_hidden(one) for one in _compared(before, after))


def of_schedules(held: Schedule, wanted: Schedule) -> tuple[Difference, ...]:
    """What a schedule will have otherwise, by path; the members of the RunTask request under `request`."""
    return tuple(_compared(_parts(held), _parts(wanted)))


def _compared(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[Difference]:
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            yield Difference(path, before.get(path), after.get(path))


def _hidden(one: Difference) -> Difference:
    if not one.path.startswith(VARIABLES):
        return one
    return Difference(one.path, one.before and UNTOLD, one.after and UNTOLD)


def _members(document: Mapping[str, Any]) -> dict[str, str]:
    """What a definition of ours can say, by path; each variable, secret, volume, mount and tag is one of its own."""
    containers = document["containerDefinitions"]
    container: Mapping[str, Any] = next((one for one in containers if one.get("name") == MAIN_CONTAINER), {})
    options = container.get("logConfiguration", {}).get("options", {})
    tags = {one["key"]: one.get("value", "") for one in document.get("tags", ())}
    return {
        **_named(document, _DEFINITION),
        **_named(container, _CONTAINER),
        # A variable may be empty, and an empty one is not an absent one.
        **{f"{VARIABLES}{one['name']}": f"={one.get('value', '')}" for one in container.get("environment", ())},
        **{f"secrets.{one['name']}": one["valueFrom"] for one in container.get("secrets", ())},
        **_listed("volumes", document.get("volumes", ()), lambda one: one["name"]),
        **_listed("mountPoints", container.get("mountPoints", ()), lambda one: one["containerPath"]),
        **{f"logs.{name}": value for name, value in options.items()},
        **{f"tags.{key}": value for key, value in tags.items() if not key.startswith(TAG_PREFIX)},
    }


def _named(document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    return {name: _text(document[member]) for member, name in names.items() if document.get(member)}


def _listed(path: str, items: Iterable[Mapping[str, Any]], name: Callable[[Mapping[str, Any]], str]) -> dict[str, str]:
    return {f"{path}.{name(one)}": _text(one) for one in items}


def _parts(schedule: Schedule) -> dict[str, str]:
    """The members of a schedule by path. Whose it is, and what it is called, never differs here."""
    told = {
        "expression": schedule.expression,
        "timeZone": schedule.time_zone,
        "enabled": schedule.enabled,
        "launch": "Queue" if schedule.ticks else "Direct",
        "ticks": schedule.ticks,
        "role": schedule.role,
        "deadLetters": schedule.dead_letters,
        "maximumAge": schedule.maximum_age,
        "retained": schedule.retained or None,
        "uid": schedule.uid,
        "target": "edited by somebody" if schedule.edited_target is not None else None,
        **_flat("request", schedule.request),
    }
    return {path: _text(value) for path, value in told.items() if value is not None}


def _flat(path: str, value: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{path}.{name}": member for name, member in value.items()}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
