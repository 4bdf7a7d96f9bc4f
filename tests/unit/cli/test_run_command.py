"""`bgt run` and `bgt rerun`: what they create, refuse, print, and exit with."""

from __future__ import annotations

import json

import pytest
import yaml

from backgroundtask.api.names import MAX_TASK_NAME
from backgroundtask.api.parsing import parse_run
from backgroundtask.errors import Blocked, Busy
from backgroundtask.plan.identity import index_of, unit_of
from fixtures.admission import refusals
from fixtures.command_line import HOME, Person, logging_to

CANARY = "canary-secret"
ENV = ("--env", f"TOKEN={CANARY}")


def test_a_run_is_owned_by_its_task_as_a_job_from_a_cronjob_is(bgt: Person) -> None:
    task = bgt.has_task()

    told = bgt("run", "nightly")

    [run] = bgt.runs()
    assert (told.out, told.err, told.code) == ("nightly-x0000\n", "", 0)
    metadata = run["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("nightly-x0000", HOME)
    assert metadata["labels"] == {"bgtask.dev/task": "nightly", "bgtask.dev/trigger": "manual"}
    [owner] = metadata["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (task["metadata"]["uid"], True)
    assert "blockOwnerDeletion" not in owner, "that would take the right to update finalizers of tasks"
    assert parse_run(run).spec.overrides is None
    assert run["spec"]["task"] == "nightly"


def test_every_override_arrives_as_it_was_typed(bgt: Person) -> None:
    bgt.has_task()

    told = bgt(
        "run", "nightly", *ENV, "--env", "EMPTY=", "--env", "URL=http://a?b=c", "--cpu", "1024", "--memory", "2048",
        "--task-role", "reader", "--ttl", "2h", "--", "python", "-m", "report", "--env", "--", "-x",
    )  # fmt: skip

    assert told.code == 0
    spec = bgt.runs()[0]["spec"]
    assert spec["overrides"] == {
        "command": ["python", "-m", "report", "--env", "--", "-x"],
        "env": [
            {"name": "TOKEN", "value": CANARY},
            {"name": "EMPTY", "value": ""},
            {"name": "URL", "value": "http://a?b=c"},
        ],
        "cpu": 1024,
        "memory": 2048,
        "taskRole": "reader",
    }
    assert spec["ttlSecondsAfterFinished"] == 7200


def test_a_suspended_task_runs_when_somebody_asks(bgt: Person) -> None:
    bgt.has_task(suspend=True)

    assert bgt("run", "nightly").code == 0
    assert len(bgt.runs()) == 1


def test_a_task_with_items_makes_one_run_an_item_in_their_order(bgt: Person) -> None:
    bgt.has_task(forEach=["emea", "apac"])

    told = bgt("run", "nightly")

    assert told.out == "nightly-x0000-0\nnightly-x0000-1\n"
    assert [run["spec"]["item"] for run in bgt.runs()] == ["emea", "apac"]
    made = [parse_run(body) for body in bgt.runs()]
    assert [(unit_of(run), index_of(run)) for run in made] == [("nightly-x0000-*", 0), ("nightly-x0000-*", 1)]


def test_one_item_makes_one_run(bgt: Person) -> None:
    bgt.has_task(forEach=["emea", "apac"])

    assert bgt("run", "nightly", "--item", "apac").out == "nightly-x0000\n"
    assert index_of(parse_run(bgt.runs()[0])) is None, "it waits for no other item"
    assert [run["spec"]["item"] for run in bgt.runs()] == ["apac"]


@pytest.mark.parametrize(
    ("spec", "arguments", "code", "says"),
    [
        ({}, ["daily"], 1, "There is no BackgroundTask daily in namespace reports; there are nightly"),
        ({}, ["nightly", "--item", "emea"], 1, "nightly has no forEach"),
        ({"forEach": ["emea", "apac"]}, ["nightly", "--item", "us"], 1, "nightly has no such item; it has emea, apac"),
        ({}, ["nightly", "--cpu", "1"], 1, "spec.overrides.cpu: "),
        ({}, ["nightly", "--env", f"BGT_RUN={CANARY}"], 1, "names that begin with BGT_ are set by the operator"),
        ({}, ["nightly", *ENV, *ENV], 1, "spec.overrides.env: "),
        ({}, ["nightly", "--env", CANARY], 2, "a variable is written NAME=VALUE"),
        ({}, ["nightly", "--env", "TOKEN", CANARY], 2, "a variable is written NAME=VALUE"),
        ({}, ["nightly", "--env", "TOKEN=", CANARY], 2, "a command for the container goes behind --"),
        ({}, ["nightly", f"--envy=TOKEN={CANARY}"], 2, "No such option"),
        ({}, ["nightly", "--dry-run", "--wait"], 2, "leave out --wait and --logs"),
        ({}, ["nightly", "--timeout", "5m"], 2, "--timeout is for --wait and --logs"),
        ({}, ["nightly", "--ttl", "soon"], 2, "write one such as 90s, 5m or 1h30m"),
    ],
)
def test_a_wrong_wish_is_told_in_a_line_without_values_and_creates_nothing(
    bgt: Person, spec: dict[str, object], arguments: list[str], code: int, says: str
) -> None:
    bgt.has_task(**spec)

    told = bgt("run", *arguments)

    assert told.code == code
    assert says in told.err.splitlines()[-1]
    assert CANARY not in told.out + told.err
    assert bgt.runs() == []


def test_no_value_of_a_variable_is_printed_whatever_happens_to_the_run(bgt: Person) -> None:
    bgt.has_task()
    bgt.meanwhile(bgt.ends("nightly-x0002", "Failed", reason="NonZeroExitCode", exitCode=3))

    tolds = [
        bgt("run", "nightly", *ENV, "-o", "yaml"),
        bgt("run", "nightly", *ENV, "-o", "json"),
        bgt("run", "nightly", *ENV, "--wait"),
        bgt("run", "nightly", *ENV, "--dry-run"),
        bgt("rerun", "nightly-x0002", "-o", "yaml"),
        bgt("history", "nightly", "-o", "yaml"),
        bgt("history", "nightly", "-o", "wide"),
    ]

    assert [told.code for told in tolds] == [0, 0, 3, 0, 0, 0, 0]
    assert CANARY not in "".join(told.out + told.err for told in tolds)
    assert all(run["spec"]["overrides"]["env"][0]["value"] == CANARY for run in bgt.runs())


def test_a_dry_run_prints_what_can_be_applied_and_creates_nothing(bgt: Person) -> None:
    bgt.has_task()

    told = bgt("run", "nightly", "--cpu", "512", "--dry-run", "--", "true")

    document = yaml.safe_load(told.out)
    assert told.code == 0
    assert (document["kind"], document["spec"]) == (
        "BackgroundTaskRun",
        {"task": "nightly", "overrides": {"command": ["true"], "cpu": 512}},
    )
    assert refusals(document) == []
    assert bgt.runs() == []


def test_a_dry_run_with_variables_cannot_be_applied_before_their_values_are_filled_in(bgt: Person) -> None:
    bgt.has_task()

    told = bgt("run", "nightly", *ENV, "--dry-run", "-o", "json")

    assert "fill in TOKEN" in told.err
    assert any("value" in sentence for sentence in refusals(json.loads(told.out)))


def test_a_dry_run_of_a_task_with_items_prints_a_list(bgt: Person) -> None:
    bgt.has_task(forEach=["emea", "apac"])

    listed = yaml.safe_load(bgt("run", "nightly", "--dry-run").out)

    assert (listed["kind"], [each["spec"]["item"] for each in listed["items"]]) == ("List", ["emea", "apac"])


def test_a_taken_name_is_left_to_who_has_it(bgt: Person) -> None:
    bgt.has_task()
    bgt.has_run("nightly-x0000", phase="Succeeded")

    assert bgt("run", "nightly").out == "nightly-x0001\n"
    assert bgt.run("nightly-x0000")["status"]["phase"] == "Succeeded"


def test_the_longest_task_name_has_room_for_runs_of_a_hundred_items(bgt: Person) -> None:
    name = "n" * MAX_TASK_NAME
    bgt.has_task(name, forEach=[str(number) for number in range(100)])

    told = bgt("run", name)

    assert told.code == 0
    assert told.out.splitlines()[-1] == f"{name}-x0000-99"
    assert refusals(bgt.runs()[-1]) == []


def test_what_the_api_server_will_not_do_now_is_told_in_a_line(bgt: Person) -> None:
    bgt.has_task()
    bgt.trace.fail_next("kube.create", Busy("Unavailable", "Could not create backgroundtaskruns: try again"))

    told = bgt("run", "nightly")

    assert (told.out, told.err, told.code) == ("", "Error: Could not create backgroundtaskruns: try again\n", 1)


def test_lines_of_the_container_are_the_output_and_all_else_goes_beside_it(bgt: Person) -> None:
    bgt.has_task()
    name = "nightly-x0000"
    bgt.meanwhile(
        bgt.tell(name, phase="Launching", reason="Launching", taskArn=logging_to("s")["taskArn"]),
        bgt.tell(name, phase="Running", reason="Running", **logging_to("s")),
        lambda: bgt.writes("s", "one", "two"),
        bgt.ends(name, "Failed", reason="NonZeroExitCode", exitCode=3, message="The container exited with code 3."),
        lambda: bgt.writes("s", "late"),
    )

    told = bgt("run", "nightly", "--logs")

    assert (told.out, told.code) == ("one\ntwo\nlate\n", 3)
    assert told.err.splitlines() == [
        f"{name} created",
        f"{name}: Pending",
        f"{name}: Launching",
        f"{name}: Running",
        f"{name}: Failed (NonZeroExitCode): The container exited with code 3.",
    ]
    assert bgt.regions == ["eu-west-1"] * len(bgt.regions)


def test_a_log_that_may_not_be_read_is_told_once_and_the_run_is_waited_for(bgt: Person) -> None:
    bgt.has_task()
    name = "nightly-x0000"
    bgt.trace.fail_next("log_events.*", Blocked("NoCredentials", "The operator has no AWS credentials."), times=99)
    running = bgt.tell(name, phase="Running", **logging_to("s"))
    bgt.meanwhile(running, running, running, bgt.ends(name))

    told = bgt("run", "nightly", "--logs")

    assert told.code == 0
    complaints = [line for line in told.err.splitlines() if "cannot be shown" in line]
    assert len(complaints) == 1
    assert "aws sso login" in complaints[0]


def test_a_run_is_asked_for_again_with_all_that_it_was_asked_for_with(bgt: Person) -> None:
    bgt.has_task(forEach=["emea", "apac"])
    wish = {
        "overrides": {"command": ["a"], "env": [{"name": "TOKEN", "value": CANARY}], "cpu": 512, "taskRole": "reader"},
        "item": "apac",
        "scheduledTime": "2026-11-21T03:00:00Z",
        "ttlSecondsAfterFinished": 60,
    }
    bgt.has_run("nightly-29921220-1", spec={**wish, "cancel": True}, phase="Cancelled")

    told = bgt("rerun", "nightly-29921220-1")

    again = bgt.run("nightly-x0000")["spec"]
    assert told.out == "nightly-x0000\n"
    assert {key: value for key, value in again.items() if key not in {"task", "cancel"}} == wish
    assert again.get("cancel") in (None, False)


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ("nightly-2", "There is no BackgroundTaskRun nightly-2 in namespace reports; there are nightly-1"),
        ("nightly-1", "There is no BackgroundTask nightly in namespace reports; there are none"),
    ],
)
def test_what_is_gone_cannot_be_run_again(bgt: Person, run: str, says: str) -> None:
    bgt.has_run("nightly-1")

    told = bgt("rerun", run)

    assert told.code == 1
    assert says in told.err
    assert len(bgt.runs()) == 1
