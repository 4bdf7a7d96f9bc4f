"""A fast client of the API server: applies, deletes and watches by itself, as a process of its own.

It takes one job a line from standard input and answers one line of JSON each. All times are of the monotonic clock,
which Linux shares between processes. Knows the API server's wire format and that of SQS, so that neither kubectl nor an
SDK uses the processors whose work is measured.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from bench.board import Board

CONNECTIONS = 32
TASKS = "/apis/bgtask.dev/v1alpha1/namespaces/default/backgroundtasks"
RUNS = "/apis/bgtask.dev/v1alpha1/namespaces/default/backgroundtaskruns"

Job = dict[str, Any]


class Api:
    """The API server, for one user."""

    def __init__(self, session: aiohttp.ClientSession, server: str, tls: ssl.SSLContext) -> None:
        self._session = session
        self._server = server
        self._tls = tls

    async def send(self, method: str, path: str, *, body: object = None, content_type: str = "") -> dict[str, Any]:
        """Ask once; raises RuntimeError on a refusal."""
        headers = {"Content-Type": content_type} if content_type else {}
        data = None if body is None else json.dumps(body)
        async with self._session.request(
            method, self._server + path, data=data, headers=headers, ssl=self._tls
        ) as answer:
            told: dict[str, Any] = await answer.json()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {told.get('message')}")
        return told

    @asynccontextmanager
    async def watching(
        self, path: str, see: Callable[[str, dict[str, Any]], None]
    ) -> AsyncIterator[asyncio.Task[None]]:
        """Tell `see` of every event from now on; the task that does ends only where it fails."""
        listed = await self.send("GET", f"{path}?limit=1")
        following = asyncio.create_task(self._follow(path, listed["metadata"]["resourceVersion"], see))
        try:
            yield following
        finally:
            following.cancel()

    async def _follow(self, path: str, version: str, see: Callable[[str, dict[str, Any]], None]) -> None:
        """Watch on and on: the API server closes a watch whose reader is slow, as it is on a busy machine."""
        while True:
            url = f"{self._server}{path}?watch=1&resourceVersion={version}"
            async with self._session.get(url, ssl=self._tls) as stream:
                async for event in _events(stream):
                    if event["type"] == "ERROR":
                        raise RuntimeError(event["object"].get("message"))
                    version = event["object"]["metadata"]["resourceVersion"]
                    see(event["type"], event["object"])


async def _events(stream: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    rest = b""
    async for chunk in stream.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for text in lines:
            yield json.loads(text)


async def apply(api: Api, job: Job) -> Job:
    """Server-side apply of `bodies`; a task has come when its status answers the generation, `until` Ready or not."""
    names = [body["metadata"]["name"] for body in job["bodies"]]
    board, wanted, reached = Board(names), dict[str, int](), dict[str, int]()
    conditions: Counter[str] = Counter()

    def look(body: dict[str, Any]) -> None:
        name, status, known = body["metadata"]["name"], body.get("status", {}), _conditions(body)
        conditions.update(f"{one['type']}={one['status']} {one['reason']}" for one in known.values())
        ready = known.get("Ready", {}).get("status") == "True"
        if job["until"] == "observed" or ready:
            reached[name] = status.get("observedGeneration", -1)
        if name in wanted and reached.get(name, -1) >= wanted[name]:
            board.arrive(name)

    async def apply_one(body: dict[str, Any]) -> None:
        name = body["metadata"]["name"]
        board.sent[name] = time.monotonic()
        answer = await api.send(
            "PATCH", f"{TASKS}/{name}?fieldManager=bench&force=true", body=body,
            content_type="application/apply-patch+yaml",
        )  # fmt: skip
        wanted[name] = answer["metadata"]["generation"]
        look(answer)

    async with api.watching(TASKS, lambda _, body: look(body)) as following:
        start = time.monotonic()
        await _together(apply_one, job["bodies"])
        applied = time.monotonic() - start
        missing = await board.wait(job["timeout"], following)
    return board.answer(missing, applied=applied, conditions=conditions)


async def delete(api: Api, job: Job) -> Job:
    """Delete `names`, once `after` tasks were seen to become Ready; a task has come when it is gone."""
    board, ready, enough = Board(job["names"]), set[str](), asyncio.Event()

    async def delete_one(name: str) -> None:
        board.sent[name] = time.monotonic()
        await api.send("DELETE", f"{TASKS}/{name}")

    def see(kind: str, body: dict[str, Any]) -> None:
        if kind == "DELETED":
            board.arrive(body["metadata"]["name"])
        if _conditions(body).get("Ready", {}).get("status") == "True":
            ready.add(body["metadata"]["name"])
        if len(ready) >= job["after"]:
            enough.set()

    async with api.watching(TASKS, see) as following:
        if job["after"]:
            await asyncio.wait_for(enough.wait(), job["timeout"])
        await _together(delete_one, job["names"])
        missing = await board.wait(job["timeout"], following)
    return board.answer(missing)


async def events(api: Api, job: Job) -> Job:
    """Send each of `messages` to a queue, `rate` a second; it has come when its run's status shows its version."""
    wanted = {one["run"]: one["version"] for one in job["messages"]}
    board = Board(wanted)
    late = 0.0

    def see(_: str, body: dict[str, Any]) -> None:
        name = body["metadata"]["name"]
        if name in wanted and body.get("status", {}).get("taskVersion", -1) >= wanted[name]:
            board.arrive(name)

    async with api.watching(RUNS, see) as following, _sqs(job["aws"], job["region"]) as queue:
        start = time.monotonic()

        async def send(at: int, message: Job) -> None:
            nonlocal late
            due = start + at / job["rate"]
            await asyncio.sleep(due - time.monotonic())
            board.sent[message["run"]] = now = time.monotonic()
            late = max(late, now - due)
            await queue(job["queue"], message["body"])

        await asyncio.gather(*(send(at, message) for at, message in enumerate(job["messages"])))
        missing = await board.wait(job["timeout"], following)
    return board.answer(missing, late=late)


async def runs(api: Api, job: Job) -> Job:
    """Create `bodies`, all at once or each when the one before has come; a run has come when it is in phase `until`."""
    names = [body["metadata"]["name"] for body in job["bodies"]]
    board, reached = Board(names), {name: asyncio.Event() for name in names}

    def see(_: str, body: dict[str, Any]) -> None:
        name, status = body["metadata"]["name"], body.get("status", {})
        if name in reached and (status.get("phase") == job["until"] or "completionTime" in status):
            board.arrive(name)
            reached[name].set()

    async def ask_for(body: dict[str, Any]) -> None:
        name = body["metadata"]["name"]
        board.sent[name] = time.monotonic()
        await api.send("POST", RUNS, body=body, content_type="application/json")
        if not job["at_once"]:
            await asyncio.wait_for(reached[name].wait(), job["timeout"])

    async with api.watching(RUNS, see) as following:
        if job["at_once"]:
            await _together(ask_for, job["bodies"])
        for body in [] if job["at_once"] else job["bodies"]:
            await ask_for(body)
        missing = await board.wait(job["timeout"], following)
    return board.answer(missing)


def _conditions(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["type"]: one for one in body.get("status", {}).get("conditions", [])}


async def _together(do: Callable[[Any], Awaitable[None]], items: list[Any]) -> None:
    """All of them, as many at once as there are connections."""
    left = iter(items)

    async def work() -> None:
        for item in left:
            await do(item)

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


@asynccontextmanager
async def _sqs(url: str, region: str) -> AsyncIterator[Callable[[str, str], Awaitable[None]]]:
    scope = f"Credential=localaws/20260101/{region}/sqs/aws4_request, SignedHeaders=host, Signature=0"
    headers = {
        "X-Amz-Target": "AmazonSQS.SendMessage",
        "Content-Type": "application/x-amz-json-1.0",
        "Authorization": f"AWS4-HMAC-SHA256 {scope}",
    }
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS), headers=headers) as session:

        async def send(queue: str, body: str) -> None:
            async with session.post(url, data=json.dumps({"QueueUrl": queue, "MessageBody": body})) as answer:
                if answer.status != 200:
                    raise RuntimeError(f"SendMessage: {answer.status} {await answer.text()}")

        yield send


JOBS: dict[str, Callable[[Api, Job], Awaitable[Job]]] = {
    "apply": apply, "delete": delete, "events": events, "runs": runs,
}  # fmt: skip


async def main(config: Job) -> None:
    """Answer jobs, as the user of a kubeconfig, until standard input ends."""
    server, tls = config["clusters"][0]["cluster"]["server"], _tls(config)
    connector = aiohttp.TCPConnector(limit=CONNECTIONS + 1)  # one for the watch
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as session:
        api = Api(session, server, tls)
        while text := await asyncio.to_thread(sys.stdin.readline):
            job = json.loads(text)
            try:
                answer = await JOBS[job["do"]](api, job)
            except (RuntimeError, TimeoutError, aiohttp.ClientError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


def _tls(config: Job) -> ssl.SSLContext:
    user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    with tempfile.NamedTemporaryFile() as pem:  # ssl reads a client's certificate from files only
        pem.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
        pem.flush()
        context.load_cert_chain(pem.name)
    return context


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
