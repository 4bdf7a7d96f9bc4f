"""The contract of AWS's eventual consistency, by what boto3 sees of it: reads lag behind writes.

Each test is named after a rule of AWS and marked with how it is known. An account lags when it likes.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.ecs_account import Account as Ecs
from fixtures.ecs_account import refusal
from fixtures.scheduler_account import GROUP
from fixtures.scheduler_account import Account as Scheduler
from localaws.running import ControlError, Running

pytestmark = pytest.mark.localaws_only("AWS lags when it likes; this asks for it and stops the clock")

CONSISTENCY = 'ECS API: RunTask, "eventual consistency model"; ECS developer guide, API failure reasons: MISSING'


def delayed(aws: Running, **delays: float) -> None:
    """Stop the clock, and let reads lag."""
    aws.set_rate(0)
    aws.set_visibility(**delays)


@pytest.mark.documented(CONSISTENCY)
def test_a_task_that_was_just_run_may_be_missing_and_is_stopped_all_the_same(aws: Running) -> None:
    account = Ecs(aws)
    account.register("sleep", "100000")
    aws.set_visibility(ecs=5)
    task = account.run()

    described = account.ecs.describe_tasks(cluster="contract", tasks=[task["taskArn"]])
    listed = account.ecs.list_tasks(cluster="contract")["taskArns"]
    account.stop(task)
    aws.advance(5)

    assert (described["tasks"], listed) == ([], [])
    assert described["failures"] == [{"arn": task["taskArn"], "reason": "MISSING"}]
    assert account.describe(task)["desiredStatus"] == "STOPPED"


@pytest.mark.documented(CONSISTENCY)
def test_a_definition_that_was_just_registered_may_not_be_shown_and_runs_all_the_same(aws: Running) -> None:
    account = Ecs(aws)
    first = account.register("true")["taskDefinition"]["taskDefinitionArn"]
    delayed(aws, ecs=5)
    second = account.register("true")["taskDefinition"]["taskDefinitionArn"]

    def shown() -> list[str]:
        latest = account.ecs.describe_task_definition(taskDefinition="contract")["taskDefinition"]
        return [latest["taskDefinitionArn"], *account.ecs.list_task_definitions()["taskDefinitionArns"]]

    early = shown()
    refused = refusal(account.ecs.describe_task_definition, taskDefinition=second)
    started = account.run()["taskDefinitionArn"]
    aws.advance(5)

    assert (early, shown()) == ([first, first], [second, first, second])
    assert refused == (400, "ClientException", "Unable to describe task definition.")
    assert started == second


@pytest.mark.documented(CONSISTENCY)
def test_the_first_revision_of_a_family_may_be_as_unknown_as_its_family(aws: Running) -> None:
    account = Ecs(aws)
    delayed(aws, ecs=5)
    account.register("true")

    families = account.ecs.list_task_definition_families()["families"]
    refused = refusal(account.ecs.describe_task_definition, taskDefinition="contract")
    second = account.register("true")["taskDefinition"]["revision"]
    aws.advance(5)

    assert (families, refused[1], second) == ([], "ClientException", 2)
    assert account.ecs.list_task_definition_families()["families"] == ["contract"]


@pytest.mark.documented(CONSISTENCY)
def test_a_cluster_that_was_just_created_may_be_missing_and_created_again_is_the_same(aws: Running) -> None:
    delayed(aws, ecs=5)
    ecs = aws.client("ecs")
    arn = ecs.create_cluster(clusterName="new")["cluster"]["clusterArn"]

    answer = ecs.describe_clusters(clusters=["new"])
    listed = ecs.list_clusters()["clusterArns"]
    again = ecs.create_cluster(clusterName="new")["cluster"]["clusterArn"]
    aws.advance(5)

    assert (answer["clusters"], answer["failures"], listed) == ([], [{"arn": arn, "reason": "MISSING"}], [])
    assert again == arn
    assert ecs.list_clusters()["clusterArns"] == [arn]


@pytest.mark.assumed("EventBridge Scheduler says nothing of consistency")
def test_a_schedule_that_was_just_created_may_not_be_found_and_conflicts_all_the_same(aws: Running) -> None:
    account = Scheduler(aws)
    delayed(aws, scheduler=5)
    account.create()

    found = refusal(account.get)
    listed = account.scheduler.list_schedules(GroupName=GROUP)["Schedules"]
    twice = refusal(account.create)
    aws.advance(4.9)
    still = refusal(account.get)
    aws.advance(0.1)

    assert found == still == (404, "ResourceNotFoundException", "Schedule nightly does not exist.")
    assert (listed, twice[1]) == ([], "ConflictException")
    assert account.get()["Name"] == "nightly"


@pytest.mark.assumed("EventBridge Scheduler says nothing of consistency")
def test_a_schedule_that_is_not_shown_yet_is_updated_fires_and_is_deleted(aws: Running) -> None:
    account = Scheduler(aws)
    account.freeze()
    aws.set_visibility(scheduler=600)
    account.create()
    slots = account.next_minutes(2)

    account.scheduler.update_schedule(**account.asked(Description="new"))
    aws.advance(120)
    account.scheduler.delete_schedule(Name="nightly", GroupName=GROUP)

    assert account.bodies() == slots
    assert refusal(account.scheduler.delete_schedule, Name="nightly", GroupName=GROUP)[0] == 404


@pytest.mark.assumed("EventBridge Scheduler says nothing of consistency")
def test_a_group_that_was_just_created_may_not_be_found_and_takes_schedules(aws: Running) -> None:
    account = Scheduler(aws)
    delayed(aws, scheduler=5)
    client = account.scheduler
    client.create_schedule_group(Name="new")

    found = refusal(client.get_schedule_group, Name="new")
    listed = client.list_schedule_groups(NamePrefix="new")["ScheduleGroups"]
    arn = account.create(GroupName="new")
    aws.advance(5)

    assert (found[:2], listed) == ((404, "ResourceNotFoundException"), [])
    assert client.get_schedule(Name="nightly", GroupName="new")["Arn"] == arn


@pytest.mark.documented("SQS API: CreateQueue: wait at least one second after the queue is created")
def test_a_queue_that_was_just_created_may_not_be_found_by_name_and_takes_messages_by_url(aws: Running) -> None:
    delayed(aws, sqs=1)
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="new")["QueueUrl"]

    with pytest.raises(ClientError, match="NonExistentQueue"):
        sqs.get_queue_url(QueueName="new")
    listed = sqs.list_queues()
    sqs.send_message(QueueUrl=url, MessageBody="early")
    aws.advance(1)

    assert "QueueUrls" not in listed
    assert sqs.get_queue_url(QueueName="new")["QueueUrl"] == url
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "early"


@pytest.mark.assumed("nothing of AWS: how a test learns what a read was not shown")
def test_the_journal_tells_which_read_was_not_shown_what(aws: Running) -> None:
    account = Scheduler(aws)
    delayed(aws, scheduler=5)
    arn = account.create()

    refusal(account.get)
    account.scheduler.list_schedules(GroupName=GROUP)
    aws.advance(5)
    account.get()

    calls = [call for call in aws.journal(service="scheduler", write=False) if call["principal"] == "client"]
    assert [(call["operation"], call["outcome"], call["notes"]) for call in calls] == [
        ("GetSchedule", "ResourceNotFoundException", [f"not shown yet: {arn}"]),
        ("ListSchedules", "ok", [f"not shown yet: {arn}"]),
        ("GetSchedule", "ok", []),
    ]


@pytest.mark.assumed("nothing of AWS: how long reads lag is asked for, and of which service")
def test_the_delay_is_of_all_services_or_of_some_until_it_is_taken_back(aws: Running) -> None:
    def delays() -> dict[str, Any]:
        return aws.control("GET", "visibility")

    at_first = delays()
    aws.set_visibility(5)
    of_all = delays()
    aws.set_visibility(ecs=2.5)
    of_one = delays()
    aws.client("ecs").create_cluster(clusterName="hidden")
    aws.set_visibility(0)

    assert at_first == {"ecs": 0, "scheduler": 0, "sqs": 0}
    assert (of_all, of_one) == ({"ecs": 5, "scheduler": 5, "sqs": 5}, {"ecs": 2.5, "scheduler": 0, "sqs": 0})
    assert len(aws.client("ecs").list_clusters()["clusterArns"]) == 1


@pytest.mark.assumed("nothing of AWS: what makes no sense is answered with what to change")
@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"iam": 5}, "no visibility delay has the name 'iam': it is one of seconds, ecs, scheduler, sqs"),
        ({"ecs": -1}, "'ecs' must be a number from 0 to 86400"),
        ({"ecs": True}, "'ecs' must be a number from 0 to 86400"),
        ({"seconds": "5"}, "'seconds' must be a number from 0 to 86400"),
        ({"seconds": 5, "ecs": 1}, "'seconds' for all services, or a number for each, and not both"),
    ],
    ids=json.dumps,
)
def test_a_delay_that_makes_no_sense_is_refused(aws: Running, wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(ControlError, match=said):
        aws.control("PUT", "visibility", wanted)
