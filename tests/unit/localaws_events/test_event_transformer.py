"""What a target gets of an event: constants, parts, and templates filled in."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localaws.contract import AwsError
from localaws.events.transformer import Occasion, body, problem

EVENT: dict[str, Any] = {
    "version": "0",
    "detail-type": "EC2 Instance State-change Notification",
    "time": "2015-11-11T21:29:54Z",
    "resources": ["arn:a", "arn:b"],
    "detail": {"instance-id": "i-0123456789", "state": "RUNNING", "count": 3, "on": True, "nested": {"k": "v"}},
}
PATHS = {
    "instance": "$.detail.instance-id",
    "state": "$.detail.state",
    "count": "$.detail.count",
    "on": "$.detail.on",
    "nested": "$.detail.nested",
    "resources": "$.resources",
    "missing": "$.detail.nothing",
    "wrong": "no path",
}
OCCASION = Occasion(
    event=EVENT,
    rule_arn="arn:aws:events:us-east-2:123456789012:rule/example",
    rule_name="example",
    ingested=dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC),
)


def transformed(template: str, paths: dict[str, str] | None = None) -> str:
    transformer = {"InputTemplate": template, "InputPathsMap": PATHS if paths is None else paths}
    assert problem(transformer) is None
    return body({"InputTransformer": transformer}, OCCASION)


@pytest.mark.parametrize(
    ("template", "output", "why"),
    [
        ('"instance <instance> is in <state>"', '"instance i-0123456789 is in RUNNING"', "guide: simple string"),
        (
            '"instance \\"<instance>\\" is in <state>"',
            '"instance \\"i-0123456789\\" is in RUNNING"',
            "guide: string with escaped quotes",
        ),
        (
            '{\n "instance": <instance>,\n "state": <state>\n}',
            '{"instance":"i-0123456789","state":"RUNNING"}',
            "guide: simple JSON, minified",
        ),
        (
            '{"instance": <instance>, "state": "<state>", "both": "instance \\"<instance>\\" is in <state>"}',
            '{"instance":"i-0123456789","state":"RUNNING","both":"instance \\"i-0123456789\\" is in RUNNING"}',
            "guide: JSON with strings and variables",
        ),
        (
            '{"state": [9, <state>, true], "Transformed": "Yes"}',
            '{"state":[9,"RUNNING",true],"Transformed":"Yes"}',
            "guide: variables and static information",
        ),
        ('"<aws.events.rule-name> triggered"', '"example triggered"', "guide: a reserved variable in a string"),
        ("[<count>, <on>, <nested>, <resources>]", '[3,true,{"k":"v"},["arn:a","arn:b"]]', "values keep their types"),
        ('"<count> <on> <nested> <resources>"', '"3 true {k:v} [arn:a,arn:b]"', "within quotes all are bare text"),
        ('{"a": <missing>, "b": "x<missing>y"}', '{"a":"","b":"xy"}', "what is not there is empty"),
        ('{"a": <wrong>}', '{"a":""}', "guide: paths are not validated"),
        ('"first <state>"\n"second"', '"first RUNNING"\n"second"', "several lines of text"),
    ],
)
def test_a_template_is_filled_in(template: str, output: str, why: str) -> None:
    assert transformed(template) == output, why


def test_reserved_variables_tell_of_the_rule_and_the_event() -> None:
    template = (
        '{"arn": <aws.events.rule-arn>, "name": <aws.events.rule-name>, "at": <aws.events.event.ingestion-time>, '
        '"event": <aws.events.event>, "whole": <aws.events.event.json>}'
    )

    assert json.loads(transformed(template, paths={})) == {
        "arn": OCCASION.rule_arn,
        "name": "example",
        "at": "2026-03-01T12:00:00Z",
        "event": {name: value for name, value in EVENT.items() if name != "detail"},
        "whole": EVENT,
    }


def test_a_value_that_breaks_the_template_fails_the_invocation() -> None:
    broken = Occasion(event={"detail": {"state": 'a "b"'}}, rule_arn="arn", rule_name="r", ingested=OCCASION.ingested)
    transformer = {"InputTemplate": '{"state": "<state>"}', "InputPathsMap": {"state": "$.detail.state"}}

    with pytest.raises(AwsError, match="filled in, is not valid JSON"):
        body({"InputTransformer": transformer}, broken)


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)


@pytest.mark.timeout(20)  # values are drawn slowly on a busy machine
@settings(max_examples=30, deadline=None)
@given(SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=4), SCALARS, max_size=3))
def test_a_value_outside_of_quotes_arrives_as_it_was(value: object) -> None:
    occasion = Occasion(event={"detail": value}, rule_arn="arn", rule_name="r", ingested=OCCASION.ingested)
    transformer = {"InputTemplate": '{"it": <it>}', "InputPathsMap": {"it": "$.detail"}}

    assert json.loads(body({"InputTransformer": transformer}, occasion)) == {"it": value}


@pytest.mark.parametrize(
    ("transformer", "said"),
    [
        ({"InputTemplate": "<a> is up", "InputPathsMap": {"a": "$.a"}}, "or text in double quotes"),
        ({"InputTemplate": "7"}, "or text in double quotes"),
        ({"InputTemplate": '{"a": 1} {"b": 2}'}, "or text in double quotes"),
        ({"InputTemplate": '{"a": 1'}, "or text in double quotes"),
        ({"InputTemplate": '"open'}, "or text in double quotes"),
        ({"InputTemplate": '{"a": 1}"'}, "or text in double quotes"),
        ({"InputTemplate": " "}, "or text in double quotes"),
        (
            {"InputTemplate": '{"a": <b>}', "InputPathsMap": {"a": "$.a"}},
            "uses <b>, which InputPathsMap does not define",
        ),
        ({"InputTemplate": '"<aws.events.nothing>"'}, "uses <aws.events.nothing>"),
        ({"InputTemplate": '{"<a>": 1}', "InputPathsMap": {"a": "$.a"}}, "as the key of an object"),
        ({"InputTemplate": '[{"x": {"<a>": 1}}]', "InputPathsMap": {"a": "$.a"}}, "as the key of an object"),
        ({"InputTemplate": "{}", "InputPathsMap": {"a b": "$.a"}}, "cannot have the key a b"),
        ({"InputTemplate": "{}", "InputPathsMap": {"Aws.a": "$.a"}}, "cannot have the key Aws.a"),
        ({"InputTemplate": "{}", "InputPathsMap": {f"k{n}": "$" for n in range(101)}}, "at most 100 entries"),
    ],
)
def test_a_transformer_that_makes_no_sense_is_refused(transformer: dict[str, Any], said: str) -> None:
    assert said in (problem(transformer) or "")
