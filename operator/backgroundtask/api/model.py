"""The common ground of all models: how they read what the API server sends, and how they are written back.

Models are frozen and strict: a text is never taken for a number, as the API server does not either. Unknown fields are
ignored, because a newer operator may have written them. `Status` forgives where the door reads one: what cannot be read
counts as absent, since a status is a memory that the next reconcile renews, never an order. Built by the operator
itself, it is as strict as everything else.
"""

from types import MappingProxyType
from typing import ClassVar, Final, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from backgroundtask.api.rules import VALIDATIONS, Rule

FORGIVING: Final = MappingProxyType({"status": "forgiving"})
"""The validation context of objects that come from the API server."""


class Model(BaseModel):
    """An object of the API; `rules` are those about several of its fields."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="ignore",
        frozen=True,
        strict=True,
        hide_input_in_errors=True,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _follow_rules(self) -> Self:
        for rule in self.rules:
            rule.check(self)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler(schema)
        if cls.rules:
            handler.resolve_ref_schema(described)[VALIDATIONS] = [rule.as_schema() for rule in cls.rules]
        return described

    def wire(self) -> dict[str, JsonValue]:
        """Return the JSON object as the API server stores it: camelCase, without what is absent or empty.

        Absent and empty mean the same in every list and map of this API, so one of the two is written, and equal
        objects have equal JSON.
        """
        return cast("dict[str, JsonValue]", _without_nothing(self.model_dump(mode="json", by_alias=True)))


class Status(Model):
    """The status of a kind. Validated in the context `FORGIVING`, each field that cannot be read is absent."""

    observed_generation: int = Field(
        -1,
        ge=-1,
        json_schema_extra={"format": "int64"},
        description="The metadata.generation that the rest of this status is about; -1 before the first look.",
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _forget_what_cannot_be_read(
        cls, value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> object:
        try:
            return handler(value)
        except ValidationError:
            if info.context is not FORGIVING:
                raise
            return cls.model_fields[str(info.field_name)].get_default(call_default_factory=True)


def _without_nothing(value: JsonValue) -> JsonValue:
    match value:
        case dict():
            cleaned = {key: _without_nothing(member) for key, member in value.items()}
            return {key: member for key, member in cleaned.items() if member not in (None, [], {})}
        case list():
            return [_without_nothing(item) for item in value]
        case _:
            return value
