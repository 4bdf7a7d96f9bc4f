"""`bgt repo login`: docker is logged in to the right registry, and the password is seen by nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backgroundtask.errors import Blocked
from backgroundtask.kube.resource import REPOSITORIES
from fixtures.command_line import Person
from fixtures.fake_repositories import PASSWORD
from fixtures.objects import ACCOUNT, REGION, repository_object

REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
DOCKER = """#!/bin/sh
printf '%s\\n' "$@" > "$0.arguments"
cat > "$0.input"
env > "$0.environment"
echo "Login Succeeded"
exit {code}
"""


def has_repository(bgt: Person, **status: Any) -> None:
    body = bgt.store.insert(REPOSITORIES, repository_object())
    bgt.store.replace(REPOSITORIES, body, {**body, "status": {**body["status"], **status}})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that is on the path: nothing, at first, but what a shell needs."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for tool in ("cat", "env"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}" if Path(f"/usr/bin/{tool}").exists() else f"/bin/{tool}")
    return tmp_path


def install_docker(folder: Path, *, code: int = 0) -> Path:
    docker = folder / "docker"
    docker.write_text(DOCKER.format(code=code))
    docker.chmod(0o755)
    return docker


def test_docker_gets_the_password_on_its_input_and_nowhere_else(
    bgt: Person, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    has_repository(bgt, repositoryUri=f"{REGISTRY}/reports/api")
    docker = install_docker(folder)

    answer = bgt("repo", "login", "api")

    assert answer.code == 0
    assert Path(f"{docker}.input").read_text() == PASSWORD
    assert Path(f"{docker}.arguments").read_text().split() == [
        "login", "--username", "AWS", "--password-stdin", REGISTRY
    ]  # fmt: skip
    said = [answer.out, answer.err, *capfd.readouterr(), Path(f"{docker}.environment").read_text()]
    assert not [text for text in said if PASSWORD in text]


def test_the_exit_code_is_dockers(bgt: Person, folder: Path) -> None:
    has_repository(bgt, repositoryUri=f"{REGISTRY}/reports/api")
    install_docker(folder, code=7)

    assert bgt("repo", "login", "api").code == 7


def test_another_tool_gets_the_password_and_nothing_more(bgt: Person, folder: Path) -> None:
    has_repository(bgt, repositoryUri=f"{REGISTRY}/reports/api")
    docker = install_docker(folder)

    answer = bgt("repo", "login", "api", "--print")

    assert (answer.out, answer.err, answer.code) == (f"{PASSWORD}\n", "", 0)
    assert not Path(f"{docker}.input").exists()


@pytest.mark.usefixtures("folder")
def test_without_docker_it_says_how_else_and_asks_for_no_password(bgt: Person) -> None:
    has_repository(bgt, repositoryUri=f"{REGISTRY}/reports/api")

    answer = bgt("repo", "login", "api")

    assert answer.code == 1
    assert f"bgt repo login api --print | podman login --username AWS --password-stdin {REGISTRY}" in answer.err
    assert [one.operation for one in bgt.trace.calls if one.operation.startswith("repositories")] == []


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("registry.example.com/reports/api", "a stranger's registry"),
        (f"{REGISTRY}.example.com/reports/api", "a name that only begins like one of ECR"),
        (f"example.com/{REGISTRY}/api", "a path like one of ECR"),
        (f"{REGISTRY}", "no repository"),
        (f"--config=/tmp/{REGISTRY}/api", "an option"),
        (f"{REGISTRY}:8443@example.com/api", "a user of a stranger"),
    ],
)
def test_no_other_registry_gets_the_password(bgt: Person, folder: Path, uri: str, why: str) -> None:
    has_repository(bgt, repositoryUri=uri)
    docker = install_docker(folder)

    for arguments in ((), ("--print",)):
        answer = bgt("repo", "login", "api", *arguments)

        assert answer.code == 1, why
        assert "names no registry of Amazon ECR" in answer.err, why
        assert PASSWORD not in answer.out, why
    assert not Path(f"{docker}.input").exists(), why


@pytest.mark.parametrize("registry", [f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn", REGISTRY])
def test_the_token_is_asked_for_where_the_registry_is(bgt: Person, folder: Path, registry: str) -> None:
    has_repository(bgt, repositoryUri=f"{registry}/reports/api")
    docker = install_docker(folder)

    assert bgt("repo", "login", "api").code == 0

    [asked] = [one.target for one in bgt.trace.calls if one.operation == "repositories.password"]
    assert asked == registry.split(".")[3]
    assert Path(f"{docker}.arguments").read_text().split()[-1] == registry


@pytest.mark.usefixtures("folder")
def test_what_is_not_there_yet_says_why(bgt: Person) -> None:
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "NotOwned",
        "message": "ECR repository reports/api belongs to x.",
        "lastTransitionTime": "2026-11-21T12:00:00Z",
    }
    has_repository(bgt, observedGeneration=1, conditions=[condition])

    answer = bgt("repo", "login", "api")

    assert answer.code == 1
    assert "has no repository yet: NotOwned: ECR repository reports/api belongs to x." in answer.err


@pytest.mark.usefixtures("folder")
def test_an_unknown_name_is_told_with_those_that_there_are(bgt: Person) -> None:
    has_repository(bgt, repositoryUri=f"{REGISTRY}/reports/api")

    answer = bgt("repo", "login", "web")

    assert answer.code == 1
    assert "There is no ImageRepository web in namespace reports; there are api" in answer.err


def test_a_refusal_of_aws_is_one_line(bgt: Person, folder: Path) -> None:
    has_repository(bgt, repositoryUri=f"{REGISTRY}/reports/api")
    install_docker(folder)
    bgt.trace.fail_next("repositories.password", Blocked("AccessDenied", "Grant ecr:GetAuthorizationToken on *."))

    answer = bgt("repo", "login", "api")

    assert (answer.code, answer.err) == (1, "Error: Grant ecr:GetAuthorizationToken on *.\n")


def test_the_status_is_all_that_is_read_of_the_cluster(bgt: Person, folder: Path) -> None:
    has_repository(bgt, repositoryUri=f"{REGISTRY}/reports/api")
    install_docker(folder)

    bgt("repo", "login", "api")

    assert bgt.trace.writes == []
    asked = [str(one) for one in bgt.trace.calls if one.operation.startswith("kube")]
    assert asked == ["kube.get imagerepositories api"]
