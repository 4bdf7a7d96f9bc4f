"""`ImageRepository`: an Amazon ECR repository for the images of a team, in the place that a LaunchTemplate names.

Images are data that nobody can make anew from the cluster, and tasks elsewhere may still pull them. So the default is
to keep them when the object goes, other than for what the operator can register again at any time.
"""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints, field_validator

from backgroundtask.api.conditions import Conditions
from backgroundtask.api.fields import Arn, TemplateName, dns_label
from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.model import Model, Status
from backgroundtask.api.names import MAX_LABEL, REPOSITORY_KIND
from backgroundtask.api.parting import DeletionPolicy, Parting
from backgroundtask.api.rules import immutable, never_added_or_removed, shaped

_PART = "[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*"

RepositoryName = Annotated[
    str,
    StringConstraints(min_length=2, max_length=256),
    # Amazon ECR API, CreateRepository: repositoryName.
    shaped(
        f"{_PART}(/{_PART})*",
        "must be the name of an ECR repository: parts of lower-case letters and digits, between them one '.', one or "
        "two '_' or any number of '-'; parts are joined by '/'; 2 to 256 characters in all",
    ),
]


class RepositorySpec(Model):
    """Which repository, and what it keeps."""

    rules = (never_added_or_removed("name", REPOSITORY_KIND),)

    launch_template: Annotated[TemplateName, immutable("launchTemplate", REPOSITORY_KIND)] = Field(
        "default",
        description="Name of the LaunchTemplate in whose account and region the repository is; it lists this "
        "namespace. Immutable.",
    )
    name: Annotated[RepositoryName, immutable("name", REPOSITORY_KIND)] | None = Field(
        None,
        description="Name of the repository in ECR. It begins with the namespace and a slash; any other name only for "
        "a repository that is there already and whose tag bgtask.dev/owner names this object. Absent: "
        "<namespace>/<name of this object>. Immutable.",
    )
    keep_images: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None,
        description="How many images are kept, the newest; ECR expires older ones within a day, also those that a task "
        "still names. Replaces whatever lifecycle policy there is. Absent: no policy is set, and one that was set by "
        "this field is removed.",
    )
    deletion_policy: DeletionPolicy = Field(
        "Retain",
        description="What happens in ECR when this object is deleted: Retain leaves the repository as it is; Delete "
        "removes it with all its images, where it is this object's. Retain is the default, as images cannot be made "
        "anew from the cluster.",
    )


class RepositoryStatus(Status):
    """The observed state of an ImageRepository."""

    conditions: Conditions = Field(
        (),
        description="Ready: the repository is there and as the spec asks. Reconciling and Stalled are present only "
        "while True.",
    )
    repository_uri: Annotated[str, StringConstraints(max_length=512)] | None = Field(
        None, description="What to push to, and what the names of its images begin with."
    )
    repository_arn: Arn | None = Field(None, description="ARN of the repository.")


class RepositoryParting(Parting):
    """What of the spec is needed to part with a repository, readable also where the rest of the spec is refused."""

    name: str | None = None

    @field_validator("name", mode="before")
    @classmethod
    def _some_name(cls, value: object) -> str | None:
        return value if isinstance(value, str) else None


class ImageRepository(Model):
    """A repository in Amazon ECR for the images of a team: scanned on push, trimmed to the newest where asked for."""

    rules: ClassVar = (dns_label(REPOSITORY_KIND, MAX_LABEL),)

    metadata: ObjectMeta
    spec: RepositorySpec = Field(description="Which repository, and what it keeps.")
    status: RepositoryStatus = Field(RepositoryStatus(), description="What there is.")
