"""The local process of one container: started, listened to, stopped, and cleaned up after.

Knows processes, not ECS. Each has a session of its own, so whatever it left running dies with it, and a private folder
that is removed at its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

from localaws.ecs.command import Command
from localaws.ecs.failures import CannotStartContainer

Listener = Callable[[asyncio.StreamReader], Awaitable[None]]
_LEAST_PATIENCE = 1.0  # real seconds between SIGTERM and SIGKILL, however fast the virtual clock runs
_DRAIN = 1.0  # real seconds to read what is still in the pipe when someone outside the session holds it open


class Process:
    """A running process. `exited` ends with its exit code as Docker gives it: 128 + n after signal n."""

    def __init__(self, process: asyncio.subprocess.Process, folder: str, listening: asyncio.Task[None]) -> None:
        self._process = process
        self._folder = folder
        self._listening = listening
        self.exited: asyncio.Task[int] = asyncio.create_task(self._reap())

    async def stop(self, grace: Awaitable[None]) -> int:
        """Send SIGTERM, and SIGKILL once `grace` has ended, but no sooner than a real second later.

        documented: API: StopTask, as `docker stop` does it: the signals go to the main process
        """
        self._signal(self._process.send_signal, signal.SIGTERM)
        patience = asyncio.gather(grace, asyncio.sleep(_LEAST_PATIENCE))
        either: set[asyncio.Future[Any]] = {self.exited, patience}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()
            await asyncio.gather(patience, return_exceptions=True)
        return await self.kill()

    async def kill(self) -> int:
        """End it at once, with all that it started, and give its exit code."""
        if not self.exited.done():
            self._signal(self._process.send_signal, signal.SIGKILL)
        return await asyncio.shield(self.exited)

    async def _reap(self) -> int:
        code = await self._process.wait()
        self._signal(lambda number: os.killpg(self._process.pid, number), signal.SIGKILL)
        await asyncio.wait({self._listening}, timeout=_DRAIN)
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        return code if code >= 0 else 128 - code

    @staticmethod
    def _signal(send: Callable[[int], None], number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            send(number)


async def start(command: Command, listen: Listener) -> Process:
    """Start a process in a folder of its own; `listen` reads its output, stdout and stderr as one.

    Raises:
        CannotStartContainer: there is no such executable, or it may not be run.
    """
    with contextlib.ExitStack() as undo:
        folder = tempfile.mkdtemp(prefix="localaws-ecs-")
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        reading, writing = os.pipe()
        undo.callback(os.close, reading)
        try:
            process = await _spawn(command, folder, writing)
        except (OSError, ValueError) as e:
            raise CannotStartContainer(_why_not(command.argv[0], e)) from None  # its arguments may hold secrets
        finally:
            os.close(writing)
        undo.pop_all()
    return Process(process, folder, asyncio.create_task(_listen(reading, listen)))


async def _spawn(command: Command, folder: str, output: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command.argv,
        cwd=folder,
        env=command.environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


async def _listen(reading: int, listen: Listener) -> None:
    """Read a pipe of our own: asyncio's would tie the end of the process to the end of whoever inherited the pipe."""
    reader = asyncio.StreamReader()
    pipe = os.fdopen(reading, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    try:
        await listen(reader)
    finally:
        transport.close()


def _why_not(executable: str, error: OSError | ValueError) -> str:
    """Word it as runc does (reported: aws/amazon-ecs-cli#1136, aws/amazon-ecs-agent#2954)."""
    prefix = (
        "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process"
    )
    if isinstance(error, ValueError):
        return f"{prefix}: a variable of the environment or an argument holds what no process can take: unknown"
    if isinstance(error, FileNotFoundError) and "/" in executable:
        return f'{prefix}: exec: "{executable}": stat {executable}: no such file or directory: unknown'
    if isinstance(error, FileNotFoundError):
        return f'{prefix}: exec: "{executable}": executable file not found in $PATH: unknown'
    return f'{prefix}: exec: "{executable}": {(error.strerror or "cannot be run").lower()}: unknown'
