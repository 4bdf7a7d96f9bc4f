"""Tasks that never run: no place, no image."""

from __future__ import annotations

import pytest

from fixtures.ecs_world import Ecs, container, job, request

pytestmark = pytest.mark.timeout(10)  # real processes, perhaps on a busy machine


def wait_for_a_place(ecs: Ecs, **shortage: object) -> dict[str, object]:
    ecs.ready()
    ecs.service.control("POST", "shortages", {"outcome": "unplaced", **shortage})
    return ecs.run()


def test_a_task_without_a_place_has_no_containers_and_fails_to_start_after_half_an_hour(ecs: Ecs) -> None:
    task = wait_for_a_place(ecs, reason="RESOURCE:FARGATE")

    ecs.advance(minutes=29)
    waiting = ecs.statuses(task)
    ecs.advance(minutes=1)
    ended = ecs.finish(task)

    assert waiting == ["PROVISIONING"]
    assert ecs.statuses(task) == ["PROVISIONING", "PROVISIONING", "DEPROVISIONING", "STOPPED"]
    assert (ended["stopCode"], ended["stoppedReason"]) == ("TaskFailedToStart", "RESOURCE:FARGATE")
    assert [detail["containers"] for detail in ecs.details(task)] == [[]] * 4


def test_a_task_without_a_place_is_stopped_by_its_user_all_the_same(ecs: Ecs) -> None:
    task = wait_for_a_place(ecs)

    ecs("StopTask", cluster="main", task=task["taskArn"], reason="no patience")
    ended = ecs.finish(task)

    assert (ended["stopCode"], ended["stoppedReason"], ended["containers"]) == ("UserInitiated", "no patience", [])


def test_of_several_tasks_of_a_launch_some_wait_for_a_place_and_the_others_run(ecs: Ecs) -> None:
    ecs.ready()
    ecs.service.control("POST", "shortages", {"outcome": "unplaced", "tasks": 1})

    tasks = ecs("RunTask", **request(count=3))["tasks"]

    assert [len(task["containers"]) for task in tasks] == [1, 1, 0]
    for task in tasks[:2]:
        assert ecs.finish(task)["containers"][0]["exitCode"] == 0


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ("app", "docker.io/library/app:latest"),
        ("app:1", "docker.io/library/app:1"),
        ("team/app:1", "docker.io/team/app:1"),
        ("localhost/app:1", "localhost/app:1"),
        ("registry:5000/app", "registry:5000/app:latest"),
        ("ghcr.io/team/app@sha256:0", "ghcr.io/team/app@sha256:0"),
    ],
)
def test_an_image_that_cannot_be_pulled_is_named_with_registry_and_tag(ecs: Ecs, image: str, reference: str) -> None:
    ecs.world.images[image] = None
    ecs.ready()
    ecs("RegisterTaskDefinition", **job(container(image=image)))

    ended = ecs.finish(ecs.run())

    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].endswith(f"failed to resolve ref {reference}: not found")
    assert ended["containers"][0]["reason"] == ended["stoppedReason"]


def test_an_image_that_nobody_spoke_of_can_be_pulled(ecs: Ecs) -> None:
    ecs.world.images["other:1"] = None
    task = ecs.ready().run()

    assert ecs.finish(task)["containers"][0]["exitCode"] == 0
