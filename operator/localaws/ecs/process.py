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
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.ecs.command import Command
from localaws.ecs.failures import CannotStartContainer

Listener = Callable[[asyncio.StreamReader], Coroutine[Any, Any, None]]
_LEAST_PATIENCE = 1.0  # real seconds between SIGTERM and SIGKILL, however fast the virtual clock runs
_END = 1.0  # real seconds for all that was killed to let go of the output
_LISTEN = 10.0  # real seconds to make use of what was read before the end
_PIPE_BYTES = 1024 * 1024  # as much as a pipe may hold


@dataclass(frozen=True, slots=True)
class _Output:
    """What a process writes, stdout and stderr as one.

    The pipe is our own: asyncio's would tie the end of the process to the end of whoever inherited the pipe.
    """

    reader: asyncio.StreamReader
    pipe: asyncio.ReadTransport
    listening: asyncio.Task[None]

    async def finish(self) -> None:
        """Read to the end and let the listener finish.

        Where someone outside the session holds the pipe open there is no end: then what the process left in it is all.
        """
        await asyncio.wait({self.listening}, timeout=_END)
        if not self.pipe.is_closing():
            self.pipe.pause_reading()
            with contextlib.suppress(BlockingIOError):
                self.reader.feed_data(os.read(self.pipe.get_extra_info("pipe").fileno(), _PIPE_BYTES))
            self.pipe.close()
        await asyncio.wait({self.listening}, timeout=_LISTEN)
        self.listening.cancel()
        await asyncio.gather(self.listening, return_exceptions=True)


class Process:
    """A running process. `exited` ends with its exit code as Docker gives it: 128 + n after signal n."""

    def __init__(self, process: asyncio.subprocess.Process, folder: str, output: _Output) -> None:
        self._process = process
        self._folder = folder
        self._output = output
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

    @property
    def session(self) -> int:
        """The id of the session that it and all that it started belong to."""
        return self._process.pid

    def send_kill(self) -> None:
        """Send SIGKILL; whatever it started follows it."""
        if not self.exited.done():
            self._signal(self._process.send_signal, signal.SIGKILL)

    async def kill(self) -> int:
        """End it at once, with all that it started, and give its exit code."""
        self.send_kill()
        return await asyncio.shield(self.exited)

    async def _reap(self) -> int:
        code = await self._process.wait()
        self._signal(lambda number: os.killpg(self._process.pid, number), signal.SIGKILL)
        await self._output.finish()
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
        reader, pipe, writing = await _open_pipe()
        undo.callback(pipe.close)
        try:
            _mount(command.mounts, folder)
            process = await _spawn(command, folder, writing)
        except (OSError, ValueError) as e:
            raise CannotStartContainer(_why_not(command.argv[0], e)) from None  # its arguments may hold secrets
        finally:
            os.close(writing)
        undo.pop_all()
    return Process(process, folder, _Output(reader, pipe, asyncio.create_task(listen(reader))))


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


def _mount(mounts: Mapping[str, str], folder: str) -> None:
    """Show folders below the working folder; one inside another after it."""
    for path in sorted(mounts):
        link = Path(folder, path.lstrip("/"))
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(mounts[path], target_is_directory=True)


async def _open_pipe() -> tuple[asyncio.StreamReader, asyncio.ReadTransport, int]:
    reader = asyncio.StreamReader()
    reading, writing = os.pipe()
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", buffering=0)
    )
    return reader, pipe, writing


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
