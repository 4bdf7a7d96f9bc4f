"""Why a task cannot start, in the words in which ECS says it.

documented: developer guide, "Stopped tasks error messages": the class stands before the colon
"""

from __future__ import annotations


class ResourceInitialization(Exception):  # noqa: N818 - ECS calls it so
    """Something around the task is missing: a secret, a log group. The whole task ends with this as its reason."""

    def __init__(self, why: str) -> None:
        super().__init__(f"ResourceInitializationError: {why}")


class CannotStartContainer(Exception):  # noqa: N818 - ECS calls it so
    """The process of one container did not start. The container ends with this as its reason."""

    def __init__(self, why: str) -> None:
        # reported: jenkinsci/amazon-ecs-plugin#258: this is how Fargate 1.4.0 wraps containerd's answer
        prefix = "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: "
        super().__init__(prefix + why)
