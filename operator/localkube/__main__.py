"""The command line of localkube: build, start, judge and end a cluster that outlives the command."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import click

from localkube import state
from localkube.binaries import ensure_binaries
from localkube.cluster import Cluster
from localkube.errors import LocalkubeError
from localkube.progress import Console, elapsed

EXIT_NOT_RUNNING = 3  # as `systemctl status` and init scripts answer (LSB 3.0, 20.2)


class _Commands(click.Group):
    """Says what the user has to change as one sentence, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run the command."""
        try:
            return super().invoke(ctx)
        except LocalkubeError as error:
            raise click.ClickException(str(error)) from error


_dir = click.option(
    "--dir",
    "folder",
    required=True,
    envvar="LOCALKUBE_DIR",
    show_envvar=True,
    type=click.Path(file_okay=False, path_type=Path, resolve_path=True),
    help="The folder that the cluster lives in: data, logs, kubeconfig.",
)
_output = click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run a real Kubernetes API server, etcd and controller manager on this machine, without containers.

    There are no nodes: pods stay Pending. Owner references, namespaces, ServiceAccount tokens, CRDs, admission and
    RBAC work as in any cluster.

    \b
    Programs come from $KUBEBUILDER_ASSETS if it is set, else from
    $XDG_CACHE_HOME/bgtask (~/.cache/bgtask), built there once: 5 to 8
    minutes on two cores, with the Go on PATH or one from PyPI.

    \b
    Example:
      localkube up --dir /tmp/kube
      eval "$(localkube env --dir /tmp/kube)"
      kubectl get namespaces
      localkube down --dir /tmp/kube --purge
    """  # noqa: D301 - \b is click's, to keep the lines


@main.command()
def build() -> None:
    """Build what is missing; print where it is.

    Starts nothing.
    """
    with _terminable():
        binaries = ensure_binaries(Console(time.monotonic))
    for path in (binaries.kube_apiserver, binaries.kube_controller_manager, binaries.etcd, binaries.kubectl):
        click.echo(path)


@main.command()
@_dir
@_output
def up(folder: Path, output: str) -> None:
    """Start a cluster in the background and return when it is ready.

    A folder that held a cluster before goes on with its objects; one whose cluster runs is left as it is.
    """
    began = time.monotonic()
    if state.status(folder)["state"] != "running":
        with _terminable():
            binaries = ensure_binaries(Console(time.monotonic))
            Cluster(folder, binaries=binaries, detached=True).start()
    status = state.status(folder)
    if output == "json":
        click.echo(json.dumps(status))
        return
    click.echo(f"Kubernetes is ready at {status['server']} after {elapsed(time.monotonic() - began)}.", err=True)
    _export(_running(folder).env)


@main.command()
@_dir
@click.option("--purge", is_flag=True, help="Also remove the cluster's files, its objects among them.")
def down(folder: Path, *, purge: bool) -> None:
    """End the cluster of a folder.

    Its objects stay for the next `up` unless purged.
    """
    ended = state.down(folder, purge=purge)
    click.echo(f"Ended {', '.join(ended)}." if ended else f"No cluster runs in {folder}.", err=True)


@main.command()
@_dir
@_output
def status(folder: Path, output: str) -> None:
    """Tell whether the cluster of a folder runs.

    Exit code 3 unless all of it does.
    """
    found = state.status(folder)
    if output == "json":
        click.echo(json.dumps(found))
    else:
        _describe(found)
    if found["state"] != "running":
        sys.exit(EXIT_NOT_RUNNING)


@main.command()
@_dir
@_output
def env(folder: Path, output: str) -> None:
    """Print what to export to use the cluster.

    That is KUBECONFIG, and PATH with the kubectl that fits.
    """
    variables = _running(folder).env
    if output == "json":
        click.echo(json.dumps(variables))
        return
    _export(variables)


def _running(folder: Path) -> state.State:
    found = state.State.load(folder)
    if found is None or not found.alive:
        raise LocalkubeError(f"no cluster runs in {folder}: start one with `localkube up --dir {folder}`")
    return found


def _export(variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")


def _describe(found: Mapping[str, Any]) -> None:
    click.echo(f"{found['dir']}: {found['state']}")
    if found["state"] == "stopped":
        return
    click.echo(f"server      {found['server']}\nkubeconfig  {found['kubeconfig']}")
    for name, component in found["components"].items():
        click.echo(
            f"{name:24}{'running' if component['running'] else 'ended':9}pid {component['pid']:<8}{component['log']}"
        )


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """End on SIGTERM as on Ctrl-C: after tidying up."""
    previous = signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _terminated(_signal: int, _frame: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
