"""Moments as the API writes them: `2026-11-30T03:00:00Z`, UTC, whole seconds (metav1.Time)."""

from datetime import UTC, datetime


def stamp(moment: datetime) -> str:
    """An aware moment as text, its fraction of a second cut off."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def moment(text: str | None) -> datetime | None:
    """The moment that a text of the API means, or None where there is none."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
