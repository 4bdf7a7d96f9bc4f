"""`bgt resume`: scheduled runs again."""

import click

from backgroundtask.cli.command import Command
from backgroundtask.cli.completing import TASK_NAMES
from backgroundtask.cli.place import Place, place_options
from backgroundtask.cli.suspending import set_suspend


@click.command(cls=Command, short_help="Start the schedule of a task again.")
@click.argument("task", shell_complete=TASK_NAMES)
@place_options()
def resume(place: Place, task: str) -> None:
    """Unset spec.suspend of TASK: its schedule starts runs again, from its next slot on.

    Slots that passed meanwhile are not made up for.
    """
    set_suspend(place, task, suspend=False)
