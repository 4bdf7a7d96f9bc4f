"""`bgt logs`: whose lines, how many, until when, and in which region they are looked for."""

from __future__ import annotations

import pytest

from backgroundtask.cli.output import printable
from backgroundtask.errors import Blocked
from fixtures.command_line import Person, logging_to


def test_a_run_has_its_lines(bgt: Person) -> None:
    bgt.has_run("nightly-1", phase="Succeeded", completionTime="2026-11-01T00:00:00Z", **logging_to("s"))
    bgt.writes("s", "one", "two")

    told = bgt("logs", "nightly-1")

    assert (told.out, told.err, told.code) == ("one\ntwo\n", "", 0)
    assert set(bgt.regions) == {"eu-west-1"}, "that of the ECS task's ARN: a LaunchTemplate may be out of bounds"


def test_a_task_stands_for_its_newest_run_that_could_have_written(bgt: Person) -> None:
    bgt.has_task()
    bgt.has_run("nightly-1", spec={"scheduledTime": "2026-11-20T03:00:00Z"}, phase="Succeeded", **logging_to("old"))
    bgt.has_run("nightly-2", spec={"scheduledTime": "2026-11-21T03:00:00Z"}, phase="Failed", **logging_to("new"))
    bgt.has_run("nightly-3", spec={"scheduledTime": "2026-11-21T04:00:00Z"}, phase="Skipped")
    bgt.has_run("weekly-1", task="weekly", spec={"scheduledTime": "2026-11-21T05:00:00Z"}, phase="Running")
    bgt.writes("new", "disk full")

    told = bgt("logs", "nightly")

    assert (told.out, told.err) == ("disk full\n", "nightly-2 (Failed):\n")


@pytest.mark.parametrize(
    ("arguments", "lines", "why"),
    [
        (["--tail", "2"], "three\nfour\n", "the last two"),
        (["--since", "90s"], "three\nfour\n", "not older than that"),
        (["--since", "90s", "--tail", "3"], "three\nfour\n", "both hold"),
        (["--tail", "100"], "one\ntwo\nthree\nfour\n", "there are no more"),
    ],
)
def test_old_lines_can_be_left_out(bgt: Person, arguments: list[str], lines: str, why: str) -> None:
    bgt.has_run("nightly-1", phase="Running", **logging_to("s"))
    bgt.writes("s", "one", "two", ago=100)
    bgt.writes("s", "three", "four", ago=10)

    assert bgt("logs", "nightly-1", *arguments).out == lines, why


def test_following_prints_each_line_once_until_the_run_ends_and_its_late_lines_have_come(bgt: Person) -> None:
    bgt.has_run("nightly-1", phase="Running", **logging_to("s"))
    bgt.writes("s", "one")
    bgt.meanwhile(
        lambda: bgt.writes("s", "two", "three"),
        lambda: None,
        bgt.ends("nightly-1", "Failed", exitCode=3),
        lambda: None,
        lambda: bgt.writes("s", "late"),
    )

    told = bgt("logs", "-f", "nightly-1")

    assert (told.out, told.code) == ("one\ntwo\nthree\nlate\n", 0)
    assert told.err.splitlines()[-1] == "nightly-1: Failed"


def test_following_a_run_that_is_tried_again_goes_on_with_the_next_attempt(bgt: Person) -> None:
    bgt.has_run("nightly-1", phase="Running", **logging_to("first"))
    bgt.writes("first", "one")

    def try_again() -> None:
        bgt.writes("first", "last words")
        bgt.tell("nightly-1", **logging_to("second"))()

    bgt.meanwhile(try_again, lambda: bgt.writes("second", "again"), bgt.ends("nightly-1"))

    assert bgt("logs", "-f", "nightly-1", "--tail", "5").out == "one\nlast words\nagain\n"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({"phase": "Pending"}, "nightly-1 has no log: no container was started for it (Pending)"),
        ({"phase": "Missed"}, "nightly-1 has no log: no container was started for it (Missed)"),
        ({"phase": "Launching", **logging_to("s")}, "nightly-1 has written nothing yet (Launching); -f waits for it"),
        ({"phase": "Succeeded", **logging_to("s")}, "nightly-1 has written nothing"),
    ],
)
def test_where_there_are_no_lines_it_says_so(bgt: Person, status: dict[str, str], says: str) -> None:
    bgt.has_run("nightly-1", **status)

    told = bgt("logs", "nightly-1")

    assert (told.out, told.err, told.code) == ("", f"{says}\n", 0)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Blocked("NoCredentials", "The operator has no AWS credentials."), "; or open https://console.example/s"),
        (Blocked("AccessDenied", "Grant logs:GetLogEvents on * to me."), "Grant logs:GetLogEvents on * to me."),
    ],
)
def test_a_log_that_may_not_be_read_says_what_to_do(bgt: Person, error: Blocked, says: str) -> None:
    where = logging_to("s")
    where["logs"]["url"] = "https://console.example/s"
    bgt.has_run("nightly-1", phase="Running", **where)
    bgt.trace.fail_next("log_events.*", error)

    told = bgt("logs", "nightly-1")

    assert told.code == 1
    assert says in told.err
    assert "operator" not in told.err


def test_a_run_again_for_an_old_slot_is_newer_than_what_ran_for_a_later_one(bgt: Person) -> None:
    bgt.has_task()
    bgt.has_run(
        "nightly-29921220", spec={"scheduledTime": "2026-11-21T03:00:00Z"}, phase="Succeeded", **logging_to("a")
    )
    bgt.has_run("nightly-x0000", spec={"scheduledTime": "2026-11-01T03:00:00Z"}, phase="Failed", **logging_to("b"))
    bgt.writes("b", "again")

    assert bgt("logs", "nightly").out == "again\n"


def test_neither_a_run_nor_a_task_is_told(bgt: Person) -> None:
    bgt.has_task()

    assert "neither a run nor a task weekly in namespace reports" in bgt("logs", "weekly").err
    assert "nightly has not run yet; `bgt run nightly` starts it" in bgt("logs", "nightly").err


def test_a_pipe_gets_lines_as_they_were_written(bgt: Person) -> None:
    bgt.has_run("nightly-1", phase="Succeeded", **logging_to("s"))
    bgt.writes("s", "\x1b[31mred\x1b[0m\tand more")

    assert bgt("logs", "nightly-1").out == "\x1b[31mred\x1b[0m\tand more\n"


def test_a_terminal_gets_no_orders_from_a_container(bgt: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    bgt.has_run("nightly-1", phase="Succeeded", **logging_to("s"))
    bgt.writes("s", "\x1b]0;title\x07\x1b[31mred\x1b[0m\x9b2J\tand\x08\nmore")

    assert bgt("logs", "nightly-1").out == "red2J\tand\nmore\n"


@pytest.mark.parametrize(
    ("text", "shown", "why"),
    [
        ("plain ü €", "plain ü €", "letters of any language stay"),
        ("a\tb", "a\tb", "tables of containers keep their shape"),
        ("\x1b[1;31mbold\x1b[0m", "bold", "colours are orders"),
        ("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", "click", "a link hides where it leads"),
        ("\x1b]0;title", "", "an order that never ends hides what follows: it is left out with it"),
        ("\x1bc", "", "a reset of the terminal"),
        ("10%\r100%", "10%100%", "what overwrites a line could show another"),
        ("\x1b", "", "nothing is left of a broken order"),
    ],
)
def test_what_is_printable_holds_no_control_character_but_tabs(text: str, shown: str, why: str) -> None:
    assert printable(text) == shown, why
