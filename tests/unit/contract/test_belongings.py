"""What a test has made on an account is deleted in reverse, however the test ended and whatever AWS says."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.belongings import Belongings, LeftBehindError


class Place:
    """Asks nobody and remembers what it was asked; `refusals` are answered first, by operation."""

    def __init__(self, **refusals: list[str]) -> None:
        self.asked: list[str] = []
        self._refusals = refusals

    def ask(self, operation: str, **params: Any) -> dict[str, Any]:
        if self._refusals.get(operation):
            code = self._refusals[operation].pop(0)
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
        self.asked.append(" ".join([operation, *(str(it) for it in params.values())]))
        return {
            "taskDefinition": {"status": "ACTIVE"},
            "taskArns": ["arn:task/main/1"],
            "Targets": [{"Id": "t"}],
            "State": "ACTIVE",
        }


MADE: list[tuple[str, str, dict[str, Any], dict[str, Any], list[str]]] = [
    (
        "ecs",
        "CreateCluster",
        {"clusterName": "main"},
        {"cluster": {"clusterArn": "arn:cluster/main"}},
        [
            "list_tasks arn:cluster/main",
            "stop_task arn:cluster/main arn:task/main/1 the test is over",
            "delete_cluster arn:cluster/main",
        ],
    ),
    (
        "ecs",
        "RegisterTaskDefinition",
        {"family": "a"},
        {"taskDefinition": {"taskDefinitionArn": "a:1"}},
        ["describe_task_definition a:1", "deregister_task_definition a:1", "delete_task_definitions ['a:1']"],
    ),
    (
        "ecs",
        "RunTask",
        {},
        {"tasks": [{"taskArn": "arn:task/main/2"}]},
        ["stop_task main arn:task/main/2 the test is over"],
    ),
    ("scheduler", "CreateSchedule", {"Name": "s", "GroupName": "g"}, {}, ["delete_schedule s g"]),
    ("scheduler", "CreateSchedule", {"Name": "s"}, {}, ["delete_schedule s default"]),
    ("scheduler", "CreateScheduleGroup", {"Name": "g"}, {}, ["get_schedule_group g", "delete_schedule_group g"]),
    (
        "events",
        "PutRule",
        {"Name": "r"},
        {},
        ["list_targets_by_rule r", "remove_targets r ['t']", "delete_rule r"],
    ),
    ("sqs", "CreateQueue", {"QueueName": "q"}, {"QueueUrl": "https://q"}, ["delete_queue https://q"]),
    ("logs", "CreateLogGroup", {"logGroupName": "l"}, {}, ["delete_log_group l"]),
    ("iam", "CreateRole", {"RoleName": "o"}, {}, ["delete_role o"]),
    ("secretsmanager", "CreateSecret", {"Name": "s"}, {"ARN": "arn:s"}, ["delete_secret arn:s True"]),
    ("ecr", "CreateRepository", {"repositoryName": "a/b"}, {}, ["delete_repository a/b True"]),
    ("ssm", "PutParameter", {"Name": "p"}, {}, ["delete_parameter p"]),
]


@pytest.mark.parametrize(
    ("service", "operation", "asked", "answer", "deleted"), MADE, ids=[f"{row[1]} {row[2]}" for row in MADE]
)
def test_each_thing_is_deleted_in_its_way(
    service: str, operation: str, asked: dict[str, Any], answer: dict[str, Any], deleted: list[str]
) -> None:
    place, belongings = Place(), Belongings(pause=0)
    belongings.note(place.ask, service, operation, asked, answer)

    belongings.delete()
    belongings.delete()

    assert place.asked == deleted


def test_the_last_goes_first() -> None:
    place, belongings = Place(), Belongings(pause=0)
    for name in ("a", "b"):
        belongings.note(place.ask, "logs", "CreateLogGroup", {"logGroupName": name}, {})

    belongings.delete()

    assert place.asked == ["delete_log_group b", "delete_log_group a"]


def test_what_was_refused_and_what_is_only_read_leaves_nothing_to_delete() -> None:
    place, belongings = Place(), Belongings(pause=0)
    belongings.note(place.ask, "logs", "CreateLogGroup", {"logGroupName": "a"}, {"Error": {"Code": "No"}})
    belongings.note(place.ask, "ecs", "ListTasks", {}, {"taskArns": []})

    belongings.delete()

    assert place.asked == []


@pytest.mark.parametrize(
    "code", ["ResourceNotFoundException", "NoSuchEntity", "AWS.SimpleQueueService.NonExistentQueue"]
)
def test_what_the_test_has_deleted_itself_is_gone(code: str) -> None:
    place, belongings = Place(delete_log_group=[code]), Belongings(pause=0)
    belongings.note(place.ask, "logs", "CreateLogGroup", {"logGroupName": "a"}, {})

    belongings.delete()

    assert place.asked == []


def test_a_deletion_is_tried_again_until_aws_grants_it() -> None:
    place = Place(delete_cluster=["ClusterContainsTasksException"] * 3)
    belongings = Belongings(pause=0)
    belongings.note(place.ask, "ecs", "CreateCluster", {}, {"cluster": {"clusterArn": "arn:cluster/main"}})

    belongings.delete()

    assert place.asked[-1] == "delete_cluster arn:cluster/main"


def test_what_cannot_be_deleted_is_named_and_keeps_nothing_else() -> None:
    place = Place(delete_log_group=["AccessDeniedException"] * 10)
    belongings = Belongings(patience=-1, pause=0)
    belongings.note(place.ask, "ssm", "PutParameter", {"Name": "p"}, {})
    belongings.note(place.ask, "logs", "CreateLogGroup", {"logGroupName": "kept"}, {})

    with pytest.raises(LeftBehindError, match=r"left behind on the account: logs CreateLogGroup kept: .*AccessDenied"):
        belongings.delete()

    assert place.asked == ["delete_parameter p"]
