"""The last lines of a failed run: when they are looked for, and how people see them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.api.parsing import parse_run
from backgroundtask.api.run import TAIL_LINES, BackgroundTaskRun, RunLogs
from backgroundtask.plan.moments import stamp
from backgroundtask.plan.tails import LOOKS, as_event, next_look, with_tail
from fixtures.objects import run_object

ENDED = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
LOGS = {"group": "/bgt/test", "stream": "reports/nightly/aws-bg-task/1", "url": "https://console"}


def failed(*, phase: str = "Failed", **members: Any) -> BackgroundTaskRun:
    condition = {
        "type": "Failed",
        "status": "True",
        "reason": phase,
        "message": "m",
        "lastTransitionTime": stamp(ENDED),
    }
    said = {"phase": phase, "startTime": "2026-11-21T03:00:10Z", "logs": LOGS, "conditions": [condition], **members}
    return parse_run(run_object(**{name: value for name, value in said.items() if value is not None}))


def test_it_is_looked_for_some_seconds_after_the_end_and_a_few_times_again() -> None:
    looks = [next_look(failed(), made, ENDED) for made in range(len(LOOKS) + 1)]

    assert looks == [ENDED + wait for wait in LOOKS] + [None]


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"phase": "Running", "conditions": []}, "it has not ended"),
        ({"phase": "Cancelled"}, "somebody ended it"),
        ({"phase": "Lost"}, "nobody knows which container"),
        ({"startTime": None}, "no container started, so none has written"),
        ({"logs": None}, "nobody knows where it wrote"),
        ({"logs": {"group": "/g"}}, "nor in which stream"),
        ({"logs": {**LOGS, "tail": ["boom"]}}, "they are there"),
    ],
)
def test_it_is_not_looked_for_where_it_is_not_wanted(members: dict[str, Any], why: str) -> None:
    assert next_look(failed(**members), 0, ENDED) is None, why


def test_a_process_that_begins_later_looks_again_within_the_hour_only() -> None:
    assert next_look(failed(), 0, ENDED + timedelta(minutes=59)) is not None
    assert next_look(failed(), 0, ENDED + timedelta(minutes=61)) is None


@pytest.mark.parametrize(
    ("written", "shown", "why"),
    [
        ("plain text", "plain text", "as it is"),
        ("\x1b[1;31mError:\x1b[0m no such file", "Error: no such file", "colours"),
        ("\x1b]8;;https://x\x07link\x1b]8;;\x07", "link", "links of terminals"),
        ("a\tb\rc\x00d", "a b c d", "control characters"),
        ("    at line 7", "    at line 7", "indented"),
        ("user\u202etxt.exe", "user txt.exe", "text that runs backwards"),
        ("x" * 300, "x" * 255 + "…", "too long"),
    ],
)
def test_a_line_is_shown_on_one_line_bounded_and_without_control_characters(written: str, shown: str, why: str) -> None:
    assert with_tail(RunLogs(), [written]).tail == (shown,), why


def test_of_many_lines_the_last_ones_are_kept_beside_their_place() -> None:
    found = with_tail(RunLogs(**LOGS), [*map(str, range(30)), "", "\x1b[0m"])

    assert found.tail == tuple(map(str, range(20, 30))), "lines that show nothing are no lines"
    assert (found.group, found.stream, found.url) == (LOGS["group"], LOGS["stream"], LOGS["url"])


@given(st.lists(st.text(max_size=400), max_size=20))
def test_a_tail_is_bounded_and_without_control_characters_whatever_was_written(lines: list[str]) -> None:
    tail = with_tail(RunLogs(), lines).tail

    assert len(tail) <= TAIL_LINES
    assert all(0 < len(line) <= 256 and line.removesuffix("…").isprintable() for line in tail)
    assert len(as_event(tail).encode()) <= 1024


def test_an_event_tells_as_much_of_a_line_as_it_has_room_for() -> None:
    flame = "\U0001f525"  # four bytes

    message = as_event(with_tail(RunLogs(), ["short", flame * 300]).tail)

    assert message == f"Last lines: {flame * 250}"


def test_an_event_tells_the_lines_nearest_to_the_end() -> None:
    lines = [f"line {number} {'x' * 200}" for number in range(10)]

    message = as_event(lines)

    assert message.startswith("Last lines: line 6 ")
    assert message.endswith(lines[-1])
    assert as_event(["one", "two"]) == "Last lines: one | two"
