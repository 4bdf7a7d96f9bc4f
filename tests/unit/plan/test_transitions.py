"""The steps of a run's status: each says what has happened, once, and takes nothing back."""

from collections.abc import Callable
from typing import Any

import pytest

from backgroundtask.api.conditions import find
from backgroundtask.api.phases import ENDS
from backgroundtask.api.run import BackgroundTaskRun, LaunchRecord, RunStatus
from backgroundtask.plan import transitions
from backgroundtask.plan.attempts import strays
from fixtures.kstatus import kstatus
from fixtures.runs import (
    SLOT,
    arn,
    attempt,
    ended,
    failed,
    launch,
    minutes,
    outstanding,
    refused,
    running,
    slot_run,
)

NOW = SLOT + minutes(3)
RECORD = LaunchRecord.model_validate({**launch(3, number=1)})
Step = Callable[[BackgroundTaskRun], RunStatus]
STEPS: dict[str, Step] = {
    "held": lambda run: transitions.held(run, "SeriesOrder", "It waits.", NOW),
    "frozen": lambda run: transitions.frozen(run, RECORD, NOW),
    "started": lambda run: transitions.started(run, arn(7), NOW),
    "refused": lambda run: transitions.refused(run, "CapacityUnavailable", "There is none.", NOW),
    "stopping": lambda run: transitions.stopping(run, "Cancelled", NOW),
    "ended": lambda run: transitions.ended(run, "Missed", "MissSchedule", "Too late.", NOW),
}
RANK = {None: 0, "Pending": 1, "Launching": 2, "Running": 3, "Missed": 4}


def after(run: BackgroundTaskRun, *steps: str) -> BackgroundTaskRun:
    for step in steps:
        run = run.model_copy(update={"status": STEPS[step](run)})
    return run


@pytest.mark.parametrize("step", sorted(STEPS))
@pytest.mark.parametrize("status", [{}, {"phase": "Pending"}, outstanding(), running()], ids=str)
def test_no_step_takes_a_phase_back(step: str, status: dict[str, Any]) -> None:
    before = slot_run(**status)

    assert RANK[STEPS[step](before).phase] >= RANK[before.status.phase]


@pytest.mark.parametrize("step", ["held", "frozen", "stopping", "ended", "started"])
def test_a_step_that_is_made_twice_changes_nothing_the_second_time(step: str) -> None:
    once = after(slot_run(**outstanding()), step)

    assert STEPS[step](once) == once.status


def test_a_run_that_waits_says_for_what() -> None:
    run = after(slot_run(), "held")

    assert (run.status.phase, run.status.reason, run.status.message) == ("Pending", "SeriesOrder", "It waits.")
    assert kstatus(run.wire()) == "InProgress"


def test_a_launch_is_written_down_before_it_is_made() -> None:
    run = after(slot_run(**refused()), "frozen")

    assert (run.status.phase, run.status.launch, run.status.retry_time) == ("Launching", RECORD, None)


def test_a_started_task_is_the_one_that_counts() -> None:
    run = after(slot_run(**outstanding()), "started")

    assert run.status.task_arn == arn(7)
    assert run.status.launch is not None
    assert run.status.launch.task_arn == arn(7)
    assert [one.wire() for one in run.status.attempts] == [attempt(7, launched=3)]


def test_the_version_of_an_earlier_task_says_nothing_of_the_next_one() -> None:
    run = after(slot_run(**failed()), "frozen", "started")

    assert (run.status.task_arn, run.status.task_version) == (arn(7), None)
    assert len(run.status.attempts) == 2


def test_what_an_event_has_told_already_is_kept() -> None:
    known = slot_run(**{**running(7), "launch": launch(0)})

    run = after(known, "started")

    assert run.status.attempts == known.status.attempts
    assert run.status.task_version == 3
    assert run.status.launch is not None
    assert run.status.launch.task_arn == arn(7)


def test_a_task_beside_one_that_goes_on_is_a_second_one() -> None:
    run = after(slot_run(**{**running(1), "launch": launch(0)}), "started")

    assert run.status.task_arn == arn(1)
    assert [one.duplicate for one in run.status.attempts] == [None, True]


def test_a_refusal_is_answered_by_waiting_twice_as_long_each_time() -> None:
    run, times = slot_run(**outstanding()), []
    for _ in range(7):
        run = after(run, "refused")
        times.append(run.status.retry_time)

    waits = ["03:10", "03:20", "03:40", "04:20", "05:40", "08:00", "08:00"]
    assert times == [f"2026-11-21T03:{wait}Z" for wait in waits]
    assert run.status.launch_failures == 7
    assert run.status.launch is not None
    assert run.status.launch.refused is True
    assert (run.status.phase, run.status.reason) == ("Launching", "CapacityUnavailable")


def test_the_first_reason_of_a_stop_stays() -> None:
    run = after(slot_run(**running()), "stopping")

    again = transitions.stopping(run, "DeadlineExceeded", NOW + minutes(1))

    assert again.stop is not None
    assert (again.stop.reason, again.stop.time) == ("Cancelled", "2026-11-21T03:03:00Z")


def test_a_second_task_that_ecs_has_forgotten_is_stopped_no_more() -> None:
    run = slot_run(**ended(attempts=[*failed()["attempts"], attempt(2, duplicate=True)]))

    status = transitions.forgotten(run, arn(2), NOW)

    assert strays(run) == (arn(2),)
    assert strays(run.model_copy(update={"status": status})) == ()
    assert status.attempts[0] == run.status.attempts[0]
    assert transitions.forgotten(run, arn(1), NOW) is run.status


@pytest.mark.parametrize("phase", sorted(ENDS))
def test_every_end_has_its_time_and_one_of_jobs_words(phase: Any) -> None:
    status = transitions.ended(slot_run(**refused()), phase, "Because", "It is over.", NOW)

    said = "Complete" if phase in {"Succeeded", "Skipped"} else "Failed"
    found = find(status.conditions, said)
    assert found is not None
    assert (found.status, found.reason) == ("True", phase)
    assert (status.phase, status.completion_time, status.retry_time) == (phase, "2026-11-21T03:03:00Z", None)


@pytest.mark.parametrize("phase", sorted(ENDS))
def test_an_end_is_not_ended_again(phase: str) -> None:
    run = slot_run(**ended(phase))

    assert STEPS["ended"](run) is run.status


def test_what_is_said_is_stored_as_it_will_be_read() -> None:
    told = transitions.held(slot_run(), "TaskStalled", "refused\n" + "x" * 5000, NOW)

    assert RunStatus.model_validate(told.wire()) == told


@pytest.mark.parametrize("phase", sorted(ENDS))
def test_an_end_answers_a_change_of_the_spec_that_comes_after_it(phase: Any) -> None:
    run = slot_run()
    end = transitions.ended(run, phase, "Because", "It is over.", NOW)
    changed = run.metadata.model_copy(update={"generation": 2})

    status = transitions.answered(run.model_copy(update={"status": end, "metadata": changed}))

    assert {status.observed_generation, *(one.observed_generation for one in status.conditions)} == {2}
    assert (status.phase, status.reason, status.completion_time) == (phase, "Because", end.completion_time)
    assert transitions.answered(run.model_copy(update={"status": status, "metadata": changed})) is status


def test_what_has_not_ended_is_answered_by_what_is_done() -> None:
    run = slot_run(**running())

    assert transitions.answered(run) is run.status


@pytest.mark.parametrize(
    ("reason", "phase"), [("Cancelled", "Cancelled"), ("Replaced", "Cancelled"), ("DeadlineExceeded", "Failed")]
)
def test_what_the_operator_stops_ends_as_cancelled_or_as_too_long(reason: Any, phase: str) -> None:
    end = transitions.stopped(reason, "The container exited with code 143.")

    assert (end.phase, end.reason) == (phase, reason)
    assert end.message.endswith("The container exited with code 143.")
