"""The last lines of a failed run: when they are looked for, and how they are told.

Containers hand their output on in batches, so the last lines reach CloudWatch some seconds after the end (Amazon ECS
Developer Guide, "Send Amazon ECS logs to CloudWatch"), or never: a look that finds none is made again a few times. What
a container writes is a tenant's text: bounded, on one line each, without control characters.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from backgroundtask.api.conditions import FAILED, find
from backgroundtask.api.run import TAIL_LINES, BackgroundTaskRun, RunLogs
from backgroundtask.plan.moments import moment

LOOKS = (timedelta(seconds=5), timedelta(seconds=20), timedelta(seconds=60))
"""How long after the end of a run was recorded its last lines are looked for, each time that none were found."""
_WINDOW = timedelta(hours=1)
_LONGEST = 4096  # characters of a line that are looked at; a status keeps fewer
_EVENT_BYTES = 1000  # of the 1024 that an Event takes
_BETWEEN = " | "
_COLOURS = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\))")  # ECMA-48: CSI and OSC sequences


def next_look(run: BackgroundTaskRun, looks: int, now: datetime) -> datetime | None:
    """When the last lines of a run are due to be looked for, after so many looks; None where they are not wanted.

    A container that never started has written nothing. Of a process that begins later nobody knows how often its
    predecessor has looked: it looks again at what ended within the hour.
    """
    logs, failed = run.status.logs, find(run.status.conditions, FAILED)
    if run.status.phase != "Failed" or failed is None or looks >= len(LOOKS):
        return None
    if logs is None or logs.stream is None or logs.tail or run.status.start_time is None:
        return None
    ended = moment(failed.last_transition_time)
    return None if ended is None or now > ended + _WINDOW else ended + LOOKS[looks]


def with_tail(logs: RunLogs, lines: Iterable[str]) -> RunLogs:
    """The location of the output with its last lines, as they can be shown."""
    shown = tuple(filter(str.strip, map(_printable, lines)))
    return RunLogs(group=logs.group, stream=logs.stream, url=logs.url, tail=shown[-TAIL_LINES:])


def _printable(line: str) -> str:
    """Indentation stays; what moves a cursor, colours, or turns the direction of writing does not."""
    return "".join(char if char.isprintable() else " " for char in _COLOURS.sub("", line[:_LONGEST]))


def as_event(tail: Iterable[str]) -> str:
    """The last lines as the message of an Event: as many as it has room for, those nearest to the end."""
    said = ""
    for line in reversed(tuple(tail)):
        longer = f"{line}{_BETWEEN}{said}" if said else line.encode()[:_EVENT_BYTES].decode(errors="ignore")
        if len(longer.encode()) > _EVENT_BYTES:
            break
        said = longer
    return f"Last lines: {said}"
