"""The plan: it rests, reaches, keeps its order, touches only its own, in a small world that refuses what AWS does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.errors import Rejected
from backgroundtask.plan.changes import Create, Desired, Keep, Plan, Register, Remove, Update, pause, plan, teardown
from backgroundtask.plan.desired import desired
from backgroundtask.plan.names import Owner
from backgroundtask.plan.observed import Found, Observed, Revision
from backgroundtask.plan.schedule import Schedule
from backgroundtask.plan.scheduler import from_scheduler, to_scheduler
from backgroundtask.plan.site import Site
from fixtures.objects import CLUSTER, TASK_UID, task, template

OWNER = Owner("test", "reports", "nightly")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAILY, PAIR = "0 3 * * *", "0 3 1 * 1"


def wish(cron: str | None = DAILY, *, clock: str = "Scheduler", launch: str = "Direct", **spec: object) -> Desired:
    site = Site(template="default", spec=template(clock=clock, launch=launch).spec, cluster=CLUSTER, group="bgt-test")
    return desired(OWNER, TASK_UID, task(cron=cron, **spec).spec, site, now=NOW)


class Cloud:
    """What AWS would hold. Refuses to retire what a schedule starts, and to start what is not there."""

    def __init__(self, observed: Observed | None = None, *, now: datetime = NOW) -> None:
        self.revisions = {one.arn: one for one in (observed.revisions if observed else ())}
        self.schedules = dict(observed.schedules) if observed else {}
        self.now = now
        self.firing: list[frozenset[str]] = []  # names that fire, after each write
        self._numbers = count(len(self.revisions) + 1)

    def observe(self) -> Observed:
        return Observed(revisions=tuple(reversed(self.revisions.values())), schedules=dict(self.schedules))

    def apply(self, todo: Plan) -> None:
        for step in todo.pause:
            self._put(step.after)
        revision = self._register(todo.definition)
        for change in todo.schedules:
            if isinstance(change, Remove):
                del self.schedules[change.before.key]
                self._note()
                continue
            assert isinstance(change, Update) == (change.after.key in self.schedules)
            self._put(change.after.pointing_at(revision.arn))
        for old in todo.retire:
            assert old.arn not in {found.schedule.definition_arn for found in self.schedules.values()}
            del self.revisions[old.arn]

    def _put(self, schedule: Schedule) -> None:
        assert schedule.ticks or schedule.definition_arn in self.revisions
        changed = self.now if schedule.clock == "Scheduler" else None
        self.schedules[schedule.key] = Found(schedule=schedule, arn=f"arn:{schedule.key}", changed=changed)
        self._note()

    def _note(self) -> None:
        on = (found.schedule.name for found in self.schedules.values() if found.schedule.enabled)
        self.firing.append(frozenset(on))

    def _register(self, step: Keep | Register) -> Revision:
        if isinstance(step, Keep):
            assert step.revision.arn in self.revisions
            return step.revision
        arn = f"arn:aws:ecs:eu-west-1:123456789012:task-definition/{OWNER.family}:{next(self._numbers)}"
        made = Revision(arn=arn, digest=step.definition.digest, owner=str(OWNER), uid=TASK_UID)
        self.revisions[arn] = made
        return made


def reconcile(wanted: Desired, cloud: Cloud, *, in_use: frozenset[str] = frozenset()) -> Plan:
    todo = plan(wanted, cloud.observe(), now=cloud.now, retire_after=HOUR, unchanged_since=NOW, in_use=in_use)
    cloud.apply(todo)
    return todo


wishes = st.builds(
    wish,
    cron=st.sampled_from([None, DAILY, PAIR, "*/5 * * * *"]),
    image=st.sampled_from(["a:1", "a:2", "a:3"]),
    suspend=st.booleans(),
    clock=st.sampled_from(["Scheduler", "Rule"]),
    launch=st.sampled_from(["Direct", "Queue"]),
)


@given(st.lists(wishes, min_size=1, max_size=5))
def test_after_any_history_a_second_reconcile_writes_nothing(history: list[Desired]) -> None:
    cloud = Cloud()
    for wanted in history:
        reconcile(wanted, cloud)

    assert reconcile(history[-1], cloud).is_empty


@given(st.lists(wishes, min_size=1, max_size=5))
def test_one_reconcile_reaches_what_is_wanted_whatever_was_there_before(history: list[Desired]) -> None:
    cloud = Cloud()

    for wanted in history:
        reconcile(wanted, cloud)

    last = history[-1]
    current = next(one for one in cloud.revisions.values() if one.digest == last.definition.digest)
    assert [one.pointing_at(current.arn) for one in last.schedules] == [
        cloud.schedules[key].schedule for key in sorted(cloud.schedules)
    ]


@given(wishes, wishes)
def test_on_whichever_clock_it_was_no_slot_is_left_without_its_schedule(before: Desired, after: Desired) -> None:
    cloud = Cloud()
    reconcile(before, cloud)
    steady = {one.name for one in before.schedules if one.enabled} & {
        one.name for one in after.schedules if one.enabled
    }
    cloud.firing.clear()

    reconcile(after, cloud)

    assert all(steady <= firing for firing in cloud.firing)


@given(wishes, wishes)
def test_what_is_suspended_on_one_clock_fires_on_none_before_anything_may_be_refused(
    before: Desired, after: Desired
) -> None:
    cloud = Cloud()
    reconcile(before, cloud)
    todo = plan(after, cloud.observe(), now=NOW, retire_after=HOUR, unchanged_since=NOW)

    for step in todo.pause:
        cloud.apply(Plan(definition=Keep(next(iter(cloud.revisions.values()))), schedules=(step,)))

    is_new = isinstance(todo.definition, Register)
    if is_new and after.schedules and not any(one.enabled for one in after.schedules):
        assert not any(found.schedule.enabled for found in cloud.schedules.values())


@given(st.lists(wishes, min_size=1, max_size=5))
def test_an_hour_after_the_last_change_one_revision_is_left(history: list[Desired]) -> None:
    cloud = Cloud()
    for wanted in history:
        reconcile(wanted, cloud)

    cloud.now += HOUR
    reconcile(history[-1], cloud)

    assert [one.digest for one in cloud.revisions.values()] == [history[-1].definition.digest]


def test_a_changed_image_repoints_the_schedule_and_keeps_the_old_revision_for_late_firings() -> None:
    cloud = Cloud()
    reconcile(wish(image="a:1"), cloud)

    todo = reconcile(wish(image="a:2"), cloud)

    assert isinstance(todo.definition, Register)
    assert [type(step) for step in todo.schedules] == [Update]
    assert todo.retire == ()
    assert len(cloud.revisions) == 2
    settled = reconcile(wish(image="a:2"), cloud)
    assert settled.retire_at == NOW + HOUR


def test_while_schedules_are_still_to_be_changed_nothing_is_retired_and_the_hour_begins_anew() -> None:
    cloud = Cloud()
    reconcile(wish(image="a:1"), cloud)
    reconcile(wish(image="a:2"), cloud)
    cloud.now += 2 * HOUR

    back = reconcile(wish(image="a:1"), cloud)

    assert (back.retire, back.retire_at) == ((), cloud.now + HOUR)


def test_while_a_revision_is_still_to_be_registered_none_is_retired() -> None:
    cloud = Cloud()
    reconcile(wish(image="a:1"), cloud)
    cloud.now += 2 * HOUR

    todo = reconcile(wish(image="a:2"), cloud)

    assert (todo.retire, todo.retire_at) == ((), cloud.now + HOUR)


def test_the_hour_counts_from_the_last_change_of_any_schedule() -> None:
    cloud = Cloud()
    reconcile(wish(PAIR, image="a:1"), cloud)
    reconcile(wish(PAIR, image="a:2"), cloud)
    name = OWNER.schedule_name(0)
    cloud.schedules[name] = replace(cloud.schedules[name], changed=NOW + HOUR / 2)
    cloud.now += HOUR

    waiting = reconcile(wish(PAIR, image="a:2"), cloud)

    assert (waiting.retire, waiting.retire_at) == ((), NOW + HOUR * 1.5)
    cloud.now += HOUR / 2
    done = reconcile(wish(PAIR, image="a:2"), cloud)
    assert (len(done.retire), done.retire_at) == (1, None)


def test_where_there_is_no_schedule_the_hour_counts_from_when_the_last_one_went() -> None:
    cloud = Cloud()
    reconcile(wish(None, image="a:1"), cloud)
    reconcile(wish(None, image="a:2"), cloud)
    cloud.now += HOUR / 2

    assert reconcile(wish(None, image="a:2"), cloud).retire_at == NOW + HOUR


def test_with_nothing_to_retire_there_is_nothing_to_wait_for() -> None:
    cloud = Cloud()

    assert reconcile(wish(), cloud).retire_at is None
    assert reconcile(wish(), cloud).retire_at is None


def test_a_revision_that_an_active_run_uses_is_not_retired() -> None:
    cloud = Cloud()
    reconcile(wish(image="a:1"), cloud)
    old = next(iter(cloud.revisions))
    reconcile(wish(image="a:2"), cloud)
    cloud.now += HOUR

    reconcile(wish(image="a:2"), cloud, in_use=frozenset({old}))

    assert old in cloud.revisions
    reconcile(wish(image="a:2"), cloud)
    assert old not in cloud.revisions


def test_going_back_to_an_earlier_image_takes_the_earlier_revision() -> None:
    cloud = Cloud()
    reconcile(wish(image="a:1"), cloud)
    reconcile(wish(image="a:2"), cloud)

    todo = reconcile(wish(image="a:1"), cloud)

    assert isinstance(todo.definition, Keep)
    assert len(cloud.revisions) == 2


def test_an_extra_revision_of_a_crash_is_adopted_and_the_schedule_points_at_it() -> None:
    crashed = Cloud()
    reconcile(wish(), crashed)
    crashed.schedules.clear()

    todo = reconcile(wish(), crashed)

    assert isinstance(todo.definition, Keep)
    assert [type(step) for step in todo.schedules] == [Create]


def test_suspend_holds_even_where_the_new_image_is_going_to_be_refused() -> None:
    cloud = Cloud()
    reconcile(wish(image="a:1"), cloud)

    todo = plan(
        wish(image="refused:1", suspend=True),
        cloud.observe(),
        now=NOW,
        retire_after=HOUR,
        unchanged_since=NOW,
    )

    assert [step.after.enabled for step in todo.pause] == [False]
    assert [step.after.definition_arn for step in todo.pause] == list(cloud.revisions)


def test_a_schedule_that_someone_edited_is_put_right() -> None:
    cloud = Cloud()
    reconcile(wish(), cloud)
    name, found = next(iter(cloud.schedules.items()))
    edited = Schedule(**{**_fields(found.schedule), "expression": "cron(0 4 * * ? *)"})
    cloud.schedules[name] = Found(schedule=edited, arn=found.arn, changed=NOW)

    todo = reconcile(wish(), cloud)

    assert [type(step) for step in todo.schedules] == [Update]
    assert cloud.schedules[name].schedule == found.schedule


EDITS = {
    "a retry policy of a day": lambda document: document["Target"].update(RetryPolicy={"MaximumRetryAttempts": 9}),
    "a flexible window": lambda document: document.update(FlexibleTimeWindow={"Mode": "FLEXIBLE"}),
    "another target": lambda document: document["Target"].update(Arn="arn:aws:scheduler:::aws-sdk:sqs:sendMessage"),
    "an input that is no request": lambda document: document["Target"].update(Input="hello"),
}


def edit(cloud: Cloud, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Do what somebody does in the AWS console to the only schedule; what AWS then holds."""
    ((name, found),) = cloud.schedules.items()
    document = to_scheduler(found.schedule)
    change(document)
    cloud.schedules[name] = replace(found, schedule=from_scheduler(document))
    return document


@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS)
def test_an_edit_of_what_all_schedules_have_alike_is_put_right(change: Callable[[dict[str, Any]], None]) -> None:
    cloud = Cloud()
    reconcile(wish(), cloud)
    before = cloud.observe()
    edit(cloud, change)

    todo = reconcile(wish(), cloud)

    assert [type(step) for step in todo.schedules] == [Update]
    assert cloud.observe() == before
    assert reconcile(wish(), cloud).is_empty


def test_suspending_alone_is_one_write_a_schedule() -> None:
    cloud = Cloud()
    reconcile(wish(), cloud)

    todo = reconcile(wish(suspend=True), cloud)

    assert todo.pause == ()
    assert [type(step) for step in todo.schedules] == [Update]
    assert pause(cloud.observe(), str(OWNER)) == (), "what is off already is not switched off again"


@pytest.mark.parametrize(("before", "after"), [(False, False), (True, True), (True, False)])
def test_a_new_image_switches_nothing_off_that_is_to_run_or_is_off_already(before: bool, after: bool) -> None:  # noqa: FBT001 - a table
    cloud = Cloud()
    reconcile(wish(image="a:1", suspend=before), cloud)

    todo = reconcile(wish(image="a:2", suspend=after), cloud)

    assert todo.pause == ()


def test_changes_come_in_the_order_of_their_names() -> None:
    cloud = Cloud()

    made = reconcile(wish(PAIR), cloud)
    cloud.schedules = dict(reversed(cloud.schedules.items()))
    end = teardown(cloud.observe(), str(OWNER))

    assert [step.after.name for step in made.schedules if step.after] == list(OWNER.schedule_names)
    assert [step.before.name for step in end.schedules] == list(OWNER.schedule_names)


def test_a_plan_is_empty_when_none_of_its_steps_writes() -> None:
    cloud = Cloud()
    made = reconcile(wish(), cloud)
    kept = reconcile(wish(), cloud)
    paused = pause(cloud.observe(), str(OWNER))

    assert isinstance(kept.definition, Keep)
    assert kept.is_empty
    assert replace(kept, retire_at=NOW).is_empty, "to look again later is no write"
    for step in (
        {"definition": made.definition},
        {"pause": paused},
        {"schedules": made.schedules},
        {"retire": (kept.definition.revision,)},
    ):
        assert not replace(kept, **step).is_empty


@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS)
def test_an_edited_schedule_is_switched_off_as_aws_accepted_it(change: Callable[[dict[str, Any]], None]) -> None:
    cloud = Cloud()
    reconcile(wish(image="a:1"), cloud)
    document = edit(cloud, change)
    unseen = wish(image="a:2", suspend=True)

    (step,) = plan(unseen, cloud.observe(), now=NOW, retire_after=HOUR, unchanged_since=NOW).pause

    off = to_scheduler(step.after)
    assert off["State"] == "DISABLED"
    assert all(off[key] == document[key] for key in ("Target", "ScheduleExpression", "Description"))
    assert (step,) == pause(cloud.observe(), str(OWNER))


@pytest.mark.parametrize(("owner", "words"), [("other/reports/nightly", "belongs to other"), (None, "was not made by")])
def test_a_strangers_schedule_is_named_and_not_touched(owner: str | None, words: str) -> None:
    cloud = Cloud()
    reconcile(wish(), cloud)
    name, found = next(iter(cloud.schedules.items()))
    stranger = Schedule(**{**_fields(found.schedule), "owner": owner})
    cloud.schedules[name] = Found(schedule=stranger, arn=found.arn, changed=NOW)

    with pytest.raises(Rejected, match=words) as refusal:
        reconcile(wish(), cloud)

    assert refusal.value.reason == "NotOwned"
    assert teardown(cloud.observe(), str(OWNER)).schedules == ()
    assert pause(cloud.observe(), str(OWNER)) == ()


@pytest.mark.parametrize(("owner", "words"), [("other/reports/nightly", "belongs to other"), (None, "was not made by")])
def test_a_strangers_revision_in_our_family_is_named_and_not_touched(owner: str | None, words: str) -> None:
    cloud = Cloud()
    reconcile(wish(), cloud)
    arn, ours = next(iter(cloud.revisions.items()))
    theirs = replace(ours, arn=f"{arn}9", owner=owner, uid=None)
    cloud.revisions[theirs.arn] = theirs

    with pytest.raises(Rejected, match=words) as refusal:
        reconcile(wish(), cloud)

    assert refusal.value.reason == "NotOwned"
    assert theirs.arn in refusal.value.message
    assert teardown(cloud.observe(), str(OWNER)).retire == (ours,)


def test_a_teardown_removes_every_schedule_and_every_revision_of_ours() -> None:
    cloud = Cloud()
    reconcile(wish(PAIR, image="a:1"), cloud)
    reconcile(wish(PAIR, image="a:2"), cloud)

    end = teardown(cloud.observe(), str(OWNER))

    assert {step.before.name for step in end.schedules} == set(OWNER.schedule_names)
    assert len(end.retire) == 2


def test_the_same_wish_in_another_order_is_the_same_wish() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]

    one, other = wish(env=env), wish(env=env[::-1], timeZone="UTC", suspend=False)

    assert one.digest == other.digest


def _fields(schedule: Schedule) -> dict[str, object]:
    return {name: getattr(schedule, name) for name in Schedule.__dataclass_fields__}
