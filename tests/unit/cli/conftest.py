"""The command line's tests share a person."""

import pytest

from fixtures.command_line import Person


@pytest.fixture
def bgt(monkeypatch: pytest.MonkeyPatch) -> Person:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return Person()
