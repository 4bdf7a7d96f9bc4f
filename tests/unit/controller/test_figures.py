"""What Prometheus is told of single tasks: nothing unasked, and nothing of what is gone."""

from __future__ import annotations

from typing import Any

import pytest

from backgroundtask.api.task_status import TaskStatus
from backgroundtask.controller.figures import Figures
from fixtures.fake_world import World
from fixtures.objects import run

READY = {"type": "Ready", "reason": "Reconciled", "message": "m", "lastTransitionTime": "2026-11-21T00:00:00Z"}


def status(*, ready: str = "True", **members: Any) -> TaskStatus:
    return TaskStatus.model_validate({"conditions": [{**READY, "status": ready}], **members})


def samples(figures: Figures) -> dict[tuple[str, ...], float]:
    return {(one.name, *one.labels.values()): one.value for family in figures.collect() for one in family.samples}


def named(figures: Figures) -> dict[tuple[str, ...], float]:
    return {key: value for key, value in samples(figures).items() if key[0].startswith("bgt_task_")}


@pytest.fixture
def figures() -> Figures:
    figures = Figures()
    figures.name_tasks()
    return figures


def test_active_runs_are_those_that_have_not_ended_over_all_tasks() -> None:
    figures = Figures()

    figures.saw("reports", "nightly", status(), [run(phase="Running"), run(phase="Pending"), run(phase="Failed")])
    figures.saw("sales", "weekly", status(), [run(phase="Running"), run()])

    active = {key[1]: value for key, value in samples(figures).items() if key[0] == "bgt_runs_active"}
    assert active == {"Pending": 2, "Launching": 0, "Running": 2}


def test_no_task_is_named_unless_somebody_asked() -> None:
    figures = Figures()

    figures.saw("reports", "nightly", status(lastSuccessfulTime="2026-11-21T03:00:00Z"), [])
    figures.ended("reports", "nightly", "Succeeded")

    assert named(figures) == {}


def test_a_task_tells_its_times_whether_it_is_ready_and_how_its_runs_ended(figures: Figures) -> None:
    times = {"lastSuccessfulTime": "1970-01-01T00:01:00Z", "nextScheduleTime": "1970-01-01T00:03:00Z"}

    figures.saw("reports", "nightly", status(**times, lastFailureTime="1970-01-01T00:02:00Z"), [])
    figures.ended("reports", "nightly", "Failed")
    figures.ended("reports", "nightly", "Failed")

    assert named(figures) == {
        ("bgt_task_last_success_timestamp_seconds", "reports", "nightly"): 60,
        ("bgt_task_last_failure_timestamp_seconds", "reports", "nightly"): 120,
        ("bgt_task_next_run_timestamp_seconds", "reports", "nightly"): 180,
        ("bgt_task_ready", "reports", "nightly"): 1,
        ("bgt_task_runs_total", "reports", "nightly", "Failed"): 2,
    }


@pytest.mark.parametrize("ready", ["False", "Unknown"])
def test_a_task_that_is_not_known_to_be_ready_is_not(figures: Figures, ready: str) -> None:
    figures.saw("reports", "nightly", status(ready=ready), [])

    assert named(figures) == {("bgt_task_ready", "reports", "nightly"): 0}


def test_a_time_that_the_task_no_longer_has_is_no_longer_told(figures: Figures) -> None:
    figures.saw("reports", "nightly", status(nextScheduleTime="2026-11-22T03:00:00Z"), [])

    figures.saw("reports", "nightly", status(), [])

    assert ("bgt_task_next_run_timestamp_seconds", "reports", "nightly") not in named(figures)


def test_nothing_is_left_of_a_task_that_is_gone(figures: Figures) -> None:
    figures.saw("reports", "nightly", status(), [run(phase="Running")])
    figures.ended("reports", "nightly", "Succeeded")

    figures.forget("reports", "nightly")

    assert named(figures) == {}
    assert set(samples(figures).values()) == {0}


def test_the_reconciler_tells_of_its_tasks_until_they_are_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = Figures()
    figures.name_tasks()
    for module in ("tasks", "task_pass"):
        monkeypatch.setattr(f"backgroundtask.controller.{module}.FIGURES", figures)
    world.annotate(reconcile_requested_at="now")
    world.pass_time(1)
    assert named(figures)["bgt_task_ready", "reports", "nightly"] == 1

    world.delete()
    world.pass_time(1)

    assert named(figures) == {}
