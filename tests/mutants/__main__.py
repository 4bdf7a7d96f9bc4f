"""Seed each bug of the list into a copy of the source, and see the named test fail.

    uv run poe mutants             all of them
    uv run poe mutants NAME …      some, by a part of their names

A bug counts as caught where its test passes on the source as it is and fails on the copy with the bug. Exit code 0 if
all are caught.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutants.bugs import BUGS, Bug

ROOT = Path(__file__).parents[2]
SECONDS = 300
"""The longest that a test may take; a bug that makes it hang is caught, too."""

_PASSED, _FAILED = 0, 1  # exit codes of pytest; any other means that it could not do its work


def main(words: list[str]) -> int:
    """Run the bugs whose names hold one of the words, or all; the exit code."""
    if not {"-h", "--help"}.isdisjoint(words):
        names = "\n    ".join(bug.name for bug in BUGS)
        sys.stdout.write(f"{__doc__}\nThe names:\n    {names}\n")
        return 0
    chosen = [bug for bug in BUGS if not words or any(word in bug.name for word in words)]
    if not chosen:
        sys.stderr.write(f"No bug has a name with {' or '.join(words)}; there are {', '.join(b.name for b in BUGS)}.\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        broken = _failing(ROOT / "operator", sorted({bug.test for bug in chosen}))
        if broken:
            sys.stderr.write(f"These fail without any bug:\n{broken}\n")
            return 2
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            verdicts = list(_told(chosen, pool.map(lambda bug: _caught(bug, Path(folder) / bug.name), chosen)))
    caught = sum(verdicts)
    sys.stdout.write(f"{caught} of {len(chosen)} bugs are caught by the test that names them.\n")
    return 0 if caught == len(chosen) else 1


def _told(chosen: Iterable[Bug], verdicts: Iterable[bool]) -> Iterator[bool]:
    for bug, is_caught in zip(chosen, verdicts, strict=True):
        sys.stdout.write(f"{'caught ' if is_caught else 'MISSED '} {bug.name}\n        {bug.test}\n")
        sys.stdout.flush()
        yield is_caught


def _caught(bug: Bug, folder: Path) -> bool:
    """Whether the bug's test fails on a copy of the source that has the bug."""
    source = folder / "operator"
    shutil.copytree(ROOT / "operator", source, ignore=shutil.ignore_patterns("__pycache__"))
    file = source / bug.path
    text = file.read_text()
    if text.count(bug.before) != 1:
        raise ValueError(f"{bug.name}: what it changes stands {text.count(bug.before)} times in {bug.path}, not once")
    file.write_text(text.replace(bug.before, bug.after))
    return bool(_failing(source, [bug.test]))


def _failing(source: Path, tests: list[str]) -> str:
    """What pytest says where a test fails on the source in a folder; empty where all pass.

    Raises:
        RuntimeError: pytest could not run them.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-o", f"pythonpath={source} tests"]
    try:
        ran = subprocess.run([*command, *tests], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"not done within {SECONDS} s"
    if ran.returncode not in {_PASSED, _FAILED}:
        raise RuntimeError(f"pytest could not run {', '.join(tests)}:\n{ran.stdout}{ran.stderr}")
    return ran.stdout if ran.returncode == _FAILED else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
