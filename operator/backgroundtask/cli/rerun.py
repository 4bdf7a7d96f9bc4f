"""`bgt rerun`: what a run was asked for with, once more."""

from typing import Any

import click

from backgroundtask.cli.command import Command
from backgroundtask.cli.completing import RUN_NAMES
from backgroundtask.cli.launching import Manner, launch, manner_options
from backgroundtask.cli.place import Place, place_options
from backgroundtask.cli.requested import Wish
from backgroundtask.kube.resource import RUNS


@click.command(cls=Command, short_help="Run again what a run was for.")
@click.argument("run", shell_complete=RUN_NAMES)
@manner_options
@place_options()
@click.pass_context
def rerun(ctx: click.Context, /, *, place: Place, run: str, **given: Any) -> None:  # noqa: ANN401 - the options
    """Run once more what RUN was for: its task as it is now, with the overrides, the item and the slot of RUN.

    A new run is created, and its name printed; RUN stays as it is. The container finds the slot that RUN was for in
    BGT_SCHEDULED_TIME, so that it does the work of that day and not of today. Exit codes are those of `bgt run`.
    """
    manner, spec = Manner.of(given), place.get(RUNS, run)["spec"]
    ctx.exit(launch(place, str(spec["task"]), Wish.of(spec), manner))
