"""Which run is meant: by its name, and by what an ECS task says of itself."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.plan.identity import RunOf, index_of, is_awaited, is_of, run_of, slot_of_run, unit_of
from fixtures.objects import TASK_UID
from fixtures.runs import SLOT, asked_run, made_run, seen, slot_run

NAME = slot_run().metadata.name
LAUNCHED = {"run": "by-hand", "run_uid": "uid-of-by-hand"}


@pytest.mark.parametrize(
    ("said", "expected", "why"),
    [
        ({}, RunOf(name=NAME, uid=None, slot=SLOT), "a schedule's task says its slot"),
        (LAUNCHED, RunOf(name="by-hand", uid="uid-of-by-hand", slot=SLOT), "its own name goes before the slot"),
        ({**LAUNCHED, "slot": None}, RunOf(name="by-hand", uid="uid-of-by-hand", slot=None), "not all have a slot"),
        ({"run": "by-hand", "run_uid": None}, None, "a name without the UID could be that of a run that is gone"),
        ({"slot": None}, None, "it says nothing"),
    ],
)
def test_a_task_says_of_which_run_it_is(said: dict[str, Any], expected: RunOf | None, why: str) -> None:
    assert run_of(replace(seen(), **said), "nightly") == expected, why


@pytest.mark.parametrize(
    ("run", "said", "is_its", "why"),
    [
        (slot_run(), {}, True, "the slot is its own"),
        (slot_run(1), {}, False, "another slot"),
        (made_run(), LAUNCHED, True, "the operator launched it for this run"),
        (made_run(), {**LAUNCHED, "run_uid": "of-one-that-was-deleted"}, False, "the run has been made anew since"),
        (slot_run(), {"uid": "another task"}, False, "a task of the same name that was deleted"),
        (slot_run(item="a", index=0), {}, False, "the slot alone names no item"),
        (
            slot_run(item="a", index=0),
            {"run": f"{NAME}-0", "run_uid": f"uid-of-{NAME}-0"},
            True,
            "an item's task names its run",
        ),
    ],
)
def test_a_task_is_of_a_run_if_it_says_so_by_name_and_uid(
    *,
    run: BackgroundTaskRun,
    said: dict[str, Any],
    is_its: bool,
    why: str,
) -> None:
    assert is_of(replace(seen(), **said), run, TASK_UID) is is_its, why


@pytest.mark.parametrize(
    ("run", "has_slot", "awaited", "why"),
    [
        (slot_run(), True, False, "a tick's"),
        (slot_run(queue=False), True, True, "the schedule launches it"),
        (slot_run(item="a", index=7), True, False, "an item of a slot"),
        (asked_run(), False, False, "somebody asked"),
        (made_run(), False, False, "somebody made it"),
        (made_run(spec={"scheduledTime": "2026-11-21T03:00:00Z"}), False, False, "its name is not the slot's"),
        (made_run(NAME, spec={"scheduledTime": "2026-11-21T03:00:00Z"}), True, True, "whoever made it, it is the lock"),
        (made_run(NAME), False, False, "it has the slot's name and no time"),
        (made_run(f"{NAME}-0", spec={"scheduledTime": "2026-11-21T03:00:00Z"}), False, False, "an item without item"),
    ],
)
def test_a_run_is_of_a_slot_by_its_name_and_its_time(
    *,
    run: BackgroundTaskRun,
    has_slot: bool,
    awaited: bool,
    why: str,
) -> None:
    assert (slot_of_run(run) is not None) is has_slot, why
    assert is_awaited(run) is awaited, why


def test_the_slot_of_a_run_is_to_the_second() -> None:
    at = SLOT + timedelta(seconds=30)

    run = made_run(NAME, spec={"scheduledTime": "2026-11-21T03:00:30Z"})

    assert slot_of_run(run) == at


@pytest.mark.parametrize(
    ("run", "unit", "index"),
    [
        (slot_run(), NAME, None),
        (slot_run(item="a", index=12), f"{NAME}-*", 12),
        (asked_run(item="a", index=0), f"{asked_run().metadata.name}-*", 0),
        (made_run("by-hand-3", spec={"item": "a"}), "by-hand-3", None),
    ],
)
def test_items_of_one_slot_or_request_are_one_unit(run: BackgroundTaskRun, unit: str, index: int | None) -> None:
    assert (unit_of(run), index_of(run)) == (unit, index)
