"""docs/localaws.md tells of every rule that nobody but us says."""

from __future__ import annotations

from pathlib import Path

from localaws.markers import BEGIN, END, gathered, page

PAGE = Path(__file__).parents[3] / "docs" / "localaws.md"

MODULE = '''"""What it knows.

documented: guide, "Life": it ends,
and is gone.
assumed: it stays gone
"""

LIMIT = 3  # assumed: their number

# reported: somebody/somewhere#1, at
# length
refuse("that")


def name():
    """What it does.

    It is said to last (assumed).
    """
'''


def test_the_page_holds_what_the_code_says() -> None:
    text = PAGE.read_text(encoding="utf-8")

    told = text.partition(BEGIN + "\n")[2].partition("\n" + END)[0]

    assert told == page(gathered()), "run `python -m localaws.markers` and put it between the two comments"


def test_comments_and_docstrings_are_told_whole_by_line_and_without_code(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "module.py").write_text(MODULE)

    notes = gathered(tmp_path)

    assert [(note.line, note.text) for note in notes] == [
        (3, 'documented: guide, "Life": it ends, and is gone.'),
        (5, "assumed: it stays gone"),
        (8, "assumed: their number"),
        (10, "reported: somebody/somewhere#1, at length"),
        (18, "It is said to last (assumed)."),
    ]
    assert "| part | 1 | 1 | 3 |" in page(notes)
    assert "| `part/module.py:8` | assumed: their number |" in page(notes)
    assert "LIMIT" not in page(notes)
