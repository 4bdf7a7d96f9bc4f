"""What the contract's tests say reaches an account under names of its own, and comes back as they said it."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.disguise import Disguise

ROLE = "arn:aws:iam::123456789012:role/execution"
DISGUISE = Disguise(
    prefix="x-1-",
    account="210987654321",
    region="us-west-2",
    stand_ins={"subnet-1": "subnet-0abc", ROLE: "arn:aws:iam::210987654321:role/ecs/exec", "app:1": "busybox:stable"},
    programs={"/usr/bin/python3": "python3"},
)
HERE, THERE = "eu-west-1:123456789012", "us-west-2:210987654321"

ASKED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("ecs", {"clusterName": "main"}, {"clusterName": "x-1-main"}, "a name gets the prefix"),
    ("ecs", {"cluster": "default"}, {"cluster": "default"}, "but not AWS's own"),
    ("ecs", {"family": ""}, {"family": ""}, "nothing stays nothing, and is refused as that"),
    ("ecs", {"taskDefinitions": ["a:1", "b"]}, {"taskDefinitions": ["x-1-a:1", "x-1-b"]}, "so do names in lists"),
    (
        "ecs",
        {"tasks": [f"arn:aws:ecs:{HERE}:task/main/0af"], "cluster": f"arn:aws:ecs:{HERE}:cluster/main"},
        {"tasks": [f"arn:aws:ecs:{THERE}:task/x-1-main/0af"], "cluster": f"arn:aws:ecs:{THERE}:cluster/x-1-main"},
        "ARNs are the account's, with the names in them",
    ),
    ("ecs", {"containerDefinitions": [{"name": "app"}]}, {"containerDefinitions": [{"name": "app"}]}, "no name of AWS"),
    (
        "ecs",
        {"containerDefinitions": [{"secrets": [{"name": "A", "valueFrom": "/far/word"}], "image": "app:1"}]},
        {
            "containerDefinitions": [
                {"secrets": [{"name": "A", "valueFrom": "/x-1-far/word"}], "image": "busybox:stable"}
            ]
        },
        "a path keeps its slash; an image has its stand-in",
    ),
    ("ecr", {"repositoryNames": ["a/b"]}, {"repositoryNames": ["x-1-a/b"]}, "a name with a slash is one name"),
    (
        "ecr",
        {"resourceArn": f"arn:aws:ecr:{HERE}:repository/a/b"},
        {"resourceArn": f"arn:aws:ecr:{THERE}:repository/x-1-a/b"},
        "also in an ARN",
    ),
    ("ecs", {"executionRoleArn": ROLE}, {"executionRoleArn": "arn:aws:iam::210987654321:role/ecs/exec"}, "a stand-in"),
    (
        "ecs",
        {"command": ["sh", "-c", '"/usr/bin/python3" -c x'], "subnets": ["subnet-1", "subnet-12"]},
        {"command": ["sh", "-c", '"python3" -c x'], "subnets": ["subnet-0abc", "subnet-12"]},
        "a stand-in is for the whole word",
    ),
    (
        "scheduler",
        {"Name": "nightly", "Target": {"Arn": f"arn:aws:sqs:{HERE}:ticks", "Input": '{"Name": "a"}'}},
        {"Name": "x-1-nightly", "Target": {"Arn": f"arn:aws:sqs:{THERE}:x-1-ticks", "Input": '{"Name": "a"}'}},
        "an input is the target's business",
    ),
    (
        "scheduler",
        {"ResourceArn": f"arn:aws:scheduler:{HERE}:schedule/default/nightly"},
        {"ResourceArn": f"arn:aws:scheduler:{THERE}:schedule/default/x-1-nightly"},
        "a schedule's ARN has two names",
    ),
    (
        "sqs",
        {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/work", "MessageBody": f"arn:aws:sqs:{HERE}:a"},
        {
            "QueueUrl": "https://sqs.us-west-2.amazonaws.com/210987654321/x-1-work",
            "MessageBody": f"arn:aws:sqs:{HERE}:a",
        },
        "a queue is named by its URL, and a message is sent as it is",
    ),
    (
        "events",
        {"Name": "r", "EventPattern": '{"detail": {"group": [{"prefix": "family:main"}]}}'},
        {"Name": "x-1-r", "EventPattern": '{"detail": {"group": [{"prefix": "family:x-1-main"}]}}'},
        "ECS names the group of a task after its family",
    ),
    ("iam", {"RoleName": "scheduler"}, {"RoleName": "x-1-scheduler"}, "roles too"),
    ("sts", {"RoleArn": "arn:aws:iam::123456789012:root"}, {"RoleArn": "arn:aws:iam::210987654321:root"}, "no name"),
]


@pytest.mark.parametrize(("service", "said", "sent", "why"), ASKED, ids=[row[3] for row in ASKED])
def test_a_request_is_sent_in_the_names_of_the_account(
    service: str, said: dict[str, Any], sent: dict[str, Any], why: str
) -> None:
    assert DISGUISE.asked(service, said) == sent, why


@pytest.mark.parametrize(("service", "said", "sent", "why"), ASKED, ids=[row[3] for row in ASKED])
def test_what_was_sent_comes_back_as_it_was_said(
    service: str, said: dict[str, Any], sent: dict[str, Any], why: str
) -> None:
    said = {name: it for name, it in said.items() if name not in ("MessageBody", "command")}
    sent = {name: it for name, it in sent.items() if name not in ("MessageBody", "command")}

    assert DISGUISE.told(service, "Describe", sent) == said, why


def test_what_was_sent_is_sent_again_as_it_is() -> None:
    once = DISGUISE.asked("ecs", {"cluster": "main", "tasks": [f"arn:aws:ecs:{HERE}:task/main/0af"]})

    assert DISGUISE.asked("ecs", once) == once


def test_lists_tell_only_of_what_the_test_has_made_and_of_what_is_there_for_all() -> None:
    groups = {"ScheduleGroups": [{"Name": "x-1-g"}, {"Name": "default"}, {"Name": "somebody's"}]}
    clusters = {"clusterArns": [f"arn:aws:ecs:{THERE}:cluster/{name}" for name in ("x-1-main", "main")]}
    queues = {"QueueUrls": ["https://sqs.us-west-2.amazonaws.com/210987654321/somebody's"], "NextToken": "n"}

    assert DISGUISE.told("scheduler", "ListScheduleGroups", groups)["ScheduleGroups"] == [
        {"Name": "g"},
        {"Name": "default"},
    ]
    assert DISGUISE.told("ecs", "ListClusters", clusters) == {"clusterArns": [f"arn:aws:ecs:{HERE}:cluster/main"]}
    assert DISGUISE.told("sqs", "ListQueues", queues) == {"NextToken": "n"}


def test_a_refusal_comes_back_in_the_words_of_the_test() -> None:
    answer = {"Error": {"Code": "ConflictException", "Message": "Schedule x-1-nightly already exists."}}

    assert (
        DISGUISE.told("scheduler", "CreateSchedule", answer)["Error"]["Message"] == "Schedule nightly already exists."
    )


def test_the_handle_of_a_message_is_left_alone() -> None:
    handle = "AQEBx-1-us-west-2"

    told = DISGUISE.told("sqs", "ReceiveMessage", {"Messages": [{"ReceiptHandle": handle, "Body": "x-1-a"}]})

    assert told == {"Messages": [{"ReceiptHandle": handle, "Body": "a"}]}
