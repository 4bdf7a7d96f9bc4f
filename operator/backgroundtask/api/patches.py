"""The difference between two JSON objects, as the merge patch (RFC 7386) that leads from one to the other."""

import json
from collections.abc import Mapping

from pydantic import JsonValue


def merge_patch(before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The members that differ; None removes one, lists are replaced whole. Empty where nothing differs.

    `after` holds no member that is None: a merge patch cannot say it.
    """
    patch: dict[str, JsonValue] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            inner = merge_patch(old, value)
            patch |= {key: inner} if inner else {}
        elif not _is_same(old, value):
            patch[key] = value
    return patch


def _is_same(one: JsonValue, other: JsonValue) -> bool:
    """Python's `==` takes true for 1 and false for 0; JSON does not."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
