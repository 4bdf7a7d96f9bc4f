"""The operations of localaws' own services, compiled from botocore's service models.

Knows names, inputs, routes and error shapes; nothing of requests on the wire.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, StructureShape

from localaws import validation
from localaws.contract import AwsError, Params
from localaws.violations import describe

_VIOLATION_CODES = {
    ("ecs", None): "InvalidParameterException",
    ("ecs", "RegisterTaskDefinition"): "ClientException",
}
"""What a service calls an input that violates its model, where that is not ValidationException."""


_JUDGES_ITSELF = frozenset({"sqs"})
"""Reported: services that word their own refusals of values outside an enumeration and of missing parameters."""

_QUERY_CODES = {
    "sqs": {
        "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
        "QueueNameExists": "QueueAlreadyExists",
        **{
            name: f"AWS.SimpleQueueService.{name}"
            for name in (
                *("BatchEntryIdsNotDistinct", "BatchRequestTooLong", "EmptyBatchRequest", "InvalidBatchEntryId"),
                *("MessageNotInflight", "PurgeQueueInProgress", "QueueDeletedRecently"),
                *("TooManyEntriesInBatchRequest", "UnsupportedOperation"),
            )
        },
    }
}
"""By service and error shape: the code in the query protocol, where it is another. Source: the awsQueryError traits of
the service's Smithy model, which botocore's has lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation: how its input is read, and where a REST protocol puts its members."""

    service: str
    name: str
    violation_code: str
    read_input: Callable[[Any], tuple[Params, list[str]]]
    route: Route | None = None
    error_statuses: Mapping[str, int] = field(default_factory=dict)
    message_names: Mapping[str, str] = field(default_factory=dict)

    def read(self, value: object) -> Params:
        """Validate and convert parsed parameters.

        Raises:
            AwsError: what AWS answers to a wrong type or a violated constraint.
        """
        params, violations = self.read_input(value)
        if violations:
            raise AwsError(self.violation_code, describe(violations))
        return params

    def status_of(self, error: AwsError) -> int:
        """The HTTP status of an error: the one its shape names, or else its own."""
        return self.error_statuses.get(error.code, error.status)

    def message_name(self, error: AwsError) -> str:
        """What the message's member is called in an error's body."""
        return self.message_names.get(error.code, "message")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a rest-json operation lives and where it keeps the members that are not in the body."""

    method: str
    path: re.Pattern[str]
    query: Mapping[str, tuple[str, str]]

    def params(self, path: str, query: list[tuple[str, str]]) -> Params | None:
        """Members from path and query; None where the path is another operation's."""
        found = self.path.fullmatch(path)
        if found is None:
            return None
        params: Params = {name: unquote(value) for name, value in found.groupdict().items()}
        for key, value in query:
            member, kind = self.query.get(key, ("", ""))
            if kind == "list":
                params.setdefault(member, []).append(value)
            elif member:
                params[member] = _number_or_text(value) if kind == "integer" else value
        return params


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One own service as botocore models it."""

    service: str
    protocol: str
    content_type: str
    target_prefix: str
    operations: Mapping[str, Operation]
    shapes_of_codes: Mapping[str, str] | None = None  # of a service that has told errors by query codes, and still does

    def operation(self, name: str) -> Operation:
        """The operation of a name.

        Raises:
            AwsError: UnknownOperationException.
        """
        try:
            return self.operations[name]
        except KeyError:
            raise AwsError("UnknownOperationException", f"{self.service} has no operation {name!r}") from None


@functools.cache
def load(service: str) -> Api:
    """Compile a service.

    Raises:
        ValueError: its model uses something that is not understood here.
    """
    description = Loader().load_service_model(service, "service-2")
    if service in _JUDGES_ITSELF:
        for shape in description["shapes"].values():
            shape.pop("enum", None)
            shape.pop("required", None)
    model = ServiceModel(description, service)
    protocol = model.metadata["protocol"]
    if protocol not in ("json", "rest-json"):
        raise ValueError(f"{service} speaks {protocol}; own services speak json or rest-json")
    version = model.metadata.get("jsonVersion")
    return Api(
        service=service,
        protocol=protocol,
        content_type=f"application/x-amz-json-{version}" if version else "application/json",
        target_prefix=model.metadata.get("targetPrefix", ""),
        operations={name: _operation(model, name) for name in model.operation_names},
        shapes_of_codes=_shapes_of_codes(model) if "awsQueryCompatible" in model.metadata else None,
    )


def _operation(service: ServiceModel, name: str) -> Operation:
    model = service.operation_model(name)
    rest = service.metadata["protocol"] == "rest-json"
    codes = _VIOLATION_CODES
    name_of_service = service.service_name
    return Operation(
        service=name_of_service,
        name=name,
        violation_code=codes.get((name_of_service, name), codes.get((name_of_service, None), "ValidationException")),
        read_input=validation.compile_input(model.input_shape),
        route=_route(model) if rest else None,
        error_statuses={e.error_code: e.metadata["error"]["httpStatusCode"] for e in _errors(model)} if rest else {},
        message_names={e.error_code: _message_member(e) for e in _errors(model)},
    )


def _shapes_of_codes(model: ServiceModel) -> Mapping[str, str]:
    return {code: shape for shape, code in _QUERY_CODES.get(model.service_name, {}).items()}


def _errors(model: OperationModel) -> list[StructureShape]:
    return [shape for shape in model.error_shapes if isinstance(shape, StructureShape)]


def _message_member(shape: StructureShape) -> str:
    return next((name for name in shape.members if name.lower() == "message"), "message")


def _route(model: OperationModel) -> Route:
    path, _, fixed_query = model.http["requestUri"].partition("?")
    if fixed_query:
        raise ValueError(f"{model.name} is told apart by its query, which is not understood here")
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))
    members = model.input_shape.members if model.input_shape else {}
    return Route(
        method=model.http["method"],
        path=re.compile(pattern),
        query={
            shape.serialization["name"]: (name, shape.type_name)
            for name, shape in members.items()
            if shape.serialization.get("location") == "querystring"
        },
    )


def _number_or_text(value: str) -> int | str:
    return int(value) if value.removeprefix("-").isdecimal() else value
