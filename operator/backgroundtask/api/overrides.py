"""What a single run may change of its task: ECS's overrides of RunTask, and no more.

ECS cannot override image, secrets, entry point or logging when it starts a task (Amazon ECS API, ContainerOverride):
for another image there is another task. What a template allows is judged above.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from backgroundtask.api.env import EnvName
from backgroundtask.api.fargate import OVERRIDDEN_SIZE_RULE
from backgroundtask.api.fields import RoleName
from backgroundtask.api.model import Model
from backgroundtask.api.rules import Unique

Words = Annotated[
    tuple[Annotated[str, StringConstraints(max_length=16384)], ...],
    Field(max_length=256, strict=False),
]
"""The words of a command."""


class EnvOverride(Model):
    """A variable that a run sets: a literal value, as ECS takes no reference to a secret when it starts a task."""

    name: EnvName = Field(description="Name of the variable. Names that begin with BGT_ are the operator's.")
    value: Annotated[str, StringConstraints(max_length=8192)] = Field(
        repr=False, description="Literal value, instead of the task's. Secrets belong into the task, by valueFrom."
    )


class Overrides(Model):
    """What this run has otherwise than its task."""

    rules = (OVERRIDDEN_SIZE_RULE,)

    command: Words = Field((), description="Arguments of the container, instead of the task's command.")
    env: Annotated[tuple[EnvOverride, ...], Field(max_length=256, strict=False), Unique("name")] = Field(
        (), description="Environment variables, next to the task's or instead of those with the same name."
    )
    cpu: Annotated[int, Field(ge=256, le=196608)] | None = Field(
        None, description="ECS CPU units, instead of the task's."
    )
    memory: Annotated[int, Field(ge=512, le=1048576)] | None = Field(
        None, description="Memory in MiB, instead of the task's. Fargate has to offer it with the cpu of the run."
    )
    task_role: RoleName | None = Field(
        None, description="Name of an IAM role that the LaunchTemplate offers in taskRoles, instead of the task's."
    )
