"""A sample of `poe crash`: whatever breaks at a delicate write, or around it, leaves what would have been there anyway.

The sample runs once, in two worlds; each test is about one case of it.
"""

from __future__ import annotations

import pytest

from crash.cases import Verdict
from crash.scenarios import SCENARIOS
from crash.sweep import Sweep
from localkube import Binaries

DELICATE = {
    "template:kube.PATCH launchtemplates/status#1:before": "the group is there, and nobody knows of it",
    "create:ecs.RegisterTaskDefinition#1:after": "registering has no token: the revision has to be found",
    "create:ecs.RegisterTaskDefinition#1:lost": "the process that goes on must not register again either",
    "create:scheduler.CreateSchedule#1:lost": "the second try finds the name taken, by itself",
    "image:kube.PATCH backgroundtasks/status#1:after": "the next process believes the status, and has still to retire",
    "launch:kube.POST backgroundtaskruns#1:after": "the run's name is the slot's lock",
    "launch:sqs.DeleteMessageBatch#1:before": "the message comes again, and is no news",
    "end:sqs.DeleteMessageBatch#1:after": "the message is gone, and so is who has read it",
    "ask:ecs.RunTask#1:after": "the launch is frozen: its token finds the ECS task that nobody heard of",
    "ask:ecs.RunTask#1:lost": "the same process asks with the same token again",
    "retry:ecs.RunTask#1:before": "the next attempt is frozen, and made by whoever comes next",
    "replace:ecs.StopTask#1:before": "the reason is stored: whoever comes next stops it",
    "cancel:kube.PATCH backgroundtaskruns/status#1:after": "nobody has asked ECS yet, and somebody will",
    "delete:kube.PATCH backgroundtasks#1:before": "nothing is left in AWS, and the object still held",
}


@pytest.fixture(scope="module")
def verdicts(kube_binaries: Binaries) -> dict[str, Verdict]:
    """How each case ended."""
    sweep = Sweep(kube_binaries, lanes=2, tell=print, is_brief=True)
    return {verdict.case: verdict for verdict in sweep.run([*DELICATE, *SCENARIOS]).verdicts}


@pytest.mark.parametrize("point", DELICATE)
def test_a_write_that_is_cut_off_is_made_good_by_whoever_goes_on(verdicts: dict[str, Verdict], point: str) -> None:
    assert verdicts[point].reached
    assert verdicts[point].wrong == (), DELICATE[point]


@pytest.mark.parametrize("fault", SCENARIOS)
def test_a_fault_of_the_world_leaves_no_trace_once_it_is_over(verdicts: dict[str, Verdict], fault: str) -> None:
    assert verdicts[fault].reached
    assert verdicts[fault].wrong == ()
