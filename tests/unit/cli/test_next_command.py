"""`bgt next`: what AWS was given or a file asks for, in the order of time, and why something has no time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.command_line import Person

FRIDAY_OR_13TH = ("cron(0 3 13 * ? *)", "cron(0 3 ? * FRI *)")
WHEN = "2026-11-01T00:00:00Z"
SEEN = {"observedGeneration": 1}


def condition(type_: str, status: str, reason: str = "Because", message: str = "So it is.") -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": WHEN}


def scheduled(*expressions: str, zone: str = "UTC", launch: str = "Direct") -> dict[str, Any]:
    """The status of a task for which AWS has these schedules."""
    return {
        "observedGeneration": 1,
        "conditions": [condition("Ready", "True"), condition("Scheduled", "True")],
        "schedules": [
            {"name": f"s-{part}", "expression": text, "timeZone": zone, "launch": launch}
            for part, text in enumerate(expressions)
        ],
    }


def written(tmp_path: Path, *bodies: Any) -> str:
    path = tmp_path / "tasks.yaml"
    path.write_text(yaml.safe_dump_all(bodies))
    return str(path)


def body(name: str, *, namespace: str | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    members = {"image": "reports:1", "cpu": 256, "memory": 512, **spec}
    return {"apiVersion": "bgtask.dev/v1alpha1", "kind": "BackgroundTask", "metadata": metadata, "spec": members}


def test_the_next_runs_of_a_task_are_told_in_utc_and_on_its_own_clocks(bgt: Person) -> None:
    bgt.has_task(status=scheduled("cron(0 3 * * ? *)", zone="Europe/Berlin"))

    told = bgt("next", "nightly", "-c", "2")

    header, first, second = told.out.splitlines()
    assert header.split() == ["UTC", "LOCAL", "ZONE", "IN", "TASK"]
    assert first.split("   ") == [
        "2026-11-22T02:00:00Z",
        "Sun 2026-11-22 03:00 +0100",
        "Europe/Berlin",
        "14h",
        "nightly",
    ]
    assert second.startswith("2026-11-23T02:00:00Z")
    assert told.code == 0


def test_a_change_of_the_clocks_is_seen(bgt: Person, tmp_path: Path) -> None:
    file = written(tmp_path, body("nightly", cron="30 2 28,29 3 *", timeZone="Europe/Berlin"))

    told = bgt("next", "-f", file, "-c", "1")

    assert "Mon 2027-03-29 02:30 +0200" in told.out, "on the 28th there is no 02:30"


def test_a_slot_of_both_schedules_of_an_or_pair_is_one(bgt: Person) -> None:
    bgt.has_task(status=scheduled(*FRIDAY_OR_13TH))

    told = bgt("next", "nightly", "-o", "json", "--for", "400d")

    times = [one["time"] for one in json.loads(told.out)["runs"]]
    assert times == sorted(set(times))
    assert "2027-08-13T03:00:00Z" in times, "a Friday the 13th"
    assert {"2026-12-13T03:00:00Z", "2026-11-27T03:00:00Z"} <= set(times)


def test_tasks_of_a_namespace_are_told_in_the_order_of_time(bgt: Person) -> None:
    bgt.has_task("late", status=scheduled("cron(0 20 * * ? *)"))
    bgt.has_task("early", status=scheduled("cron(0 13 * * ? *)"))

    told = bgt("next", "-o", "json", "-c", "3")

    assert [(one["task"], one["time"]) for one in json.loads(told.out)["runs"]] == [
        ("early", "2026-11-21T13:00:00Z"),
        ("late", "2026-11-21T20:00:00Z"),
        ("early", "2026-11-22T13:00:00Z"),
    ]


def test_with_a_length_of_time_all_that_runs_within_it_is_told(bgt: Person) -> None:
    bgt.has_task(status=scheduled("cron(0 * * * ? *)"))

    assert len(json.loads(bgt("next", "nightly", "--for", "24h", "-o", "json").out)["runs"]) == 24
    assert len(json.loads(bgt("next", "nightly", "--for", "24h", "-c", "3", "-o", "json").out)["runs"]) == 3
    assert "nothing runs in that time" in bgt("next", "nightly", "--for", "30m").err


@pytest.mark.parametrize(
    ("spec", "status", "said"),
    [
        ({"suspend": True}, {"observedGeneration": 1, "conditions": [condition("Scheduled", "False", "Suspended")]},
         "It is suspended: `bgt resume nightly -n reports` goes on."),
        ({"cron": "@every 5m"}, scheduled("rate(5 minutes)"),
         "It runs every 5 minutes, counted from a moment that only AWS knows."),
        ({"cron": "rate(1 hour)"}, scheduled("rate(1 hour)"),
         "It runs every hour, counted from a moment that only AWS knows."),
        ({}, {}, "It is not scheduled yet. The operator has not answered the newest spec."),
        ({}, {**SEEN, "conditions": [condition("Ready", "False", "SecretNotAllowed", "Ask its owner.")]},
         "It is not scheduled yet. SecretNotAllowed: Ask its owner."),
        ({"cron": "at(2026-01-01T00:00:00)"},
         {**SEEN, "conditions": [condition("Ready", "True"), condition("Scheduled", "False", "Completed")]},
         "So it is."),
        ({"cron": "at(2026-01-01T00:00:00)"}, scheduled("at(2026-01-01T00:00:00)"), "Its moments are past."),
    ],
)  # fmt: skip
def test_what_has_no_next_run_says_why(bgt: Person, spec: dict[str, Any], status: dict[str, Any], said: str) -> None:
    bgt.has_task(**spec, status=status)

    told = bgt("next", "nightly")
    listed = json.loads(bgt("next", "-o", "json").out)

    assert (told.out, told.code) == (f"{said}\n", 0)
    assert listed == {"runs": [], "unscheduled": [{"namespace": "reports", "task": "nightly", "message": said}]}


def test_a_task_without_cron_runs_on_demand(bgt: Person, tmp_path: Path) -> None:
    file = written(tmp_path, body("adhoc"), body("nightly", cron="0 3 * * *"))

    told = bgt("next", "-f", file, "-c", "1")

    assert "nightly" in told.out
    assert told.out.splitlines()[-1].split(maxsplit=1) == ["adhoc", "It has no cron: it runs on demand."]


def test_a_spec_that_aws_does_not_have_yet_changes_nothing_of_what_runs(bgt: Person) -> None:
    status = scheduled("cron(0 3 * * ? *)")
    bgt.has_task(cron="0 4 * * *", status={**status, "observedGeneration": 0})

    told = bgt("next", "nightly", "-c", "1")

    assert "2026-11-22T03:00:00Z" in told.out
    assert "AWS has the schedule of an earlier spec." in told.err


def test_wide_says_who_launches_and_how_many_runs_a_slot_makes(bgt: Person) -> None:
    bgt.has_task(forEach=["emea", "apac"], status=scheduled("cron(0 3 * * ? *)", launch="Queue"))

    told = bgt("next", "nightly", "-c", "1", "-o", "wide")

    assert told.out.splitlines()[1].endswith("cron(0 3 * * ? *)   Queue    2")


def test_a_file_needs_no_cluster(bgt: Person, tmp_path: Path) -> None:
    file = written(tmp_path, body("one", cron="@daily"), None, {"kind": "List", "items": [body("two", cron="@daily")]})

    told = bgt("next", "-f", file, "-c", "2", "-o", "yaml")

    assert [one["task"] for one in yaml.safe_load(told.out)["runs"]] == ["one", "two"]
    assert bgt.targets == []


def test_tasks_of_several_namespaces_are_told_apart(bgt: Person, tmp_path: Path) -> None:
    file = written(tmp_path, body("one", cron="@daily", namespace="sales"), body("one", cron="@daily", namespace="hr"))

    told = bgt("next", "-f", file, "-c", "2")

    assert [line.split()[-2:] for line in told.out.splitlines()[1:]] == [["hr", "one"], ["sales", "one"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("nightly", "-A"), "one of TASK, -A and -f"), (("-c", "0"), "0"), (("--for", "soon"), "no length of time")],
)
def test_a_wrong_call_is_told_apart(bgt: Person, arguments: tuple[str, ...], said: str) -> None:
    told = bgt("next", *arguments)

    assert told.code == 2
    assert said in told.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "line 3"),
        ("- just\n- a list", "Document 1 of"),
        ("kind: BackgroundTask", "metadata.name"),
        (yaml.safe_dump(body("nightly", cron="61 * * * *")), "nightly: "),
        (yaml.safe_dump(body("nightly", cron="@daily", timeZone="Mars/Olympus")), "nightly: "),
        (yaml.safe_dump(body("nightly", namespace="sales")), "leave one of them out"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_quotes_nothing(
    bgt: Person, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "tasks.yaml"
    path.write_text(text + "\n# canary-secret\n")

    told = bgt("next", "-f", str(path), "-n", "reports")

    assert told.code == 1
    assert said in told.err
    assert "canary-secret" not in told.err


def test_no_tasks_at_all_is_said(bgt: Person) -> None:
    told = bgt("next", "-A")

    assert (told.out, told.code) == ("", 0)
    assert "there are no tasks" in told.err


def test_all_namespaces_are_named_also_where_only_one_has_tasks(bgt: Person) -> None:
    bgt.has_task(status=scheduled("cron(0 3 * * ? *)"))
    bgt.has_task("idle", cron=None, status=SEEN)

    told = bgt("next", "-A", "-c", "1")

    tables = [line.split() for line in told.out.splitlines() if "TASK" in line]
    assert tables == [["UTC", "LOCAL", "ZONE", "IN", "NAMESPACE", "TASK"], ["NAMESPACE", "TASK", "NO", "NEXT", "RUN"]]


def test_a_run_to_be_created_may_stand_in_the_same_file(bgt: Person, tmp_path: Path) -> None:
    by_hand = {"kind": "BackgroundTaskRun", "metadata": {"generateName": "by-hand-"}, "spec": {"task": "nightly"}}
    file = written(tmp_path, body("nightly", cron="@daily"), {"apiVersion": "bgtask.dev/v1alpha1", **by_hand})

    told = bgt("next", "-f", file, "-c", "1")

    assert (told.code, "BackgroundTaskRun/by-hand- is no BackgroundTask: left out" in told.err) == (0, True)


def test_a_task_needs_a_name_of_its_own(bgt: Person, tmp_path: Path) -> None:
    nameless = {**body("nightly"), "metadata": {"generateName": "nightly-"}}

    told = bgt("next", "-f", written(tmp_path, nameless))

    assert (told.code, "has no metadata.name: give it one" in told.err) == (1, True)


def test_a_number_for_a_namespace_is_told_how_the_count_is_said(bgt: Person) -> None:
    assert "how many runs is said by -c 5" in bgt("next", "nightly", "-n", "5").err
    assert "-c" not in bgt("next", "-n", "reports").err
