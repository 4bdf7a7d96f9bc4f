"""What `localaws --help` and docs/localaws.md say of the control surface is all that there is, and true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from localaws.faults import Action
from localaws.running import ControlError, Running

PAGE = (Path(__file__).parents[2] / "docs" / "localaws.md").read_text(encoding="utf-8")
HELP = subprocess.run(
    [sys.executable, "-m", "localaws", "--help"], capture_output=True, text=True, timeout=60, check=True
).stdout

REQUEST = re.compile(r"\b(GET|POST|PUT|DELETE) +(?!of\b)([a-z]+(?:/[a-z]+)?)")
EXAMPLE = re.compile(r"^ +(GET|POST|PUT|DELETE) +(\S+) *(\{.*)?", re.MULTILINE)

both = pytest.mark.parametrize("told", [HELP, PAGE], ids=["--help", "docs/localaws.md"])


def requests(aws: Running) -> set[tuple[str, str]]:
    """Method and path of all requests that are answered."""
    listed = (request.partition(" ") for request in aws.control("GET", "")["requests"])
    return {(method, path.removeprefix("/_localaws/")) for method, _, path in listed}


@both
def test_every_request_is_told_and_none_that_is_not_there(aws: Running, told: str) -> None:
    assert {(found[1], found[2]) for found in REQUEST.finditer(told)} == requests(aws)


@both
def test_every_action_of_a_fault_is_told(told: str) -> None:
    assert [action for action in Action if not re.search(rf"\b{action}\b", told)] == []


def examples() -> list[Any]:
    found = [
        (it[1], it[2], json.JSONDecoder().raw_decode(it[3])[0] if it[3] else None) for it in EXAMPLE.finditer(HELP)
    ]
    return [pytest.param(*example, id=f"{example[0]} {example[1]}") for example in found]


@pytest.mark.parametrize(("method", "path", "body"), examples())
def test_every_example_of_the_help_is_taken(aws: Running, method: str, path: str, body: object) -> None:
    if path == "ecs/interrupt":  # nothing runs here that could be interrupted
        with pytest.raises(ControlError, match="is not the ARN of a task"):
            aws.control(method, path, body)
        return

    answer = aws.control(method, path, body)

    assert isinstance(answer, dict)


def test_what_is_not_there_is_answered_with_what_is(aws: Running) -> None:
    with pytest.raises(ControlError) as refused:
        aws.control("PUT", "visibilty", {"seconds": 5})

    assert "there is no PUT /_localaws/visibilty; there are " in str(refused.value)
    assert all(f"{method} /_localaws/{path}" in str(refused.value) for method, path in requests(aws))


def test_the_version_names_what_stands_behind() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "localaws", "--version"], capture_output=True, text=True, timeout=60, check=True
    ).stdout

    assert re.fullmatch(r"localaws \d+\.\d+\.\d+, moto \d\S+, botocore \d\S+\n", said)
