"""`bgt local`: the whole world on a laptop."""

import json
import shlex
from pathlib import Path

import click

from backgroundtask.errors import Expected

folder_option = click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="BGT_LOCAL_DIR",
    help="Folder that it lives in. [default: ~/.local/state/bgtask/local]",
)
output_option = click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)


@click.group()
def local() -> None:
    """A real Kubernetes API server, a local AWS and the operator on this machine, without containers."""


@local.command()
@folder_option
@click.option("--no-operator", is_flag=True, help="Start everything but the operator.")
@click.option(
    "--aws-endpoint-url", help="Use this AWS instead of localaws: another emulator, or an account's endpoint."
)
@output_option
def up(folder: Path | None, output: str, aws_endpoint_url: str | None, *, no_operator: bool) -> None:
    """Start it in the background, wait until all is ready, and print what to export.

    Kubernetes is built once, from source, on the first start: 5 to 8 minutes on two cores. Data of an earlier start in
    the same folder is still there, but for what localaws held.

    \b
    eval "$(bgt local up)"
    kubectl get bgt -A
    """  # noqa: D301 - \b is click's, to keep the lines
    from backgroundtask.cli import stack  # noqa: PLC0415 - the rest of bgt runs without the extra [local]

    try:
        started = stack.up(
            folder or stack.default_folder(), operator=not no_operator, aws_endpoint_url=aws_endpoint_url, say=_say
        )
    except Expected as error:
        raise click.ClickException(error.message) from error
    if output == "json":
        click.echo(json.dumps(started.as_json()))
        return
    for name, value in started.env.items():
        click.echo(f"export {name}={shlex.quote(value)}")


@local.command()
@folder_option
@click.option("--purge", is_flag=True, help="Remove its data, too.")
def down(folder: Path | None, *, purge: bool) -> None:
    """End it."""
    from backgroundtask.cli import stack  # noqa: PLC0415 - see up

    ended = stack.down(folder or stack.default_folder(), purge=purge)
    _say(f"Ended {', '.join(ended)}" if ended else "Nothing was running")


@local.command()
@folder_option
@output_option
def status(folder: Path | None, output: str) -> None:
    """Tell what runs; exit code 3 unless all of it does."""
    from backgroundtask.cli import stack  # noqa: PLC0415 - see up

    known = stack.load((folder or stack.default_folder()).expanduser().resolve())
    alive = {name: process.alive() for name, process in known.processes.items()} if known else {}
    if output == "json":
        click.echo(json.dumps(known.as_json() if known else {"env": {}, "dir": str(folder or ""), "pids": {}}))
    elif known is None:
        click.echo("nothing was started")
    else:
        for name, runs in sorted(alive.items()):
            click.echo(f"{name}: {'running, pid ' + str(known.processes[name].pid) if runs else 'ended'}")
    if not alive or not all(alive.values()):
        raise click.exceptions.Exit(3)


def _say(line: str) -> None:
    click.echo(line, err=True)
