"""One request to the API server and its answer: connections, time limits, JSON.

Knows HTTP; refuses to know what an answer means. It sits on the official client's REST layer (pool, TLS, proxies) and
leaves out the layers above, which copy each body twice and raise errors that quote it. Nothing here logs; the client's
switch for wire logging is off, so no body and no header can reach a log.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import RESTClientObject
from urllib3.exceptions import HTTPError

from backgroundtask.errors import Busy
from backgroundtask.kube.login import Login
from backgroundtask.kube.refusal import retry_after
from backgroundtask.kube.resource import Answer, Body, Request

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 30.0
Timeouts = tuple[float, float]
"""Seconds to connect, and to wait for an answer."""
USER_AGENT: Final = "backgroundtask-operator"
UNREACHABLE: Final = "Unreachable"
"""The reason, and what stands for the status, of a request that nobody answered."""

OnCall = Callable[[str, str, str], None]
"""Told of every request, on the thread that sends it: RBAC's resource and verb, and the HTTP status or UNREACHABLE."""


def tell_nobody(_: str, __: str, ___: str) -> None:
    """Where nobody counts."""


class Response(Protocol):
    """What the client's REST layer returns."""

    status: int

    def read(self) -> bytes:
        """The whole body; the connection is free afterwards."""

    def getheader(self, name: str) -> str | None:
        """One header, whatever its case."""


class Rest(Protocol):
    """The client's REST layer, as far as it is used here."""

    def request(
        self,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        body: object = None,
        *,
        _request_timeout: tuple[float, float] | None = None,
    ) -> Response:
        """Send one request; returns whatever the status is."""


BeforeWrite = Callable[[], None]
"""Asked right before a request that may change something is sent; where that must not be, it does not return."""


def unfenced() -> None:
    """Nobody else acts: every write may go."""


class Transport:
    """Requests of one identity over a pool of connections; thread-safe.

    `timeouts` are the seconds to connect, and to wait for an answer.
    """

    def __init__(
        self,
        login: Login,
        rest: Rest,
        on_call: OnCall = tell_nobody,
        *,
        before_write: BeforeWrite = unfenced,
        timeouts: Timeouts = (CONNECT_SECONDS, READ_SECONDS),
    ) -> None:
        self.login = login
        self._rest = rest
        self._on_call = on_call
        self._before_write = before_write
        self._timeouts = timeouts

    def send(self, request: Request) -> Answer:
        """Ask once; a refusal is an answer too.

        Raises:
            Busy: no answer came; the request may have been carried out all the same.
            Blocked: there are no credentials to send it with.

        """
        headers, code = self._headers(request), UNREACHABLE
        try:
            answer = self._sent(request, headers)
            code = str(answer.status)
        finally:
            self._on_call(request.rbac, request.verb, code)
        return answer

    def _sent(self, request: Request, headers: dict[str, str]) -> Answer:
        url = self.login.configuration.host + request.path
        if request.is_write:
            self._before_write()  # after the headers: a plugin that gives credentials may take its time
        try:
            response = self._rest.request(request.method, url, headers, request.body, _request_timeout=self._timeouts)
            return _answer(response)
        except ApiException as error:  # the REST layer's wrapping of TLS errors
            raise _unreachable("TLS with the API server fails: check the CA of the credentials") from error
        except (HTTPError, OSError) as error:
            raise _unreachable(f"The API server at {self.login.configuration.host} does not answer") from error

    def _headers(self, request: Request) -> dict[str, str]:
        headers = {"Accept": request.accept, "User-Agent": USER_AGENT}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        authorization = self.login.authorization()
        if authorization is not None:
            headers["Authorization"] = authorization
        return headers


def pooled(
    login: Login,
    *,
    connections: int,
    on_call: OnCall = tell_nobody,
    before_write: BeforeWrite = unfenced,
    timeouts: Timeouts = (CONNECT_SECONDS, READ_SECONDS),
) -> Transport:
    """A transport that keeps up to `connections` open; the rest is as `Transport` says."""
    configuration = login.configuration
    configuration.connection_pool_maxsize = connections
    configuration.retries = False  # retries belong to the queue, with its backoff
    configuration.keep_alive = True
    configuration.debug = False
    return Transport(login, RESTClientObject(configuration), on_call, before_write=before_write, timeouts=timeouts)


def _answer(response: Response) -> Answer:
    return Answer(response.status, _body(response.read()), retry_after(response.getheader("Retry-After")))


def _body(content: bytes) -> Body:
    try:
        body: Any = json.loads(content)
    except ValueError:
        return {}  # a proxy's page, or the API server's own plain text for an unknown path
    return dict(body) if isinstance(body, Mapping) else {}


def _unreachable(message: str) -> Busy:
    return Busy(UNREACHABLE, message)
