"""`bgt wait`: until runs have ended."""

from collections.abc import Sequence
from datetime import timedelta

import click

from backgroundtask.cli.command import Command
from backgroundtask.cli.completing import RUN_NAMES
from backgroundtask.cli.durations import Duration
from backgroundtask.cli.following import follow
from backgroundtask.cli.place import Place, place_options
from backgroundtask.kube.resource import RUNS


@click.command(cls=Command, short_help="Wait for the end of runs.")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=RUN_NAMES)
@click.option("--timeout", type=Duration(), help="How long, such as 90s or 1h30m; then exit with 124.")
@place_options()
@click.pass_context
def wait(ctx: click.Context, *, place: Place, runs: Sequence[str], timeout: timedelta | None) -> None:
    """Wait until each RUN has ended, and exit as the first of them that failed.

    The exit code is the container's: 0 for success, 1 where a run ended otherwise without an exit code, 124 where the
    time is over.
    """
    for name in runs:
        place.get(RUNS, name)
    ctx.exit(follow(place, runs, timeout=timeout))
