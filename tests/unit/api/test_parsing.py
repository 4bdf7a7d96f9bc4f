"""The door: what enters, what is said about what may not, and that no value is ever repeated."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.api.parsing import (
    parse_repository,
    parse_run,
    parse_task,
    parse_template,
    read_metadata,
    read_repository_parting,
    read_repository_status,
    read_task_parting,
    read_task_status,
    read_template_status,
)
from backgroundtask.errors import Rejected
from fixtures.api_cases import env, repository, run, task, template

CANARY = "hunter2-canary"


def rejection(obj: dict[str, Any]) -> str:
    with pytest.raises(Rejected) as caught:
        parse_task(obj)
    return caught.value.message


def test_a_task_is_its_spec_in_our_words() -> None:
    parsed = parse_task(
        task(
            cron="0 3 * * *",
            timeZone="Europe/Berlin",
            ephemeralStorageGiB=50,
            env=[{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"ssmParameter": "/b"}}],
            command=["python", "-m", "reports"],
        )
    )

    assert parsed.metadata.name == "nightly"
    assert parsed.spec.time_zone == "Europe/Berlin"
    assert parsed.spec.ephemeral_storage_gib == 50
    assert parsed.spec.command == ("python", "-m", "reports")
    assert [v.name for v in parsed.spec.env] == ["A", "B"]
    assert parsed.spec.env[1].value_from is not None
    assert parsed.spec.env[1].value_from.ssm_parameter == "/b"


def test_defaults_are_those_of_the_crd() -> None:
    spec = parse_task(task()).spec

    assert spec.launch_template == "default"
    assert spec.time_zone == "UTC"
    assert not spec.suspend
    assert spec.deletion_policy == "Delete"
    assert (spec.successful_runs_history_limit, spec.failed_runs_history_limit) == (3, 1)
    assert spec.cron is None


def test_fields_of_a_newer_version_are_ignored() -> None:
    obj = task(concurrencyPolicy="Forbid")
    obj["status"] = {"observedGeneration": 1, "history": []}

    assert parse_task(obj).status.observed_generation == 1


def test_names_of_python_are_not_names_of_the_api() -> None:
    assert parse_task(task(time_zone="Europe/Berlin")).spec.time_zone == "UTC"


@pytest.mark.parametrize(
    ("obj", "sentence"),
    [
        (task(cpu="256"), "spec.cpu: input should be a valid integer"),
        (task(image=...), "spec.image: field required"),
        (task(cpuArchitecture="RISCV"), "spec.cpuArchitecture: input should be 'X86_64' or 'ARM64'"),
        (env(name="BGT_X", value="x"), "spec.env[0].name: names that begin with BGT_ are set by the operator"),
        (task(cpu=256, memory=4096), "spec.memory: Fargate does not offer this memory with this cpu"),
        (task(name="a.b"), "metadata: the name of a BackgroundTask must have at most 52 characters and no dots"),
        (task(tags={"a b": "?"}), 'spec.tags["a b"]: must have letters'),
    ],
)
def test_a_refusal_names_the_field_and_says_what_to_change(obj: dict[str, Any], sentence: str) -> None:
    assert rejection(obj).startswith(sentence)


def test_a_refusal_names_every_field_that_is_wrong() -> None:
    message = rejection(task(image="", memory=1, cron="daily"))

    assert [part.split(":")[0] for part in message.split("; ")] == ["spec.image", "spec.memory", "spec.cron"]


def test_a_refusal_stays_readable_however_much_is_wrong() -> None:
    message = rejection(task(env=[{"name": f"{n}", "value": "x"} for n in range(50)]))

    assert message.endswith("; and 45 more")


def test_an_object_without_a_spec_is_refused() -> None:
    assert rejection({"metadata": {"name": "x"}}) == "spec: field required"


@pytest.mark.parametrize(
    "variable",
    [
        {"name": "A", "value": CANARY, "valueFrom": {"ssmParameter": CANARY}},
        {"name": "A", "value": [CANARY]},
        {"name": "A", "value": {CANARY: CANARY}},
        {"name": "A", "value": CANARY * 4000},
        {"name": "BGT_A", "value": CANARY},
        {"name": "A", "valueFrom": {"secretsManager": CANARY}},
        {"name": "A", "valueFrom": CANARY},
        {"value": CANARY},
        CANARY,
    ],
    ids=["both", "list", "object", "long", "ours", "reference", "text", "nameless", "variable"],
)
def test_no_value_of_env_is_repeated_in_a_refusal_or_its_cause(variable: Any) -> None:
    with pytest.raises(Rejected) as caught:
        parse_task(task(env=[variable]))

    assert CANARY not in caught.value.message
    assert CANARY not in str(caught.value.__cause__)


def test_no_value_of_env_is_shown_by_repr() -> None:
    assert CANARY not in repr(parse_task(env(name="A", value=CANARY)))


def test_keys_that_users_chose_are_quoted_and_cut() -> None:
    message = rejection(task(tags={"\n" + "k" * 100: "?"}))

    assert '\\nkkk"' not in message
    assert "\n" not in message
    assert "k" * 63 not in message


@pytest.mark.parametrize(
    ("read", "status"),
    [
        (read_task_status, {"activeRuns": 2, "lastRun": {"name": "x"}, "schedules": "many"}),
        (read_template_status, {"tasks": -1, "conditions": [{"type": "Ready"}]}),
    ],
    ids=["task", "template"],
)
def test_what_cannot_be_read_of_a_status_counts_as_absent(read: Any, status: dict[str, Any]) -> None:
    found = read({"metadata": {"name": "x"}, "spec": "nonsense", "status": {"observedGeneration": 7, **status}})

    assert found.wire().keys() <= {"observedGeneration", "activeRuns", "tasks"}
    assert found.observed_generation == 7


def test_what_can_be_read_of_a_status_is_read_though_a_neighbour_cannot() -> None:
    found = read_task_status({"status": {"activeRuns": 2, "lastRun": {"name": "x"}}})

    assert found.active_runs == 2
    assert found.last_run is None


def test_the_operator_itself_cannot_write_a_status_that_the_schema_refuses() -> None:
    with pytest.raises(ValueError, match="last_schedule_time"):
        read_task_status({}).__class__(last_schedule_time="yesterday")


@pytest.mark.parametrize("status", [{}, {"status": None}, {"status": {}}])
def test_an_object_without_a_status_has_not_been_looked_at(status: dict[str, Any]) -> None:
    assert read_task_status(status).observed_generation == -1


def test_metadata_is_read_whatever_the_spec() -> None:
    obj = task(image=...)
    obj["metadata"] |= {"generation": 4, "finalizers": ["bgtask.dev/finalizer"], "managedFields": []}

    found = read_metadata(obj)

    assert (found.namespace, found.name, found.generation) == ("default", "nightly", 4)
    assert found.finalizers == ("bgtask.dev/finalizer",)


@pytest.mark.parametrize(
    ("spec", "template_name", "policy", "why"),
    [
        ({}, "default", "Delete", "both have defaults"),
        ({"launchTemplate": "batch", "deletionPolicy": "Retain", "cpu": "?"}, "batch", "Retain", "cpu does not matter"),
        ({"deletionPolicy": "Orphan"}, "default", "Retain", "nothing is destroyed on a guess"),
        ({"launchTemplate": 7}, "", "Delete", "no template has an empty name"),
    ],
)
def test_deleting_needs_no_valid_spec(spec: dict[str, Any], template_name: str, policy: str, why: str) -> None:
    parting = read_task_parting({"spec": spec})

    assert (parting.launch_template, parting.deletion_policy) == (template_name, policy), why


@pytest.mark.parametrize(
    ("spec", "expected", "why"),
    [
        ({}, ("default", None, "Retain"), "images stay unless somebody says otherwise"),
        ({"deletionPolicy": "Delete", "name": "a/b"}, ("default", "a/b", "Delete"), "as it says"),
        ({"deletionPolicy": "delete"}, ("default", None, "Retain"), "nothing is destroyed on a guess"),
        ({"deletionPolicy": ["Delete"]}, ("default", None, "Retain"), "nothing is destroyed on a guess"),
        ({"name": 5, "keepImages": -1}, ("default", None, "Retain"), "the rest does not matter"),
        ({"launchTemplate": 5}, ("", None, "Retain"), "no template has that name"),
    ],
)
def test_what_parting_with_a_repository_needs_is_read_whatever_the_rest(
    spec: dict[str, Any], expected: tuple[str, str | None, str], why: str
) -> None:
    parting = read_repository_parting({"spec": spec})

    assert (parting.launch_template, parting.name, parting.deletion_policy) == expected, why


def test_a_repository_is_its_spec_in_our_words() -> None:
    parsed = parse_repository(repository(keepImages=5))

    assert (parsed.spec.launch_template, parsed.spec.name, parsed.spec.keep_images) == ("default", None, 5)
    assert parsed.spec.deletion_policy == "Retain"


def test_the_status_of_a_repository_is_a_memory_and_no_order() -> None:
    found = read_repository_status({"status": {"repositoryUri": 5, "repositoryArn": "arn"}})

    assert (found.repository_uri, found.repository_arn, found.observed_generation) == (None, "arn", -1)


def test_a_list_of_active_runs_is_cut_to_what_the_schema_takes() -> None:
    found = read_task_status({"status": {"active": [{"name": f"r{n}"} for n in range(100)], "activeRuns": 100}})

    assert len(found.active) == 64
    assert found.active_runs == 100


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SPEC_FIELDS = [
    "image",
    "cpu",
    "memory",
    "env",
    "cron",
    "tags",
    "command",
    "network",
    "logs",
    "task",
    "secrets",
    "name",
    "keepImages",
]


@given(parts=st.dictionaries(st.sampled_from(SPEC_FIELDS), json_values), status=json_values)
def test_nothing_but_rejected_leaves_the_door(parts: dict[str, Any], status: Any) -> None:
    for parse, obj in (
        (parse_task, task()),
        (parse_run, run()),
        (parse_template, template()),
        (parse_repository, repository()),
    ):
        mangled = {**obj, "spec": {**obj["spec"], **parts}, "status": status}
        with suppress(Rejected):
            parse(mangled)
