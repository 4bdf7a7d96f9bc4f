"""Where each rule of localaws comes from, gathered from the words beside the code: `python -m localaws.markers`.

Knows the three markers (`documented`, `reported`, `assumed`) in comments and docstrings, and as marks of the tests of
the contract; judges none of them. The page docs/localaws.md holds what it prints, and a test holds the page to the
code: `python -m localaws.markers --write docs/localaws.md` renews it.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MARKERS = ("documented", "reported", "assumed")
ONLY = "localaws_only"

_ROOT = Path(__file__).parent
_TESTS = _ROOT.parents[1] / "tests" / "aws"
_MARKER = re.compile(r"\b(documented|reported|assumed)\b", re.IGNORECASE)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NAMED = (*_FUNCTIONS, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Note:
    """What one comment or docstring says with markers, and where: the file below the package, and in what."""

    file: str
    inside: str  # function, method or class, dotted; empty beside the module's own lines
    text: str

    @property
    def markers(self) -> set[str]:
        """Which of the three it has."""
        return {found.lower() for found in _MARKER.findall(self.text)}

    @property
    def where(self) -> str:
        """The file, and what in it."""
        return f"{self.file}: {self.inside}" if self.inside else self.file


@dataclass(frozen=True, slots=True)
class Rule:
    """A test of the contract: its file, its name, and its marks by name, each with what it says."""

    file: str
    name: str
    marks: tuple[tuple[str, str], ...]

    @property
    def sources(self) -> list[tuple[str, str]]:
        """The marks that say where the rule comes from: there is to be one."""
        return [mark for mark in self.marks if mark[0] in MARKERS]

    @property
    def anywhere(self) -> bool:
        """Whether an account can be asked too."""
        return ONLY not in dict(self.marks)


def gathered(root: Path = _ROOT) -> list[Note]:
    """All notes of a package, by file and line. The legends that explain the markers are none."""
    return [
        note
        for path in sorted(root.rglob("*.py"))
        if path != Path(__file__)
        for note in _notes(path, path.relative_to(root).as_posix())
        if note.markers and len(note.markers) < len(MARKERS)
    ]


def contract(folder: Path = _TESTS) -> list[Rule]:
    """All tests of the contract, by file and line: the functions `test_…` of the files `test_…_contract….py`."""
    return [rule for path in sorted(folder.glob("test_*_contract*.py")) for rule in _rules(path)]


def page(notes: Sequence[Note]) -> str:
    """The counts and everything that is assumed in the code, in Markdown."""
    counts: Counter[tuple[str, str]] = Counter()
    for note in notes:
        counts.update((note.file.partition("/")[0], marker) for marker in note.markers)
    parts = sorted({part for part, _ in counts})
    rows = [f"| {part} | " + " | ".join(str(counts[part, marker]) for marker in MARKERS) + " |" for part in parts]
    assumed = [f"| `{note.where}` | {_cell(note.text)} |" for note in notes if "assumed" in note.markers]
    return "\n".join(
        [
            *("| part | documented | reported | assumed |", "|---|---|---|---|", *rows, ""),
            *("What is assumed, for whoever has an account:", "", "| where | what |", "|---|---|", *assumed),
        ]
    )


def contract_page(rules: Sequence[Rule]) -> str:
    """The counts of the contract's tests, and those whose rule is assumed, in Markdown."""
    counts: Counter[tuple[str, str]] = Counter()
    for rule in rules:
        counts.update((_subject(rule), marker) for marker, _ in rule.sources)
        counts[_subject(rule), ONLY] += not rule.anywhere
    columns = (*MARKERS, ONLY)
    subjects = [*dict.fromkeys(_subject(rule) for rule in rules)]
    rows = [f"| {it} | " + " | ".join(str(counts[it, column]) for column in columns) + " |" for it in subjects]
    assumed = [
        f"| `{rule.name}` | {_cell(why)} | {'yes' if rule.anywhere else 'no'} |"
        for rule in rules
        for marker, why in rule.sources
        if marker == "assumed"
    ]
    return "\n".join(
        [
            *("| tests of | documented | reported | assumed | localaws only |", "|---|---|---|---|---|", *rows, ""),
            *("Those whose rule is assumed:", "", "| test | what | runs on an account |", "|---|---|---|", *assumed),
        ]
    )


def sections() -> dict[str, str]:
    """What stands in docs/localaws.md between the comments of each name."""
    return {"code": page(gathered()), "contract": contract_page(contract())}


def renewed(text: str, told: dict[str, str]) -> str:
    """A page with these sections in place of what it has between their comments.

    Raises:
        ValueError: the page lacks the comments of a section; the text says which.
    """
    for name, section in told.items():
        begin, end = f"<!-- generated by `poe docs`: {name} -->\n", "<!-- generated: end -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"the page has no section {begin.strip()} … {end}")
        text = f"{before}{begin}{section}\n{end}{after}"
    return text


def _notes(path: Path, file: str) -> Iterator[Note]:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    texts = [*_comments(source), *_docstrings(tree)]
    told = ((line, told) for first, text in sorted(texts) for line, told in _sentences(first, text))
    return (Note(file, _inside(tree, line), text) for line, text in told)


def _inside(tree: ast.AST, line: int) -> str:
    """The names of what encloses a line, from the outermost on."""
    for node in ast.iter_child_nodes(tree):
        first = min([getattr(node, "lineno", line), *(it.lineno for it in getattr(node, "decorator_list", []))])
        if isinstance(node, _NAMED) and first <= line <= (node.end_lineno or line):
            return ".".join(filter(None, (node.name, _inside(node, line))))
    return ""


def _rules(path: Path) -> Iterator[Rule]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    of_all = [
        mark
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        for mark in _marks([node.value])
    ]
    return _tests(tree, path.name, of_all)


def _tests(parent: ast.AST, file: str, inherited: list[tuple[str, str]]) -> Iterator[Rule]:
    """The tests in a module or in a class, with the marks of what encloses them."""
    for node in ast.iter_child_nodes(parent):
        marks = [*inherited, *_marks(getattr(node, "decorator_list", []))]
        if isinstance(node, ast.ClassDef):
            yield from _tests(node, file, marks)
        if isinstance(node, _FUNCTIONS) and node.name.startswith("test_"):
            yield Rule(file, node.name, tuple(marks))


def _marks(expressions: Sequence[ast.expr]) -> list[tuple[str, str]]:
    calls = [node for expression in expressions for node in ast.walk(expression) if isinstance(node, ast.Call)]
    found = [(ast.unparse(call.func).removeprefix("pytest.mark."), call.args) for call in calls]
    return [(name, _words(args[0]) if args else "") for name, args in found if name in (*MARKERS, ONLY)]


def _words(argument: ast.expr) -> str:
    return str(argument.value) if isinstance(argument, ast.Constant) else ast.unparse(argument)


def _subject(rule: Rule) -> str:
    return rule.file.removeprefix("test_").partition("_contract")[0]


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Each comment with the row that it begins in; whole lines of comment that follow each other are one."""
    first, text = 0, ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        row, column = token.start
        stands_alone = not token.line[:column].strip()
        goes_on = stands_alone and text != "" and row == first + text.count("\n") + 1
        words = token.string.lstrip("# ")
        if goes_on:
            text += f"\n{words}"
            continue
        yield first, text
        first, text = (row, words) if stands_alone else (row, "")
        if not stands_alone:
            yield row, words
    yield first, text


def _docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def _sentences(first: int, text: str) -> Iterator[tuple[int, str]]:
    """The lines that bear a marker, each with its number and what continues it; `first` is that of the text's first."""
    begun, paragraph = first, ""
    for number, line in enumerate([*text.splitlines(), ""], first):
        begins = not line.strip() or _MARKER.match(line.strip()) is not None
        if begins and _MARKER.search(paragraph):
            yield begun, paragraph.strip()
        begun, paragraph = (number + (not line.strip()), line) if begins else (begun, f"{paragraph} {line.strip()}")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the sections, or write them into a page."""
    parser = argparse.ArgumentParser(prog="python -m localaws.markers", description="Where localaws' rules come from.")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="renew the generated sections of this page")
    given = parser.parse_args(arguments)
    if given.write is None:
        print(*sections().values(), sep="\n\n")  # noqa: T201 - what the command is for
        return
    given.write.write_text(renewed(given.write.read_text(encoding="utf-8"), sections()), encoding="utf-8")


if __name__ == "__main__":
    main()
