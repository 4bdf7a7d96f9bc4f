"""What RegisterTaskDefinition refuses, as lists to read: one check a rule, the first that fails is the answer.

A check takes the completed definition and raises; `ANYWHERE` holds for every definition, `FARGATE` for those that want
to run there. A definition that passes both is compatible with Fargate whether it asked for it or not
(documented: API: TaskDefinition.compatibilities, "ECS validates the task definition parameters").
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from localaws.contract import AwsError, Params
from localaws.ecs import dependencies, errors, sizes, volumes
from localaws.ecs.defaults import ECR_IMAGE
from localaws.ecs.names import valid_name

Check = Callable[[Params], None]
_IMAGE = re.compile(r"[A-Za-z0-9_\-:./#@]+")
_MOST_CONTAINERS = 10
_MOST_BYTES = 64 * 1024
_COMPATIBILITIES = {"EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"}
_STORAGE_GIB = range(21, 200 + 1)
_STOP_SECONDS = range(2, 120 + 1)


def compatibilities(body: Params) -> list[str]:
    """Check a completed definition and derive what it can run on.

    Raises:
        AwsError: ClientException with the first rule that it breaks.
    """
    for check in ANYWHERE:
        check(body)
    asked = set(body.get("requiresCompatibilities", []))
    try:
        for check in FARGATE:
            check(body)
    except AwsError:
        if "FARGATE" in asked:
            raise
        # documented: API: networkMode, ECS Anywhere knows no awsvpc
        return ["EC2"] if body["networkMode"] == "awsvpc" else ["EXTERNAL", "EC2"]
    return ["EC2", "FARGATE"]  # reported: fabfuel/ecs-deploy#50


def check_family(family: str) -> None:
    """Refuse a family that is no name (reported: hashicorp/terraform#2888)."""
    if not family:
        raise errors.client("Family should not be null or empty.")
    if not valid_name(family):
        raise errors.client("Family contains invalid characters.")


def check_length(params: Params) -> None:
    """Refuse more than 64 KiB (documented: service quotas; reported: public code that quotes the answer)."""
    length = len(json.dumps(params, separators=(",", ":")).encode())
    if length > _MOST_BYTES:
        raise errors.client(f"Actual length: '{length}'. Max allowed length is '{_MOST_BYTES}' bytes.")


def _known_compatibilities(body: Params) -> None:
    if unknown := set(body.get("requiresCompatibilities", [])) - _COMPATIBILITIES:
        raise errors.client(f"Invalid requiresCompatibilities: {min(unknown)}.")  # assumed: the wording


def _one_to_ten_containers(body: Params) -> None:
    containers = body["containerDefinitions"]
    if not containers:
        raise errors.client("Container list cannot be empty.")  # assumed: the wording
    if len(containers) > _MOST_CONTAINERS:
        # documented: service quotas; assumed: the wording
        raise errors.client(f"A task definition can have at most {_MOST_CONTAINERS} containers.")


def _named_containers(body: Params) -> None:
    for container in body["containerDefinitions"]:
        if not container.get("name"):
            raise errors.client("Container.name should not be null or empty.")  # reported: hashicorp/terraform#2888
        if not valid_name(container["name"]):
            raise errors.client("Container.name contains invalid characters.")  # reported: hashicorp/terraform#2888


def _distinct_names(body: Params) -> None:
    names = [container["name"] for container in body["containerDefinitions"]]
    if len(set(names)) != len(names):
        raise errors.client("Container.name should be unique within a task definition.")  # assumed: the wording


def _images(body: Params) -> None:
    for container in body["containerDefinitions"]:
        if not container.get("image"):
            raise errors.client("Container.image should not be null or empty.")  # assumed: the wording
        if not _IMAGE.fullmatch(container["image"]):
            raise errors.client("Container.image contains invalid characters.")  # assumed: the wording


def _an_essential_container(body: Params) -> None:
    if not any(container["essential"] for container in body["containerDefinitions"]):
        # documented: API: ContainerDefinition.essential; assumed: the wording
        raise errors.client("A task definition must have at least one essential container.")


def _some_memory(body: Params) -> None:
    for container in body["containerDefinitions"]:
        if "memory" not in body and not {"memory", "memoryReservation"} & container.keys():
            # reported: aws/aws-cli#4453
            raise errors.client(
                f"Invalid setting for container '{container['name']}'. "
                "At least one of 'memory' or 'memoryReservation' must be specified."
            )


def _containers_fit(body: Params) -> None:
    for container in body["containerDefinitions"]:
        for setting in ("cpu", "memory"):
            if setting in body and container.get(setting, 0) > int(body[setting]):
                # reported: pulumi/pulumi-awsx#1220 for memory; assumed: the same for cpu
                raise errors.client(
                    f"The '{setting}' setting for container '{container['name']}' is greater than for the task."
                )


def _distinct_secrets(body: Params) -> None:
    for container in body["containerDefinitions"]:
        check_secret_names(container, {pair.get("name", "") for pair in container["environment"]})


def check_secret_names(container: Params, variables: set[str]) -> None:
    """Refuse a variable that is a secret of the container too (reported: deployments in many public repositories)."""
    secrets = [secret["name"] for secret in container.get("secrets", [])]
    shared = [name for name in secrets if name in variables or secrets.count(name) > 1]
    if shared:
        raise errors.client(
            "The secret name must be unique and not shared with any new or existing environment variables set on the "
            f"container, such as '{min(shared)}'."
        )


def _role_for_secrets(body: Params) -> None:
    if body.get("executionRoleArn"):
        return
    if any(container.get("secrets") for container in body["containerDefinitions"]):
        # reported: sil-org/ecs-deploy#166
        raise errors.client(
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
        )
    if any(container.get("repositoryCredentials") for container in body["containerDefinitions"]):
        # documented: developer guide, "Using non-AWS container images in Amazon ECS"; assumed: the wording
        raise errors.client("Registry credentials require a value for 'executionRoleArn'.")


def _awslogs_options(body: Params) -> None:
    for options in _awslogs(body):
        if missing := [name for name in ("awslogs-group", "awslogs-region") if not options.get(name)]:
            # documented: developer guide, "Using the awslogs log driver"; assumed: the wording
            raise errors.client(f"Log driver awslogs requires options: {', '.join(missing)}.")


def _awslogs(body: Params) -> list[Params]:
    logs = [c["logConfiguration"] for c in body["containerDefinitions"] if "logConfiguration" in c]
    return [log.get("options", {}) for log in logs if log["logDriver"] == "awslogs"]


def _awsvpc(body: Params) -> None:
    if body["networkMode"] != "awsvpc":
        # reported: aws/amazon-ecs-cli#1145, with these quotes
        raise errors.client("Fargate only supports network mode ‘awsvpc’.")  # noqa: RUF001 - AWS's own quotes


def _task_size(body: Params) -> None:
    for setting in ("cpu", "memory"):
        if setting not in body:
            # reported: aws/amazon-ecs-cli#982
            raise errors.client(f"Fargate requires that '{setting}' be defined at the task level.")
    sizes.check_fargate(int(body["cpu"]), int(body["memory"]))


def _same_ports(body: Params) -> None:
    mappings = [mapping for c in body["containerDefinitions"] for mapping in c["portMappings"]]
    if any(mapping["hostPort"] != mapping.get("containerPort", 0) for mapping in mappings):
        # documented: API: PortMapping.hostPort; assumed: the wording
        raise errors.client("When networkMode=awsvpc, the host ports and container ports in port mappings must match.")


def _stop_timeouts(body: Params) -> None:
    if any(c.get("stopTimeout", 30) not in _STOP_SECONDS for c in body["containerDefinitions"]):
        # documented: API: ContainerDefinition.stopTimeout; assumed: the wording
        raise errors.client("Invalid value for 'stopTimeout'. The valid values for Fargate are 2-120 seconds.")


def _ephemeral_storage(body: Params) -> None:
    if body.get("ephemeralStorage", {"sizeInGiB": 21})["sizeInGiB"] not in _STORAGE_GIB:
        # documented: API: EphemeralStorage.sizeInGiB; assumed: the wording
        raise errors.client("Invalid value for 'ephemeralStorage'. The valid values are 21-200 GiB.")


def _role_for_logs(body: Params) -> None:
    if _awslogs(body) and not body.get("executionRoleArn"):
        # reported: virtual-kubelet/virtual-kubelet#193
        raise errors.client(
            "Fargate requires task definition to have execution role ARN to support log driver awslogs."
        )


def _role_for_ecr(body: Params) -> None:
    from_ecr = any(ECR_IMAGE.fullmatch(container["image"]) for container in body["containerDefinitions"])
    if from_ecr and not body.get("executionRoleArn"):
        # documented: developer guide, "Task execution IAM role"; assumed: the wording
        raise errors.client("Fargate requires task definition to have execution role ARN to support ECR images.")


def _stream_prefix(body: Params) -> None:
    if any(not options.get("awslogs-stream-prefix") for options in _awslogs(body)):
        # documented: developer guide, awslogs-stream-prefix, "required when using Fargate"; assumed: the wording
        raise errors.client(
            "Fargate requires log configuration options to include awslogs-stream-prefix to support log driver awslogs."
        )


ANYWHERE: tuple[Check, ...] = (
    _known_compatibilities,
    _one_to_ten_containers,
    _named_containers,
    _distinct_names,
    _images,
    _an_essential_container,
    _some_memory,
    _containers_fit,
    dependencies.check,
    volumes.check,
    _distinct_secrets,
    _role_for_secrets,
    _awslogs_options,
)
FARGATE: tuple[Check, ...] = (
    _awsvpc,
    volumes.check_fargate,
    _task_size,
    _same_ports,
    _stop_timeouts,
    _ephemeral_storage,
    _role_for_logs,
    _role_for_ecr,
    _stream_prefix,
)
