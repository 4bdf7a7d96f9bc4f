"""Reads and validates the input of an operation as botocore's service model describes it.

A shape is compiled once into a function that checks one value and converts it: types, required members, ranges,
lengths, patterns and enumerations. It takes what comes over the wire (timestamps as epoch seconds, blobs as base64) as
well as what Python callers hold (`datetime`, `bytes`). Unknown members and nulls are left out, as AWS does.

Knows nothing of HTTP or of what an operation means; how a violation is worded is in `violations`.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from localaws.contract import AwsError
from localaws.violations import Path, mismatch, path_name, violation

Read = Callable[[Any, Path, list[str]], Any]
"""Checks the value at a path, adds what it violates to the list, and returns it converted."""

_SEPARATORS = r" \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


def compile_pattern(pattern: str) -> re.Pattern[str]:
    r"""Translate a pattern of the service models, which are Java's, to one of Python that must match the whole value.

    Java's `\w` and `\d` are ASCII. Python's `re` has no Unicode categories, but letters, numbers and `_` together are
    its own `\w`, and the separators are few.

    Raises:
        ValueError: the pattern uses a construct that has no translation here.
    """
    translated = pattern.replace(r"\p{L}\p{Z}\p{N}_", r"\w" + _SEPARATORS)
    if r"\p" in translated or r"\P" in translated:
        raise ValueError(f"the pattern {pattern!r} uses a Unicode category that is not translated yet")
    try:
        return re.compile(translated, re.ASCII if translated == pattern else re.UNICODE)
    except re.error as e:
        raise ValueError(f"the pattern {pattern!r} is none in Python: {e}") from e


def compile_input(shape: StructureShape | None) -> Callable[[Any], tuple[dict[str, Any], list[str]]]:
    """Compile an operation's input into a function that returns parameters converted, and what they violate.

    The result raises AwsError SerializationException where a value is not even of the right JSON type.
    """
    if shape is None:
        return lambda _: ({}, [])
    read = _Compiler().compile(shape)

    def read_input(value: Any) -> tuple[dict[str, Any], list[str]]:  # noqa: ANN401  # whatever a client sent
        violations: list[str] = []
        return read(value, None, violations), violations

    return read_input


class _Compiler:
    """Compiles the shapes of one operation; remembers them by name, because shapes may contain themselves."""

    def __init__(self) -> None:
        self._known: dict[str, Read] = {}

    def compile(self, shape: Shape) -> Read:
        known = self._known.get(shape.name)
        if known is not None:
            return known

        def itself(value: Any, path: Path, violations: list[str]) -> Any:  # noqa: ANN401  # as JSON has it
            return self._known[shape.name](value, path, violations)

        self._known[shape.name] = itself
        self._known[shape.name] = read = self._read_of(shape)
        return read

    def _read_of(self, shape: Shape) -> Read:
        match shape:
            case StructureShape():
                return self._structure(shape)
            case ListShape():
                return self._list(shape)
            case MapShape():
                return self._map(shape)
            case _:
                return _scalar(shape)

    def _structure(self, shape: StructureShape) -> Read:
        members = {name: (self.compile(member), path_name(name)) for name, member in shape.members.items()}
        required = [(name, path_name(name)) for name in shape.required_members]

        def read(value: Any, path: Path, violations: list[str]) -> Any:  # noqa: ANN401  # as JSON has it
            if type(value) is not dict:
                raise mismatch(value, "structure")
            result = {}
            for name, item in value.items():
                member = members.get(name)
                if member is not None and item is not None:
                    result[name] = member[0](item, (path, member[1]), violations)
            for name, label in required:
                if name not in result:
                    violations.append(violation(None, (path, label), "Member must not be null"))
            return result

        return read

    def _list(self, shape: ListShape) -> Read:
        read_member = self.compile(shape.member)
        lengths = _lengths(shape)

        def read(value: Any, path: Path, violations: list[str]) -> Any:  # noqa: ANN401  # as JSON has it
            if type(value) not in (list, tuple):
                raise mismatch(value, "list")
            lengths(value, path, violations)
            return [read_member(item, (path, f"{at}.member"), violations) for at, item in enumerate(value, start=1)]

        return read

    def _map(self, shape: MapShape) -> Read:
        read_key, read_value, lengths = self.compile(shape.key), self.compile(shape.value), _lengths(shape)

        def read(value: Any, path: Path, violations: list[str]) -> Any:  # noqa: ANN401  # as JSON has it
            if type(value) is not dict:
                raise mismatch(value, "map")
            lengths(value, path, violations)
            return {
                read_key(key, (path, "key"), violations): read_value(item, (path, f"{key}.member"), violations)
                for key, item in value.items()
                if item is not None
            }

        return read


def _scalar(shape: Shape) -> Read:
    match shape.type_name:
        case "string":
            return _string(shape)
        case "integer" | "long":
            return _number(shape, int)
        case "double" | "float":
            return _number(shape, float)
        case "boolean":
            return _boolean
        case "timestamp":
            return _timestamp
        case "blob":
            return _blob
        case _:
            raise ValueError(f"the shape {shape.name} is of the type {shape.type_name}, which is not read yet")


def _string(shape: Shape) -> Read:
    lengths = _lengths(shape)
    pattern = shape.metadata.get("pattern")
    fits = compile_pattern(pattern).fullmatch if pattern else None
    values = frozenset(shape.metadata.get("enum", ()))
    listed = ", ".join(shape.metadata.get("enum", ()))

    def read(value: Any, path: Path, violations: list[str]) -> Any:  # noqa: ANN401  # as JSON has it
        if type(value) is not str:
            raise mismatch(value, "String")
        lengths(value, path, violations)
        if fits is not None and fits(value) is None:
            violations.append(violation(value, path, f"Member must satisfy regular expression pattern: {pattern}"))
        if values and value not in values:
            violations.append(violation(value, path, f"Member must satisfy enum value set: [{listed}]"))
        return value

    return read


def _number(shape: Shape, kind: type[int | float]) -> Read:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    name = "Integer" if shape.type_name == "integer" else shape.type_name.capitalize()

    def read(value: Any, path: Path, violations: list[str]) -> Any:  # noqa: ANN401  # as JSON has it
        if type(value) not in (int, float):
            raise mismatch(value, name)
        if low is not None and value < low:
            violations.append(violation(value, path, f"Member must have value greater than or equal to {low}"))
        if high is not None and value > high:
            violations.append(violation(value, path, f"Member must have value less than or equal to {high}"))
        try:
            return kind(value)
        except (OverflowError, ValueError):  # 1e999 and NaN, which JSON does not know and Python's reads
            raise mismatch(value, name) from None

    return read


def _boolean(value: Any, _path: Path, _violations: list[str]) -> Any:  # noqa: ANN401  # as JSON has it
    if type(value) is not bool:
        raise mismatch(value, "Boolean")
    return value


def _timestamp(value: Any, _path: Path, _violations: list[str]) -> Any:  # noqa: ANN401  # as JSON has it
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    if type(value) not in (int, float):
        raise mismatch(value, "Timestamp")
    try:
        return dt.datetime.fromtimestamp(value, dt.UTC)
    except (ValueError, OverflowError, OSError) as e:
        raise AwsError("SerializationException", f"{value} is not a moment") from e


def _blob(value: Any, _path: Path, _violations: list[str]) -> Any:  # noqa: ANN401  # as JSON has it
    if isinstance(value, bytes):
        return value
    if type(value) is not str:
        raise mismatch(value, "Blob")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as e:  # binascii.Error, or a character that is not ASCII
        raise AwsError("SerializationException", "a blob is not base64") from e


def _lengths(shape: Shape) -> Callable[[Any, Path, list[str]], None]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is None and high is None:
        return lambda _value, _path, _violations: None

    def check(value: Any, path: Path, violations: list[str]) -> None:  # noqa: ANN401  # whatever has a length
        if low is not None and len(value) < low:
            violations.append(violation(value, path, f"Member must have length greater than or equal to {low}"))
        if high is not None and len(value) > high:
            violations.append(violation(value, path, f"Member must have length less than or equal to {high}"))

    return check
