"""Event patterns: compiles one from JSON and tells whether an event matches it.

Pure. Source: "Comparison operators for use in event patterns", Amazon EventBridge User Guide. Numbers match exactly
only in the same notation (300 is not 300.0); an event's array matches if one of its elements does.
"""

from __future__ import annotations

import ipaddress
import json
import operator
import re
from collections.abc import Callable
from typing import Any

Match = Callable[[Any], bool]
"""Whether one value of an event matches; `ABSENT` stands for a key that is not there."""

ABSENT = object()

_COMPARISONS = {"<": operator.lt, "<=": operator.le, "=": operator.eq, ">=": operator.ge, ">": operator.gt}


class InvalidPatternError(Exception):
    """The pattern is none; the text is the reason, as EventBridge words it."""


def compile_pattern(text: str) -> Match:
    """Compile a pattern from JSON text into a function of the whole event.

    Raises:
        InvalidPatternError: it is no pattern.
    """
    try:
        pattern = json.loads(text)
    except ValueError as e:
        raise InvalidPatternError(f"Invalid JSON: {e}") from e
    if not isinstance(pattern, dict):
        raise InvalidPatternError("Filter is not an object")
    if not pattern:
        raise InvalidPatternError("Empty patterns are not allowed")
    return _object(pattern)


def _object(pattern: dict[str, Any]) -> Match:
    alternatives = [_alternatives(value) for key, value in pattern.items() if key == "$or"]
    members = [(key, _member(key, value)) for key, value in pattern.items() if key != "$or"]

    def match(value: Any) -> bool:  # noqa: ANN401  # whatever an event holds
        if isinstance(value, list):
            return any(match(item) for item in value)
        known = value if isinstance(value, dict) else {}
        return all(member(known.get(key, ABSENT)) for key, member in members) and all(
            any(alternative(known) for alternative in group) for group in alternatives
        )

    return match


def _alternatives(value: Any) -> list[Match]:  # noqa: ANN401  # whatever a pattern holds
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(item, dict) and item for item in value):  # noqa: PLR2004  # one alternative is none
        raise InvalidPatternError('"$or" must be an array of at least two objects')
    return [_object(item) for item in value]


def _member(key: str, value: Any) -> Match:  # noqa: ANN401  # whatever a pattern holds
    if isinstance(value, dict):
        if not value:
            raise InvalidPatternError("Empty objects are not allowed")
        return _object(value)
    if not isinstance(value, list):
        raise InvalidPatternError(f'"{key}" must be an object or an array')
    if not value:
        raise InvalidPatternError("Empty arrays are not allowed")
    tests = [_test(item) for item in value]

    def match(found: Any) -> bool:  # noqa: ANN401  # whatever an event holds
        values = found if isinstance(found, list) and found else [found]
        return any(test(item) for test in tests for item in values)

    return match


def _test(item: Any) -> Match:  # noqa: ANN401  # whatever a pattern holds
    if isinstance(item, list):
        raise InvalidPatternError("Arrays cannot be nested")
    if not isinstance(item, dict):
        return _equals(item)
    if len(item) != 1:
        raise InvalidPatternError("Only one key allowed in match expression")
    name, argument = next(iter(item.items()))
    try:
        return _OPERATORS[name](argument)
    except KeyError:
        raise InvalidPatternError(f"Unrecognized match type {name}") from None


def _equals(wanted: Any) -> Match:  # noqa: ANN401  # any JSON scalar
    return lambda value: type(value) is type(wanted) and value == wanted


def _text(name: str, argument: Any, test: Callable[[str, str], bool]) -> Match:  # noqa: ANN401  # whatever a pattern holds
    if isinstance(argument, dict) and list(argument) == ["equals-ignore-case"]:
        inner = _string(name, argument["equals-ignore-case"]).casefold()
        return lambda value: isinstance(value, str) and test(value.casefold(), inner)
    wanted = _string(name, argument)
    return lambda value: isinstance(value, str) and test(value, wanted)


def _prefix(argument: Any) -> Match:  # noqa: ANN401  # whatever a pattern holds
    return _text("prefix", argument, str.startswith)


def _suffix(argument: Any) -> Match:  # noqa: ANN401  # whatever a pattern holds
    return _text("suffix", argument, str.endswith)


def _equals_ignore_case(argument: Any) -> Match:  # noqa: ANN401  # whatever a pattern holds
    wanted = _string("equals-ignore-case", argument).casefold()
    return lambda value: isinstance(value, str) and value.casefold() == wanted


def _wildcard(argument: Any) -> Match:  # noqa: ANN401  # whatever a pattern holds
    wanted = _string("wildcard", argument)
    if "**" in wanted:
        raise InvalidPatternError("Consecutive wildcard characters are not allowed")
    if re.search(r"\\(?![*\\])", re.sub(r"\\[*\\]", "", wanted)):
        raise InvalidPatternError("Invalid escape character in wildcard")
    pieces = re.findall(r"\\[*\\]|.", wanted, re.DOTALL)
    pattern = "".join(".*" if piece == "*" else re.escape(piece[-1]) for piece in pieces)
    fits = re.compile(pattern, re.DOTALL).fullmatch
    return lambda value: isinstance(value, str) and fits(value) is not None


def _exists(argument: Any) -> Match:  # noqa: ANN401  # whatever a pattern holds
    if not isinstance(argument, bool):
        raise InvalidPatternError("exists match pattern must be either true or false.")
    return lambda value: (value is not ABSENT and not isinstance(value, dict)) is argument


def _numeric(argument: Any) -> Match:  # noqa: ANN401  # whatever a pattern holds
    if not isinstance(argument, list) or len(argument) not in (2, 4):
        raise InvalidPatternError("Value of numeric must be an array of one or two comparisons")
    pairs = list(zip(argument[::2], argument[1::2], strict=True))
    for sign, bound in pairs:
        if sign not in _COMPARISONS or not _is_number(bound):
            raise InvalidPatternError(f"Unrecognized numeric range operator: {sign}")
    return lambda value: _is_number(value) and all(_COMPARISONS[sign](value, bound) for sign, bound in pairs)


def _cidr(argument: Any) -> Match:  # noqa: ANN401  # whatever a pattern holds
    try:
        network = ipaddress.ip_network(_string("cidr", argument), strict=False)
    except ValueError as e:
        raise InvalidPatternError(f"Malformed CIDR: {e}") from e

    def match(value: Any) -> bool:  # noqa: ANN401  # whatever an event holds
        try:
            return isinstance(value, str) and ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return match


def _anything_but(argument: Any) -> Match:  # noqa: ANN401  # whatever a pattern holds
    if isinstance(argument, dict):
        if len(argument) != 1 or next(iter(argument)) not in _NEGATABLE:
            raise InvalidPatternError(f"anything-but takes {', '.join(_NEGATABLE)}, a scalar or a list")
        name, inner = next(iter(argument.items()))
        tests = [_NEGATABLE[name](item) for item in (inner if isinstance(inner, list) else [inner])]
    else:
        values = argument if isinstance(argument, list) else [argument]
        if not values or not all(isinstance(item, str) or _is_number(item) for item in values):
            raise InvalidPatternError("Inside anything but list, only strings and numbers are allowed")
        tests = [_equals(item) for item in values]
    return lambda value: value is not ABSENT and not isinstance(value, dict) and not any(test(value) for test in tests)


def _string(name: str, argument: Any) -> str:  # noqa: ANN401  # whatever a pattern holds
    if not isinstance(argument, str) or not argument:
        raise InvalidPatternError(f"{name} match pattern must be a non-empty string")
    return argument


def _is_number(value: Any) -> bool:  # noqa: ANN401  # whatever an event holds
    return type(value) in (int, float)


_NEGATABLE: dict[str, Callable[[Any], Match]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
}
_OPERATORS: dict[str, Callable[[Any], Match]] = {
    **_NEGATABLE,
    "anything-but": _anything_but,
    "exists": _exists,
    "numeric": _numeric,
    "cidr": _cidr,
}
