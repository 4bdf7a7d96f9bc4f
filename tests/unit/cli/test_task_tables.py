"""`bgt status`, `bgt history`, `bgt suspend`, `bgt resume`: what people read about their tasks, and switch."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from backgroundtask.errors import Blocked
from backgroundtask.kube.resource import RUNS, TASKS
from fixtures.command_line import HOME, Person, logging_to
from fixtures.objects import run_object, task_object

CANARY = "canary-secret"


def condition(type_: str, status: str, reason: str, message: str) -> dict[str, Any]:
    when = "2026-11-20T00:00:00Z"
    return {"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": when}


READY = condition("Ready", "True", "Reconciled", "AWS is as the spec asks.")
SCHEDULE = {"name": "s", "expression": "cron(0 3 * * ? *)", "timeZone": "UTC", "launch": "Direct"}
FAILED = {
    "phase": "Failed",
    "taskArn": "arn:aws:ecs:eu-west-1:111122223333:task/background/0a1b2c3d4e5f",
    "reason": "NonZeroExitCode",
    "message": "The container exited with code 3.",
    "exitCode": 3,
    "startTime": "2026-11-21T03:00:10Z",
    "completionTime": "2026-11-21T03:05:40Z",
}


def rows(out: str) -> list[list[str]]:
    """The cells of a table of lines: columns are parted by three spaces at least."""
    return [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in out.splitlines()]


def test_history_shows_the_newest_run_first_and_what_it_came_to(bgt: Person) -> None:
    bgt.has_task()
    bgt.has_run("nightly-1", spec={"scheduledTime": "2026-11-20T03:00:00Z"}, **FAILED)
    slot = {"scheduledTime": "2026-11-21T11:59:00Z"}
    bgt.has_run("nightly-2", spec=slot, phase="Running", reason="Running", startTime="2026-11-21T11:59:00Z")
    bgt("run", "nightly")

    told = bgt("history", "nightly")

    assert rows(told.out) == [
        ["RUN", "TRIGGER", "PHASE", "EXIT", "STARTED", "DURATION", "REASON"],
        ["nightly-x0000", "manual", "Pending", "-", "-", "-", "-"],
        ["nightly-2", "-", "Running", "-", "2026-11-21T11:59:00Z", "60s", "Running"],
        ["nightly-1", "-", "Failed", "3", "2026-11-21T03:00:10Z", "5m30s", "NonZeroExitCode"],
    ]


def test_a_wide_history_has_item_ecs_task_and_message(bgt: Person) -> None:
    bgt.has_task()
    bgt.has_run("nightly-1", spec={"item": "emea"}, **(FAILED | logging_to("0123abc")))

    [head, row] = rows(bgt("history", "nightly", "-o", "wide").out)

    assert head[-4:] == ["ITEM", "ATTEMPTS", "TASK", "MESSAGE"]
    assert row[-4:] == ["emea", "-", "0123abc", "The container exited with code 3."]


def test_history_counts_what_names_the_task_but_nothing_of_a_namesake_that_is_gone(bgt: Person) -> None:
    bgt.has_task()
    stranger = run_object(name="nightly-of-a-namesake")
    bgt.store.insert(RUNS, stranger)
    bgt.store.insert(RUNS, {**stranger, "metadata": {"name": "by-hand", "namespace": HOME}})
    bgt.store.insert(RUNS, {**stranger, "metadata": {"name": "elsewhere", "namespace": "other"}})

    listed = json.loads(bgt("history", "nightly", "-o", "json").out)

    assert [body["metadata"]["name"] for body in listed["items"]] == ["by-hand"]


def test_a_run_that_cannot_be_read_hides_no_other(bgt: Person) -> None:
    bgt.has_task()
    bgt.has_run("nightly-1", phase="Succeeded")
    bgt.has_run("broken", spec={"item": "\n"})

    told = bgt("history", "nightly")

    assert [row[0] for row in rows(told.out)[1:]] == ["nightly-1"]
    assert told.err.startswith("broken cannot be read: spec.item: ")


def test_a_task_that_never_ran_has_no_history(bgt: Person) -> None:
    bgt.has_task()

    told = bgt("history", "nightly")

    assert (told.out, told.err, told.code) == ("", "nightly has no runs; `bgt run nightly` starts one\n", 0)


def test_the_status_of_a_task_tells_when_why_and_how_it_last_failed(bgt: Person) -> None:
    last = {"name": "nightly-1", "phase": "Failed", "reason": "NonZeroExitCode", "exitCode": 3}
    bgt.has_task(
        timeZone="Europe/Berlin",
        status={
            "observedGeneration": 1,
            "conditions": [condition("LastRunSucceeded", "False", "NonZeroExitCode", "Run nightly-1 failed."), READY],
            "schedules": [SCHEDULE],
            "nextScheduleTime": "2026-11-22T02:00:00Z",
            "lastScheduleTime": "2026-11-21T03:00:00Z",
            "lastRun": last,
            "activeRuns": 1,
            "active": [{"name": "nightly-2"}],
        },
    )
    lines = {"group": "/bgt/test", "stream": "s", "tail": ["Writing…", "No space left on device"]}
    bgt.has_run("nightly-1", **FAILED, logs=lines)

    told = bgt("status", "nightly")

    assert told.out.splitlines() == [
        "Task:              reports/nightly",
        "Schedule:          0 3 * * * Europe/Berlin",
        "Launched by:       the schedule itself (Direct)",
        "Next run:          2026-11-22T02:00:00Z (in 14h)",
        "Last slot:         2026-11-21T03:00:00Z (9h ago)",
        "Last success:      -",
        "Active runs:       1: nightly-2",
        "Ready:             True: AWS is as the spec asks.",
        "LastRunSucceeded:  False (NonZeroExitCode): Run nightly-1 failed.",
        "Last failure:      nightly-1 Failed (NonZeroExitCode), exit code 3, 8h ago",
        "                   The container exited with code 3.",
        "Last lines:        Writing…",
        "                   No space left on device",
    ]


def test_what_somebody_cancelled_is_no_failure(bgt: Person) -> None:
    bgt.has_task()
    bgt.has_run("nightly-1", **FAILED)
    bgt.has_run("nightly-2", phase="Cancelled", reason="Cancelled", completionTime="2026-11-21T11:00:00Z")

    assert "Last failure:  nightly-1 Failed (NonZeroExitCode)" in bgt("status", "nightly").out
    assert "Cancelled" not in bgt("status").out


def test_a_change_that_the_operator_has_not_looked_at_is_told(bgt: Person) -> None:
    bgt.has_task()

    assert "the operator has not looked at the latest change yet" in bgt("status", "nightly").out


def test_the_tasks_of_a_namespace_fit_a_line_each(bgt: Person) -> None:
    stalled = condition("Ready", "False", "InvalidSpec", "spec.cron: it never runs.")
    bgt.has_task("broken", status={"observedGeneration": 1, "conditions": [stalled]})
    soon = {"observedGeneration": 1, "conditions": [READY], "nextScheduleTime": "2026-11-21T12:01:00Z"}
    bgt.has_task("minutely", cron="* * * * *", suspend=True, status=soon)
    bgt.has_run("minutely-1", task="minutely", **FAILED)

    told = bgt("status", "-o", "wide")

    assert rows(told.out) == [
        ["TASK", "READY", "SCHEDULE", "NEXT RUN", "ACTIVE", "LAST RUN", "LAST FAILURE", "MESSAGE"],
        ["broken", "False (InvalidSpec)", "0 3 * * * UTC", "-", "0", "-", "-", "spec.cron: it never runs."],
        ["minutely", "True", "* * * * * UTC suspended", "in 60s", "0", "-", "NonZeroExitCode 8h ago", "-"],
    ]


def test_all_namespaces_are_told_apart(bgt: Person) -> None:
    bgt.has_task()
    elsewhere = task_object()
    elsewhere["metadata"]["namespace"] = "sales"
    bgt.store.insert(TASKS, elsewhere)

    told = bgt("status", "-A")

    assert [row[:2] for row in rows(told.out)] == [["NAMESPACE", "TASK"], [HOME, "nightly"], ["sales", "nightly"]]
    assert len(rows(bgt("status").out)) == 2


@pytest.mark.parametrize("command", [["status", "nightly"], ["status"], ["status", "-A"]])
def test_objects_are_printed_without_values_of_variables(bgt: Person, command: list[str]) -> None:
    quoted = {"kubectl.kubernetes.io/last-applied-configuration": CANARY}
    body = task_object(env=[{"name": "TOKEN", "value": CANARY}, {"name": "B", "valueFrom": {"ssmParameter": "/b"}}])
    body["metadata"] |= {"annotations": quoted, "managedFields": [{"manager": "kubectl"}]}
    bgt.store.insert(TASKS, body)

    told = bgt(*command, "-o", "yaml")

    printed = yaml.safe_load(told.out)
    task = printed["items"][0] if printed["kind"] == "List" else printed
    assert task["spec"]["env"] == [{"name": "TOKEN"}, {"name": "B", "valueFrom": {"ssmParameter": "/b"}}]
    assert CANARY not in told.out


def test_no_task_at_all_is_told_beside_an_empty_output(bgt: Person) -> None:
    assert bgt("status").err == "There are no tasks in namespace reports\n"
    assert bgt("status", "-A").err == "There are no tasks\n"


def test_a_task_is_in_one_namespace(bgt: Person) -> None:
    told = bgt("status", "nightly", "-A")

    assert told.code == 2
    assert "leave out -A, or the task" in told.err


def test_suspend_and_resume_change_that_one_field(bgt: Person) -> None:
    before = bgt.has_task()["spec"]

    suspended = bgt("suspend", "nightly")
    between = bgt.store.find(TASKS, HOME, "nightly")
    resumed = bgt("resume", "nightly")
    after = bgt.store.find(TASKS, HOME, "nightly")

    assert (suspended.out, suspended.err) == ("nightly suspended\n", "")
    assert (resumed.out, resumed.err) == ("nightly resumed\n", "")
    assert between is not None
    assert between["spec"] == {**before, "suspend": True}
    assert after is not None
    assert after["spec"] == before


def test_what_is_so_already_is_not_written_again(bgt: Person) -> None:
    bgt.has_task(suspend=True)
    writes = len(bgt.trace.writes)

    assert bgt("suspend", "nightly").err == "nightly is suspended already\n"
    assert len(bgt.trace.writes) == writes


@pytest.mark.parametrize(
    ("marks", "tool"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, "Flux"),
        ({"annotations": {"meta.helm.sh/release-name": "x"}}, "Helm"),
    ],
)
def test_a_task_from_git_is_suspended_with_a_warning(bgt: Person, marks: dict[str, Any], tool: str) -> None:
    body = task_object()
    body["metadata"] |= marks
    bgt.store.insert(TASKS, body)

    told = bgt("suspend", "nightly")

    assert told.code == 0
    assert told.err == f"Warning: {tool} deploys nightly and may set spec.suspend back: change it there, too\n"


def test_who_may_not_is_told_in_a_line(bgt: Person) -> None:
    bgt.has_task()
    bgt.trace.fail_next("kube.patch", Blocked("Forbidden", "You may not patch backgroundtasks in namespace reports"))

    told = bgt("suspend", "nightly")

    assert (told.out, told.err, told.code) == ("", "Error: You may not patch backgroundtasks in namespace reports\n", 1)
