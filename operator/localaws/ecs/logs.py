"""The awslogs driver: from a container's output to lines of a CloudWatch Logs stream.

documented: developer guide, "Send Amazon ECS logs to CloudWatch": the stream is prefix/container/task-id
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from localaws.contract import AwsError, World
from localaws.ecs.failures import ResourceInitialization
from localaws.ecs.model import Container, Task

_PRINCIPAL = "ecs-tasks.amazonaws.com"
_CHUNK = 64 * 1024
# reported: moby, daemon/logger/awslogs: longer lines become several events, empty ones none
_EVENT_BYTES = 262_144 - 26
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogStream:
    """Where the output of one container goes."""

    world: World
    region: str
    group: str
    name: str
    create_group: bool

    async def prepare(self) -> None:
        """Create the stream, as the driver does before the container starts.

        Raises:
            ResourceInitialization: the group does not exist.
        """
        if self.create_group:
            await self._create("CreateLogGroup", {"logGroupName": self.group})
        await self._create("CreateLogStream", {"logGroupName": self.group, "logStreamName": self.name})

    async def _create(self, operation: str, params: dict[str, str]) -> None:
        try:
            await self.world.call("logs", operation, params, region=self.region, principal=_PRINCIPAL)
        except AwsError as e:
            if e.code == "ResourceAlreadyExistsException":
                return
            # assumed: the wording, from what Fargate 1.4.0 is remembered to say
            raise ResourceInitialization(
                "failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch "
                f"log stream: {e.code}: {e.message} : exit status 1"
            ) from e

    async def write(self, lines: list[bytes]) -> None:
        """Append lines. What CloudWatch refuses is lost (documented: developer guide, awslogs mode non-blocking)."""
        moment = int(self.world.clock.now().timestamp() * 1000)
        events = [(moment, line.decode(errors="replace")) for line in lines if line]
        try:
            await self.world.write_log(self.region, self.group, self.name, events)
        except AwsError as e:
            _logger.warning("Lost %d lines of log stream %s of %s: %s", len(events), self.name, self.group, e.code)


def stream_of(world: World, task: Task, container: Container) -> LogStream | None:
    """Find where a container's output goes; None where it goes nowhere that localaws knows."""
    configured = container.definition.get("logConfiguration")
    if configured is None or configured["logDriver"] != "awslogs":
        return None
    options = configured["options"]
    return LogStream(
        world,
        options["awslogs-region"],
        options["awslogs-group"],
        f"{options['awslogs-stream-prefix']}/{container.name}/{task.id}",
        options.get("awslogs-create-group") == "true",
    )


async def copy(output: asyncio.StreamReader, stream: LogStream | None) -> None:
    """Carry output line by line until it ends. What arrives while a write is under way goes out with the next one."""
    rest = b""
    while chunk := await output.read(_CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        pieces = [piece for line in lines for piece in _pieces(line)]
        if len(rest) > _EVENT_BYTES:
            *full, rest = _pieces(rest)
            pieces += full
        await _write(stream, pieces)
    await _write(stream, _pieces(rest))


def _pieces(line: bytes) -> list[bytes]:
    return [line[start : start + _EVENT_BYTES] for start in range(0, len(line), _EVENT_BYTES)]


async def _write(stream: LogStream | None, lines: list[bytes]) -> None:
    if stream is not None and lines:
        await stream.write(lines)
