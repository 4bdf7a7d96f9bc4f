"""Asking for runs at the command line: create them, or show what would be created, and follow them if that is wanted.

What `run` and `rerun` have in common. What is asked for, they say themselves.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Final, Self

import click
from rich.console import Console

from backgroundtask.api.parsing import parse_task
from backgroundtask.cli.durations import Duration
from backgroundtask.cli.following import follow
from backgroundtask.cli.output import output_option, print_object, print_objects, say
from backgroundtask.cli.place import Place
from backgroundtask.cli.requested import Wish, runs
from backgroundtask.cli.streaming import Screen, Selection
from backgroundtask.errors import Busy
from backgroundtask.kube.resource import RUNS, TASKS, Body

_NAMES_TRIED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a person asks for a run."""

    wait: bool
    logs: bool
    timeout: timedelta | None
    dry_run: bool
    output: str | None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """The manner that the options say.

        Raises:
            click.UsageError: options that exclude each other.
        """
        manner = cls(**{each.name: given[each.name] for each in fields(cls)})
        if manner.dry_run and manner.follows:
            raise click.UsageError("--dry-run creates nothing that could be followed: leave out --wait and --logs")
        if manner.timeout is not None and not manner.follows:
            raise click.UsageError("--timeout is for --wait and --logs: add one of them")
        return manner

    @property
    def follows(self) -> bool:
        """Whether the command ends with the run."""
        return self.wait or self.logs


def manner_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that a `Manner` is made of."""
    for option in _OPTIONS:
        command = option(command)
    return command


def launch(place: Place, task: str, wish: Wish, manner: Manner) -> int:
    """Ask for a run of `task`, or for one an item; the exit code.

    Raises:
        Rejected: the task is not there, or does not take the wish.
    """
    body = place.get(TASKS, task)
    if manner.dry_run:
        _show(place, body, wish, manner.output or "yaml")
        return 0
    created = _created(place, body, wish, manner)
    if not manner.follows:
        return 0
    screen = Screen(place.outside, Selection(), raw=not Console().is_terminal) if manner.logs else None
    names = [each["metadata"]["name"] for each in created]
    return follow(place, names, timeout=manner.timeout, on_look=screen.follow if screen else None)


def _show(place: Place, task: Body, wish: Wish, output: str) -> None:
    """Print what would be created, once the API server has said that it would take it."""
    wanted = runs(parse_task(task), wish, suffix=place.outside.suffix())
    for body in wanted:
        place.kube.create(RUNS, body, dry_run=True)
    if len(wanted) == 1:
        print_object(output, wanted[0])
    else:
        print_objects(output, wanted)
    names = [variable["name"] for variable in wish.overrides.get("env", ())]
    if names:
        say(f"Values of variables are not printed: fill in {', '.join(names)} before you apply it")


def _created(place: Place, task: Body, wish: Wish, manner: Manner) -> list[Body]:
    first, *others = _with_free_name(place, task, wish)
    created = [first]
    _tell(first, manner)
    for body in others:
        created.append(place.kube.create(RUNS, body)[0])
        _tell(created[-1], manner)
    if manner.output and len(created) == 1:
        print_object(manner.output, created[0])
    elif manner.output:
        print_objects(manner.output, created)
    return created


def _with_free_name(place: Place, task: Body, wish: Wish) -> Sequence[Body]:
    """The runs of the request. The first is created: its name keeps other requests from those of the rest."""
    for _ in range(_NAMES_TRIED):
        first, *others = runs(parse_task(task), wish, suffix=place.outside.suffix())
        created, is_new = place.kube.create(RUNS, first)
        if is_new:
            return created, *others
    raise Busy("Conflict", "Every name that was tried for the run is taken: try again")


def _tell(run: Mapping[str, Any], manner: Manner) -> None:
    """The name: the answer of the command, but beside it where the lines of the container or the object are."""
    name = str(run["metadata"]["name"])
    if manner.logs or manner.output:
        say(f"{name} created")
    else:
        click.echo(name)


_OPTIONS: Final = (
    output_option("json", "yaml"),
    click.option("--dry-run", is_flag=True, help="Ask the API server whether it would do, and print the object only."),
    click.option(
        "--timeout",
        type=Duration(),
        help="With --wait or --logs: how long, such as 90s or 1h30m; then exit with 124. The run goes on.",
    ),
    click.option("--logs", is_flag=True, help="Print the lines of the container while it runs; implies --wait."),
    click.option("--wait", is_flag=True, help="Wait for the end, and exit with the container's exit code."),
)
