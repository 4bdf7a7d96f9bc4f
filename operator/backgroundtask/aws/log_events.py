"""CloudWatch Logs: what containers have written, line by line.

A stream appears with its first line, or never, so a stream or group that is not there has no lines yet. A page may be
empty though there are more: only a token that AWS gives back as it was says that there is nothing beyond (CloudWatch
Logs API, GetLogEvents). Lines arrive some seconds after they were written, and may still do so after a task has ended.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from backgroundtask.aws.clients import Clients
from backgroundtask.aws.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import GetLogEventsResponseTypeDef

MOST_LINES: Final = 10_000
"""Lines that AWS gives at once (CloudWatch Logs API, GetLogEvents: limit)."""
_MOST_PAGES = 20  # of a look for the last lines, where AWS answers with empty pages


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a container's output, as it was written: control characters and all."""

    at: datetime
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """Lines in their order, and where to go on. `is_last`: there is nothing beyond them yet.

    `bookmark` is None where nothing was there: the next look starts at the head. AWS forgets a bookmark after 24 hours.
    """

    lines: tuple[Line, ...]
    bookmark: str | None
    is_last: bool


class LogEvents:
    """CloudWatch Logs of one account and region."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def tail(self, group: str, stream: str, lines: int) -> tuple[str, ...]:
        """The last lines of a stream (at most `lines`, 1 to 10 000), oldest first; none where it is not there.

        Raises:
            Rejected, Blocked, Busy: as AWS answers.
        """
        return tuple(line.text for line in self.latest(group, stream, lines).lines)

    @translated()
    def latest(self, group: str, stream: str, lines: int) -> Page:
        """The last lines of a stream, oldest first, and where those begin that are written next.

        Raises:
            Rejected, Blocked, Busy: as AWS answers.
        """
        place = {"logGroupName": group, "logStreamName": stream}
        answer = self._get(**place, startFromHead=False, limit=lines)
        found = _lines(answer)
        bookmark = answer["nextForwardToken"] if answer else None
        for _ in range(_MOST_PAGES):
            if answer is None or len(found) >= lines:
                break
            before, wanted = answer["nextBackwardToken"], lines - len(found)
            answer = self._get(**place, startFromHead=False, limit=wanted, nextToken=before)
            found = _lines(answer) + found
            if answer is not None and answer["nextBackwardToken"] == before:
                break
        return Page(found[-lines:], bookmark if found else None, is_last=True)

    @translated()
    def page(self, group: str, stream: str, bookmark: str | None = None, *, since: datetime | None = None) -> Page:
        """The next lines of a stream: from its head, or from where a page ended; none from before `since` (aware).

        Raises:
            Rejected, Blocked, Busy: as AWS answers.
        """
        after = {} if bookmark is None else {"nextToken": bookmark}
        start = {} if since is None else {"startTime": int(since.timestamp() * 1000)}
        answer = self._get(logGroupName=group, logStreamName=stream, startFromHead=True, **start, **after)
        if answer is None:
            return Page((), bookmark, is_last=True)
        found, then = _lines(answer), answer["nextForwardToken"]
        return Page(found, then, is_last=then == bookmark)

    def _get(self, **request: Any) -> "GetLogEventsResponseTypeDef | None":  # noqa: ANN401 - a request of boto3
        """A page of AWS's; None where there is no such stream."""
        try:
            return self._clients.log_lines.get_log_events(**request)
        except self._clients.log_lines.exceptions.ResourceNotFoundException:
            return None


def _lines(answer: "GetLogEventsResponseTypeDef | None") -> tuple[Line, ...]:
    events = answer["events"] if answer else []
    return tuple(
        Line(datetime.fromtimestamp(one.get("timestamp", 0) / 1000, tz=UTC), one.get("message", "")) for one in events
    )
