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

# reported: somebody/somewhere#1
refuse("that")
'''


def test_the_page_holds_what_the_code_says() -> None:
    text = PAGE.read_text(encoding="utf-8")

    told = text.partition(BEGIN + "\n")[2].partition("\n" + END)[0]

    assert told == page(gathered()), "run `python -m localaws.markers` and put it between the two comments"


def test_comments_and_docstrings_are_gathered_with_the_code_that_they_are_about(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "module.py").write_text(MODULE)

    notes = gathered(tmp_path)

    assert {(note.text, note.code) for note in notes} == {
        ('documented: guide, "Life": it ends, and is gone.', ""),
        ("assumed: it stays gone", ""),
        ("assumed: their number", "LIMIT = 3"),
        ("reported: somebody/somewhere#1", 'refuse("that")'),
    }
    assert "| part | 1 | 1 | 2 |" in page(notes)
    assert "| `part/module.py` | assumed: their number `LIMIT = 3` |" in page(notes)
