"""The Input of a target: a request in PascalCase, or a structure as the API has it, read into the API's member names.

Knows botocore's shapes. Refuses to know any operation by heart, and to show a value in an error: only names of fields.

Reported (for ecs:runTask, eks:updateNodegroupConfig and batch:submitJob): keys are the members of the API with their
first letter upper-case, and a payload without its required ones is refused when the schedule is created, all missing
fields named at once. Assumed: unknown fields and values of the wrong JSON type are refused too, at any depth, and a
null is an absent field.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from localaws.contract import Params
from localaws.scheduler import refusals

_PREFIX = "Invalid RequestJson provided. Reason Request payload"
_SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
}


@functools.cache
def input_shape(service: str, operation: str) -> StructureShape:
    """The input shape of an operation; reading a service's model takes tens of milliseconds the first time."""
    model = ServiceModel(Loader().load_service_model(service, "service-2"), service_name=service)
    shape = model.operation_model(operation).input_shape
    if shape is None:
        raise LookupError(f"{service}:{operation} takes no input")
    return shape


def read_request(text: str, shape: StructureShape) -> Params:
    """Read a request in PascalCase JSON into API member names.

    Raises:
        AwsError: ValidationException, naming the fields that are missing, unknown or of the wrong type.
    """
    try:
        payload = json.loads(text)
    except ValueError as error:
        raise refusals.invalid(f"{_PREFIX} is not valid JSON.") from error
    params, fault = read(payload, shape, in_pascal_case)
    if fault is not None:
        raise refusals.invalid(f"{_PREFIX} {fault}.")
    return params


def read(payload: object, shape: StructureShape, spell: Callable[[str], str]) -> tuple[Params, str | None]:
    """Read parsed JSON whose members are spelt so into the API's member names, and say what is wrong with it."""
    reading = _Reading(spell)
    return reading.structure(shape, payload, ""), reading.fault()


def in_pascal_case(name: str) -> str:
    """The spelling of universal targets."""
    return name[:1].upper() + name[1:]


def as_in_the_api(name: str) -> str:
    """The spelling of the API itself."""
    return name


@dataclass(slots=True)
class _Reading:
    """One pass over a payload, which goes on after a fault so that all are named at once."""

    spell: Callable[[str], str]
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    mistyped: list[str] = field(default_factory=list)

    def fault(self) -> str | None:
        for fault, names in (
            ("is missing the following field(s)", self.missing),
            ("has the following unknown field(s)", self.unknown),
            ("has the following field(s) of the wrong type", self.mistyped),
        ):
            if names:
                return f"{fault}: {', '.join(names)}"
        return None

    def structure(self, shape: StructureShape, payload: object, path: str) -> Params:
        if not isinstance(payload, dict):
            self.mistyped.append(path or "the payload itself")
            return {}
        members = {self.spell(name): name for name in shape.members}
        given = {name: value for name, value in payload.items() if value is not None}
        self.unknown += [_join(path, name) for name in given if name not in members]
        required = [self.spell(name) for name in shape.required_members]
        self.missing += [_join(path, name) for name in required if name not in given]
        return {
            members[name]: self._value(shape.members[members[name]], value, _join(path, name))
            for name, value in given.items()
            if name in members
        }

    def _value(self, shape: Shape, payload: object, path: str) -> Any:  # noqa: ANN401  # any member of any shape
        match shape:
            case StructureShape():
                return self.structure(shape, payload, path)
            case ListShape() if isinstance(payload, list):
                return [self._value(shape.member, item, f"{path}[{index}]") for index, item in enumerate(payload)]
            case MapShape() if isinstance(payload, dict):  # the keys of a map are the user's: they stay as they are
                return {key: self._value(shape.value, item, _join(path, key)) for key, item in payload.items()}
            case _ if shape.type_name == "blob" and isinstance(payload, str):
                return self._blob(payload, path)
            case _:
                return self._scalar(shape, payload, path)

    def _scalar(self, shape: Shape, payload: object, path: str) -> object:
        wanted = _SCALARS.get(shape.type_name, ())
        if not isinstance(payload, wanted) or (isinstance(payload, bool) and bool not in wanted):
            self.mistyped.append(path)
        return payload

    def _blob(self, payload: str, path: str) -> bytes:
        try:
            return base64.b64decode(payload, validate=True)
        except binascii.Error:
            self.mistyped.append(path)
            return b""


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
