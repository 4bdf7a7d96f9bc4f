"""`bgt cancel`: stop runs."""

from collections.abc import Sequence

import click

from backgroundtask.api.phases import ENDS
from backgroundtask.cli.command import Command
from backgroundtask.cli.completing import RUN_NAMES
from backgroundtask.cli.output import say
from backgroundtask.cli.place import Place, place_options
from backgroundtask.errors import Blocked
from backgroundtask.kube.resource import RUNS, Ref


@click.command(cls=Command, short_help="Stop runs.")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=RUN_NAMES)
@place_options()
def cancel(place: Place, runs: Sequence[str]) -> None:
    """Cancel each RUN: set spec.cancel, so that the operator stops its container, or never starts it.

    The container gets SIGTERM, and SIGKILL after its task's terminationGracePeriodSeconds. Returns at once; `bgt wait`
    waits for the end. A run that has ended stays as it is.
    """
    for name in runs:
        _cancel(place, name)


def _cancel(place: Place, name: str) -> None:
    body = place.get(RUNS, name)
    phase = body.get("status", {}).get("phase")
    if phase in ENDS:
        say(f"{name} has ended already: {phase}")
        return
    if place.kube.patch(Ref.of(RUNS, body), {"spec": {"cancel": True}}) is None:
        raise Blocked("Gone", f"{name} was deleted at the same time")
    click.echo(f"{name} is being cancelled")
