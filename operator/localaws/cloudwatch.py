"""Appends lines to a stream of CloudWatch Logs, as the awslogs driver does.

Knows what PutLogEvents takes; where the calls go, and what the lines say, is not asked here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from localaws.contract import AwsError, Params

_BATCH = 10_000  # documented: API: PutLogEvents, events a batch

Call = Callable[[str, Params], Awaitable[Params]]
"""Makes a call to CloudWatch Logs: operation, parameters."""


async def append(call: Call, group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
    """Append `(epoch milliseconds, message)` lines to a stream, which is created if missing.

    Empty lines are left out, as the driver does: Logs takes no empty message.

    Raises:
        AwsError: ResourceNotFoundException where the group does not exist.
    """
    ordered = sorted((line for line in lines if line[1]), key=lambda line: line[0])
    where = {"logGroupName": group, "logStreamName": stream}
    for start in range(0, len(ordered), _BATCH):
        events = [{"timestamp": at, "message": text} for at, text in ordered[start : start + _BATCH]]
        try:
            await call("PutLogEvents", {**where, "logEvents": events})
        except AwsError as e:
            if e.code != "ResourceNotFoundException":
                raise
            await call("CreateLogStream", where)
            await call("PutLogEvents", {**where, "logEvents": events})
