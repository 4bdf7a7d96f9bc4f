"""What ECR refuses, in our three words; what proves absence; and that nothing secret is said."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from typing import Any

import pytest

from backgroundtask.aws import Repositories
from backgroundtask.aws.clients import Clients
from backgroundtask.errors import Blocked, Busy, Expected, Rejected
from backgroundtask.plan.repository import Newest
from fixtures.wire import REGION, Wire

NAME = "reports/api"
ARN = f"arn:aws:ecr:{REGION}:111122223333:repository/{NAME}"
DESCRIBED = {"repositoryName": NAME, "repositoryArn": ARN, "repositoryUri": f"uri/{NAME}"}


def test_a_repository_without_scanning_tags_or_policy_is_just_that(wire: Wire) -> None:
    wire.says("DescribeRepositories", {"repositories": [DESCRIBED]})
    wire.says("ListTagsForResource", {})
    wire.refuses("GetLifecyclePolicy", "LifecyclePolicyNotFoundException")

    found = Repositories(wire.clients()).find(NAME)

    assert found is not None
    assert (found.scans_on_push, found.tags, found.lifecycle, found.owner) == (False, {}, None, None)
    assert wire.bodies("DescribeRepositories") == [{"repositoryNames": [NAME]}]


def test_a_repository_is_absent_when_ecr_says_so_of_its_name(wire: Wire) -> None:
    wire.refuses("DescribeRepositories", "RepositoryNotFoundException")

    assert Repositories(wire.clients()).find(NAME) is None


@pytest.mark.parametrize("operation", ["ListTagsForResource", "GetLifecyclePolicy"])
def test_one_that_vanishes_during_the_look_is_looked_at_again(wire: Wire, operation: str) -> None:
    wire.says("DescribeRepositories", {"repositories": [DESCRIBED]})
    if operation != "ListTagsForResource":
        wire.says("ListTagsForResource", {"tags": []})
    wire.refuses(operation, "RepositoryNotFoundException")

    with pytest.raises(Busy) as caught:
        Repositories(wire.clients()).find(NAME)

    assert caught.value.reason == "RepositoryVanished"


@pytest.mark.parametrize("operation", ["ListTagsForResource", "GetLifecyclePolicy"])
def test_a_denied_part_of_the_look_is_no_repository_without_it(wire: Wire, operation: str) -> None:
    wire.says("DescribeRepositories", {"repositories": [DESCRIBED]})
    if operation != "ListTagsForResource":
        wire.says("ListTagsForResource", {"tags": []})
    wire.refuses(operation, "AccessDeniedException", f"User: x is not authorized to perform: ecr:{operation}")

    with pytest.raises(Blocked) as caught:
        Repositories(wire.clients()).find(NAME)

    assert caught.value.reason == "AccessDenied"
    assert f"Grant ecr:{operation}" in caught.value.message


def test_a_repository_is_made_with_its_marks_and_scanning_in_one_call(wire: Wire) -> None:
    wire.says("CreateRepository", {"repository": {**DESCRIBED, "imageScanningConfiguration": {"scanOnPush": True}}})

    made = Repositories(wire.clients()).create(NAME, {"b": "2", "a": "1"})

    assert made.tags == {"a": "1", "b": "2"}
    assert wire.bodies("CreateRepository") == [
        {
            "repositoryName": NAME,
            "tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
            "imageScanningConfiguration": {"scanOnPush": True},
        }
    ]


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("RepositoryAlreadyExistsException", Busy, "RepositoryExists"),
        ("LimitExceededException", Blocked, "QuotaExceeded"),
        ("InvalidTagParameterException", Blocked, "RepositoryTagsRefused"),
        ("TooManyTagsException", Blocked, "RepositoryTagsRefused"),
        ("KmsException", Blocked, "RepositoryKeyUnusable"),
        ("InvalidParameterException", Rejected, "InvalidRepository"),
        ("ServerException", Busy, "AwsUnavailable"),
        ("ThrottlingException", Busy, "Throttled"),
    ],
)
def test_each_refusal_says_what_has_to_happen_next(wire: Wire, code: str, kind: type[Expected], reason: str) -> None:
    wire.refuses("CreateRepository", code)

    with pytest.raises(kind) as caught:
        Repositories(wire.clients()).create(NAME, {})

    assert caught.value.reason == reason


CHANGES: dict[str, tuple[Callable[[Clients], Any], str]] = {
    "a tag": (lambda clients: Repositories(clients).tag(ARN, {"a": "1"}), "TagResource"),
    "scanning": (lambda clients: Repositories(clients).scan(NAME), "PutImageScanningConfiguration"),
    "a policy": (lambda clients: Repositories(clients).trim(NAME, Newest(5)), "PutLifecyclePolicy"),
    "no policy": (lambda clients: Repositories(clients).keep_all(NAME), "DeleteLifecyclePolicy"),
}


@pytest.mark.parametrize(("change", "operation"), CHANGES.values(), ids=CHANGES.keys())
def test_what_is_gone_meanwhile_is_no_bug(wire: Wire, change: Callable[[Clients], Any], operation: str) -> None:
    wire.refuses(operation, "RepositoryNotFoundException")

    with pytest.raises(Busy) as caught:
        change(wire.clients())

    assert caught.value.reason == "RepositoryVanished"


@pytest.mark.parametrize(
    ("act", "operation", "code"),
    [
        (
            lambda clients: Repositories(clients).keep_all(NAME),
            "DeleteLifecyclePolicy",
            "LifecyclePolicyNotFoundException",
        ),
        (lambda clients: Repositories(clients).delete(NAME), "DeleteRepository", "RepositoryNotFoundException"),
    ],
    ids=["a policy", "a repository"],
)
def test_what_is_gone_already_is_fine_on_the_way_out(
    wire: Wire, act: Callable[[Clients], Any], operation: str, code: str
) -> None:
    wire.refuses(operation, code)

    act(wire.clients())

    assert wire.operations() == [operation]


def test_a_repository_is_deleted_with_its_images(wire: Wire) -> None:
    wire.says("DeleteRepository", {})

    Repositories(wire.clients()).delete(NAME)

    assert wire.bodies("DeleteRepository") == [{"repositoryName": NAME, "force": True}]


def test_the_password_is_all_that_follows_the_user_and_is_logged_nowhere(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("botocore").setLevel(logging.WARNING)  # as `Clouds` sets it
    token = base64.b64encode(b"AWS:hunter2:canary").decode()
    wire.says("GetAuthorizationToken", {"authorizationData": [{"authorizationToken": token, "expiresAt": 0}]})

    password = Repositories(wire.clients()).password()

    assert password == "hunter2:canary"
    assert "canary" not in caplog.text
    assert token not in caplog.text
