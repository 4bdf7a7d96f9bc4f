"""Lines of a log stream: the last ones, and page by page, as they are written."""

from datetime import UTC, datetime
from typing import Any

import pytest

from backgroundtask.aws import Line, LogEvents
from backgroundtask.errors import Blocked, Busy, Rejected
from fixtures.wire import Wire

PLACE = ("/bgt/prod", "ns/job/aws-bg-task/1")


def answer(*texts: str, back: str, forth: str) -> dict[str, Any]:
    events = [{"timestamp": 1_767_225_600_000 + at, "message": text} for at, text in enumerate(texts)]
    return {"events": events, "nextBackwardToken": back, "nextForwardToken": forth}


def texts(lines: Any) -> list[str]:
    return [line.text for line in lines]


def test_the_last_lines_come_oldest_first_in_one_call(wire: Wire) -> None:
    wire.says("GetLogEvents", answer("two", "three", back="b1", forth="f1"))

    assert LogEvents(wire.clients()).tail(*PLACE, 2) == ("two", "three")
    asked = {"logGroupName": PLACE[0], "logStreamName": PLACE[1], "startFromHead": False, "limit": 2}
    assert wire.bodies("GetLogEvents") == [asked]


def test_the_last_lines_are_looked_for_behind_empty_pages(wire: Wire) -> None:
    wire.says("GetLogEvents", answer(back="b1", forth="f1"))
    wire.says("GetLogEvents", answer("three", back="b2", forth="f0"))
    wire.says("GetLogEvents", answer("one", "two", back="b3", forth="f0"))

    assert LogEvents(wire.clients()).tail(*PLACE, 3) == ("one", "two", "three")
    assert [(body.get("nextToken"), body["limit"]) for body in wire.bodies("GetLogEvents")] == [
        (None, 3),
        ("b1", 3),
        ("b2", 2),
    ]


def test_a_repeated_token_says_that_there_is_nothing_before(wire: Wire) -> None:
    wire.says("GetLogEvents", answer("only", back="b1", forth="f1"))
    wire.says("GetLogEvents", answer(back="b1", forth="f1"))

    assert LogEvents(wire.clients()).tail(*PLACE, 10) == ("only",)
    assert len(wire.sent) == 2


def test_lines_from_before_a_moment_are_not_asked_for(wire: Wire) -> None:
    wire.says("GetLogEvents", answer("late", back="b1", forth="f1"))

    page = LogEvents(wire.clients()).page(*PLACE, "f0", since=datetime(2026, 1, 1, tzinfo=UTC))

    assert texts(page.lines) == ["late"]
    [asked] = wire.bodies("GetLogEvents")
    assert (asked["startTime"], asked["nextToken"]) == (1_767_225_600_000, "f0")


def test_a_look_for_the_last_lines_ends_though_aws_has_only_empty_pages(wire: Wire) -> None:
    for at in range(100):
        wire.says("GetLogEvents", answer(back=f"b{at}", forth="f1"))

    assert LogEvents(wire.clients()).tail(*PLACE, 10) == ()
    assert len(wire.sent) == 21


def test_a_stream_that_is_not_there_has_no_lines_yet(wire: Wire) -> None:
    wire.refuses("GetLogEvents", "ResourceNotFoundException", "The specified log stream does not exist.")
    logs = LogEvents(wire.clients())

    assert logs.tail(*PLACE, 10) == ()
    assert logs.page(*PLACE) == logs.latest(*PLACE, 10)
    assert (logs.page(*PLACE).bookmark, logs.page(*PLACE).is_last) == (None, True)


def test_pages_go_on_where_the_last_one_ended(wire: Wire) -> None:
    wire.says("GetLogEvents", answer("one", back="b", forth="f1"))
    wire.says("GetLogEvents", answer(back="b", forth="f2"))
    wire.says("GetLogEvents", answer(back="b", forth="f2"))
    logs = LogEvents(wire.clients())

    first = logs.page(*PLACE)
    empty = logs.page(*PLACE, first.bookmark)
    last = logs.page(*PLACE, empty.bookmark)

    assert (texts(first.lines), first.is_last, empty.is_last, last.is_last) == (["one"], False, False, True)
    assert first.lines[0].at.isoformat() == "2026-01-01T00:00:00+00:00"
    assert [body.get("nextToken") for body in wire.bodies("GetLogEvents")] == [None, "f1", "f2"]
    assert all(body["startFromHead"] for body in wire.bodies("GetLogEvents")), "AWS demands it with forward tokens"


def test_the_end_is_where_new_lines_are_found_later(wire: Wire) -> None:
    wire.says("GetLogEvents", answer(back="b", forth="f2"))
    wire.says("GetLogEvents", answer("late", back="b", forth="f3"))
    logs = LogEvents(wire.clients())

    end = logs.page(*PLACE, "f2")
    more = logs.page(*PLACE, end.bookmark)

    assert (end.is_last, texts(more.lines), more.is_last) == (True, ["late"], False)


def test_pages_that_go_on_from_the_last_lines_miss_none(wire: Wire) -> None:
    wire.says("GetLogEvents", answer("nine", "ten", back="b", forth="f10"))
    wire.says("GetLogEvents", answer("eleven", back="b", forth="f11"))
    logs = LogEvents(wire.clients())

    last = logs.latest(*PLACE, 2)
    then = logs.page(*PLACE, last.bookmark)

    assert (texts(last.lines), texts(then.lines)) == (["nine", "ten"], ["eleven"])
    assert [body.get("nextToken") for body in wire.bodies("GetLogEvents")] == [None, "f10"]


def test_where_there_were_no_last_lines_pages_begin_at_the_head(wire: Wire) -> None:
    wire.says("GetLogEvents", answer(back="b", forth="f0"))
    wire.says("GetLogEvents", answer(back="b", forth="f0"))

    assert LogEvents(wire.clients()).latest(*PLACE, 5).bookmark is None


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("AccessDeniedException", Blocked, "AccessDenied"),
        ("ThrottlingException", Busy, "Throttled"),
        ("ServiceUnavailableException", Busy, "AwsUnavailable"),
        ("InvalidParameterException", Rejected, "InvalidLogStream"),
    ],
)
def test_a_refusal_is_no_absence(wire: Wire, code: str, kind: type[Exception], reason: str) -> None:
    wire.refuses("GetLogEvents", code)

    with pytest.raises(kind) as refusal:
        LogEvents(wire.clients()).tail(*PLACE, 10)

    assert getattr(refusal.value, "reason", None) == reason


def test_a_line_stays_out_of_tracebacks() -> None:
    assert "password" not in repr(Line(datetime(2026, 1, 1, tzinfo=UTC), "password"))
