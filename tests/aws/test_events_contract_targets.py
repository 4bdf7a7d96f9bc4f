"""The contract of EventBridge rules that fire tasks: what is told of them again, and what takes the place of what.

Each test is named after a rule of AWS and marked with how it is known (UG is the EventBridge User Guide, API its API
Reference).
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from fixtures.rules_account import PLACE, Account
from localaws.running import Running

EVERY_HOUR = "cron(0 * * * ? *)"
DESCRIPTION = "bgtask.dev/owner=prod/reports/nightly uid=1"


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


def targets(account: Account) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = account.events.list_targets_by_rule(Rule="orders")["Targets"]
    return found


@pytest.mark.documented("API: ListRules, Rule: Description, State and ScheduleExpression are among its members")
def test_a_listing_tells_whose_each_rule_is_and_whether_it_fires(account: Account) -> None:
    account.rule(ScheduleExpression=EVERY_HOUR, Description=DESCRIPTION, State="DISABLED")

    (found,) = account.events.list_rules()["Rules"]

    assert (found["Name"], found["State"]) == ("orders", "DISABLED")
    assert (found["Description"], found["ScheduleExpression"]) == (DESCRIPTION, EVERY_HOUR)


@pytest.mark.documented("API: PutTargets, ListTargetsByRule; Target, RetryPolicy, DeadLetterConfig")
def test_a_target_is_read_back_as_it_was_put(account: Account) -> None:
    account.rule(ScheduleExpression=EVERY_HOUR)
    wanted = account.on_cluster(
        account.role(),
        InputTransformer={"InputPathsMap": {"slot": "$.time"}, "InputTemplate": '{"containerOverrides":[<slot>]}'},
        RetryPolicy={"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 600},
        DeadLetterConfig={"Arn": f"arn:aws:sqs:{PLACE}:ticks"},
    )

    account.target(**wanted)

    assert targets(account) == [{"Id": "t", **wanted}]


@pytest.mark.documented("API: PutTargets: updates the targets that are already associated with the rule, by their Id")
def test_a_target_takes_the_place_of_the_one_with_its_id_also_of_another_kind(account: Account) -> None:
    account.rule(ScheduleExpression=EVERY_HOUR)
    account.target(**account.on_cluster(account.role()))
    queue = account.queue("orders")

    account.target(Arn=queue)

    assert targets(account) == [{"Id": "t", "Arn": queue}]


@pytest.mark.documented("API: PutRule: rules with a ScheduleExpression self-trigger; targets of an update stay")
def test_another_schedule_leaves_the_targets_as_they_are(account: Account) -> None:
    account.rule(ScheduleExpression=EVERY_HOUR)
    account.target(Arn=account.queue("orders"))
    before = targets(account)

    account.rule(ScheduleExpression="rate(1 day)", State="DISABLED")

    assert targets(account) == before


@pytest.mark.documented("API: InputTransformer: if InputTemplate is a JSON object, variables stand for JSON values")
@pytest.mark.localaws_only("it moves the clock")
def test_a_queue_gets_an_object_with_the_time_that_the_rule_was_due(account: Account) -> None:
    now = account.freeze()
    arn = account.rule(ScheduleExpression="rate(1 minute)")
    template = '{"tick":{"owner":"prod/reports/nightly","slot":<slot>}}'
    transformer = {"InputPathsMap": {"slot": "$.time"}, "InputTemplate": template}
    account.target(Arn=account.queue("orders", source_arn=arn), InputTransformer=transformer)

    account.aws.advance(60)

    (body,) = account.bodies()
    due = f"{now + dt.timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    assert json.loads(body) == {"tick": {"owner": "prod/reports/nightly", "slot": due}}
