"""How runs are counted: once a transition, by words of ours, and as people mean success, latency and duration."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from backgroundtask.api.parsing import parse_run
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.aws.refusals import REFUSALS
from backgroundtask.controller import run_metrics
from backgroundtask.errors import Rejected
from backgroundtask.plan import outcome
from fixtures.objects import run_object

SLOT, START, END = "2026-11-21T03:00:00Z", "2026-11-21T03:00:40Z", "2026-11-21T03:10:40Z"


def run(*, trigger: str = "schedule", created: str = "2026-11-21T03:00:02Z", **status: Any) -> BackgroundTaskRun:
    body = run_object(slot=SLOT, **status)
    body["metadata"] |= {"labels": {"bgtask.dev/trigger": trigger}, "creationTimestamp": created}
    return parse_run(body)


def value(name: str, **labels: str) -> float:
    return run_metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def becomes(before: BackgroundTaskRun, **status: Any) -> None:
    run_metrics.changed(before, run(**status).status)


@pytest.mark.parametrize(
    ("phase", "reason", "class_", "why"),
    [
        ("Succeeded", "Succeeded", "Success", "a good end has one class"),
        ("Failed", "NonZeroExitCode", "Application", "its own code says that it failed"),
        ("Failed", "OutOfMemory", "Application", "its spec has too little memory"),
        ("Failed", "ImagePullFailed", "Configuration", "somebody named an image that is not there"),
        ("Failed", "LimitExceeded", "Configuration", "the template does not allow it"),
        ("Failed", "CapacityUnavailable", "Platform", "AWS has none"),
        ("Failed", "DeadlineExceeded", "Deadline", "it took too long"),
        ("Failed", "Stopped", "Stopped", "a person did it"),
        ("Failed", "ReasonOfTheFuture", "Other", "no reason is taken for another"),
        ("Failed", None, "Other", "no reason is no reason to fail"),
        ("Cancelled", "Cancelled", "Stopped", "a person did it"),
        ("Skipped", "JobAlreadyActive", "Policy", "as the spec asks"),
        ("Missed", "MissSchedule", "Missed", "nothing ran"),
        ("Lost", "Lost", "Lost", "nobody knows"),
    ],
)
def test_an_end_is_counted_by_who_has_to_look(phase: str, reason: str | None, class_: str, why: str) -> None:
    labels = {"phase": phase, "class": class_, "trigger": "schedule"}
    before = value("bgt_runs_total", **labels)

    becomes(run(phase="Running"), phase=phase, **({"reason": reason} if reason else {}))

    assert value("bgt_runs_total", **labels) == before + 1, why


@pytest.mark.parametrize(
    ("attempt", "class_"),
    [("ImagePullFailed", "Configuration"), ("NonZeroExitCode", "Application"), (None, "Application")],
)
def test_a_run_that_was_tried_too_often_is_counted_by_what_its_last_attempt_failed_of(
    attempt: str | None, class_: str
) -> None:
    labels = {"phase": "Failed", "class": class_, "trigger": "schedule"}
    attempts = [{"taskArn": "arn:1", **({"reason": attempt} if attempt else {})}]
    before = value("bgt_runs_total", **labels)

    becomes(run(phase="Running"), phase="Failed", reason="BackoffLimitExceeded", taskArn="arn:1", attempts=attempts)

    assert value("bgt_runs_total", **labels) == before + 1


def test_what_changes_no_phase_counts_nothing() -> None:
    before = value("bgt_runs_total", phase="Failed", trigger="schedule", **{"class": "Application"})
    ended = run(phase="Failed", reason="NonZeroExitCode", startTime=START, completionTime=END)

    becomes(
        ended, phase="Failed", reason="NonZeroExitCode", startTime=START, completionTime=END, message="more is known"
    )

    assert value("bgt_runs_total", phase="Failed", trigger="schedule", **{"class": "Application"}) == before


@pytest.mark.parametrize("phase", ["Missed", "Lost"])
def test_what_turns_out_to_have_run_after_all_is_counted_as_that_too(phase: str) -> None:
    labels = {"phase": "Succeeded", "class": "Success", "trigger": "schedule"}
    before = value("bgt_runs_total", **labels)

    becomes(run(phase=phase, completionTime=START), phase="Succeeded", startTime=START, completionTime=END)

    assert value("bgt_runs_total", **labels) == before + 1


@pytest.mark.parametrize(
    ("trigger", "seconds", "why"),
    [
        ("schedule", 40, "from the slot"),
        ("manual", 38, "from when it was asked for, whatever time its author wrote into it"),
        ("other", 38, "a label that we do not know is somebody's text"),
    ],
)
def test_latency_is_counted_from_the_moment_that_people_wait_from(trigger: str, seconds: float, why: str) -> None:
    told = "nobody's business" if trigger == "other" else trigger
    before = value("bgt_run_start_latency_seconds_sum", trigger=trigger)

    becomes(run(trigger=told, phase="Launching"), phase="Running", startTime=START)

    assert value("bgt_run_start_latency_seconds_sum", trigger=trigger) == before + seconds, why


def test_only_the_first_start_of_a_run_that_is_tried_again_has_a_latency() -> None:
    before = value("bgt_run_start_latency_seconds_count", trigger="schedule")

    becomes(run(phase="Running", failedAttempts=1), phase="Running", failedAttempts=1, startTime=END)
    becomes(run(phase="Running", startTime=START), phase="Running", startTime=END)

    assert value("bgt_run_start_latency_seconds_count", trigger="schedule") == before


def test_a_clock_that_runs_ahead_makes_no_negative_latency() -> None:
    before = value("bgt_run_start_latency_seconds_sum", trigger="schedule")

    becomes(run(phase="Launching"), phase="Running", startTime="2026-11-21T02:59:59Z")

    assert value("bgt_run_start_latency_seconds_sum", trigger="schedule") == before


def test_duration_is_that_of_what_ran() -> None:
    before = value("bgt_run_duration_seconds_sum", phase="Succeeded")
    skipped = value("bgt_run_duration_seconds_count", phase="Skipped")

    becomes(run(phase="Running", startTime=START), phase="Succeeded", startTime=START, completionTime=END)
    becomes(run(phase="Pending"), phase="Skipped", reason="Suspended", completionTime=END)

    assert value("bgt_run_duration_seconds_sum", phase="Succeeded") == before + 600
    assert value("bgt_run_duration_seconds_count", phase="Skipped") == skipped


@pytest.mark.parametrize(
    ("metric", "phase", "reason"),
    [("bgt_runs_skipped_total", "Skipped", "JobAlreadyActive"), ("bgt_runs_missed_total", "Missed", "MissSchedule")],
)
def test_what_did_not_run_is_counted_by_reason(metric: str, phase: str, reason: str) -> None:
    before = value(metric, reason=reason)

    becomes(run(phase="Pending"), phase=phase, reason=reason, completionTime=END)

    assert value(metric, reason=reason) == before + 1


def test_each_launch_that_aws_refuses_is_counted_once() -> None:
    before = value("bgt_launch_failures_total", reason="CapacityUnavailable")
    refused = {"phase": "Launching", "reason": "CapacityUnavailable"}

    becomes(run(phase="Launching"), **refused, launchFailures=1)
    becomes(run(**refused, launchFailures=1), **refused, launchFailures=1, retryTime=END)
    becomes(run(**refused, launchFailures=1), **refused, launchFailures=2)
    becomes(run(**refused, launchFailures=2), phase="Running", startTime=START)

    assert value("bgt_launch_failures_total", reason="CapacityUnavailable") == before + 2


@pytest.mark.parametrize("reason", ["SpotInterruption", "NetworkUnavailable"])
def test_a_launch_that_aws_took_and_did_not_keep_is_counted_by_what_became_of_its_task(reason: str) -> None:
    before = [value("bgt_launch_failures_total", reason=one) for one in (reason, "BackoffRetry")]
    attempt = {"taskArn": "arn:1", "completionTime": END, "reason": reason}
    again = {"phase": "Launching", "reason": "BackoffRetry", "taskArn": "arn:1", "attempts": [attempt]}

    becomes(run(phase="Launching"), **again, launchFailures=1)

    after = [value("bgt_launch_failures_total", reason=one) for one in (reason, "BackoffRetry")]
    assert after == [before[0] + 1, before[1]]


def test_a_refused_launch_is_counted_by_what_aws_said_whatever_became_of_the_task_before() -> None:
    before = value("bgt_launch_failures_total", reason="CapacityUnavailable")
    attempt = {"taskArn": "arn:1", "completionTime": END, "reason": "NonZeroExitCode"}
    launch = {"number": 1, "token": "t", "time": END, "request": "{}", "refused": True}
    known = {"phase": "Running", "taskArn": "arn:1", "attempts": [attempt], "launch": launch}

    becomes(run(**known), **known, reason="CapacityUnavailable", launchFailures=1)

    assert value("bgt_launch_failures_total", reason="CapacityUnavailable") == before + 1


def test_a_flood_of_reasons_becomes_one() -> None:
    for number in range(100):
        becomes(run(phase="Launching"), phase="Launching", reason=f"Reason{number}", launchFailures=1)

    labels = {
        sample.labels["reason"]
        for family in run_metrics.LAUNCH_FAILURES.collect()
        for sample in family.samples
    }  # fmt: skip
    assert len(labels) <= 41
    assert "Other" in labels


def test_what_can_happen_is_counted_from_0_so_that_alerts_see_the_first() -> None:
    for name, labels in [
        ("bgt_runs_total", {"phase": "Lost", "class": "Lost", "trigger": "schedule"}),
        ("bgt_runs_missed_total", {"reason": "MissSchedule"}),
        ("bgt_runs_skipped_total", {"reason": "JobAlreadyActive"}),
        ("bgt_launch_failures_total", {"reason": "CapacityUnavailable"}),
    ]:
        assert run_metrics.REGISTRY.get_sample_value(name, labels) is not None, name


def refusals_of_runs() -> set[str]:
    """The reasons with which a run is refused, as they stand in the checks, and those with which ECS refuses it."""
    folder = Path(run_metrics.__file__).parents[1] / "plan"
    trees = [
        ast.parse((folder / name).read_text(encoding="utf-8")) for name in ("allowance.py", "checks.py", "offers.py")
    ]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    raised = [one for one in calls if isinstance(one.func, ast.Name) and one.func.id == "Rejected" and one.args]
    told = {one.args[0].value for one in raised if isinstance(one.args[0], ast.Constant)}
    launching = {
        row.reason for row in REFUSALS if row.kind is Rejected and row.operations and "RunTask" in row.operations
    }
    return {str(reason) for reason in told | launching}


def test_whoever_is_refused_has_to_look_at_what_was_written() -> None:
    reasons = refusals_of_runs()

    assert {"LimitExceeded", "ImageNotAllowed", "UnknownItem"} <= reasons
    assert {reason: run_metrics.class_of("Failed", reason) for reason in reasons} == dict.fromkeys(
        reasons, "Configuration"
    )


def test_every_way_a_task_can_end_has_a_class() -> None:
    causes = {name for _, name in outcome._CAUSES}  # noqa: SLF001 - the whole table is meant

    assert [one for one in sorted(causes) if run_metrics.class_of("Failed", one) == "Other"] == []
