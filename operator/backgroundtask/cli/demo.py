"""`bgt demo`: the whole thing in a minute, in a world of its own that is gone afterwards.

A real minute is waited for, on a real clock: what is shown is what happens, and is read from the status that any user
sees. However the demo ends, by itself, by Ctrl-C or by SIGTERM, it ends what it started.
"""

import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click
from rich.console import Console
from rich.live import Live

from backgroundtask.cli.board import Board, Report, news, tables
from backgroundtask.cli.local import NeedsLocal
from backgroundtask.errors import Blocked, Expected

if TYPE_CHECKING:
    from backgroundtask.cli.remembered import Stack

_SECONDS = 180.0  # of patience with --once: a slot is at most 60 away, and starting a task takes a few
_BETWEEN_LOOKS = 0.5
_LOG_LINES = 20
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)

T = TypeVar("T")
Show = Callable[[Board], None]


@click.command(cls=NeedsLocal, short_help="Show it all at work on this machine.")
@click.option("--once", is_flag=True, help="End after one scheduled success and one scheduled failure.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="New or empty folder that it lives in, removed at the end.  [default: a temporary one]",
)
def demo(folder: Path | None, *, once: bool) -> None:
    """Start Kubernetes, a local AWS and the operator, apply two tasks that run every minute, and show how they do.

    Ctrl-C ends it and removes all of it. With --once it ends by itself as soon as the status of one task reports a
    scheduled success and that of the other a scheduled failure, and prints both; exit code 1 if they do not within
    three minutes.

    Kubernetes is built once, from source, on the first start: 5 to 8 minutes on two cores.
    """
    console = Console(force_terminal=sys.stdout.isatty(), highlight=False, soft_wrap=not sys.stdout.isatty())
    with _terminable(), _new_folder(folder) as place, _world(place) as world:
        world.kubectl("apply", "-f", "-", stdin=_samples())
        _introduce(world)
        if once:
            _report(world, follow(world, console, _both_reported, seconds=_SECONDS))
            return
        try:
            follow(world, console, _never)
        except KeyboardInterrupt:
            click.echo("Ending it all", err=True)


def _samples() -> str:
    return files("backgroundtask.cli").joinpath("demo.yaml").read_text(encoding="utf-8")


def _introduce(world: "Stack") -> None:
    kubectl = world.env["PATH"].partition(":")[0]
    click.echo(
        "\nTwo BackgroundTasks are applied: hello works, failing fails; both run every minute.\n\n"
        "To look for yourself, in another terminal:\n\n"
        f"  export KUBECONFIG={world.env['KUBECONFIG']}\n"
        f'  export PATH={kubectl}:"$PATH"\n'
        "  kubectl get bgt,bgtr\n"
        "  kubectl describe bgt failing\n"
    )


def _both_reported(world: "Stack", board: Board) -> list[tuple[Report, list[str]]] | None:
    """A success and a failure with their output, once both are there."""
    success, failure = board.report("Succeeded"), board.report("Failed")
    if success is None or failure is None:
        return None
    told = [(one, _output(world, one)) for one in (success, failure)]
    return told if all(lines for _, lines in told) else None


def _never(_world: "Stack", _board: Board) -> None:
    return None


def _report(world: "Stack", told: list[tuple[Report, list[str]]]) -> None:
    for report, lines in told:
        status = report.run.status
        click.echo(
            f"\n{report.task.metadata.name}: {status.phase}, as scheduled for {report.run.spec.scheduled_time}\n"
            f"  run        {report.run.metadata.name}\n"
            f"  task ARN   {status.task_arn}\n"
            f"  exit code  {status.exit_code}\n"
            f"  reason     {status.reason}: {status.message}\n"
            f"  log        {lines[-1]}\n"
            f"  next run   {report.task.status.next_schedule_time}"
        )
    click.echo(f"\nBoth are in the status of their tasks. Ending {', '.join(world.processes)}.")


def _output(world: "Stack", report: Report) -> list[str]:
    """The lines that the container wrote to CloudWatch Logs; none while they are on their way."""
    import boto3  # noqa: PLC0415 - takes longer than all other commands need

    session = boto3.Session(
        aws_access_key_id=world.env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=world.env["AWS_SECRET_ACCESS_KEY"],
        region_name=world.env["AWS_REGION"],
    )
    logs = session.client("logs", endpoint_url=world.env["AWS_ENDPOINT_URL"])
    where = report.run.status.logs
    if where is None or where.group is None or where.stream is None:
        return []
    try:
        events = logs.get_log_events(logGroupName=where.group, logStreamName=where.stream)["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [event["message"] for event in events]


def follow(
    world: "Stack",
    console: Console,
    until: Callable[["Stack", Board], T | None],
    *,
    seconds: float = float("inf"),
) -> T:
    """Show the cluster until `until` answers something, and return that.

    Raises:
        Blocked: it did not within so many seconds, or a part of the world has ended.
    """
    end = time.monotonic() + seconds
    with _shown(console) as show:
        while time.monotonic() < end:
            _refuse_ended(world)
            board = Board.of(json.loads(world.kubectl("get", "bgt,bgtr", "--namespace=default", "-o", "json"))["items"])
            show(board)
            found = until(world, board)
            if found is not None:
                return found
            time.sleep(_BETWEEN_LOOKS)
    raise Blocked("NotReported", f"No scheduled success and failure were reported within {seconds:.0f} s.")


def _refuse_ended(world: "Stack") -> None:
    ended = [name for name in world.processes if not world.runs(name)]
    if ended:
        raise Blocked("Ended", f"Ended by itself: {', '.join(ended)}.")


@contextmanager
def _shown(console: Console) -> Iterator[Show]:
    """How a board is shown: a table that stays in place on a terminal, lines of what is new elsewhere."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            yield lambda board: live.update(tables(board, datetime.now(UTC)), refresh=True)
        return
    before = Board()

    def tell(board: Board) -> None:
        nonlocal before
        for line in news(before, board):
            click.echo(f"{datetime.now(UTC):%H:%M:%S} {line}")
        before = board

    yield tell


@contextmanager
def _new_folder(wanted: Path | None) -> Iterator[Path]:
    """A folder that is nobody's: what is in it at the end goes."""
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="bgt-demo-", ignore_cleanup_errors=True) as made:
            yield Path(made)
        return
    if wanted.is_dir() and any(wanted.iterdir()):
        raise click.BadParameter(
            f"{wanted} is not empty: give a new folder, it is removed at the end", param_hint="--dir"
        )
    yield wanted


@contextmanager
def _world(folder: Path) -> Iterator["Stack"]:
    """A world in a folder, ended and removed on leaving; where it fails, the end of the operator's log is shown."""
    from backgroundtask.cli import remembered, stack  # noqa: PLC0415 - the rest of bgt runs without the extra [local]

    try:
        yield stack.up(folder, operator=True, aws_endpoint_url=None, say=lambda line: click.echo(line, err=True))
    except Expected:
        log = folder / f"{remembered.OPERATOR}.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        click.echo("\n".join(["The end of the operator's log:", *lines[-_LOG_LINES:]]) if lines else "", err=True)
        raise
    finally:
        for number in (signal.SIGINT, *_ENDINGS):  # an impatient second Ctrl-C must not leave half of it behind
            signal.signal(number, signal.SIG_IGN)
        stack.down(folder, purge=True)


@contextmanager
def _terminable() -> Iterator[None]:
    """End on SIGTERM, and when the terminal closes, as on Ctrl-C: after tidying up. As it was, on leaving."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *_ENDINGS)}
    for number in _ENDINGS:
        if before[number] != signal.SIG_IGN:  # nohup
            signal.signal(number, _terminated)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminated(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)
