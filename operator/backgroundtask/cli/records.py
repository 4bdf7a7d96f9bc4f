"""What the runs of a task tell a person: which there are, the newest first, and what each says in a table."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.names import TASK_KIND, TRIGGER_LABEL
from backgroundtask.api.parsing import parse_run, read_metadata
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.cli.output import say, short
from backgroundtask.errors import Rejected
from backgroundtask.plan.identity import slot_of_run
from backgroundtask.plan.moments import moment


def readable(bodies: Iterable[Mapping[str, Any]]) -> list[BackgroundTaskRun]:
    """The runs that can be read; of one that cannot, its name and why are told on standard error."""
    found = []
    for body in bodies:
        try:
            found.append(parse_run(body))
        except Rejected as refusal:
            say(f"{read_metadata(body).name} cannot be read: {refusal.message}")
    return found


def by_task(runs: Iterable[BackgroundTaskRun]) -> defaultdict[tuple[str, str], list[BackgroundTaskRun]]:
    """The runs by namespace and name of the task that they name; none for any other."""
    found: defaultdict[tuple[str, str], list[BackgroundTaskRun]] = defaultdict(list)
    for run in runs:
        found[run.metadata.namespace, run.spec.task].append(run)
    return found


def of_task(runs: Iterable[BackgroundTaskRun], task: ObjectMeta) -> list[BackgroundTaskRun]:
    """The runs of a task, the newest first: those that name it, except those of a namesake that is gone."""
    own = [run for run in runs if _is_of(run, task)]
    return sorted(own, key=lambda run: (began(run) or "", run.metadata.name), reverse=True)


def _is_of(run: BackgroundTaskRun, task: ObjectMeta) -> bool:
    owners = [one for one in run.metadata.owner_references if one.controller and one.kind == TASK_KIND]
    is_named = (run.spec.task, run.metadata.namespace) == (task.name, task.namespace)
    return is_named and all(one.uid == task.uid for one in owners)


def began(run: BackgroundTaskRun) -> str | None:
    """When the run was due or, without a slot of its own, asked for; as the API writes moments."""
    due = run.spec.scheduled_time if slot_of_run(run) else None
    return due or run.metadata.creation_timestamp or run.status.start_time


def trigger(run: BackgroundTaskRun) -> str:
    """What asked for the run; empty where its author did not say."""
    return run.metadata.labels.get(TRIGGER_LABEL, "")


def code(run: BackgroundTaskRun) -> str:
    """The exit code; empty where there is none."""
    return "" if run.status.exit_code is None else str(run.status.exit_code)


def duration(run: BackgroundTaskRun, now: datetime) -> str:
    """How long its container ran, or has been running; empty where none started."""
    started, ended = moment(run.status.start_time), moment(run.status.completion_time)
    if started is None:
        return ""
    return short((ended or now) - started)
