"""The request that launches a run: derived, frozen, and for the first launch of a slot the schedule's own."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.parsing import parse_run
from backgroundtask.api.run import BackgroundTaskRun, LaunchRecord, RunSpec
from backgroundtask.plan.moments import stamp
from backgroundtask.plan.names import Owner
from backgroundtask.plan.requests import record, sendable, token
from backgroundtask.plan.schedule import run_task_request
from backgroundtask.plan.site import Site
from fixtures.objects import CLUSTER, TASK_UID, template
from fixtures.runs import DEFINITION, OWNER, SLOT, asked_run, made_run, slot_run

pytestmark = pytest.mark.timeout(60)  # laws, on a machine that does other things

SITE = Site(template="default", spec=template().spec, cluster=CLUSTER, group="bgt-test")
ROLE = "arn:aws:iam::123456789012:role/reader"
OVERRIDES = {
    "command": ["python", "-m", "again"],
    "env": [{"name": "DAY", "value": "ä\u2028monday"}, {"name": "SECRETIVE", "value": "hush"}],
    "cpu": 1024,
    "memory": 2048,
    "taskRole": "reader",
}


def frozen(run: BackgroundTaskRun, number: int = 0, **more: Any) -> LaunchRecord:
    known: dict[str, Any] = {
        "owner": OWNER,
        "uid": TASK_UID,
        "definition_arn": DEFINITION,
        "site": SITE,
        "task_role_arn": None,
        "execute_command": False,
        "now": SLOT,
    }
    return record(run, number=number, **(known | more))


def environment(request: dict[str, Any]) -> list[tuple[str, str]]:
    [container] = request["overrides"]["containerOverrides"]
    return [(one["name"], one["value"]) for one in container["environment"]]


def test_the_late_launch_of_a_slot_is_to_the_letter_the_schedules() -> None:
    run = slot_run(queue=False)

    sent = sendable(frozen(run), run)

    assert sent == run_task_request(
        owner=OWNER,
        uid=TASK_UID,
        definition_arn=DEFINITION,
        placement=SITE.placement,
        slot="2026-11-21T03:00:00Z",
        token=f"{OWNER.token_prefix}2026-11-21T03:00:00Z",
    )


@pytest.mark.parametrize(
    ("run", "number", "why"),
    [
        (slot_run(), 0, "a tick's"),
        (slot_run(queue=False), 1, "the second launch of a slot is the operator's own"),
        (asked_run(), 0, "somebody asked for it"),
        (made_run(), 3, "somebody made it"),
    ],
)
def test_every_other_launch_names_its_run(run: BackgroundTaskRun, number: int, why: str) -> None:
    told = environment(sendable(frozen(run, number), run))

    assert ("BGT_RUN", run.metadata.name) in told, why
    assert ("BGT_RUN_UID", run.metadata.uid) in told


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (slot_run(), ["BGT_TASK_UID", "BGT_SCHEDULED_TIME", "BGT_RUN", "BGT_RUN_UID"]),
        (slot_run(queue=False), ["BGT_TASK_UID", "BGT_SCHEDULED_TIME"]),
        (slot_run(item="a", index=0), ["BGT_TASK_UID", "BGT_SCHEDULED_TIME", "BGT_RUN", "BGT_RUN_UID", "BGT_ITEM"]),
        (asked_run(), ["BGT_TASK_UID", "BGT_RUN", "BGT_RUN_UID"]),
        (
            made_run(spec={"scheduledTime": "2020-01-01T00:00:00Z"}),
            ["BGT_TASK_UID", "BGT_SCHEDULED_TIME", "BGT_RUN", "BGT_RUN_UID"],
        ),
    ],
)
def test_a_container_learns_what_it_runs_for(run: BackgroundTaskRun, expected: list[str]) -> None:
    assert [name for name, _ in environment(sendable(frozen(run), run))] == expected


def test_overrides_are_sent_and_not_stored() -> None:
    run = made_run(spec={"overrides": OVERRIDES})

    launch = frozen(run, task_role_arn=ROLE)
    sent = sendable(launch, run)["overrides"]

    assert "hush" not in launch.request
    assert sent["containerOverrides"][0]["command"] == ["python", "-m", "again"]
    assert ("DAY", "ä\u2028monday") in environment({"overrides": sent})
    assert (sent["cpu"], sent["memory"], sent["taskRoleArn"]) == ("1024", "2048", ROLE)


def test_without_overrides_the_definition_stands() -> None:
    sent = sendable(frozen(made_run()), made_run())["overrides"]

    assert list(sent) == ["containerOverrides"]
    assert "command" not in sent["containerOverrides"][0]


def test_a_shell_is_asked_for_where_the_task_has_one() -> None:
    assert sendable(frozen(made_run(), execute_command=True), made_run())["enableExecuteCommand"] is True


def test_a_record_tells_its_number_its_token_and_when() -> None:
    launch = frozen(made_run(), 3, now=datetime(2026, 11, 21, 3, 0, 5, 700, tzinfo=UTC))

    assert (launch.number, launch.time) == (3, "2026-11-21T03:00:05Z")
    assert launch.token == json.loads(launch.request)["clientToken"]


names = st.sampled_from(["a", "nightly", "nightly-1", "x" * 52])
numbers = st.integers(0, 1_000_000)


@st.composite
def any_run(draw: st.DrawFn) -> tuple[Owner, BackgroundTaskRun]:
    """A run of any owner: of a slot between 1970 and 2096, or asked for; with and without an item."""
    task, minute = draw(names), draw(st.integers(0, 4_000_000_000 // 60))
    index = draw(st.none() | st.integers(0, 99))
    slot = stamp(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)) if draw(st.booleans()) else None
    name = f"{task}-{minute if slot else 'r01234567'}{'' if index is None else f'-{index}'}"
    spec = RunSpec(task=task, scheduled_time=slot, item=None if index is None else "x")
    owner = Owner(draw(st.sampled_from(["a", "b" * 16])), draw(names), task)
    return owner, BackgroundTaskRun(metadata=ObjectMeta(name=name, namespace="n", uid="u"), spec=spec)


@given(any_run(), numbers)
def test_a_token_is_one_that_ecs_takes(named: tuple[Owner, BackgroundTaskRun], number: int) -> None:
    found = token(*named, number)

    assert 1 <= len(found) <= 64
    assert all(33 <= ord(character) <= 126 for character in found)


@given(st.lists(st.tuples(any_run(), numbers), min_size=2, max_size=3))
def test_two_launches_share_no_token(launches: list[tuple[tuple[Owner, BackgroundTaskRun], int]]) -> None:
    keys = {(str(owner), run.metadata.name, number) for (owner, run), number in launches}

    assert len({token(owner, run, number) for (owner, run), number in launches}) == len(keys)


def test_the_items_of_a_slot_have_a_token_each() -> None:
    items = [slot_run(item=str(index), index=index) for index in (0, 1, 11)]

    assert len({token(OWNER, run, number) for run in items for number in (0, 1)}) == 6


def test_a_run_that_was_deleted_and_made_again_has_a_token_of_its_own() -> None:
    again = made_run().model_copy(update={"metadata": made_run().metadata.model_copy(update={"uid": "another"})})

    assert token(OWNER, again, 0) != token(OWNER, made_run(), 0)


@given(
    st.fixed_dictionaries({name: st.booleans() for name in OVERRIDES}),
    numbers,
    st.sampled_from([slot_run(), slot_run(queue=False), asked_run(), slot_run(item="a", index=0)]),
)
def test_a_frozen_launch_sends_the_same_bytes_for_ever(
    chosen: dict[str, bool], number: int, run: BackgroundTaskRun
) -> None:
    overrides = {name: OVERRIDES[name] for name, is_chosen in chosen.items() if is_chosen}
    spec = {**run.wire()["spec"], **({"overrides": overrides} if overrides else {})}  # type: ignore[dict-item]  # JSON
    run = parse_run({"metadata": {**run.metadata.wire()}, "spec": spec})
    launch = frozen(run, number)
    moved = replace(SITE, spec=template(network={"subnets": ["subnet-0fedcba9876543210"]}).spec)

    stored = LaunchRecord.model_validate_json(launch.model_dump_json())
    later = parse_run({**run.wire(), "status": {"phase": "Running", "launch": stored.wire()}})

    assert later.status.launch is not None
    assert json.dumps(sendable(later.status.launch, later)) == json.dumps(sendable(launch, run))
    assert frozen(run, number, site=moved).request != launch.request, "only what is frozen does not move"
