"""Rules that a JSON schema cannot say, each written once for both of its judges.

A `Rule` holds the CEL expression that the API server evaluates (`x-kubernetes-validations`), its twin in Python for
clusters whose API server evaluates none, and the one message that both give. Tests hold the twins to each other.
Messages say what to change and are static: the API server refuses CRDs whose messages are computed from values of
this length, and a message must never carry a value of env.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

VALIDATIONS = "x-kubernetes-validations"
RULE = "rule"
"""Type of the errors that pydantic collects from here."""
LIST_TYPE = "x-kubernetes-list-type"
LIST_MAP_KEYS = "x-kubernetes-list-map-keys"


@dataclass(frozen=True, slots=True)
class Rule:
    """A sentence about one value; put into `Annotated[...]` for a field, into `Model.rules` for an object.

    `holds` is None for a rule about a change (`oldSelf`): a model never sees two versions of an object.
    `field` is the camelCase path below the value that is to blame, where that is not the value as a whole.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool] | None = None
    field: str = ""

    def check(self, value: Any) -> Any:  # noqa: ANN401 - any field, unchanged
        """Return the value, or raise what pydantic collects into its ValidationError."""
        if self.holds is not None and not self.holds(value):
            raise PydanticCustomError(RULE, "{message}", {"message": self.message, "field": self.field})
        return value

    def as_schema(self) -> dict[str, str]:
        """Return the entry of `x-kubernetes-validations`."""
        blamed = {"fieldPath": f".{self.field}"} if self.field else {}
        return {"rule": self.cel, "message": self.message, **blamed}

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler(schema)
        return {**described, VALIDATIONS: [*described.get(VALIDATIONS, ()), self.as_schema()]}


def cel_string(text: str) -> str:
    """Quote a text as a CEL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def shaped(pattern: str, message: str) -> Rule:
    """Return the rule that the whole text matches `pattern`, which both RE2 and `re` read alike."""
    whole = re.compile(pattern)
    return Rule(
        cel=f"self.matches({cel_string(f'^(?:{pattern})$')})",
        message=message,
        holds=lambda text: whole.fullmatch(text) is not None,
    )


def immutable(field: str, kind: str) -> Rule:
    """Return the rule that a value never changes; for an optional field, `never_added_or_removed` belongs to it."""
    return Rule(cel="self == oldSelf", message=f"{field} is immutable: create a new {kind}")


def never_added_or_removed(field: str, kind: str) -> Rule:
    """Return the rule on the object around an optional immutable field.

    The API server skips `self == oldSelf` where either side is absent.
    """
    return Rule(
        cel=f"has(self.{field}) == has(oldSelf.{field})",
        message=f"{field} is immutable and cannot be added or removed: create a new {kind}",
    )


@dataclass(frozen=True, slots=True)
class Unique:
    """A list whose items differ: a set, or with `key` a map by that camelCase member.

    The API server checks it without CEL, and merges the lists of several server-side appliers item by item.
    """

    key: str = ""

    def check(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the items, or raise what pydantic collects into its ValidationError."""
        if len(set(self._identities(items))) == len(items):
            return items
        what = f"the same {self.key}" if self.key else "the same value"
        raise PydanticCustomError(RULE, "{message}", {"message": f"two items have {what}: keep one", "field": ""})

    def _identities(self, items: tuple[Any, ...]) -> Iterator[object]:
        for item in items:
            yield item.wire()[self.key] if self.key else item

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        if not self.key:
            return {**handler(schema), LIST_TYPE: "set"}
        return {**handler(schema), LIST_TYPE: "map", LIST_MAP_KEYS: [self.key]}
