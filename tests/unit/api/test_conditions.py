"""Conditions: what they mean to kstatus, and that a steady world leaves them alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.api import conditions
from backgroundtask.api.conditions import Condition, Verdict
from backgroundtask.api.task_status import TaskStatus
from fixtures.admission import completed
from fixtures.api_cases import task
from fixtures.kstatus import kstatus

MONDAY = "2026-11-30T03:00:00Z"
TUESDAY = "2026-12-01T03:00:00Z"

SAYINGS = {"ready": conditions.ready, "reconciling": conditions.reconciling, "stalled": conditions.stalled}


def settled(*verdicts: Verdict, previous: tuple[Condition, ...] = (), now: str = MONDAY) -> tuple[Condition, ...]:
    return conditions.settle(previous, verdicts, generation=3, now=now)


def with_status(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    obj = task()
    return {**obj, "metadata": {**obj["metadata"], "generation": 3, **metadata}, "status": status}


def verdict_of(found: tuple[Condition, ...], *, observed: int = 3, **metadata: Any) -> str:
    status = TaskStatus(observed_generation=observed, conditions=found)
    return kstatus(with_status(status.wire(), **metadata))


@pytest.mark.parametrize(
    ("say", "verdict"), [("ready", "Current"), ("reconciling", "InProgress"), ("stalled", "Failed")]
)
def test_kstatus_understands_what_a_reconcile_says(say: str, verdict: str) -> None:
    found = settled(*SAYINGS[say]("Reason", "A sentence."))

    assert verdict_of(found) == verdict


@pytest.mark.parametrize("before", SAYINGS)
@pytest.mark.parametrize(
    ("say", "verdict"), [("ready", "Current"), ("reconciling", "InProgress"), ("stalled", "Failed")]
)
def test_the_latest_saying_counts_whatever_was_said_before(before: str, say: str, verdict: str) -> None:
    earlier = settled(*SAYINGS[before]("Before", "Earlier."))

    found = settled(*SAYINGS[say]("Reason", "A sentence."), previous=earlier)

    assert verdict_of(found) == verdict


def test_a_new_object_is_in_progress_before_anyone_looked_at_it() -> None:
    created = completed(task())
    created["metadata"] = {**created["metadata"], "generation": 1}

    assert kstatus(created) == "InProgress"


def test_an_edited_object_is_in_progress_until_its_generation_was_looked_at() -> None:
    found = settled(*conditions.ready("Reason", "A sentence."))

    assert verdict_of(found, observed=2) == "InProgress"


def test_a_deleted_object_is_terminating() -> None:
    found = settled(*conditions.stalled("Reason", "A sentence."))

    assert verdict_of(found, deletionTimestamp=MONDAY) == "Terminating"


def test_a_failed_run_does_not_make_the_task_fail() -> None:
    found = settled(
        *conditions.ready("Reason", "A sentence."),
        Verdict(conditions.LAST_RUN_SUCCEEDED, "False", "Failed", "Exit code 1."),
    )

    assert verdict_of(found) == "Current"


@pytest.mark.parametrize("say", SAYINGS)
def test_reconciling_and_stalled_are_present_only_while_true(say: str) -> None:
    found = settled(*SAYINGS[say]("Reason", "A sentence."))

    assert all(c.status == "True" for c in found if c.type in {"Reconciling", "Stalled"})


def test_the_time_of_a_condition_is_that_of_its_status() -> None:
    before = settled(*conditions.ready("Created", "It is there."))

    after = settled(*conditions.ready("Updated", "It is there again."), previous=before, now=TUESDAY)

    assert [(c.reason, c.last_transition_time) for c in after] == [("Updated", MONDAY)]


def test_a_changed_status_takes_the_present_time() -> None:
    before = settled(*conditions.ready("Created", "It is there."))

    after = settled(*conditions.stalled("Invalid", "It cannot be."), previous=before, now=TUESDAY)

    assert {c.type: c.last_transition_time for c in after} == {"Ready": TUESDAY, "Stalled": TUESDAY}


def test_a_condition_that_nobody_speaks_of_stays_as_it_is() -> None:
    before = settled(Verdict(conditions.LAST_RUN_SUCCEEDED, "True", "Succeeded", "Exit code 0."))

    after = settled(*conditions.ready("Reason", "A sentence."), previous=before, now=TUESDAY)

    assert conditions.find(after, conditions.LAST_RUN_SUCCEEDED) == before[0]


def test_there_is_nothing_to_find_where_nothing_was_said() -> None:
    assert conditions.find((), conditions.READY) is None


verdicts = st.builds(
    Verdict,
    type=st.sampled_from(["Ready", "Reconciling", "Stalled", "Scheduled", "LastRunSucceeded"]),
    status=st.sampled_from(["True", "False", "Unknown"]),
    reason=st.sampled_from(["One", "Two"]),
    message=st.text(max_size=20),
)


@given(said=st.lists(verdicts, max_size=6), previous=st.lists(verdicts, max_size=6))
def test_saying_the_same_again_changes_nothing_at_all(said: list[Verdict], previous: list[Verdict]) -> None:
    once = settled(*said, previous=settled(*previous))

    twice = settled(*said, previous=once, now=TUESDAY)

    assert twice == once


@given(said=st.lists(verdicts, max_size=6))
def test_conditions_are_sorted_and_have_different_types(said: list[Verdict]) -> None:
    types = [condition.type for condition in settled(*said)]

    assert types == sorted(set(types))


def test_a_message_is_cut_to_what_the_schema_takes_and_stays_on_one_line() -> None:
    (found,) = settled(Verdict("Scheduled", "False", "Broken", "line\nbreak" + "x" * 5000))

    assert found.message.startswith("line break")
    assert len(found.message) == 4096
    assert found.message.endswith("…")
