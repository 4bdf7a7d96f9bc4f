"""Files as kubectl reads them: what an apply would take, `bgt` takes, and what it would refuse, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backgroundtask.cli.documents import read, tasks
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


def test_a_member_without_a_field_is_refused_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    size = "image: a, cpu: 256, memory: 512"
    path.write_text(f"{HEAD}spec: {{{size}, imagee: canary-secret, env: [{{name: A, value: b, from: c}}]}}\n")
    [body], _ = tasks([str(path)])

    with pytest.raises(Rejected, match=r"^spec\.env\[0\]\.from, spec\.imagee: a BackgroundTask has no such field\."):
        read(body)


def test_every_field_that_there_is_may_be_given() -> None:
    volume = {"name": "v", "mountPath": "/v", "readOnly": True, "efs": {"fileSystemId": "fs-0123456789", "iam": False}}
    every = {
        "image": "a", "cpu": 256, "memory": 512, "command": [], "entryPoint": ["a"], "cron": None, "forEach": ["a"],
        "env": [{"name": "A", "valueFrom": {"ssmParameter": "/a"}}, {"name": "B", "value": ""}], "tags": {"a": "b"},
        "suspend": False, "volumes": [volume], "taskRole": "a", "enableExecuteCommand": True, "launchTemplate": "a",
    }  # fmt: skip
    metadata = {"name": "nightly", "namespace": "reports", "annotations": {"a": "b"}, "unknown": "to us"}

    task = read({"metadata": metadata, "spec": every})

    assert task.spec.for_each == ("a",)
