"""What the end of an attempt is for its run: an end, or another attempt; and what late news of older ones is."""

from datetime import datetime
from typing import Any

import pytest

from backgroundtask.api.run import BackgroundTaskRun, RunStatus
from backgroundtask.plan.attempts import strays
from backgroundtask.plan.merging import merged
from backgroundtask.plan.outcome import Task
from backgroundtask.plan.scene import Policy
from fixtures.runs import (
    SLOT,
    arn,
    asked_run,
    attempt,
    ended,
    failed,
    launch,
    minutes,
    outstanding,
    refused,
    running,
    seen,
    slot_run,
)

NOW = SLOT + minutes(10)
TWICE = Policy(backoff_limit=2)
NETWORK = {"stop_code": "TaskFailedToStart", "stopped_reason": "Timeout waiting for network interface provisioning"}
SPOT = {"stop_code": "SpotInterruption", "exit_code": 143}


def after(run: BackgroundTaskRun, *events: Task, policy: Policy | None = TWICE, now: datetime = NOW) -> RunStatus:
    for event in events:
        run = run.model_copy(update={"status": merged(run, event, logs=None, policy=policy, now=now)})
    return run.status


def stop(reason: str) -> dict[str, Any]:
    return {"stop": {"reason": reason, "time": "2026-11-21T03:01:00Z"}}


def unstarted(number: int = 1, **more: Any) -> Task:
    return seen("STOPPED", number=number, exit_code=None, started_at=None, **{**NETWORK, **more})


class TestCountedFailures:
    def test_a_failed_run_is_tried_again_ten_seconds_after_its_end(self) -> None:
        status = after(slot_run(), seen("STOPPED", exit_code=1))

        assert (status.phase, status.reason, status.failed_attempts) == ("Running", "BackoffRetry", 1)
        assert status.retry_time == "2026-11-21T03:02:10Z"
        assert (status.completion_time, status.exit_code) == (None, None)
        assert [one.reason for one in status.attempts] == ["NonZeroExitCode"]

    def test_where_the_clock_of_aws_is_ahead_it_waits_no_longer_for_that(self) -> None:
        early = SLOT + minutes(1)

        status = after(slot_run(), seen("STOPPED", exit_code=1), now=early)

        assert status.retry_time == "2026-11-21T03:01:10Z"

    @pytest.mark.parametrize(
        ("times", "retry_time"), [(1, "03:02:20"), (2, "03:02:40"), (5, "03:07:20"), (6, "03:08:00"), (90, "03:08:00")]
    )
    def test_each_time_it_waits_twice_as_long_up_to_six_minutes(self, times: int, retry_time: str) -> None:
        run = slot_run(**{**running(), "failedAttempts": times})

        status = after(run, seen("STOPPED", exit_code=1), policy=Policy(backoff_limit=100))

        assert status.retry_time == f"2026-11-21T{retry_time}Z"

    def test_beyond_the_limit_it_has_failed(self) -> None:
        run = slot_run(**{**running(), "failedAttempts": 2})

        status = after(run, seen("STOPPED", exit_code=3))

        assert (status.phase, status.reason, status.exit_code) == ("Failed", "BackoffLimitExceeded", 3)
        assert "It failed 3 times, which is more than spec.backoffLimit 2 allows" in str(status.message)
        assert "The container exited with code 3" in str(status.message)
        assert status.retry_time is None

    def test_without_a_limit_it_fails_for_its_own_reason(self) -> None:
        status = after(slot_run(), seen("STOPPED", exit_code=3), policy=Policy())

        assert (status.phase, status.reason, status.failed_attempts) == ("Failed", "NonZeroExitCode", 1)

    @pytest.mark.parametrize(
        ("run", "policy", "why"),
        [
            (slot_run(spec={"cancel": True}), TWICE, "somebody cancels it"),
            (slot_run(is_deleted=True), TWICE, "somebody deletes it"),
            (slot_run(), None, "nobody knows how often"),
        ],
    )
    @pytest.mark.parametrize("end", [seen("STOPPED", exit_code=1), unstarted()])
    def test_some_runs_have_no_other_attempt(
        self, run: BackgroundTaskRun, policy: Policy | None, end: Task, why: str
    ) -> None:
        assert after(run, end, policy=policy).phase == "Failed", why

    def test_the_same_end_told_again_is_counted_once(self) -> None:
        end = seen("STOPPED", exit_code=1)
        status = after(slot_run(), end)

        assert after(slot_run(), end, end, seen("RUNNING"), end) == status

    def test_a_success_after_failures_is_a_success(self) -> None:
        run = slot_run(**failed(failedAttempts=1, launch=launch(5, number=1)))

        status = after(run, seen("STOPPED", number=2, launched=5))

        assert (status.phase, status.task_arn, status.exit_code) == ("Succeeded", arn(2), 0)
        assert [one.exit_code for one in status.attempts] == [1, 0]
        assert status.start_time == "2026-11-21T03:06:00Z"


class TestUncountedFailures:
    @pytest.mark.parametrize("end", [unstarted(), seen("STOPPED", **SPOT)], ids=["network", "spot"])
    def test_what_is_no_fault_of_the_container_is_tried_again_and_not_counted(self, end: Task) -> None:
        status = after(slot_run(), end, policy=Policy())

        assert (status.reason, status.failed_attempts, status.completion_time) == ("BackoffRetry", None, None)
        assert status.retry_time is not None
        assert status.attempts[0].reason in {"NetworkUnavailable", "SpotInterruption"}

    def test_each_in_a_row_waits_longer_up_to_five_minutes(self) -> None:
        waits = []
        for failures in (None, 1, 2, 5, 40):
            run = slot_run(phase="Launching", launchFailures=failures)
            waits.append(after(run, unstarted(stopped_at=NOW)).retry_time)

        assert waits == [f"2026-11-21T03:{time}Z" for time in ("10:10", "10:20", "10:40", "15:00", "15:00")]

    def test_a_container_that_starts_begins_the_row_anew(self) -> None:
        run = slot_run(phase="Launching", launchFailures=4)

        assert after(run, seen("RUNNING")).launch_failures is None
        assert after(run, seen("PENDING")).launch_failures == 4

    def test_a_run_that_never_started_has_not_run(self) -> None:
        status = after(slot_run(), unstarted())

        assert (status.phase, status.start_time) == ("Launching", None)


class TestStops:
    @pytest.mark.parametrize(
        ("reason", "phase"), [("Cancelled", "Cancelled"), ("Replaced", "Cancelled"), ("DeadlineExceeded", "Failed")]
    )
    @pytest.mark.parametrize("exit_code", [0, 143, None])
    def test_a_run_that_was_stopped_ends_for_the_reason_of_the_stop(
        self, reason: str, phase: str, exit_code: int | None
    ) -> None:
        end = seen("STOPPED", exit_code=exit_code, stop_code="UserInitiated", stopped_reason="by the operator")

        status = after(slot_run(**running(**stop(reason))), end)

        assert (status.phase, status.reason, status.exit_code) == (phase, reason, exit_code)
        assert status.retry_time is None

    def test_unless_it_had_succeeded_by_itself(self) -> None:
        status = after(slot_run(**running(**stop("Cancelled"))), seen("STOPPED", exit_code=0))

        assert status.phase == "Succeeded"

    def test_a_stopped_run_is_not_tried_again(self) -> None:
        status = after(slot_run(**running(**stop("DeadlineExceeded"))), seen("STOPPED", exit_code=1))

        assert (status.phase, status.reason) == ("Failed", "DeadlineExceeded")


class TestLaunches:
    def test_a_task_of_a_launch_without_an_answer_is_adopted(self) -> None:
        status = after(slot_run(**outstanding()), seen("PENDING", launched=1))

        assert status.task_arn == arn(1)
        assert status.launch is not None
        assert status.launch.task_arn == arn(1)

    def test_a_task_of_a_launch_that_ecs_had_refused_is_adopted_and_not_launched_again(self) -> None:
        status = after(slot_run(**refused()), seen("PENDING"))

        assert (status.task_arn, status.retry_time) == (arn(1), None)
        assert status.launch is not None
        assert (status.launch.task_arn, status.launch.refused) == (arn(1), None)

    def test_the_task_of_the_next_attempt_is_adopted_though_the_last_one_is_known(self) -> None:
        run = slot_run(**failed(launch=launch(5, number=1)))

        status = after(run, seen("PENDING", number=2, launched=5))

        assert (status.phase, status.task_arn) == ("Running", arn(2)), "a phase never goes back"
        assert not any(one.duplicate for one in status.attempts)

    def test_an_older_task_than_the_last_attempt_is_not_the_next_one(self) -> None:
        run = slot_run(**failed(launched=3, launch=launch(5, number=1)))

        status = after(run, seen("RUNNING", number=2, launched=1))

        assert status.task_arn == arn(1)
        assert strays(run.model_copy(update={"status": status})) == (arn(2),)

    def test_between_attempts_without_a_launch_a_new_task_is_a_second_one(self) -> None:
        run = slot_run(**failed(retryTime="2026-11-21T03:12:00Z"))

        status = after(run, seen("RUNNING", number=2, launched=1))

        assert (status.task_arn, status.retry_time) == (arn(1), "2026-11-21T03:12:00Z")
        assert strays(run.model_copy(update={"status": status})) == (arn(2),)

    def test_the_first_news_after_an_answer_tells_all_of_the_task(self) -> None:
        run = asked_run(
            phase="Launching", taskArn=arn(1), launch=launch(taskArn=arn(1)), attempts=[attempt(1)], reason="Launching"
        )

        status = after(run, seen("PENDING"))

        assert status.task_version == 2
        assert status.task_definition_arn is not None

    def test_late_news_of_an_older_attempt_change_nothing(self) -> None:
        both = {**running(2, launched=5), "attempts": [*failed(1)["attempts"], *running(2, launched=5)["attempts"]]}
        run = slot_run(**both)

        assert after(run, seen("RUNNING"), seen("STOPPED", exit_code=1), seen("STOPPED")) == run.status


class TestOrder:
    @pytest.mark.parametrize("first", ["PENDING", "RUNNING", "STOPPED"])
    def test_two_attempts_end_the_same_whatever_comes_first_of_the_second(self, first: str) -> None:
        run = slot_run(**failed(failedAttempts=1, launch=launch(5, number=1)))
        second = [seen(stage, number=2, launched=5, exit_code=7) for stage in ("PENDING", "RUNNING", "STOPPED")]
        begun = next(event for event in second if event.last_status == first)

        status = after(run, begun, *second, policy=Policy(backoff_limit=1))

        assert status == after(run, *second, policy=Policy(backoff_limit=1))
        assert (status.phase, status.reason, status.failed_attempts) == ("Failed", "BackoffLimitExceeded", 2)

    @pytest.mark.parametrize("phase", ["Missed", "Lost"])
    def test_evidence_of_a_failure_after_a_guess_is_tried_again_like_every_failure(self, phase: str) -> None:
        status = after(slot_run(**ended(phase)), seen("STOPPED", exit_code=1))

        assert (status.phase, status.reason) == ("Running", "BackoffRetry")
        assert (status.completion_time, [one.type for one in status.conditions]) == (None, ["Ready", "Reconciling"])

    def test_a_run_that_was_cancelled_before_its_task_was_known_stays_so(self) -> None:
        run = slot_run(**ended("Cancelled"))

        status = after(run, seen("RUNNING"))

        assert status.phase == "Cancelled"
        assert strays(run.model_copy(update={"status": status})) == (arn(1),)
        assert after(run, seen("RUNNING"), seen("STOPPED")).attempts[0].completion_time is not None
