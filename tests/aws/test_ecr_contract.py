"""The contract of Amazon ECR, by what boto3 sees of it: repositories, their tags, their policies, the way in.

Each test is named after a rule of AWS and marked with how it is known (UG is the Amazon ECR User Guide, API its API
Reference).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.running import Running

NAME = "reports/api"
MANIFEST = json.dumps(
    {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": []}
)


def policy(count: int, **members: Any) -> str:
    rule = {
        "rulePriority": 1,
        "description": "keep the newest images",
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count},
        "action": {"type": "expire"},
        **members,
    }
    return json.dumps({"rules": [rule]})


def code(ask: Callable[..., Any], **params: Any) -> str:
    """The code with which AWS refuses a call."""
    with pytest.raises(ClientError) as caught:
        ask(**params)
    return str(caught.value.response["Error"]["Code"])


@pytest.fixture
def ecr(aws: Running) -> Any:
    return aws.client("ecr")


@pytest.fixture
def arn(ecr: Any) -> str:
    """The ARN of a repository with a tag."""
    made = ecr.create_repository(repositoryName=NAME, tags=[{"Key": "owner", "Value": "a/b"}])
    return str(made["repository"]["repositoryArn"])


@pytest.mark.documented("API: CreateRepository: response, Repository")
def test_a_repository_is_described_as_its_creation_told_it(ecr: Any, aws: Running) -> None:
    made = ecr.create_repository(repositoryName=NAME, imageScanningConfiguration={"scanOnPush": True})["repository"]

    [described] = ecr.describe_repositories(repositoryNames=[NAME])["repositories"]

    assert made["repositoryArn"] == f"arn:aws:ecr:{aws.region}:{aws.account}:repository/{NAME}"
    assert made["repositoryUri"] == f"{aws.account}.dkr.ecr.{aws.region}.amazonaws.com/{NAME}"
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    shown = ("repositoryName", "repositoryArn", "repositoryUri", "imageScanningConfiguration")
    assert {key: described[key] for key in shown} == {key: made[key] for key in shown}


@pytest.mark.documented("API: DescribeRepositories: RepositoryNotFoundException")
def test_a_repository_that_is_not_there_is_an_error_of_its_own(ecr: Any) -> None:
    assert code(ecr.describe_repositories, repositoryNames=[NAME]) == "RepositoryNotFoundException"


@pytest.mark.documented("API: CreateRepository: RepositoryAlreadyExistsException")
def test_a_name_is_taken_once_whatever_else_is_asked_for(ecr: Any, arn: str) -> None:
    twice = code(ecr.create_repository, repositoryName=NAME, tags=[{"Key": "owner", "Value": "c"}])

    assert twice == "RepositoryAlreadyExistsException"
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "owner", "Value": "a/b"}]


@pytest.mark.documented("API: CreateRepository: repositoryName, pattern and length")
@pytest.mark.parametrize("name", ["Api", "a//b", "a-", "a___b", "-a", "a..b", "a/b/"])
def test_a_name_has_parts_of_lower_case_letters_and_digits(ecr: Any, name: str) -> None:
    assert code(ecr.create_repository, repositoryName=name) in {"InvalidParameterException", "ValidationException"}


@pytest.mark.documented("API: CreateRepository: repositoryName, pattern and length")
@pytest.mark.parametrize("name", ["a-b", "a_b.c-d", "0/1/2"])
def test_between_the_letters_are_dots_dashes_and_underscores(ecr: Any, name: str) -> None:
    assert ecr.create_repository(repositoryName=name)["repository"]["repositoryName"] == name


@pytest.mark.documented("API: TagResource, UntagResource")
def test_tags_are_set_one_by_one_and_the_others_stay(ecr: Any, arn: str) -> None:
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "team", "Value": "x"}, {"Key": "cost", "Value": "1"}])
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "team", "Value": "y"}])
    ecr.untag_resource(resourceArn=arn, tagKeys=["cost"])

    tags = ecr.list_tags_for_resource(resourceArn=arn)["tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"owner": "a/b", "team": "y"}


@pytest.mark.documented("API: PutImageScanningConfiguration; UG, 'Image scanning': off unless it is asked for")
def test_scan_on_push_is_off_until_somebody_asks_for_it(ecr: Any, arn: str) -> None:
    del arn

    [before] = ecr.describe_repositories(repositoryNames=[NAME])["repositories"]
    ecr.put_image_scanning_configuration(repositoryName=NAME, imageScanningConfiguration={"scanOnPush": True})
    [after] = ecr.describe_repositories(repositoryNames=[NAME])["repositories"]

    assert before["imageScanningConfiguration"] == {"scanOnPush": False}
    assert after["imageScanningConfiguration"] == {"scanOnPush": True}


@pytest.mark.documented("API: GetLifecyclePolicy, PutLifecyclePolicy, DeleteLifecyclePolicy: errors")
def test_a_lifecycle_policy_replaces_the_one_before_and_its_absence_is_an_error_of_its_own(ecr: Any, arn: str) -> None:
    del arn

    assert code(ecr.get_lifecycle_policy, repositoryName=NAME) == "LifecyclePolicyNotFoundException"
    for count in (10, 5):
        ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=policy(count))
    told = ecr.get_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"]
    ecr.delete_lifecycle_policy(repositoryName=NAME)

    assert json.loads(told) == json.loads(policy(5))
    assert code(ecr.get_lifecycle_policy, repositoryName=NAME) == "LifecyclePolicyNotFoundException"
    assert code(ecr.delete_lifecycle_policy, repositoryName=NAME) == "LifecyclePolicyNotFoundException"


@pytest.mark.assumed(
    "that the text means the same afterwards; the documentation does not say whether it is kept as it is"
)
def test_a_lifecycle_policy_keeps_every_member_of_its_rule(ecr: Any, arn: str) -> None:
    del arn
    text = json.dumps(json.loads(policy(50)), indent=2, sort_keys=True)

    ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=text)

    assert json.loads(ecr.get_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"]) == json.loads(text)


@pytest.mark.documented("UG, 'Lifecycle policy properties': action type is expire; countNumber is a positive integer")
@pytest.mark.parametrize(
    "members",
    [
        {"action": {"type": "archive-it"}},
        {"selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 0}},
        {"selection": {"tagStatus": "any", "countType": "newest", "countNumber": 5}},
    ],
    ids=["an action", "a number", "a way to count"],
)
def test_a_lifecycle_policy_that_ecr_does_not_know_is_refused(ecr: Any, arn: str, members: dict[str, Any]) -> None:
    del arn

    refused = code(ecr.put_lifecycle_policy, repositoryName=NAME, lifecyclePolicyText=policy(5, **members))

    assert refused in {"InvalidParameterException", "ValidationException"}


@pytest.mark.documented("API: DeleteRepository: force, RepositoryNotEmptyException")
def test_a_repository_with_images_is_deleted_by_force_only(ecr: Any, arn: str) -> None:
    del arn
    ecr.put_image(repositoryName=NAME, imageManifest=MANIFEST, imageTag="1")

    assert code(ecr.delete_repository, repositoryName=NAME) == "RepositoryNotEmptyException"
    ecr.delete_repository(repositoryName=NAME, force=True)

    assert code(ecr.describe_repositories, repositoryNames=[NAME]) == "RepositoryNotFoundException"
    assert code(ecr.delete_repository, repositoryName=NAME, force=True) == "RepositoryNotFoundException"


@pytest.mark.documented("API: every operation on a repository: RepositoryNotFoundException")
@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("put_lifecycle_policy", {"repositoryName": NAME, "lifecyclePolicyText": policy(5)}),
        ("get_lifecycle_policy", {"repositoryName": NAME}),
        ("delete_lifecycle_policy", {"repositoryName": NAME}),
        (
            "put_image_scanning_configuration",
            {"repositoryName": NAME, "imageScanningConfiguration": {"scanOnPush": True}},
        ),
        ("list_tags_for_resource", {"resourceArn": f"arn:aws:ecr:eu-west-1:123456789012:repository/{NAME}"}),
        (
            "tag_resource",
            {
                "resourceArn": f"arn:aws:ecr:eu-west-1:123456789012:repository/{NAME}",
                "tags": [{"Key": "a", "Value": "b"}],
            },
        ),
    ],
)
def test_what_is_not_there_cannot_be_changed(ecr: Any, operation: str, params: dict[str, Any]) -> None:
    assert code(getattr(ecr, operation), **params) == "RepositoryNotFoundException"


@pytest.mark.documented("API: GetAuthorizationToken: AuthorizationData, base64 of user:password, user AWS")
def test_a_token_is_the_user_aws_with_a_password(ecr: Any) -> None:
    [granted] = ecr.get_authorization_token()["authorizationData"]

    user, _, password = base64.b64decode(granted["authorizationToken"]).decode().partition(":")

    assert user == "AWS"
    assert password
    assert granted["proxyEndpoint"].startswith("https://")
