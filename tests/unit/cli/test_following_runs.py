"""`bgt wait` and `bgt cancel`: phases, patience and exit codes."""

from __future__ import annotations

from typing import Any

import pytest

from backgroundtask.errors import Busy
from backgroundtask.kube.resource import RUNS
from fixtures.command_line import HOME, Person


@pytest.mark.parametrize(
    ("status", "code", "why"),
    [
        ({"phase": "Succeeded", "exitCode": 0}, 0, "that is success"),
        ({"phase": "Failed", "exitCode": 3}, 3, "the container's"),
        ({"phase": "Failed", "exitCode": 137}, 137, "killed: 128 + 9, as ECS tells it"),
        ({"phase": "Failed", "exitCode": 0}, 1, "a 0 of a container that AWS interrupted is no success"),
        ({"phase": "Failed"}, 1, "no container, no exit code"),
        ({"phase": "Cancelled", "exitCode": 143}, 143, "it ended on SIGTERM"),
        ({"phase": "Cancelled"}, 1, "it never started"),
        ({"phase": "Skipped"}, 1, "nothing ran"),
        ({"phase": "Missed"}, 1, "nothing ran"),
        ({"phase": "Lost"}, 1, "nobody knows"),
    ],
)
def test_the_exit_code_is_the_containers_and_0_for_success_only(
    bgt: Person, status: dict[str, Any], code: int, why: str
) -> None:
    bgt.has_run("nightly-1", **status)

    assert bgt("wait", "nightly-1").code == code, why


def test_each_phase_is_told_once_and_the_end_with_its_reason(bgt: Person) -> None:
    bgt.has_run("nightly-1", phase="Pending", reason="ConcurrencyForbidden")
    running = bgt.tell("nightly-1", phase="Running", reason="Running", startTime="2026-11-21T12:00:02Z")
    bgt.meanwhile(lambda: None, running, running, bgt.ends("nightly-1", reason="Succeeded"))

    told = bgt("wait", "nightly-1")

    assert (told.out, told.code) == ("", 0)
    assert told.err.splitlines()[:2] == ["nightly-1: Pending (ConcurrencyForbidden)", "nightly-1: Running"]
    assert told.err.splitlines()[2].startswith("nightly-1: Succeeded after ")


def test_of_several_runs_the_first_that_failed_decides(bgt: Person) -> None:
    bgt.has_run("nightly-1", phase="Succeeded", exitCode=0)
    bgt.has_run("nightly-2", phase="Failed", exitCode=4)
    bgt.has_run("nightly-3", phase="Failed", exitCode=5)

    told = bgt("wait", "nightly-1", "nightly-2", "nightly-3")

    assert told.code == 4
    assert [line.split(":")[0] for line in told.err.splitlines()] == ["nightly-1", "nightly-2", "nightly-3"]


def test_patience_ends_with_124_and_the_run_goes_on(bgt: Person) -> None:
    bgt.has_run("nightly-1", phase="Running")
    begun = bgt.clock()

    told = bgt("wait", "nightly-1", "--timeout", "1m30s")

    assert told.code == 124
    assert "has not ended in time and goes on; `bgt cancel nightly-1` stops it" in told.err
    assert (bgt.clock() - begun).total_seconds() == 90
    assert not bgt.run("nightly-1")["spec"].get("cancel")


def test_a_new_reason_is_told_though_the_phase_is_the_same(bgt: Person) -> None:
    bgt.has_run("nightly-1", phase="Running", reason="Running")
    bgt.meanwhile(bgt.tell("nightly-1", reason="BackoffRetry"), lambda: None, bgt.ends("nightly-1"))

    told = bgt("wait", "nightly-1")

    assert told.err.splitlines()[:2] == ["nightly-1: Running", "nightly-1: Running (BackoffRetry)"]


def test_what_a_run_waits_for_is_told_and_told_anew_when_it_changes(bgt: Person) -> None:
    waits = {"phase": "Pending", "reason": "ConcurrencyForbidden"}
    bgt.has_run("nightly-1", **waits, message="It waits for the end of nightly-0.")
    bgt.meanwhile(lambda: None, bgt.tell("nightly-1", message="It waits for the end of other."), bgt.ends("nightly-1"))

    told = bgt("wait", "nightly-1")

    assert told.err.splitlines()[:2] == [
        "nightly-1: Pending (ConcurrencyForbidden): It waits for the end of nightly-0.",
        "nightly-1: Pending (ConcurrencyForbidden): It waits for the end of other.",
    ]


def test_ctrl_c_ends_the_waiting_and_not_the_run(bgt: Person) -> None:
    bgt.has_run("nightly-1", phase="Running")

    def interrupt() -> None:
        raise KeyboardInterrupt

    bgt.meanwhile(interrupt)

    told = bgt("wait", "nightly-1")

    assert told.code == 130
    assert told.err.splitlines()[-1] == "nightly-1 goes on; `bgt cancel nightly-1` stops it"
    assert not bgt.run("nightly-1")["spec"].get("cancel")


def test_no_patience_is_one_look(bgt: Person) -> None:
    bgt.has_run("nightly-1", phase="Running")
    bgt.has_run("nightly-2", phase="Succeeded")

    assert bgt("wait", "nightly-1", "--timeout", "0").code == 124
    assert bgt("wait", "nightly-2", "--timeout", "0").code == 0


def test_an_api_server_that_restarts_ends_no_waiting(bgt: Person) -> None:
    bgt.has_run("nightly-1", phase="Running")
    unreachable = Busy("Unreachable", "The API server does not answer")
    bgt.meanwhile(lambda: bgt.trace.fail_next("kube.get", unreachable, times=2), lambda: None, bgt.ends("nightly-1"))

    assert bgt("wait", "nightly-1").code == 0


def test_a_run_that_is_deleted_meanwhile_is_told_as_that(bgt: Person) -> None:
    body = bgt.has_run("nightly-1", phase="Running")
    bgt.meanwhile(lambda: bgt.store.delete(RUNS, body))

    told = bgt("wait", "nightly-1")

    assert (told.err.splitlines()[-1], told.code) == ("Error: nightly-1 was deleted before it ended", 1)


def test_a_run_of_which_nothing_is_kept_is_remembered_by_its_task(bgt: Person) -> None:
    task = bgt.has_task(successfulRunsHistoryLimit=0, failedRunsHistoryLimit=0)
    body = bgt.has_run("nightly-1", phase="Running", reason="Running")
    last = {"name": "nightly-1", "phase": "Failed", "reason": "NonZeroExitCode", "exitCode": 3}
    bgt.meanwhile(lambda: bgt.store.delete(RUNS, body), lambda: bgt.told(task, lastRun=last))

    told = bgt("wait", "nightly-1")

    assert told.code == 3
    assert told.err.splitlines()[-1] == "nightly-1: Failed (NonZeroExitCode)"


def test_a_run_that_is_not_there_is_not_waited_for(bgt: Person) -> None:
    told = bgt("wait", "nightly-1")

    assert told.code == 1
    assert "There is no BackgroundTaskRun nightly-1" in told.err


def test_cancel_sets_the_one_field_that_may_change(bgt: Person) -> None:
    before = bgt.has_run("nightly-1", spec={"item": "emea"}, phase="Running")

    told = bgt("cancel", "nightly-1")

    assert (told.out, told.code) == ("nightly-1 is being cancelled\n", 0)
    assert bgt.run("nightly-1")["spec"] == {**before["spec"], "cancel": True}


def test_an_ended_run_needs_no_cancel(bgt: Person) -> None:
    bgt.has_run("nightly-1", phase="Failed")

    told = bgt("cancel", "nightly-1")

    assert (told.out, told.err, told.code) == ("", "nightly-1 has ended already: Failed\n", 0)
    assert not bgt.run("nightly-1")["spec"].get("cancel")


def test_a_run_of_another_namespace_is_another_run(bgt: Person) -> None:
    bgt.has_run("nightly-1", phase="Running")

    told = bgt("cancel", "nightly-1", "-n", "elsewhere")

    assert told.code == 1
    assert "in namespace elsewhere" in told.err
    assert bgt.store.find(RUNS, HOME, "nightly-1") == bgt.run("nightly-1")
    assert not bgt.run("nightly-1")["spec"].get("cancel")
