"""The life of a run: whatever the order in which events come, and however often, it ends the same and only once."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.api.conditions import find
from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.parsing import parse_run
from backgroundtask.api.phases import ENDS
from backgroundtask.api.run import BackgroundTaskRun, RunStatus
from backgroundtask.plan.attempts import MOST
from backgroundtask.plan.definition import Logs
from backgroundtask.plan.identity import has_ended
from backgroundtask.plan.merging import merged
from backgroundtask.plan.outcome import Task, outcome
from backgroundtask.plan.runs import Kept, run_for_request, run_for_slot, superfluous
from backgroundtask.plan.scene import Policy
from backgroundtask.plan.transitions import started, verdicts
from fixtures.kstatus import kstatus
from fixtures.objects import TASK_UID, run, run_object

SLOT = datetime(2026, 11, 21, 3, tzinfo=UTC)
NOW = SLOT + timedelta(minutes=5)
LOGS = Logs(group="/bgt/test", region="eu-west-1", stream_prefix="reports/nightly")
FIRST, SECOND = (f"arn:aws:ecs:eu-west-1:123456789012:task/jobs/{number}" for number in (1, 2))
DEFINITION = "arn:aws:ecs:eu-west-1:123456789012:task-definition/bgt_test_reports_nightly:7"
STATUSES = ["PROVISIONING", "PENDING", "RUNNING", "DEACTIVATING", "DEPROVISIONING", "STOPPED"]
ORDER = [None, "Pending", "Launching", "Running", "Ended"]


def seen(status: str, *, arn: str = FIRST, exit_code: int | None = 0, **more: Any) -> Task:
    """A task that started half a minute after its slot, as an event at this status of its life tells it."""
    version = STATUSES.index(status) + 1
    runs, ended = version >= 3, status == "STOPPED"
    return Task(
        **{
            "arn": arn,
            "definition_arn": DEFINITION,
            "version": version,
            "last_status": status,
            "desired_status": "STOPPED" if version > 3 else "RUNNING",
            "created_at": SLOT + timedelta(seconds=1),
            "started_at": SLOT + timedelta(seconds=30) if runs else None,
            "stopped_at": SLOT + timedelta(minutes=2) if ended else None,
            "exit_code": exit_code if version > 3 else None,
            "stop_code": "EssentialContainerExited" if version > 3 else None,
            "stopped_reason": "Essential container in task exited" if version > 3 else "",
            "uid": TASK_UID,
            "slot": SLOT,
            **more,
        }
    )


def after(status: RunStatus | None, events: Iterable[Task], *, now: datetime = NOW) -> RunStatus:
    """The status of a run after these events, one by one."""
    lived = run()
    status = status or lived.status
    for event in events:
        status = merged(lived.model_copy(update={"status": status}), event, logs=LOGS, now=now)
    return status


def life(arn: str = FIRST, **more: Any) -> list[Task]:
    return [seen(status, arn=arn, **more) for status in STATUSES]


def supposed(phase: str) -> RunStatus:
    """A run of which nothing was seen for too long."""
    lived = run()
    failed = {
        "type": "Failed",
        "status": "True",
        "reason": phase,
        "message": "Nothing was seen of it.",
        "lastTransitionTime": "2026-11-21T03:50:00Z",
    }
    wire = {
        "phase": phase,
        "completionTime": "2026-11-21T03:50:00Z",
        "reason": phase,
        "message": "Nothing was seen of it.",
        "conditions": [failed],
    }
    return RunStatus.model_validate({**lived.status.wire(), **wire})


def rank(phase: str | None) -> int:
    return ORDER.index("Ended" if phase in ENDS else phase)


shuffled = st.permutations(STATUSES).flatmap(
    lambda order: st.lists(st.sampled_from(STATUSES), max_size=4).map(lambda again: [*order, *again])
)
codes = st.none() | st.integers(0, 3)


@given(shuffled, codes)
def test_any_order_of_a_tasks_events_and_any_repetition_lead_to_the_same_end(
    order: list[str], code: int | None
) -> None:
    straight = after(None, life(exit_code=code))

    assert after(None, [seen(status, exit_code=code) for status in order]) == straight


@given(st.lists(st.sampled_from(STATUSES)))
def test_a_phase_never_goes_back(order: list[str]) -> None:
    status = RunStatus()
    phases = []
    for name in order:
        status = after(status, [seen(name)])
        phases.append(rank(status.phase))

    assert phases == sorted(phases)


@given(st.lists(st.tuples(st.sampled_from(STATUSES), st.sampled_from([FIRST, SECOND])), min_size=1))
def test_an_event_that_was_merged_is_no_news_again(order: list[tuple[str, str]]) -> None:
    status = after(None, [seen(name, arn=arn) for name, arn in order])

    assert all(after(status, [seen(name, arn=arn)]) is status for name, arn in order)


@given(st.permutations([*life(FIRST)[:5], *life(SECOND)[:5]]), st.booleans())
def test_of_two_tasks_for_one_slot_the_one_that_was_created_first_counts_whichever_was_seen_first(
    begun: list[Task],
    first_ends_first: bool,  # noqa: FBT001 - drawn
) -> None:
    ends = [seen("STOPPED", arn=FIRST), seen("STOPPED", arn=SECOND, exit_code=1)]

    status = after(None, [*begun, *(ends if first_ends_first else ends[::-1])])

    assert (status.phase, status.task_arn) == ("Succeeded", FIRST)
    assert {one.task_arn: (one.exit_code, one.duplicate) for one in status.attempts} == {
        FIRST: (0, None),
        SECOND: (1, True),
    }


def test_a_second_task_after_the_end_is_marked_and_changes_nothing_else() -> None:
    ended = after(None, life())

    status = after(ended, [seen("PENDING", arn=SECOND)])

    assert [(one.task_arn, one.duplicate) for one in status.attempts] == [(FIRST, None), (SECOND, True)]
    assert status.model_copy(update={"attempts": ended.attempts}) == ended


def test_an_older_task_that_had_failed_already_takes_no_place() -> None:
    older = seen("STOPPED", exit_code=1, created_at=SLOT - timedelta(seconds=1))

    status = after(None, [seen("RUNNING", arn=SECOND), older])

    assert (status.phase, status.task_arn) == ("Running", SECOND)
    assert [(one.task_arn, one.duplicate) for one in status.attempts] == [(SECOND, None), (FIRST, None)]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("PROVISIONING", "PENDING"),
        ("RUNNING", "DEACTIVATING"),
        ("DEACTIVATING", "DEPROVISIONING"),
        ("RUNNING", "PENDING"),
    ],
)
def test_what_changes_no_phase_changes_nothing(earlier: str, later: str) -> None:
    status = after(None, [seen(earlier)])

    assert after(status, [seen(later)], now=NOW + timedelta(hours=1)) is status


def test_a_launching_run_tells_its_task_and_where_its_output_will_be_but_no_time_yet() -> None:
    status = after(None, [seen("PENDING")])

    assert status.wire() == {
        "observedGeneration": 1,
        "phase": "Launching",
        "reason": "Launching",
        "message": "The container has not started yet.",
        "taskArn": FIRST,
        "taskDefinitionArn": DEFINITION,
        "taskVersion": 2,
        "logs": {
            "group": "/bgt/test",
            "stream": "reports/nightly/aws-bg-task/1",
            "url": "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups/"
            "log-group/$252Fbgt$252Ftest/log-events/reports$252Fnightly$252Faws-bg-task$252F1",
        },
        "attempts": [{"taskArn": FIRST, "launchTime": "2026-11-21T03:00:01Z"}],
        "conditions": [
            {
                "type": kind,
                "status": value,
                "reason": "Launching",
                "message": "The container has not started yet.",
                "lastTransitionTime": "2026-11-21T03:05:00Z",
                "observedGeneration": 1,
            }
            for kind, value in (("Ready", "Unknown"), ("Reconciling", "True"))
        ],
    }


def test_a_running_run_tells_since_when() -> None:
    status = after(None, [seen("RUNNING")])

    assert (status.phase, status.start_time) == ("Running", "2026-11-21T03:00:30Z")
    assert (status.completion_time, status.exit_code, status.stop_code) == (None, None, None)
    assert status.attempts[0].start_time == "2026-11-21T03:00:30Z"


@pytest.mark.parametrize("status", ["RUNNING", "DEACTIVATING", "DEPROVISIONING"])
def test_exit_code_stop_code_and_completion_are_told_at_the_end_only(status: str) -> None:
    early = seen(status, exit_code=1, stop_code="EssentialContainerExited", stopped_at=NOW)

    found = after(None, [early])

    for told in (found, found.attempts[0]):
        assert (told.completion_time, told.exit_code, told.stop_code) == (None, None, None)
    assert found.attempts[0].reason is None


def test_an_end_tells_everything() -> None:
    status = after(None, life(exit_code=3))

    assert (status.phase, status.reason, status.exit_code) == ("Failed", "NonZeroExitCode", 3)
    assert status.message is not None
    assert status.message.startswith("The container exited with code 3: Essential container in task exited")
    assert (status.start_time, status.completion_time) == ("2026-11-21T03:00:30Z", "2026-11-21T03:02:00Z")
    assert status.stop_code == "EssentialContainerExited"
    assert status.task_version == 6
    assert [one.wire() for one in status.attempts] == [
        {
            "taskArn": FIRST,
            "launchTime": "2026-11-21T03:00:01Z",
            "startTime": "2026-11-21T03:00:30Z",
            "completionTime": "2026-11-21T03:02:00Z",
            "exitCode": 3,
            "reason": "NonZeroExitCode",
            "stopCode": "EssentialContainerExited",
        }
    ]


def test_a_task_that_failed_to_start_never_started() -> None:
    failed = seen("STOPPED", exit_code=None, started_at=None, stop_code="TaskFailedToStart")

    status = after(None, [failed])

    assert (status.phase, status.reason, status.start_time) == ("Failed", "FailedToStart", None)
    assert status.attempts[0].start_time is None


def test_every_end_has_a_completion_time_even_where_ecs_tells_none() -> None:
    status = after(None, [seen("STOPPED", stopped_at=None)])

    assert status.completion_time == "2026-11-21T03:05:00Z"
    assert status.attempts[0].completion_time == "2026-11-21T03:05:00Z"


def test_without_its_template_nobody_knows_where_the_output_went() -> None:
    assert merged(run(), seen("RUNNING"), logs=None, now=NOW).logs is None


def test_output_stays_where_it_began_though_its_template_changes_or_goes() -> None:
    began = merged(run(), seen("PENDING"), logs=LOGS, now=NOW)

    for logs in (None, replace(LOGS, group="/another")):
        status = merged(run(**began.wire()), seen("RUNNING"), logs=logs, now=NOW)

        assert status.phase == "Running"
        assert status.logs == began.logs


def test_the_output_of_another_attempt_is_elsewhere() -> None:
    failed = merged(run(), seen("STOPPED", exit_code=1), logs=LOGS, policy=Policy(backoff_limit=1), now=NOW)
    again = started(run(**failed.wire()), SECOND, NOW)

    status = merged(run(**again.wire()), seen("RUNNING", arn=SECOND), logs=LOGS, now=NOW)

    assert status.logs is not None
    assert str(status.logs.stream).endswith(SECOND.rpartition("/")[2])


@pytest.mark.parametrize(
    ("partition", "region", "console"),
    [
        ("aws", "eu-west-1", "https://eu-west-1.console.aws.amazon.com/"),
        ("aws-cn", "cn-north-1", "https://cn-north-1.console.amazonaws.cn/"),
        ("aws-us-gov", "us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com/"),
    ],
)
def test_each_partition_of_aws_has_a_console_of_its_own(partition: str, region: str, console: str) -> None:
    task = seen("RUNNING")
    there = replace(task, arn=task.arn.replace("arn:aws:", f"arn:{partition}:"))

    status = merged(run(), there, logs=replace(LOGS, region=region), now=NOW)

    assert status.logs is not None
    assert str(status.logs.url).startswith(f"{console}cloudwatch/home?region={region}#logsV2:")


def test_a_log_groups_name_is_encoded_as_the_console_wants_it() -> None:
    status = merged(run(), seen("RUNNING"), logs=replace(LOGS, group="/a b#c"), now=NOW)

    assert status.logs is not None
    assert "log-group/$252Fa$2520b$2523c/log-events/" in str(status.logs.url)


@pytest.mark.parametrize("phase", sorted(ENDS - {"Missed", "Lost"}))
@pytest.mark.parametrize("status", STATUSES)
def test_an_end_is_final(phase: str, status: str) -> None:
    ended = RunStatus(phase=phase, task_arn=FIRST, completion_time="2026-11-21T03:02:00Z")

    assert after(ended, [seen(status, version=99)]) is ended


@pytest.mark.parametrize("phase", ["Missed", "Lost"])
@pytest.mark.parametrize(("exit_code", "end", "said"), [(0, "Succeeded", "Complete"), (1, "Failed", "Failed")])
def test_evidence_replaces_an_end_that_was_only_supposed(phase: str, exit_code: int, end: str, said: str) -> None:
    status = after(supposed(phase), life(exit_code=exit_code))

    assert (status.phase, status.exit_code) == (end, exit_code)
    assert (status.start_time, status.completion_time) == ("2026-11-21T03:00:30Z", "2026-11-21T03:02:00Z")
    told = {one.type: (one.status, one.reason) for one in status.conditions}
    assert {kind: told[kind] for kind in told.keys() & {"Complete", "Failed"}} == {said: ("True", end)}


@pytest.mark.parametrize("phase", ["Missed", "Lost"])
def test_a_run_that_turns_out_to_run_has_neither_failed_nor_ended(phase: str) -> None:
    status = after(supposed(phase), [seen("RUNNING")])

    assert (status.phase, status.completion_time) == ("Running", None)
    assert [one.type for one in status.conditions] == ["Ready", "Reconciling"]


def test_a_failure_that_was_supposed_and_turns_out_true_has_failed_all_the_time() -> None:
    status = after(supposed("Lost"), [seen("STOPPED", exit_code=1)], now=SLOT + timedelta(hours=1))

    failed = find(status.conditions, "Failed")
    assert failed is not None
    assert (failed.reason, failed.last_transition_time) == ("Failed", "2026-11-21T03:50:00Z")


def test_old_news_of_a_lost_task_is_no_evidence() -> None:
    lost = supposed("Lost").model_copy(update={"task_arn": FIRST, "task_version": 3})

    assert after(lost, [seen("PENDING"), seen("RUNNING")]) is lost
    assert after(lost, [seen("STOPPED")]).phase == "Succeeded"


def test_another_task_is_evidence_for_a_lost_run() -> None:
    lost = after(None, [seen("RUNNING")]).model_copy(update={"phase": "Lost"})

    begun = after(lost, [seen("PROVISIONING", arn=SECOND)])
    status = after(begun, life(SECOND))

    assert begun.phase == "Launching", "versions are counted for each task by itself"
    assert (status.phase, status.task_arn) == ("Succeeded", SECOND)
    assert [one.task_arn for one in status.attempts] == [FIRST, SECOND]


def test_an_older_version_of_a_task_is_no_news_whatever_it_says() -> None:
    status = after(None, [seen("PENDING", version=5)])

    assert after(status, [seen("RUNNING", version=4)]) is status
    assert after(status, [seen("RUNNING", version=5)]) is status
    assert after(status, [seen("RUNNING", version=6)]).phase == "Running"


def test_a_run_that_was_asked_for_takes_the_first_task_it_sees() -> None:
    pending = RunStatus(phase="Pending")

    assert after(pending, [seen("PENDING")]).phase == "Launching"


def test_attempts_stay_in_the_order_in_which_they_were_seen() -> None:
    third = SECOND[:-1] + "3"
    events = [seen("PENDING"), seen("PENDING", arn=SECOND), seen("PENDING", arn=third)]

    status = after(None, [*events, *life(SECOND), *life(FIRST)])

    assert [one.task_arn for one in status.attempts] == [FIRST, SECOND, third]
    assert [one.exit_code for one in status.attempts] == [0, 0, None]


def test_a_second_task_is_recorded_when_it_is_first_seen_and_when_it_has_ended() -> None:
    status = after(None, [seen("RUNNING")])

    begun = after(status, [seen("PENDING", arn=SECOND)])
    same = after(begun, [seen("RUNNING", arn=SECOND)])
    ended = after(same, [seen("STOPPED", arn=SECOND, exit_code=4, stopped_at=None)])

    assert begun is not status
    assert same is begun
    assert [one.exit_code for one in ended.attempts] == [None, 4]
    assert ended.model_copy(update={"attempts": status.attempts}) == status


@pytest.mark.parametrize("count", [MOST - 2, MOST - 1, MOST, 40])
def test_attempts_are_bounded_and_the_one_that_counts_is_among_them(count: int) -> None:
    others = [f"{SECOND}{number:02}" for number in range(count)]
    status = after(None, [seen("PENDING"), *(seen("PENDING", arn=arn) for arn in others)])

    ended = after(status, [*life(), *(event for arn in others for event in life(arn))])

    assert [one.task_arn for one in ended.attempts] == [FIRST, *others][:MOST]
    assert ended.attempts[0].exit_code == 0
    assert after(ended, [seen("STOPPED", arn=arn) for arn in others]) is ended


def test_a_new_task_takes_the_place_of_the_oldest_that_has_ended_but_never_of_the_first() -> None:
    many = [seen("STOPPED", arn=f"{SECOND}{number:02}", exit_code=1) for number in range(MOST - 1)]
    status = after(None, [seen("RUNNING"), *many])

    status = after(status, [seen("PENDING", arn="new", created_at=SLOT + timedelta(hours=1))])

    assert [one.task_arn for one in status.attempts] == [FIRST, *(event.arn for event in many[1:]), "new"]


def test_where_many_tasks_were_lost_the_one_that_was_found_takes_the_place_of_one_of_them() -> None:
    many = [seen("PENDING", arn=f"{SECOND}{number:02}") for number in range(MOST)]
    lost = after(None, many).model_copy(update={"phase": "Lost"})

    status = after(lost, life(created_at=SLOT + timedelta(hours=1)))

    assert [one.task_arn for one in status.attempts] == [many[0].arn, *(event.arn for event in many[2:]), FIRST]


@pytest.mark.parametrize(
    ("status", "exit_code", "verdict"),
    [
        ("PENDING", None, "InProgress"),
        ("RUNNING", None, "InProgress"),
        ("STOPPED", 0, "Current"),
        ("STOPPED", 1, "Failed"),
    ],
)
def test_who_waits_for_a_run_learns_how_it_goes(status: str, exit_code: int | None, verdict: str) -> None:
    found = after(None, [seen(status, exit_code=exit_code)])

    obj = run_object()
    assert kstatus({**obj, "status": found.wire()}) == verdict


@pytest.mark.parametrize(("phase", "said"), [("Succeeded", "Complete"), ("Failed", "Failed")])
def test_an_end_says_jobs_word_with_the_phase_as_its_reason(phase: str, said: str) -> None:
    end = outcome(seen("STOPPED", exit_code=0 if phase == "Succeeded" else 1))

    last = verdicts(end)[-1]

    assert (last.type, last.status, last.reason) == (said, "True", phase)


def test_a_run_that_goes_on_says_neither_of_jobs_words() -> None:
    assert {one.type for one in verdicts(outcome(seen("RUNNING")))} == {"Ready", "Reconciling", "Stalled"}


@pytest.mark.parametrize("phase", [None, "Pending", "Launching", "Running", *sorted(ENDS)])
def test_a_run_has_ended_in_the_phases_that_end_it(phase: str | None) -> None:
    assert has_ended(run(**({"phase": phase} if phase else {}))) == (phase in ENDS)


def test_the_run_of_a_slot_is_owned_by_its_task_held_and_copies_no_mark_of_git() -> None:
    task = ObjectMeta(
        name="nightly",
        namespace="reports",
        uid=TASK_UID,
        labels={"app.kubernetes.io/instance": "prod"},
        annotations={"argocd.argoproj.io/tracking-id": "prod:x"},
    )

    made = run_for_slot(task, SLOT + timedelta(seconds=1))

    assert made == {
        "apiVersion": "bgtask.dev/v1alpha1",
        "kind": "BackgroundTaskRun",
        "metadata": {
            "name": "nightly-29920500",
            "namespace": "reports",
            "labels": {"bgtask.dev/task": "nightly", "bgtask.dev/trigger": "schedule"},
            "finalizers": ["bgtask.dev/finalizer"],
            "ownerReferences": [
                {
                    "apiVersion": "bgtask.dev/v1alpha1",
                    "kind": "BackgroundTask",
                    "name": "nightly",
                    "uid": TASK_UID,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {"task": "nightly", "scheduledTime": "2026-11-21T03:00:01Z"},
    }
    parse_run(made)


OWNER = {"apiVersion": "bgtask.dev/v1alpha1", "kind": "BackgroundTask", "name": "nightly", "uid": TASK_UID}
TASK_META = ObjectMeta(name="nightly", namespace="reports", uid=TASK_UID)


def ended(minute: int, phase: str = "Succeeded", **metadata: Any) -> BackgroundTaskRun:
    """A run that the operator made, and that ended so many minutes after three."""
    made = run_for_slot(TASK_META, SLOT + timedelta(minutes=minute))
    made["metadata"] |= metadata
    status = {"phase": phase, "completionTime": f"2026-11-21T03:{minute:02}:30Z"} if phase in ENDS else {"phase": phase}
    return parse_run({**made, "status": status})


def refused(minute: int) -> BackgroundTaskRun:
    """A run that was asked for by annotation, and refused before its launch."""
    status = {"phase": "Failed", "reason": "UnknownItem", "completionTime": f"2026-11-21T03:{minute:02}:30Z"}
    return parse_run({**run_for_request(TASK_META, str(minute)), "status": status})


def names(runs: Sequence[BackgroundTaskRun]) -> list[str]:
    return [one.metadata.name for one in runs]


histories = st.lists(
    st.tuples(st.integers(0, 59), st.sampled_from(["Running", *sorted(ENDS)])), unique_by=lambda one: one[0]
).map(lambda found: [ended(minute, phase) for minute, phase in found])
limits = st.builds(Kept, succeeded=st.integers(0, 4), failed=st.integers(0, 4))


@given(histories, limits)
def test_what_is_left_of_a_history_are_the_newest_of_each_kind_up_to_its_limit(
    history: list[BackgroundTaskRun], kept: Kept
) -> None:
    gone = superfluous(history, kept)

    left = [one for one in history if one not in gone]
    sorts = (
        ({"Succeeded"}, kept.succeeded),
        ({"Skipped"}, kept.succeeded),
        ({"Failed", "Missed", "Lost"}, kept.failed),
        ({"Cancelled"}, kept.failed),
    )
    for phases, limit in sorts:
        every = sorted(one.status.completion_time or "" for one in history if one.status.phase in phases)
        stay = sorted(one.status.completion_time or "" for one in left if one.status.phase in phases)
        assert stay == every[max(len(every) - limit, 0) :]
    assert all(has_ended(one) for one in gone)
    assert [one.status.completion_time for one in gone] == sorted(one.status.completion_time or "" for one in gone)
    assert superfluous(left, kept) == ()


def test_the_oldest_goes_first() -> None:
    gone = superfluous([ended(3), ended(1, "Failed"), ended(2), ended(0, "Failed")], Kept(succeeded=0, failed=0))

    assert names(gone) == [f"nightly-{29920500 + minute}" for minute in range(4)]


@pytest.mark.parametrize(
    ("newer", "why"),
    [
        (ended(9, "Cancelled"), "somebody wished it so"),
        (refused(9), "somebody asked for what is not to be had, and nothing was launched"),
        (ended(9, "Skipped"), "nothing ran"),
        (ended(9), "it is another sort"),
    ],
)
def test_the_record_of_a_failure_is_pushed_out_by_newer_failures_alone(newer: BackgroundTaskRun, why: str) -> None:
    failure, kept = ended(1, "Failed"), Kept(succeeded=1, failed=1)

    assert superfluous([failure, newer], kept) == (), why
    assert superfluous([failure, newer, ended(10, "Lost")], kept) == (failure,), why


def test_a_slot_whose_launch_is_refused_is_a_failure_as_it_should_have_run() -> None:
    older, newer = ended(1, "Failed"), ended(2, "Failed")

    assert superfluous([older, newer], Kept(succeeded=1, failed=1)) == (older,)


def test_of_two_that_ended_in_the_same_second_the_later_slot_stays() -> None:
    together = {"phase": "Succeeded", "completionTime": "2026-11-21T03:30:00Z"}
    first, second = (
        parse_run({**run_for_slot(TASK_META, SLOT + timedelta(minutes=minute)), "status": together})
        for minute in (1, 2)
    )

    for history in ([first, second], [second, first]):
        assert superfluous(history, Kept(succeeded=1, failed=0)) == (first,)


def test_a_run_is_as_old_as_its_end_not_as_its_slot() -> None:
    slow = {"phase": "Succeeded", "completionTime": "2026-11-21T03:50:00Z"}
    first = parse_run({**run_for_slot(TASK_META, SLOT), "status": slow})

    assert superfluous([first, ended(5), ended(6)], Kept(succeeded=1, failed=0)) == (ended(5), ended(6))


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "prod:x"}}, "Argo CD would create it again"),
        ({"annotations": {"meta.helm.sh/release-name": "prod"}}, "Helm would"),
        ({"labels": {"app.kubernetes.io/instance": "prod"}}, "Argo CD by its label would"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "prod"}}, "Flux would"),
        ({"ownerReferences": []}, "somebody made it by hand"),
        ({"ownerReferences": [{**OWNER, "kind": "Workflow", "controller": True}]}, "it is another controller's"),
        ({"ownerReferences": [OWNER]}, "it only goes with the task, which does not control it"),
        ({"deletionTimestamp": "2026-11-21T04:00:00Z"}, "it is being deleted already"),
    ],
)
def test_what_is_not_ours_to_delete_is_neither_deleted_nor_counted(metadata: dict[str, Any], why: str) -> None:
    kept = Kept(succeeded=1, failed=1)
    others = [ended(50, **metadata), ended(51, "Failed", **metadata)]
    own = [ended(1), ended(2, "Failed")]

    assert superfluous(others, Kept(succeeded=0, failed=0)) == (), why
    assert superfluous([*own, *others], kept) == (), why
    assert superfluous([*own, *others, ended(3)], kept) == (own[0],), why
