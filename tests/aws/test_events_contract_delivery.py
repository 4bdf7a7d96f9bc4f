"""The contract of EventBridge, by what boto3 sees of it: what rules send to their targets, and when.

Each test is named after a rule of AWS and marked with how it is known (`API` is the EventBridge API Reference, `UG` the
EventBridge User Guide).
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from fixtures.rules_account import Account
from fixtures.waiting import until
from localaws.running import Running


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


@pytest.mark.documented("UG: Amazon EventBridge event patterns; Permissions for Amazon SQS")
def test_an_event_that_matches_reaches_a_queue_that_allows_it(account: Account) -> None:
    account.target(Arn=account.queue("orders", source_arn=account.rule()))

    event_id = account.put()["Entries"][0]["EventId"]
    account.put(Source="stock")

    (body,) = account.bodies()
    event = json.loads(body)
    assert (event["id"], event["detail-type"], event["detail"]) == (event_id, "sale", {"kind": "order", "n": 1})
    assert (event["account"], event["region"], event["version"]) == ("123456789012", "eu-west-1", "0")


@pytest.mark.documented("UG: Permissions for Amazon SQS: aws:SourceArn is the ARN of the rule")
@pytest.mark.localaws_only("the journal tells that the event was sent and refused")
def test_an_event_does_not_reach_a_queue_that_allows_another_rule(account: Account) -> None:
    arn = account.rule()
    account.target(Arn=account.queue("orders", source_arn=f"{arn}-other"))

    account.put()

    (refused,) = until(lambda: account.aws.journal(principal="events.amazonaws.com", outcome="AccessDenied"))
    until(lambda: account.counts()["failedInvocations"])
    assert (refused["operation"], refused["effect"]) == ("SendMessage", False)
    assert account.received("orders", 0) == []


@pytest.mark.documented("UG: Using dead-letter queues")
def test_an_event_that_its_target_refuses_ends_in_the_dead_letter_queue_with_the_reason(account: Account) -> None:
    arn = account.rule()
    closed, dead = account.queue("closed"), account.queue("dead", source_arn=arn)
    account.target(Arn=closed, DeadLetterConfig={"Arn": dead})

    account.put()

    (letter,) = account.received("dead")
    told = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert (told["ERROR_CODE"], told["RULE_ARN"], told["TARGET_ARN"]) == ("NO_PERMISSIONS", arn, closed)
    assert json.loads(letter["Body"])["source"] == "shop"


@pytest.mark.documented("UG: Retrying event delivery")
@pytest.mark.localaws_only("it injects an error, and moves the clock")
def test_a_throttled_delivery_is_tried_again(account: Account) -> None:
    account.target(Arn=account.queue("orders", source_arn=account.rule()))
    account.aws.fault("error", "sqs", "SendMessage", code="ThrottlingException", status=400, times=2)

    account.put()
    until(lambda: account.aws.journal(operation="SendMessage", outcome="ThrottlingException"))
    account.aws.advance(10)

    assert len(account.received("orders")) == 1


@pytest.mark.documented("UG: Retrying event delivery; API: RetryPolicy")
@pytest.mark.localaws_only("it injects errors, and moves the clock")
def test_a_used_up_retry_policy_ends_in_a_dead_letter(account: Account) -> None:
    arn = account.rule()
    dead = account.queue("dead", source_arn=arn)
    policy = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60}
    account.target(Arn=account.queue("orders", source_arn=arn), RetryPolicy=policy, DeadLetterConfig={"Arn": dead})
    account.aws.fault("error", "sqs", "SendMessage", code="ThrottlingException", status=400, times=3)

    account.put()
    until(lambda: account.aws.journal(operation="SendMessage", outcome="ThrottlingException"))
    account.aws.advance(60)

    (letter,) = account.received("dead")
    told = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert (told["ERROR_CODE"], told["RETRY_ATTEMPTS"]) == ("THROTTLING", "2")
    assert told["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"


@pytest.mark.documented("API: DisableRule and EnableRule")
@pytest.mark.localaws_only("it moves the clock to be sure that nothing comes")
def test_a_disabled_rule_is_silent_until_it_is_enabled(account: Account) -> None:
    account.target(Arn=account.queue("orders", source_arn=account.rule(State="DISABLED")))

    account.put()
    account.aws.advance(1)
    silent = account.received("orders", 0)
    account.events.enable_rule(Name="orders")
    account.put()

    assert (silent, len(account.received("orders"))) == ([], 1)


@pytest.mark.documented("UG: Amazon EventBridge input transformation; API: Target")
@pytest.mark.parametrize(
    ("members", "body", "why"),
    [
        ({"Input": '{"fixed": 1}'}, '{"fixed": 1}', "a constant, as it was put"),
        ({"InputPath": "$.detail"}, '{"kind":"order","n":1}', "a part"),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"kind": "$.detail.kind", "number": "$.detail.n"},
                    "InputTemplate": '{"what": "an <kind>", "n": <number>, "rule": <aws.events.rule-name>}',
                }
            },
            '{"what":"an order","n":1,"rule":"orders"}',
            "a template of JSON",
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"kind": "$.detail.kind"}, "InputTemplate": '"an <kind> came"'}},
            '"an order came"',
            "a template of text",
        ),
    ],
)
def test_a_target_gets_what_it_asks_for(account: Account, members: dict[str, Any], body: str, why: str) -> None:
    account.target(Arn=account.queue("orders", source_arn=account.rule()), **members)

    account.put()

    assert account.bodies() == [body], why


@pytest.mark.documented("API: SqsParameters")
def test_a_fifo_queue_gets_its_messages_in_the_group_that_the_target_names(account: Account) -> None:
    arn = account.rule()
    attributes = {
        "FifoQueue": "true",
        "ContentBasedDeduplication": "true",
        "Policy": json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "events.amazonaws.com"},
                        "Action": "sqs:SendMessage",
                        "Resource": "*",
                        "Condition": {"ArnEquals": {"aws:SourceArn": arn}},
                    }
                ],
            }
        ),
    }
    url = account.sqs.create_queue(QueueName="in-order.fifo", Attributes=attributes)["QueueUrl"]
    account.target(Arn="arn:aws:sqs:eu-west-1:123456789012:in-order.fifo", SqsParameters={"MessageGroupId": "g"})

    account.put()

    answer = account.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10, AttributeNames=["All"])
    assert [message["Attributes"]["MessageGroupId"] for message in answer["Messages"]] == ["g"]


@pytest.mark.localaws_only("it moves the clock")
class TestSchedules:
    """Rules with a ScheduleExpression."""

    @pytest.mark.documented(
        "UG: Creating a rule that runs on a schedule; the event has the detail-type Scheduled Event"
    )
    def test_a_scheduled_rule_triggers_itself_with_an_event_that_names_it(self, account: Account) -> None:
        now = account.freeze()
        noon = (now + dt.timedelta(hours=12)).replace(hour=12, minute=0)
        arn = account.rule(ScheduleExpression="cron(0 12 * * ? *)")
        account.target(Arn=account.queue("orders", source_arn=arn))

        account.aws.advance((noon - now).total_seconds())

        (body,) = account.bodies()
        event = json.loads(body)
        assert event.pop("id")
        assert event == {
            "version": "0",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "123456789012",
            "time": f"{noon:%Y-%m-%dT%H:%M:%SZ}",
            "region": "eu-west-1",
            "resources": [arn],
            "detail": {},
        }

    @pytest.mark.documented("UG: Creating a rule that runs on a schedule: a rate starts when the rule is created")
    def test_a_rate_is_first_due_one_period_after_the_rule_was_made(self, account: Account) -> None:
        now = account.freeze()
        account.target(Arn=account.queue("orders", source_arn=account.rule(ScheduleExpression="rate(5 minutes)")))

        account.aws.advance(11 * 60)

        times = sorted(json.loads(body)["time"] for body in account.bodies())
        assert times == [f"{now + dt.timedelta(minutes=n):%Y-%m-%dT%H:%M:%SZ}" for n in (5, 10)]

    @pytest.mark.documented("API: DisableRule")
    def test_a_disabled_scheduled_rule_is_silent(self, account: Account) -> None:
        account.freeze()
        account.target(Arn=account.queue("orders", source_arn=account.rule(ScheduleExpression="rate(1 minute)")))
        account.events.disable_rule(Name="orders")

        account.aws.advance(600)

        assert account.counts() == {"triggeredRules": 0, "invocations": 0, "failedInvocations": 0}

    @pytest.mark.documented("UG: Troubleshooting: the same rule can run more than once for a single scheduled time")
    def test_one_scheduled_time_may_trigger_a_rule_twice_and_late(self, account: Account) -> None:
        now = account.freeze()
        wanted = {"deliver-twice": 1, "late-seconds": 20, "second-after-seconds": 60, "only": "or*", "seed": 1}
        account.aws.control("PUT", "rules", wanted)
        account.target(Arn=account.queue("orders", source_arn=account.rule(ScheduleExpression="rate(1 hour)")))

        account.aws.advance(3600 + 120)

        first, second = account.bodies()
        calls = account.aws.journal(principal="events.amazonaws.com", operation="SendMessage")
        late = [dt.datetime.fromisoformat(call["time"]) - now for call in calls]
        assert first == second
        assert late == [dt.timedelta(seconds=3620), dt.timedelta(seconds=3680)]
        assert account.aws.control("GET", "rules")["firing"] == {**wanted, "failing-entries": 0}
        assert account.counts()["triggeredRules"] == 2


@pytest.mark.localaws_only("it moves the clock, or injects an error")
class TestRunningTasks:
    """Targets that run tasks, on ECS itself."""

    @pytest.fixture
    def ecs(self, account: Account) -> Any:
        client = account.aws.client("ecs")
        client.create_cluster(clusterName="main", capacityProviders=["FARGATE", "FARGATE_SPOT"])
        client.register_task_definition(
            family="report",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "main", "image": "report:1", "command": ["sleep", "1000"]}],
        )
        return client

    def tasks(self, ecs: Any) -> list[dict[str, Any]]:
        arns = ecs.list_tasks(cluster="main", family="report")["taskArns"]
        found = ecs.describe_tasks(cluster="main", tasks=arns, include=["TAGS"])["tasks"] if arns else []
        tasks: list[dict[str, Any]] = found
        return tasks

    @pytest.mark.documented("API: EcsParameters; UG: Amazon ECS task targets: the input is the TaskOverride")
    def test_a_scheduled_rule_runs_tasks_as_its_parameters_and_its_input_say(self, account: Account, ecs: Any) -> None:
        account.freeze()
        account.rule(ScheduleExpression="rate(1 hour)")
        template = '{"containerOverrides": [{"name": "main", "environment": [{"name": "AT", "value": <at>}]}]}'
        transformer = {"InputPathsMap": {"at": "$.time"}, "InputTemplate": template}
        parameters = {"TaskCount": 2, "Group": "reports", "Tags": [{"Key": "team", "Value": "a"}]}
        account.target(**account.on_cluster(account.role(), EcsParameters=parameters, InputTransformer=transformer))

        account.aws.advance(3600)

        first, second = self.tasks(ecs)
        assert first["taskArn"] != second["taskArn"]
        (override,) = first["overrides"]["containerOverrides"]
        assert [pair["name"] for pair in override["environment"]] == ["AT"]
        assert (first["group"], first["tags"]) == ("reports", [{"key": "team", "value": "a"}])
        assert account.counts() == {"triggeredRules": 1, "invocations": 1, "failedInvocations": 0}

    @pytest.mark.reported("startedBy of tasks seen in public: events-rule/NAME; assumed: cut to 36 characters")
    def test_tasks_are_started_in_the_name_of_the_rule(self, account: Account, ecs: Any) -> None:
        name = "a-rule-with-a-name-of-some-length"
        account.rule(name)
        account.target(name, **account.on_cluster(account.role()))

        account.put()

        (task,) = until(lambda: self.tasks(ecs))
        assert task["startedBy"] == "events-rule/a-rule-with-a-name-of-so"

    @pytest.mark.documented("API: PutTargets: nothing from the event is passed to an ECS task unless it is asked for")
    def test_a_task_gets_nothing_of_the_event_by_itself(self, account: Account, ecs: Any) -> None:
        account.rule()
        account.target(**account.on_cluster(account.role()))

        account.put()

        (task,) = until(lambda: self.tasks(ecs))
        (override,) = task["overrides"]["containerOverrides"]
        assert override == {"name": "main"}

    @pytest.mark.documented("API: EcsParameters, CapacityProviderStrategy")
    def test_a_target_may_name_capacity_providers(self, account: Account, ecs: Any) -> None:
        account.rule()
        strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
        parameters = {"LaunchType": None, "CapacityProviderStrategy": strategy}
        account.target(**account.on_cluster(account.role(), EcsParameters=parameters))

        account.put()

        (task,) = until(lambda: self.tasks(ecs))
        assert task["capacityProviderName"] == "FARGATE_SPOT"

    @pytest.mark.documented("UG: Retrying event delivery: what cannot pass is not tried again; FailedInvocations")
    def test_a_launch_that_ecs_refuses_is_a_failed_invocation(self, account: Account, ecs: Any) -> None:
        ecs.deregister_task_definition(taskDefinition="report:1")
        account.rule()
        account.target(**account.on_cluster(account.role()))

        account.put()

        until(lambda: account.counts()["failedInvocations"] == 1)
        assert len(account.aws.journal(service="ecs", operation="RunTask")) == 1
