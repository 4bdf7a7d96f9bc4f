"""What of a status is written: what the API server holds otherwise, and nothing of a newer operator's."""

from typing import Any

import pytest

from backgroundtask.api.task_status import TaskStatus
from backgroundtask.controller.statuses import difference, write_status
from backgroundtask.errors import Busy
from backgroundtask.kube.resource import TASKS
from fixtures.fake_world import settled


@pytest.mark.parametrize(
    ("stored", "patch", "why"),
    [
        ({"observedGeneration": 1, "activeRuns": 0}, {}, "nothing differs"),
        ({"observedGeneration": 1}, {"activeRuns": 0}, "a default that nobody has written is no value yet"),
        ({"observedGeneration": 1, "activeRuns": "x"}, {"activeRuns": 0}, "what cannot be read is written anew"),
        ({"observedGeneration": 0, "activeRuns": 0}, {"observedGeneration": 1}, "it differs"),
        (
            {"observedGeneration": 1, "activeRuns": 0, "nextScheduleTime": "2026-11-22T03:00:00Z"},
            {"nextScheduleTime": None},
            "what is no more is removed",
        ),
        ({"observedGeneration": 1, "activeRuns": 0, "invented": "later"}, {}, "a newer operator's member stays"),
    ],
)
def test_a_status_is_written_where_it_differs(stored: dict[str, Any], patch: dict[str, Any], why: str) -> None:
    assert difference(stored, TaskStatus(observed_generation=1)) == patch, why


def test_what_was_decided_on_an_older_state_is_not_written_over_a_newer_one() -> None:
    world = settled()
    assert world.process is not None
    seen = world.task()
    world.annotate(paused="true")
    newer = world.task()

    with pytest.raises(Busy, match="at the same time"):
        write_status(world.process.context, TASKS, seen, TaskStatus(observed_generation=99))

    assert world.task() == newer
