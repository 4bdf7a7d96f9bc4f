"""`poe crash`: the whole sweep, or the cases that `--only` names."""

from __future__ import annotations

import sys
import time

import click

from crash.disturbance import Point
from crash.scenarios import SCENARIOS
from crash.sweep import Sweep
from localkube import Console, ensure_binaries


def _case(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    for text in given:
        try:
            if text not in SCENARIOS:
                Point.parse(text)
        except ValueError as error:
            raise click.BadParameter(f"{error}, or name one of: {', '.join(SCENARIOS)}") from error
    return given


@click.command()
@click.option(
    "--only", multiple=True, metavar="CASE", callback=_case,
    help="A point as 'image:ecs.RegisterTaskDefinition#1:lost': STEP:SERVICE.OPERATION#N:MOMENT, the moments being "
    f"before, after and lost; or one of the other faults: {', '.join(SCENARIOS)}. May be repeated.",
)  # fmt: skip
@click.option("--lanes", default=2, show_default=True, type=click.IntRange(1, 8), help="How many cases run at once.")
def crash(only: tuple[str, ...], lanes: int) -> None:
    """Kill the controller before and after each of its writes, lose each answer, and look at what is left."""
    sweep = Sweep(ensure_binaries(Console(time.monotonic)), lanes=min(lanes, len(only) or lanes), tell=click.echo)
    outcome = sweep.run(only or None)
    failed = [verdict.case for verdict in outcome.verdicts if not verdict.passed]
    if failed:
        click.echo("\nfailed; each again with:")
    for case in failed:
        click.echo(f"  uv run poe crash --only '{case}'")
    click.echo(f"\n{outcome.table()}")
    sys.exit(0 if outcome.passed else 1)


crash()
