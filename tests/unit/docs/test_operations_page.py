"""docs/operations.md tells of every setting, metric and reason that the code knows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from backgroundtask.aws.refusals import REFUSALS
from backgroundtask.cli.controller import controller
from backgroundtask.controller import run_metrics
from backgroundtask.kube.rights import RIGHTS, Right
from backgroundtask.plan import outcome

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ROOMS = ("api", "aws", "controller", "cron", "kube", "plan")
TELLERS = {"Rejected": 0, "Blocked": 0, "Busy": 0, "ready": 0, "reconciling": 0, "stalled": 0, "Verdict": 2}
BY_EXAMPLE = {"InvalidSpec", "Unavailable", "TooManyRequests", "Expired"}  # reasons that no literal call names


def told_in_code() -> Iterator[str]:
    """The reasons that are written where an error or a condition is made."""
    for room in ROOMS:
        for path in sorted((ROOT / "operator" / "backgroundtask" / room).glob("*.py")):
            yield from filter(None, map(_reason, ast.walk(ast.parse(path.read_text(encoding="utf-8")))))


def _reason(node: ast.AST) -> str | None:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in TELLERS:
        return None
    place = TELLERS[node.func.id]
    argument = node.args[place] if len(node.args) > place else None
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else None


def reasons() -> set[str]:
    causes = {name for _, name in outcome._CAUSES} | set(outcome._BY_OTHERS.values())  # noqa: SLF001 - the whole table is meant
    return {*told_in_code(), *(row.reason for row in REFUSALS), *causes, *BY_EXAMPLE}


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_every_reason_is_explained(reason: str) -> None:
    assert f"`{reason}`" in PAGE


@pytest.mark.parametrize("option", [one for one in controller.params if isinstance(one, click.Option)], ids=str)
def test_every_setting_is_listed_with_its_variable_and_default(option: click.Option) -> None:
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| `{option.opts[0]}`")]

    assert f"`{option.envvar}`" in row
    if isinstance(option.default, int | float) and not isinstance(option.default, bool):
        assert f"| {option.default:g} |" in row


def test_every_metric_is_listed() -> None:
    names = {metric.name for metric in run_metrics.REGISTRY.collect()}

    assert names
    assert [name for name in names if f"`{name}`" not in PAGE and f"`{name}_total`" not in PAGE] == []


@pytest.mark.parametrize("right", RIGHTS, ids=lambda right: right.resource)
def test_every_right_is_listed_with_all_its_verbs(right: Right) -> None:
    section = PAGE.partition("## Rights in Kubernetes")[2].partition("\n## ")[0]

    [row] = [line for line in section.splitlines() if f"`{right.resource}`" in line and line.count("|") == 4]

    assert row.split("|")[3].split() == list(right.verbs)
    assert f"`{right.group}`" in row or (not right.group and "| core |" in row)
    assert right.name in row
