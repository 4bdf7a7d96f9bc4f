"""`bgt run`: run a task now, as it is or with other words, variables, size or role."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import click

from backgroundtask.cli.command import Command
from backgroundtask.cli.completing import TASK_NAMES
from backgroundtask.cli.durations import Duration
from backgroundtask.cli.launching import Manner, launch, manner_options
from backgroundtask.cli.place import Place, place_options
from backgroundtask.cli.requested import Wish

_WORDS: Final = f"{__name__}.words"


class _WithCommand(Command):
    """Takes everything behind `--` for the container, and nothing else, whatever it looks like."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what is before `--`."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[_WORDS] = args[at + 1 :]
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The pieces of the usage line."""
        del ctx
        return ["[OPTIONS]", "TASK", "[-- COMMAND...]"]


class _Variable(click.ParamType[dict[str, str]]):
    """NAME=VALUE; no message quotes it, since values may be secrets."""

    name = "NAME=VALUE"

    def convert(
        self, value: str | dict[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, str]:
        """Everything behind the first = is the value."""
        if isinstance(value, dict):
            return value
        name, equals, text = value.partition("=")
        if not name or not equals:
            self.fail("a variable is written NAME=VALUE", param, ctx)
        return {"name": name, "value": text}


@click.command(cls=_WithCommand, short_help="Run a task now.")
@click.argument("task", shell_complete=TASK_NAMES)
@click.argument("extra", nargs=-1)
@click.option("--env", multiple=True, type=_Variable(), help="A variable, next to the task's or instead; repeatable.")
@click.option("--cpu", type=int, help="ECS CPU units, instead of the task's.")
@click.option("--memory", type=int, help="Memory in MiB, instead of the task's.")
@click.option("--task-role", metavar="NAME", help="A role that the LaunchTemplate offers, by its name.")
@click.option("--item", help="One item of the task's forEach.  [default: all, one run an item, in series]")
@click.option(
    "--ttl", type=Duration(), help="Delete the run so long after its end.  [default: as the task's limits say]"
)
@manner_options
@place_options()
@click.pass_context
def run(ctx: click.Context, /, *, place: Place, task: str, extra: Sequence[str], **given: Any) -> None:  # noqa: ANN401 - the options
    """Run TASK now: as it is, or with what this run shall have otherwise.

    Creates a BackgroundTaskRun, as `kubectl create job --from` creates a Job, and prints its name. It runs also while
    the task is suspended; a LaunchTemplate's limits hold for it as for the task. COMMAND replaces the task's command.

    With --wait the exit code is the container's: 0 for success, 1 where a run failed without an exit code, 124 where
    the time is over. Of several runs it is that of the first that failed.

    \b
    Examples:
      bgt run nightly
      bgt run nightly --wait --logs --env DAY=2026-11-20 -- python -m reports.nightly --verbose
      bgt run nightly --dry-run > run.yaml
    """  # noqa: D301 - \b is click's, to keep the lines
    if extra:
        raise click.UsageError("only one task can be run; a command for the container goes behind --", ctx)
    manner, wish = Manner.of(given), _wish(given, ctx.meta[_WORDS])
    ctx.exit(launch(place, task, wish, manner))


def _wish(given: dict[str, Any], words: Sequence[str]) -> Wish:
    overrides = {
        "command": list(words),
        "env": list(given["env"]),
        "cpu": given["cpu"],
        "memory": given["memory"],
        "taskRole": given["task_role"],
    }
    ttl: timedelta | None = given["ttl"]
    return Wish(
        overrides={key: value for key, value in overrides.items() if value not in (None, [])},
        item=given["item"],
        ttl=None if ttl is None else int(ttl.total_seconds()),
    )
