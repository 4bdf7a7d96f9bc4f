"""The phases of a run, and which of them end it."""

from typing import Final, Literal, get_args

EndPhase = Literal["Succeeded", "Failed", "Cancelled", "Skipped", "Missed", "Lost"]
Phase = Literal["Pending", "Launching", "Running", "Succeeded", "Failed", "Cancelled", "Skipped", "Missed", "Lost"]

ENDS: Final[frozenset[str]] = frozenset(get_args(EndPhase))
"""Phases that a run does not leave, except that evidence replaces Missed and Lost."""
COMPLETE_ENDS: Final[frozenset[str]] = frozenset({"Succeeded", "Skipped"})
"""Ends with condition Complete=True; the others have Failed=True."""
