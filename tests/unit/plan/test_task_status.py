"""What a task says of itself: steady while the world is, true to what AWS holds, and never going back in time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.api.conditions import Condition, find
from backgroundtask.api.parsing import parse_run, parse_task
from backgroundtask.api.phases import ENDS
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.api.task_status import ActiveRun, ScheduleStatus, TaskStatus
from backgroundtask.errors import Blocked, Busy, Expected, Rejected
from backgroundtask.plan.desired import desired
from backgroundtask.plan.names import Owner, run_name
from backgroundtask.plan.runs import Kept, superfluous
from backgroundtask.plan.site import Site
from backgroundtask.plan.status import (
    Configured,
    Paused,
    Refused,
    Settled,
    Subject,
    Unchanged,
    condition_changes,
    next_schedule_time,
    task_status,
)
from fixtures.kstatus import kstatus
from fixtures.objects import CLUSTER, TASK_UID, run_object, task_object, template

OWNER = Owner("test", "reports", "nightly")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
REVISION = "arn:aws:ecs:eu-west-1:123456789012:task-definition/bgt_test_reports_nightly:7"
PAIR = "0 3 1 * 1"
REFUSALS = {
    "Rejected": Rejected("InvalidSchedule", "The schedule never runs."),
    "Blocked": Blocked("RoleNotPassable", "Grant iam:PassRole."),
    "Busy": Busy("Throttled", "AWS throttles."),
}


def subject(
    status: TaskStatus | None = None, *, generation: int = 1, annotations: dict[str, str] | None = None, **spec: Any
) -> Subject:
    obj = task_object(**spec)
    obj["metadata"] |= {"generation": generation, "annotations": annotations or {}}
    parsed = parse_task(obj)
    return Subject(metadata=parsed.metadata, spec=parsed.spec, status=status or parsed.status)


def settled(task: Subject) -> Settled:
    site = Site(template="default", spec=template().spec, cluster=CLUSTER, group="bgt-test")
    assert task.spec is not None
    wanted = desired(OWNER, TASK_UID, task.spec, site, now=NOW)
    arns = tuple(f"arn:{one.name}" for one in wanted.schedules)
    return Settled(desired=wanted, definition_arn=REVISION, schedule_arns=arns)


def seen(
    task: Subject, configured: Configured | None = None, *runs: BackgroundTaskRun, now: datetime = NOW
) -> TaskStatus:
    return task_status(task, configured or settled(task), runs, now=now)


def at_rest(**spec: Any) -> TaskStatus:
    """The status of a task that AWS holds as it asks."""
    return seen(subject(**spec))


def ended(minute: int, phase: str = "Succeeded", *, name: str | None = None, **status: Any) -> BackgroundTaskRun:
    """A run of the slot of that minute after three that ended half a minute later."""
    obj = run_object(
        slot=f"2026-11-21T03:{minute:02}:00Z",
        name=name or f"nightly-{minute:02}",
        **{
            "phase": phase,
            "reason": phase,
            "taskArn": f"arn:{minute}",
            **({"completionTime": f"2026-11-21T03:{minute:02}:30Z"} if phase in ENDS else {}),
            **status,
        },
    )
    owner = {"apiVersion": "bgtask.dev/v1alpha1", "kind": "BackgroundTask", "name": "nightly", "uid": TASK_UID}
    obj["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    return parse_run(obj)


def told(status: TaskStatus, kind: str) -> tuple[str, str] | None:
    condition = find(status.conditions, kind)
    return (condition.status, condition.reason) if condition else None


def verdict(status: TaskStatus, *, generation: int = 1) -> str:
    obj = task_object(status=status.wire())
    obj["metadata"]["generation"] = generation
    return kstatus(obj)


phases = st.sampled_from([*sorted(ENDS), "Pending", "Launching", "Running"])
histories = st.lists(st.tuples(st.integers(0, 20), phases), max_size=6, unique_by=lambda one: one[0]).map(
    lambda found: [ended(minute, phase) for minute, phase in found]
)
specs = st.fixed_dictionaries(
    {"cron": st.sampled_from([None, "0 3 * * *", PAIR, "rate(5 minutes)"]), "suspend": st.booleans()}
)
outcomes = st.sampled_from(["Settled", "Paused", "Unchanged", "SwitchedOff", *REFUSALS])


def configured_as(word: str, task: Subject) -> Configured:
    match word:
        case "Settled":
            return settled(task)
        case "Paused":
            return Paused()
        case "Unchanged":
            return Unchanged()
        case "SwitchedOff":
            return Refused(REFUSALS["Rejected"], switched_off=True)
        case _:
            return Refused(REFUSALS[word])


@given(st.lists(st.tuples(outcomes, specs, histories), min_size=1, max_size=4))
def test_a_status_that_is_computed_again_from_itself_is_the_same(
    past: list[tuple[str, dict[str, Any], list[BackgroundTaskRun]]],
) -> None:
    status = TaskStatus()
    for word, spec, history in past:
        task = subject(status, **spec)
        status = seen(task, configured_as(word, task), *history)

    word, spec, history = past[-1]
    task = subject(status, **spec)
    assert seen(task, configured_as(word, task), *history, now=NOW + timedelta(minutes=1)) == status


@given(st.lists(st.tuples(outcomes, specs, histories), max_size=3))
def test_a_status_that_was_computed_is_one_that_the_api_server_takes(
    past: list[tuple[str, dict[str, Any], list[BackgroundTaskRun]]],
) -> None:
    status = TaskStatus()
    for word, spec, history in past:
        task = subject(status, **spec)
        status = seen(task, configured_as(word, task), *history)

    assert TaskStatus.model_validate(status.wire(), by_alias=True) == status


@given(st.lists(histories, max_size=5), st.builds(Kept, succeeded=st.integers(0, 2), failed=st.integers(0, 2)))
def test_no_time_goes_back_whatever_is_pruned(seasons: list[list[BackgroundTaskRun]], kept: Kept) -> None:
    status = TaskStatus()
    for season in seasons:
        before, status = status, seen(subject(status), Unchanged(), *season)
        left = [one for one in season if one not in superfluous(season, kept)]
        pruned = seen(subject(status), Unchanged(), *left)

        is_supposed = before.last_run is not None and before.last_run.phase in {"Missed", "Lost"}
        for time in ("last_schedule_time", "last_successful_time", "last_failure_time"):
            is_newer = (getattr(status, time) or "") >= (getattr(before, time) or "")
            assert is_newer or (time == "last_failure_time" and is_supposed)
            assert getattr(pruned, time) == getattr(status, time)
        assert pruned.last_run == status.last_run
        assert find(pruned.conditions, "LastRunSucceeded") == find(status.conditions, "LastRunSucceeded")
        status = pruned


# the AWS side


def test_a_settled_task_tells_what_aws_holds_for_it() -> None:
    task = subject(cron=PAIR, timeZone="Europe/Berlin", annotations={"bgtask.dev/reconcile-requested-at": "monday"})

    status = seen(task)

    assert status.observed_generation == 1
    assert status.task_definition_arn == REVISION
    assert status.spec_hash == settled(task).desired.digest
    first, second = OWNER.schedule_names
    assert status.schedules == (
        ScheduleStatus(
            name=first,
            arn=f"arn:{first}",
            expression="cron(0 3 1 * ? *)",
            time_zone="Europe/Berlin",
            launch="Direct",
        ),
        ScheduleStatus(
            name=second,
            arn=f"arn:{second}",
            expression="cron(0 3 ? * MON *)",
            time_zone="Europe/Berlin",
            launch="Direct",
        ),
    )
    assert status.last_handled_reconcile_at == "monday"
    ready = find(status.conditions, "Ready")
    assert ready is not None
    assert ready.message == (
        f"Task definition bgt_test_reports_nightly:7 is registered, schedules {first} and {second} start it."
    )


def test_a_task_without_cron_is_ready_and_not_scheduled() -> None:
    status = at_rest(cron=None)

    assert told(status, "Ready") == ("True", "Reconciled")
    assert told(status, "Scheduled") == ("False", "NoSchedule")
    assert status.schedules == ()
    ready = find(status.conditions, "Ready")
    assert ready is not None
    assert ready.message == "Task definition bgt_test_reports_nightly:7 is registered."


@pytest.mark.parametrize(
    ("spec", "scheduled"),
    [
        ({}, ("True", "Scheduled")),
        ({"cron": "rate(5 minutes)"}, ("True", "Scheduled")),
        ({"suspend": True}, ("False", "Suspended")),
        ({"cron": None, "suspend": True}, ("False", "NoSchedule")),
    ],
)
def test_scheduled_says_whether_runs_start_by_themselves(spec: dict[str, Any], scheduled: tuple[str, str]) -> None:
    status = at_rest(**spec)

    assert told(status, "Scheduled") == scheduled
    assert verdict(status) == "Current", "a suspended task is as its spec asks"


@pytest.mark.parametrize(
    ("configured", "ready", "others", "kstatus_says"),
    [
        (Refused(REFUSALS["Rejected"]), ("False", "InvalidSchedule"), {"Stalled"}, "Failed"),
        (Refused(REFUSALS["Blocked"]), ("False", "RoleNotPassable"), {"Reconciling"}, "InProgress"),
        (Refused(REFUSALS["Busy"]), ("False", "Throttled"), {"Reconciling"}, "InProgress"),
        (Paused(), ("Unknown", "Paused"), {"Reconciling"}, "InProgress"),
    ],
    ids=["Rejected", "Blocked", "Busy", "Paused"],
)
@pytest.mark.parametrize("before", [TaskStatus(), at_rest()], ids=["new", "ready before"])
def test_what_keeps_a_task_from_being_ready_is_told_to_people_and_tools(
    configured: Configured, ready: tuple[str, str], others: set[str], kstatus_says: str, before: TaskStatus
) -> None:
    status = seen(subject(before, generation=2), configured)

    assert told(status, "Ready") == ready
    assert {one.type for one in status.conditions if one.type in {"Stalled", "Reconciling"}} == others
    assert status.observed_generation == 2
    assert verdict(status, generation=2) == kstatus_says


@pytest.mark.parametrize("word", REFUSALS)
def test_a_refusal_is_told_in_its_own_words(word: str) -> None:
    error: Expected = REFUSALS[word]

    ready = find(seen(subject(), Refused(error)).conditions, "Ready")

    assert ready is not None
    assert (ready.reason, ready.message) == (error.reason, error.message)


@pytest.mark.parametrize("word", ["Paused", *REFUSALS])
def test_what_was_there_before_goes_on_and_is_told(word: str) -> None:
    before = at_rest()
    task = subject(before, generation=2, cron="0 4 * * *")

    status = seen(task, configured_as(word, task))

    kept = ("task_definition_arn", "spec_hash", "schedules", "next_schedule_time")
    assert {name: getattr(status, name) for name in kept} == {name: getattr(before, name) for name in kept}
    assert told(status, "Scheduled") == told(before, "Scheduled")


def test_a_task_that_recovers_says_nothing_of_what_was() -> None:
    refused = seen(subject(at_rest(), generation=2), Refused(REFUSALS["Rejected"]))

    status = seen(subject(refused, generation=3))

    assert [one.type for one in status.conditions] == ["LastRunSucceeded", "Ready", "Scheduled"]
    assert verdict(status, generation=3) == "Current"


def test_where_the_aws_side_was_not_looked_at_nothing_is_said_of_it() -> None:
    before = at_rest()

    status = seen(subject(before, generation=2, cron="0 4 * * *"), Unchanged())

    assert status.observed_generation == 1
    assert find(status.conditions, "Ready") == find(before.conditions, "Ready")
    assert verdict(status, generation=2) == "InProgress"


def test_schedules_that_were_switched_off_are_told_so_and_the_next_time_is_gone() -> None:
    revoked = Rejected("NamespaceNotAllowed", "LaunchTemplate default does not list it.")

    off = seen(subject(at_rest()), Refused(revoked, switched_off=True))

    assert told(off, "Scheduled") == ("False", "NamespaceNotAllowed")
    assert off.next_schedule_time is None
    again = seen(subject(off), Refused(revoked), now=LATER)
    assert again == off, "they are switched off once, and stay so"
    assert told(seen(subject(again)), "Scheduled") == ("True", "Scheduled")


def test_a_refused_task_that_is_suspended_is_told_so() -> None:
    off = seen(subject(at_rest(), suspend=True), Refused(REFUSALS["Rejected"], switched_off=True))

    assert told(off, "Scheduled") == ("False", "Suspended")


def test_a_spec_that_cannot_be_read_is_refused_and_its_runs_are_told() -> None:
    task = subject(at_rest())
    unreadable = Subject(metadata=task.metadata, spec=None, status=task.status)

    status = seen(unreadable, Refused(Rejected("InvalidSpec", "spec.cpu: is missing"), switched_off=True), ended(1))

    assert told(status, "Ready") == ("False", "InvalidSpec")
    assert told(status, "Scheduled") == ("False", "InvalidSpec")
    assert status.last_run is not None


@pytest.mark.parametrize("word", ["Settled", *REFUSALS])
def test_a_request_to_reconcile_is_answered_once_it_was_acted_on(word: str) -> None:
    task = subject(annotations={"bgtask.dev/reconcile-requested-at": "tuesday"})

    assert seen(task, configured_as(word, task)).last_handled_reconcile_at == "tuesday"


@pytest.mark.parametrize("word", ["Paused", "Unchanged"])
def test_a_request_to_reconcile_that_nobody_acted_on_stays_open(word: str) -> None:
    before = at_rest().model_copy(update={"last_handled_reconcile_at": "monday"})
    task = subject(before, annotations={"bgtask.dev/reconcile-requested-at": "tuesday"})

    assert seen(task, configured_as(word, task)).last_handled_reconcile_at == "monday"


@pytest.mark.parametrize(
    ("text", "kept"),
    [("now", "now"), ("", ""), ("a\nb", "a b"), ("x" * 1024, "x" * 1024), ("x" * 2000, "x" * 1023 + "…"), (None, None)],
    ids=["a word", "empty", "two lines", "the longest", "too long", "absent"],
)
def test_whatever_an_annotation_says_fits_the_status(text: str | None, kept: str | None) -> None:
    names = ("bgtask.dev/reconcile-requested-at", "bgtask.dev/run-requested-at")
    task = subject(annotations={} if text is None else dict.fromkeys(names, text))

    status = seen(task)

    assert status.last_handled_reconcile_at == kept
    assert task.reconcile_request == task.run_request == kept, "what is compared has the form of what is remembered"


def test_a_task_is_ready_only_for_the_generation_that_was_answered() -> None:
    assert subject(at_rest()).is_ready
    assert not subject(at_rest(), generation=2).is_ready
    assert not subject().is_ready
    assert not subject(seen(subject(), Refused(REFUSALS["Busy"]))).is_ready


# the next time


@pytest.mark.parametrize(
    ("spec", "due", "why"),
    [
        ({}, "2026-11-22T03:00:00Z", "the next slot"),
        ({"timeZone": "Europe/Berlin"}, "2026-11-22T02:00:00Z", "in the task's time zone"),
        ({"cron": PAIR}, "2026-11-23T03:00:00Z", "the nearer one of two schedules, a Monday"),
        ({"cron": "0 3 22 * 1"}, "2026-11-22T03:00:00Z", "the nearer one of two schedules, a 22nd"),
        ({"cron": "0 12 * * *"}, "2026-11-22T12:00:00Z", "a slot that begins now is not next"),
        ({"cron": "1 12 * * *"}, "2026-11-21T12:01:00Z", "later today"),
        ({"cron": "at(2026-12-24T18:00:00)"}, "2026-12-24T18:00:00Z", "the only slot"),
        ({"cron": "at(2026-11-20T18:00:00)"}, None, "none is left"),
        ({"cron": "rate(5 minutes)"}, None, "AWS counts from a moment that nobody knows"),
        ({"cron": None}, None, "nothing is scheduled"),
        ({"suspend": True}, None, "switched off"),
    ],
)
def test_the_next_time_is_that_of_the_schedules_that_aws_holds(spec: dict[str, Any], due: str | None, why: str) -> None:
    assert at_rest(**spec).next_schedule_time == due, why


def test_a_slot_that_has_passed_changes_the_next_time_and_nothing_else() -> None:
    before = at_rest()

    after = seen(subject(before), Unchanged(), now=NOW + timedelta(days=1))

    assert after.next_schedule_time == "2026-11-23T03:00:00Z"
    assert after.model_copy(update={"next_schedule_time": before.next_schedule_time}) == before


def test_before_the_first_schedule_is_there_nothing_is_next() -> None:
    assert seen(subject(), Refused(REFUSALS["Busy"])).next_schedule_time is None


@pytest.mark.parametrize(
    "change", [{"expression": "cron(hello)"}, {"time_zone": "Europe/Nowhere"}], ids=["expression", "time zone"]
)
def test_a_status_that_somebody_edited_tells_no_next_time(change: dict[str, str]) -> None:
    status = at_rest()
    odd = status.schedules[0].model_copy(update=change)

    assert next_schedule_time(status.model_copy(update={"schedules": (odd,)}), NOW) is None
    assert next_schedule_time(status.model_copy(update={"schedules": (odd, *status.schedules)}), NOW) is not None


# the runs


def test_before_any_run_nothing_is_known_of_them() -> None:
    status = at_rest()

    assert (status.last_run, status.active, status.active_runs) == (None, (), 0)
    assert (status.last_schedule_time, status.last_successful_time, status.last_failure_time) == (None, None, None)
    assert told(status, "LastRunSucceeded") == ("Unknown", "NoRunYet")


def test_active_runs_are_those_that_are_launched_or_have_leave_to_be() -> None:
    runs = [ended(4, "Running"), ended(3, "Launching"), ended(2), ended(1, "Failed")]
    waiting = [ended(5, "Pending"), ended(6, "Pending")]
    leave = ActiveRun(name=waiting[0].metadata.name)

    status = seen(subject(at_rest().model_copy(update={"active": (leave,)})), None, *runs, *waiting)

    assert [(one.name, one.task_arn) for one in status.active] == [
        ("nightly-03", "arn:3"),
        ("nightly-04", "arn:4"),
        ("nightly-05", "arn:5"),
    ]
    assert status.active_runs == 3


def test_of_very_many_active_runs_as_many_are_listed_as_fit_and_all_are_counted() -> None:
    runs = [ended(1, "Running", name=f"nightly-{number:03}") for number in range(65)]

    status = seen(subject(), None, *runs)

    assert status.active_runs == 65
    assert [one.name for one in status.active] == [f"nightly-{number:03}" for number in range(64)]


@pytest.mark.parametrize("phase", [*sorted(ENDS), "Running"])
def test_each_end_moves_the_time_that_it_is_about(phase: str) -> None:
    status = seen(subject(), None, ended(1, phase))

    assert status.last_schedule_time == "2026-11-21T03:01:00Z"
    good, bad = phase == "Succeeded", phase in ENDS - {"Succeeded", "Skipped", "Cancelled"}
    assert status.last_successful_time == ("2026-11-21T03:01:30Z" if good else None)
    assert status.last_failure_time == ("2026-11-21T03:01:30Z" if bad else None)
    assert (status.last_run is not None) == (good or bad or phase == "Cancelled"), "a replaced run is no failure"


def test_the_last_run_is_the_one_that_ended_last_and_tells_how() -> None:
    failed = ended(9, "Failed", reason="NonZeroExitCode", exitCode=3)

    status = seen(subject(), None, ended(8), failed, ended(7))

    assert status.last_run is not None
    assert status.last_run.wire() == {
        "name": "nightly-09",
        "taskArn": "arn:9",
        "phase": "Failed",
        "reason": "NonZeroExitCode",
        "exitCode": 3,
        "completionTime": "2026-11-21T03:09:30Z",
    }
    assert told(status, "LastRunSucceeded") == ("False", "NonZeroExitCode")
    condition = find(status.conditions, "LastRunSucceeded")
    assert condition is not None
    assert condition.message == "Run nightly-09 ended as Failed with exit code 3: see its message."
    assert verdict(status) == "Current", "a failed run stops no roll-out"


def test_a_cancelled_run_that_was_pruned_stays_the_last() -> None:
    before = seen(subject(), None, ended(7, "Failed"), ended(9, "Cancelled"))

    after = seen(subject(status=before), None, ended(7, "Failed"))

    assert before.last_run is not None
    assert after.last_run == before.last_run


@pytest.mark.parametrize(
    ("run", "says", "message"),
    [
        (ended(1), ("True", "Succeeded"), "Run nightly-01 succeeded."),
        (ended(1, "Lost"), ("False", "Lost"), "Run nightly-01 ended as Lost: see its message."),
        (
            ended(1, "Failed", exitCode=0),
            ("False", "Failed"),
            "Run nightly-01 ended as Failed with exit code 0: see its message.",
        ),
        (ended(1, "Failed", reason="no word"), ("False", "Failed"), "Run nightly-01 ended as Failed: see its message."),
        (ended(1, "Failed", reason=None), ("False", "Failed"), "Run nightly-01 ended as Failed: see its message."),
    ],
    ids=["succeeded", "lost", "exit code 0", "a reason that is no word", "no reason"],
)
def test_how_the_last_run_went_is_a_condition_of_its_own(
    run: BackgroundTaskRun, says: tuple[str, str], message: str
) -> None:
    condition = find(seen(subject(), None, run).conditions, "LastRunSucceeded")

    assert condition is not None
    assert (condition.status, condition.reason) == says
    assert condition.message == message


def test_a_skipped_slot_says_nothing_about_how_runs_go() -> None:
    failed = seen(subject(), None, ended(1, "Failed"))

    status = seen(subject(failed), Unchanged(), ended(1, "Failed"), ended(2, "Skipped"))

    assert status.last_run == failed.last_run
    assert told(status, "LastRunSucceeded") == ("False", "Failed")
    assert status.last_schedule_time == "2026-11-21T03:02:00Z"


def test_a_run_that_is_refused_when_somebody_asks_for_it_says_nothing_about_the_task() -> None:
    good = seen(subject(), None, ended(1))
    mistyped = ended(2, "Failed", name="mine", reason="UnknownItem", taskArn=None)

    status = seen(subject(good), Unchanged(), ended(1), mistyped)

    assert (status.last_run, status.last_failure_time) == (good.last_run, None)
    assert told(status, "LastRunSucceeded") == ("True", "Succeeded")


def test_a_slot_whose_launch_is_refused_is_the_last_run_and_a_failure() -> None:
    name = run_name("nightly", datetime(2026, 11, 21, 3, 2, tzinfo=UTC))
    refused = ended(2, "Failed", name=name, reason="ImageNotAllowed", taskArn=None)

    status = seen(subject(), None, ended(1), refused)

    assert status.last_failure_time == "2026-11-21T03:02:30Z"
    assert told(status, "LastRunSucceeded") == ("False", "ImageNotAllowed")


@pytest.mark.parametrize("left", [[], [ended(1)], [ended(1), ended(2, "Failed")]], ids=len)
@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_the_last_run_is_remembered_after_it_was_pruned(left: list[BackgroundTaskRun], phase: str) -> None:
    status = seen(subject(), None, ended(1), ended(2, "Failed"), ended(3, phase))

    assert seen(subject(status), Unchanged(), *left) == status


def test_a_run_that_ended_in_the_same_second_as_the_last_one_counts_by_its_name() -> None:
    together = "2026-11-21T03:30:00Z"
    earlier, last, later = (ended(minute, completionTime=together) for minute in (1, 2, 3))
    status = seen(subject(), None, last)

    assert seen(subject(status), Unchanged(), earlier).last_run == status.last_run
    newer = seen(subject(status), Unchanged(), later).last_run
    assert newer is not None
    assert newer.name == "nightly-03"


def test_a_late_report_of_an_earlier_run_is_not_the_last_run() -> None:
    status = seen(subject(), None, ended(5))

    late = seen(subject(status), Unchanged(), ended(3, "Failed"))

    assert late.last_run == status.last_run
    assert late.last_failure_time == "2026-11-21T03:03:30Z"


def test_evidence_about_the_last_run_replaces_what_was_supposed_of_it() -> None:
    missed = seen(subject(), None, ended(1, "Missed", completionTime="2026-11-21T03:55:00Z"))

    status = seen(subject(missed), Unchanged(), ended(1))

    assert status.last_run is not None
    assert status.last_run.phase == "Succeeded"
    assert told(status, "LastRunSucceeded") == ("True", "Succeeded")
    assert status.last_successful_time == "2026-11-21T03:01:30Z"


@pytest.mark.parametrize("supposed", ["Missed", "Lost"])
@pytest.mark.parametrize(
    ("evidence", "last_failure", "why"),
    [
        ("Succeeded", None, "it was a success, before the time at which it was given up"),
        ("Running", None, "nobody knows yet"),
        ("Failed", "2026-11-21T03:01:30Z", "it failed, and when it did is known now"),
    ],
)
def test_a_failure_that_was_only_supposed_is_taken_back_so_that_no_alert_goes_on(
    supposed: str, evidence: str, last_failure: str | None, why: str
) -> None:
    given_up = seen(subject(), None, ended(1, supposed, completionTime="2026-11-21T03:55:00Z"))

    status = seen(subject(given_up), Unchanged(), ended(1, evidence))

    assert given_up.last_failure_time == "2026-11-21T03:55:00Z"
    assert status.last_failure_time == last_failure, why
    assert seen(subject(status), Unchanged(), ended(1, evidence)) == status


def test_a_failure_before_the_one_that_was_only_supposed_counts_again() -> None:
    given_up = seen(subject(), None, ended(1, "Failed"), ended(2, "Lost", completionTime="2026-11-21T03:55:00Z"))

    status = seen(subject(given_up), Unchanged(), ended(1, "Failed"), ended(2))

    assert (status.last_failure_time, status.last_successful_time) == ("2026-11-21T03:01:30Z", "2026-11-21T03:02:30Z")


def test_while_the_last_run_turns_out_to_go_on_the_one_before_is_not_the_last() -> None:
    missed = seen(subject(), None, ended(1), ended(2, "Missed"))

    status = seen(subject(missed), Unchanged(), ended(1), ended(2, "Running"))

    assert status.last_run == missed.last_run
    assert status.active_runs == 1


# conditions


def test_each_condition_says_which_generation_it_is_about() -> None:
    status = seen(subject(generation=4))

    assert {one.observed_generation for one in status.conditions} == {4}


def test_a_condition_tells_since_when_it_is_so() -> None:
    refused = seen(subject(at_rest()), Refused(REFUSALS["Busy"]), now=LATER)

    since = {one.type: one.last_transition_time for one in refused.conditions}
    assert since == {
        "LastRunSucceeded": "2026-11-21T12:00:00Z",
        "Ready": "2026-11-21T13:00:00Z",
        "Reconciling": "2026-11-21T13:00:00Z",
        "Scheduled": "2026-11-21T12:00:00Z",
    }


def condition(kind: str, status: str = "True", reason: str = "Why", message: str = "Because.") -> Condition:
    return Condition.model_validate(
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": "2026-11-21T12:00:00Z",
        }
    )


@pytest.mark.parametrize(
    ("after", "changed", "why"),
    [
        ([condition("Ready")], [], "nothing"),
        ([condition("Ready", message="Other words.")], [], "words alone are worth no Event"),
        ([condition("Ready", status="False")], ["Ready"], "another status"),
        ([condition("Ready", reason="Other")], ["Ready"], "another reason"),
        ([condition("Ready"), condition("Stalled")], ["Stalled"], "a new condition"),
        ([], [], "what is gone says nothing"),
    ],
)
def test_a_condition_is_worth_an_event_when_its_status_or_reason_changes(
    after: list[Condition], changed: list[str], why: str
) -> None:
    assert [one.type for one in condition_changes([condition("Ready")], after)] == changed, why


def test_a_one_time_schedule_that_is_over_says_so_and_names_no_next_time() -> None:
    status = at_rest(cron="at(2026-11-20T12:00:00)")

    scheduled = find(status.conditions, "Scheduled")
    assert scheduled is not None
    assert (scheduled.status, scheduled.reason) == ("False", "Completed")
    assert status.next_schedule_time is None
