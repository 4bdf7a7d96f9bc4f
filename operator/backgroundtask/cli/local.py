"""`bgt local`: the whole world on a laptop."""

import importlib.util
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backgroundtask.errors import Expected

if TYPE_CHECKING:
    from backgroundtask.cli.remembered import Stack

EXIT_NOT_RUNNING = 3  # as `systemctl status` and init scripts answer (LSB 3.0, 20.2)

_NEEDED = ("moto", "aiohttp", "cryptography")
_MISSING = (
    "this needs the extra [local], which brings the local AWS and Kubernetes: "
    "pip install 'backgroundtask-operator[local]'"
)


class NeedsLocal(click.Command):
    """A command that uses the extra [local]; what goes wrong is told as one sentence, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run it."""
        if any(importlib.util.find_spec(name) is None for name in _NEEDED):
            raise click.ClickException(_MISSING)
        try:
            return super().invoke(ctx)
        except Expected as error:
            raise click.ClickException(error.message) from error


folder_option = click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="BGT_LOCAL_DIR",
    show_envvar=True,
    help="Folder that it lives in.  [default: ~/.local/state/bgtask/local]",
)
output_option = click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)


@click.group()
def local() -> None:
    """A real Kubernetes API server, a local AWS and the operator.

    They run on this machine as processes, without containers; `bgt local up` starts them, `bgt local down` ends them.
    """


@local.command(cls=NeedsLocal)
@folder_option
@click.option("--no-operator", is_flag=True, help="Start everything but the operator.")
@click.option(
    "--aws-endpoint-url",
    metavar="URL",
    help="Use this AWS instead of localaws: another emulator, or an account's endpoint.",
)
@output_option
def up(folder: Path | None, output: str, aws_endpoint_url: str | None, *, no_operator: bool) -> None:
    """Start it all in the background; print what to export.

    Returns when all is ready. Kubernetes is built once, from source, on the first start: 5 to 8 minutes on two cores.
    Objects of an earlier start in the same folder are still there; what localaws held is made anew by the operator.

    \b
    Example:
      eval "$(bgt local up)"
      kubectl get bgt -A
    """  # noqa: D301 - \b is click's, to keep the lines
    from backgroundtask.cli import stack  # noqa: PLC0415 - the rest of bgt runs without the extra [local]

    started = stack.up(
        folder or stack.default_folder(), operator=not no_operator, aws_endpoint_url=aws_endpoint_url, say=_say
    )
    if output == "json":
        click.echo(json.dumps(started.as_json()))
        return
    for name, value in started.env.items():
        click.echo(f"export {name}={shlex.quote(value)}")


@local.command(cls=NeedsLocal)
@folder_option
@click.option("--purge", is_flag=True, help="Remove its data, too.")
def down(folder: Path | None, *, purge: bool) -> None:
    """End it all; objects stay for the next start unless purged."""
    from backgroundtask.cli import stack  # noqa: PLC0415 - see up

    ended = stack.down(folder or stack.default_folder(), purge=purge)
    _say(f"Ended {', '.join(ended)}" if ended else "Nothing was running")


@local.command(cls=NeedsLocal)
@folder_option
@output_option
def status(folder: Path | None, output: str) -> None:
    """Tell what runs; exit code 3 unless all does that `up` was asked for."""
    from backgroundtask.cli import remembered, stack  # noqa: PLC0415 - see up

    where = (folder or stack.default_folder()).expanduser().resolve()
    known = remembered.load(where) or remembered.Stack(folder=where)
    if output == "json":
        click.echo(json.dumps(known.as_json()))
    else:
        click.echo("\n".join(_lines(known)))
    if not known.whole():
        raise click.exceptions.Exit(EXIT_NOT_RUNNING)


def _lines(known: "Stack") -> list[str]:
    if not known.processes and not known.asked:
        return [f"{known.folder}: nothing was started"]
    states = {name: f"running  pid {one.pid}" if one.alive() else "ended" for name, one in known.processes.items()}
    states |= {name: "not started" for name in known.asked if name not in states}
    return [f"{known.folder}:", *(f"{name:24}{state}" for name, state in sorted(states.items()))]


def _say(line: str) -> None:
    click.echo(line, err=True)
