"""The contract of EventBridge, by what boto3 sees of it: rules and targets as they are kept.

Each test is named after a rule of AWS and marked with how it is known (`API` is the EventBridge API Reference, `UG` the
EventBridge User Guide).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from fixtures.rules_account import PATTERN, Account, refusal
from localaws.running import Running

GONE = "arn:aws:iam::123456789012:role/gone"


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


@pytest.mark.documented("API: DescribeRule")
def test_a_rule_is_read_back_as_it_was_put_enabled_unless_told_otherwise(account: Account) -> None:
    arn = account.rule("nightly", ScheduleExpression="cron(0 3 * * ? *)", Description="of reports")

    shown = account.events.describe_rule(Name="nightly")

    assert {name: value for name, value in shown.items() if name != "ResponseMetadata"} == {
        "Name": "nightly",
        "Arn": arn,
        "State": "ENABLED",
        "ScheduleExpression": "cron(0 3 * * ? *)",
        "Description": "of reports",
        "EventBusName": "default",
        "CreatedBy": "123456789012",
    }


@pytest.mark.documented("API: PutRule: what is omitted is not kept; tags of an update are ignored")
def test_put_rule_replaces_all_but_targets_and_tags(account: Account) -> None:
    arn = account.rule(Description="old", Tags=[{"Key": "team", "Value": "a"}])
    account.target(Arn=account.queue("orders"))

    account.rule(EventPattern='{"source": ["new"]}', Tags=[{"Key": "team", "Value": "b"}])

    shown = account.events.describe_rule(Name="orders")
    assert (shown["EventPattern"], shown["State"], "Description" in shown) == ('{"source": ["new"]}', "ENABLED", False)
    assert account.events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "a"}]
    assert [t["Id"] for t in account.events.list_targets_by_rule(Rule="orders")["Targets"]] == ["t"]


@pytest.mark.documented("API: TagResource, UntagResource, ListTagsForResource")
def test_the_tags_of_a_rule_are_changed_one_by_one(account: Account) -> None:
    arn = account.rule(Tags=[{"Key": "team", "Value": "a"}, {"Key": "stage", "Value": "test"}])

    account.events.tag_resource(ResourceARN=arn, Tags=[{"Key": "team", "Value": "b"}, {"Key": "new", "Value": ""}])
    account.events.untag_resource(ResourceARN=arn, TagKeys=["stage", "gone"])

    tags = account.events.list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "b", "new": ""}


@pytest.mark.reported("the wording: hashicorp/terraform-provider-aws; documented: API: DeleteRule")
def test_a_rule_with_targets_cannot_be_deleted(account: Account) -> None:
    account.rule()
    account.target(Arn=account.queue("orders"))

    refused = refusal(account.events.delete_rule, Name="orders")
    account.events.remove_targets(Rule="orders", Ids=["t"])
    account.events.delete_rule(Name="orders")

    assert refused == (400, "ValidationException", "Rule can't be deleted since it has targets.")
    assert refusal(account.events.describe_rule, Name="orders")[1] == "ResourceNotFoundException"


@pytest.mark.documented("API: DeleteRule: deleting a rule that is not there succeeds")
def test_a_rule_that_is_not_there_is_deleted_all_the_same(account: Account) -> None:
    account.events.delete_rule(Name="gone")

    assert account.events.list_rules()["Rules"] == []


@pytest.mark.reported("the wording; documented: API: Errors")
def test_a_rule_that_does_not_exist_is_not_found(account: Account) -> None:
    gone = (400, "ResourceNotFoundException", "Rule gone does not exist on EventBus default.")
    events = account.events

    assert refusal(events.describe_rule, Name="gone") == gone
    assert refusal(events.enable_rule, Name="gone") == gone
    assert refusal(events.disable_rule, Name="gone") == gone
    assert refusal(events.list_targets_by_rule, Rule="gone") == gone
    assert refusal(events.remove_targets, Rule="gone", Ids=["t"]) == gone
    assert refusal(events.put_targets, Rule="gone", Targets=[{"Id": "t", "Arn": account.queue("q")}]) == gone


@pytest.mark.documented("API: ListRules, NamePrefix, Limit and NextToken")
def test_rules_are_listed_page_by_page(account: Account) -> None:
    for name in ("team-c", "team-a", "team-b", "other"):
        account.rule(name)

    first = account.events.list_rules(NamePrefix="team-", Limit=2)
    second = account.events.list_rules(NamePrefix="team-", Limit=2, NextToken=first["NextToken"])

    names = [shown["Name"] for page in (first, second) for shown in page["Rules"]]
    assert (names, "NextToken" in second) == (["team-a", "team-b", "team-c"], False)


@pytest.mark.documented("API: ListTargetsByRule and ListRuleNamesByTarget, Limit and NextToken")
def test_targets_and_their_rules_are_listed_page_by_page(account: Account) -> None:
    queue = account.queue("orders")
    for name in ("a", "b", "c"):
        account.rule(name)
        account.events.put_targets(Rule=name, Targets=[{"Id": number, "Arn": queue} for number in ("1", "2", "3")])
    events = account.events

    targets = events.list_targets_by_rule(Rule="a", Limit=2)
    more_targets = events.list_targets_by_rule(Rule="a", Limit=2, NextToken=targets["NextToken"])
    names = events.list_rule_names_by_target(TargetArn=queue, Limit=2)
    more_names = events.list_rule_names_by_target(TargetArn=queue, Limit=2, NextToken=names["NextToken"])

    assert [[it["Id"] for it in page["Targets"]] for page in (targets, more_targets)] == [["1", "2"], ["3"]]
    assert [page["RuleNames"] for page in (names, more_names)] == [["a", "b"], ["c"]]
    assert "NextToken" not in more_targets | more_names


@pytest.mark.documented("UG: Quotas: 300 rules a bus")
@pytest.mark.localaws_only("it would use up the quota of the account")
def test_a_bus_has_room_for_three_hundred_rules(account: Account) -> None:
    for number in range(300):
        account.rule(f"r{number}")

    refused = refusal(account.events.put_rule, Name="more", EventPattern=PATTERN)

    assert refused[:2] == (400, "LimitExceededException")


@pytest.mark.documented("UG: Quotas: 5 targets a rule")
def test_there_are_at_most_five_targets_a_rule(account: Account) -> None:
    account.rule()
    queue = account.queue("orders")
    targets = [{"Id": str(n), "Arn": queue} for n in range(6)]

    refused = refusal(account.events.put_targets, Rule="orders", Targets=targets)

    assert refused[:2] == (400, "LimitExceededException")


@pytest.mark.documented("API: PutTargets: at most 10 entries a request")
def test_a_call_puts_at_most_ten_targets(account: Account) -> None:
    account.rule()
    queue = account.queue("orders")

    refused = refusal(
        account.events.put_targets, Rule="orders", Targets=[{"Id": str(n), "Arn": queue} for n in range(11)]
    )

    assert refused[:2] == (400, "ValidationException")


@pytest.mark.documented("API: PutTargets and RemoveTargets: FailedEntryCount and FailedEntries")
@pytest.mark.localaws_only("it asks for the failure")
def test_a_call_with_an_entry_that_failed_is_answered_200_and_the_others_had_their_effect(account: Account) -> None:
    account.rule()
    queue = account.queue("orders")
    account.aws.control("PUT", "rules", {"failing-entries": 1})

    answer = account.events.put_targets(Rule="orders", Targets=[{"Id": n, "Arn": queue} for n in ("1", "2")])

    (failed,) = answer["FailedEntries"]
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["FailedEntryCount"]) == (200, 1)
    assert (failed["TargetId"], failed["ErrorCode"]) == ("1", "ConcurrentModificationException")
    assert [t["Id"] for t in account.events.list_targets_by_rule(Rule="orders")["Targets"]] == ["2"]


@pytest.mark.assumed("that it is an entry that failed, and its code")
def test_a_target_that_is_not_there_cannot_be_removed(account: Account) -> None:
    account.rule()
    account.target(Arn=account.queue("orders"))

    answer = account.events.remove_targets(Rule="orders", Ids=["gone", "t"])

    assert [(it["TargetId"], it["ErrorCode"]) for it in answer["FailedEntries"]] == [
        ("gone", "ResourceNotFoundException")
    ]
    assert account.events.list_targets_by_rule(Rule="orders")["Targets"] == []


@pytest.mark.reported("the wording of each; documented: API: PutRule and its constraints")
@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ({"EventPattern": '{"source": "shop"}'}, "InvalidEventPatternException", "must be an object or an array"),
        ({"ScheduleExpression": "rate(1 hours)"}, "ValidationException", "Parameter ScheduleExpression is not valid."),
        ({"ScheduleExpression": "cron(bad)"}, "ValidationException", "Parameter ScheduleExpression is not valid."),
        (
            {"ScheduleExpression": "cron(0 3 * * ?)"},
            "ValidationException",
            "Parameter ScheduleExpression is not valid.",
        ),
        (
            {"ScheduleExpression": "rate(1 hour)", "EventBusName": "mine"},
            "ValidationException",
            "ScheduleExpression is supported only on the default event bus.",
        ),
        ({"EventBusName": "other"}, "ResourceNotFoundException", "Event bus other does not exist."),
        ({"State": "ON"}, "ValidationException", "Value 'ON' at 'state' failed to satisfy constraint"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    account: Account, settings: dict[str, str], code: str, said: str
) -> None:
    wanted = settings if "ScheduleExpression" in settings else {"EventPattern": PATTERN, **settings}

    status, found, message = refusal(account.events.put_rule, Name="orders", **wanted)

    assert (status, found, said in message) == (400, code, True), message


@pytest.mark.reported("each of them by users of Terraform, CloudFormation or the command line")
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"Arn": "orders"}, "Parameter orders is not valid. Reason: Provided Arn is not in correct format."),
        (
            {"Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/main"},
            "RoleArn is required for target arn:aws:ecs:eu-west-1:123456789012:cluster/main.",
        ),
        (
            {"Arn": "arn:aws:sqs:eu-west-1:123456789012:in-order.fifo"},
            "Parameter(s) SqsParameters must be specified for target: t.",
        ),
        (
            {
                "Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/main",
                "RoleArn": GONE,
                "EcsParameters": {"TaskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/report:1"},
            },
            f"Provided role '{GONE}' cannot be assumed by principal 'events.amazonaws.com'.",
        ),
    ],
)
def test_a_target_that_makes_no_sense_refuses_the_whole_call(
    account: Account, target: dict[str, Any], message: str
) -> None:
    account.rule()
    good = {"Id": "good", "Arn": account.queue("orders")}

    refused = refusal(account.events.put_targets, Rule="orders", Targets=[good, {"Id": "t", **target}])

    assert refused == (400, "ValidationException", message)
    assert account.events.list_targets_by_rule(Rule="orders")["Targets"] == []


@pytest.mark.documented("API: PutEvents, and UG: Troubleshooting; customers cannot use the source aws.*")
@pytest.mark.parametrize(
    ("entry", "code", "why"),
    [
        ({"Source": "aws.ecs"}, "NotAuthorizedForSourceException", "customers do not speak as AWS"),
        ({"Detail": "[]"}, "MalformedDetail", "the detail is an object"),
        ({"Detail": ""}, "InvalidArgument", "the detail is needed"),
    ],
)
def test_a_bad_entry_fails_by_itself(account: Account, entry: dict[str, str], code: str, why: str) -> None:
    answer = account.put(**entry)

    assert (answer["FailedEntryCount"], answer["Entries"][0]["ErrorCode"]) == (1, code), why


@pytest.mark.documented("API: TestEventPattern")
def test_a_pattern_is_tested_against_an_event(account: Account) -> None:
    event = {
        "id": "1",
        "account": "123456789012",
        "source": "shop",
        "time": "2026-03-01T12:00:00Z",
        "region": "eu-west-1",
        "resources": [],
        "detail-type": "sale",
        "detail": {"kind": "order"},
    }

    def result(**changes: str) -> bool:
        answer = account.events.test_event_pattern(EventPattern=PATTERN, Event=json.dumps({**event, **changes}))
        found: bool = answer["Result"]
        return found

    assert (result(), result(source="stock")) == (True, False)
