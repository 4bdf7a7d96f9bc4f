"""Keys by moment: what comes first comes first, whatever was put and taken back before."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localaws.sqs.agenda import Agenda

KEYS = st.integers(0, 9)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.integers(0, 20)),
        st.tuples(st.just("discard"), KEYS, st.just(0)),
        st.tuples(st.just("pop"), st.just(0), st.just(0)),
        st.tuples(st.just("due"), st.just(0), st.integers(0, 20)),
    ),
    max_size=200,
)


def earliest(model: dict[int, int], now: int = 1000) -> int | None:
    due = [(moment, key) for key, moment in model.items() if moment <= now]
    return min(due)[1] if due else None


@pytest.mark.timeout(60)  # many histories
@settings(deadline=None)
@given(STEPS)
def test_an_agenda_is_a_dictionary_that_is_read_by_the_earliest_moment(steps: list[tuple[str, int, int]]) -> None:
    agenda, model = Agenda(), dict[int, int]()

    for step, key, number in steps:
        match step:
            case "put":
                agenda.put(key, number)
                model[key] = number
            case "discard":
                assert agenda.discard(key) == (model.pop(key, None) is not None)
            case "pop":
                found = agenda.pop()
                assert (found and found[0]) == earliest(model)
                assert found is None or model.pop(found[0]) == found[1]
            case _:
                due = agenda.pop_due(number)
                assert due == earliest(model, number)
                model.pop(-1 if due is None else due, None)

    assert len(agenda) == len(model)
    assert all(key in agenda for key in model)
    assert agenda.first() == min(model.values(), default=None)


def test_what_was_taken_back_is_not_kept_for_ever() -> None:
    agenda = Agenda()

    for moment in range(10_000):
        agenda.put(moment, moment)
        if moment >= 10:
            agenda.discard(moment - 1)

    assert len(agenda._heap) < 200  # noqa: SLF001  # what it holds in memory is seen nowhere else
