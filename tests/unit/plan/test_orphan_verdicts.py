"""When an orphan is told and when it is taken: laws over any history of sightings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.plan.names import Owner, owner_of_mark
from backgroundtask.plan.observed import Found, Observed, Revision
from backgroundtask.plan.orphans import Verdict, is_retained, judge, retention
from backgroundtask.plan.schedule import Schedule

GRACE = 600.0
OWNERS = [Owner("prod", "reports", f"task-{number}") for number in range(6)]
NIGHTLY = Owner("prod", "reports", "nightly")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

histories = st.lists(
    st.tuples(st.floats(0, 1500), st.frozensets(st.sampled_from(OWNERS)), st.integers(0, 100)), min_size=1, max_size=8
)
"""Sightings: seconds since the last one, what is orphaned, how many owners there are."""


def judged(history: list[tuple[float, frozenset[Owner], int]]) -> list[tuple[float, frozenset[Owner], Verdict]]:
    now, since, verdicts = 0.0, dict[Owner, float](), []
    for passed, orphans, owners in history:
        now += passed
        verdict = judge(orphans, owners=max(owners, len(orphans)), before=since, now=now, grace=GRACE)
        verdicts.append((now, orphans, verdict))
        since = dict(verdict.since)
    return verdicts


@given(histories)
def test_only_what_is_an_orphan_now_and_was_a_believed_one_all_the_time_since_the_grace_began_is_taken(
    history: list[tuple[float, frozenset[Owner], int]],
) -> None:
    verdicts = judged(history)

    for at, (now, orphans, verdict) in enumerate(verdicts):
        for owner in verdict.take:
            assert owner in orphans
            unbroken = []
            for then, seen, before in reversed(verdicts[: at + 1]):
                if owner not in seen or before.is_over_cap:
                    break
                unbroken.append(then)
            assert len(unbroken) >= 2
            assert now - unbroken[-1] >= GRACE


@given(histories)
def test_whatever_is_taken_was_told_at_an_earlier_sighting_and_nothing_is_told_twice_in_a_row(
    history: list[tuple[float, frozenset[Owner], int]],
) -> None:
    told: set[Owner] = set()
    for _, orphans, verdict in judged(history):
        assert set(verdict.take) <= told
        assert told.isdisjoint(verdict.report)
        told = (told | set(verdict.report)) & orphans
        assert told == orphans


@given(histories)
def test_never_more_than_the_cap_is_taken_and_above_it_nothing(
    history: list[tuple[float, frozenset[Owner], int]],
) -> None:
    for _, orphans, verdict in judged(history):
        assert verdict.cap >= 1
        assert len(verdict.take) <= verdict.cap
        assert verdict.is_over_cap is (len(orphans) > verdict.cap)
        assert not (verdict.is_over_cap and verdict.take)


@pytest.mark.parametrize(
    ("orphans", "owners", "taken", "why"),
    [
        (1, 1, 1, "one may always be taken"),
        (2, 9, 0, "two of nine are more than a fifth"),
        (2, 10, 2, "two of ten are not"),
        (6, 29, 0, "six of twenty-nine are more than a fifth"),
        (6, 30, 6, "six of thirty are not"),
        (0, 0, 0, "nothing is there"),
    ],
)
def test_a_fifth_of_all_owners_is_believed(orphans: int, owners: int, taken: int, why: str) -> None:
    seen = frozenset(OWNERS[:orphans])
    before: Mapping[Owner, float] = dict.fromkeys(seen, 0.0)

    verdict = judge(seen, owners=owners, before=before, now=GRACE, grace=GRACE)

    assert len(verdict.take) == taken, why


def test_what_was_too_much_to_be_believed_has_to_be_seen_twice_once_it_is_less() -> None:
    """Objects that are being restored come one by one: those that come last are no orphans either."""
    since: Mapping[Owner, float] = {}
    taken = []
    for sighting, missing in enumerate([6, 6, 2, 2]):
        verdict = judge(frozenset(OWNERS[:missing]), owners=10, before=since, now=sighting * GRACE, grace=GRACE)
        since = verdict.since
        taken.append(len(verdict.take))

    assert taken == [0, 0, 0, 2]


def test_without_a_grace_it_still_takes_two_sightings() -> None:
    first = judge(frozenset(OWNERS[:1]), owners=10, before={}, now=5.0, grace=0.0)
    second = judge(frozenset(OWNERS[:1]), owners=10, before=first.since, now=5.0, grace=0.0)

    assert (first.take, second.take) == ((), (OWNERS[0],))


def held(*, mark: str | None, retained: bool = False) -> Observed:
    schedule = Schedule(
        name="s",
        group="g",
        expression="rate(1 day)",
        time_zone="UTC",
        enabled=True,
        request={},
        role="r",
        dead_letters=None,
        owner=mark,
        uid="uid-1",
        retained=retained,
    )
    revision = Revision(arn="arn", digest="d", owner=mark, uid="uid-1", retained=retained)
    return Observed(revisions=(revision,), schedules={"s": Found(schedule=schedule, arn="a", changed=NOW)})


def test_what_is_ours_is_marked_once_and_what_is_a_strangers_never() -> None:
    ours, marked, theirs = (held(mark=str(NIGHTLY)), held(mark=str(NIGHTLY), retained=True), held(mark="prod/a/b"))

    todo = retention(ours, str(NIGHTLY))

    assert [step.after for step in todo.schedules] == [replace(ours.schedules["s"].schedule, retained=True)]
    assert todo.revisions == ours.revisions
    for observed in (marked, theirs):
        done = retention(observed, str(NIGHTLY))
        assert (done.schedules, done.revisions) == ((), ())
    assert [is_retained(one, str(NIGHTLY)) for one in (ours, marked, theirs)] == [False, True, False]
    assert not is_retained(held(mark="prod/a/b", retained=True), str(NIGHTLY))


def test_a_mark_tells_its_owner_and_anything_else_tells_none() -> None:
    assert owner_of_mark(str(NIGHTLY)) == NIGHTLY
    assert [owner_of_mark(mark) for mark in (None, "", "prod/reports", "prod/reports/a/b", "Prod/reports/a")] == [
        None
    ] * 5
