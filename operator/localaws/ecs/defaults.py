"""What ECS makes of a definition when it is registered: normalised sizes, added defaults, derived members.

Pure. What it adds is why raw answers of ECS may not be compared with what was sent.
"""

from __future__ import annotations

import copy
import hashlib
import re

from localaws.contract import Params
from localaws.ecs import sizes

# reported: prefect `_task_definitions_equal`
_CONTAINER: Params = {
    "cpu": 0,
    "portMappings": [],
    "essential": True,
    "environment": [],
    "mountPoints": [],
    "volumesFrom": [],
    "systemControls": [],
}
_KEPT = (
    "taskRoleArn",
    "executionRoleArn",
    "requiresCompatibilities",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "inferenceAccelerators",
    "ephemeralStorage",
    "runtimePlatform",
    "trustedExecutionConfiguration",
)
_API = "com.amazonaws.ecs.capability.docker-remote-api."
ECR_IMAGE = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/.+")


def complete(params: Params) -> Params:
    """Give the members of TaskDefinition that follow from a request, but for its name, number, status and moments."""
    params = copy.deepcopy(params)
    network = params.get("networkMode", "bridge")  # documented: API: RegisterTaskDefinition.networkMode
    body: Params = {
        "containerDefinitions": [_container(c, network) for c in params["containerDefinitions"]],
        "networkMode": network,
        "volumes": params.get("volumes", []),
        "placementConstraints": params.get("placementConstraints", []),
        "requiresAttributes": [{"name": name} for name in _attributes(params)],
        "enableFaultInjection": params.get("enableFaultInjection", False),  # assumed: the API shows its default
    }
    if "cpu" in params:
        body["cpu"] = str(sizes.cpu_units(params["cpu"]))
    if "memory" in params:
        body["memory"] = str(sizes.memory_mib(params["memory"]))
    return body | {name: params[name] for name in _KEPT if name in params}


def _container(sent: Params, network: str) -> Params:
    container = _CONTAINER | sent
    container["environment"] = _reordered(container["environment"])
    container["portMappings"] = [_port(mapping, network) for mapping in container["portMappings"]]
    if "secrets" in container:
        container["secrets"] = _reordered(container["secrets"])
    return container


def _reordered(pairs: list[Params]) -> list[Params]:
    """Put pairs into an order that is not the sender's (reported: prefect; the order is not kept)."""
    return sorted(pairs, key=lambda pair: hashlib.sha256(pair.get("name", "").encode()).digest())


def _port(mapping: Params, network: str) -> Params:
    """Add protocol and host port (documented: API: PortMapping.hostPort: the container port, for awsvpc)."""
    host = mapping.get("containerPort", 0) if network == "awsvpc" else 0
    return {"hostPort": host, "protocol": "tcp", **mapping}


def _attributes(params: Params) -> list[str]:
    """Derive requiresAttributes (assumed: from answers seen in public; not exhaustive)."""
    containers: list[Params] = params["containerDefinitions"]
    drivers = {c["logConfiguration"]["logDriver"] for c in containers if "logConfiguration" in c}
    sources = {secret["valueFrom"] for c in containers for secret in c.get("secrets", [])}
    from_asm = {source for source in sources if source.startswith("arn:aws:secretsmanager:")}
    from_ecr = any(ECR_IMAGE.fullmatch(c.get("image", "")) for c in containers)
    execution = "executionRoleArn" in params
    wanted = [
        (True, f"{_API}1.18"),
        (bool(drivers), f"{_API}1.19"),
        *((True, f"com.amazonaws.ecs.capability.logging-driver.{driver}") for driver in sorted(drivers)),
        ("awslogs" in drivers and execution, "ecs.capability.execution-role-awslogs"),
        (from_ecr, "com.amazonaws.ecs.capability.ecr-auth"),
        (from_ecr and execution, "ecs.capability.execution-role-ecr-pull"),
        ("taskRoleArn" in params, "com.amazonaws.ecs.capability.task-iam-role"),
        (params.get("networkMode") == "awsvpc", "ecs.capability.task-eni"),
        (bool(from_asm), "ecs.capability.secrets.asm.environment-variables"),
        (bool(sources - from_asm), "ecs.capability.secrets.ssm.environment-variables"),
        (any("stopTimeout" in c for c in containers), "ecs.capability.container-ordering"),
    ]
    return [name for needed, name in wanted if needed]
