"""localaws as a process of its own, for tests and for whoever starts it from Python.

Knows the command line, the line that says the server is ready, and the surface under `/_localaws/`. Imports nothing of
the server: what runs is what everybody runs.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

START_SECONDS = 30.0
STOP_SECONDS = 15.0


class ControlError(Exception):
    """`/_localaws/` refused a request; the text is its sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running localaws. `account` and `region` are those that it was started with."""

    url: str
    pid: int
    account: str
    region: str

    @property
    def environment(self) -> dict[str, str]:
        """What to set so that any AWS SDK talks to it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": "localaws",
            "AWS_SECRET_ACCESS_KEY": "localaws",
        }

    def client(self, service: str, *, region: str | None = None, retries: bool = False, **settings: Any) -> Any:  # noqa: ANN401  # boto3
        """A boto3 client, which without `retries` shows the first answer; `settings` go into botocore's Config."""
        import boto3  # noqa: PLC0415  # the command line does without
        from botocore.config import Config  # noqa: PLC0415  # see above

        attempts = {} if retries else {"retries": {"total_max_attempts": 1}}
        return boto3.client(
            service,  # type: ignore[call-overload]  # one overload a service, and this is any of them
            endpoint_url=self.url,
            region_name=region or self.region,
            aws_access_key_id="localaws",
            aws_secret_access_key="localaws",  # noqa: S106  # localaws looks at no secret
            config=Config(**{**attempts, **settings}),
        )

    def journal(self, **query: str | int | bool) -> list[dict[str, Any]]:
        """The calls that reached it, oldest first; the query is that of `journal.Query`: service, operation, since."""
        words = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in query.items()}
        entries: list[dict[str, Any]] = self.control("GET", f"journal?{urlencode(words)}")["entries"]
        return entries

    def fault(self, action: str, service: str = "*", operation: str = "*", **members: Any) -> str:  # noqa: ANN401  # members of a fault
        """Set a fault and return its id."""
        wanted = {"action": action, "service": service, "operation": operation, **members}
        rule_id: str = self.control("POST", "faults", wanted)["id"]
        return rule_id

    def remove_fault(self, rule_id: str) -> None:
        """Remove a fault and let go what it holds."""
        self.control("DELETE", f"faults/{quote(rule_id, safe='')}")

    def set_throttles(self, limits: str | Sequence[Mapping[str, Any]]) -> None:
        """Throttle by limits, or by those of an account whose quotas nobody has raised (`aws`); none: not at all."""
        self.control("PUT", "throttles", {"limits": limits if isinstance(limits, str) else list(limits)})

    def set_event_habits(self, *, deliver_twice: float = 0, reorder: float = 0, late: float = 0, seed: int = 0) -> None:
        """Say which part of the events of services comes twice or after the next one, and how many seconds late."""
        habits = {"deliver-twice": deliver_twice, "reorder": reorder, "late-seconds": late, "seed": seed}
        self.control("PUT", "events", habits)

    def set_queue_habits(self, *, deliver_twice: float = 0, reorder: float = 0, seed: int = 0) -> None:
        """Say which part of the messages standard queues deliver twice, and which part of the receives out of order."""
        self.control("PUT", "queues", {"deliver-twice": deliver_twice, "reorder": reorder, "seed": seed})

    def set_visibility(self, seconds: float = 0, **services: float) -> None:
        """Say for how many virtual seconds reads do not show what is created: of all services, or of some."""
        self.control("PUT", "visibility", services or {"seconds": seconds})

    def advance(self, seconds: float) -> None:
        """Move the clock forward; returns when what was due on the way has been done."""
        self.control("POST", "clock", {"advance": seconds})

    def set_rate(self, rate: float) -> None:
        """Let the clock run at so many virtual seconds a real second; 0 freezes it."""
        self.control("POST", "clock", {"rate": rate})

    def set_images(self, images: Mapping[str, Sequence[str] | None]) -> None:
        """Say what containers run whose definition names no command; an image without one cannot be pulled."""
        self.control("PUT", "images", {image: it if it is None else list(it) for image, it in images.items()})

    def reset(self) -> None:
        """Begin anew: no resources, no journal, no faults, real time."""
        self.control("POST", "reset")

    def control(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask the surface under `/_localaws/`.

        Raises:
            ControlError: it refused.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_localaws/{path}", data=data, method=method)  # noqa: S310  # our own http URL
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310  # see above
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as e:
            raise ControlError(json.load(e).get("error", str(e))) from None


@contextlib.contextmanager
def start(
    *,
    port: int = 0,
    account: str = "123456789012",
    region: str = "eu-west-1",
    rate: float = 1.0,
    images: Mapping[str, Sequence[str]] | None = None,
    log: Path | None = None,
) -> Iterator[Running]:
    """Start localaws as a process, and stop it on leaving; it ends with this process, however that ends.

    Its log goes to the file `log`, or to standard error.

    Raises:
        RuntimeError: it did not become ready.
    """
    command = [sys.executable, "-P", "-m", "localaws", "--port", str(port), "--account", account, "--region", region]
    command += ["--rate", str(rate), "--die-with-parent"]
    for image, words in (images or {}).items():
        command += ["--image", f"{image}={json.dumps(list(words))}"]
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(log.open("ab")) if log else None
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        stack.callback(_stop, process)
        yield Running(url=_ready_url(process), pid=process.pid, account=account, region=region)


def _ready_url(process: subprocess.Popen[str]) -> str:
    watchdog = threading.Timer(START_SECONDS, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
    finally:
        watchdog.cancel()
    name, _, url = line.strip().partition("=")
    if name != "export AWS_ENDPOINT_URL":
        raise RuntimeError(f"localaws did not start within {START_SECONDS:.0f} s; its log says why")
    return url


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
