"""Amazon ECR: repositories as they stand, one change at a time, and what a client of the registry logs in with.

What proves absence here: of a repository that DescribeRepositories, asked for this one name, answers
RepositoryNotFoundException; of a lifecycle policy LifecyclePolicyNotFoundException. Who may change what is decided in
`plan.repository`. ECR's model is loaded with the first call, so an operator without ImageRepositories never holds it.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from botocore.exceptions import ClientError

from backgroundtask.aws.clients import Clients
from backgroundtask.aws.errors import code_of, translated
from backgroundtask.plan.repository import Held, Lifecycle, Newest, lifecycle_of, lifecycle_text

_SCANNED = {"scanOnPush": True}


class _Ecr(Protocol):
    """The operations of boto3's client that are used here (boto3-stubs has them in its extra `ecr`)."""

    def describe_repositories(self, *, repositoryNames: Sequence[str]) -> Mapping[str, Any]: ...  # noqa: N803 - AWS's word
    def list_tags_for_resource(self, *, resourceArn: str) -> Mapping[str, Any]: ...  # noqa: N803 - AWS's word
    def get_lifecycle_policy(self, *, repositoryName: str) -> Mapping[str, Any]: ...  # noqa: N803 - AWS's word
    def create_repository(self, **params: Any) -> Mapping[str, Any]: ...  # noqa: ANN401 - a request
    def tag_resource(self, **params: Any) -> object: ...  # noqa: ANN401 - a request
    def put_image_scanning_configuration(self, **params: Any) -> object: ...  # noqa: ANN401 - a request
    def put_lifecycle_policy(self, **params: Any) -> object: ...  # noqa: ANN401 - a request
    def delete_lifecycle_policy(self, *, repositoryName: str) -> object: ...  # noqa: N803 - AWS's word
    def delete_repository(self, **params: Any) -> object: ...  # noqa: ANN401 - a request
    def get_authorization_token(self) -> Mapping[str, Any]: ...


class Repositories:
    """The private registry of one account and region.

    Every method raises Rejected (InvalidRepository), Blocked (AccessDenied, QuotaExceeded, RepositoryTagsRefused,
    RepositoryKeyUnusable) or Busy (RepositoryVanished, Throttled) as `refusals` says.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @translated()
    def find(self, name: str) -> Held | None:
        """The repository with its tags and what it does about old images; None where it proves not to be there."""
        try:
            described = self._ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
        except ClientError as error:
            if code_of(error) != "RepositoryNotFoundException":
                raise
            return None
        tags = self._ecr.list_tags_for_resource(resourceArn=described["repositoryArn"]).get("tags", [])
        return _held(described, {tag["Key"]: tag["Value"] for tag in tags}, self._lifecycle(name))

    @translated()
    def create(self, name: str, tags: Mapping[str, str]) -> Held:
        """Make a repository that bears `tags` from its first moment and scans what is pushed.

        Raises:
            Busy: RepositoryExists, where the name is taken: look at it before anything else.
        """
        answer = self._ecr.create_repository(
            repositoryName=name, tags=_pairs(tags), imageScanningConfiguration=_SCANNED
        )
        return _held(answer["repository"], tags, None)

    @translated()
    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Set tags; others stay."""
        self._ecr.tag_resource(resourceArn=arn, tags=_pairs(tags))

    @translated()
    def scan(self, name: str) -> None:
        """Have what is pushed scanned."""
        self._ecr.put_image_scanning_configuration(repositoryName=name, imageScanningConfiguration=_SCANNED)

    @translated()
    def trim(self, name: str, keep: Newest) -> None:
        """Keep the newest images, in place of whatever policy there is."""
        self._ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=lifecycle_text(keep))

    @translated()
    def keep_all(self, name: str) -> None:
        """Remove the lifecycle policy; there may be none."""
        try:
            self._ecr.delete_lifecycle_policy(repositoryName=name)
        except ClientError as error:
            if code_of(error) != "LifecyclePolicyNotFoundException":
                raise

    @translated()
    def delete(self, name: str) -> None:
        """Delete the repository with all its images; it may be gone."""
        try:
            self._ecr.delete_repository(repositoryName=name, force=True)
        except ClientError as error:
            if code_of(error) != "RepositoryNotFoundException":
                raise

    @translated()
    def password(self) -> str:
        """What user `AWS` logs in with for the next twelve hours, at every registry that the caller may use.

        A secret: it goes into no log and into no argument of a process.
        """
        [granted] = self._ecr.get_authorization_token()["authorizationData"]
        _, _, password = base64.b64decode(granted["authorizationToken"]).decode().partition(":")
        return password

    @property
    def _ecr(self) -> _Ecr:
        return cast("_Ecr", self._clients.ecr)

    def _lifecycle(self, name: str) -> Lifecycle:
        try:
            return lifecycle_of(self._ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])
        except ClientError as error:
            if code_of(error) != "LifecyclePolicyNotFoundException":
                raise
            return None


def _held(described: Mapping[str, Any], tags: Mapping[str, str], lifecycle: Lifecycle) -> Held:
    return Held(
        name=described["repositoryName"],
        arn=described["repositoryArn"],
        uri=described["repositoryUri"],
        scans_on_push=bool(described.get("imageScanningConfiguration", {}).get("scanOnPush")),
        lifecycle=lifecycle,
        tags=dict(tags),
    )


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
