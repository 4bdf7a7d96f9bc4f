"""Who hears what of a run: its task which runs there were, as a CronJob; the run what became of it, as a Job."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.controller.announcements import Announcements
from backgroundtask.controller.context import Context
from fixtures.fake_process import Teller
from fixtures.objects import TASK_UID, run

TASK, RUN = "backgroundtasks nightly", "backgroundtaskruns nightly-1"
ENDED = {"taskArn": "arn:1", "completionTime": "2026-11-21T03:02:00Z"}
LAUNCH = {"number": 0, "token": "t", "time": "2026-11-21T03:00:00Z", "request": "{}"}


def told(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The Events of a run whose status becomes another: about what, of which type, for which reason."""
    teller = Teller()
    task = ObjectMeta(name="nightly", namespace="reports", uid=TASK_UID)
    announcements = Announcements(cast("Context", SimpleNamespace(recorder=teller)), task)

    announcements.changed(run(name="nightly-1", **before), run(name="nightly-1", **after).status)

    return [(one.about, one.type, one.reason) for one in teller.told]


@pytest.mark.parametrize(
    ("end", "events"),
    [
        ({"phase": "Succeeded", "reason": "Succeeded"}, [(TASK, "Normal", "SawCompletedJob")]),
        (
            {"phase": "Failed", "reason": "OutOfMemory"},
            [(TASK, "Warning", "SawCompletedJob"), (RUN, "Warning", "OutOfMemory")],
        ),
        (
            {"phase": "Lost", "reason": "TaskForgotten"},
            [(TASK, "Warning", "SawCompletedJob"), (RUN, "Warning", "TaskForgotten")],
        ),
        (
            {"phase": "Cancelled", "reason": "Replaced"},
            [(TASK, "Normal", "SawCompletedJob"), (RUN, "Normal", "Replaced")],
        ),
        ({"phase": "Skipped", "reason": "JobAlreadyActive"}, [(TASK, "Normal", "JobAlreadyActive")]),
        ({"phase": "Missed", "reason": "MissSchedule"}, [(TASK, "Warning", "MissSchedule")]),
    ],
    ids=lambda value: value.get("phase") if isinstance(value, dict) else "",
)
def test_an_end_is_told_on_the_task_and_a_bad_one_on_its_run_too(
    end: dict[str, str], events: list[tuple[str, str, str]]
) -> None:
    assert told({"phase": "Launching"}, {**end, "message": "m", **ENDED}) == events


@pytest.mark.parametrize(
    ("after", "event"),
    [
        (
            {"reason": "CapacityUnavailable", "launchFailures": 1, "launch": {**LAUNCH, "refused": True}},
            (RUN, "Warning", "FailedCreate"),
        ),
        (
            {"reason": "BackoffRetry", "launchFailures": 1, "attempts": [{**ENDED, "reason": "SpotInterruption"}]},
            (RUN, "Warning", "BackoffRetry"),
        ),
        (
            {"reason": "BackoffRetry", "failedAttempts": 1, "attempts": [{**ENDED, "reason": "NonZeroExitCode"}]},
            (RUN, "Warning", "BackoffRetry"),
        ),
        ({"stop": {"reason": "Cancelled", "time": "2026-11-21T03:02:00Z"}}, (RUN, "Normal", "Stopping")),
    ],
    ids=["refused", "interrupted", "failed", "stopped"],
)
def test_what_happens_to_a_run_before_its_end_is_told_on_the_run(
    after: dict[str, Any], event: tuple[str, str, str]
) -> None:
    assert told({"phase": "Launching"}, {"phase": "Launching", "message": "m", **after}) == [event]


def test_a_status_that_says_no_more_than_before_is_no_news() -> None:
    known = {"phase": "Failed", "reason": "OutOfMemory", **ENDED}

    assert told(known, {**known, "message": "more is known"}) == []
