"""Revisions that a run may still be started from."""

import json

import pytest

from backgroundtask.plan.retirement import revisions_in_use
from fixtures.objects import run


@pytest.mark.parametrize(
    ("status", "uses", "why"),
    [
        ({"phase": "Running", "taskDefinitionArn": "a:1"}, {"a:1"}, "its task runs"),
        ({"phase": "Pending"}, set(), "it will be launched with whatever is current then"),
        ({"phase": "Succeeded", "taskDefinitionArn": "a:1"}, set(), "it is over"),
    ],
)
def test_a_revision_is_in_use_while_a_run_of_it_has_not_ended(status: dict[str, str], uses: set[str], why: str) -> None:
    assert revisions_in_use([run(**status)]) == uses, why


@pytest.mark.parametrize(
    ("request_", "uses", "why"),
    [
        (json.dumps({"taskDefinition": "a:2"}), {"a:1", "a:2"}, "the next attempt runs another revision"),
        ("nonsense", {"a:1"}, "somebody edited it"),
        ("[]", {"a:1"}, "somebody edited it"),
        (json.dumps({"taskDefinition": 2}), {"a:1"}, "somebody edited it"),
    ],
)
def test_so_is_that_of_a_frozen_launch(request_: str, uses: set[str], why: str) -> None:
    launch = {"number": 1, "token": "t", "time": "2026-11-21T12:00:00Z", "request": request_}

    status = {"phase": "Launching", "taskDefinitionArn": "a:1", "launch": launch}

    assert revisions_in_use([run(**status)]) == uses, why
