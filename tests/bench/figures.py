"""Figures of the benchmark: what was measured, what is aimed for, and how both are shown.

Pure: knows numbers and their names, and nothing of how they come about. A figure's unit is the end of its name.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table

_SHOWN = {"": "", "met": "[green]met[/]", "floor": "[yellow]floor met[/]", "missed": "[red]missed[/]"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number: `aim` is what we want, `floor` what is still accepted; smaller is better, but for rates."""

    name: str
    value: float | None  # None: nothing to measure, as with the 99th percentile of nothing
    aim: float | None = None
    floor: float | None = None
    more_is_better: bool = False

    @property
    def verdict(self) -> str:
        """`met`, `floor` (the floor is, the aim is not), `missed`, or empty where nothing is aimed for."""
        if self.aim is None:
            return ""
        if self.value is None:
            return "missed"
        if self._reaches(self.aim):
            return "met"
        return "floor" if self.floor is not None and self._reaches(self.floor) else "missed"

    def _reaches(self, wanted: float) -> bool:
        assert self.value is not None
        value = round(self.value, 2)  # of 1000 tasks, a handful of calls for all of them is none a task
        return value >= wanted if self.more_is_better else value <= wanted

    def as_json(self) -> dict[str, float | str | None]:
        """The figure as a member of the last line."""
        told = {"value": self.value, "aim": self.aim, "floor": self.floor, "verdict": self.verdict or None}
        return {key: value for key, value in told.items() if value is not None or key == "value"}


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` (0 to 1) of the values lie, interpolated; None of no values."""
    if not values:
        return None
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]


def table(figures: Iterable[Figure]) -> Table:
    """All figures, in their order."""
    shown = Table(title="Benchmark", title_justify="left")
    shown.add_column("figure")
    for heading in ("measured", "aim", "floor"):
        shown.add_column(heading, justify="right")
    shown.add_column("")
    for one in figures:
        shown.add_row(one.name, _number(one.value), _number(one.aim), _number(one.floor), _SHOWN[one.verdict])
    return shown


def line(figures: Iterable[Figure], **about: object) -> str:
    """All figures as one JSON object in one line; `about` tells of the run itself."""
    return json.dumps({**about, "figures": {one.name: one.as_json() for one in figures}})


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value == round(value) else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
