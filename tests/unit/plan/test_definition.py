"""A task definition: what ECS is asked for, and the digest by which a revision is recognised."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.plan.definition import (
    DIGEST_TAG,
    OWNER_TAG,
    RETAINED_TAG,
    ROOM_FOR_TAGS,
    UID_TAG,
    Definition,
    EfsVolume,
    Logs,
    digest_of,
)
from backgroundtask.plan.names import Owner

OWNER = Owner("prod", "reports", "nightly")
LEAST = Definition(owner=OWNER, image="reports:1.4", cpu=256, memory=512)
LOGS = Logs(group="/bgt/prod", region="eu-west-1", stream_prefix="reports/nightly")
FULL = Definition(
    owner=OWNER,
    image="reports:1.4",
    cpu=512,
    memory=2048,
    command=("python", "-m", "reports"),
    entry_point=("tini", "--"),
    env={"ZONE": "emea", "AREA": "north"},
    secrets={"TOKEN": "/reports/token", "DB": "/reports/db"},
    task_role="arn:aws:iam::123456789012:role/reader",
    execution_role="arn:aws:iam::123456789012:role/execution",
    architecture="ARM64",
    storage=40,
    stop_timeout=90,
    logs=replace(LOGS, mode="non-blocking"),
    tags={"team": "reports", "cost": "42"},
)

VOLUME = EfsVolume(
    name="data", mount_path="/mnt/data", file_system="fs-01234567", access_point="fsap-01234567", uses_task_role=True
)
CREDENTIALS = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:registry"

texts = st.text(max_size=5)
words = st.lists(texts, max_size=2).map(tuple)
maps = st.dictionaries(texts, texts, max_size=3)
names = st.text(min_size=1, max_size=2)
volumes = st.builds(
    EfsVolume,
    name=names,
    mount_path=names,
    file_system=names,
    root_directory=st.none() | names,
    access_point=st.none() | names,
    is_encrypted=st.booleans(),
    uses_task_role=st.booleans(),
    is_read_only=st.booleans(),
)
definitions = st.builds(
    Definition,
    owner=st.sampled_from([OWNER, Owner("prod", "reports", "weekly")]),
    image=texts,
    cpu=st.integers(256, 258),
    memory=st.integers(512, 514),
    command=words,
    entry_point=words,
    env=maps,
    secrets=maps,
    task_role=st.none() | st.text(min_size=1, max_size=2),
    execution_role=st.none() | st.text(min_size=1, max_size=2),
    architecture=st.sampled_from(["X86_64", "ARM64"]),
    storage=st.none() | st.integers(21, 22),
    stop_timeout=st.none() | st.integers(0, 2),
    logs=st.none() | st.builds(Logs, group=texts, region=texts, stream_prefix=texts),
    volumes=st.lists(volumes, max_size=2).map(tuple),
    registry_credentials=st.none() | st.text(min_size=1, max_size=2),
    tags=maps,
)


def reversed_order(definition: Definition) -> Definition:
    def turned(members: Mapping[str, str]) -> dict[str, str]:
        return dict(reversed(members.items()))

    return replace(
        definition, env=turned(definition.env), secrets=turned(definition.secrets), tags=turned(definition.tags)
    )


def container(definition: Definition) -> dict[str, Any]:
    (only,) = definition.to_ecs()["containerDefinitions"]
    return only


@given(definitions)
def test_the_order_of_env_secrets_and_tags_changes_nothing(definition: Definition) -> None:
    other = reversed_order(definition)

    assert other.to_ecs() == definition.to_ecs()
    assert other.digest == definition.digest


@given(definitions, definitions)
def test_equal_definitions_have_equal_digests_and_no_others_do(one: Definition, other: Definition) -> None:
    assert (one.digest == other.digest) == (one == other)


@pytest.mark.parametrize(
    "change",
    [
        {"owner": Owner("prod", "reports", "weekly")},
        {"image": "reports:1.5"},
        {"cpu": 1024},
        {"memory": 4096},
        {"command": ()},
        {"command": ("python -m reports",)},
        {"entry_point": ()},
        {"entry_point": ("python", "-m", "reports"), "command": ("tini", "--")},
        {"env": {"ZONE": "north", "AREA": "emea"}},
        {"env": {}},
        {"secrets": {"TOKEN": "/reports/token"}},
        {"env": FULL.secrets, "secrets": FULL.env},
        {"task_role": None},
        {"execution_role": None},
        {"task_role": FULL.execution_role, "execution_role": FULL.task_role},
        {"architecture": "X86_64"},
        {"storage": None},
        {"storage": 41},
        {"stop_timeout": None},
        {"stop_timeout": 0},
        {"logs": None},
        {"logs": LOGS},
        {"logs": replace(LOGS, mode="blocking")},
        {"logs": replace(LOGS, mode="non-blocking", group="/bgt/test")},
        {"logs": replace(LOGS, mode="non-blocking", region="eu-west-2")},
        {"logs": replace(LOGS, mode="non-blocking", stream_prefix="reports/weekly")},
        {"tags": {"team": "reports"}},
        {"volumes": (VOLUME,)},
        {"registry_credentials": CREDENTIALS},
    ],
    ids=str,
)
def test_whatever_a_revision_fixes_is_in_the_digest(change: dict[str, Any]) -> None:
    assert replace(FULL, **change).digest != FULL.digest


@pytest.mark.parametrize(
    ("definition", "digest"),
    [
        (LEAST, "97b15d31d75094ce86f9f7b6716b8db7cdbeadf5d5c7d348af9a0c0531a1ff72"),
        (FULL, "b4c685a1ad26c93688b052d39336e2975a12b84c4362d7b1a7b32a93f7f477f7"),
    ],
    ids=["the least", "all that the first release knew"],
)
def test_a_definition_of_the_first_release_is_not_registered_again(definition: Definition, digest: str) -> None:
    assert definition.digest == digest


def test_the_digest_has_the_form_of_a_hash_and_holds_still_over_releases() -> None:
    assert re.fullmatch("[0-9a-f]{64}", FULL.digest)
    assert digest_of({"b": [1, "ä"], "a": None}) == digest_of({"a": None, "b": [1, "ä"]})
    assert digest_of({"b": [1, "ä"], "a": None}) == "5d4c789751acdad9ba305072d1a6ccdc5864fd7c7a1bcc0f38a794e5a4417e02"


def test_no_value_of_env_is_readable_in_a_mark_or_in_what_a_traceback_would_show() -> None:
    secret = replace(FULL, env={"PASSWORD": "hunter2"})

    marks = secret.marked("uid-1")["tags"]

    assert "hunter2" not in repr(secret)
    assert "hunter2" not in str(marks)


def test_the_least_definition_leaves_out_what_nobody_asked_for() -> None:
    assert LEAST.to_ecs() == {
        "family": "bgt_prod_reports_nightly",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        "containerDefinitions": [{"name": "aws-bg-task", "image": "reports:1.4", "essential": True}],
    }


def test_the_full_definition_says_all_in_ecs_words() -> None:
    assert FULL.to_ecs() == {
        "family": "bgt_prod_reports_nightly",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "512",
        "memory": "2048",
        "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        "taskRoleArn": "arn:aws:iam::123456789012:role/reader",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "ephemeralStorage": {"sizeInGiB": 40},
        "tags": [{"key": "cost", "value": "42"}, {"key": "team", "value": "reports"}],
        "containerDefinitions": [
            {
                "name": "aws-bg-task",
                "image": "reports:1.4",
                "essential": True,
                "command": ["python", "-m", "reports"],
                "entryPoint": ["tini", "--"],
                "environment": [{"name": "AREA", "value": "north"}, {"name": "ZONE", "value": "emea"}],
                "secrets": [
                    {"name": "DB", "valueFrom": "/reports/db"},
                    {"name": "TOKEN", "valueFrom": "/reports/token"},
                ],
                "stopTimeout": 90,
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": "/bgt/prod",
                        "awslogs-region": "eu-west-1",
                        "awslogs-stream-prefix": "reports/nightly",
                        "mode": "non-blocking",
                    },
                },
            }
        ],
    }


def test_without_a_mode_of_its_own_the_log_driver_keeps_the_accounts() -> None:
    options = container(replace(LEAST, logs=LOGS))["logConfiguration"]["options"]

    assert "mode" not in options


def test_no_time_to_stop_is_a_time_to_stop() -> None:
    assert container(replace(LEAST, stop_timeout=0))["stopTimeout"] == 0


def test_the_marks_tell_owner_object_and_digest_beside_the_users_tags() -> None:
    request = FULL.marked("uid-1")

    assert request["tags"] == [
        {"key": "cost", "value": "42"},
        {"key": "team", "value": "reports"},
        {"key": OWNER_TAG, "value": "prod/reports/nightly"},
        {"key": UID_TAG, "value": "uid-1"},
        {"key": DIGEST_TAG, "value": FULL.digest},
    ]
    assert {key: value for key, value in request.items() if key != "tags"} == {
        key: value for key, value in FULL.to_ecs().items() if key != "tags"
    }


def test_the_object_that_asks_is_marked_and_no_part_of_the_digest() -> None:
    one, other = LEAST.marked("uid-1")["tags"], LEAST.marked("uid-2")["tags"]

    assert [tag["key"] for tag, twin in zip(one, other, strict=True) if tag != twin] == [UID_TAG]


def test_with_the_marks_a_definition_has_room_for_the_mark_of_what_is_retained() -> None:
    crowded = replace(LEAST, tags={f"tag-{number}": "" for number in range(ROOM_FOR_TAGS)})

    assert len(crowded.marked("uid-1")["tags"]) == 50 - len([RETAINED_TAG])


def test_a_file_system_is_mounted_encrypted_unless_the_user_wants_it_otherwise() -> None:
    plain = EfsVolume(name="data", mount_path="/mnt/data", file_system="fs-01234567")
    definition = replace(LEAST, volumes=(plain, replace(plain, name="raw", mount_path="/mnt/raw", is_encrypted=False)))

    assert definition.to_ecs()["volumes"] == [
        {
            "name": "data",
            "efsVolumeConfiguration": {"fileSystemId": "fs-01234567", "transitEncryption": "ENABLED"},
        },
        {
            "name": "raw",
            "efsVolumeConfiguration": {"fileSystemId": "fs-01234567", "transitEncryption": "DISABLED"},
        },
    ]
    assert container(definition)["mountPoints"] == [
        {"sourceVolume": "data", "containerPath": "/mnt/data", "readOnly": False},
        {"sourceVolume": "raw", "containerPath": "/mnt/raw", "readOnly": False},
    ]


@pytest.mark.parametrize(
    ("volume", "told", "why"),
    [
        (
            VOLUME,
            {"authorizationConfig": {"accessPointId": "fsap-01234567", "iam": "ENABLED"}},
            "an access point brings its own root",
        ),
        (
            replace(VOLUME, uses_task_role=False),
            {"authorizationConfig": {"accessPointId": "fsap-01234567", "iam": "DISABLED"}},
            "a point alone uses no role",
        ),
        (
            replace(VOLUME, access_point=None, root_directory="/exports"),
            {"rootDirectory": "/exports", "authorizationConfig": {"iam": "ENABLED"}},
            "a role alone needs no point",
        ),
    ],
)
def test_access_points_roles_and_root_directories_are_told_to_ecs(
    volume: EfsVolume, told: dict[str, Any], why: str
) -> None:
    (rendered,) = replace(LEAST, volumes=(volume,)).to_ecs()["volumes"]

    wanted = {"fileSystemId": "fs-01234567", "transitEncryption": "ENABLED", **told}
    assert rendered["efsVolumeConfiguration"] == wanted, why


def test_a_volume_can_be_mounted_to_be_read_only() -> None:
    (mounted,) = container(replace(LEAST, volumes=(replace(VOLUME, is_read_only=True),)))["mountPoints"]

    assert mounted["readOnly"] is True


def test_the_registrys_secret_is_one_of_those_that_ecs_reads() -> None:
    definition = replace(FULL, registry_credentials=CREDENTIALS)

    assert container(definition)["repositoryCredentials"] == {"credentialsParameter": CREDENTIALS}
    assert definition.secret_references == {CREDENTIALS, "/reports/token", "/reports/db"}
    assert FULL.secret_references == {"/reports/token", "/reports/db"}
