"""The output of a run's container on the person's screen: each line once, while they are written and for a while after.

Knows that lines arrive late and that a run tried again writes into another stream. Reads with the person's own AWS
credentials, in the region that the run's ECS task names: no right to read a LaunchTemplate is needed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from backgroundtask.api.phases import ENDS
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.cli.output import printable, say
from backgroundtask.cli.place import Outside
from backgroundtask.errors import Blocked, Busy, Expected

if TYPE_CHECKING:
    from backgroundtask.aws.log_events import Line, Page

_QUIET: Final = 4.0
"""Seconds without a line after which a run that has ended is taken to have written all: lines arrive late."""
_NO_CREDENTIALS: Final = (
    "No AWS credentials to read the log with: log in (`aws sso login`), set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which lines: the last `tail` of what there is at first, and none from before `since`. None: all."""

    tail: int | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Source:
    region: str
    group: str
    stream: str


class Screen:
    """Prints the lines of one run after the other; `lines` is how many it has printed."""

    def __init__(self, outside: Outside, selection: Selection, *, raw: bool) -> None:
        self.lines = 0
        self._outside = outside
        self._selection = selection
        self._raw = raw
        self._source: _Source | None = None
        self._bookmark: str | None = None
        self._complained = False

    def show(self, run: BackgroundTaskRun) -> None:
        """Print what is new.

        Raises:
            Rejected, Blocked, Busy: as AWS answers.
        """
        source = _source(run)
        if source is None:
            return
        try:
            self._print(source)
        except Blocked as error:
            if error.reason == "NoCredentials":
                raise Blocked(error.reason, _NO_CREDENTIALS + _or_open(run)) from error
            raise

    def follow(self, run: BackgroundTaskRun) -> None:
        """Print what is new, and once the run has ended wait for what is late.

        A log that cannot be read ends no waiting for a run: it is told once, on standard error.
        """
        try:
            self.show(run)
            self._drain(run)
        except Busy:
            return  # the next look may work
        except Expected as error:
            if not self._complained:
                say(f"The log of {run.metadata.name} cannot be shown: {error.message}")
            self._complained = True

    def _drain(self, run: BackgroundTaskRun) -> None:
        if run.status.phase not in ENDS or _source(run) is None:
            return
        quiet_since = self._outside.tick()
        while self._outside.tick() - quiet_since < _QUIET:
            self._outside.sleep(1.0)
            seen = self.lines
            self.show(run)
            if self.lines > seen:
                quiet_since = self._outside.tick()

    def _print(self, source: _Source) -> None:
        if self._source is not None and self._source != source:
            self._read(self._source, is_new=False)  # what the attempt before has written last
        self._read(source, is_new=source != self._source)

    def _read(self, source: _Source, *, is_new: bool) -> None:
        while True:
            page = self._page(source, is_new=is_new)
            self._source, self._bookmark, is_new = source, page.bookmark, False
            for line in page.lines:
                self._line(line)
            if page.is_last:
                return

    def _page(self, source: _Source, *, is_new: bool) -> "Page":
        events = self._outside.log_events(source.region)
        if not is_new:
            return events.page(source.group, source.stream, self._bookmark, since=self._selection.since)
        if self._selection.tail is not None and self._source is None:
            return events.latest(source.group, source.stream, self._selection.tail)
        return events.page(source.group, source.stream, since=self._selection.since)

    def _line(self, line: "Line") -> None:
        if self._selection.since is not None and line.at < self._selection.since:  # of the last lines some are older
            return
        self.lines += 1
        text = line.text if self._raw else "\n".join(printable(part) for part in line.text.split("\n"))
        click.echo(text, color=True)  # else click leaves colours out where a pipe follows


def _or_open(run: BackgroundTaskRun) -> str:
    url = run.status.logs.url if run.status.logs else None
    return f"; or open {url}" if url else ""


def _source(run: BackgroundTaskRun) -> _Source | None:
    """Where the run's container writes to; None while no ECS task is known."""
    logs, arn = run.status.logs, (run.status.task_arn or "").split(":")
    if logs is None or logs.group is None or logs.stream is None or len(arn) < 6:  # noqa: PLR2004 - arn:partition:service:region:account:resource
        return None
    return _Source(region=arn[3], group=logs.group, stream=logs.stream)
