"""What tests ask of ECS beyond its API: where it is asked, and what is answered to what makes no sense."""

from __future__ import annotations

import pytest

from fixtures.ecs_world import ROLE, Ecs, container, job
from localaws.contract import AwsError, Controlled, NoSuchControlError

SPOT = [{"capacityProvider": "FARGATE_SPOT"}]


def test_ecs_is_a_service_that_tests_drive(ecs: Ecs) -> None:
    assert isinstance(ecs.service, Controlled)


def test_shortages_are_listed_and_ended_one_by_one_or_all_at_once(ecs: Ecs) -> None:
    ids = [ecs.service.control("POST", "shortages", {"outcome": "refused"})["id"] for _ in range(3)]

    ecs.service.control("DELETE", f"shortages/{ids[0]}", {})
    rest = [it["id"] for it in ecs.service.control("GET", "shortages", {})["shortages"]]
    ecs.service.control("DELETE", "shortages", {})

    assert rest == ids[1:]
    assert ecs.service.control("GET", "shortages", {}) == {"shortages": []}


def test_a_path_that_is_none_is_told_with_those_that_are(ecs: Ecs) -> None:
    with pytest.raises(NoSuchControlError, match="there is no PUT ecs/interrupt; there are GET ecs/shortages, "):
        ecs.service.control("PUT", "interrupt", {})


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({}, "the leeway takes"),
        ({"deregistered-runs": "long"}, "the leeway takes"),
        ({"deregistered-runs": True}, "the leeway takes"),
        ({"deregistered-runs": -1}, "must be a number from 0 to 86400"),
        ({"deregistered-runs": 1, "more": 1}, "the leeway takes"),
    ],
)
def test_a_leeway_that_is_none_is_refused(ecs: Ecs, wanted: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ecs.service.control("PUT", "leeway", wanted)

    assert ecs.service.control("GET", "leeway", {}) == {"deregistered-runs": 0}


def test_a_deregistered_revision_runs_within_the_leeway_and_one_that_is_being_deleted_never(ecs: Ecs) -> None:
    ecs.ready()
    ecs("DeregisterTaskDefinition", taskDefinition="job:1")
    ecs.service.control("PUT", "leeway", {"deregistered-runs": 60})

    ecs.run(taskDefinition="job:1")
    ecs("DeleteTaskDefinitions", taskDefinitions=["job:1"])

    with pytest.raises(AwsError, match="TaskDefinition is inactive"):
        ecs.run(taskDefinition="job:1")


def test_an_interruption_is_told_in_the_words_of_fargate_spot(ecs: Ecs) -> None:
    ecs.ready()
    ecs("RegisterTaskDefinition", **job(container("sleep", "1000"), executionRoleArn=ROLE))
    task = ecs.run(capacityProviderStrategy=SPOT, launchType=None)
    ecs.reach(task, "RUNNING")

    told = ecs.service.control("POST", "interrupt", {"task": task["taskArn"]})
    ended = ecs.finish(task)

    assert (told["desiredStatus"], told["stopCode"]) == ("STOPPED", "SpotInterruption")
    assert (ended["stoppedReason"], ended["containers"][0]["exitCode"]) == ("Your Spot Task was interrupted.", 143)


@pytest.mark.parametrize(
    ("arn", "said"),
    [
        (None, "an interruption takes"),
        ("task", "is not the ARN of a task"),
        ("arn:aws:ecs:eu-west-1:123456789012:task/main/0", "no task .* runs"),
        ("arn:aws:ecs:eu-west-1:123456789012:task/other/0", "no task .* runs"),
        ("arn:aws:ecs:eu-west-2:123456789012:task/main/0", "no task .* runs"),
    ],
)
def test_what_cannot_be_interrupted_is_told(ecs: Ecs, arn: str | None, said: str) -> None:
    ecs.ready()

    with pytest.raises(ValueError, match=said):
        ecs.service.control("POST", "interrupt", {"task": arn})


def test_a_task_that_stops_already_is_not_interrupted(ecs: Ecs) -> None:
    task = ecs.ready().run(capacityProviderStrategy=SPOT, launchType=None)
    ecs("StopTask", cluster="main", task=task["taskArn"])

    with pytest.raises(ValueError, match=r"no task .* runs"):
        ecs.service.control("POST", "interrupt", {"task": task["taskArn"]})
