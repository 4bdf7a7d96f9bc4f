"""Rules and their targets, to EventBridge and back: in an order that fires nothing wrong, and heard where it fails."""

from dataclasses import replace
from typing import Any

import pytest

from backgroundtask.aws import Rules
from backgroundtask.errors import Blocked, Busy, Expected, Rejected
from backgroundtask.plan.rules import to_rule, to_target
from fixtures.rules_contract import GROUP, OWNER, rule, ticking
from fixtures.wire import Wire

ARN = "arn:aws:events:eu-west-1:111122223333:rule/x"
RULE = rule("arn:aws:ecs:eu-west-1:111122223333:task-definition/bgt_test_reports_nightly:1")
FINE = {"FailedEntryCount": 0, "FailedEntries": []}


def failed(code: str, message: str = "It is being changed.") -> dict[str, Any]:
    return {
        "FailedEntryCount": 1,
        "FailedEntries": [{"TargetId": "bgt", "ErrorCode": code, "ErrorMessage": message}],
    }


@pytest.fixture
def eventbridge(wire: Wire) -> Wire:
    """An EventBridge that holds the rule, and takes everything."""
    wire.says("DescribeRule", {**to_rule(RULE), "Arn": ARN})
    wire.says("ListTargetsByRule", {"Targets": [to_target(RULE)]})
    wire.says("PutRule", {"RuleArn": ARN})
    wire.says("DeleteRule", {})
    return wire


def refusal(wire: Wire, name: str) -> Expected:
    rules = Rules(wire.clients())
    work = {
        "create": lambda: rules.create(RULE),
        "update": lambda: rules.update(RULE),
        "remove": lambda: rules.remove(GROUP, RULE.name),
    }
    with pytest.raises(Expected) as refused:
        work[name]()
    return refused.value


def test_a_rule_of_that_name_is_never_overwritten(eventbridge: Wire) -> None:
    assert refusal(eventbridge, "create").reason == "ScheduleExists"

    assert eventbridge.operations() == ["DescribeRule"]


def test_a_new_rule_bears_its_owner_in_its_tags_too(wire: Wire) -> None:
    wire.refuses("DescribeRule", "ResourceNotFoundException")
    wire.says("PutRule", {"RuleArn": ARN})
    wire.says("PutTargets", FINE)

    assert Rules(wire.clients()).create(RULE) == ARN

    (put,) = wire.bodies("PutRule")
    assert put.pop("Tags") == [{"Key": "bgtask.dev/owner", "Value": str(OWNER)}]
    assert put == to_rule(RULE)
    assert wire.bodies("PutTargets") == [{"Rule": RULE.name, "Targets": [to_target(RULE)]}]


@pytest.mark.parametrize(
    ("wanted", "order", "why"),
    [
        (RULE, ["ListTargetsByRule", "PutTargets", "PutRule"], "it is switched on with the right target only"),
        (
            replace(RULE, enabled=False),
            ["PutRule", "ListTargetsByRule", "PutTargets"],
            "it is off also where the target is refused",
        ),
        (
            replace(RULE, enabled=False, edited_target={"Targets": []}),
            ["PutRule"],
            "what somebody edited is switched off as it stands",
        ),
    ],
)
def test_an_update_never_fires_what_it_is_to_replace(
    eventbridge: Wire, wanted: Any, order: list[str], why: str
) -> None:
    eventbridge.says("PutTargets", FINE)

    Rules(eventbridge.clients()).update(wanted)

    assert eventbridge.operations() == order, why


def test_a_target_that_somebody_added_goes_once_ours_is_there(wire: Wire) -> None:
    wire.says("ListTargetsByRule", {"Targets": [{"Id": "theirs", "Arn": "arn:aws:sqs:::x"}, to_target(RULE)]})
    wire.says("PutTargets", FINE)
    wire.says("RemoveTargets", FINE)
    wire.says("PutRule", {"RuleArn": ARN})

    Rules(wire.clients()).update(ticking(RULE))

    assert wire.operations() == ["ListTargetsByRule", "PutTargets", "RemoveTargets", "PutRule"]
    assert wire.bodies("RemoveTargets") == [{"Rule": RULE.name, "Ids": ["theirs"]}]


def test_the_targets_of_a_rule_go_before_it(eventbridge: Wire) -> None:
    eventbridge.says("RemoveTargets", FINE)

    Rules(eventbridge.clients()).remove(GROUP, RULE.name)

    assert eventbridge.operations() == ["ListTargetsByRule", "RemoveTargets", "DeleteRule"]


def test_a_target_that_is_gone_already_holds_up_no_removal(eventbridge: Wire) -> None:
    eventbridge.says("RemoveTargets", failed("ResourceNotFoundException"))

    Rules(eventbridge.clients()).remove(GROUP, RULE.name)

    assert eventbridge.operations()[-1] == "DeleteRule"


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("ConcurrentModificationException", Busy, "Conflict"),
        ("ThrottlingException", Busy, "Throttled"),
        ("InternalFailure", Busy, "AwsUnavailable"),
        ("ResourceNotFoundException", Busy, "RuleVanished"),
        ("AccessDeniedException", Blocked, "AccessDenied"),
        ("ValidationException", Rejected, "InvalidSchedule"),
    ],
)
def test_a_target_that_failed_in_a_call_that_succeeded_counts_as_the_call(
    eventbridge: Wire, code: str, kind: type[Expected], reason: str
) -> None:
    eventbridge.says("PutTargets", failed(code))

    error = refusal(eventbridge, "update")

    assert (type(error), error.reason) == (kind, reason)
    assert "PutRule" not in eventbridge.operations(), "it was not switched on with a target that may be another"


def test_a_rule_whose_targets_do_not_go_stays(eventbridge: Wire) -> None:
    eventbridge.says("RemoveTargets", failed("ConcurrentModificationException"))

    assert refusal(eventbridge, "remove").reason == "Conflict"

    assert "DeleteRule" not in eventbridge.operations()


@pytest.mark.parametrize(
    ("operation", "code", "message", "kind", "reason"),
    [
        (
            "PutTargets",
            "ValidationException",
            "Provided role 'arn:aws:iam::1:role/x' cannot be assumed by principal 'events.amazonaws.com'.",
            Blocked,
            "RoleNotAssumable",
        ),
        ("PutTargets", "AccessDeniedException", "not authorized to perform: iam:PassRole", Blocked, "RoleNotPassable"),
        ("PutTargets", "ResourceNotFoundException", "Rule x does not exist.", Busy, "RuleVanished"),
        ("PutRule", "ValidationException", "Parameter ScheduleExpression is not valid.", Rejected, "InvalidSchedule"),
        ("PutRule", "LimitExceededException", "The requested resource exceeds the maximum.", Blocked, "QuotaExceeded"),
        ("PutRule", "ManagedRuleException", "no", Blocked, "RuleManaged"),
        ("PutRule", "OperationDisabledException", "no", Blocked, "EventBridgeDisabled"),
        ("PutRule", "ConcurrentModificationException", "no", Busy, "Conflict"),
    ],
)  # fmt: skip
def test_what_eventbridge_refuses_says_what_has_to_happen_next(
    wire: Wire, operation: str, code: str, message: str, kind: type[Expected], reason: str
) -> None:
    wire.says("ListTargetsByRule", {"Targets": []})
    wire.refuses(operation, code, message)
    wire.says("PutTargets", FINE)

    error = refusal(wire, "update")

    assert (type(error), error.reason) == (kind, reason)


def test_a_rule_that_gets_a_target_while_it_goes_is_tried_again(wire: Wire) -> None:
    wire.says("ListTargetsByRule", {"Targets": [to_target(RULE)]})
    wire.says("RemoveTargets", FINE)
    wire.refuses("DeleteRule", "ValidationException", "Rule can't be deleted since it has targets.")

    error = refusal(wire, "remove")

    assert (type(error), error.reason) == (Busy, "RuleHasTargets")


def test_what_was_just_made_and_is_not_shown_yet_is_not_absent(wire: Wire) -> None:
    wire.refuses("DescribeRule", "ResourceNotFoundException")
    wire.says("PutRule", {"RuleArn": ARN})
    wire.says("PutTargets", FINE)
    wire.says("ListRules", {"Rules": []})
    rules = Rules(wire.clients())
    rules.create(RULE)

    with pytest.raises(Busy) as unseen:
        rules.find(GROUP, RULE.name)

    assert unseen.value.reason == "ScheduleNotVisible"
    assert rules.enabled_by_name(GROUP) == {RULE.name: True}


def test_rules_are_listed_to_the_last_page(wire: Wire) -> None:
    pages = [
        {"Name": f"r{number}", "State": "ENABLED", "Description": to_rule(RULE)["Description"]} for number in (1, 2)
    ]
    wire.says("ListRules", {"Rules": pages[:1], "NextToken": "more"})
    wire.says("ListRules", {"Rules": [*pages[1:], {"Name": "theirs", "State": "ENABLED"}]})

    assert Rules(wire.clients()).enabled_by_name(GROUP) == {"r1": True, "r2": True}


def test_a_group_that_somebody_marked_first_is_looked_at_again(wire: Wire) -> None:
    wire.says("PutRule", {"RuleArn": ARN})
    wire.says("ListTagsForResource", {"Tags": [{"Key": "bgtask.dev/cluster", "Value": "theirs"}]})

    with pytest.raises(Busy) as refused:
        Rules(wire.clients()).create_group(GROUP, {"bgtask.dev/cluster": "ours"})

    assert refused.value.reason == "ScheduleGroupExists", "PutRule ignores tags where the rule is there"
