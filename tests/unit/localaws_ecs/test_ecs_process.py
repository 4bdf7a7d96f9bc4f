"""The local process of a container, apart from ECS."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from localaws.ecs import process
from localaws.ecs.command import Command

pytestmark = pytest.mark.timeout(10)  # real processes, perhaps on a busy machine


def command(*argv: str) -> Command:
    return Command(argv, {"PATH": os.environ["PATH"], "PASSWORD": "hidden-value"})


def test_a_listener_slower_than_the_process_misses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_END", 0.01)
    writes = command(sys.executable, "-c", "import sys; sys.stdout.write('x' * 200_000)")

    async def scenario() -> int:
        read = bytearray()
        may_go_on = asyncio.Event()

        async def listen(output: asyncio.StreamReader) -> None:
            while chunk := await output.read(10_000):
                read.extend(chunk)
                await may_go_on.wait()

        running = await process.start(writes, listen)
        asyncio.get_running_loop().call_later(0.2, may_go_on.set)  # long after the process has ended
        await running.exited
        return len(read)

    assert asyncio.run(scenario()) == 200_000


def test_an_environment_is_in_no_text() -> None:
    assert "hidden-value" not in f"{command('true')!r}"
