"""How fast localaws answers simple ECS calls, and what 10,000 tasks cost it: `python tests/bench/localaws_load.py`.

Starts localaws, loads it from this process over keep-alive connections with requests that were written beforehand, so
that the load takes little of the two cores, and prints one JSON object: calls a second for each operation, and the
memory of localaws with the tasks held. Knows HTTP as far as a `Content-Length` goes; signs nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import psutil

import localaws

CLUSTER = "load"
DEFINITION = {
    "family": "load",
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [
        {
            "name": "main",
            "image": "load:1",
            "command": ["true"],
            "environment": [{"name": f"VARIABLE_{n}", "value": f"value {n}"} for n in range(6)],
        }
    ],
    "tags": [{"key": "bgtask", "value": "load/load"}, {"key": "hash", "value": "0123456789abcdef"}],
}
RUN = {
    "cluster": CLUSTER,
    "launchType": "FARGATE",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
}
STARTED_AT_MOST = 64
"""Tasks that begin their life at the same time, so that the machine is not asked for thousands of processes at once."""


class Connection:
    """One keep-alive connection: a request goes out when the answer to the one before is whole."""

    def __init__(self, url: str) -> None:
        netloc = urlsplit(url)
        self._socket = socket.create_connection((netloc.hostname, netloc.port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def fileno(self) -> int:
        """The number that `selectors` asks for."""
        return self._socket.fileno()

    def send(self, request: bytes) -> None:
        """Send one whole request."""
        self._socket.sendall(request)

    def receive(self) -> bytes | None:
        """Take what came: the body of the answer once it is whole, None before.

        Raises:
            RuntimeError: the answer is not HTTP 200.
        """
        self._buffer += self._socket.recv(1 << 18)
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return None
        length = int(head.partition(b"ontent-Length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return None
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(body.decode())
        self._buffer = b""
        return body

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def request(operation: str, params: object) -> bytes:
    """An ECS call as it goes over the wire, with the headers that boto3 sends."""
    body = json.dumps(params).encode()
    head = (
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: identity\r\n"
        f"X-Amz-Target: AmazonEC2ContainerServiceV20141113.{operation}\r\nContent-Type: application/x-amz-json-1.1\r\n"
        "User-Agent: Boto3/1.43.0 md/Botocore#1.43.0 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11 app/load\r\n"
        "X-Amz-Date: 20261101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=localaws/20261101/eu-west-1/ecs/"
        "aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, "
        f"Signature={'0' * 64}\r\namz-sdk-request: attempt=1\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def ask(connection: Connection, operation: str, params: object) -> dict[str, Any]:
    """Make one call and wait for its answer."""
    connection.send(request(operation, params))
    while (body := connection.receive()) is None:
        pass
    answer: dict[str, Any] = json.loads(body)
    return answer


def load(
    process: psutil.Process, url: str, requests: Iterator[bytes], *, connections: int, seconds: float
) -> dict[str, int]:
    """Keep so many connections busy for a while: the calls a second that were answered, and what one cost localaws.

    The latter says more where others use the machine too.
    """
    opened = [Connection(url) for _ in range(connections)]
    with selectors.DefaultSelector() as ready:
        for connection in opened:
            ready.register(connection, selectors.EVENT_READ, connection)
            connection.send(next(requests))
        start, used = time.monotonic(), _cpu_seconds(process)
        end, answered = start + seconds, 0
        while time.monotonic() < end:
            for key, _ in ready.select():
                if key.data.receive() is not None:
                    answered += 1
                    key.data.send(next(requests))
        rate, cpu = answered / (time.monotonic() - start), _cpu_seconds(process) - used
    for connection in opened:
        connection.close()
    return {"per_second": round(rate), "cpu_microseconds": round(cpu / answered * 1e6)}


def prepare(connection: Connection, families: int) -> list[str]:
    """Create the cluster, so many families of one revision each, and a few tasks that run; the ARNs of these."""
    ask(connection, "CreateCluster", {"clusterName": CLUSTER})
    for number in range(families):
        ask(connection, "RegisterTaskDefinition", {**DEFINITION, "family": f"load-{number}"})
    overrides = {"containerOverrides": [{"name": "main", "command": ["sleep", "86400"]}]}
    running = {**RUN, "taskDefinition": "load-0", "count": 10, "overrides": overrides}
    return [task["taskArn"] for task in ask(connection, "RunTask", running)["tasks"]]


def operations(families: int, tasks: Sequence[str]) -> dict[str, list[bytes]]:
    """The requests of each operation that is measured."""
    names = [f"load-{number}" for number in range(families)]
    return {
        "DescribeTaskDefinition": [
            request("DescribeTaskDefinition", {"taskDefinition": n, "include": ["TAGS"]}) for n in names
        ],
        "ListTaskDefinitions": [request("ListTaskDefinitions", {"familyPrefix": n, "sort": "DESC"}) for n in names],
        "RegisterTaskDefinition": [request("RegisterTaskDefinition", {**DEFINITION, "family": n}) for n in names],
        "DescribeTasks": [request("DescribeTasks", {"cluster": CLUSTER, "tasks": [arn]}) for arn in tasks],
    }


def hold_tasks(connection: Connection, count: int) -> float:
    """Run tasks that end at once, a few at a time, until so many are held; the seconds that it took."""
    start = time.monotonic()
    for _ in range(count // 10):
        ask(connection, "RunTask", {**RUN, "taskDefinition": "load-0", "count": 10})
        while len(_alive(connection)) > STARTED_AT_MOST:
            time.sleep(0.02)
    while len(_alive(connection)) > len(RUNNING):
        time.sleep(0.05)
    return time.monotonic() - start


RUNNING = range(10)
"""The tasks of `prepare`, which run all the time."""


def _alive(connection: Connection) -> list[str]:
    found: list[str] = ask(connection, "ListTasks", {"cluster": CLUSTER})["taskArns"]
    return found


def main() -> None:
    """Start localaws, load it, and print what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="for how long each operation is called (default 5)")
    parser.add_argument("--connections", type=int, default=8, help="connections that call at the same time (default 8)")
    parser.add_argument("--families", type=int, default=1000, help="task definitions to choose from (default 1000)")
    parser.add_argument("--tasks", type=int, default=10_000, help="tasks to hold (default 10000; 0 leaves it out)")
    wanted = parser.parse_args()
    with localaws.start() as aws:
        process = psutil.Process(aws.pid)
        measured: dict[str, Any] = {"rss_mb_empty": _megabytes(process)}
        connection = Connection(aws.url)
        tasks = prepare(connection, wanted.families)
        measured["calls"] = {
            name: load(
                process, aws.url, itertools.cycle(requests), connections=wanted.connections, seconds=wanted.seconds
            )
            for name, requests in operations(wanted.families, tasks).items()
        }
        measured["rss_mb_loaded"] = _megabytes(process)
        measured["seconds_to_run_tasks"] = round(hold_tasks(connection, wanted.tasks), 1)
        measured["tasks_held"] = wanted.tasks + len(tasks)
        measured["rss_mb"] = _megabytes(process)
        connection.close()
    print(json.dumps(measured))  # noqa: T201 - this is what it is for


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _megabytes(process: psutil.Process) -> float:
    return round(float(process.memory_info().rss) / 2**20, 1)


if __name__ == "__main__":
    main()
