"""The figures of the benchmark: what counts as met, and what the last line holds."""

from __future__ import annotations

import json

import pytest

from bench.figures import Figure, line, percentile


@pytest.mark.parametrize(
    ("figure", "verdict", "why"),
    [
        (Figure("seconds", 11.9, 12, 20), "met", "less is better"),
        (Figure("seconds", 19.0, 12, 20), "floor", "worse than the aim, but accepted"),
        (Figure("seconds", 20.1, 12, 20), "missed", "worse than what is accepted"),
        (Figure("calls", 3.001, 3), "met", "one call for a thousand tasks is none a task"),
        (Figure("calls", 3.01, 3), "missed", "ten are some"),
        (Figure("per_s", 1600, 1500, more_is_better=True), "met", "of a rate more is better"),
        (Figure("per_s", 1400, 1500, more_is_better=True), "missed", "and less is worse"),
        (Figure("p99_s", None, 0.25), "missed", "nothing came: that is no success"),
        (Figure("p50_s", 3.0), "", "nothing is aimed for"),
    ],
)
def test_a_figure_says_how_it_stands_to_its_aim(figure: Figure, verdict: str, why: str) -> None:
    assert figure.verdict == verdict, why


def test_the_last_line_is_one_json_object_with_every_figure_its_aim_and_its_floor() -> None:
    told = line([Figure("create_s", 14.0, 12, 20), Figure("delete_p50_s", None)], tasks=1000)

    assert "\n" not in told
    assert json.loads(told) == {
        "tasks": 1000,
        "figures": {
            "create_s": {"value": 14.0, "aim": 12, "floor": 20, "verdict": "floor"},
            "delete_p50_s": {"value": None},
        },
    }


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.99, None), ([2.0], 0.99, 2.0), ([1.0, 2.0, 3.0], 0.5, 2.0), ([float(n) for n in range(101)], 0.99, 99.0)],
)
def test_a_percentile_is_interpolated_between_what_was_seen(
    values: list[float], share: float, expected: float | None
) -> None:
    assert percentile(values, share) == expected
