"""The AWS wire protocols: whom a request means, how parameters are read, how answers and errors are written.

Own services speak json and rest-json. Errors can be written in every protocol, because faults hit every service.
Knows nothing of the HTTP server and of what operations mean. Source: Smithy's protocol tests, and botocore's parsers.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

from localaws.api import Api, Operation
from localaws.contract import AwsError, Params

_SCOPE = re.compile(r"Credential=[^/,\s]+/\d{8}/([^/]+)/([^/]+)/aws4_request")
_QUERY_SCOPE = re.compile(r"X-Amz-Credential=([^&]+)")
_AGENT = re.compile(r"\bapp/(\S+)")
_SIGNING_NAMES = {"eventbridge": "events"}
_FORM = "application/x-www-form-urlencoded"
_SERVER_ERROR = 500
_REST_XML = frozenset({"", "s3", "route53", "cloudfront"})
"""Signing names of what speaks rest-xml; an unsigned request is taken for one to S3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request; `path` and `query` are as they came, still quoted; `headers` may be looked up in any case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An HTTP response. `error` is the code of the error that it tells, if it tells one."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom a request means: the signing name of the service, the operation as far as known, the region."""

    service: str
    operation: str
    region: str
    params: Params = field(default_factory=dict)


def scope(request: Request, default_region: str) -> tuple[str, str]:
    """Signing name and region of a request, from its signature; the name is empty where there is none."""
    found = _SCOPE.search(request.headers.get("Authorization", ""))
    if found is None and (quoted := _QUERY_SCOPE.search(request.query)):
        found = _SCOPE.search("Credential=" + unquote(quoted[1]))
    if found is None:
        return "", default_region
    region, name = found.groups()
    return _SIGNING_NAMES.get(name, name), region


def agent(request: Request) -> str:
    """The application id that the client's SDK was given (`AWS_SDK_UA_APP_ID`), which tells clients apart."""
    found = _AGENT.search(request.headers.get("User-Agent", ""))
    return found[1] if found else ""


def own_operation(api: Api, request: Request) -> tuple[Operation, Params]:
    """Which operation of an own service a request means, and the members that are not in its body.

    Raises:
        AwsError: UnknownOperationException.
    """
    if api.protocol == "json":
        if "X-Amz-Target" not in request.headers:
            raise AwsError("UnknownOperationException", f"{api.service} is spoken to in JSON, with X-Amz-Target")
        return api.operation(request.headers.get("X-Amz-Target", "").rpartition(".")[2]), {}
    query = parse_qsl(request.query, keep_blank_values=True)
    for operation in api.operations.values():
        route = operation.route
        if route is None or route.method != request.method:
            continue
        params = route.params(request.path, query)
        if params is not None:
            return operation, params
    raise AwsError("UnknownOperationException", f"{api.service} has nothing at {request.path}", status=404)


_SURROGATE = "\\ud"


def is_form(request: Request) -> bool:
    """Whether a request speaks the query protocol, whose errors are XML."""
    return request.headers.get("Content-Type", "").startswith(_FORM)


def read_body(body: bytes) -> Params:
    """The members in a JSON body.

    Raises:
        AwsError: SerializationException where it is no JSON object.
    """
    if not body:
        return {}
    try:
        text = body.decode()
        parsed = json.loads(text)
        if _SURROGATE in text.lower():
            json.dumps(parsed, ensure_ascii=False).encode()  # half of a pair is no character, and cannot be answered
    except ValueError as e:
        raise AwsError("SerializationException", "the body is not JSON") from e
    if not isinstance(parsed, dict):
        raise AwsError("SerializationException", "the body is not a JSON object")
    return parsed


def write_output(api: Api, output: Params) -> Response:
    """An operation's answer; timestamps become epoch seconds and blobs base64, as both protocols have it in bodies."""
    body = _ENCODE(output).encode()
    return Response(
        status=200, headers={"Content-Type": api.content_type, "x-amzn-RequestId": _request_id()}, body=body
    )


def write_error(api: Api, operation: Operation | None, error: AwsError) -> Response:
    """An error of an own service, in its protocol."""
    request_id = _request_id()
    message_name = operation.message_name(error) if operation else "message"
    members = {"__type": error.code, message_name: error.message, **error.fields}
    headers = {"Content-Type": api.content_type, "x-amzn-RequestId": request_id, "x-amzn-ErrorType": error.code}
    if api.protocol == "rest-json":
        del members["__type"]
    if api.shapes_of_codes is not None:
        # Smithy, awsQueryCompatible: the body names the shape, and the header the code that clients know
        members["__type"] = f"com.amazonaws.{api.service}#{api.shapes_of_codes.get(error.code, error.code)}"
        headers["x-amzn-query-error"] = f"{error.code};{'Sender' if error.status < _SERVER_ERROR else 'Receiver'}"
    return Response(
        status=operation.status_of(error) if operation else error.status,
        headers=headers,
        body=json.dumps(members, default=_wire_value).encode(),
        error=error.code,
    )


def write_foreign_error(request: Request, error: AwsError) -> Response:
    """An error of a service behind moto, in the protocol that the request speaks."""
    request_id = _request_id()
    form = is_form(request)
    if not form and scope(request, "")[0] not in _REST_XML:
        kind = request.headers.get("Content-Type", "application/json")
        body = json.dumps({"__type": error.code, "message": error.message})
        headers = {"Content-Type": kind, "x-amzn-RequestId": request_id, "x-amzn-ErrorType": error.code}
        return Response(status=error.status, headers=headers, body=body.encode(), error=error.code)
    inner = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    if form:
        error_text = f"<Error><Type>Sender</Type>{inner}</Error><RequestId>{request_id}</RequestId>"
        text = f"<ErrorResponse>{error_text}</ErrorResponse>"
    else:
        text = f"<Error>{inner}<RequestId>{request_id}</RequestId></Error>"
    return Response(status=error.status, headers={"Content-Type": "text/xml"}, body=text.encode(), error=error.code)


def foreign_target(request: Request, default_region: str) -> Target:
    """Whom a request to a service behind moto means; REST operations are told as method and path."""
    name, region = scope(request, default_region)
    if target := request.headers.get("X-Amz-Target"):
        return Target(
            service=name or target.partition("_")[0].lower(),
            operation=target.rpartition(".")[2],
            region=region,
            params=_json_or_empty(request.body),
        )
    if is_form(request):
        form: Params = dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))
        return Target(service=name, operation=form.pop("Action", ""), region=region, params=form)
    operation = f"{request.method} {request.path}"
    query: Params = dict(parse_qsl(request.query, keep_blank_values=True))
    return Target(service=name or "s3", operation=operation, region=region, params=query)


def error_code(response: Response) -> str:
    """The code of the error that a response of moto's tells; its status where the body tells none."""
    if found := re.search(rb"<Code>([^<]+)</Code>", response.body):
        return found[1].decode()
    told = _json_or_empty(response.body).get("__type", "")
    return str(told).rpartition("#")[2] or str(response.status)


def _json_or_empty(body: bytes) -> Params:
    try:
        parsed = json.loads(body or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _wire_value(value: object) -> Any:  # noqa: ANN401  # whatever JSON can say
    match value:
        case dt.datetime():
            return round(value.timestamp(), 3)
        case bytes():
            return base64.b64encode(value).decode()
        case set() | frozenset() | tuple():
            return list(value)
        case _:
            raise TypeError(f"an answer holds a {type(value).__name__}, which no AWS protocol can say")


_ENCODE = json.JSONEncoder(default=_wire_value, separators=(",", ":"), ensure_ascii=False).encode


def _request_id() -> str:
    return str(uuid.uuid4())
