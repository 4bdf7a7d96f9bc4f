"""The adapter of ECR over localaws keeps the promises that tests in memory count on, and those only a registry has."""

from __future__ import annotations

import json

import pytest

from backgroundtask.aws import Cloud, Clouds, Pacing
from backgroundtask.errors import Rejected
from backgroundtask.plan.repository import Foreign
from fixtures.fake_clouds import UNHURRIED
from fixtures.objects import ACCOUNT, REGION
from fixtures.repository_contract import NAME, TAGS, RepositoryContract
from localaws.running import Running


@pytest.fixture
def cloud(aws: Running, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    clouds = Clouds(installation="test", pacing=Pacing(UNHURRIED))
    return clouds.of(region=REGION, assume_role_arn=None, template="default")


class TestRealRepositories(RepositoryContract):
    """Over localaws."""


def test_a_repository_that_somebody_made_is_seen_as_it_is_and_made_to_scan(aws: Running, cloud: Cloud) -> None:
    aws.client("ecr").create_repository(repositoryName=NAME)
    rule = {
        "rulePriority": 1,
        "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14},
        "action": {"type": "expire"},
    }
    aws.client("ecr").put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=json.dumps({"rules": [rule]}))

    found = cloud.repositories.find(NAME)
    cloud.repositories.scan(NAME)

    assert found is not None
    assert (found.tags, found.lifecycle, found.scans_on_push) == ({}, Foreign(), False)
    scanned = cloud.repositories.find(NAME)
    assert scanned is not None
    assert scanned.scans_on_push


def test_a_repository_is_deleted_with_its_images(aws: Running, cloud: Cloud) -> None:
    cloud.repositories.create(NAME, TAGS)
    image = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": []}
    aws.client("ecr").put_image(repositoryName=NAME, imageManifest=json.dumps(image), imageTag="1")

    cloud.repositories.delete(NAME)

    assert cloud.repositories.find(NAME) is None


def test_a_name_that_ecr_does_not_take_is_refused_with_words(cloud: Cloud) -> None:
    with pytest.raises(Rejected) as caught:
        cloud.repositories.create("Reports", {})

    assert caught.value.reason == "InvalidRepository"


def test_a_password_is_what_the_token_holds_after_its_user(cloud: Cloud) -> None:
    assert cloud.repositories.password() == f"{ACCOUNT}-auth-token"
