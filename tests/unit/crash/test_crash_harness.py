"""The crash harness itself: what it takes for a write and calls it, when it strikes, what it finds different."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from crash.cases import Undisturbed
from crash.disturbance import Point, Strike
from crash.picture import Creations, Picture
from fixtures.calls import Call, aws_call, kube_call
from fixtures.fault_proxy import CUT, Reply

RUNS = "/apis/bgtask.dev/v1alpha1/namespaces/default/backgroundtaskruns"
TASKS = "/apis/bgtask.dev/v1alpha1/namespaces/default/backgroundtasks"
SIGNED = "AWS4-HMAC-SHA256 Credential=key/20261121/eu-west-1/{}/aws4_request, SignedHeaders=host, Signature=0"
OK = Reply(status=200, body=b"{}")


class Victim:
    """The controller, as far as a strike knows it."""

    def __init__(self) -> None:
        self.kills = 0

    def kill(self) -> None:
        self.kills += 1


@pytest.mark.parametrize(
    ("method", "path", "label", "access", "why"),
    [
        ("GET", TASKS + "/a", "kube.GET backgroundtasks", "read", "a read"),
        ("GET", "/apis/bgtask.dev/v1alpha1/backgroundtasks?watch=true", "kube.GET backgroundtasks", "read", "a watch"),
        ("PATCH", TASKS + "/a", "kube.PATCH backgroundtasks", "write", "a finalizer"),
        ("PATCH", TASKS + "/a/status", "kube.PATCH backgroundtasks/status", "write", "a subresource"),
        ("POST", RUNS, "kube.POST backgroundtaskruns", "write", "a run"),
        ("PATCH", "/apis/bgtask.dev/v1alpha1/launchtemplates/a", "kube.PATCH launchtemplates", "write", "no namespace"),
        ("GET", "/api/v1/namespaces/kube-system", "kube.GET namespaces", "read", "a namespace is a resource, too"),
        ("POST", "/api/v1/namespaces/x/events", "kube.POST events", "read", "Events may be lost"),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/x/leases/b", "kube.PUT leases", "read", "a Lease is no work"),
    ],
)  # fmt: skip
def test_a_request_to_the_api_server_is_told_by_method_and_resource(
    method: str, path: str, label: str, access: str, why: str
) -> None:
    call = kube_call(make_mocked_request(method, path), b"")

    assert (call.label, call.is_write) == (label, access == "write"), why
    assert call.is_watch == ("watch=true" in path)


@pytest.mark.parametrize(
    ("method", "path", "service", "target", "label", "access"),
    [
        ("POST", "/", "ecs", "AmazonEC2ContainerServiceV20141113.StopTask", "ecs.StopTask", "write"),
        ("POST", "/", "ecs", "AmazonEC2ContainerServiceV20141113.DescribeTasks", "ecs.DescribeTasks", "read"),
        ("POST", "/", "sqs", "AmazonSQS.ReceiveMessage", "sqs.ReceiveMessage", "read"),
        ("POST", "/", "sqs", "AmazonSQS.DeleteMessageBatch", "sqs.DeleteMessageBatch", "write"),
        ("POST", "/schedules/a", "scheduler", "", "scheduler.CreateSchedule", "write"),
        ("PUT", "/schedules/a", "scheduler", "", "scheduler.UpdateSchedule", "write"),
        ("DELETE", "/schedules/a?groupName=g", "scheduler", "", "scheduler.DeleteSchedule", "write"),
        ("GET", "/schedules/a?groupName=g", "scheduler", "", "scheduler.GetSchedule", "read"),
        ("GET", "/schedules?ScheduleGroup=g", "scheduler", "", "scheduler.ListSchedules", "read"),
        ("POST", "/schedule-groups/g", "scheduler", "", "scheduler.CreateScheduleGroup", "write"),
        ("POST", "/tags/arn", "scheduler", "", "scheduler.POST tags", "write"),
    ],
)
def test_a_request_to_aws_is_told_by_the_name_of_its_operation(
    method: str, path: str, service: str, target: str, label: str, access: str
) -> None:
    headers = {"Authorization": SIGNED.format(service)} | ({"X-Amz-Target": target} if target else {})

    call = aws_call(make_mocked_request(method, path, headers=headers), b"")

    assert (call.label, call.is_write) == (label, access == "write")


def test_the_name_of_a_point_says_which_point_it_is() -> None:
    point = Point("launch", "kube.PATCH backgroundtaskruns/status", 2, "lost")

    assert Point.parse(str(point)) == point


@pytest.mark.parametrize("text", ["", "image", "image:ecs.StopTask:after", "image:ecs.StopTask#1:never"])
def test_what_names_no_point_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write one as"):
        Point.parse(text)


@pytest.mark.parametrize(
    ("moment", "met", "answered", "kills"),
    [("before", CUT, None, 1), ("after", None, CUT, 1), ("lost", None, CUT, 0)],
)
def test_a_strike_hits_the_nth_write_of_its_kind_in_its_step_and_no_other(
    moment: Any, met: str | None, answered: str | None, kills: int
) -> None:
    victim: Any = Victim()
    strike = Strike(Point("image", "ecs.StopTask", 2, moment), victim)
    other, first, second, third = (write(name) for name in ("DeregisterTaskDefinition", *["StopTask"] * 3))

    strike.before(victim, "create")
    early = seen(strike, first)
    strike.before(victim, "image")
    told = [seen(strike, call) for call in (other, first, second, third)]

    assert early == (0.0, None, OK)
    assert [told[0], told[1], told[3]] == [(0.0, None, OK)] * 3
    assert told[2][1:] == (met, answered)
    assert (told[2][0] > 0.0) == (moment == "before"), (
        "what should wait for the write has time to show that it does not"
    )
    assert (victim.kills, strike.reached) == (kills, True)


def test_every_write_of_an_undisturbed_run_is_a_point_at_three_moments() -> None:
    writes = (("image", "ecs.StopTask"), ("image", "ecs.StopTask"), ("delete", "ecs.StopTask"))

    points = [str(point) for point in Undisturbed({}, {}, writes).points()]

    assert points[::3] == ["image:ecs.StopTask#1:before", "image:ecs.StopTask#2:before", "delete:ecs.StopTask#1:before"]
    assert points[:3] == [f"image:ecs.StopTask#1:{moment}" for moment in ("before", "after", "lost")]


def test_pictures_differ_by_what_one_has_more_often_than_the_other() -> None:
    wanted = Picture({"runs": ("a", "b"), "schedules": ("s",)})

    assert Picture({"runs": ("b", "a"), "schedules": ("s",)}).differences(wanted) == []
    assert Picture({"runs": ("a", "a"), "schedules": ("s",)}).differences(wanted) == ["runs: lacks b", "runs: has a"]


@pytest.mark.parametrize(
    ("made", "differences"),
    [
        (Creations(revisions=2, schedules=1, runs=1, ecs_tasks=1), 0),
        (Creations(revisions=3, schedules=1, runs=1, ecs_tasks=1), 0),
        (Creations(revisions=4, schedules=1, runs=1, ecs_tasks=1), 1),
        (Creations(revisions=1, schedules=1, runs=1, ecs_tasks=1), 1),
        (Creations(revisions=2, schedules=2, runs=1, ecs_tasks=1), 1),
        (Creations(revisions=2, schedules=1, runs=2, ecs_tasks=2), 2),
    ],
)
def test_a_crash_may_make_one_revision_too_many_and_nothing_else(made: Creations, differences: int) -> None:
    wanted = Creations(revisions=2, schedules=1, runs=1, ecs_tasks=1)

    assert len(made.differences(wanted, crashes=1)) == differences


def seen(strike: Strike, call: Call) -> tuple[float, object, object]:
    """What a strike does to a call that gets as far as it lets it."""
    held_up, met = strike.arrive(call), strike.meet(call)
    return held_up, met, None if met else strike.answered(call, OK)


def write(operation: str) -> Call:
    return Call(service="ecs", operation=operation, name="", is_write=True, is_watch=False, body=b"")
