"""What was made here and AWS does not show yet is there, until a read shows it, it is deleted, or its grace is over."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.aws import Ecs, Schedules
from backgroundtask.aws.unseen import Unseen
from backgroundtask.errors import Busy
from backgroundtask.plan.definition import Definition
from backgroundtask.plan.names import Owner
from backgroundtask.plan.schedule import Placement, Schedule, run_task_request
from fixtures.wire import REGION, Wire

OWNER = Owner("prod", "ns", "job")
PREFIX = f"arn:aws:ecs:{REGION}:111122223333"
DEFINITION = Definition(owner=OWNER, image="repo/image:1", cpu=256, memory=512)
NEW, OLD = (f"{PREFIX}:task-definition/{OWNER.family}:{number}" for number in (2, 1))
SCHEDULE = Schedule(
    name=OWNER.schedule_name(0),
    group="bgt-prod",
    expression="cron(0 3 ? * MON-FRI *)",
    time_zone="UTC",
    enabled=True,
    request=run_task_request(
        owner=OWNER,
        uid="uid-1",
        definition_arn=NEW,
        placement=Placement(cluster=f"{PREFIX}:cluster/main", subnets=("subnet-1",)),
        slot="<aws.scheduler.scheduled-time>",
        token="t-<aws.scheduler.scheduled-time>",
    ),
    role="arn:aws:iam::111122223333:role/launch",
    dead_letters=None,
    owner=str(OWNER),
    uid="uid-1",
)


class Hands:
    """A clock whose hands a test moves."""

    def __init__(self) -> None:
        self.moment = 0.0

    def __call__(self) -> float:
        return self.moment


@pytest.fixture
def ecs(wire: Wire) -> Ecs:
    """An ECS that has just registered the second revision."""
    wire.says("RegisterTaskDefinition", {"taskDefinition": {"taskDefinitionArn": NEW}})
    made = Ecs(wire.clients())
    made.register(DEFINITION, "uid-1")
    return made


@pytest.fixture
def schedules(wire: Wire) -> Schedules:
    """A Scheduler that has just taken a schedule and does not find it yet."""
    wire.says("CreateSchedule", {"ScheduleArn": "arn:schedule"})
    wire.refuses("GetSchedule", "ResourceNotFoundException", status=404)
    made = Schedules(wire.clients())
    made.create(SCHEDULE)
    return made


def test_a_revision_that_was_just_registered_is_active_though_ecs_lists_it_not(wire: Wire, ecs: Ecs) -> None:
    wire.says("ListTaskDefinitions", {"taskDefinitionArns": [OLD]})

    assert ecs.active_revisions(OWNER.family) == (NEW, OLD)
    assert ecs.active_revisions("bgt_prod_ns_other") == ()
    assert list(ecs.all_active_revisions("bgt_prod_")) == [OLD, NEW]
    assert list(ecs.all_active_revisions("bgt_test_")) == []
    assert ecs.revision(NEW, fresh=True).digest == DEFINITION.digest


def test_once_ecs_has_listed_a_revision_it_is_believed(wire: Wire, ecs: Ecs) -> None:
    for listed in ([NEW, OLD], [OLD]):
        wire.says("ListTaskDefinitions", {"taskDefinitionArns": listed})

    assert ecs.active_revisions(OWNER.family) == (NEW, OLD)
    assert ecs.active_revisions(OWNER.family) == (OLD,)


def test_what_the_walk_has_shown_needs_no_grace(wire: Wire, ecs: Ecs) -> None:
    for listed in ([NEW], []):
        wire.says("ListTaskDefinitions", {"taskDefinitionArns": listed})

    assert list(ecs.all_active_revisions("bgt_prod_")) == [NEW]
    assert ecs.active_revisions(OWNER.family) == ()


def test_a_revision_that_was_retired_is_not_active_though_nobody_saw_it(wire: Wire, ecs: Ecs) -> None:
    wire.says("DeregisterTaskDefinition", {})
    wire.says("ListTaskDefinitions", {"taskDefinitionArns": []})

    ecs.deregister(NEW)

    assert ecs.active_revisions(OWNER.family) == ()


def test_a_schedule_that_was_just_made_is_waited_for(schedules: Schedules) -> None:
    with pytest.raises(Busy) as refusal:
        schedules.find(SCHEDULE.group, SCHEDULE.name)

    assert refusal.value.reason == "ScheduleNotVisible"
    assert schedules.find(SCHEDULE.group, "other") is None
    assert schedules.find("other", SCHEDULE.name) is None


def test_a_schedule_that_was_removed_is_not_waited_for(wire: Wire, schedules: Schedules) -> None:
    wire.says("DeleteSchedule", {})

    schedules.remove(SCHEDULE.group, SCHEDULE.name)

    assert schedules.find(SCHEDULE.group, SCHEDULE.name) is None


def test_a_schedule_that_was_just_made_is_listed_as_it_was_changed_last(wire: Wire, schedules: Schedules) -> None:
    wire.says("ListSchedules", {"Schedules": [{"Name": "other", "State": "DISABLED"}]})
    wire.says("UpdateSchedule", {"ScheduleArn": "arn:schedule"})
    made = schedules.enabled_by_name(SCHEDULE.group)

    schedules.update(replace(SCHEDULE, enabled=False))

    assert made == {"other": False, SCHEDULE.name: True}
    assert schedules.enabled_by_name(SCHEDULE.group) == {"other": False, SCHEDULE.name: False}
    assert schedules.enabled_by_name("other") == {"other": False}


def test_once_scheduler_has_listed_a_schedule_it_is_believed(wire: Wire, schedules: Schedules) -> None:
    wire.says("ListSchedules", {"Schedules": [{"Name": SCHEDULE.name, "State": "ENABLED"}]})

    schedules.enabled_by_name(SCHEDULE.group)

    assert schedules.find(SCHEDULE.group, SCHEDULE.name) is None


def test_what_nobody_shows_in_its_grace_is_not_there() -> None:
    clock = Hands()
    unseen: Unseen[int] = Unseen(grace=300, clock=clock)
    unseen.made("group", "early", 1)
    clock.moment = 299
    unseen.made("group", "late", 2)

    before = unseen.of("group")
    clock.moment = 300

    assert (before, unseen.of("group")) == ({"early": 1, "late": 2}, {"late": 2})
    assert (unseen.has("group", "early"), unseen.has("group", "late")) == (False, True)
    clock.moment = 599
    assert unseen.places() == ()


NAMES = st.sampled_from(["a", "b"])
STEPS = st.one_of(
    st.tuples(st.sampled_from(["made", "changed", "settled"]), NAMES, NAMES),
    st.tuples(st.just("passed"), st.sampled_from([1.0, 100.0, 300.0]), st.none()),
)


@given(steps=st.lists(STEPS, max_size=30))
def test_it_is_a_map_whose_entries_end_by_time(steps: list[tuple[str, object, object]]) -> None:
    clock = Hands()
    unseen: Unseen[int] = Unseen(grace=300, clock=clock)
    model: dict[tuple[object, object], tuple[float, int]] = {}
    acts: dict[str, Callable[[str, str, int], None]] = {
        "made": unseen.made,
        "changed": unseen.changed,
        "settled": lambda place, name, _: unseen.settled(place, [name]),
    }

    for number, (act, place, name) in enumerate(steps):
        if act == "passed":
            clock.moment += float(str(place))
        else:
            acts[act](str(place), str(name), number)
        model = {key: it for key, it in model.items() if it[0] > clock.moment}
        if act == "made":
            model[place, name] = (clock.moment + 300, number)
        if act == "changed" and (place, name) in model:
            model[place, name] = (model[place, name][0], number)
        if act == "settled":
            model.pop((place, name), None)

        for where in ("a", "b"):
            expected = {name: known for (at, name), (_, known) in model.items() if at == where}
            assert unseen.of(where) == expected
            assert [unseen.has(where, it) for it in ("a", "b")] == [it in expected for it in ("a", "b")]
        assert sorted(unseen.places()) == sorted({str(at) for at, _ in model})
