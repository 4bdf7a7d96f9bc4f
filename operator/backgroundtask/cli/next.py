"""`bgt next`: a calendar of what runs when, of one task, of a namespace's, of all, or of those in a file."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import click

from backgroundtask.cli import timetable
from backgroundtask.cli.command import Command
from backgroundtask.cli.completing import TASK_NAMES
from backgroundtask.cli.documents import files_option, read, tasks
from backgroundtask.cli.durations import Duration
from backgroundtask.cli.output import ago, output_option, print_document, print_table, say
from backgroundtask.cli.place import Place, outside_of, place_options
from backgroundtask.cli.timetable import Slot, Timetable, upcoming
from backgroundtask.errors import Rejected
from backgroundtask.kube.resource import TASKS
from backgroundtask.plan.moments import stamp

MOST: Final = 10_000
_COUNT: Final = 10
_COLUMNS: Final = ("utc", "local", "zone", "in", "task")
_WIDE: Final = ("schedule", "launch", "runs")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What the tables tell besides time and task: the namespaces, more columns; and whether one task was asked for."""

    is_placed: bool
    is_wide: bool
    is_one: bool

    @property
    def front(self) -> tuple[str, ...]:
        return ("namespace",) if self.is_placed else ()


@click.command("next", cls=Command, short_help="Show what runs when.")
@click.argument("task", required=False, shell_complete=TASK_NAMES)
@files_option(required=False, help="Tasks in files instead")
@click.option("-c", "--count", type=click.IntRange(1, MOST), help=f"How many runs.  [default: {_COUNT}]")
@click.option("--for", "length", type=Duration(), help="Runs within this time from now, such as 24h; all of them.")
@output_option("wide", "json", "yaml")
@place_options(everywhere=True, deferred=True)
@click.pass_context
def next_runs(
    ctx: click.Context,
    *,
    place: Callable[[], Place],
    task: str | None,
    files: Sequence[str],
    count: int | None,
    length: timedelta | None,
    output: str | None,
) -> None:
    """Show what runs when: the next runs of TASK, or with -A of all tasks, in UTC and in each task's own time zone.

    Of a task in the cluster this is what AWS has been given; with -f it is what the tasks in files ask for, and no
    cluster is needed. Without TASK it is all tasks of the namespace. What has no next run is listed with the reason.
    """
    namespace, everywhere = ctx.params["namespace"], ctx.params["all_namespaces"]
    if sum((task is not None, everywhere, bool(files))) > 1:
        raise click.UsageError("give one of TASK, -A and -f")
    if namespace and namespace.isdecimal() and count is None:
        say(f"-n {namespace} is a namespace, as everywhere; how many runs is said by -c {namespace}")
    now = outside_of(ctx).now()
    found = _of_files(files, namespace) if files else _of_cluster(place(), task)
    tables = [table.as_of(now) for table in found]
    most = count or (MOST if length else _COUNT)
    slots = upcoming(tables, after=now, until=now + length if length else None, most=most)
    if output in ("json", "yaml"):
        print_document(output, _answer(slots, tables))
        return
    is_placed = everywhere or len({table.namespace for table in tables}) > 1
    shape = _Shape(is_placed=is_placed, is_wide=output == "wide", is_one=task is not None)
    _print(slots, tables, now, shape)


def _of_files(files: Sequence[str], namespace: str | None) -> list[Timetable]:
    bodies, others = tasks(files, namespace)
    for other in others:
        say(f"{other} is no BackgroundTask: left out")
    found = []
    for body in bodies:
        try:
            found.append(timetable.of_file(read(body)))
        except Rejected as refusal:
            raise Rejected(refusal.reason, f"{body['metadata']['name']}: {refusal.message}") from refusal
    return found


def _of_cluster(place: Place, task: str | None) -> list[Timetable]:
    bodies = place.kube.list(TASKS, place.namespace) if task is None else [place.get(TASKS, task)]
    return [timetable.of_object(body) for body in bodies if "deletionTimestamp" not in body["metadata"]]


def _print(slots: list[Slot], tables: list[Timetable], now: datetime, shape: _Shape) -> None:
    if slots:
        columns = (*_COLUMNS[:-1], *shape.front, _COLUMNS[-1], *(_WIDE if shape.is_wide else ()))
        print_table(columns, [_row(slot, now, shape) for slot in slots])
    for table in tables:
        if table.note:
            say(f"{table.name}: {table.note}")
    _print_silent([table for table in tables if table.why], slots, shape)
    if not tables:
        say("there are no tasks")
    elif not slots and not any(table.why for table in tables):
        say("nothing runs in that time")


def _print_silent(tables: list[Timetable], slots: list[Slot], shape: _Shape) -> None:
    if shape.is_one and tables:
        click.echo(tables[0].why)
        return
    if not tables:
        return
    if slots:
        click.echo()
    rows = [(*((table.namespace,) if shape.is_placed else ()), table.name, table.why) for table in tables]
    print_table((*shape.front, "task", "no next run"), rows)


def _row(slot: Slot, now: datetime, shape: _Shape) -> tuple[str, ...]:
    table = slot.table
    more = (" or ".join(line.expression.text for line in table.lines), table.lines[0].launch, str(table.items))
    return (
        stamp(slot.moment),
        f"{slot.local:%a %Y-%m-%d %H:%M %z}",
        table.zone,
        ago(slot.moment, now).removeprefix("in "),
        *((slot.namespace,) if shape.is_placed else ()),
        slot.name,
        *(more if shape.is_wide else ()),
    )


def _answer(slots: Iterable[Slot], tables: Iterable[Timetable]) -> dict[str, object]:
    return {
        "runs": [
            {
                "namespace": slot.namespace,
                "task": slot.name,
                "time": stamp(slot.moment),
                "localTime": slot.local.isoformat(),
                "timeZone": slot.table.zone,
                "runs": slot.table.items,
            }
            for slot in slots
        ],
        "unscheduled": [
            {"namespace": table.namespace, "task": table.name, "message": table.why} for table in tables if table.why
        ],
    }


next = next_runs  # noqa: A001 - a command is found by its name
