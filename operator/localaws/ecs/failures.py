"""Why a task cannot start, in the words in which ECS says it.

documented: developer guide, "Stopped tasks error messages": the class stands before the colon
"""

from __future__ import annotations


class CannotStartTask(Exception):  # noqa: N818 - an outcome, which ends the task and no more
    """The whole task fails to start, with this as its reason."""


class ResourceInitialization(CannotStartTask):
    """Something around the task is missing: a secret, a log group."""

    def __init__(self, why: str) -> None:
        super().__init__(f"ResourceInitializationError: {why}")


class CannotPullContainer(CannotStartTask):
    """The image of one container cannot be pulled."""

    def __init__(self, image: str) -> None:
        # reported: aws/containers-roadmap#2687: how Fargate 1.4.0 says that a registry has no such image
        super().__init__(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
            f"failed to resolve ref {_reference(image)}: not found"
        )


def _reference(image: str) -> str:
    """Write an image as containerd does: with its registry and its tag (documented: Docker, image references)."""
    first, slash, _ = image.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    full = image if named else f"docker.io/{image if slash else f'library/{image}'}"
    return full if "@" in full or ":" in full.rpartition("/")[2] else f"{full}:latest"


class CannotStartContainer(Exception):  # noqa: N818 - ECS calls it so
    """The process of one container did not start. The container ends with this as its reason."""

    def __init__(self, why: str) -> None:
        # reported: jenkinsci/amazon-ecs-plugin#258: this is how Fargate 1.4.0 wraps containerd's answer
        prefix = "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: "
        super().__init__(prefix + why)
