"""The lines of containers, as the operator and its command line read them, over localaws."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from backgroundtask.aws import Cloud, Clouds, Pacing, Page, Started
from backgroundtask.plan.definition import Definition, Logs
from backgroundtask.plan.names import Owner
from backgroundtask.plan.schedule import Placement, run_task_request
from fixtures.fake_clouds import UNHURRIED
from fixtures.objects import CLUSTER
from fixtures.waiting import until
from localaws.running import Running

OWNER = Owner("test", "reports", "nightly")
GROUP = "/bgt/test"
STEPWISE = """
import pathlib, sys, time
for number in range(1, 41):
    print("line", number, flush=True)
    while number == 20 and not pathlib.Path(sys.argv[1]).exists():
        time.sleep(0.05)
"""


@pytest.fixture
def cloud(aws: Running, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    aws.client("ecs").create_cluster(clusterName="jobs")
    aws.client("logs").create_log_group(logGroupName=GROUP)
    return Clouds(installation="test", pacing=Pacing(UNHURRIED)).of(
        region=aws.region, assume_role_arn=None, template="default"
    )


def definition(aws: Running, *command: str) -> Definition:
    return Definition(
        owner=OWNER,
        image="reports:1",
        cpu=256,
        memory=512,
        command=command,
        execution_role=f"arn:aws:iam::{aws.account}:role/execution",
        logs=Logs(group=GROUP, region=aws.region, stream_prefix="reports/nightly"),
    )


def started(cloud: Cloud, wanted: Definition) -> str:
    """Launch a task; the stream that it writes to."""
    place = Placement(cluster=CLUSTER, subnets=("subnet-1",))
    revision = cloud.ecs.register(wanted, "uid-1").arn
    request = run_task_request(
        owner=OWNER, uid="uid-1", definition_arn=revision, placement=place, slot=None, token=wanted.digest
    )
    launched = cloud.ecs.run(request)
    assert isinstance(launched, Started)
    return f"reports/nightly/aws-bg-task/{launched.task.id}"


def lines(*numbers: int) -> tuple[str, ...]:
    return tuple(f"line {number}" for number in numbers)


def texts(*pages: Page) -> tuple[str, ...]:
    return tuple(line.text for page in pages for line in page.lines)


def test_a_stream_that_does_not_exist_yet_has_no_lines(cloud: Cloud) -> None:
    assert cloud.log_events.tail(GROUP, "reports/nightly/aws-bg-task/none", 10) == ()
    assert cloud.log_events.page("/no/such/group", "none") == Page((), None, is_last=True)


def test_lines_are_told_once_each_while_they_are_written_and_the_last_ones_at_the_end(
    aws: Running, cloud: Cloud, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    stream = started(cloud, definition(aws, sys.executable, "-c", STEPWISE, str(go)))
    until(lambda: cloud.log_events.tail(GROUP, stream, 3) == lines(18, 19, 20))

    first = cloud.log_events.page(GROUP, stream)
    last = cloud.log_events.latest(GROUP, stream, 5)
    nothing_beyond = cloud.log_events.page(GROUP, stream, first.bookmark)
    go.touch()
    until(lambda: cloud.log_events.tail(GROUP, stream, 1) == lines(40))
    from_first = cloud.log_events.page(GROUP, stream, nothing_beyond.bookmark)
    from_last = cloud.log_events.page(GROUP, stream, last.bookmark)

    assert texts(first) == lines(*range(1, 21))
    assert (texts(nothing_beyond), nothing_beyond.is_last) == ((), True)
    assert texts(from_first) == texts(from_last) == lines(*range(21, 41))
    assert texts(last) == lines(16, 17, 18, 19, 20)
    assert cloud.log_events.tail(GROUP, stream, 10) == lines(*range(31, 41))
    assert cloud.log_events.tail(GROUP, stream, 100) == lines(*range(1, 41))


def test_lines_from_before_a_moment_are_left_out(aws: Running, cloud: Cloud, tmp_path: Path) -> None:
    go = tmp_path / "go"
    stream = started(cloud, definition(aws, sys.executable, "-c", STEPWISE, str(go)))
    until(lambda: cloud.log_events.tail(GROUP, stream, 1) == lines(20))
    between = cloud.log_events.latest(GROUP, stream, 1).lines[0].at + timedelta(seconds=30)
    aws.advance(60)
    go.touch()
    until(lambda: cloud.log_events.tail(GROUP, stream, 1) == lines(40))

    assert texts(cloud.log_events.page(GROUP, stream, since=between)) == lines(*range(21, 41))
