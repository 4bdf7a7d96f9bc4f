"""The one error that localkube raises on purpose: its text tells the user what is wrong and what to change."""

from __future__ import annotations


class LocalkubeError(Exception):
    """Something that the user, not localkube, has to change: a setting, a missing program, a folder in use."""
