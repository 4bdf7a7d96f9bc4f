"""Each test of the contract says where its rule comes from, and whether an account could be asked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws.markers import MARKERS, ONLY, Rule, contract

TESTS = Path(__file__).parents[2]
RULES = contract(TESTS / "aws")

DRIVEN = frozenset(
    {
        *("control", "journal", "reset", "advance", "set_rate", "set_images", "set_throttles", "set_visibility"),
        *("fault", "remove_fault", "set_event_habits", "set_queue_habits"),
    }
)
"""What only localaws has: the members of `Running` that ask its control surface."""


def names_in(node: ast.AST) -> set[str]:
    """What a piece of code mentions: names, attributes, and the fixtures that a function takes."""
    attributes = [it for it in ast.walk(node) if isinstance(it, ast.Attribute)]
    found = {it.attr for it in attributes if ast.unparse(it.value) != "dt.datetime"}  # whose `now` is nobody's clock
    found |= {it.id for it in ast.walk(node) if isinstance(it, ast.Name)}
    return found | {it.arg for it in ast.walk(node) if isinstance(it, ast.arg)}


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def fixtures_of(path: Path) -> Iterator[Path]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fixtures."):
            yield (TESTS / str(node.module).replace(".", "/")).with_suffix(".py")


def drivers(path: Path) -> set[str]:
    """The functions within reach of a file that drive localaws, by whatever way."""
    reachable = [it for file in (path, *fixtures_of(path)) for it in functions(file)]
    driving = set(DRIVEN)
    while grown := {it.name for it in reachable if names_in(it) & driving} - driving:
        driving |= grown
    return driving - DRIVEN


def test_the_members_that_drive_localaws_are_all_known() -> None:
    source = TESTS.parent / "operator" / "localaws" / "running.py"

    driving = {it.name for it in functions(source) if "control" in names_in(it)} | {"control"}

    assert driving == DRIVEN


def test_there_are_as_many_tests_of_the_contract_as_are_worth_the_name() -> None:
    assert len(RULES) > 200


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.file}::{rule.name}")
def test_each_says_in_one_mark_where_its_rule_comes_from(rule: Rule) -> None:
    assert len(rule.sources) == 1, f"exactly one of {', '.join(MARKERS)}"
    assert all(text.strip() for _, text in rule.marks), "a mark says its source, or why"


@pytest.mark.parametrize("path", sorted({TESTS / "aws" / rule.file for rule in RULES}), ids=lambda path: path.name)
def test_whoever_drives_localaws_is_marked_as_its_own(path: Path) -> None:
    driving = drivers(path)

    unmarked = {rule.name for rule in RULES if rule.file == path.name and rule.anywhere} & driving

    assert unmarked == set(), f"mark them `{ONLY}`, with what they do that an account does not let one do"
