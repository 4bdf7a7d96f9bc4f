"""How many messages a second go through one queue of localaws: `python tests/bench/sqs_load.py` prints one JSON object.

Starts localaws as a process, fills the queue, and lets clients, each a process of its own with one connection, send ten
messages, receive ten and delete ten, again and again for some seconds; so the number of those that wait stays. The
clients speak HTTP by hand over a socket that is kept open, so that they cost the machine little.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import psutil

import localaws
from localaws.running import Running

BATCH = 10
SIGNED = "AWS4-HMAC-SHA256 Credential=key/20260101/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is measured: seconds, messages that wait, bytes of a body, clients, and whether they send one by one."""

    seconds: float = 10.0
    waiting: int = 10_000
    body: int = 300
    clients: int = 2
    singly: bool = False


class Connection:
    """One client: a request after the other over one socket."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.netloc
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Call an operation of SQS.

        Raises:
            RuntimeError: it was refused.
        """
        body = json.dumps(params).encode()
        head = (
            f"POST / HTTP/1.1\r\nHost: {self._host}\r\nX-Amz-Target: AmazonSQS.{operation}\r\n"
            f"Content-Type: application/x-amz-json-1.0\r\nAuthorization: {SIGNED}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + body)
        status, answer = self._response()
        if status != HTTPStatus.OK:
            raise RuntimeError(f"{operation}: {status} {answer.decode()}")
        parsed: dict[str, Any] = json.loads(answer)
        return parsed

    def _response(self) -> tuple[int, bytes]:
        while (end := self._rest.find(b"\r\n\r\n")) < 0:
            self._rest += self._more()
        head, self._rest = self._rest[:end].lower(), self._rest[end + 4 :]
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(self._rest) < length:
            self._rest += self._more()
        answer, self._rest = self._rest[:length], self._rest[length:]
        return int(head.split(b" ", 2)[1]), answer

    def _more(self) -> bytes:
        data = self._socket.recv(1 << 18)
        if not data:
            raise RuntimeError("localaws closed the connection")
        return data


def cycle(connection: Connection, queue: str, load: Load) -> int:
    """Send ten messages, receive up to ten and delete those; how many went."""
    send(connection, queue, load)
    found = connection.call("ReceiveMessage", {"QueueUrl": queue, "MaxNumberOfMessages": BATCH})["Messages"]
    entries = [{"Id": str(at), "ReceiptHandle": message["ReceiptHandle"]} for at, message in enumerate(found)]
    return len(connection.call("DeleteMessageBatch", {"QueueUrl": queue, "Entries": entries})["Successful"])


def send(connection: Connection, queue: str, load: Load) -> None:
    """Send ten messages, at once or one by one."""
    body = "x" * load.body
    if load.singly:
        for _ in range(BATCH):
            connection.call("SendMessage", {"QueueUrl": queue, "MessageBody": body})
        return
    entries = [{"Id": str(number), "MessageBody": body} for number in range(BATCH)]
    connection.call("SendMessageBatch", {"QueueUrl": queue, "Entries": entries})


def client(url: str, queue: str, load: Load, counted: Any, start: Any) -> None:
    """A process: work until the time is over, then tell the number of messages."""
    connection = Connection(url)
    start.wait()
    end, messages = time.monotonic() + load.seconds, 0
    while time.monotonic() < end:
        messages += cycle(connection, queue, load)
    counted.put(messages)


def measured(aws: Running, load: Load) -> dict[str, Any]:
    """Fill a queue, load it, and tell what went through it."""
    connection = Connection(aws.url)
    queue = connection.call("CreateQueue", {"QueueName": f"load-{time.monotonic_ns()}"})["QueueUrl"]
    for _ in range(load.waiting // BATCH):
        send(connection, queue, Load(body=load.body))
    context = multiprocessing.get_context("spawn")
    counted, start = context.Queue(), context.Barrier(load.clients + 1)
    processes = [
        context.Process(target=client, args=(aws.url, queue, load, counted, start)) for _ in range(load.clients)
    ]
    for process in processes:
        process.start()
    server = psutil.Process(aws.pid)
    start.wait()
    begun, cpu = time.monotonic(), sum(server.cpu_times()[:2])
    messages = sum(counted.get(timeout=load.seconds + 60) for _ in processes)
    seconds, cpu = time.monotonic() - begun, sum(server.cpu_times()[:2]) - cpu
    for process in processes:
        process.join()
    wanted = {"QueueUrl": queue, "AttributeNames": ["ApproximateNumberOfMessages"]}
    left = int(connection.call("GetQueueAttributes", wanted)["Attributes"]["ApproximateNumberOfMessages"])
    return {
        **asdict(load),
        "messagesPerSecond": round(messages / seconds),
        "waitingAfterwards": left,
        "serverCpuShare": round(cpu / seconds, 2),
        "serverRssMiB": round(server.memory_info().rss / 2**20),
    }


def main() -> None:
    """Measure sends in tens and sends one by one, and print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--waiting", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=2, help="processes with one connection each")
    given = parser.parse_args()
    with localaws.start() as aws:
        results = {}
        for name, singly in (("batches", False), ("singly", True)):
            load = Load(seconds=given.seconds, waiting=given.waiting, clients=given.clients, singly=singly)
            results[name] = measured(aws, load)
    print(json.dumps(results))  # noqa: T201  # what the command is for


if __name__ == "__main__":
    main()
