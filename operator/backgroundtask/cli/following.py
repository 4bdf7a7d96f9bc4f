"""Following runs until they end: what is told meanwhile, how long it is waited, and which exit code comes of it.

Knows phases and patience. A restart of the API server ends no waiting. What a container prints is somebody else's.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from backgroundtask.api.parsing import parse_run, read_task_status
from backgroundtask.api.phases import ENDS
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.cli.command import FAILED, TIMED_OUT
from backgroundtask.cli.output import say, short
from backgroundtask.cli.place import Place
from backgroundtask.errors import Blocked, Busy
from backgroundtask.kube.resource import RUNS, TASKS
from backgroundtask.plan.moments import moment

INTERVAL: Final = 1.0
"""Seconds between two looks at a run."""
_LOOKS_AFTER: Final = 5
"""How often a task is asked for a run that is gone: its status is written at about the same time."""

OnLook = Callable[[BackgroundTaskRun], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """How to follow: until `deadline` (of the clock `tick`; None: for ever), telling `on_look` of each look."""

    place: Place
    on_look: OnLook
    deadline: float | None = None

    def to_the_end(self, names: Iterable[str]) -> int:
        """Follow the runs one after the other; the exit code of the first that did not succeed, else 0.

        Raises:
            Blocked: a run is gone.
        """
        failed = 0
        for name in names:
            try:
                code = self._one(name)
            except KeyboardInterrupt:
                say(f"{name} goes on; `bgt cancel {name}` stops it")
                raise
            if code == TIMED_OUT:
                return code
            failed = failed or code
        return failed

    def _one(self, name: str) -> int:
        told, run = "", None
        while True:
            run = self._look(name, run) or run
            if run is not None:
                news = _news(run)
                if run.status.phase not in ENDS and news != told:
                    say(news)
                told = news
                self.on_look(run)
                if run.status.phase in ENDS:
                    say(summary(run))
                    return exit_code(run)
            if self.deadline is not None and self.place.outside.tick() >= self.deadline:
                say(f"{name} has not ended in time and goes on; `bgt cancel {name}` stops it")
                return TIMED_OUT
            self.place.outside.sleep(INTERVAL)

    def _look(self, name: str, before: BackgroundTaskRun | None) -> BackgroundTaskRun | None:
        """The run as it is; None where the API server cannot be asked at the moment."""
        try:
            body = self.place.kube.get(RUNS, self.place.namespace, name)
            return parse_run(body) if body else self._remembered(name, before)
        except Busy:
            return None

    def _as_the_last(self, run: BackgroundTaskRun) -> BackgroundTaskRun | None:
        task = self.place.kube.get(TASKS, self.place.namespace, run.spec.task)
        last = read_task_status(task).last_run if task else None
        if last is None or last.name != run.metadata.name:
            return None
        end = {"phase": last.phase, "reason": last.reason, "exit_code": last.exit_code, "message": None}
        return run.model_copy(update={"status": run.status.model_copy(update=end)})

    def _remembered(self, name: str, before: BackgroundTaskRun | None) -> BackgroundTaskRun:
        """A run that is gone, as its task remembers it: where none are kept, it goes as soon as it has ended."""
        for _ in range(_LOOKS_AFTER):
            ended = self._as_the_last(before) if before else None
            if ended is not None:
                return ended
            self.place.outside.sleep(INTERVAL)
        raise Blocked("Gone", f"{name} was deleted before it ended")


def follow(place: Place, names: Iterable[str], *, timeout: timedelta | None, on_look: OnLook | None = None) -> int:
    """Follow runs to their ends, at most as long as `timeout`; the exit code."""
    deadline = None if timeout is None else place.outside.tick() + timeout.total_seconds()
    return Following(place=place, on_look=on_look or _ignore, deadline=deadline).to_the_end(names)


def exit_code(run: BackgroundTaskRun) -> int:
    """0 for a run that succeeded; else the container's, or 1 where it has none, or a 0 that does not count."""
    if run.status.phase == "Succeeded":
        return 0
    return run.status.exit_code or FAILED


def _news(run: BackgroundTaskRun) -> str:
    """Where a run stands, in a line: what is not plain from its phase is explained."""
    status, why = run.status, _why(run)
    said = f": {status.message}" if why and status.message else ""
    return f"{run.metadata.name}: {status.phase or 'Pending'}{why}{said}"


def summary(run: BackgroundTaskRun) -> str:
    """How a run ended, in a line."""
    status = run.status
    started, ended = moment(status.start_time), moment(status.completion_time)
    length = f" after {short(ended - started)}" if started and ended else ""
    said = f": {status.message}" if status.message and status.phase != "Succeeded" else ""
    return f"{run.metadata.name}: {status.phase}{_why(run)}{length}{said}"


def _why(run: BackgroundTaskRun) -> str:
    status = run.status
    if status.phase is None or status.reason in (None, status.phase):
        return ""
    return f" ({status.reason})"


def _ignore(_: BackgroundTaskRun) -> None:
    """Where only the end counts."""
