"""The HTTP server: one handler, one event loop, no routing table.

Knows how an HTTP request becomes a call and an answer becomes a response. What calls mean is the world's business.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from localaws import api, control, protocol
from localaws.contract import AwsError, Caller, Params
from localaws.journal import Entry
from localaws.passage import Dropped
from localaws.protocol import Request, Response
from localaws.world import World

LARGEST_BODY = 64 * 1024 * 1024
SHUTDOWN_SECONDS = 0.5
"""How long calls under way have to end by themselves; who is held or polls would not."""

_BUG = AwsError("InternalFailure", "localaws failed; its log says how", status=500)
_TOO_DEEP = AwsError("SerializationException", "the JSON is nested too deeply")

_log = logging.getLogger(__name__)


class Server:
    """Serves one world on one port; `url` is known once it is started."""

    def __init__(self, world: World, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._world = world
        self._control = control.Control(world)
        self._host = host
        self._port = port
        self._runner: web.ServerRunner | None = None
        self._by_target = {
            loaded.target_prefix: loaded for loaded in map(api.load, world.services) if loaded.target_prefix
        }
        self.url = ""

    async def start(self) -> None:
        """Start the world, then listen.

        Raises:
            OSError: the port is taken; nothing is left running.
        """
        await self._world.start()
        try:
            await self._listen()
        except OSError:
            await self.stop()
            raise

    async def _listen(self) -> None:
        listener = web.Server(self._handle, request_factory=_request)
        self._runner = web.ServerRunner(listener, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        host, port = self._runner.addresses[0][:2]
        netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.url = f"http://{netloc}"
        self._world.moto.host = netloc

    async def stop(self) -> None:
        """Stop listening, cut what is under way, end the world."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self._world.stop()

    async def _handle(self, http: web.BaseRequest) -> web.StreamResponse:
        path, _, query = http.raw_path.partition("?")
        if http.headers.get("Expect", "").lower() == "100-continue":
            await _invite_body(http)
        body = await http.read()
        request = Request(method=http.method, path=path, query=query, headers=http.headers, body=body)
        try:
            response = await self._answer(request, lambda: http.transport is None or http.transport.is_closing())
        except Dropped:
            if http.transport is not None:
                http.transport.abort()
            return web.Response(status=500)
        return web.Response(status=response.status, headers=response.headers, body=response.body)

    async def _answer(self, request: Request, gone: Callable[[], bool]) -> Response:
        if request.path.startswith(control.PREFIX):
            return await self._control.answer(request)
        await self._world.ready()
        own = self._own(request)
        if own is not None:
            return await self._own_answer(own, request, gone)
        return await self._foreign_answer(request, gone)

    def _own(self, request: Request) -> api.Api | None:
        own = self._by_target.get(request.headers.get("X-Amz-Target", "").partition(".")[0])
        if own is not None:
            return own
        service, _ = protocol.scope(request, self._world.region)
        return api.load(service) if service in self._world.services else None

    async def _own_answer(self, own: api.Api, request: Request, gone: Callable[[], bool]) -> Response:
        _, region = protocol.scope(request, self._world.region)
        try:
            operation, located = protocol.own_operation(own, request)
        except AwsError as e:
            return _unknown(own, request, e)
        entry = self._world.passage.arrive(
            service=own.service,
            operation=operation.name,
            region=region,
            principal="client",
            params=_params_text(request.body, located),
            agent=protocol.agent(request),
        )

        arrived = time.monotonic()
        caller = Caller(host=request.headers.get("Host", ""), gone=gone, note=entry.note)

        async def effect() -> Params:
            try:
                params = {**protocol.read_body(request.body), **located}
                return await self._world.serve(operation, params, region=region, caller=caller, arrived=arrived)
            except RecursionError:  # in the body, or in the JSON of a policy, a pattern, an event, …
                raise _TOO_DEEP from None

        return await _told(own, operation, entry, self._world.passage.take(entry, effect, gone=gone))

    async def _foreign_answer(self, request: Request, gone: Callable[[], bool]) -> Response:
        target = protocol.foreign_target(request, self._world.region)
        entry = self._world.passage.arrive(
            service=target.service,
            operation=target.operation,
            region=target.region,
            principal="client",
            params=json.dumps(target.params).encode(),
            agent=protocol.agent(request),
        )

        async def effect() -> Response:
            response = await self._world.moto.answer(request)
            if response.error:
                entry.outcome, entry.status = response.error, response.status
            return response

        try:
            return await self._world.passage.take(entry, effect, gone=gone)
        except AwsError as e:
            return protocol.write_foreign_error(request, e)


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol_: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    # aiohttp's own factory refuses bodies beyond one megabyte.
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol_, writer, task, loop, client_max_size=LARGEST_BODY)


async def _invite_body(http: web.BaseRequest) -> None:
    # boto3 sends the body of an upload to S3 only after this line, or after a second of waiting for it.
    await http.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    http.writer.output_size = 0


async def _told(own: api.Api, operation: api.Operation, entry: Entry, answer: Awaitable[Params]) -> Response:
    """Put an answer or an error on the wire as the service would; a bug of ours becomes a 500 and a traceback.

    Raises:
        Dropped: the connection is to be cut.
    """
    try:
        return protocol.write_output(own, await answer)
    except AwsError as e:
        response = protocol.write_error(own, operation, e)
    except Dropped:
        raise
    except Exception:  # noqa: BLE001  # see above
        _log.exception("%s %s failed", own.service, operation.name)
        response = protocol.write_error(own, operation, _BUG)
    entry.status = response.status
    return response


def _unknown(own: api.Api, request: Request, error: AwsError) -> Response:
    """The answer to a request that means no operation; one in the query protocol is told so in its XML."""
    if protocol.is_form(request):
        return protocol.write_foreign_error(request, error)
    return protocol.write_error(own, None, error)


def _params_text(body: bytes, located: Params) -> bytes:
    if not located:
        return body
    text = json.dumps(located).encode()
    return text if len(body) <= len(b"{}") else text[:-1] + b"," + body[1:]
