"""`poe bench`: how fast the operator is, against a real API server and localaws, in one run.

Prints a table and, as its last line, one JSON object with every figure. The exit code is 0 whatever the figures are;
it is 1 where the benchmark could not do its work.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator

from rich.console import Console

from bench import figures, loads
from bench.events import Events
from bench.figures import Figure
from bench.life import PHASES, Life
from bench.runs import EveryMinute, OnDemand
from bench.stage import Stage, stage
from bench.takeover import Takeover
from bench.tally import CannotMeasureError
from bench.throttled import Throttled
from bench.workload import Plan
from localkube import LocalkubeError

_WIDTH = 110  # the names of figures are whole, also where no terminal says how wide it is

Section = Callable[[Plan], Iterator[Figure]]


def _in_a_world(
    part: Callable[[Stage, Plan], Life | Events | OnDemand | EveryMinute | Takeover | Throttled],
) -> Section:
    """A part that has a world of its own."""

    def measure(plan: Plan) -> Iterator[Figure]:
        with stage() as made:
            yield from part(made, plan).run()

    return measure


SECTIONS: dict[tuple[str, ...], Section] = {
    PHASES: _in_a_world(Life),
    ("events",): _in_a_world(Events),
    ("runs",): _in_a_world(OnDemand),
    ("every-minute",): _in_a_world(EveryMinute),
    ("takeover",): _in_a_world(Takeover),
    ("throttled",): _in_a_world(Throttled),
    ("localaws",): loads.localaws,
    ("sqs",): loads.sqs,
}
"""Each part, and the names by which it, or what of it, is asked for."""


def main() -> int:
    """Measure what is asked for; whoever ends it with SIGTERM leaves no process behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    names = tuple(name for known in SECTIONS for name in known)
    parser = argparse.ArgumentParser(prog="poe bench", description=__doc__)
    parser.add_argument("--tasks", type=int, default=1000, help="how many BackgroundTasks (default: 1000)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of events at each rate (default: 10)")
    parser.add_argument(
        "--only", default=",".join(names), help=f"sections, with commas between (default: all, {', '.join(names)})"
    )
    asked = parser.parse_args()
    unknown = set(asked.only.split(",")) - set(names)
    if unknown:
        parser.error(f"--only: there is no section {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if asked.tasks < 1 or asked.seconds <= 0:
        parser.error("--tasks must be at least 1, and --seconds more than 0")
    plan = Plan(tasks=asked.tasks, seconds=asked.seconds, sections=frozenset(asked.only.split(",")))
    console, measured, trouble = Console(width=_WIDTH), [], []
    for known, section in SECTIONS.items():
        if not plan.sections.intersection(known):
            continue
        try:
            for figure in section(plan):
                measured.append(figure)
                console.print(f"{figure.name} {figure.value}", highlight=False, style="dim")
        except (CannotMeasureError, LocalkubeError, AssertionError) as error:
            trouble.append(f"{known[0]}: {error}")
    console.print(figures.table(measured))
    for why in trouble:
        console.print(why, style="red", highlight=False)
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]}
    sys.stdout.write(figures.line(measured, tasks=plan.tasks, machine=machine, trouble=trouble) + "\n")
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())
