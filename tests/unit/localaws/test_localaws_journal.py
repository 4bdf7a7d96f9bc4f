"""The journal keeps what was called, in order, within its bounds."""

from __future__ import annotations

import datetime as dt

import pytest

from localaws.journal import Entry, Journal, Query, is_write

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def entry(operation: str = "RunTask", *, service: str = "ecs", params: bytes = b"{}") -> Entry:
    return Entry(
        sequence=0,
        time=NOON,
        service=service,
        operation=operation,
        region="eu-west-1",
        principal="client",
        params=params,
    )


def filled(count: int, **bounds: int) -> Journal:
    journal = Journal(**bounds)
    for _ in range(count):
        journal.open(entry())
    return journal


def sequences(journal: Journal, **query: int) -> list[int]:
    return [found.sequence for found in journal.find(Query(**query))]


def test_entries_are_numbered_from_one_in_order_of_arrival() -> None:
    assert sequences(filled(3)) == [1, 2, 3]


def test_the_oldest_go_when_there_are_too_many() -> None:
    assert sequences(filled(5, most=2)) == [4, 5]


def test_the_oldest_go_when_their_parameters_are_too_long() -> None:
    journal = Journal(bytes_=100)
    for size in (60, 30, 50):
        journal.open(entry(params=b" " * size))

    assert sequences(journal) == [2, 3]


def test_a_reader_goes_on_where_it_stopped_even_after_old_entries_went() -> None:
    journal = filled(10, most=5)

    assert sequences(journal, since=7) == [8, 9, 10]
    assert sequences(journal, since=2, limit=2) == [6, 7]
    assert sequences(journal, since=10) == []


def test_numbers_go_on_after_a_clear() -> None:
    journal = filled(3)

    journal.clear()
    journal.open(entry())

    assert sequences(journal) == [4]


def test_a_query_names_what_an_entry_has_to_be() -> None:
    journal = Journal()
    for operation in ("RunTask", "DescribeTasks", "StopTask"):
        journal.open(entry(operation))
    journal.open(entry("SendMessage", service="sqs"))

    assert [e.operation for e in journal.find(Query(service="ecs", write=True))] == ["RunTask", "StopTask"]
    assert [e.operation for e in journal.find(Query(operation="SendMessage"))] == ["SendMessage"]


@pytest.mark.parametrize(
    ("operation", "write"),
    [
        ("DescribeTasks", False),
        ("ListRules", False),
        ("GetQueueUrl", False),
        ("ReceiveMessage", False),
        ("GET /bucket", False),
        ("RunTask", True),
        ("TagResource", True),
        ("DeleteMessageBatch", True),
    ],
)
def test_the_name_of_an_operation_tells_whether_it_writes(operation: str, write: bool) -> None:  # noqa: FBT001  # a column of the table
    assert is_write(operation) is write


def test_parameters_that_are_no_json_are_told_as_they_came() -> None:
    assert entry(params=b"{oops").as_json()["params"] == "{oops"
