"""The part of JSONPath that EventBridge has: `$.detail.items[0].id`, `$.detail['a b']`, `$.resources[*]`.

Documented: EventBridge User Guide, "Amazon EventBridge input transformation": dot notation, dashes, underscores,
alphanumeric characters, array indices, wildcards, slashes. Pure.
"""

from __future__ import annotations

import re
from typing import Any

from localaws.contract import Params

MISSING = object()
"""What a path finds that leads nowhere."""

_STEP = re.compile(r"\.(?P<name>[\w/-]+)|\[(?P<index>\d+)\]|\['(?P<quoted>[^']+)'\]|(?P<wild>\.\*|\[\*\])", re.ASCII)
_PATH = re.compile(rf"\$(?:{_STEP.pattern})*".replace("?P<", "?P<_"), re.ASCII)


def is_path(text: str) -> bool:
    """Whether a text is a path that is understood here."""
    return _PATH.fullmatch(text) is not None


def find(event: Params, path: str) -> Any:  # noqa: ANN401  # whatever an event holds
    """The value at a path, MISSING where there is none; of a wildcard the list of all values that there are."""
    if not is_path(path):
        return MISSING
    values, many = [event], False
    for step in _STEP.finditer(path.removeprefix("$")):
        many = many or step["wild"] is not None
        values = [found for value in values for found in _take(value, step)]
    if many:
        return values
    return values[0] if values else MISSING


def _take(value: Any, step: re.Match[str]) -> list[Any]:  # noqa: ANN401  # whatever an event holds
    if step["wild"]:
        return _all(value)
    if step["index"]:
        return value[int(step["index"]) :][:1] if isinstance(value, list) else []
    name = step["name"] or step["quoted"]
    return [value[name]] if isinstance(value, dict) and name in value else []


def _all(value: Any) -> list[Any]:  # noqa: ANN401  # whatever an event holds
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
