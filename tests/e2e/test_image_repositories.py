"""An image repository through its whole life, seen from outside: what the API server and ECR hold after each thing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fixtures.world import INSTALLATION, Operator, World, eventually
from localkube.errors import LocalkubeError

KIND = "bgir"
OWNER = "bgtask.dev/owner"
RETAINED = "bgtask.dev/retained"


def test_a_repository_from_apply_through_drift_to_its_deletion(world: World) -> None:
    operator = world.start_operator("--resync", "5")
    _is_made_and_reported(world)
    _is_at_rest(world)
    _is_put_right(world)
    _logs_docker_in(world)
    _is_retained(world)
    _is_taken_back_and_deleted_with_its_images(world)
    assert operator.terminate() == 0


def _is_made_and_reported(world: World) -> None:
    _apply(world, "api", keepImages=5)

    status = _ready(world, "api")

    described = _described(world, "api")
    assert status["repositoryUri"] == described["repositoryUri"]
    assert status["repositoryArn"] == described["repositoryArn"]
    assert described["imageScanningConfiguration"] == {"scanOnPush": True}
    assert _counted(world, "api") == 5
    assert _tags(world, "api")[OWNER] == f"{INSTALLATION}/default/api"
    columns = world.kubectl("get", KIND, "api", "--no-headers").split()
    assert columns[:4] == ["api", "True", status["repositoryUri"], "5"]
    with pytest.raises(LocalkubeError, match="name is immutable and cannot be added or removed"):
        _patch(world, "api", name="default/b")


def _is_at_rest(world: World) -> None:
    before, status = world.now(), world.status("api", KIND)

    world.kubectl("annotate", KIND, "api", f"bgtask.dev/reconcile-requested-at={before}")

    eventually(lambda: _calls(world, before, "GetLifecyclePolicy"), "it is looked at, to the last call of a look")
    assert _writes(world, before) == []
    assert world.status("api", KIND) == status


def _is_put_right(world: World) -> None:
    ecr = world.aws.client("ecr")
    off = {"scanOnPush": False}
    ecr.put_image_scanning_configuration(repositoryName="default/api", imageScanningConfiguration=off)
    ecr.delete_lifecycle_policy(repositoryName="default/api")

    eventually(lambda: _counted(world, "api") == 5, "the policy is back, without anybody asking")
    eventually(lambda: _described(world, "api")["imageScanningConfiguration"]["scanOnPush"], "so is scanning")
    _patch(world, "api", keepImages=None)
    eventually(lambda: _counted(world, "api") is None, "the policy goes with the field")


def _logs_docker_in(world: World) -> None:
    folder = world.folder / "bin"
    folder.mkdir()
    docker = folder / "docker"
    docker.write_text('#!/bin/sh\nprintf "%s " "$@" > "$0.arguments"\ncat > "$0.input"\n')
    docker.chmod(0o755)
    env = {**world.env, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}

    _bgt("repo", "login", "api", env=env)
    printed = _bgt("repo", "login", "api", "--print", env=env)

    registry = _described(world, "api")["repositoryUri"].partition("/")[0]
    arguments = Path(f"{docker}.arguments").read_text().split()
    assert arguments == ["login", "--username", "AWS", "--password-stdin", registry]
    assert printed == Path(f"{docker}.input").read_text() + "\n"


def _is_retained(world: World) -> None:
    world.kubectl("delete", KIND, "api", "--timeout=60s")

    assert _tags(world, "api")[RETAINED] == "true"


def _is_taken_back_and_deleted_with_its_images(world: World) -> None:
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": []}
    ecr = world.aws.client("ecr")
    ecr.put_image(repositoryName="default/api", imageManifest=json.dumps(manifest), imageTag="1")
    _apply(world, "api", deletionPolicy="Delete")
    _ready(world, "api")
    assert _tags(world, "api")[RETAINED] == "false"

    world.kubectl("delete", KIND, "api", "--timeout=60s")

    assert "default/api" not in [one["repositoryName"] for one in ecr.describe_repositories()["repositories"]]


def test_a_strangers_repository_is_left_alone_until_it_is_handed_over(world: World, operator: Operator) -> None:
    ecr, mark = world.aws.client("ecr"), f"{INSTALLATION}/default/adopted"
    arn = ecr.create_repository(repositoryName="legacy")["repository"]["repositoryArn"]
    before = world.now()
    _apply(world, "adopted", name="legacy", keepImages=5, deletionPolicy="Delete")

    eventually(lambda: world.condition("adopted", "Stalled", KIND).get("reason") == "NotOwned", "it is refused")
    assert f"{OWNER}={mark}" in world.condition("adopted", kind=KIND)["message"]
    assert _writes(world, before) == []
    eventually(lambda: "NotOwned" in world.kubectl("get", "events", "-o", "json"), "an Event says so")
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": OWNER, "Value": mark}])
    world.kubectl("annotate", KIND, "adopted", "bgtask.dev/reconcile-requested-at=1")

    assert _ready(world, "adopted")["repositoryArn"] == arn
    assert _counted(world, "adopted", called="legacy") == 5
    assert operator.process.poll() is None


def test_a_restart_with_a_repository_in_place_writes_nothing(world: World, operator: Operator) -> None:
    _apply(world, "kept", keepImages=5)
    _ready(world, "kept")
    assert operator.terminate() == 0
    before, version = world.now(), _version(world, "kept")

    again = world.start_operator()

    eventually(lambda: _calls(world, before, "GetLifecyclePolicy"), "the new process has looked at the repository")
    assert again.terminate() == 0
    assert _writes(world, before) == []
    assert _version(world, "kept") == version


def test_a_template_goes_after_its_last_repository(world: World, operator: Operator) -> None:
    world.kubectl("apply", "-f", "-", stdin={**world.template, "metadata": {"name": "images"}})
    _apply(world, "last", launchTemplate="images")
    _ready(world, "last")

    world.kubectl("delete", "bglt", "images", "--wait=false")
    eventually(lambda: "ImageRepositories" in json.dumps(world.status("images", "bglt")), "it says who keeps it")
    world.kubectl("delete", KIND, "last", "--timeout=60s")

    world.kubectl("wait", "--for=delete", "bglt/images", "--timeout=60s")
    assert operator.process.poll() is None


def _apply(world: World, object_name: str, **spec: Any) -> None:
    metadata = {"name": object_name}
    body = {"apiVersion": "bgtask.dev/v1alpha1", "kind": "ImageRepository", "metadata": metadata, "spec": spec}
    world.kubectl("apply", "-f", "-", stdin=body)


def _patch(world: World, object_name: str, **spec: Any) -> None:
    world.kubectl("patch", KIND, object_name, "--type=merge", "-p", json.dumps({"spec": spec}))


def _ready(world: World, name: str) -> dict[str, Any]:
    eventually(lambda: world.condition(name, kind=KIND).get("status") == "True", f"{name} becomes ready")
    return world.status(name, KIND)


def _described(world: World, name: str) -> dict[str, Any]:
    [described] = world.aws.client("ecr").describe_repositories(repositoryNames=[f"default/{name}"])["repositories"]
    return dict(described)


def _tags(world: World, name: str) -> dict[str, str]:
    listed = world.aws.client("ecr").list_tags_for_resource(resourceArn=_described(world, name)["repositoryArn"])
    return {tag["Key"]: tag["Value"] for tag in listed["tags"]}


def _counted(world: World, name: str, *, called: str = "") -> int | None:
    """How many images the policy of a repository keeps; None where it has none."""
    ecr = world.aws.client("ecr")
    try:
        text = ecr.get_lifecycle_policy(repositoryName=called or f"default/{name}")["lifecyclePolicyText"]
    except ecr.exceptions.LifecyclePolicyNotFoundException:
        return None
    count: int = json.loads(text)["rules"][0]["selection"]["countNumber"]
    return count


def _version(world: World, name: str) -> str:
    body = world.get(KIND, name)
    assert body is not None
    return str(body["metadata"]["resourceVersion"])


def _calls(world: World, since: int, operation: str) -> bool:
    return any(one["operation"] == operation for one in world.aws.journal(since=since))


def _writes(world: World, since: int) -> list[str]:
    """The writes to ECR after a point of the journal."""
    entries = [one["operation"] for one in world.aws.journal(since=since) if one["service"] == "ecr"]
    return [one for one in entries if not one.startswith(("Describe", "List", "Get"))]


def _bgt(*arguments: str, env: dict[str, str]) -> str:
    command = [sys.executable, "-m", "backgroundtask", *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
