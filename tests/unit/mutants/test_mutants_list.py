"""The list of seeded bugs stays one that can be run: `uv run poe mutants` then shows that each is caught."""

from __future__ import annotations

from pathlib import Path

import pytest

from mutants.bugs import BUGS, Bug

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_changes_one_place_of_the_source_and_names_a_test_that_exists(bug: Bug) -> None:
    file, _, names = bug.test.partition("::")

    assert (ROOT / "operator" / bug.path).read_text().count(bug.before) == 1
    assert bug.before != bug.after
    for name in names.split("::"):
        assert f"def {name}(" in (ROOT / file).read_text() or f"class {name}:" in (ROOT / file).read_text()


def test_each_bug_has_a_name_of_its_own() -> None:
    names = [bug.name for bug in BUGS]

    assert len(set(names)) == len(names) >= 12
