"""What an apply of one task would change in AWS: the operator's own plan, with what differs, as a value to be shown.

Looks, and writes nothing. What has to be done is decided by `plan.changes`, what differs told by `plan.comparison`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, assert_never

from backgroundtask.api.names import PAUSED
from backgroundtask.api.parsing import parse_task
from backgroundtask.api.task import BackgroundTask
from backgroundtask.cli.lookout import Lookout
from backgroundtask.controller.holdings import Holdings
from backgroundtask.errors import Rejected
from backgroundtask.kube.resource import Body
from backgroundtask.plan.changes import Change, Create, Keep, Plan, Register, Remove, Update, plan
from backgroundtask.plan.comparison import Difference, of_definitions, of_schedules
from backgroundtask.plan.definition import Definition
from backgroundtask.plan.desired import desired
from backgroundtask.plan.observed import Revision
from backgroundtask.plan.schedule import Schedule

Action = Literal["Create", "Update", "Remove"]

UNKNOWN_UID: Final = "(the new object's)"
NEW_REVISION: Final = "(the new revision)"
_POINTER: Final = "request.taskDefinition"
_OF_A_NEW_SCHEDULE: Final = frozenset({"expression", "timeZone", "enabled", "launch"})
_NOTHING: Final[Mapping[str, object]] = {"containerDefinitions": ()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alteration:
    """One thing in AWS that would be made, changed or removed: its kind in words, its name, and what would differ."""

    action: Action
    kind: str
    name: str
    differences: tuple[Difference, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One task; without alterations AWS is as it asks already. `note` is what a person should know besides."""

    namespace: str
    name: str
    alterations: tuple[Alteration, ...] = ()
    note: str = ""


def forecast(body: Body, live: Body | None, lookout: Lookout, *, now: datetime) -> Forecast:
    """What an apply of `body` would change; `live` is the object of its name in the cluster.

    Raises:
        Rejected: the spec cannot be read, or asks for what the LaunchTemplate does not allow; NotOwned.
        Blocked, Busy: AWS may not be looked at, or does not answer.
    """
    task = parse_task(body)
    _refuse_another_template(task, live)
    uid = live["metadata"]["uid"] if live else UNKNOWN_UID
    wanted = desired(lookout.context.owner(task.metadata), uid, task.spec, lookout.site, now=now)
    observed = Holdings(lookout.context, task.metadata, lookout.site).observe()
    age = lookout.context.settings.retirement_age
    todo = plan(wanted, observed, now=now, retire_after=age, unchanged_since=now)
    return Forecast(
        namespace=task.metadata.namespace,
        name=task.metadata.name,
        alterations=(*_of_definition(todo, observed.revisions, lookout), *map(_of_schedule, todo.schedules)),
        note=_note(task),
    )


def _refuse_another_template(task: BackgroundTask, live: Body | None) -> None:
    before = live["spec"].get("launchTemplate", task.spec.launch_template) if live else task.spec.launch_template
    if before != task.spec.launch_template:
        raise Rejected("Immutable", f"spec.launchTemplate is {before} and cannot be changed: delete the task first.")


def _note(task: BackgroundTask) -> str:
    is_paused = task.metadata.annotations.get(PAUSED) == "true"
    return f"Nothing of it happens while the annotation {PAUSED} is there." if is_paused else ""


def _of_definition(todo: Plan, held: tuple[Revision, ...], lookout: Lookout) -> Iterable[Alteration]:
    match todo.definition:
        case Keep(revision) if revision.retained:
            yield _altered("Update", revision.arn, (Difference("retained", "true", None),))
        case Keep():
            return
        case Register(definition) if held:
            content = lookout.cloud.inspection.definition(held[0].arn)
            yield _registered(held[0].arn, of_definitions(content, definition))
        case Register(definition):
            yield _made(definition)
        case _:
            assert_never(todo.definition)


def _altered(action: Action, arn: str, differences: tuple[Difference, ...], note: str = "") -> Alteration:
    return Alteration(
        action=action, kind="task definition", name=arn.rpartition("/")[2], differences=differences, note=note
    )


def _registered(before: str, differences: tuple[Difference, ...]) -> Alteration:
    """A new revision; the one before is retired once no schedule and no run uses it."""
    told = "" if differences else "It is registered anew: no revision bears the mark of just this content."
    return _altered("Update", before, differences, told)


def _made(definition: Definition) -> Alteration:
    return _altered("Create", definition.owner.family, of_definitions(_NOTHING, definition))


def _of_schedule(change: Change) -> Alteration:
    match change:
        case Create(after):
            return _scheduled("Create", after, _told(after))
        case Update(before, after):
            return _scheduled("Update", after, tuple(map(_pointed, of_schedules(before, after))))
        case Remove(before):
            return _scheduled("Remove", before)
        case _:
            assert_never(change)


def _scheduled(action: Action, schedule: Schedule, differences: tuple[Difference, ...] = ()) -> Alteration:
    kind = "schedule" if schedule.clock == "Scheduler" else "rule"
    return Alteration(action=action, kind=kind, name=schedule.name, differences=differences)


def _told(schedule: Schedule) -> tuple[Difference, ...]:
    """What a person wants to know of a new schedule; the rest is what all have."""
    blank = replace(schedule, expression="", time_zone="", enabled=not schedule.enabled, ticks=None, request={})
    found = {one.path: one for one in of_schedules(blank, schedule) if one.path in _OF_A_NEW_SCHEDULE}
    launch = Difference("launch", None, "Queue" if schedule.ticks else "Direct")
    return tuple(replace(one, before=None) for _, one in sorted({**found, "launch": launch}.items()))


def _pointed(one: Difference) -> Difference:
    """The revision that a schedule will start has no ARN before it is registered."""
    if one.path != _POINTER:
        return one
    before, after = ((arn or "").rpartition("/")[2] or None for arn in (one.before, one.after))
    return Difference("taskDefinition", before, after or NEW_REVISION)
