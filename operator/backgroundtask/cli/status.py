"""`bgt status`: how tasks are, at a glance or in full."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from backgroundtask.api.conditions import READY, SCHEDULED, Condition, find
from backgroundtask.api.parsing import read_metadata, read_task_status
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.cli import records
from backgroundtask.cli.command import Command
from backgroundtask.cli.completing import TASK_NAMES
from backgroundtask.cli.output import (
    NOTHING,
    ago,
    output_option,
    print_facts,
    print_object,
    print_objects,
    print_table,
    say,
)
from backgroundtask.cli.place import Place, place_options
from backgroundtask.kube.resource import RUNS, TASKS, Body
from backgroundtask.plan.history import is_failure
from backgroundtask.plan.moments import moment

_COLUMNS = ("task", "ready", "schedule", "next run", "active", "last run", "last failure")


@click.command(cls=Command, short_help="Show how tasks are.")
@click.argument("task", required=False, shell_complete=TASK_NAMES)
@output_option("wide", "json", "yaml")
@place_options(everywhere=True)
@click.pass_context
def status(ctx: click.Context, *, place: Place, task: str | None, output: str | None) -> None:
    """Show how TASK is: conditions, next and last times, active runs, and its last failure with its last lines.

    Without TASK, a line for each task of the namespace, or with -A of all namespaces; with -o wide it says why a task
    is not ready.
    """
    if task is not None and place.everywhere:
        raise click.UsageError("a task is in one namespace: leave out -A, or the task", ctx)
    if task is not None:
        _one(place, place.get(TASKS, task), output)
    else:
        _all(place, list(place.kube.list(TASKS, place.namespace)), output)


def _one(place: Place, body: Body, output: str | None) -> None:
    if output in ("json", "yaml"):
        print_object(output, body)
        return
    now = place.outside.now()
    runs = records.of_task(records.readable(place.kube.list(RUNS, place.namespace)), read_metadata(body))
    print_facts([*_facts(body, now), *_last_failure(runs, now)])


def _all(place: Place, bodies: Sequence[Body], output: str | None) -> None:
    if output in ("json", "yaml"):
        print_objects(output, bodies)
        return
    if not bodies:
        say("There are no tasks" if place.everywhere else f"There are no tasks in namespace {place.namespace}")
        return
    runs = records.by_task(records.readable(place.kube.list(RUNS, place.namespace)))
    is_wide, now = output == "wide", place.outside.now()
    columns = ("namespace",) * place.everywhere + _COLUMNS + ("message",) * is_wide
    rows = []
    for body in bodies:
        task = read_metadata(body)
        namespace = (task.namespace,) * place.everywhere
        row = _row(body, records.of_task(runs[task.namespace, task.name], task), now)
        rows.append(namespace + row + (_message(body),) * is_wide)
    print_table(columns, rows)


def _row(body: Body, runs: Iterable[BackgroundTaskRun], now: datetime) -> tuple[str, ...]:
    told, failure = read_task_status(body), next(filter(is_failure, runs), None)
    return (
        body["metadata"]["name"],
        _brief(find(told.conditions, READY)),
        _schedule(body["spec"]),
        ago(moment(told.next_schedule_time), now),
        str(told.active_runs),
        told.last_run.phase if told.last_run else "",
        f"{failure.status.reason or failure.status.phase} {ago(_end(failure), now)}" if failure else "",
    )


def _facts(body: Body, now: datetime) -> list[tuple[str, str]]:
    told, spec, metadata = read_task_status(body), body["spec"], body["metadata"]
    active = ", ".join(run.name for run in told.active)
    facts = [
        ("Task", f"{metadata['namespace']}/{metadata['name']}"),
        ("Schedule", _schedule(spec)),
        ("Launched by", ", ".join(sorted({_launch(one.launch, one.launch_reason) for one in told.schedules}))),
        ("Next run", _when(told.next_schedule_time, now)),
        ("Last slot", _when(told.last_schedule_time, now)),
        ("Last success", _when(told.last_successful_time, now)),
        ("Active runs", f"{told.active_runs}: {active}" if active else "none"),
    ]
    if told.observed_generation != metadata["generation"]:
        facts.append(("Note", "the operator has not looked at the latest change yet"))
    conditions = sorted(told.conditions, key=lambda one: (one.type != READY, one.type))
    return facts + [(one.type, f"{_brief(one)}: {one.message}") for one in conditions]


def _last_failure(runs: Iterable[BackgroundTaskRun], now: datetime) -> list[tuple[str, str]]:
    run = next(filter(is_failure, runs), None)
    if run is None:
        return [("Last failure", NOTHING)]
    told = run.status
    code = "" if told.exit_code is None else f", exit code {told.exit_code}"
    reason = f" ({told.reason})" if told.reason else ""
    facts = [("Last failure", f"{run.metadata.name} {told.phase}{reason}{code}, {ago(_end(run), now)}")]
    facts += [("", told.message)] if told.message else []
    lines = told.logs.tail if told.logs else ()
    facts += [("Last lines", line) if number == 0 else ("", line) for number, line in enumerate(lines)]
    return facts


def _schedule(spec: Mapping[str, Any]) -> str:
    cron = spec.get("cron")
    if not cron:
        return ""
    suspended = " suspended" if spec.get("suspend") else ""
    return f"{cron} {spec.get('timeZone', 'UTC')}{suspended}"


def _launch(launch: str, reason: str | None) -> str:
    if launch == "Direct":
        return "the schedule itself (Direct)"
    return f"the operator (Queue: {reason})" if reason else "the operator (Queue)"


def _message(body: Body) -> str:
    conditions = read_task_status(body).conditions
    ready, scheduled = find(conditions, READY), find(conditions, SCHEDULED)
    unwell = ready if ready and ready.status != "True" else scheduled
    return unwell.message if unwell and unwell.status != "True" else ""


def _brief(condition: Condition | None) -> str:
    if condition is None:
        return ""
    return condition.status if condition.status == "True" else f"{condition.status} ({condition.reason})"


def _when(text: str | None, now: datetime) -> str:
    return f"{text} ({ago(moment(text), now)})" if text else ""


def _end(run: BackgroundTaskRun) -> datetime | None:
    return moment(run.status.completion_time)
