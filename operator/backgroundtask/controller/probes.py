"""The HTTP endpoints that Kubernetes' probes ask: /healthz for liveness, /readyz for readiness.

They answer as Kubernetes' own components do (https://kubernetes.io/docs/reference/using-api/health-checks/): 200 and
`ok`, or 500 and a line a check; with `?verbose` a line a check in any case. What is checked is `health`'s business.
"""

import logging
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Final
from urllib.parse import parse_qs, urlsplit

from backgroundtask.controller.context import log
from backgroundtask.controller.health import Health, Report
from backgroundtask.errors import Blocked

EVERYWHERE: Final = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - the node asks, and Prometheus
"""All addresses of the machine: a pod may have one of IPv4, of IPv6, or both."""

_PATIENCE: Final = 5  # seconds in which a request has to be complete


class Endpoints:
    """What is asked where, and what was answered last. `/livez` is `/healthz`, as of Kubernetes' API server."""

    def __init__(self, health: Health) -> None:
        self._paths = {"/healthz": health.alive, "/livez": health.alive, "/readyz": health.ready}
        self._failing: dict[str, tuple[str, ...]] = {}  # checks, by path

    def answer(self, target: str) -> tuple[HTTPStatus, str]:
        """The status and the text for a request's target, such as `/readyz?verbose`."""
        url = urlsplit(target)
        ask = self._paths.get(url.path.rstrip("/"))
        if ask is None:
            return HTTPStatus.NOT_FOUND, f"There are {', '.join(self._paths)}.\n"
        report, name = ask(), url.path.strip("/")
        self._tell(name, report)
        is_well = not any(report.values())
        if is_well and "verbose" not in parse_qs(url.query, keep_blank_values=True):
            return HTTPStatus.OK, "ok"
        lines = [f"[-]{check} failed: {wrong}" if wrong else f"[+]{check} ok" for check, wrong in report.items()]
        verdict = f"{name} check {'passed' if is_well else 'failed'}"
        return HTTPStatus.OK if is_well else HTTPStatus.INTERNAL_SERVER_ERROR, "\n".join([*lines, verdict, ""])

    def _tell(self, name: str, report: Report) -> None:
        """A line when other checks fail than before: Kubernetes tells of a failed probe its status, and not why."""
        failing = tuple(check for check, wrong in report.items() if wrong)
        before, self._failing[name] = self._failing.get(name, ()), failing
        if failing == before:
            return
        if not failing:
            log.info("%s passes", name)
            return
        said = "; ".join(f"{check}: {wrong}" for check, wrong in report.items() if wrong)
        log.log(logging.INFO if name == "readyz" else logging.WARNING, "%s fails: %s", name, said)


def serve(port: int, health: Health) -> None:
    """Answer probes on a TCP port until the process ends; 0 answers none.

    Raises:
        Blocked: PortUnavailable.
    """
    if not port:
        return
    try:
        server = _Server((EVERYWHERE, port), _answering(Endpoints(health)))
    except OSError as e:
        raise Blocked(
            "PortUnavailable", f"Port {port} of /healthz and /readyz cannot be used: {e.strerror}: set --health-port."
        ) from e
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()


class _Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6 if EVERYWHERE == "::" else socket.AF_INET
    daemon_threads = True

    def server_bind(self) -> None:
        """Of both kinds whatever the machine's default is; and without asking DNS for the machine's name."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        TCPServer.server_bind(self)


def _answering(endpoints: Endpoints) -> type[BaseHTTPRequestHandler]:
    class Probe(BaseHTTPRequestHandler):
        timeout = _PATIENCE
        server_version = "backgroundtask-operator"
        sys_version = ""

        def do_GET(self) -> None:
            status, text = endpoints.answer(self.path)
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """A probe every few seconds is no news."""

        def log_error(self, *_: object) -> None:
            log.debug("A probe was not complete in time, or no HTTP")

    return Probe
