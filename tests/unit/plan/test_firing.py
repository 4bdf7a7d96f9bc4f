"""The schedules of a task: who launches, on which clock, and what a clock cannot say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from backgroundtask.errors import Rejected
from backgroundtask.plan.changes import Desired
from backgroundtask.plan.desired import desired, launch_mode
from backgroundtask.plan.names import Owner
from backgroundtask.plan.rules import to_target
from backgroundtask.plan.scheduler import to_scheduler
from backgroundtask.plan.site import Site
from fixtures.objects import ACCOUNT, CLUSTER, REGION, TASK_UID, task, template

OWNER = Owner("test", "reports", "nightly")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:ticks"
PAIR = "0 3 1 * 1"


def wish(at: dict[str, Any] | None = None, **spec: Any) -> Desired:
    """What a task asks for; `at` are members of its template's spec."""
    clock = (at or {}).get("clock", "Scheduler")
    site = Site(template="default", spec=template(**(at or {})).spec, cluster=CLUSTER, group="g", clocks=(clock,))
    return desired(OWNER, TASK_UID, task(**{"cron": "0 3 * * *", **spec}).spec, site, now=NOW)


@pytest.mark.parametrize(
    ("spec", "at", "reason", "why"),
    [
        ({}, {}, None, "the schedule itself, also while the operator is down"),
        ({"startingDeadlineSeconds": 60, "backoffLimit": 3}, {}, None, "what AWS does, or the operator afterwards"),
        ({"concurrencyPolicy": "Forbid"}, {}, "concurrencyPolicy: Forbid", "AWS knows no overlap"),
        ({"concurrencyPolicy": "Replace"}, {}, "concurrencyPolicy: Replace", "AWS stops nothing"),
        ({"forEach": ["a", "b"]}, {}, "forEach", "one after another"),
        ({}, {"limits": {"concurrentRuns": 5}}, "limits.concurrentRuns of the LaunchTemplate", "AWS does not count"),
        ({}, {"limits": {"cpu": 1024}}, None, "a limit that is known beforehand"),
        ({}, {"launch": "Queue"}, "launch: Queue of the LaunchTemplate", "as it is asked for"),
        ({"cron": PAIR}, {}, None, "Scheduler's two schedules share a token"),
        ({"cron": PAIR}, {"clock": "Rule"}, "clock: Rule, and cron restricts both kinds of days", "rules have none"),
        ({"cron": "0 3 1 * *"}, {"clock": "Rule"}, None, "one rule"),
    ],
)
def test_the_operator_launches_where_something_asks_for_it(
    spec: dict[str, Any], at: dict[str, Any], reason: str | None, why: str
) -> None:
    mode = "Queue" if reason else "Direct"

    wanted = wish(at, **spec)

    assert launch_mode(task(**spec).spec, template(**at).spec) == (mode, reason), why
    assert {one.launch for one in wanted.schedules} == {mode}
    assert wanted.launch_reason == reason


def test_a_task_that_is_not_scheduled_has_nothing_to_give_reasons_for() -> None:
    wanted = wish({"launch": "Queue"}, cron=None)

    assert (wanted.schedules, wanted.launch_reason) == ((), None)


def test_a_queued_schedule_sends_its_slot_to_the_queue_of_ticks() -> None:
    (schedule,) = wish(concurrencyPolicy="Forbid").schedules

    target = to_scheduler(schedule)["Target"]
    tick = f'"owner":"test/reports/nightly","slot":"<aws.scheduler.scheduled-time>","uid":"{TASK_UID}"'
    assert target["Arn"] == QUEUE
    assert target["Input"] == f'{{"bgtask.dev/tick":{{{tick}}}}}'
    assert target["DeadLetterConfig"] == {"Arn": QUEUE}
    assert target["RoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/scheduler"
    assert schedule.definition_arn is None, "the operator launches the revision that is current then"


@pytest.mark.parametrize(
    ("deadline", "age"), [(None, 3000), (60, 60), (600, 600), (3000, 3000), (3600, 3000), (604800, 3000)]
)
@pytest.mark.parametrize("clock", ["Scheduler", "Rule"])
@pytest.mark.parametrize("launch", ["Direct", "Queue"])
def test_aws_tries_for_as_long_as_a_run_may_start_late(deadline: int | None, age: int, clock: str, launch: str) -> None:
    spec = {} if deadline is None else {"startingDeadlineSeconds": deadline}
    (schedule,) = wish({"clock": clock, "launch": launch}, **spec).schedules

    target = to_scheduler(schedule)["Target"] if clock == "Scheduler" else to_target(schedule)
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == age


def test_a_rule_has_the_name_and_the_expression_that_a_schedule_would_have() -> None:
    (rule,), (schedule,) = wish({"clock": "Rule"}).schedules, wish().schedules

    assert (rule.name, rule.expression) == (schedule.name, schedule.expression)
    assert (rule.clock, rule.group, rule.time_zone) == ("Rule", "bgt-test", "UTC")
    assert rule.key != schedule.key


@pytest.mark.parametrize(
    ("cron", "expression"),
    [
        ("cron(0 3 * * ?)", "cron(0 3 * * ? *)"),
        ("cron(0 12 24 12 ? 2026)", "cron(0 12 24 12 ? 2026)"),
        ("rate(1 hour)", "rate(1 hour)"),
        ("@hourly", "cron(0 * * * ? *)"),
    ],
)
def test_a_rule_always_names_the_year(cron: str, expression: str) -> None:
    (rule,) = wish({"clock": "Rule"}, cron=cron).schedules

    assert rule.expression == expression


@pytest.mark.parametrize(
    ("spec", "reason", "says"),
    [
        ({"timeZone": "Europe/Berlin"}, "TimeZoneNotSupported", "rules know UTC only: write the cron in UTC"),
        ({"timeZone": "Europe/London"}, "TimeZoneNotSupported", "leave timeZone Europe/London out"),
        ({"timeZone": "Nowhere"}, "UnknownTimeZone", "is no time zone"),
        ({"cron": "at(2026-12-24T12:00:00)"}, "InvalidSchedule", "know no at(...): write a cron(...) with its year"),
    ],
)
def test_what_a_rule_cannot_say_is_refused_with_what_to_write_instead(
    spec: dict[str, Any], reason: str, says: str
) -> None:
    with pytest.raises(Rejected) as refused:
        wish({"clock": "Rule"}, **spec)

    assert refused.value.reason == reason
    assert says in refused.value.message


@pytest.mark.parametrize("zone", ["UTC", "Etc/UTC", "Zulu"])
def test_a_rule_takes_every_name_of_utc(zone: str) -> None:
    (rule,) = wish({"clock": "Rule"}, timeZone=zone).schedules

    assert rule.time_zone == "UTC"


def test_a_shell_is_offered_to_the_tasks_of_both_clocks() -> None:
    at = {"allowExecuteCommand": True}
    spec = {"enableExecuteCommand": True, "taskRole": "reader"}
    (rule,), (schedule,) = wish({"clock": "Rule", **at}, **spec).schedules, wish(at, **spec).schedules

    assert to_target(rule)["EcsParameters"]["EnableExecuteCommand"] is True
    assert schedule.request["enableExecuteCommand"] is True


def test_another_reason_to_queue_is_another_wish_though_the_schedule_is_the_same() -> None:
    forbidden, queued = wish(concurrencyPolicy="Forbid"), wish({"launch": "Queue"})

    assert forbidden.schedules == queued.schedules
    assert forbidden.digest != queued.digest
