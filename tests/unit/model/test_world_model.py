"""Whatever users, AWS, the queue and crashes do in whatever order: the operator keeps its promises, and comes to rest.

What hypothesis finds it prints as a program. `operations` says what happens to tasks and their schedules,
`run_operations` what happens to runs besides.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from fixtures.fake_account import family_of
from unit.model.operations import TaskOperations
from unit.model.run_operations import RunOperations

_ODD = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
_TIMES = int(os.environ.get("MODEL_TIMES", "1"))  # how much longer it is to be played than for each change


def test_the_names_of_the_strangers_are_not_ours() -> None:
    machine = TaskOperations()

    machine.begin("Scheduler")

    assert [family_of(arn) for arn in machine.strangers["revisions"]] == [
        "bgt_other_reports_nightly",
        "somebodys-web-server",
        "bgt_test_reports_shadowed",
    ]
    assert len(machine.strangers["schedules"]) == 1
    machine.teardown()


TestTaskOperations = TaskOperations.TestCase
TestTaskOperations.settings = settings(
    max_examples=30 * _TIMES, stateful_step_count=30, deadline=None, suppress_health_check=_ODD
)
TestTaskOperations = pytest.mark.timeout(240 * _TIMES)(TestTaskOperations)

TestRunOperations = RunOperations.TestCase
TestRunOperations.settings = settings(
    max_examples=25 * _TIMES, stateful_step_count=50, deadline=None, suppress_health_check=_ODD
)
TestRunOperations = pytest.mark.timeout(240 * _TIMES)(TestRunOperations)
