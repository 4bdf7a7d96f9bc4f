"""A build tells where it is, on a terminal and in a log."""

from __future__ import annotations

import io

import pytest

from localkube.progress import Console, elapsed


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_line_that_is_rewritten() -> None:
    stream = Terminal()
    console = Console(lambda: 0.0, stream)

    console.moving("1 of 9")
    console.moving("2 of 9")

    assert stream.getvalue() == "\r\x1b[K1 of 9\r\x1b[K2 of 9"


def test_a_note_replaces_the_moving_line_and_stays() -> None:
    stream = Terminal()
    console = Console(lambda: 0.0, stream)

    console.moving("9 of 9")
    console.note("built")

    assert stream.getvalue().endswith("\r\x1b[Kbuilt\n")


def test_a_log_gets_a_line_every_half_minute() -> None:
    stream = io.StringIO()
    now = iter([0.0, 1.0, 29.9, 30.0, 31.0])
    console = Console(lambda: next(now), stream)

    for step in range(5):
        console.moving(f"step {step}")

    assert stream.getvalue() == "step 0\nstep 3\n"


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min 00 s"), (425, "7 min 05 s")])
def test_durations_read_as_people_say_them(seconds: float, said: str) -> None:
    assert elapsed(seconds) == said
