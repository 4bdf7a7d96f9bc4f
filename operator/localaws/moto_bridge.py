"""moto behind localaws: every service that is not localaws' own, in process.

moto is synchronous and not safe for threads, so one thread of its own answers one request after the other and the
event loop never waits for it. moto's clock is the virtual one.

Nothing else in localaws imports moto.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import logging
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlencode

from botocore.loaders import Loader
from botocore.model import OperationModel, OperationNotFoundError, ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from localaws.contract import AwsError, Clock, Params
from localaws.protocol import Request, Response, error_code, scope
from localaws.validation import compile_input
from localaws.violations import describe
from localaws.wsgi import environ

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Moto:
    """The services behind, for one account. `host` is host:port as clients reach this server."""

    def __init__(self, account: str, clock: Clock) -> None:
        self.account = account
        self.host = "localhost"
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="moto")
        self._application: Any = None
        self.under_way = 0

    async def start(self) -> None:
        """Import moto's core; a service is imported when it is first used."""
        self._application = await self._run(lambda: _load(self._clock))

    async def stop(self) -> None:
        """Finish what is under way."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def reset(self) -> None:
        """Forget everything that all services behind hold."""
        await self._run(_reset)

    async def answer(self, request: Request) -> Response:
        """Answer a request as it came."""
        return await self._run(lambda: self._ask(request))

    async def call(self, service: str, operation: str, params: Params, region: str) -> Params:
        """Call an operation with API-shaped parameters and return API-shaped output.

        Raises:
            AwsError: what the service answered.
        """
        model = _model(service)
        operation_model = _operation(service, operation)
        params, violations = _reader(service, operation)(params)
        if violations:
            raise AwsError("ValidationException", describe(violations))
        serializer = create_serializer(model.metadata["protocol"], include_validation=False)
        wire = serializer.serialize_to_request(params, operation_model)
        request = Request(
            method=wire["method"],
            path=wire["url_path"],
            query=urlencode(wire["query_string"]),
            headers={"Host": self.host, **wire["headers"], "Authorization": _signature(model.signing_name, region)},
            body=_body_bytes(wire["body"]),
        )
        response = await self.answer(request)
        told = {"status_code": response.status, "headers": response.headers, "body": response.body, "context": {}}
        parsed = create_parser(model.metadata["protocol"]).parse(told, operation_model.output_shape)  # type: ignore[arg-type]  # its None is an empty answer
        if response.status >= _BAD:
            error = parsed.get("Error", {})
            raise AwsError(error.get("Code", "InternalFailure"), error.get("Message", ""), status=response.status)
        parsed.pop("ResponseMetadata", None)
        return parsed  # type: ignore[no-any-return]  # botocore's parser returns whatever the shape says

    async def _run(self, work: Callable[[], Result]) -> Result:
        self.under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self.under_way -= 1

    def _ask(self, request: Request) -> Response:
        from werkzeug.test import run_wsgi_app  # noqa: PLC0415  # moto brings it

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # moto's own affairs
                body, status, headers = run_wsgi_app(
                    self._application, environ(request, account=self.account, host=self.host), buffered=True
                )
            response = Response(status=int(status.split()[0]), headers=dict(headers), body=b"".join(body))
        except Exception as e:
            _log.debug("moto failed", exc_info=True)
            raise self._failure(request, e) from e
        if response.status < _BAD:
            return response
        code = error_code(response)
        return Response(status=response.status, headers=response.headers, body=response.body, error=code)

    def _failure(self, request: Request, error: Exception) -> AwsError:
        service, region = scope(request, "")
        if self._application.get_backend_for_host(f"{service}.{region}.amazonaws.com") is None:
            return AwsError("UnknownOperationException", f"neither localaws nor moto has the service {service!r}")
        message = f"moto, which stands behind {service}, failed: {type(error).__name__}: {error}"
        return AwsError("InternalFailure", message, status=500)


_BAD = 400


def _load(clock: Clock) -> Any:  # noqa: ANN401  # moto ships no types
    import moto.core.utils  # noqa: PLC0415  # moto is slow to import, and nobody needs it before it runs

    # Each service of moto copies this function when it is imported, so it has to be replaced before the first one.
    moto.core.utils.utcnow = lambda: clock.now().astimezone(dt.UTC).replace(tzinfo=None)
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415  # see above

    return DomainDispatcherApplication(create_backend_app)


def _reset() -> None:
    from moto.moto_api._internal.models import moto_api_backend  # noqa: PLC0415  # moto is imported when it is used

    moto_api_backend.reset()


@functools.cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def _operation(service: str, operation: str) -> OperationModel:
    try:
        return _model(service).operation_model(operation)
    except OperationNotFoundError:
        raise AwsError("UnknownOperationException", f"{service} has no operation {operation!r}") from None


@functools.cache
def _reader(service: str, operation: str) -> Callable[[Any], tuple[Params, list[str]]]:
    return compile_input(_operation(service, operation).input_shape)


def _signature(signing_name: str, region: str) -> str:
    scope = f"localaws/20200101/{region}/{signing_name}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"


def _body_bytes(body: Any) -> bytes:  # noqa: ANN401  # botocore: text, bytes or a form
    if isinstance(body, dict):
        return urlencode(body).encode()
    return body.encode() if isinstance(body, str) else bytes(body or b"")
