"""How a task looks: in answers of the API, and in the detail of its events.

Addresses, interface ids and digests are derived from names, so they are steady and cost no memory.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid

from localaws.contract import Params
from localaws.ecs import tags
from localaws.ecs.defaults import ECR_IMAGE
from localaws.ecs.model import Container, Launch, Task

_UNPLACED = ("PROVISIONING",)
_RESERVED = ("cpu", "memory", "memoryReservation")


def describe(task: Task, *, with_tags: bool) -> Params:
    """Give the shape Task; without tags their list is empty (documented: API: DescribeTasks.include)."""
    shown = {**_body(task), **task.moments, "healthStatus": "UNKNOWN"}
    return shown | {"tags": tags.show(task.tags) if with_tags else []}


def replay(task: Task) -> Params:
    """Give a task as a repeated RunTask answers it.

    documented: API Reference, "Ensuring idempotency": of a stopped task only its ARN and its statuses
    """
    if not task.stopped:
        return describe(task, with_tags=True)
    return {"taskArn": task.arn, "lastStatus": task.last_status, "desiredStatus": task.desired_status}


def detail(task: Task, now: dt.datetime) -> Params:
    """Give the detail of an ECS Task State Change event.

    documented: developer guide, "Amazon ECS task state change events": timestamps are ISO strings, health is absent
    reported: aws/containers-roadmap#2329: tags are absent
    """
    moments = {name: iso(moment) for name, moment in task.moments.items()}
    attachments = [{**item, "type": "eni"} for item in _attachments(task)]
    return {**_body(task), **moments, "attachments": attachments, "updatedAt": iso(now)}


def iso(moment: dt.datetime) -> str:
    """Write a moment as ECS events do: UTC, milliseconds."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _body(task: Task) -> Params:
    shown = {
        **_launched(task.launch),
        "attachments": _attachments(task),
        "availabilityZone": f"{task.place.region}a",
        "clusterArn": task.place.cluster(task.cluster),
        "connectivity": "CONNECTED" if "connectivityAt" in task.moments else None,
        "containers": _containers(task),
        "desiredStatus": task.desired_status,
        "lastStatus": task.last_status,
        "stopCode": task.stop_code,
        "stoppedReason": task.stopped_reason,
        "taskArn": task.arn,
        "version": task.version,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _launched(launch: Launch) -> Params:
    return {
        "attributes": [{"name": "ecs.cpu-architecture", "value": _architecture(launch)}],
        "capacityProviderName": launch.capacity_provider,
        "cpu": launch.cpu,
        "enableExecuteCommand": launch.execute_command,
        "ephemeralStorage": {"sizeInGiB": launch.ephemeral_gib},
        "fargateEphemeralStorage": {"sizeInGiB": launch.ephemeral_gib},
        "group": launch.group,
        "launchType": launch.launch_type,
        "memory": launch.memory,
        "overrides": launch.overrides,
        "platformVersion": launch.platform_version,
        "platformFamily": "Linux",
        "startedBy": launch.started_by,
        "taskDefinitionArn": launch.definition.arn,
    }


def _containers(task: Task) -> list[Params]:
    """Describe the containers; there are none before a place is found (reported: reproio/wrapbox#46, prefect#22410)."""
    if task.unplaced is not None:
        return []
    overrides = task.launch.overrides["containerOverrides"]
    return [_container(task, *pair) for pair in zip(task.containers, overrides, strict=True)]


def _container(task: Task, container: Container, override: Params) -> Params:
    body = container.definition | {name: override[name] for name in _RESERVED if name in override}
    shown = {
        "containerArn": task.place.container(task.cluster, task.id, container.id),
        "taskArn": task.arn,
        "name": container.name,
        "image": body["image"],
        "imageDigest": _digest(body["image"]) if container.pulled else None,
        "runtimeId": container.runtime_id,
        "lastStatus": container.last_status,
        "exitCode": container.exit_code,
        "reason": container.reason,
        "networkBindings": [],
        "networkInterfaces": _interfaces(task),
        "healthStatus": "UNKNOWN",
        "cpu": str(body["cpu"]),
        "memory": str(body["memory"]) if "memory" in body else None,
        "memoryReservation": str(body["memoryReservation"]) if "memoryReservation" in body else None,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _attachments(task: Task) -> list[Params]:
    """Describe the network interface (documented: developer guide, the sample event of a Fargate task)."""
    details = [("subnetId", task.launch.subnet)]
    if task.last_status not in _UNPLACED:
        mark = _hex(task.id)
        mac = ":".join(["0a", *(mark[i : i + 2] for i in range(0, 10, 2))])
        address = _address(task)
        dns = f"ip-{address.replace('.', '-')}.{task.place.region}.compute.internal"
        details += [("networkInterfaceId", f"eni-{mark[:17]}"), ("macAddress", mac)]
        details += [("privateDnsName", dns), ("privateIPv4Address", address)]
    shown = [{"name": name, "value": value} for name, value in details]
    return [
        {"id": _attachment_id(task), "type": "ElasticNetworkInterface", "status": task.attachment, "details": shown}
    ]


def _interfaces(task: Task) -> list[Params]:
    if task.last_status in _UNPLACED:
        return []
    return [{"attachmentId": _attachment_id(task), "privateIpv4Address": _address(task)}]


def _attachment_id(task: Task) -> str:
    return str(uuid.UUID(_hex(task.id)))


def _address(task: Task) -> str:
    digits = bytes.fromhex(_hex(task.id))
    return f"10.{digits[0]}.{digits[1]}.{digits[2] % 254 + 1}"


def _architecture(launch: Launch) -> str:
    asked = launch.definition.body.get("runtimePlatform", {}).get("cpuArchitecture", "X86_64")
    return "arm64" if asked == "ARM64" else "x86_64"


def _digest(image: str) -> str | None:
    """Give a digest for images of ECR only (documented: developer guide, task state change events)."""
    if "@sha256:" in image:
        return image.partition("@")[2]
    return f"sha256:{hashlib.sha256(image.encode()).hexdigest()}" if ECR_IMAGE.fullmatch(image) else None


def _hex(task_id: str) -> str:
    return hashlib.md5(task_id.encode(), usedforsecurity=False).hexdigest()
