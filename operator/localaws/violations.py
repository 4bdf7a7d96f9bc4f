"""How AWS's own framework words what is wrong with an input.

Knows words only. Reported from many public logs: "1 validation error detected: Value … at … failed to satisfy
constraint: Member must …", and "STRING_VALUE cannot be converted to Integer". Assumed: how a list or a structure is
quoted, and the words for a structure or a list where a scalar belongs.
"""

from __future__ import annotations

from typing import Any

from localaws.contract import AwsError

Path = tuple[Any, str] | None
"""Where a value is: the path around it and its own name. Linked, because nearly no path is ever told."""

_TOKENS = {str: "STRING_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE", type(None): "NULL_VALUE"}


def describe(violations: list[str]) -> str:
    """Say all violations in AWS's one sentence."""
    noun = "error" if len(violations) == 1 else "errors"
    return f"{len(violations)} validation {noun} detected: {'; '.join(violations)}"


def violation(value: object, path: Path, constraint: str) -> str:
    """One violation: the value, where it is, and what it had to be."""
    names = []
    while path is not None:
        path, name = path
        names.append(name)
    quoted = "null" if value is None else f"'{_java(value)}'"
    return f"Value {quoted} at '{'.'.join(reversed(names))}' failed to satisfy constraint: {constraint}"


def _java(value: object) -> str:
    match value:
        case list() | tuple():
            return f"[{', '.join(map(_java, value))}]"
        case dict():
            return "{" + ", ".join(f"{key}={_java(item)}" for key, item in value.items()) + "}"
        case _:
            return str(value)


def path_name(member: str) -> str:
    """What a member is called in a path: the Java field's name."""
    return member[:1].lower() + member[1:]


def mismatch(value: object, wanted: str) -> AwsError:
    """The answer to a value of the wrong JSON type."""
    match value:
        case dict():
            message = "Start of structure or map found where not expected"
        case list() | tuple():
            message = "Start of list found where not expected"
        case bool():
            message = f"{str(value).upper()}_VALUE cannot be converted to {wanted}"
        case _:
            message = f"{_TOKENS.get(type(value), type(value).__name__)} cannot be converted to {wanted}"
    return AwsError("SerializationException", message)
