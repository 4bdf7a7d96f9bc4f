"""The pages are of one piece with the repository: their links lead somewhere, and machines run what people are told."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#:]+)(?:#([^)]+))?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    for target, heading in LINK.findall(page.read_text(encoding="utf-8")):
        place = page.parent / target
        assert place.exists(), target
        assert not heading or heading in _anchors(place), heading


def test_ci_runs_the_test_command_of_the_readme() -> None:
    readme, script = (ROOT / "README.md").read_text(encoding="utf-8"), ROOT / ".ci" / "run"

    [command] = [line for line in readme.splitlines() if line.startswith("python3 -m venv") and "poe test" in line]

    assert command in script.read_text(encoding="utf-8").splitlines()
    assert os.access(script, os.X_OK)


def test_every_folder_of_the_map_is_there_and_every_room_is_on_it() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rooms = [
        one.name for one in (ROOT / "operator" / "backgroundtask").iterdir() if one.is_dir() and one.name[0] != "_"
    ]

    rows = [line for line in readme.partition("## Map")[2].partition("\n## ")[0].splitlines() if line.startswith("| `")]

    assert [room for room in rooms if not any(re.search(rf"[`/]{room}`", row) for row in rows)] == []


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives headings: lower case, words joined by dashes, no punctuation."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
