"""What RegisterTaskDefinition refuses, each with the answer of AWS, and what it lets pass."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.ecs_world import ROLE, Ecs, awslogs, container, job
from localaws.contract import AwsError
from localaws.ecs import sizes
from localaws.ecs.dependencies import start_order

SECRET = {"name": "PASSWORD", "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db"}
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1"
NO_CONFIGURATION = "No Fargate configuration exists for given values: {} CPU, {} memory."
SHARED = (
    "The secret name must be unique and not shared with any new or existing environment variables set on the "
    "container, such as 'PASSWORD'."
)
ROLE_FOR = "Fargate requires task definition to have execution role ARN to support "

POINT = {"accessPointId": "fsap-01234567"}


def efs(**members: object) -> dict[str, object]:
    return {"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-01234567", **members}}


def mounting(volume: str, path: str) -> dict[str, object]:
    return container(mountPoints=[{"sourceVolume": volume, "containerPath": path}])


REFUSED: list[tuple[str, dict[str, object], str]] = [
    ("a family without a name", job(family=""), "Family should not be null or empty."),
    ("a dot in a family", job(family="a.b"), "Family contains invalid characters."),
    ("a long family", job(family="a" * 256), "Family contains invalid characters."),
    ("no container", job() | {"containerDefinitions": []}, "Container list cannot be empty."),
    ("too many", job(*(container(name=f"c{n}") for n in range(11))), "A task definition can have at most 10 cont"),
    ("a container without a name", job({"image": "i"}), "Container.name should not be null or empty."),
    ("a slash in a name", job(container(name="a/b")), "Container.name contains invalid characters."),
    ("the same name twice", job(container(), container()), "Container.name should be unique"),
    ("no image", job({"name": "app"}), "Container.image should not be null or empty."),
    ("a blank in an image", job(container(image="a b")), "Container.image contains invalid characters."),
    ("nothing essential", job(container(essential=False)), "A task definition must have at least one essential"),
    ("another compatibility", job(requiresCompatibilities=["LAMBDA"]), "Invalid requiresCompatibilities: LAMBDA"),
    ("a network of another mode", job(networkMode="bridge"), "Fargate only supports network mode ‘awsvpc’."),  # noqa: RUF001 - AWS's own quotes
    ("no cpu", {k: v for k, v in job().items() if k != "cpu"}, "Fargate requires that 'cpu' be defined at the task l"),
    (
        "no memory of the task",
        {k: v for k, v in job(container(memory=512)).items() if k != "memory"},
        "Fargate requires that 'memory' be defined at the task level.",
    ),
    (
        "no memory at all",
        {k: v for k, v in job().items() if k != "memory"},
        "Invalid setting for container 'app'. At least one of 'memory' or 'memoryReservation' must be specified.",
    ),
    ("cpu in words", job(cpu="plenty"), "Invalid 'cpu' setting for task."),
    ("memory in MB", job(memory="512 MB"), "Invalid 'memory' setting for task."),
    ("too little memory", job(cpu="512", memory="512"), NO_CONFIGURATION.format(512, 512)),
    ("memory between two steps", job(cpu="8192", memory="17408"), NO_CONFIGURATION.format(8192, 17408)),
    ("an odd cpu", job(cpu="300"), NO_CONFIGURATION.format(300, 512)),
    ("a container too large", job(container(memory=1024)), "The 'memory' setting for container 'app' is greater than"),
    ("too much cpu", job(container(cpu=512)), "The 'cpu' setting for container 'app' is greater than for the task."),
    (
        "two ports",
        job(container(portMappings=[{"containerPort": 80, "hostPort": 8080}])),
        "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
    ),
    ("a long stop", job(container(stopTimeout=121)), "Invalid value for 'stopTimeout'."),
    ("little storage", job(ephemeralStorage={"sizeInGiB": 20}), "Invalid value for 'ephemeralStorage'."),
    ("much storage", job(ephemeralStorage={"sizeInGiB": 201}), "Invalid value for 'ephemeralStorage'."),
    ("awslogs without a role", job(container(logConfiguration=awslogs())), ROLE_FOR + "log driver awslogs."),
    ("an image of ECR without a role", job(container(image=ECR)), ROLE_FOR + "ECR images."),
    (
        "a secret without a role",
        job(container(secrets=[SECRET])),
        "When you are specifying container secrets, you must",
    ),
    (
        "a secret that is a variable too",
        job(container(secrets=[SECRET], environment=[{"name": "PASSWORD", "value": "x"}]), executionRoleArn=ROLE),
        SHARED,
    ),
    (
        "the same secret twice",
        job(container(secrets=[SECRET, SECRET]), executionRoleArn=ROLE),
        "The secret name must be unique",
    ),
    (
        "awslogs without a group",
        job(container(logConfiguration={"logDriver": "awslogs"}), executionRoleArn=ROLE),
        "Log driver awslogs requires options: awslogs-group, awslogs-region.",
    ),
    (
        "awslogs without a prefix",
        job(container(logConfiguration=awslogs(**{"awslogs-stream-prefix": ""})), executionRoleArn=ROLE),
        "Fargate requires log configuration options to include awslogs-stream-prefix",
    ),
    (
        "registry credentials without a role",
        job(container(repositoryCredentials={"credentialsParameter": SECRET["valueFrom"]})),
        "Registry credentials require a value for 'executionRoleArn'.",
    ),
    ("a volume without a name", job(volumes=[{}]), "Volume.name contains invalid characters."),
    ("a volume twice", job(volumes=[efs(), efs()]), "Volume.name should be unique within a task definition."),
    (
        "two kinds of one volume",
        job(volumes=[efs() | {"configuredAtLaunch": True}]),
        "When the volume parameter is specified, only one volume configuration type should be used.",
    ),
    ("a folder of the host", job(volumes=[{"name": "v", "host": {"sourcePath": "/"}}]), "Fargate compatible task def"),
    (
        "a volume of Docker",
        job(volumes=[{"name": "v", "dockerVolumeConfiguration": {"scope": "task"}}]),
        "Fargate compatible task definitions do not support dockerVolumeConfiguration.",
    ),
    (
        "a root directory beside that of an access point",
        job(volumes=[efs(rootDirectory="/a", authorizationConfig=POINT, transitEncryption="ENABLED")]),
        "The root directory must be omitted",
    ),
    (
        "an access point in the clear",
        job(volumes=[efs(authorizationConfig=POINT)]),
        "Transit encryption must be enabled",
    ),
    (
        "a role in the clear",
        job(volumes=[efs(authorizationConfig={"iam": "ENABLED"}, transitEncryption="DISABLED")]),
        "Transit encryption must be enabled",
    ),
    ("a volume of nobody", job(mounting("other", "/data"), volumes=[efs()]), "Unknown volume 'other'."),
    ("a relative path", job(mounting("data", "data"), volumes=[efs()]), "MountPoint.containerPath should be an abs"),
    (
        "two volumes at one path",
        job(
            container(mountPoints=[{"sourceVolume": one, "containerPath": "/data"} for one in ("data", "more")]),
            volumes=[efs(), efs() | {"name": "more"}],
        ),
        "Container 'app' mounts two volumes at the same path.",
    ),
    (
        "more than 64 KiB",
        job(container(environment=[{"name": "A", "value": "x" * 65536}])),
        "Actual length: '65",
    ),
]


@pytest.mark.parametrize(("why", "body", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_bad_definition_is_refused_and_uses_no_revision(
    ecs: Ecs, why: str, body: dict[str, object], message: str
) -> None:
    with pytest.raises(AwsError) as refused:
        ecs("RegisterTaskDefinition", **body)

    assert (refused.value.code, refused.value.status) == ("ClientException", 400), why
    assert refused.value.message.startswith(message)
    assert ecs("RegisterTaskDefinition", **job())["taskDefinition"]["revision"] == 1


def test_64_kib_are_taken(ecs: Ecs) -> None:
    def body(length: int) -> dict[str, object]:
        return job(container(environment=[{"name": "A", "value": "x" * length}]))

    most = _largest(lambda length: _taken(ecs, body(length)), 65_536)

    assert 65_000 < most < 65_536


def _taken(ecs: Ecs, body: dict[str, object]) -> bool:
    try:
        ecs("RegisterTaskDefinition", **body)
    except AwsError:
        return False
    return True


def _largest(holds: Callable[[int], bool], above: int) -> int:
    low, high = 0, above
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


TAKEN: list[tuple[str, dict[str, object]]] = [
    ("the longest stop", job(container(stopTimeout=120))),
    ("the least storage", job(ephemeralStorage={"sizeInGiB": 21})),
    ("the most storage", job(ephemeralStorage={"sizeInGiB": 200})),
    ("16 vCPU in words", job(cpu="16 vcpu", memory="120GB")),
    ("awslogs with a role", job(container(logConfiguration=awslogs()), executionRoleArn=ROLE)),
    ("an image of ECR with a role", job(container(image=ECR), executionRoleArn=ROLE)),
    ("one essential of two", job(container(), container(name="sidecar", essential=False))),
    ("a port without a host port", job(container(portMappings=[{"containerPort": 80}]))),
    ("any size for EC2", job(container(memory=64), requiresCompatibilities=["EC2"], networkMode="bridge", cpu="300")),
]


@pytest.mark.parametrize(("why", "body"), TAKEN, ids=[row[0] for row in TAKEN])
def test_a_good_definition_is_taken(ecs: Ecs, why: str, body: dict[str, object]) -> None:
    assert ecs("RegisterTaskDefinition", **body)["taskDefinition"]["revision"] == 1, why


FARGATE = {
    256: [512, 1024, 2048],
    512: [1024, 2048, 3072, 4096],
    1024: list(range(2048, 8193, 1024)),
    2048: list(range(4096, 16385, 1024)),
    4096: list(range(8192, 30721, 1024)),
    8192: list(range(16 * 1024, 60 * 1024 + 1, 4 * 1024)),
    16384: list(range(32 * 1024, 120 * 1024 + 1, 8 * 1024)),
}


@given(
    cpu=st.sampled_from([*FARGATE, 128, 384, 32768]),
    memory=st.one_of(st.sampled_from(list(itertools.chain(*FARGATE.values()))), st.integers(1, 130_000)),
)
def test_exactly_the_sizes_of_the_documented_table_are_taken(cpu: int, memory: int) -> None:
    try:
        sizes.check_fargate(cpu, memory)
        taken = True
    except AwsError:
        taken = False

    assert taken == (memory in FARGATE.get(cpu, []))


def depends(*names: str, condition: str = "START") -> list[dict[str, str]]:
    return [{"containerName": name, "condition": condition} for name in names]


@pytest.mark.parametrize(
    ("containers", "said"),
    [
        ([container(dependsOn=depends("other"))], "Container 'app' depends on 'other', which does not exist."),
        ([container(dependsOn=depends("app"))], "The dependencies of the containers form a cycle."),
        (
            [container(dependsOn=depends("b")), container(name="b", dependsOn=depends("app"))],
            "The dependencies of the containers form a cycle.",
        ),
        (
            [container(dependsOn=depends("b", condition="SUCCESS")), container(name="b", essential=False)],
            "localaws starts a container after another one has started, and knows no other condition",
        ),
    ],
)
def test_a_dependency_that_cannot_be_kept_is_refused(ecs: Ecs, containers: list[dict[str, object]], said: str) -> None:
    with pytest.raises(AwsError) as refused:
        ecs("RegisterTaskDefinition", **job(*containers))

    assert refused.value.code == "ClientException"
    assert refused.value.message.startswith(said)


def test_containers_start_after_those_that_they_depend_on_and_else_as_they_stand() -> None:
    first = container(name="first", dependsOn=depends("second", "third"))
    second = container(name="second", dependsOn=depends("third"))

    assert start_order([first, second, container(name="third")]) == ["third", "second", "first"]
    assert start_order([container(name="b"), container(name="a")]) == ["b", "a"]


def test_an_access_point_may_repeat_that_its_root_is_the_root(ecs: Ecs) -> None:
    volume = efs(rootDirectory="/", authorizationConfig=POINT, transitEncryption="ENABLED")

    answer = ecs("RegisterTaskDefinition", **job(mounting("data", "/data"), volumes=[volume]))

    assert answer["taskDefinition"]["volumes"] == [volume]
