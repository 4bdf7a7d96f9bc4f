"""`bgt cron`: one expression for people, many for programs."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from backgroundtask.cli.cron import cron

AFTER = ("--after", "2026-11-20T00:00:00Z")


@pytest.fixture
def bgt_cron() -> Callable[..., Result]:
    return lambda *args, stdin="": CliRunner().invoke(cron, args, input=stdin)


def test_json_has_the_expressions_of_aws_and_the_next_times(bgt_cron: Callable[..., Result]) -> None:
    result = bgt_cron("0 3 13 * FRI", "--time-zone", "Europe/Berlin", *AFTER, "-n", "2", "-o", "json")

    assert json.loads(result.stdout) == {
        "expression": "0 3 13 * FRI",
        "aws": ["cron(0 3 13 * ? *)", "cron(0 3 ? * FRI *)"],
        "next": ["2026-11-20T02:00:00Z", "2026-11-27T02:00:00Z"],
    }
    assert result.exit_code == 0


def test_a_table_shows_local_time_and_utc(bgt_cron: Callable[..., Result]) -> None:
    result = bgt_cron("0 3 * * *", "--time-zone", "Europe/Berlin", "--after", "2027-03-27T12:00:00+01:00", "-n", "1")

    assert "cron(0 3 * * ? *)" in result.stdout
    assert "Sun 2027-03-28 03:00:00 +0200" in result.stdout
    assert "2027-03-28T01:00:00Z" in result.stdout
    assert result.exit_code == 0


def test_utc_is_shown_once(bgt_cron: Callable[..., Result]) -> None:
    result = bgt_cron("0 3 * * *", *AFTER)

    assert result.stdout.split().count("UTC") == 1
    assert result.stdout.count("T03:00:00Z") == 5


@pytest.mark.parametrize(
    ("expression", "said"),
    [("rate(5 minutes)", "only AWS knows"), ("@every 5m", "rate(5 minutes)"), ("at(2020-01-01T00:00:00)", "No runs")],
)
def test_a_schedule_without_next_times_says_so(bgt_cron: Callable[..., Result], expression: str, said: str) -> None:
    result = bgt_cron(expression, *AFTER)

    assert said in result.stdout
    assert result.exit_code == 0


def test_a_rate_has_no_next_times_in_json(bgt_cron: Callable[..., Result]) -> None:
    result = bgt_cron("rate(5 minutes)", *AFTER, "-o", "json")

    assert json.loads(result.stdout) == {"expression": "rate(5 minutes)", "aws": ["rate(5 minutes)"], "next": []}


def test_a_refused_expression_is_answered_and_exits_with_1(bgt_cron: Callable[..., Result]) -> None:
    for_people = bgt_cron("0 0 30 2 *")
    for_programs = bgt_cron("0 0 30 2 *", "-o", "json")

    assert (for_people.exit_code, for_programs.exit_code) == (1, 1)
    assert "never runs" in for_people.stderr
    assert for_people.stdout == ""
    assert json.loads(for_programs.stdout).keys() == {"expression", "error"}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["@daily", "--after", "2026-11-20"], "2026-11-20T09:00:00Z"),
        (["@daily", "--after", "2026-11-20T09:00:00"], "2026-11-20T09:00:00Z"),
        (["@daily", "--after", "2026-02-30T09:00:00Z"], "2026-11-20T09:00:00Z"),
        (["@daily", "--time-zone", "Berlin"], "did you mean Europe/Berlin?"),
        (["@daily", "-n", "-1"], "-1"),
        (["-"], "add -o json"),
        (["0", "3", "*", "*", "*"], "unexpected extra argument"),
        ([], "Missing argument"),
    ],
)
def test_a_wrong_call_is_told_apart_from_a_wrong_expression(
    bgt_cron: Callable[..., Result], args: list[str], said: str
) -> None:
    result = bgt_cron(*args)

    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize(
    "after",
    ["2026-11-20t01:30:00.5+01:30", "2026-11-20 01:30:00z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
)
def test_any_moment_of_rfc_3339_can_be_asked_about(bgt_cron: Callable[..., Result], after: str) -> None:
    result = bgt_cron("@daily", "--after", after, "-o", "json")

    assert result.exit_code == 0


def test_every_line_gets_exactly_one_answer_in_its_place(bgt_cron: Callable[..., Result]) -> None:
    lines = ["@daily", "", "0 0 30 2 *", 'say "hi"', "0 3 * * *\r", "\u00e4", "@hourly"]

    result = bgt_cron("-", "-o", "json", *AFTER, stdin="\n".join(lines))

    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["expression"] for answer in answers] == [line.rstrip("\r") for line in lines]
    assert ["error" in answer for answer in answers] == [False, True, True, True, False, True, False]
    assert result.exit_code == 1


def test_lines_that_are_all_well_exit_with_0(bgt_cron: Callable[..., Result]) -> None:
    result = bgt_cron("-", "-o", "json", *AFTER, "-n", "0", stdin="@daily\n@hourly\n")

    assert [json.loads(line)["next"] for line in result.stdout.splitlines()] == [[], []]
    assert result.exit_code == 0


def test_no_lines_are_no_failure(bgt_cron: Callable[..., Result]) -> None:
    result = bgt_cron("-", "-o", "json")

    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.timeout(30)
def test_a_line_is_answered_before_the_next_is_written() -> None:
    program = "from backgroundtask.cli.cron import cron; cron()"
    with subprocess.Popen(
        [sys.executable, "-c", program, "-", "-o", "json"],
        env={"PYTHONPATH": ":".join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        answers: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=lambda: [answers.put(line) for line in process.stdout or ()], daemon=True)
        reader.start()
        for expression in ("@daily", "@hourly"):
            process.stdin.write(f"{expression}\n")
            process.stdin.flush()

            assert json.loads(answers.get(timeout=20))["expression"] == expression

        process.stdin.close()
        assert process.wait(timeout=20) == 0
