"""Models to structural schemas: JSON Schema as far as Kubernetes takes it, and no further.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
pydantic's own output is refused by the API server. What has an equal there is translated; everything else stops the
generation with `NotStructuralError`, as does a field without a description or a value without a bound: `kubectl
explain` answers for every field, and the API server prices CEL rules by the bounds.
"""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from backgroundtask.api.rules import LIST_MAP_KEYS, LIST_TYPE, VALIDATIONS

Schema = dict[str, Any]

MAP_TYPE: Final = "x-kubernetes-map-type"
INT_OR_STRING: Final = "x-kubernetes-int-or-string"

# In the order in which they are written.
_KEPT: Final = (
    "description",
    "type",
    "format",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "anyOf",
    "required",
    "properties",
    "items",
    "additionalProperties",
    INT_OR_STRING,
    LIST_TYPE,
    LIST_MAP_KEYS,
    MAP_TYPE,
    VALIDATIONS,
)
_SAYS_NOTHING: Final = frozenset({"title", "$defs", "examples"})


class NotStructuralError(TypeError):
    """A model says something that a CRD cannot; the path tells where."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")


class _Generator(GenerateJsonSchema):
    """What is easier to translate while pydantic's own schema is at hand."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        # Absent is how Kubernetes says null: the API server prunes nulls of fields that are not nullable.
        return self.generate_inner(schema["schema"])

    def union_schema(self, schema: core_schema.UnionSchema) -> JsonSchemaValue:
        choices = [choice[0] if isinstance(choice, tuple) else choice for choice in schema["choices"]]
        if {choice["type"] for choice in choices} == {"int", "str"}:
            return {INT_OR_STRING: True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
        raise NotStructuralError(str(schema.get("ref", "union")), "a union: use one object with optional members")

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        raise NotStructuralError(str(schema["discriminator"]), "a tagged union: use one object with optional members")

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        if described.get("default", 0) in (None, [], {}):
            return {key: value for key, value in described.items() if key != "default"}
        return described


def structural(model: type[BaseModel], *, defaults: bool = True) -> Schema:
    """Return the schema of a model, by alias and without references.

    `defaults=False` leaves defaults out: in a status, what nobody wrote is absent.
    """
    whole = model.model_json_schema(by_alias=True, schema_generator=_Generator)
    return _Translation(whole.get("$defs", {}), defaults=defaults).of(whole, path=model.__name__)


class _Translation:
    """One walk over a schema: references put in, keywords translated, ordered and checked."""

    def __init__(self, definitions: Schema, *, defaults: bool) -> None:
        self._definitions = definitions
        self._defaults = defaults
        self._open: list[str] = []
        self._in_items = 0

    def of(self, schema: Schema, *, path: str) -> Schema:
        if "$ref" in schema:
            return self._referred(schema, path)
        translated = self._with_children(_equals(schema, path), path)
        if not self._defaults:
            translated.pop("default", None)
        _refuse_unknown(translated, path)
        _refuse_unbounded(translated, path)
        self._refuse_default(translated, path)
        kept = [key for key in _KEPT if key in translated]
        return {key: _in_order(translated[key]) if key == VALIDATIONS else translated[key] for key in kept}

    def _referred(self, schema: Schema, path: str) -> Schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        if name in self._open:
            raise NotStructuralError(path, f"{name} contains itself")
        self._open.append(name)
        around = {key: value for key, value in schema.items() if key != "$ref"}
        translated = self.of({**self._definitions[name], **around}, path=path)
        self._open.pop()
        return translated

    def _with_children(self, schema: Schema, path: str) -> Schema:
        if "properties" in schema:
            schema["properties"] = {name: self._field(s, f"{path}.{name}") for name, s in schema["properties"].items()}
        if "additionalProperties" in schema:
            schema["additionalProperties"] = self._item(schema["additionalProperties"], f"{path}[*]")
        if "items" in schema:
            schema["items"] = self._item(schema["items"], f"{path}[]")
        return schema

    def _field(self, schema: Schema, path: str) -> Schema:
        translated = self.of(schema, path=path)
        if not translated.get("description"):
            raise NotStructuralError(path, "no description")
        return translated

    def _item(self, schema: object, path: str) -> Schema:
        if not isinstance(schema, dict) or not schema:
            raise NotStructuralError(path, "any value at all: give the items a type")
        self._in_items += 1
        translated = self.of(schema, path=path)
        self._in_items -= 1
        return translated

    def _refuse_default(self, schema: Schema, path: str) -> None:
        if "default" not in schema:
            return
        if isinstance(schema["default"], dict | list):
            raise NotStructuralError(path, "a default that is not a scalar")
        if self._in_items:
            # Lists compare whole: GitOps tools would show the default as drift.
            raise NotStructuralError(path, "a default inside a list item")


def _in_order(rules: list[Schema]) -> list[Schema]:
    return [{key: rule[key] for key in ("rule", "message", "fieldPath") if key in rule} for rule in rules]


def _equals(schema: Schema, path: str) -> Schema:
    """Return the schema with each keyword that has an equal in Kubernetes replaced by it."""
    translated = {key: value for key, value in schema.items() if key not in _SAYS_NOTHING}
    if "const" in translated:
        translated["enum"] = [translated.pop("const")]
    if "exclusiveMinimum" in translated:
        translated["minimum"] = translated.pop("exclusiveMinimum") + 1
    if "exclusiveMaximum" in translated:
        translated["maximum"] = translated.pop("exclusiveMaximum") - 1
    if translated.pop("uniqueItems", False):
        translated[LIST_TYPE] = "set"
    if translated.get("type") == "array":
        translated.setdefault(LIST_TYPE, "atomic")
    if "properties" in translated and isinstance(translated.get("additionalProperties"), bool):
        # Whether unknown fields are dropped or refused is for the client to choose (--validate).
        translated.pop("additionalProperties")
    if translated.get("type") == "number":
        raise NotStructuralError(path, "a float: they change their value on the way, use an integer")
    return translated


def _refuse_unknown(schema: Schema, path: str) -> None:
    unknown = sorted(schema.keys() - set(_KEPT))
    if unknown:
        raise NotStructuralError(path, f"{', '.join(unknown)}: a structural schema has no such keyword")
    if "anyOf" in schema and INT_OR_STRING not in schema:
        raise NotStructuralError(path, "anyOf: use one object with optional members")
    if "type" not in schema and INT_OR_STRING not in schema:
        raise NotStructuralError(path, "no type")


def _refuse_unbounded(schema: Schema, path: str) -> None:
    bounds = {"string": ("maxLength", "enum"), "array": ("maxItems",)}.get(schema.get("type", ""), ())
    if "additionalProperties" in schema:
        bounds = ("maxProperties",)
    if bounds and not any(bound in schema for bound in bounds):
        raise NotStructuralError(path, f"no {bounds[0]}")
