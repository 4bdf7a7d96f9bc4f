"""What is told of each request to the API server: for those who count, and for those who ask whether it answers."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes.client import Configuration
from urllib3.exceptions import ProtocolError

from backgroundtask.errors import Blocked, Busy
from backgroundtask.kube.client import Kube
from backgroundtask.kube.login import Login
from backgroundtask.kube.resource import RUNS, TASKS, Ref
from backgroundtask.kube.transport import Transport
from fixtures.scripted_rest import HOST, Reply, ScriptedRest, status

TASK = Ref(TASKS, "reports", "nightly", "uid-1", "7")


def told_of(*replies: Reply | Exception) -> tuple[Kube, list[Any]]:
    told: list[Any] = []
    rest: Any = ScriptedRest(*replies)
    return Kube(Transport(Login(Configuration(host=HOST)), rest, lambda *call: told.append(call))), told


def test_every_request_is_told_with_its_resource_its_verb_and_what_was_answered() -> None:
    kube, told = told_of(Reply(201, {}), Reply(200, {}), status(403, "Forbidden", "cannot patch"))

    kube.create(RUNS, {"metadata": {"namespace": "reports", "name": "nightly-1"}})
    kube.patch(TASK, {})
    with pytest.raises(Blocked):
        kube.patch_status(TASK, {"activeRuns": 1})

    assert told == [
        ("backgroundtaskruns", "create", "201"),
        ("backgroundtasks", "patch", "200"),
        ("backgroundtasks/status", "patch", "403"),
    ]


def test_a_request_that_nobody_answered_is_told_too() -> None:
    kube, told = told_of(ProtocolError("cut"))

    with pytest.raises(Busy):
        kube.cluster_uid()

    assert told == [("namespaces", "get", "Unreachable")]
