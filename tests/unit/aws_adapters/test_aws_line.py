"""The laws of a line: who goes when, and that nothing is lost by who does not come."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.aws.bucket import Bucket
from backgroundtask.aws.line import KEPT, Line, Urgency
from backgroundtask.aws.rates import Rate

DELETE, CHANGE, RESYNC = Urgency.DELETE, Urgency.CHANGE, Urgency.RESYNC


def line(burst: int = 1, refill: float = 1.0, *, empty: bool = True) -> Line:
    """A line at a bucket, with nothing in it unless told otherwise."""
    bucket = Bucket(Rate(burst, refill), now=0)
    for _ in range(burst if empty else 0):
        bucket.spend(0)
    return Line(bucket)


def ask(at: Line, key: str, now: float, urgency: Urgency = CHANGE) -> float:
    """The seconds to wait; the share is what stands before the first `/` of the key."""
    return at.ask(key, urgency=urgency, share=key.partition("/")[0], now=now).wait


def served(at: Line, keys: Sequence[tuple[str, Urgency]], *, until: float = 1e6) -> list[str]:
    """All ask at once, come back when they were told to, and leave with what they got: the order in which they did."""
    moments = {key: 0.0 for key, _ in keys}
    urgencies, order = dict(keys), []
    while moments and (now := min(moments.values())) <= until:
        key = next(one for one, moment in moments.items() if moment == now)
        wait = ask(at, key, now, urgencies[key])
        if wait > 0:
            moments[key] = now + wait
            continue
        at.use(key)
        order.append(key)
        del moments[key]
    return order


def test_a_token_that_is_there_is_taken_at_once() -> None:
    full = line(2, empty=False)

    assert (ask(full, "a", 0), ask(full, "b", 0)) == (0, 0)
    assert ask(full, "c", 0) == pytest.approx(1)


def test_each_is_told_the_moment_of_its_own_turn() -> None:
    empty = line(20)

    assert [ask(empty, f"a/{number}", 0) for number in range(5)] == pytest.approx([1, 2, 3, 4, 5])


def test_who_asks_again_keeps_its_place() -> None:
    empty = line()
    first = ask(empty, "a/1", 0)
    ask(empty, "a/2", 0)

    assert ask(empty, "a/1", 0.5) == pytest.approx(first - 0.5)
    assert ask(empty, "a/2", 0.5) == pytest.approx(1.5)


def test_deletions_and_changes_take_turns_and_go_before_all_else_whenever_they_came() -> None:
    keys = [("a", RESYNC), ("b", CHANGE), ("c", DELETE), ("d", CHANGE), ("e", DELETE), ("f", DELETE)]

    assert served(line(20), keys) == ["c", "b", "e", "d", "f", "a"]


def test_the_end_of_a_namespace_holds_up_a_change_of_another_by_one() -> None:
    empty = line(20)
    for number in range(1000):
        ask(empty, f"ended/{number}", 0, DELETE)

    assert ask(empty, "other/1", 0) == pytest.approx(2)
    assert ask(empty, "ended/0", 1, DELETE) == 0, "a deletion has gone"
    assert ask(empty, "other/1", 2) == 0


def test_a_roll_out_holds_up_a_deletion_by_none() -> None:
    empty = line(20)
    for number in range(1000):
        ask(empty, f"rolled/{number}", 0)

    assert ask(empty, "rolled/deleted", 0, DELETE) == pytest.approx(1)


def test_one_that_becomes_more_urgent_moves_forward() -> None:
    empty = line(20)
    for number in range(100):
        ask(empty, f"a/{number}", 0)

    assert ask(empty, "a/99", 0, DELETE) == pytest.approx(1)
    assert ask(empty, "a/99", 0, CHANGE) == pytest.approx(1), "and stays there"


def test_what_nobody_waits_for_leaves_a_part_of_the_burst() -> None:
    full = line(10, empty=False)

    resync = [ask(full, f"a/{number}", 0, RESYNC) for number in range(10)]

    assert [wait == 0 for wait in resync] == [True] * 8 + [False] * 2
    assert ask(full, "b", 0, CHANGE) == 0


def test_what_nobody_waits_for_is_served_where_the_burst_is_one() -> None:
    assert served(line(1), [("a", RESYNC), ("b", RESYNC)]) == ["a", "b"]


def test_a_thousand_of_one_namespace_hold_up_a_single_one_of_another_by_one() -> None:
    empty = line(20)
    for number in range(1000):
        ask(empty, f"many/{number}", 0)

    assert ask(empty, "single/1", 0) == pytest.approx(2)
    assert ask(empty, "single/2", 0) == pytest.approx(4)


def test_a_deletion_of_a_namespace_that_rolls_out_waits_for_one_of_another_that_ends() -> None:
    empty = line(20)
    for number in range(100):
        ask(empty, f"both/{number}", 0)
        ask(empty, f"ends/{number}", 0, DELETE)

    assert ask(empty, "both/deleted", 0, DELETE) == pytest.approx(3), "after a deletion and a change"


def test_deletions_that_went_put_no_change_behind_all_of_other_namespaces() -> None:
    slow = line(1, 1.0)
    for number in range(100):
        ask(slow, f"ends/{number}", 0, DELETE)
        ask(slow, f"{number % 10}/{number}", 0)
    for turn in range(40):
        number = turn // 2
        key, urgency = (f"{number % 10}/{number}", CHANGE) if turn % 2 else (f"ends/{number}", DELETE)
        assert ask(slow, key, turn + 1.0, urgency) == 0
        slow.use(key)

    assert ask(slow, "late/1", 40.0) <= 2 * 11, "a round of the eleven, in turns with deletions"


def test_a_namespace_that_comes_late_is_not_served_for_what_it_did_not_ask_before() -> None:
    slow = line(1, 1.0)
    for number in range(100):
        ask(slow, f"many/{number}", 0)
    for number in range(50):
        assert ask(slow, f"many/{number}", number + 1.0) == 0
        slow.use(f"many/{number}")

    late = [ask(slow, f"late/{number}", 50.0) for number in range(3)]

    assert late == pytest.approx([2, 4, 6])


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(list(Urgency))), min_size=1, max_size=60),
    st.integers(1, 8),
)
def test_everybody_is_served_in_the_time_that_the_bucket_needs(asked: list[tuple[str, Urgency]], burst: int) -> None:
    keys = [(f"{share}/{number}", urgency) for number, (share, urgency) in enumerate(asked)]
    reserve = burst * 0.2 + 1

    order = served(line(burst, 1.0), keys, until=len(keys) + reserve + 0.1)

    assert sorted(order) == sorted(key for key, _ in keys)
    ranks = [dict(keys)[key] for key in order]
    assert RESYNC not in ranks[: len(ranks) - ranks.count(RESYNC)], "what nobody asked for comes last"
    turns = list(zip(*(iter(ranks),) * 2, strict=False))[: min(ranks.count(DELETE), ranks.count(CHANGE))]
    assert turns == [(DELETE, CHANGE)] * len(turns), "as long as there are both they take turns"


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([DELETE, CHANGE])), min_size=1, max_size=40),
    st.sampled_from([DELETE, CHANGE]),
)
def test_no_two_are_told_the_same_moment_and_none_is_left_out(asked: list[tuple[str, Urgency]], went: Urgency) -> None:
    empty = line(1, empty=False)
    ask(empty, "went", 0, went)
    empty.use("went")
    keys = [(f"{share}/{number}", urgency) for number, (share, urgency) in enumerate(asked)]
    for key, urgency in keys:
        ask(empty, key, 0, urgency)

    moments = sorted(ask(empty, key, 0, urgency) for key, urgency in keys)

    assert moments == pytest.approx(list(range(1, len(keys) + 1)))


@given(st.lists(st.sampled_from(["a", "b"]), min_size=2, max_size=40))
def test_of_one_namespace_they_go_in_the_order_in_which_they_came(shares: list[str]) -> None:
    keys = [(f"{share}/{number:02}", CHANGE) for number, share in enumerate(shares)]

    order = served(line(20), keys)

    for share in ("a", "b"):
        mine = [key for key in order if key.startswith(share)]
        assert mine == sorted(mine)


def test_no_token_is_lost_while_the_first_is_late() -> None:
    empty = line(20)
    for number in range(5):
        ask(empty, f"a/{number}", 0)

    late = [ask(empty, f"a/{number}", 5.0) for number in (4, 3, 2, 1, 0)]

    assert late == [0, 0, 0, 0, 0]


def test_who_leaves_gives_its_place_to_the_next() -> None:
    empty = line(20)
    for key in ("a/1", "a/2", "a/3"):
        ask(empty, key, 0)

    assert empty.leave("a/1", 0)
    assert ask(empty, "a/2", 0) == pytest.approx(1)
    assert not empty.leave("a/1", 0)


def test_a_token_that_was_not_needed_is_the_next_ones_at_once() -> None:
    single = line(1, empty=False)
    ask(single, "a/1", 0)
    ask(single, "a/2", 0)

    single.leave("a/1", 0)

    assert single.early(0) == ["a/2"]
    assert ask(single, "a/2", 0) == 0


def test_who_could_come_well_before_its_moment_is_told_once_enough_have_left() -> None:
    empty = line(20)
    for number in range(20):
        ask(empty, f"a/{number}", 0)

    early = []
    for number in range(10):
        empty.leave(f"a/{number}", 0)
        early.append(len(empty.early(0)))

    assert early == [0, 0, 0, 0, 15, 0, 0, 0, 0, 10], "each time that five have left"
    for number in range(10, 20):
        ask(empty, f"a/{number}", 0)
    assert empty.early(0) == []


def test_a_token_is_kept_for_who_asks_again() -> None:
    single = line(1, empty=False)
    ask(single, "a/1", 0)

    assert ask(single, "a/1", KEPT - 1) == 0
    assert ask(single, "a/2", 0) > 0


def test_who_never_comes_back_holds_up_nobody() -> None:
    slow = line(1, 0.001)
    ask(slow, "gone", 0)
    ask(slow, "a", 0)

    assert ask(slow, "a", 1000 + KEPT + 1) == 0


def test_a_change_that_never_comes_back_holds_up_no_deletion() -> None:
    slow = line(1, 1.0, empty=False)
    assert ask(slow, "first", 0, DELETE) == 0
    slow.use("first")
    ask(slow, "gone", 0)
    assert ask(slow, "second", 1, DELETE) > 0, "it is the turn of the change"

    assert ask(slow, "second", KEPT + 2, DELETE) == 0


def test_a_token_that_nobody_fetches_comes_back() -> None:
    slow = line(1, 0.001, empty=False)
    ask(slow, "gone", 0)

    assert ask(slow, "a", KEPT - 1) > 0
    assert ask(slow, "a", KEPT + 1) == 0


def test_how_long_was_waited_is_told_once() -> None:
    empty = line()
    empty.ask("a", urgency=CHANGE, share="", now=0)

    first = empty.ask("a", urgency=CHANGE, share="", now=3)
    second = empty.ask("a", urgency=CHANGE, share="", now=4)

    assert (first.wait, first.waited) == (0, 3)
    assert (second.wait, second.waited) == (0, 0)
