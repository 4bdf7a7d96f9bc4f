"""What is told to differ differs, what ECS adds does not, and no value of a variable is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.plan.comparison import UNTOLD, Difference, of_definitions
from backgroundtask.plan.definition import Definition, EfsVolume, Logs
from backgroundtask.plan.names import Owner

NAMES = st.sampled_from(["A", "B", "C"])
TEXTS = st.sampled_from(["", "x", "y", "="])
DEFINITIONS = st.builds(
    Definition,
    owner=st.just(Owner("test", "reports", "nightly")),
    image=st.sampled_from(["reports:1", "reports:2"]),
    cpu=st.sampled_from([256, 512]),
    memory=st.sampled_from([512, 1024]),
    command=st.lists(TEXTS, max_size=2).map(tuple),
    entry_point=st.lists(TEXTS, max_size=2).map(tuple),
    env=st.dictionaries(NAMES, TEXTS, max_size=3),
    secrets=st.dictionaries(NAMES, st.sampled_from(["/a", "/b"]), max_size=2),
    task_role=st.sampled_from([None, "arn:aws:iam::1:role/a"]),
    architecture=st.sampled_from(["X86_64", "ARM64"]),
    storage=st.sampled_from([None, 30]),
    stop_timeout=st.sampled_from([None, 30]),
    logs=st.sampled_from([None, Logs(group="/g", region="eu-west-1", stream_prefix="p", mode="non-blocking")]),
    volumes=st.sampled_from([(), (EfsVolume(name="data", mount_path="/data", file_system="fs-1"),)]),
    has_shell=st.booleans(),
    tags=st.dictionaries(NAMES, TEXTS, max_size=2),
)


def described(definition: Definition) -> dict[str, Any]:
    """As ECS describes it: with its defaults, in another order, and our marks among the tags."""
    content = definition.marked("uid")
    containers = [
        {"cpu": 0, "portMappings": [], "mountPoints": [], "volumesFrom": [], "systemControls": [], **one}
        for one in content["containerDefinitions"]
    ]
    for one in containers:
        one["environment"] = list(reversed(one.get("environment", [])))
    own = {"revision": 3, "status": "ACTIVE", "placementConstraints": [], "volumes": [], "compatibilities": ["EC2"]}
    return {**own, **content, "containerDefinitions": containers}


@given(DEFINITIONS)
def test_what_is_held_already_does_not_differ(definition: Definition) -> None:
    assert of_definitions(described(definition), definition) == ()


@given(DEFINITIONS, DEFINITIONS)
def test_definitions_of_another_digest_differ_in_something_that_is_told(one: Definition, other: Definition) -> None:
    assert (one.digest == other.digest) == (of_definitions(described(one), other) == ())


@given(DEFINITIONS, DEFINITIONS)
def test_no_value_of_a_variable_is_told(one: Definition, other: Definition) -> None:
    held, wanted = (replace(each, env=dict.fromkeys(each.env, f"canary-{at}")) for at, each in enumerate((one, other)))

    told = of_definitions(described(held), wanted)

    assert "canary" not in repr(told)
    variables = [each for each in told if each.path.startswith("env.")]
    assert {side for each in variables for side in (each.before, each.after)} <= {UNTOLD, None}
    assert {each.path[4:] for each in variables} == held.env.keys() | wanted.env.keys()


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ({"A": ""}, {}, "an empty variable is there"),
        ({}, {"A": ""}, "and comes"),
        ({"A": "x"}, {"A": ""}, "and changes"),
    ],
)
def test_an_empty_variable_is_not_an_absent_one(before: dict[str, str], after: dict[str, str], why: str) -> None:
    plain = Definition(owner=Owner("test", "reports", "nightly"), image="a", cpu=256, memory=512)

    told = of_definitions(described(replace(plain, env=before)), replace(plain, env=after))

    assert told == (Difference("env.A", UNTOLD if before else None, UNTOLD if after else None),), why
