"""The schedules that a task asks for, on the clock that its template has.

Knows what each clock can say: EventBridge Scheduler every time zone and a single moment, an EventBridge rule UTC and
what recurs. Refuses to know what a task may use; that is judged before.
"""

from datetime import UTC, datetime, timedelta

from backgroundtask.api.task import TaskSpec
from backgroundtask.api.template import TemplateSpec
from backgroundtask.cron import Expression, Kind, next_times, parse, time_zone, to_aws
from backgroundtask.errors import Rejected
from backgroundtask.plan.names import Owner
from backgroundtask.plan.rules import RULE_SLOT, UNTOLD
from backgroundtask.plan.schedule import MAXIMUM_AGE, Placement, Schedule, Shelf, run_task_request
from backgroundtask.plan.scheduler import SCHEDULED_TIME

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC) - timedelta(days=1)  # before the first moment that an at(...) can name
_LEAST_AGE = 60  # seconds: the least that both clocks take as MaximumEventAgeInSeconds
_UTC = frozenset({"UTC", "Etc/UTC", "UCT", "Etc/UCT", "Universal", "Etc/Universal", "Zulu", "Etc/Zulu"})


def maximum_age(spec: TaskSpec) -> int:
    """Seconds after its slot for which AWS tries to start a task, or to send its tick."""
    return max(_LEAST_AGE, min(spec.starting_deadline_seconds or MAXIMUM_AGE, MAXIMUM_AGE))


def too_late_at(spec: TaskSpec) -> datetime | None:
    """When the only slot of an `at(...)` can no longer be run; None for schedules that go on.

    EventBridge Scheduler keeps a one-time schedule after it has fired, and runs it at once where an update leaves its
    time in the past. For so long ECS knows the token of such a run; from then on the schedule is kept switched off, so
    that an edit of the task cannot run it a second time.
    """
    expression = parse(spec.cron) if spec.cron else None
    if expression is None or expression.kind is not Kind.AT:
        return None
    slot = next(next_times(expression, time_zone=spec.time_zone, after=_LONG_AGO), None)
    return slot + timedelta(seconds=maximum_age(spec)) if slot else None


def is_told_twice(spec: TaskSpec) -> bool:
    """Whether two schedules have slots in common: cron restricts both kinds of days, which Unix joins with *or*."""
    return spec.cron is not None and len(to_aws(parse(spec.cron))) > 1


def schedules(
    owner: Owner,
    uid: str,
    spec: TaskSpec,
    template: TemplateSpec,
    *,
    shelf: Shelf,
    placement: Placement,
    is_queued: bool,
    now: datetime,
) -> tuple[Schedule, ...]:
    """What fires a task from `now` on, pointing at no revision yet. `is_queued`: it sends ticks, and launches nothing.

    Raises:
        Rejected: InvalidSchedule, UnknownTimeZone, or TimeZoneNotSupported by a rule.
    """
    if spec.cron is None:
        return ()
    time_zone(spec.time_zone)
    expression = parse(spec.cron)
    is_rule = shelf.clock == "Rule"
    if is_rule:
        _refuse_for_rule(spec, expression)
    too_late = too_late_at(spec)
    return tuple(
        Schedule(
            name=owner.schedule_name(part),
            group=shelf.group,
            clock=shelf.clock,
            expression=text,
            time_zone="UTC" if is_rule else spec.time_zone,
            enabled=not spec.suspend and (too_late is None or now < too_late),
            request={} if is_queued else _request(owner, uid, spec, shelf, placement),
            role=None if is_rule and is_queued else template.scheduler_role_arn,
            dead_letters=template.queues.ticks,
            owner=str(owner),
            uid=uid,
            ticks=template.queues.ticks if is_queued else None,
            maximum_age=maximum_age(spec),
        )
        for part, text in enumerate(to_aws(expression))
    )


def _request(owner: Owner, uid: str, spec: TaskSpec, shelf: Shelf, placement: Placement) -> dict[str, object]:
    slot = RULE_SLOT if shelf.clock == "Rule" else SCHEDULED_TIME
    request = run_task_request(
        owner=owner,
        uid=uid,
        definition_arn="",
        placement=placement,
        slot=slot,
        token=f"{owner.token_prefix}{slot}",
        execute_command=spec.enable_execute_command,
    )
    unsaid = UNTOLD if shelf.clock == "Rule" else ()
    return {name: value for name, value in request.items() if name not in unsaid}


def _refuse_for_rule(spec: TaskSpec, expression: Expression) -> None:
    """Refuse what Scheduler could say and a rule cannot (EventBridge User Guide, "Rules that run on a schedule").

    Raises:
        Rejected: TimeZoneNotSupported or InvalidSchedule.
    """
    if spec.time_zone not in _UTC:
        raise Rejected(
            "TimeZoneNotSupported",
            f"The LaunchTemplate has clock: Rule, and EventBridge rules know UTC only: write the cron in UTC and leave "
            f"timeZone {spec.time_zone} out, or name a LaunchTemplate with clock: Scheduler.",
        )
    if expression.kind is Kind.AT:
        raise Rejected(
            "InvalidSchedule",
            "The LaunchTemplate has clock: Rule, and EventBridge rules know no at(...): write a cron(...) with its "
            "year, such as cron(0 12 24 12 ? 2026), or name a LaunchTemplate with clock: Scheduler.",
        )
