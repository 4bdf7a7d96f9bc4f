"""Log groups are there, with the retention that was asked for, and nothing is written twice."""

import pytest

from backgroundtask.aws import LogGroups
from backgroundtask.errors import Blocked
from fixtures.wire import Wire

NAME = "/bgt/prod/default"


def group(name: str = NAME, **members: object) -> dict[str, object]:
    return {"logGroupName": name, **members}


def test_a_missing_group_is_made_with_tags_and_retention(wire: Wire) -> None:
    wire.says("DescribeLogGroups", {"logGroups": [group(f"{NAME}-2", retentionInDays=30)]})
    wire.says("CreateLogGroup", {})
    wire.says("PutRetentionPolicy", {})

    LogGroups(wire.clients()).ensure(NAME, retention_days=30, tags={"a": "1"})

    assert wire.bodies("CreateLogGroup") == [{"logGroupName": NAME, "tags": {"a": "1"}}]
    assert wire.bodies("PutRetentionPolicy") == [{"logGroupName": NAME, "retentionInDays": 30}]


@pytest.mark.parametrize(
    ("days", "members", "written"),
    [
        (30, {"retentionInDays": 30}, []),
        (None, {"retentionInDays": 7}, []),
        (None, {}, []),
        (30, {"retentionInDays": 7}, ["PutRetentionPolicy"]),
        (30, {}, ["PutRetentionPolicy"]),
    ],
    ids=["the same", "any will do", "never expiring will do", "another", "never expiring"],
)
def test_the_retention_of_a_group_is_written_only_where_it_differs(
    wire: Wire, days: int | None, members: dict[str, object], written: list[str]
) -> None:
    wire.says("DescribeLogGroups", {"logGroups": [group(**members)]})
    wire.says("PutRetentionPolicy", {})

    LogGroups(wire.clients()).ensure(NAME, retention_days=days, tags={})

    assert wire.operations() == ["DescribeLogGroups", *written]


def test_a_group_on_a_later_page_is_found(wire: Wire) -> None:
    wire.says("DescribeLogGroups", {"logGroups": [group(f"{NAME}-2")], "nextToken": "more"})
    wire.says("DescribeLogGroups", {"logGroups": [group()]})

    LogGroups(wire.clients()).ensure(NAME, retention_days=None, tags={})

    assert "CreateLogGroup" not in wire.operations()


def test_a_group_that_somebody_made_meanwhile_is_done(wire: Wire) -> None:
    wire.says("DescribeLogGroups", {"logGroups": []})
    wire.refuses("CreateLogGroup", "ResourceAlreadyExistsException")
    wire.says("PutRetentionPolicy", {})

    LogGroups(wire.clients()).ensure(NAME, retention_days=30, tags={})

    assert wire.operations()[-1] == "PutRetentionPolicy"


def test_a_denied_look_makes_no_group(wire: Wire) -> None:
    wire.refuses("DescribeLogGroups", "AccessDeniedException")

    with pytest.raises(Blocked):
        LogGroups(wire.clients()).ensure(NAME, retention_days=30, tags={})

    assert wire.operations() == ["DescribeLogGroups"]
