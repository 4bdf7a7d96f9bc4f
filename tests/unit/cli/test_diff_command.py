"""`bgt diff`: what the operator would do about a file, told without doing it, and without a value of env."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from backgroundtask.errors import Busy
from backgroundtask.kube.resource import TEMPLATES
from fixtures.command_line import Person
from fixtures.fake_process import INSTALLATION
from fixtures.fake_world import World, settled
from fixtures.objects import ACCOUNT

CANARY = "canary-secret"


@pytest.fixture
def world() -> World:
    """A world at rest: `reports/nightly` is as AWS holds it."""
    made = settled()
    made.edit(env=[{"name": "TOKEN", "value": CANARY}, {"name": "OLD", "value": CANARY}])
    made.pass_time(5)
    return made


@pytest.fixture
def person(bgt: Person, world: World) -> Person:
    bgt.store, bgt.account, bgt.trace = world.store, world.account, world.trace
    bgt.clock.now = world.clock.now
    return bgt


@pytest.fixture
def file(world: World, tmp_path: Path) -> Callable[..., str]:
    """A file with the task as it is, but for members that are given; None takes one out."""

    def written(name: str = "nightly", *, namespace: str | None = "reports", **changed: Any) -> str:
        spec = {key: value for key, value in {**world.task()["spec"], **changed}.items() if value is not None}
        metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
        body = {"apiVersion": "bgtask.dev/v1alpha1", "kind": "BackgroundTask", "metadata": metadata, "spec": spec}
        path = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}.yaml"
        path.write_text(yaml.safe_dump(body))
        return str(path)

    return written


def changes(person: Person, path: str) -> list[dict[str, Any]]:
    told = person("diff", "-f", path, "-o", "json")
    assert told.code == 1, told.err
    [task] = json.loads(told.out)["tasks"]
    assert task["changed"] is True
    found: list[dict[str, Any]] = task["changes"]
    return found


def differences(change: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    return {one["path"]: (one["before"], one["after"]) for one in change["differences"]}


def test_what_is_applied_already_changes_nothing(person: Person, file: Callable[..., str]) -> None:
    told = person("diff", "-f", file())

    assert (told.out, told.err, told.code) == ("reports/nightly: no change\n", "", 0)


def test_nothing_is_written_to_look(person: Person, file: Callable[..., str], world: World) -> None:
    before = len(world.trace.writes)

    assert person("diff", "-f", file(image="reports:9", cron="@hourly")).code == 1

    assert len(world.trace.writes) == before


def test_a_new_image_is_a_new_revision_that_the_schedule_will_start(person: Person, file: Callable[..., str]) -> None:
    definition, schedule = changes(person, file(image="reports:9"))

    assert (definition["action"], definition["kind"]) == ("Update", "task definition")
    assert differences(definition) == {"image": ("reports:1.4", "reports:9")}
    assert (schedule["action"], schedule["kind"]) == ("Update", "schedule")
    assert differences(schedule) == {"taskDefinition": (definition["name"], "(the new revision)")}


def test_of_variables_only_the_names_are_told(person: Person, file: Callable[..., str]) -> None:
    env = [{"name": "TOKEN", "value": f"{CANARY}-2"}, {"name": "NEW", "value": CANARY}, {"name": "EMPTY", "value": ""}]
    path = file(env=env)

    told = person("diff", "-f", path)
    [definition, _] = changes(person, path)

    assert differences(definition) == {
        "env.EMPTY": (None, "…"), "env.NEW": (None, "…"), "env.OLD": ("…", None), "env.TOKEN": ("…", "…"),
    }  # fmt: skip
    assert [line.split() for line in told.out.splitlines() if "env." in line] == [
        ["env.EMPTY", "added"], ["env.NEW", "added"], ["env.OLD", "removed"], ["env.TOKEN", "changed"],
    ]  # fmt: skip
    assert CANARY not in told.out + told.err + json.dumps(definition)


def test_another_time_changes_the_schedule_and_no_definition(person: Person, file: Callable[..., str]) -> None:
    path = file(cron="0 4 * * *", timeZone="Europe/Berlin")

    [schedule] = changes(person, path)
    told = person("diff", "-f", path).out

    assert differences(schedule) == {
        "expression": ("cron(0 3 * * ? *)", "cron(0 4 * * ? *)"),
        "timeZone": ("UTC", "Europe/Berlin"),
    }
    assert "cron(0 3 * * ? *) → cron(0 4 * * ? *)" in told


def test_suspending_switches_off_and_no_cron_removes(person: Person, file: Callable[..., str]) -> None:
    [off] = changes(person, file(suspend=True))
    [gone] = changes(person, file(cron=None))

    assert differences(off) == {"enabled": ("true", "false")}
    assert (gone["action"], gone["differences"]) == ("Remove", [])


def test_a_policy_that_needs_the_operator_turns_the_schedule_into_ticks(
    person: Person, file: Callable[..., str]
) -> None:
    [schedule] = changes(person, file(concurrencyPolicy="Forbid"))

    assert differences(schedule)["launch"] == ("Direct", "Queue")


def test_a_new_task_is_told_with_all_that_is_made(person: Person, file: Callable[..., str]) -> None:
    definition, schedule = changes(person, file("weekly"))

    assert (definition["action"], schedule["action"]) == ("Create", "Create")
    assert definition["name"].endswith("_reports_weekly")
    told = differences(definition)
    assert (told["image"], told["cpu"], told["env.TOKEN"]) == ((None, "reports:1.4"), (None, "256"), (None, "…"))
    assert differences(schedule) == {
        "enabled": (None, "true"), "expression": (None, "cron(0 3 * * ? *)"), "launch": (None, "Direct"),
        "timeZone": (None, "UTC"),
    }  # fmt: skip


def test_what_somebody_changed_in_aws_is_told_too(person: Person, file: Callable[..., str], world: World) -> None:
    [((group, name), (document, changed))] = world.account.schedules.items()
    world.account.schedules[group, name] = ({**document, "State": "DISABLED"}, changed)

    [schedule] = changes(person, file())

    assert differences(schedule) == {"enabled": ("false", "true")}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"taskRole": "admin"}, "TaskRoleNotOffered"),
        ({"cron": "61 * * * *"}, "InvalidSchedule"),
        ({"memory": 100}, "InvalidSpec"),
        ({"launchTemplate": "other"}, "NotFound"),
    ],
)
def test_a_task_that_would_be_refused_says_why_and_does_not_keep_the_others(
    person: Person, file: Callable[..., str], tmp_path: Path, changed: dict[str, Any], reason: str
) -> None:
    both = tmp_path / "both.yaml"
    both.write_text(Path(file(**changed)).read_text() + "\n---\n" + Path(file("weekly")).read_text())

    told = person("diff", "-f", str(both), "-o", "json")
    for_people = person("diff", "-f", str(both))

    refused, made = json.loads(told.out)["tasks"]
    assert (told.code, for_people.code) == (2, 2)
    assert refused["error"]["reason"] == reason
    assert made["changed"] is True
    assert f"reports/nightly: {reason}: " in for_people.err
    assert "+ schedule" in for_people.out


def test_a_template_cannot_be_exchanged(person: Person, file: Callable[..., str], world: World) -> None:
    world.furnish(name="other")
    world.pass_time(5)

    told = person("diff", "-f", file(launchTemplate="other"))

    assert told.code == 2
    assert "cannot be changed" in told.err


def test_a_strangers_schedule_is_not_overwritten(person: Person, file: Callable[..., str], world: World) -> None:
    [((group, name), (document, changed))] = world.account.schedules.items()
    world.account.schedules[group, name] = ({**document, "Description": "mine"}, changed)

    told = person("diff", "-f", file())

    assert told.code == 2
    assert "NotOwned" in told.err


def test_credentials_of_another_account_would_see_another_aws_and_are_refused(
    person: Person, file: Callable[..., str], world: World
) -> None:
    template = world.object(TEMPLATES, "default")
    arn = template["status"]["clusterArn"].replace(ACCOUNT, "210987654321")
    world.store.replace(TEMPLATES, template, {**template, "status": {**template["status"], "clusterArn": arn}})

    told = person("diff", "-f", file())

    assert told.code == 2
    assert "another account" in told.err
    assert "AWS_PROFILE" in told.err


def test_an_aws_that_does_not_answer_is_no_difference(person: Person, file: Callable[..., str], world: World) -> None:
    world.trace.fail_next("ecs.active_revisions", Busy("AwsUnreachable", "AWS does not answer."))

    told = person("diff", "-f", file())

    assert told.code == 2
    assert "AwsUnreachable" in told.err


def test_a_template_that_was_never_verified_has_no_aws_to_compare_with(
    person: Person, file: Callable[..., str], world: World
) -> None:
    template = world.object(TEMPLATES, "default")
    world.store.replace(TEMPLATES, template, {**template, "status": {"observedGeneration": -1}})

    told = person("diff", "-f", file("weekly"))

    assert told.code == 2
    assert "LaunchTemplateNotReady" in told.err


def test_where_nothing_tells_the_installation_it_has_to_be_said(
    person: Person, file: Callable[..., str], world: World
) -> None:
    template = world.object(TEMPLATES, "default")
    spec = {**template["spec"], "scheduleGroup": f"bgt-{INSTALLATION}"}
    world.store.replace(TEMPLATES, template, {**template, "spec": spec})
    path = file()
    world.delete()
    world.pass_time(5)

    silent, told = person("diff", "-f", path), person("diff", "-f", path, "--installation", INSTALLATION)

    assert silent.code == 2
    assert "say it with --installation" in silent.err
    assert told.code == 1


def test_a_paused_task_says_that_nothing_will_happen(person: Person, tmp_path: Path, world: World) -> None:
    spec = {**world.task()["spec"], "image": "reports:9"}
    metadata = {"name": "nightly", "namespace": "reports", "annotations": {"bgtask.dev/paused": "true"}}
    path = tmp_path / "paused.yaml"
    path.write_text(
        yaml.safe_dump(
            {"apiVersion": "bgtask.dev/v1alpha1", "kind": "BackgroundTask", "metadata": metadata, "spec": spec}
        )
    )

    told = person("diff", "-f", str(path))

    assert "Nothing of it happens while the annotation bgtask.dev/paused is there." in told.out


def test_a_file_without_tasks_is_a_mistake(person: Person, tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}}))

    told = person("diff", "-f", str(path))

    assert told.code == 2
    assert "no BackgroundTask" in told.err
    assert "ConfigMap/other" in told.err


def test_a_task_without_namespace_is_in_the_contexts(person: Person, file: Callable[..., str]) -> None:
    assert person("diff", "-f", file(namespace=None)).out == "reports/nightly: no change\n"


def test_every_file_that_is_named_is_looked_at(person: Person, file: Callable[..., str]) -> None:
    told = person("diff", "-f", file(image="reports:9"), "-f", file("weekly", cron=None))

    titles = [line for line in told.out.splitlines() if not line.startswith(" ")]
    assert (titles, told.code) == (["reports/nightly", "reports/weekly"], 1)


def test_a_folder_stands_for_the_files_of_kubernetes_in_it(person: Person, file: Callable[..., str]) -> None:
    folder = Path(file()).parent
    (folder / "README.md").write_text("no: [manifest")
    (folder / "older").mkdir()
    (folder / "older" / "broken.yaml").write_text("no: [manifest")

    told = person("diff", "-f", str(folder))

    assert (told.out, told.err, told.code) == ("reports/nightly: no change\n", "", 0)


def test_colours_are_left_out_where_nobody_wants_them(
    person: Person, file: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    path = file(image="reports:9")
    coloured = person("diff", "-f", path).out
    monkeypatch.setenv("NO_COLOR", "1")

    plain = person("diff", "-f", path).out

    assert "\x1b[33m  ~ task definition" in coloured
    assert "\x1b[33m" not in plain
