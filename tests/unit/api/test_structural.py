"""Models to structural schemas: what is translated, and what stops the generation."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model
from pydantic.alias_generators import to_camel

from backgroundtask.api.structural import NotStructuralError, structural

Short = Annotated[str, StringConstraints(max_length=8)]


class Inner(BaseModel):
    """An object."""

    size: int = Field(description="A size.")


class WithDefault(BaseModel):
    """An object with a default."""

    size: int = Field(1, description="A size.")


class Chain(BaseModel):
    """An object that may contain itself."""

    next: "Chain | None" = Field(None, description="The next one.")


class Colour(StrEnum):
    RED = "Red"


def field(annotation: Any, **settings: Any) -> dict[str, Any]:
    """Return the schema of one described field."""
    model = create_model("Spec", field=(annotation, Field(description="A field.", **settings)))
    schema: dict[str, Any] = structural(model)["properties"]["field"]
    return {key: value for key, value in schema.items() if key != "description"}


@pytest.mark.parametrize(
    ("annotation", "settings", "expected", "why"),
    [
        (int | None, {"default": None}, {"type": "integer"}, "absent is how Kubernetes says null"),
        (Literal["A"], {}, {"type": "string", "enum": ["A"]}, "const is an enum of one"),
        (Literal["A", "B"], {"default": "A"}, {"type": "string", "enum": ["A", "B"], "default": "A"}, "an enum"),
        (Literal[1, 3], {}, {"type": "integer", "enum": [1, 3]}, "an enum of numbers"),
        (Colour, {}, {"type": "string", "enum": ["Red"]}, "Python's enums"),
        (int, {"gt": 0, "lt": 10}, {"type": "integer", "minimum": 1, "maximum": 9}, "exclusive bounds of integers"),
        (bool, {"default": False}, {"type": "boolean", "default": False}, "scalar defaults stay"),
        (
            list[Short],
            {"default": [], "max_length": 2},
            {
                "type": "array",
                "maxItems": 2,
                "items": {"type": "string", "maxLength": 8},
                "x-kubernetes-list-type": "atomic",
            },
            "a list says how it merges, and an empty default says nothing",
        ),
        (
            set[Short],
            {"max_length": 2},
            {
                "type": "array",
                "maxItems": 2,
                "items": {"type": "string", "maxLength": 8},
                "x-kubernetes-list-type": "set",
            },
            "uniqueItems is a set",
        ),
        (
            dict[str, Short],
            {"default_factory": dict, "max_length": 2},
            {"type": "object", "maxProperties": 2, "additionalProperties": {"type": "string", "maxLength": 8}},
            "a map",
        ),
        (
            int | str,
            {},
            {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
            "the one union that Kubernetes knows",
        ),
        (datetime, {"max_length": 32}, {"type": "string", "format": "date-time", "maxLength": 32}, "a time"),
    ],
)
def test_a_field_is_said_as_kubernetes_says_it(
    annotation: Any, settings: dict[str, Any], expected: dict[str, Any], why: str
) -> None:
    if annotation is datetime:
        settings = {"json_schema_extra": {"maxLength": settings["max_length"]}}

    assert field(annotation, **settings) == expected, why


def test_a_model_inside_is_put_in_place_with_the_description_of_the_field() -> None:
    schema = structural(create_model("Spec", field=(Inner, Field(description="Another description."))))

    assert schema["properties"]["field"] == {
        "description": "Another description.",
        "type": "object",
        "required": ["size"],
        "properties": {"size": {"description": "A size.", "type": "integer"}},
    }


def test_names_are_the_aliases() -> None:
    camel = ConfigDict(alias_generator=to_camel)
    model = create_model("Spec", __config__=camel, time_zone=(Short, Field(description="A zone.")))

    assert list(structural(model)["properties"]) == ["timeZone"]


def test_unknown_fields_are_left_to_the_client() -> None:
    strict = ConfigDict(extra="forbid")
    model = create_model("Spec", __config__=strict, size=(int, Field(description="A size.")))

    assert "additionalProperties" not in structural(model)


def test_a_status_has_no_defaults() -> None:
    assert "default" not in structural(WithDefault, defaults=False)["properties"]["size"]


@pytest.mark.parametrize(
    ("annotation", "settings", "problem"),
    [
        (float, {}, "a float"),
        (Inner | WithDefault, {}, "a union"),
        (Annotated[Inner | WithDefault, Field(union_mode="left_to_right")], {}, "a union"),
        (tuple[int, str], {}, "prefixItems"),
        (Any, {}, "no type"),
        (list[Any], {"max_length": 2}, "no type|any value"),
        (dict[str, Any], {"max_length": 2}, "any value"),
        (list[WithDefault], {"max_length": 2}, r"field\[\]\.size: a default inside a list item"),
        (WithDefault, {"default": WithDefault()}, "a default that is not a scalar"),
        (Chain, {}, "Chain contains itself"),
        (str, {}, "field: no maxLength"),
        (list[Short], {}, "field: no maxItems"),
        (list[str], {"max_length": 2}, r"field\[\]: no maxLength"),
        (dict[str, Short], {}, "field: no maxProperties"),
        (dict[Short, Short], {"max_length": 2}, "propertyNames"),
        (int, {"multiple_of": 2}, "multipleOf"),
    ],
)
def test_what_is_not_structural_stops_the_generation(annotation: Any, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(NotStructuralError, match=problem):
        field(annotation, **settings)


def test_a_tagged_union_stops_the_generation() -> None:
    cat = create_model("Cat", kind=(Literal["cat"], ...))
    dog = create_model("Dog", kind=(Literal["dog"], ...))

    with pytest.raises(NotStructuralError, match="tagged union"):
        field(Annotated[cat | dog, Field(discriminator="kind")])


def test_a_field_without_a_description_stops_the_generation() -> None:
    with pytest.raises(NotStructuralError, match=r"Spec\.field: no description"):
        structural(create_model("Spec", field=(int, ...)))
