"""The command line of localaws.

Knows options, signals and what to print; the server knows the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.metadata
import json
import logging
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import botocore
import click

from localaws import services
from localaws.server import Server
from localaws.world import Settings, World

HELP = """Serve a local AWS that any SDK can talk to.

\b
localaws' own, as AWS documents them and with their clock, faults and refusals:
    ecs        definitions, clusters, tasks; a task runs its command as a process of this machine
    scheduler  groups and schedules, which fire into ECS and SQS
    events     rules with patterns and schedules on the default bus, which fire into ECS and SQS
    sqs        standard and FIFO queues, with redrive and retention
moto's, in the same process and on the same clock:
    Logs, ECR, STS, IAM, S3, Secrets Manager, SSM, EC2, CloudFormation

When it is ready it prints what to export:

\b
    localaws --port 4566 &
    export AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_REGION=eu-west-1
    export AWS_ACCESS_KEY_ID=localaws AWS_SECRET_ACCESS_KEY=localaws
    aws ecs create-cluster --cluster-name default

Tests see it and drive it in JSON, as by curl -d '{"advance": 60}' $AWS_ENDPOINT_URL/_localaws/clock

\b
see it
    GET    health                    versions, account, own services; GET of /_localaws/ lists all requests
    GET    journal?service=ecs&operation=RunTask&outcome=ok&principal=client&write=true&since=0&limit=9
    DELETE journal                   forget the calls so far
make calls go wrong
    POST   faults                    {"action": "error", "service": "ecs", "operation": "RunTask"}
                                     error, throttle, delay, hold, drop-before, drop-after
    GET    faults                    those in force; DELETE faults ends all, DELETE faults/ID one
    PUT    throttles                 {"limits": "aws"}, or limits of your own; GET throttles counts refusals
    PUT    visibility                {"ecs": 5}: its reads do not show what is younger; GET visibility
    POST   ecs/shortages             {"outcome": "refused", "reason": "RESOURCE:MEMORY", "family": "app"}
                                     refused, refused-but-started, unplaced
    GET    ecs/shortages             those in force; DELETE ecs/shortages ends all, DELETE ecs/shortages/ID one
    POST   ecs/interrupt             {"task": "arn:aws:ecs:…"}, which runs on FARGATE_SPOT
    PUT    ecs/leeway                {"deregistered-runs": 600}: for so long AWS may go on; GET ecs/leeway
deliver twice, late or out of order
    PUT    events                    {"deliver-twice": 0.5, "reorder": 0.5, "late-seconds": 3}; GET events
    PUT    queues                    {"deliver-twice": 0.5, "reorder": 1, "seed": 7}; GET queues counts messages
    PUT    scheduler                 {"deliver-twice": 1, "late-seconds": 90, "only": "night*"}; GET scheduler
    PUT    rules                     {"deliver-twice": 1, "failing-entries": 2}; GET rules counts invocations
set the stage
    POST   clock                     {"advance": 3600} or {"rate": 60}, 0 stops it; GET clock tells the time
    PUT    images                    {"repo/app:1": ["python", "-m", "app"], "repo/gone:1": null}; GET images
    POST   reset                     as if just started

docs/localaws.md has each in full.
"""

PARENT_LOOK = 0.5
"""Real seconds between two looks at whether the parent lives."""


def _images(_context: click.Context, _option: click.Parameter, values: Sequence[str]) -> dict[str, list[str]]:
    images = {}
    for value in values:
        image, separator, command = value.partition("=")
        try:
            words = json.loads(command) if command.startswith("[") else shlex.split(command)
        except ValueError as e:
            raise click.BadParameter(f"the command in {value!r} is neither a shell command nor a JSON list: {e}") from e
        if not image or not separator or not words:
            raise click.BadParameter(f"{value!r} is not IMAGE=COMMAND")
        images[image] = [str(word) for word in words]
    return images


@click.command(help=HELP, context_settings={"max_content_width": 120})
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=4566, show_default=True, help="Port to listen on; 0 takes a free one and prints it.")
@click.option("--account", default="123456789012", show_default=True, help="The AWS account: twelve digits.")
@click.option("--region", default="eu-west-1", show_default=True, help="Region of requests that name none.")
@click.option("--rate", default=1.0, show_default=True, help="Virtual seconds a real second; 0 freezes the clock.")
@click.option(
    "--image",
    "images",
    multiple=True,
    callback=_images,
    metavar="IMAGE=COMMAND",
    help="What containers of IMAGE run whose definition names no command. May be given more than once.",
)
@click.option("--ready-file", type=click.Path(path_type=Path), help="Write {url, pid} here, as JSON, when ready.")
@click.option("--die-with-parent", is_flag=True, help="End when the process that started this one ends.")
@click.option("--verbose", is_flag=True, help="Log every detail to standard error.")
@click.version_option(
    importlib.metadata.version("backgroundtask-operator"),
    prog_name="localaws",
    message=f"%(prog)s %(version)s, moto {importlib.metadata.version('moto')}, botocore {botocore.__version__}",
)
def main(
    *,
    host: str,
    port: int,
    account: str,
    region: str,
    rate: float,
    images: dict[str, list[str]],
    ready_file: Path | None,
    die_with_parent: bool,
    verbose: bool,
) -> None:
    """Check the options and serve; the text for users is `HELP`."""
    logging.basicConfig(level=logging.DEBUG if verbose else logging.WARNING, stream=sys.stderr)
    if not verbose:
        warnings.simplefilter("ignore")  # of moto and what it imports; nobody here can mend them
    if not (account.isdecimal() and len(account) == len("123456789012")):
        raise click.BadParameter("must be twelve digits", param_hint="--account")
    if rate < 0:
        raise click.BadParameter("must not be below 0", param_hint="--rate")
    settings = Settings(account=account, region=region, rate=rate, images=images)
    _wait_for_children_on_the_loop()
    _collect_garbage_seldom()
    asyncio.run(_serve(settings, host=host, port=port, ready_file=ready_file, die_with_parent=die_with_parent))
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)


def _wait_for_children_on_the_loop() -> None:
    # Before Python 3.12 asyncio waits for each process in a thread of its own, and tasks are many processes.
    if sys.version_info >= (3, 12) or not hasattr(os, "pidfd_open"):
        return
    with contextlib.suppress(OSError):  # the kernel does not know how
        os.close(os.pidfd_open(os.getpid()))
        asyncio.get_event_loop_policy().set_child_watcher(asyncio.PidfdChildWatcher())


def _collect_garbage_seldom() -> None:
    # What the world holds lives long and makes no cycles; looking for some took a tenth of the time of many calls.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _serve(settings: Settings, *, host: str, port: int, ready_file: Path | None, die_with_parent: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = Server(World(settings, services.FACTORIES), host=host, port=port)
    try:
        await server.start()
    except OSError as e:
        raise click.ClickException(f"cannot listen on {host}:{port}: {e.strerror or e}") from e
    watch = asyncio.create_task(_watch_parent(stopped)) if die_with_parent else None
    try:
        _announce(server.url, settings, ready_file)
        with contextlib.redirect_stdout(sys.stderr):  # moto prints now and then, and nobody may read standard output
            await stopped.wait()
    finally:
        await server.stop()
        if watch is not None:
            watch.cancel()


def _announce(url: str, settings: Settings, ready_file: Path | None) -> None:
    click.echo(f"export AWS_ENDPOINT_URL={url}")
    click.echo(f"export AWS_REGION={settings.region} AWS_DEFAULT_REGION={settings.region}")
    click.echo("export AWS_ACCESS_KEY_ID=localaws AWS_SECRET_ACCESS_KEY=localaws")
    sys.stdout.flush()
    if sys.stderr.isatty():
        click.echo(
            f"localaws serves account {settings.account} at {url}; Ctrl+C ends it and all that it runs", err=True
        )
    if ready_file is not None:
        whole = ready_file.with_name(ready_file.name + ".part")
        whole.write_text(json.dumps({"url": url, "pid": os.getpid()}))
        whole.replace(ready_file)


async def _watch_parent(stopped: asyncio.Event) -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), PARENT_LOOK)
            return
    stopped.set()


if __name__ == "__main__":
    main()
