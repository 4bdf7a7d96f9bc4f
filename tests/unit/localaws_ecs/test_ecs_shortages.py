"""Which launches a shortage hits, how often, and what makes no shortage."""

from __future__ import annotations

import pytest

from localaws.ecs.shortages import Outcome, Shortages, parse


def hits(shortages: Shortages, *launches: tuple[str, str]) -> list[bool]:
    return [shortages.hit(cluster, family) is not None for cluster, family in launches]


def test_a_shortage_without_names_means_every_launch_for_good() -> None:
    shortages = Shortages()
    shortages.add({"outcome": "refused"})

    assert hits(shortages, ("a", "x"), ("b", "y"), ("a", "x")) == [True, True, True]


def test_a_shortage_means_the_cluster_and_the_family_that_it_names() -> None:
    shortages = Shortages()
    shortages.add({"outcome": "refused", "cluster": "a", "family": "x"})

    assert hits(shortages, ("a", "y"), ("b", "x"), ("a", "x")) == [False, False, True]


def test_some_launches_pass_before_so_many_are_hit() -> None:
    shortages = Shortages()
    shortages.add({"outcome": "refused", "skip": 1, "times": 2})

    assert hits(shortages, *[("a", "x")] * 5) == [False, True, True, False, False]


def test_the_first_shortage_that_means_a_launch_hits_it_and_a_spent_one_lets_the_next_hit() -> None:
    shortages = Shortages()
    shortages.add({"outcome": "refused", "reason": "RESOURCE:CPU", "times": 1})
    shortages.add({"outcome": "unplaced", "reason": "RESOURCE:MEMORY"})

    found = [shortages.hit("a", "x") for _ in range(2)]

    assert [it.reason for it in found if it] == ["RESOURCE:CPU", "RESOURCE:MEMORY"]
    assert [it.hits for it in shortages] == [1, 1]


def test_a_shortage_that_was_ended_hits_nothing_and_cannot_be_ended_twice() -> None:
    shortages = Shortages()
    shortage = shortages.add({"outcome": "refused"})

    shortages.remove(shortage.id)

    assert shortages.hit("a", "x") is None
    with pytest.raises(ValueError, match="no shortage has the id 'shortage-1'"):
        shortages.remove(shortage.id)


def test_an_id_names_one_shortage() -> None:
    shortages = Shortages()
    shortages.add({"id": "mine", "outcome": "refused"})

    with pytest.raises(ValueError, match="already set"):
        shortages.add({"id": "mine", "outcome": "unplaced"})


def test_so_many_tasks_of_a_launch_are_hit_and_never_more_than_there_are() -> None:
    some, all_ = parse({"id": "1", "outcome": "refused", "tasks": 2}), parse({"id": "2", "outcome": "refused"})

    assert [some.among(count) for count in (1, 2, 3)] == [1, 2, 2]
    assert all_.among(3) == 3


def test_a_failure_tells_reason_and_detail_and_each_is_one_of_its_own() -> None:
    shortage = parse({"id": "1", "outcome": "refused", "reason": "AGENT", "detail": "gone"})

    first, second = shortage.failures(2)
    first["arn"] = "changed"

    assert second == {"reason": "AGENT", "detail": "gone"}
    assert "detail" not in parse({"id": "1", "outcome": "refused"}).failures(1)[0]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({}, "'outcome' must be one of refused, refused-but-started, unplaced"),
        ({"outcome": "lost"}, "'outcome' must be one of"),
        ({"outcome": "refused", "reasons": "x"}, "a shortage has no 'reasons'"),
        ({"outcome": "refused", "reason": ""}, "'reason' must be a non-empty string"),
        ({"outcome": "refused", "cluster": 1}, "'cluster' must be a non-empty string"),
        ({"outcome": "refused", "times": -1}, "'times' must be a whole number, not below 0"),
        ({"outcome": "refused", "tasks": 0}, "'tasks' must be a whole number, not below 1"),
        ({"outcome": "refused", "skip": True}, "'skip' must be a whole number, not below 0"),
    ],
)
def test_what_is_no_shortage_is_told_with_what_to_change(wanted: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse({"id": "1", **wanted})


def test_a_shortage_is_shown_with_what_is_left_of_it() -> None:
    shortages = Shortages()
    shortages.add({"outcome": "refused", "skip": 1, "times": 3})
    hits(shortages, ("a", "x"), ("a", "x"))

    [shown] = [it.as_json() for it in shortages]

    assert (shown["outcome"], shown["skip"], shown["times"], shown["hits"]) == (Outcome.REFUSED, 0, 2, 1)
