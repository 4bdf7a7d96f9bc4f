"""What a container runs: its command line and its environment, from definition, overrides, image and secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from localaws.contract import Params
from localaws.ecs.failures import CannotStartContainer
from localaws.ecs.model import Container, Task


@dataclass(frozen=True, slots=True)
class Command:
    """A command line and the whole environment of its process; the environment stays out of every text."""

    argv: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)
    mounts: Mapping[str, str] = field(default_factory=dict)  # folders by the container's own paths


def of(task: Task, container: Container, images: Mapping[str, list[str] | None], secrets: dict[str, str]) -> Command:
    """Put together what a container of a task runs.

    Raises:
        CannotStartContainer: neither command nor entry point, and nothing is known of the image.
    """
    override = override_of(task, container)
    return Command(
        _argv(container.definition, override, images),
        _environment(task.place.region, container.definition, override) | secrets,
    )


def override_of(task: Task, container: Container) -> Params:
    """Give what RunTask changed of a container."""
    entries: list[Params] = task.launch.overrides["containerOverrides"]
    return next(entry for entry in entries if entry["name"] == container.name)


def _argv(definition: Params, override: Params, images: Mapping[str, list[str] | None]) -> tuple[str, ...]:
    """documented: API: ContainerDefinition.entryPoint, .command and ContainerOverride.command: as Docker joins them.

    localaws cannot read images: `images` says what ENTRYPOINT and CMD of an image are on this machine.
    """
    command = override.get("command") or definition.get("command") or []
    argv = [*(definition.get("entryPoint") or []), *command] or images.get(definition["image"]) or []
    if not argv:
        raise CannotStartContainer(
            f"no command specified: set command or entryPoint of container {definition['name']}, or tell localaws "
            f"what image {definition['image']} runs"
        )
    return tuple(argv)


def _environment(region: str, definition: Params, override: Params) -> dict[str, str]:
    """Nothing of the server's own environment but PATH, for want of an image that would bring one.

    documented: developer guide, "Amazon ECS environment variables": AWS_EXECUTION_ENV, AWS_REGION, AWS_DEFAULT_REGION
    """
    own = {
        "PATH": os.environ.get("PATH", os.defpath),
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }
    pairs = [*definition["environment"], *override.get("environment", [])]
    return own | {pair["name"]: pair.get("value", "") for pair in pairs}
