"""How log lines look: plain for people, or JSON for machines, with nothing in them that nobody named."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from backgroundtask.cli.controller import controller
from backgroundtask.controller.lines import FIELDS, Format, log_lines

LOG = logging.getLogger("backgroundtask.test")
CANARY = "canary-4711"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging belongs to the whole process: pytest's own is put back."""
    root, ours = logging.getLogger(), logging.getLogger("backgroundtask")
    handlers, level, our_level = root.handlers[:], root.level, ours.level
    hook, thread_hook, name = sys.excepthook, threading.excepthook, logging.getLevelName(logging.WARNING)
    yield
    logging.captureWarnings(capture=False)
    logging.addLevelName(logging.WARNING, name)
    sys.excepthook, threading.excepthook = hook, thread_hook
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(our_level)


def told(capsys: pytest.CaptureFixture[str], form: Format = "json") -> list[Any]:
    lines = capsys.readouterr().err.splitlines()
    return [json.loads(line) for line in lines] if form == "json" else list(lines)


def test_a_plain_line_is_its_level_and_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    log_lines("INFO")

    LOG.warning("Task %s: wait", "a/b", extra={"task": "a/b"})

    assert told(capsys, "plain") == ["[WARN] - Task a/b: wait"]


def test_a_json_line_is_one_object_with_time_level_logger_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    log_lines("INFO", "json")

    LOG.warning("Task %s:\nwait", "a/b")

    [line] = told(capsys)
    assert list(line) == list(FIELDS[:4])
    assert (line["level"], line["logger"], line["message"]) == ("WARN", "backgroundtask.test", "Task a/b:\nwait")
    assert line["time"].endswith("Z")
    assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)


def test_what_a_call_names_is_a_member_and_nothing_else_is(capsys: pytest.CaptureFixture[str]) -> None:
    log_lines("INFO", "json")

    LOG.info("ends", extra={"task": "a/b", "run": "b-1", "reason": "Stopped", "settings": CANARY, "env": {"A": CANARY}})

    [line] = told(capsys)
    assert {name: line[name] for name in line if name not in FIELDS[:4]} == {
        "task": "a/b",
        "run": "b-1",
        "reason": "Stopped",
    }
    assert CANARY not in json.dumps(line)


def test_an_exception_is_a_member_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    log_lines("INFO", "json")

    try:
        raise KeyError("missing")  # noqa: TRY301 - to be logged
    except KeyError:
        LOG.exception("Task a/b failed")

    [line] = told(capsys)
    assert line["message"] == "Task a/b failed"
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("KeyError: 'missing'")


@pytest.mark.parametrize("form", ["plain", "json"])
def test_lines_of_libraries_go_the_same_way_from_warning_on(capsys: pytest.CaptureFixture[str], form: Format) -> None:
    log_lines("DEBUG", form)

    logging.getLogger("kopf.objects").info("Handling cycle is finished.")
    logging.getLogger("kopf.activities.authentication").warning("Activity %r failed", "login")

    assert len(told(capsys, form)) == 1


def test_what_ends_a_thread_or_warns_is_a_json_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    log_lines("INFO", "json")

    thread = threading.Thread(target=lambda: {}["missing"], name="worker-1")
    thread.start()
    thread.join()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("something is old", DeprecationWarning, stacklevel=1)

    died, warned = told(capsys)
    assert died["message"] == "Thread worker-1 ended: a bug"
    assert "KeyError" in died["exception"]
    assert "something is old" in warned["message"]


def test_an_unknown_format_is_refused_with_those_that_there_are() -> None:
    answer = CliRunner().invoke(controller, ["--installation", "prod", "--log-format", "xml"])

    assert answer.exit_code == 2
    assert "'xml' is not one of 'plain', 'json'" in answer.output


@pytest.mark.parametrize(("form", "start"), [("plain", "Error: InvalidSettings: "), ("json", "{")])
def test_a_refusal_to_start_is_told_in_the_format_that_was_asked_for(
    capsys: pytest.CaptureFixture[str], form: str, start: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        controller.main(["--installation", "prod", "--workers", "0", "--log-format", form], prog_name="bgt")

    [line] = told(capsys, "plain")
    assert ended.value.code == 1
    assert line.startswith(start)
    assert "--workers" in line
