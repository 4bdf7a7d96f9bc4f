"""`bgt history`: the runs of a task."""

import click

from backgroundtask.api.parsing import read_metadata
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.cli import records
from backgroundtask.cli.command import Command
from backgroundtask.cli.completing import TASK_NAMES
from backgroundtask.cli.output import output_option, print_objects, print_table, say
from backgroundtask.cli.place import Place, place_options
from backgroundtask.kube.resource import RUNS, TASKS

_COLUMNS = ("run", "trigger", "phase", "exit", "started", "duration", "reason")
_WIDE = ("item", "attempts", "task", "message")


@click.command(cls=Command, short_help="Show the runs of a task.")
@click.argument("task", shell_complete=TASK_NAMES)
@output_option("wide", "json", "yaml")
@place_options()
def history(place: Place, task: str, output: str | None) -> None:
    """Show the runs of TASK that are kept, the newest first: what asked for each, and how it went.

    How many ended runs are kept say successfulRunsHistoryLimit and failedRunsHistoryLimit of the task. With -o wide the
    item, the number of attempts, the id of the ECS task and the message are shown, too.
    """
    metadata = read_metadata(place.get(TASKS, task))
    bodies = {body["metadata"]["name"]: body for body in place.kube.list(RUNS, place.namespace)}
    runs = records.of_task(records.readable(bodies.values()), metadata)
    if output in ("json", "yaml"):
        print_objects(output, [bodies[run.metadata.name] for run in runs])
        return
    if not runs:
        say(f"{task} has no runs; `bgt run {task}` starts one")
        return
    is_wide = output == "wide"
    columns = _COLUMNS + _WIDE if is_wide else _COLUMNS
    print_table(columns, [_row(run, place) + (_more(run) if is_wide else ()) for run in runs])


def _row(run: BackgroundTaskRun, place: Place) -> tuple[str, ...]:
    status = run.status
    return (
        run.metadata.name,
        records.trigger(run),
        status.phase or "Pending",
        records.code(run),
        status.start_time or "",
        records.duration(run, place.outside.now()),
        status.reason or "",
    )


def _more(run: BackgroundTaskRun) -> tuple[str, ...]:
    status = run.status
    arn = status.task_arn or ""
    return run.spec.item or "", str(len(status.attempts) or ""), arn.rpartition("/")[2], status.message or ""
