"""The audit log as tests read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from localkube.audit import POLICY, Entry, entries

EVENT: dict[str, Any] = {
    "kind": "Event",
    "stage": "ResponseComplete",
    "requestURI": "/apis/apps/v1/namespaces/prod/deployments/web/status",
    "verb": "patch",
    "user": {"username": "alice", "groups": ["team-a"]},
    "objectRef": {"resource": "deployments", "subresource": "status", "namespace": "prod", "name": "web"},
    "responseStatus": {"code": 200},
}


def log(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "audit.log"
    path.write_text("".join(lines))
    return path


def line(**changes: object) -> str:
    return json.dumps(EVENT | changes) + "\n"


def test_an_entry_says_who_did_what_to_which_object(tmp_path: Path) -> None:
    found = list(entries(log(tmp_path, line())))

    assert found == [
        Entry(user="alice", verb="patch", resource="deployments/status", namespace="prod", name="web", code=200)
    ]


def test_writes_are_told_from_reads(tmp_path: Path) -> None:
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]

    found = entries(log(tmp_path, *(line(verb=verb) for verb in verbs)))

    assert [entry.verb for entry in found if entry.is_write] == verbs[3:]


def test_a_request_for_no_object_is_named_by_its_path(tmp_path: Path) -> None:
    without = {name: value for name, value in EVENT.items() if name != "objectRef"}

    (found,) = entries(log(tmp_path, json.dumps(without | {"requestURI": "/metrics"}) + "\n"))

    assert (found.resource, found.namespace, found.name) == ("/metrics", "", "")


def test_a_line_that_is_still_written_is_left_for_later(tmp_path: Path) -> None:
    assert len(list(entries(log(tmp_path, line(), line()[:40])))) == 1


def test_the_policy_records_no_contents() -> None:
    assert {rule["level"] for rule in POLICY["rules"]} == {"None", "Metadata"}
    assert POLICY["rules"][-1] == {"level": "Metadata"}
