"""Event patterns match what EventBridge's user guide says they match."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localaws.events.pattern import InvalidPatternError, compile_pattern

EVENT: dict[str, Any] = {
    "source": "aws.ecs",
    "detail-type": "ECS Task State Change",
    "resources": ["arn:1", "arn:2"],
    "detail": {
        "group": "family:bgt_demo_reports_nightly",
        "lastStatus": "STOPPED",
        "version": 4,
        "price": 10.5,
        "spot": False,
        "note": None,
        "ip": "10.0.0.7",
        "overrides": {"containerOverrides": []},
        "containers": [{"name": "main", "exitCode": 0}, {"name": "side", "exitCode": 1}],
    },
}


def matches(pattern: Any, event: dict[str, Any] = EVENT) -> bool:
    return compile_pattern(json.dumps(pattern))(event)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ({"source": ["aws.s3", "aws.ecs"]}, "one of the listed values"),
        ({"resources": ["arn:2"]}, "one element of an array"),
        ({"source": ["aws.ecs"], "detail": {"lastStatus": ["STOPPED"]}}, "all members at all depths"),
        ({"detail": {"version": [4], "spot": [False], "note": [None]}}, "numbers, booleans and null"),
        ({"detail": {"group": [{"prefix": "family:bgt_demo_"}]}}, "a prefix"),
        ({"detail": {"group": [{"prefix": {"equals-ignore-case": "FAMILY:"}}]}}, "a prefix in any case"),
        ({"detail": {"group": [{"suffix": "_nightly"}]}}, "a suffix"),
        ({"source": [{"equals-ignore-case": "AWS.ecs"}]}, "in any case"),
        ({"detail": {"group": [{"wildcard": "family:*_reports_*"}]}}, "wildcards"),
        ({"detail": {"lastStatus": [{"anything-but": ["RUNNING", "PENDING"]}]}}, "none of these"),
        ({"detail": {"lastStatus": [{"anything-but": {"prefix": "RUN"}}]}}, "no such prefix"),
        ({"detail": {"lastStatus": [{"anything-but": {"suffix": ["ING", "x"]}}]}}, "no such suffix"),
        ({"detail": {"version": [{"numeric": [">", 3, "<=", 4]}]}}, "a range"),
        ({"detail": {"price": [{"numeric": ["=", 10.5]}]}}, "a number"),
        ({"detail": {"lastStatus": [{"exists": True}], "stopCode": [{"exists": False}]}}, "there, and not there"),
        ({"detail": {"ip": [{"cidr": "10.0.0.0/24"}]}}, "an address in a network"),
        ({"detail": {"containers": {"name": ["side"], "exitCode": [1]}}}, "one object of an array has both"),
        ({"$or": [{"source": ["x"]}, {"detail": {"version": [4]}}]}, "one of the alternatives"),
        ({"detail": {"$or": [{"spot": [True]}, {"version": [4]}], "lastStatus": ["STOPPED"]}}, "and the rest"),
        ({"detail": {"note": [None, {"exists": False}]}}, "several tests, one is enough"),
    ],
)
def test_an_event_matches(pattern: Any, why: str) -> None:
    assert matches(pattern), why


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ({"source": ["AWS.ECS"]}, "case counts"),
        ({"source": ["aws.ecs"], "region": ["eu-west-1"]}, "a key that is not there"),
        ({"detail": {"version": ["4"]}}, "a number is no text"),
        ({"detail": {"version": [4.0]}}, "another notation"),
        ({"detail": {"spot": [0]}}, "a boolean is no number"),
        ({"detail": {"group": [{"prefix": "bgt_"}]}}, "not at the beginning"),
        ({"detail": {"group": [{"wildcard": "bgt_*"}]}}, "a wildcard matches the whole value"),
        ({"detail": {"stopCode": [{"anything-but": ["x"]}]}}, "nothing is not anything"),
        ({"detail": {"lastStatus": [{"anything-but": {"suffix": ["PED", "x"]}}]}}, "one of the suffixes"),
        ({"detail": {"version": [{"numeric": [">", 4]}]}}, "outside the range"),
        ({"detail": {"lastStatus": [{"numeric": [">", 4]}]}}, "text is no number"),
        ({"detail": {"overrides": [{"exists": True}]}}, "exists works on leaves only"),
        ({"detail": {"ip": [{"cidr": "10.1.0.0/16"}]}}, "another network"),
        ({"detail": {"containers": {"name": ["main"], "exitCode": [1]}}}, "no single object has both"),
        ({"$or": [{"source": ["x"]}, {"detail": {"version": [5]}}]}, "no alternative"),
        ({"detail": {"$or": [{"spot": [False]}, {"version": [4]}], "lastStatus": ["RUNNING"]}}, "the rest does not"),
    ],
)
def test_an_event_does_not_match(pattern: Any, why: str) -> None:
    assert not matches(pattern), why


def test_a_wildcard_can_be_escaped() -> None:
    pattern = {"path": [{"wildcard": r"a\*b*"}]}

    assert matches(pattern, {"path": "a*bc"})
    assert not matches(pattern, {"path": "axbc"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Invalid JSON"),
        ("[]", "Filter is not an object"),
        ("{}", "Empty patterns are not allowed"),
        ('{"source": "x"}', '"source" must be an object or an array'),
        ('{"source": []}', "Empty arrays are not allowed"),
        ('{"detail": {}}', "Empty objects are not allowed"),
        ('{"source": [["x"]]}', "Arrays cannot be nested"),
        ('{"source": [{"begins": "x"}]}', "Unrecognized match type begins"),
        ('{"source": [{"prefix": "x", "suffix": "y"}]}', "Only one key allowed"),
        ('{"source": [{"prefix": 1}]}', "prefix match pattern must be a non-empty string"),
        ('{"source": [{"exists": "yes"}]}', "must be either true or false"),
        ('{"source": [{"numeric": ["~", 1]}]}', "Unrecognized numeric range operator"),
        ('{"source": [{"wildcard": "a**"}]}', "Consecutive wildcard characters"),
        ('{"source": [{"anything-but": []}]}', "only strings and numbers are allowed"),
        ('{"source": [{"cidr": "10.0.0.0/99"}]}', "Malformed CIDR"),
        ('{"$or": [{"source": ["x"]}]}', "at least two objects"),
    ],
)
def test_a_pattern_that_is_none_says_why(text: str, reason: str) -> None:
    with pytest.raises(InvalidPatternError, match=reason.replace("$", r"\$")):
        compile_pattern(text)
