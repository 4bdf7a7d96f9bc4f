"""Files as kubectl reads them: what an apply would take, `bgt` takes, and what it would refuse, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backgroundtask.cli.documents import tasks
from backgroundtask.errors import Rejected

HEAD = "apiVersion: bgtask.dev/v1alpha1\nkind: BackgroundTask\nmetadata: {name: nightly}\n"


def spec(tmp_path: Path, text: str) -> dict[str, Any]:
    path = tmp_path / "task.yaml"
    path.write_text(HEAD + text)
    [body], _ = tasks([str(path)])
    found: dict[str, Any] = body["spec"]
    return found


@pytest.mark.parametrize(
    ("text", "value", "why"),
    [
        ("2026-11-20", "2026-11-20", "a day is no type of JSON"),
        ("2026-11-20T03:00:00Z", "2026-11-20T03:00:00Z", "nor is a moment"),
        ("12:30", "12:30", "YAML 1.1 alone reads 750 from it"),
        ("12:30.5", "12:30.5", "or 750.5"),
        ("=", "=", "YAML 1.1 alone takes it for something else"),
        ("12", 12, "a number stays one"),
        ("1.5", 1.5, "with a fraction, too"),
        ("'12'", "12", "what is quoted is text"),
    ],
)
def test_a_value_is_what_kubectl_takes_it_for(tmp_path: Path, text: str, value: object, why: str) -> None:
    assert spec(tmp_path, f"spec: {{value: {text}}}\n") == {"value": value}, why


def test_a_key_twice_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"has a key twice: look at line 6, column 3\.$"):
        spec(tmp_path, "spec:\n  image: one\n  image: two\n")


def test_a_merged_mapping_may_be_overridden(tmp_path: Path) -> None:
    found = spec(tmp_path, "spec:\n  base: &base {image: one, cpu: 256}\n  mine: {<<: *base, image: two}\n")

    assert found["mine"] == {"image": "two", "cpu": 256}


def test_a_folder_without_a_file_of_kubernetes_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"that ends in \.json, \.yaml, \.yml\.$"):
        tasks([str(tmp_path)])


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_bytes(b"\xff\xfe")

    with pytest.raises(Rejected, match=r"is no text in UTF-8\.$"):
        tasks([str(path)])
