"""`bgt suspend`: no scheduled runs until further notice."""

import click

from backgroundtask.cli.command import Command
from backgroundtask.cli.completing import TASK_NAMES
from backgroundtask.cli.place import Place, place_options
from backgroundtask.cli.suspending import set_suspend


@click.command(cls=Command, short_help="Stop the schedule of a task.")
@click.argument("task", shell_complete=TASK_NAMES)
@place_options()
def suspend(place: Place, task: str) -> None:
    """Set spec.suspend of TASK: its schedule starts no more runs, until `bgt resume`.

    Runs that are under way go on, and `bgt run` works all the same.
    """
    set_suspend(place, task, suspend=True)
