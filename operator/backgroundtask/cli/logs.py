"""`bgt logs`: what the container of a run has written."""

from datetime import timedelta

import click
from rich.console import Console

from backgroundtask.api.parsing import parse_run, read_metadata
from backgroundtask.api.phases import ENDS
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.cli import records
from backgroundtask.cli.command import Command
from backgroundtask.cli.completing import names_of
from backgroundtask.cli.durations import Duration
from backgroundtask.cli.following import follow
from backgroundtask.cli.output import say
from backgroundtask.cli.place import Place, place_options
from backgroundtask.cli.streaming import Screen, Selection
from backgroundtask.errors import Rejected
from backgroundtask.kube.resource import RUNS, TASKS

_MOST = 10_000
"""What CloudWatch gives at once (CloudWatch Logs API, GetLogEvents: limit)."""
_NEVER_RAN = frozenset({"Skipped", "Missed"})


@click.command(cls=Command, short_help="Print the log of a run.")
@click.argument("name", metavar="RUN|TASK", shell_complete=names_of(RUNS, TASKS))
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on until the run ends.")
@click.option("--tail", type=click.IntRange(1, _MOST), help="The last so many lines only.")
@click.option("--since", type=Duration(), help="Lines of the last 90s, 5m or 1h30m only.")
@place_options()
def logs(*, place: Place, name: str, follows: bool, tail: int | None, since: timedelta | None) -> None:
    """Print what the container of RUN has written; of TASK, its newest run.

    Reads CloudWatch Logs with your own AWS credentials, which need logs:GetLogEvents. On a terminal, control characters
    are left out; a pipe gets the lines as they are. Of a run that was tried again, the latest attempt is shown.
    """
    run = _run(place, name)
    start = None if since is None else place.outside.now() - since
    screen = Screen(place.outside, Selection(tail=tail, since=start), raw=not Console().is_terminal)
    screen.show(run)
    if follows and run.status.phase not in ENDS:
        follow(place, [run.metadata.name], timeout=None, on_look=screen.follow)
    if not screen.lines:
        say(_nothing(run))


def _run(place: Place, name: str) -> BackgroundTaskRun:
    body = place.find(RUNS, name)
    if body is not None:
        return parse_run(body)
    task = place.find(TASKS, name)
    if task is None:
        raise Rejected("NotFound", f"There is neither a run nor a task {name} in namespace {place.namespace}")
    runs = records.of_task(records.readable(place.kube.list(RUNS, place.namespace)), read_metadata(task))
    newest = next((run for run in runs if run.status.phase not in _NEVER_RAN), None)
    if newest is None:
        raise Rejected("NotFound", f"{name} has not run yet; `bgt run {name}` starts it")
    say(f"{newest.metadata.name} ({newest.status.phase or 'Pending'}):")
    return newest


def _nothing(run: BackgroundTaskRun) -> str:
    name, phase = run.metadata.name, run.status.phase or "Pending"
    if run.status.task_arn is None:
        return f"{name} has no log: no container was started for it ({phase})"
    if phase in ENDS:
        return f"{name} has written nothing"
    return f"{name} has written nothing yet ({phase}); -f waits for it"
