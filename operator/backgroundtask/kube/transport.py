"""One request to the API server and its answer: connections, time limits, JSON.

Knows HTTP; refuses to know what an answer means. It sits on the official client's REST layer (pool, TLS, proxies) and
leaves out the layers above, which copy each body twice and raise errors that quote it. Nothing here logs; the client's
switch for wire logging is off, so no body and no header can reach a log.
"""

import json
from collections.abc import Mapping
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
USER_AGENT: Final = "backgroundtask-operator"


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


class Transport:
    """Requests of one identity over a pool of connections; thread-safe."""

    def __init__(self, login: Login, rest: Rest) -> None:
        self.login = login
        self._rest = rest

    def send(self, request: Request) -> Answer:
        """Ask once; a refusal is an answer too.

        Raises:
            Busy: no answer came; the request may have been carried out all the same.
            Blocked: there are no credentials to send it with.

        """
        headers = self._headers(request)
        timeout = (CONNECT_SECONDS, READ_SECONDS)
        url = self.login.configuration.host + request.path
        try:
            response = self._rest.request(request.method, url, headers, request.body, _request_timeout=timeout)
            return _answer(response)
        except ApiException as error:  # the REST layer's wrapping of TLS errors
            raise _unreachable("TLS with the API server fails: check the CA of the credentials") from error
        except (HTTPError, OSError) as error:
            raise _unreachable("The API server does not answer") from error

    def _headers(self, request: Request) -> dict[str, str]:
        headers = {"Accept": request.accept, "User-Agent": USER_AGENT}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        authorization = self.login.authorization()
        if authorization is not None:
            headers["Authorization"] = authorization
        return headers


def pooled(login: Login, *, connections: int) -> Transport:
    """A transport that keeps up to `connections` open."""
    configuration = login.configuration
    configuration.connection_pool_maxsize = connections
    configuration.retries = False  # retries belong to the queue, with its backoff
    configuration.keep_alive = True
    configuration.debug = False
    return Transport(login, RESTClientObject(configuration))


def _answer(response: Response) -> Answer:
    return Answer(response.status, _body(response.read()), retry_after(response.getheader("Retry-After")))


def _body(content: bytes) -> Body:
    try:
        body: Any = json.loads(content)
    except ValueError:
        return {}  # a proxy's page, or the API server's own plain text for an unknown path
    return dict(body) if isinstance(body, Mapping) else {}


def _unreachable(message: str) -> Busy:
    return Busy("Unreachable", message)
