"""The objects of runs: how they are made, and which of those that have ended go."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from backgroundtask.api.parsing import parse_run
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.plan.identity import is_awaited
from backgroundtask.plan.runs import Kept, expired, expires_at, is_from_git, run_for_request, run_for_slot, superfluous
from fixtures.runs import META, SLOT, arn, asked_run, attempt, ended, made_run, minutes, names, slot_run

END = SLOT + minutes(5)
NONE = Kept(succeeded=0, failed=0)
GIT = {"annotations": {"argocd.argoproj.io/tracking-id": "prod:x"}}


def with_ttl(seconds: int, run: BackgroundTaskRun, **metadata: Any) -> BackgroundTaskRun:
    wire: dict[str, Any] = run.wire()
    metadata = {**wire["metadata"], **metadata}
    return parse_run({**wire, "metadata": metadata, "spec": {**wire["spec"], "ttlSecondsAfterFinished": seconds}})


def test_the_run_of_a_tick_is_for_the_operator_to_launch() -> None:
    assert not is_awaited(parse_run(run_for_slot(META, SLOT, queue=True)))
    assert is_awaited(parse_run(run_for_slot(META, SLOT)))


def test_an_item_of_a_slot_has_a_name_of_its_own() -> None:
    made = run_for_slot(META, SLOT, queue=True, item="emea", index=3)

    assert made["metadata"]["name"] == "nightly-29920500-3"
    assert made["spec"] == {"task": "nightly", "scheduledTime": "2026-11-21T03:00:00Z", "item": "emea"}
    parse_run(made)


def test_a_request_makes_the_same_run_each_time_and_another_one_for_another_value() -> None:
    first, again, other = (run_for_request(META, value) for value in ("v1", "v1", "v2"))

    assert first == again
    assert first["metadata"]["name"] == "nightly-r3bfc2695"
    assert first["metadata"]["labels"]["bgtask.dev/trigger"] == "annotation"
    assert first["spec"] == {"task": "nightly"}
    assert other["metadata"]["name"] != first["metadata"]["name"]
    parse_run(first)


def test_whatever_somebody_writes_into_the_annotation_makes_a_name() -> None:
    made = run_for_request(META, "ä/../\n" * 500, item="emea", index=99)

    parse_run(made)
    assert len(made["metadata"]["name"]) <= 100


@pytest.mark.parametrize(
    ("accounted_until", "gone"),
    [(None, [0, 1, 2]), (SLOT, [0]), (SLOT + minutes(1), [0, 1]), (SLOT + minutes(9), [0, 1, 2])],
)
def test_the_run_of_a_slot_that_is_not_accounted_for_stays(accounted_until: datetime | None, gone: list[int]) -> None:
    runs = [slot_run(after, **ended()) for after in range(3)]

    assert superfluous(runs, NONE, accounted_until) == tuple(runs[after] for after in gone)
    brief = [with_ttl(0, run) for run in runs]
    assert expired(brief, END, accounted_until) == tuple(brief[after] for after in gone)


def test_a_run_that_was_asked_for_goes_whatever_is_accounted_for() -> None:
    assert superfluous([asked_run(**ended())], NONE, SLOT - minutes(9)) != ()


def test_a_run_whose_second_task_goes_on_stays_until_that_has_ended() -> None:
    running = asked_run(**ended(attempts=[attempt(1, duplicate=True)]))
    over = asked_run(**ended(attempts=[attempt(1, duplicate=True, completionTime="2026-11-21T03:06:00Z")]))

    assert superfluous([running], NONE) == ()
    assert superfluous([over], NONE) == (over,)
    assert arn(1) in str(over.status.attempts)


@pytest.mark.parametrize(
    ("run", "at", "why"),
    [
        (with_ttl(60, asked_run(**ended())), END + timedelta(seconds=60), "a minute after its end"),
        (with_ttl(60, made_run(**ended())), END + timedelta(seconds=60), "whoever made it"),
        (with_ttl(0, made_run(**ended("Lost"))), END, "at once, however it ended"),
        (asked_run(**ended()), None, "nobody said when"),
        (with_ttl(60, asked_run(phase="Running")), None, "it has not ended"),
        (with_ttl(60, asked_run(is_deleted=True, **ended())), None, "it is being deleted already"),
    ],
)
def test_a_run_is_deleted_when_its_time_after_the_end_is_over(
    run: BackgroundTaskRun, at: datetime | None, why: str
) -> None:
    assert expires_at(run) == at, why
    if at is not None:
        assert expired([run], at - timedelta(seconds=1)) == ()
        assert expired([run], at) == (run,)


def test_what_is_over_and_from_git_is_told_apart() -> None:
    managed = with_ttl(0, made_run(**ended()), **GIT)

    assert expired([managed], END) == (managed,)
    assert is_from_git(managed)
    assert not is_from_git(made_run())


def test_the_oldest_goes_first() -> None:
    runs = [
        with_ttl(0, asked_run(str(after), **ended(completionTime=f"2026-11-21T03:0{after}:00Z"))) for after in (3, 1, 2)
    ]

    assert names(expired(runs, END)) == names([runs[1], runs[2], runs[0]])
