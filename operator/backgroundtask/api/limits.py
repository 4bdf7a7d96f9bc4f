"""What a `LaunchTemplate` allows the tasks of its namespaces: sizes, numbers, images, secrets, file systems."""

from typing import Annotated

from pydantic import Field, StringConstraints

from backgroundtask.api.model import Model
from backgroundtask.api.rules import Unique, shaped

_TEXT = "([A-Za-z0-9/_+=.@!:*-]|[{]namespace[}])+"

SecretPattern = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2048),
    shaped(
        _TEXT,
        "must be the ARN of secrets or parameters, or the name of parameters, in which * stands for any text and "
        "{namespace} for the namespace of the task",
    ),
]
ImagePattern = Annotated[
    str,
    StringConstraints(min_length=1, max_length=512),
    shaped(
        _TEXT,
        "must be an image, in which * stands for any text and {namespace} for the namespace of the task: "
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/{namespace}/*",
    ),
]
FileSystemPattern = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    shaped("[*]|fs-[0-9a-f]{8,40}", "must be the id of an EFS file system, fs-0123456789abcdef0, or * for all"),
]
SecretPatterns = Annotated[tuple[SecretPattern, ...], Field(max_length=64, strict=False), Unique()]
ImagePatterns = Annotated[tuple[ImagePattern, ...], Field(max_length=64, strict=False), Unique()]
FileSystems = Annotated[tuple[FileSystemPattern, ...], Field(max_length=64, strict=False), Unique()]


class Limits(Model):
    """The most that the tasks of a template may ask for; what is absent is not limited."""

    cpu: Annotated[int, Field(ge=256, le=196608)] | None = Field(None, description="Most CPU units of a task or a run.")
    memory: Annotated[int, Field(ge=512, le=1048576)] | None = Field(
        None, description="Most memory of a task or a run, in MiB."
    )
    concurrent_runs: Annotated[int, Field(ge=1, le=100000)] | None = Field(
        None,
        description="Most runs of all tasks of this template at the same time; more wait in phase Pending, those that "
        "were due first go first. The operator has to launch them, so schedules send ticks (launch: Queue).",
    )
