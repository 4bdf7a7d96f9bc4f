"""What people see of Events: repeats counted, floods cut, nothing that waits for it."""

import datetime as dt
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backgroundtask.kube.correlator import Correlator, Happening
from backgroundtask.kube.events import MOST_WAITING, Recorder, presentable
from backgroundtask.kube.resource import TASKS, TEMPLATES, Ref
from fixtures.scripted_rest import Reply, kube_over, not_found, status

NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
TASK = Ref(TASKS, "reports", "nightly", "uid-1")
TEMPLATE = Ref(TEMPLATES, "", "default", "uid-2")
SECONDS = 5.0


class EventStore:
    """The Events of an API server; answers with `failures` first."""

    def __init__(self, *failures: Reply | Exception) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.failures = list(failures)
        self.open = threading.Event()
        self.open.set()
        self._changed = threading.Condition()

    def wait_for_events(self, number: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.events) >= number, SECONDS)

    def request(
        self,
        method: str,
        url: str,
        _headers: dict[str, str] | None = None,
        body: Any = None,
        *,
        _request_timeout: tuple[float, float] | None = None,
    ) -> Reply:
        self.open.wait(SECONDS)
        if self.failures:
            return self._fail()
        if method == "POST":
            return self._create(url, body)
        name = url.rpartition("/")[2]
        if name not in self.events:
            return not_found(name, "events")
        self.events[name] |= {key: value for key, value in body.items() if key != "metadata"}
        return Reply(200, self.events[name])

    def _create(self, url: str, body: dict[str, Any]) -> Reply:
        name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
        assert url.endswith(f"/api/v1/namespaces/{namespace}/events")
        assert namespace == (body["involvedObject"]["namespace"] or "default"), "the API server demands it"
        with self._changed:
            self.events[name] = {**body, "metadata": {**body["metadata"], "uid": f"uid of {name}"}}
            self._changed.notify_all()
        return Reply(201, self.events[name])

    def _fail(self) -> Reply:
        failure = self.failures.pop(0)
        if isinstance(failure, Exception):
            raise failure
        return failure


class Clock:
    """Says what it is told."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> dt.datetime:
        return self.now


def recorded(store: EventStore, emit: Callable[[Recorder], object]) -> Recorder:
    recorder = Recorder(kube_over(store), "backgroundtask-operator", clock=Clock())
    emit(recorder)
    recorder.stop(SECONDS)
    return recorder


def started(recorder: Recorder, message: str = "It runs.", ref: Ref = TASK) -> None:
    recorder.emit(ref, type="Normal", reason="Started", message=message)


def test_an_event_shows_what_kubectl_describe_reads() -> None:
    store = EventStore()

    recorded(store, started)

    (event,) = store.events.values()
    assert event["involvedObject"] == {
        "apiVersion": "bgtask.dev/v1alpha1",
        "kind": "BackgroundTask",
        "namespace": "reports",
        "name": "nightly",
        "uid": "uid-1",
    }
    assert (event["type"], event["reason"], event["message"], event["count"]) == ("Normal", "Started", "It runs.", 1)
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-11-21T12:00:00Z"
    assert event["source"] == {"component": "backgroundtask-operator"}


def test_events_of_cluster_scoped_objects_live_in_the_default_namespace() -> None:
    store = EventStore()

    recorded(store, lambda recorder: started(recorder, ref=TEMPLATE))

    assert [event["metadata"]["namespace"] for event in store.events.values()] == ["default"]


def test_repeats_count_up_one_event_and_others_get_their_own() -> None:
    store = EventStore()

    def emit(recorder: Recorder) -> None:
        for message in ("a", "a", "b", "a"):
            started(recorder, message)

    recorded(store, emit)

    assert sorted((event["message"], event["count"]) for event in store.events.values()) == [("a", 3), ("b", 1)]


def test_the_state_in_which_an_object_was_seen_makes_no_other_event() -> None:
    store = EventStore()

    recorded(store, lambda recorder: [started(recorder, ref=replace(TASK, resource_version=v)) for v in "12"])

    assert [event["count"] for event in store.events.values()] == [2]


def test_a_repeat_begins_anew_where_the_event_has_expired() -> None:
    store = EventStore()
    recorder = Recorder(kube_over(store), "operator", clock=Clock())
    started(recorder)
    started(recorder, "settled")
    store.wait_for_events(2)
    store.events.clear()

    started(recorder)
    recorder.stop(SECONDS)

    assert [event["count"] for event in store.events.values()] == [1]


BUSY = Reply(503, {}, {"Retry-After": "0"})


@pytest.mark.parametrize("failures", [[BUSY], [BUSY, BUSY, BUSY]])
def test_a_busy_api_server_is_asked_again(failures: list[Reply | Exception]) -> None:
    store = EventStore(*failures)
    recorder = Recorder(kube_over(store), "operator", clock=Clock())
    started(recorder)
    store.wait_for_events(1)
    recorder.stop(SECONDS)

    assert recorder.dropped == 0


def test_an_event_that_is_refused_is_dropped_and_the_next_one_written(caplog: pytest.LogCaptureFixture) -> None:
    forbidden = status(403, "Forbidden", 'User "x" cannot create resource "events"')
    store = EventStore(forbidden, forbidden, Reply(422, {}))

    def emit(recorder: Recorder) -> None:
        for message in ("one", "two", "three", "four"):
            started(recorder, message)

    with caplog.at_level(logging.DEBUG):
        recorder = recorded(store, emit)

    assert [event["message"] for event in store.events.values()] == ["four"]
    assert recorder.dropped == 3
    assert caplog.text.count('grant its ServiceAccount verb "create" on "events"') == 1


def test_emitting_never_waits_for_the_api_server_and_drops_what_is_too_much() -> None:
    store = EventStore()
    store.open.clear()
    recorder = Recorder(kube_over(store), "operator", clock=Clock())

    for number in range(MOST_WAITING + 10):
        started(recorder, ref=Ref(TASKS, "reports", "nightly", f"uid-{number}"))
    store.open.set()
    recorder.stop(SECONDS)

    assert recorder.dropped >= 9
    assert len(store.events) + recorder.dropped == MOST_WAITING + 10, (
        "each is written under a name of its own, or counted"
    )


def test_what_is_emitted_after_the_stop_is_dropped() -> None:
    store = EventStore()
    recorder = recorded(store, started)

    started(recorder, "too late")

    assert [event["message"] for event in store.events.values()] == ["It runs."]
    assert recorder.dropped == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # it is what is tested
def test_a_thread_that_ends_by_itself_is_named_and_one_that_was_told_to_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(threading.enumerate())
    recorder = Recorder(kube_over(EventStore()), "operator", clock=Clock())
    (thread,) = set(threading.enumerate()) - before
    assert recorder.ended() == []

    with monkeypatch.context() as broken:
        broken.setattr(Correlator, "record", lambda *_: 1 // 0)
        started(recorder)
        thread.join(SECONDS)

    assert recorder.ended() == ["events"]
    assert recorded(EventStore(), started).ended() == []


def test_stopping_does_not_wait_for_the_pause_that_the_api_server_wants() -> None:
    store = EventStore(Reply(503, {}, {"Retry-After": "300"}))

    recorded(store, started)

    assert [event["message"] for event in store.events.values()] == ["It runs."]


def test_stopping_ends_within_its_time_whatever_the_api_server_does() -> None:
    store = EventStore()
    store.open.clear()
    recorder = Recorder(kube_over(store), "operator", clock=Clock())
    started(recorder)

    recorder.stop(0.01)
    store.open.set()

    assert store.events == {}


def happening(message: str, ref: Ref = TASK) -> Happening:
    return Happening(ref, "Warning", "Failed", message)


def test_an_object_has_25_events_at_once_and_one_more_every_five_minutes() -> None:
    correlator = Correlator()

    burst = [correlator.record(happening(str(n)), NOON) for n in range(30)]
    elsewhere = correlator.record(happening("0", TEMPLATE), NOON)
    later = [correlator.record(happening(str(n)), NOON + dt.timedelta(minutes=11)) for n in range(5)]

    assert sum(record is not None for record in burst) == 25
    assert elsewhere is not None
    assert sum(record is not None for record in later) == 2


def test_what_happens_again_after_more_than_ten_minutes_is_an_event_of_its_own() -> None:
    correlator = Correlator()
    times = [NOON, NOON + dt.timedelta(minutes=10), NOON + dt.timedelta(minutes=20, seconds=1)]

    records = [correlator.record(happening("again"), time) for time in times]

    assert [record.count for record in records if record] == [1, 2, 1]


def test_a_clock_that_is_set_back_neither_gives_nor_takes_events() -> None:
    correlator = Correlator()
    back = NOON - dt.timedelta(hours=1)
    for number in range(20):
        correlator.record(happening(str(number)), NOON)

    records = [correlator.record(happening(f"later {n}"), back if n % 2 else NOON) for n in range(10)]

    assert sum(record is not None for record in records) == 5


def test_two_happenings_of_one_moment_have_names_of_their_own() -> None:
    correlator = Correlator()

    records = [correlator.record(happening(message), NOON) for message in "ab"]

    assert len({record.name for record in records if record}) == 2


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("one\ntwo\x1b[31m\ttree\x00", "one two [31m tree"),
        ("é" * 600, "é" * 510 + "…"),
        ("a" * 1024, "a" * 1024),
        ("broken \ud800", "broken"),
    ],
)
def test_a_message_is_one_clean_line_of_at_most_1024_bytes(message: str, shown: str) -> None:
    assert presentable(message) == shown
