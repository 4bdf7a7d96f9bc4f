"""The slots of schedules: which there were, which have no run, and up to where none is missing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.api.conditions import Condition
from backgroundtask.api.task_status import ScheduleStatus, TaskStatus
from backgroundtask.errors import Busy, Rejected
from backgroundtask.plan import slots
from backgroundtask.plan.identity import AccountedSlots
from backgroundtask.plan.slots import (
    Account,
    Firing,
    account,
    firings,
    firings_after,
    overdue,
    prunable_until,
    refusal,
    slots_between,
    with_cursor,
)
from backgroundtask.plan.status import Paused, Refused, Unchanged

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTELY = (Firing("cron(* * * * ? *)", "UTC"),)
QUEUED = (Firing("cron(* * * * ? *)", "UTC", is_queued=True),)
MINUTE = timedelta(minutes=1)


def status(*schedules: ScheduleStatus, on: bool = True, until: str | None = None) -> TaskStatus:
    scheduled = Condition(
        type="Scheduled",
        status="True" if on else "False",
        reason="Scheduled" if on else "Suspended",
        message="",
        last_transition_time="2026-11-21T12:00:00Z",
        observed_generation=1,
    )
    return TaskStatus(conditions=(scheduled,), schedules=schedules, slots_accounted_until=until)


def schedule(expression: str = "cron(* * * * ? *)", *, queue: bool = False, zone: str = "UTC") -> ScheduleStatus:
    launch: Any = "Queue" if queue else "Direct"
    return ScheduleStatus(name=f"a-{abs(hash(expression))}", expression=expression, time_zone=zone, launch=launch)


def looked(fires: slots.Firings, seconds: float, *runs: int, deadline: int | None = None, **how: Any) -> Account:
    """An account at so many seconds after noon, which is the cursor; `runs` are the minutes that have a run."""
    known = {NOON + minute * MINUTE for minute in runs}
    return account(
        fires,
        since=NOON,
        now=NOON + timedelta(seconds=seconds),
        has_run=known.__contains__,
        deadline=None if deadline is None else timedelta(seconds=deadline),
        **how,
    )


def minutes(account: Account) -> list[int]:
    return [int((slot.time - NOON) / MINUTE) for slot in account.due]


class TestFirings:
    def test_what_fires_is_what_the_status_tells_of_while_it_is_scheduled(self) -> None:
        told = schedule(queue=True)

        assert firings(status(told)) == (Firing(told.expression, "UTC", is_queued=True),)
        assert firings(status(told, on=False)) == ()
        assert firings(TaskStatus()) == ()

    @pytest.mark.parametrize(
        ("configured", "fires", "why"),
        [
            (Unchanged(), True, "nothing was looked at"),
            (Paused(), True, "what is paused goes on"),
            (Refused(Rejected("InvalidSpec", "Edit it.")), True, "the last good schedule goes on"),
            (Refused(Busy("Throttled", "Later.")), True, "nobody knows better"),
            (Refused(Rejected("NamespaceNotAllowed", "No."), switched_off=True), False, "it was switched off"),
        ],
    )
    def test_what_fires_after_a_pass_is_what_it_left_on(self, configured: Any, *, fires: bool, why: str) -> None:
        before = status(schedule())

        assert firings_after(before, configured) == (firings(before) if fires else ()), why

    def test_a_time_that_two_schedules_share_is_one_slot(self) -> None:
        pair = (Firing("cron(0 12 1 * ? *)", "UTC"), Firing("cron(0 12 ? * SUN *)", "UTC"))

        told = list(slots_between(pair, datetime(2026, 10, 30, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC)))

        assert [slot.time.day for slot in told] == [1, 8]  # the first of November is a Sunday

    def test_an_expression_that_somebody_wrote_into_the_status_has_no_slots(self) -> None:
        nonsense = (Firing("cron(nonsense)", "UTC"), Firing("cron(0 12 * * ? *)", "Mars/Olympus"))

        assert list(slots_between(nonsense, NOON, NOON + timedelta(days=9))) == []

    def test_a_rate_has_no_slots_that_anybody_knows(self) -> None:
        assert list(slots_between((Firing("rate(5 minutes)", "UTC"),), NOON, NOON + timedelta(days=1))) == []


class TestAccount:
    @pytest.mark.parametrize(
        ("fires", "deadline", "patience"),
        [(MINUTELY, None, 3000), (MINUTELY, 60, 60), (MINUTELY, 86400, 3000), (QUEUED, None, 120), (QUEUED, 60, 120)],
        ids=["Scheduler tries for 3000 s", "or for the deadline", "and never longer", "a tick takes seconds", "always"],
    )
    def test_a_slot_without_a_run_is_due_once_whoever_launches_has_had_the_time(
        self, fires: slots.Firings, deadline: int | None, patience: int
    ) -> None:
        early = looked(fires, 60 + patience - 1, deadline=deadline)
        late = looked(fires, 60 + patience, deadline=deadline)

        assert (minutes(early), early.until, early.look_at) == ([], NOON, NOON + timedelta(seconds=60 + patience))
        assert (minutes(late), late.until) == ([1], NOON + MINUTE)

    def test_the_cursor_passes_slots_that_have_their_run_and_stops_before_one_that_has_none(self) -> None:
        found = looked(MINUTELY, 300, 1, 2, 4)

        assert found.until == NOON + 2 * MINUTE
        assert found.due == ()

    def test_the_cursor_stays_where_it_is_while_no_slot_passes(self) -> None:
        assert looked(MINUTELY, 59).until == NOON

    def test_before_others_fire_each_slot_is_due_and_the_cursor_comes_to_the_present(self) -> None:
        found = looked(MINUTELY, 150.5, 1, closes=True)

        assert minutes(found) == [2]
        assert (found.until, found.look_at) == (NOON + timedelta(seconds=150), None)

    def test_a_pass_makes_no_more_than_its_share_and_says_that_it_is_behind(self) -> None:
        found = looked(MINUTELY, 86400, closes=True)

        assert minutes(found) == list(range(1, slots.MOST_AT_ONCE + 1))
        assert (found.is_behind, found.until) == (True, NOON + slots.MOST_AT_ONCE * MINUTE)

    def test_a_pass_looks_at_no_more_than_its_share_where_all_is_well(self) -> None:
        found = looked(MINUTELY, 86400, *range(2000))

        assert (found.due, found.is_behind, found.until) == ((), True, NOON + slots.MOST_LOOKED_AT * MINUTE)

    def test_at_the_end_of_a_downtime_all_slots_are_accounted_for_in_turns(self) -> None:
        known: set[datetime] = set()
        since, passes = NOON, 0
        while True:
            found = account(
                QUEUED, since=since, now=NOON + timedelta(hours=3), has_run=known.__contains__, deadline=None
            )
            known |= {slot.time for slot in found.due}
            since, passes = found.until, passes + 1
            if not found.is_behind:
                break

        assert len(known) == 178  # those of the last two minutes have time yet
        assert passes == 9

    @given(
        runs=st.sets(st.integers(1, 120)),
        seconds=st.integers(0, 7200),
        deadline=st.none() | st.integers(60, 604800),
        closes=st.booleans(),
    )
    def test_no_slot_lies_behind_the_cursor_without_a_run(
        self, *, runs: set[int], seconds: int, deadline: int | None, closes: bool
    ) -> None:
        found = looked(MINUTELY, seconds, *runs, deadline=deadline, closes=closes)

        passed = {int((slot.time - NOON) / MINUTE) for slot in slots_between(MINUTELY, NOON, found.until)}
        assert passed <= runs | set(minutes(found))
        assert not runs & set(minutes(found))
        assert NOON <= found.until <= NOON + max(timedelta(seconds=seconds), MINUTE * max(runs, default=0))

    def test_runs_of_slots_to_come_are_accounted_for_as_far_as_none_is_missing(self) -> None:
        found = looked(MINUTELY, 150, 1, 2, 3, 4, 6)

        assert found.until == NOON + 4 * MINUTE, "AWS's clock is ahead of ours"
        assert minutes(found) == []

    @given(runs=st.sets(st.integers(1, 60)), seconds=st.integers(0, 3600))
    def test_a_second_look_finds_nothing_to_make(self, runs: set[int], seconds: int) -> None:
        first = looked(QUEUED, seconds, *runs)

        second = looked(QUEUED, seconds, *runs, *minutes(first))

        if not first.is_behind:
            assert (second.due, second.until) == ((), first.until)


class TestOverdue:
    def count(self, seconds: int, *runs: int, until: str | None = "2026-11-21T12:00:00Z", on: bool = True) -> int:
        known = {NOON + minute * MINUTE for minute in runs}
        told = status(schedule(queue=True), on=on, until=until)
        return overdue(told, now=NOON + timedelta(seconds=seconds), has_run=known.__contains__, deadline=None)

    def test_slots_count_once_their_pass_is_long_past(self) -> None:
        assert self.count(60 + 120 + 300) == 0
        assert self.count(60 + 120 + 301) == 1

    @pytest.mark.parametrize(
        ("how", "why"),
        [
            ({"until": None}, "its schedules were never settled"),
            ({"until": "2026-11-21T13:00:00Z"}, "they are accounted for"),
            ({"on": False}, "nothing fires"),
        ],
    )
    def test_nothing_counts_where_nothing_is_owed(self, how: dict[str, Any], why: str) -> None:
        assert self.count(3600, **how) == 0, why

    def test_slots_with_a_run_do_not_count(self) -> None:
        assert self.count(3600, *range(1, 60)) == 0


@pytest.mark.parametrize(
    ("slot", "uid", "until", "refused"),
    [
        (NOON, "mine", None, False),
        (NOON, "mine", "2026-11-21T11:59:00Z", False),
        (NOON, "another", None, True),
        (NOON, "mine", "2026-11-21T12:00:00Z", True),
        (NOON - timedelta(days=14), "mine", "2026-11-21T12:00:00Z", True),
        (NOON + timedelta(days=3), "mine", None, False),
        (NOON + timedelta(days=400), "mine", None, True),
    ],
    ids=["due", "behind the cursor", "of a namesake", "at the cursor", "long past", "clocks differ", "far future"],
)
def test_a_word_about_a_slot_makes_a_run_but_for_one_that_was_had_and_for_others(
    *, slot: datetime, uid: str, until: str | None, refused: bool
) -> None:
    why = refusal(slot, uid, task_uid="mine", accounted=AccountedSlots(until=until), now=NOON)

    assert (why is not None) == refused


@pytest.mark.parametrize(
    ("minute", "is_had", "why"),
    [
        (-61, True, "no clock is behind by more than an hour"),
        (-59, False, "AWS's clock may be behind ours: the slot was still to come when the schedule was settled"),
        (0, False, "the account begins after it"),
        (1, True, "it was accounted for, so its run was pruned"),
        (10, True, "the last one that was accounted for"),
        (11, False, "nobody has told of it yet"),
    ],
)
def test_slots_had_their_run_from_where_the_account_begins(*, minute: int, is_had: bool, why: str) -> None:
    accounted = AccountedSlots(since="2026-11-21T12:00:00Z", until="2026-11-21T12:10:00Z")

    assert accounted.has(NOON + minute * MINUTE) is is_had, why


@pytest.mark.parametrize(
    ("expression", "on", "after", "until", "why"),
    [
        ("cron(* * * * ? *)", True, 10_000, 59, "the next slot is looked for"),
        ("cron(0 14 * * ? *)", True, 10_000, 6500, "the only slot that is looked for is younger than that"),
        ("cron(0 14 * * ? *)", True, 15_000, 7199, "it is older"),
        ("cron(0 3 * * ? *)", True, 10_000, 6500, "none is looked for, whatever somebody made of the schedule in AWS"),
        ("rate(1 minute)", True, 10_000, 6500, "nobody knows the slots of a rate"),
        ("cron(* * * * ? *)", False, 10_000, 6500, "what was under way when it was suspended is told by then"),
        ("rate(1 minute)", True, 3499, 0, "a tick that comes again would be launched"),
    ],
)
def test_runs_are_pruned_up_to_the_first_slot_that_is_looked_for(
    *, expression: str, on: bool, after: int, until: int, why: str
) -> None:
    told = status(schedule(expression), on=on, until="2026-11-21T12:00:00Z")

    assert prunable_until(told, NOON + timedelta(seconds=after)) == NOON + timedelta(seconds=until), why


def test_where_no_account_is_kept_no_slot_keeps_its_run() -> None:
    assert prunable_until(status(schedule()), NOON) is None


class TestCursor:
    BEFORE = status(schedule(), until="2026-11-21T12:00:00Z")

    def test_it_costs_no_write_of_its_own(self) -> None:
        same = with_cursor(self.BEFORE, self.BEFORE, NOON + MINUTE, is_behind=False)

        assert same == self.BEFORE

    def test_it_goes_with_what_is_written_anyway(self) -> None:
        after = self.BEFORE.model_copy(update={"active_runs": 1})

        told = with_cursor(self.BEFORE, after, NOON + MINUTE, is_behind=False)

        assert told.slots_accounted_until == "2026-11-21T12:01:00Z"

    def test_a_long_way_is_kept(self) -> None:
        told = with_cursor(self.BEFORE, self.BEFORE, NOON + MINUTE, is_behind=True)

        assert told.slots_accounted_until == "2026-11-21T12:01:00Z"

    def test_it_stays_where_nothing_was_accounted(self) -> None:
        after = self.BEFORE.model_copy(update={"active_runs": 1})

        assert with_cursor(self.BEFORE, after, None, is_behind=False) == after
