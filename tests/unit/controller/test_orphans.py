"""What AWS holds that bears our mark and has no object: seen twice, told first, taken only where that is certain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backgroundtask.controller import metrics
from backgroundtask.controller.groups import CLUSTER_TAG
from backgroundtask.errors import Blocked, Busy
from backgroundtask.kube.resource import TASKS, TEMPLATES, Resource
from backgroundtask.plan.names import Owner
from fixtures.fake_process import INSTALLATION, Process
from fixtures.fake_world import GROUP, NAMESPACE, OWNER, World
from fixtures.objects import CLUSTER

RESYNC = 600
NAME = OWNER.schedule_name(0)
OTHERS = 9


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def told(world: World, reason: str) -> list[str]:
    return [one.message for one in process(world).told.told if one.reason == reason]


def looks(world: World, number: int) -> None:
    """Some periodic looks: of the first of a process nothing is judged, as the cluster was not listed anew before."""
    for _ in range(number):
        world.pass_time(RESYNC + 1)
        world.pass_time(1)


def orphan(world: World, name: str = "nightly", resource: Resource = TASKS) -> None:
    """Somebody takes the finalizer off and deletes the object, behind the operator's back."""
    body = world.object(resource, name)
    bare = {**body, "metadata": {key: value for key, value in body["metadata"].items() if key != "finalizers"}}
    world.store.replace(resource, body, bare)
    world.delete(resource, name)
    process(world).work()
    assert world.find(resource, name) is None


def gauge(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def revisions(world: World) -> list[str]:
    """The ACTIVE revisions of the task nightly."""
    return [one.arn for one in world.account.active(OWNER.family)]


def live(world: World, owner: Owner = OWNER) -> tuple[bool, bool]:
    """Whether there is a schedule, and an ACTIVE revision, of an owner."""
    return any(name in owner.schedule_names for _, name in world.account.schedules), bool(
        world.account.active(owner.family)
    )


@pytest.fixture
def world() -> World:
    """Ten tasks at rest, in a process that begins."""
    made = World()
    made.furnish()
    made.apply()
    for number in range(OTHERS):
        made.apply(name=f"other-{number}")
    made.start().work()
    made.pass_time(5)
    return made


def restart(world: World, **settings: Any) -> None:
    world.start(**settings).work()


class TestTaking:
    def test_an_orphan_is_told_at_first_sight_and_taken_at_the_second(self, world: World) -> None:
        task = world.fires()
        orphan(world)
        looks(world, 1)
        while not told(world, "OrphanFound"):
            looks(world, 1)
        assert live(world) == (True, True)
        assert (gauge("bgt_orphans", kind="schedule"), gauge("bgt_orphans", kind="definition")) == (1, 1)
        before, taken = len(world.trace.writes), gauge("bgt_orphans_taken_total")

        looks(world, 1)

        assert live(world) == (False, False)
        assert world.account.tasks[task]["desiredStatus"] == "STOPPED"
        assert world.trace.since(before) == ["schedules.remove", "ecs.stop", "ecs.deregister"]
        assert gauge("bgt_orphans_taken_total") == taken + 1
        assert "reports/nightly" in told(world, "OrphanFound")[0]
        assert "reports/nightly" in told(world, "OrphanDeleted")[0]
        looks(world, 1)
        assert (gauge("bgt_orphans", kind="schedule"), gauge("bgt_orphans", kind="definition")) == (0, 0)
        assert len(told(world, "OrphanFound")) == len(told(world, "OrphanDeleted")) == 1

    def test_everybody_elses_stays(self, world: World) -> None:
        orphan(world)

        looks(world, 5)

        assert all(
            live(world, Owner(INSTALLATION, NAMESPACE, f"other-{number}")) == (True, True) for number in range(OTHERS)
        )

    def test_two_sightings_that_are_too_near_are_one(self, world: World) -> None:
        restart(world, orphan_grace=3 * RESYNC)
        orphan(world)
        while not told(world, "OrphanFound"):
            looks(world, 1)

        looks(world, 2)
        assert live(world) == (True, True)
        looks(world, 2)

        assert live(world) == (False, False)

    def test_an_object_that_comes_back_between_them_keeps_what_it_has(self, world: World) -> None:
        orphan(world)
        while not told(world, "OrphanFound"):
            looks(world, 1)
        [revision] = revisions(world)

        world.apply()
        process(world).work()
        looks(world, 3)

        assert revisions(world) == [revision]
        assert world.enabled()[NAME] is True

    def test_a_restart_begins_to_count_anew(self, world: World) -> None:
        orphan(world)
        while not told(world, "OrphanFound"):
            looks(world, 1)

        restart(world)
        looks(world, 1)

        assert live(world) == (True, True)

    def test_a_look_that_is_interrupted_goes_on_where_it_was(self, world: World) -> None:
        for name in ("nightly", "other-0"):
            orphan(world, name)
        looks(world, 1)
        asked = len(world.trace.calls)
        world.trace.fail_next("ecs.revision", Busy("Throttled", "AWS throttles."))

        looks(world, 4)

        assert live(world) == live(world, Owner(INSTALLATION, NAMESPACE, "other-0")) == (False, False)
        failed = [call for call in world.trace.calls[asked:] if call.operation == "ecs.revision"]
        assert len(failed) >= 1 + 2 * 2, "one that failed, and for each two sightings of its marks"

    def test_what_aws_refuses_is_tried_until_it_is_done(self, world: World) -> None:
        orphan(world)
        world.trace.fail_next("schedules.remove", Blocked("AccessDenied", "Grant it."), times=3)

        looks(world, 6)

        assert live(world) == (False, False)


class TestPlaces:
    """Templates may share an account and a region, and have clusters and schedule groups of their own."""

    @pytest.fixture
    def second(self, world: World) -> Owner:
        """A task whose template has another group and another cluster."""
        cluster = CLUSTER.replace("/jobs", "/second")
        world.account.clusters[cluster] = "ACTIVE"
        world.furnish(name="second", scheduleGroup="second", cluster=cluster)
        world.apply(name="elsewhere", launchTemplate="second")
        process(world).work()
        world.pass_time(5)
        return Owner(INSTALLATION, NAMESPACE, "elsewhere")

    def test_an_orphan_is_taken_wherever_it_is(self, world: World, second: Owner) -> None:
        assert ("second", second.schedule_name(0)) in world.account.schedules
        orphan(world, "elsewhere")
        before = len(world.trace.writes)

        looks(world, 5)

        assert live(world, second) == (False, False)
        assert live(world) == (True, True)
        ends = world.trace.since(before, "schedules.", "ecs.")
        assert ends[0] == "schedules.update", "nothing fires what another place retires"
        assert sorted(ends[1:]) == ["ecs.deregister", "schedules.remove"]

    def test_nothing_is_told_any_more_of_an_aws_that_no_template_names(self, world: World) -> None:
        restart(world, orphan_sweep="report")
        for name in ("nightly", "other-0", "other-1"):
            orphan(world, name)
        looks(world, 2)
        assert (gauge("bgt_orphans", kind="definition"), gauge("bgt_orphans_over_cap")) == (3, 3)

        orphan(world, "default", TEMPLATES)
        looks(world, 2)

        assert (gauge("bgt_orphans", kind="definition"), gauge("bgt_orphans_over_cap")) == (0, 0)

    def test_one_group_of_another_cluster_keeps_everything_there_is(self, world: World, second: Owner) -> None:
        orphan(world, "elsewhere")
        _mark_group(world)

        looks(world, 5)

        assert live(world, second) == (True, True)


def _mark_group(world: World) -> None:
    world.account.groups[GROUP][CLUSTER_TAG] = "another-cluster"


def _retain_schedule(world: World) -> None:
    world.account.put_schedule(replace(world.account.schedule(NAME), retained=True))


def _retain_revision(world: World) -> None:
    [arn] = revisions(world)
    world.account.revisions[arn] = replace(world.account.revisions[arn], retained=True)


def _estrange(world: World) -> None:
    [arn] = revisions(world)
    world.account.revisions[arn] = replace(world.account.revisions[arn], owner="other/reports/nightly")
    world.account.put_schedule(replace(world.account.schedule(NAME), owner="other/reports/nightly"))


def _unlisted(world: World) -> None:
    world.trace.fail_next("kube.names", Busy("Unavailable", "The API server is away."), times=10_000)


def _unproved(world: World) -> None:
    world.trace.fail_next("kube.get", Busy("Unavailable", "The API server is away."), times=10_000)


def _elsewhere(world: World) -> None:
    world.account.groups["theirs"] = {}
    world.account.put_schedule(replace(world.account.schedule(NAME), group="theirs"))


class TestCaution:
    @pytest.mark.parametrize(
        ("circumstance", "why"),
        [
            (_mark_group, "the group is another cluster's: its objects are not ours to judge"),
            (_retain_schedule, "it stays by intention"),
            (_retain_revision, "it stays by intention"),
            (_estrange, "it bears somebody else's mark"),
            (_unlisted, "the API server could not be listed completely"),
            (_unproved, "the API server does not prove that there is none"),
            (_elsewhere, "a group that nobody looks at fires it, too"),
        ],
    )
    def test_what_is_not_certainly_an_orphan_is_not_taken(
        self, world: World, circumstance: Callable[[World], None], why: str
    ) -> None:
        orphan(world)
        circumstance(world)

        looks(world, 6)

        assert live(world) == (True, True), why

    @pytest.mark.parametrize(
        ("settings", "says"),
        [({"orphan_sweep": "off"}, 0), ({"orphan_sweep": "report"}, 1), ({"adopt": True}, 1)],
    )
    def test_nothing_is_taken_where_the_settings_say_so(
        self, world: World, settings: dict[str, Any], says: int
    ) -> None:
        restart(world, **settings)
        orphan(world)

        looks(world, 6)

        assert live(world) == (True, True)
        assert len(told(world, "OrphanFound")) == says

    def test_above_the_cap_nothing_is_taken_and_it_is_told_once(self, world: World) -> None:
        for name in ("nightly", "other-0", "other-1"):
            orphan(world, name)

        looks(world, 6)

        assert len(world.account.schedules) == 1 + OTHERS
        [message] = told(world, "TooManyOrphans")
        assert message.startswith("AWS holds things of 3 owners")
        assert gauge("bgt_orphans_over_cap") == 3
        world.apply(name="other-0")
        process(world).work()
        looks(world, 3)
        assert len(world.account.schedules) == OTHERS - 1
        assert gauge("bgt_orphans_over_cap") == 0

    def test_what_was_about_to_be_taken_is_not_once_there_are_too_many(self, world: World) -> None:
        orphan(world)
        world.trace.fail_next("schedules.remove", Blocked("AccessDenied", "Grant it."), times=10_000)
        looks(world, 4)
        assert "schedules.remove" in [call.operation for call in world.trace.calls]
        for name in ("other-0", "other-1"):
            orphan(world, name)
        looks(world, 2)
        assert told(world, "TooManyOrphans")
        world.trace.mend()

        looks(world, 6)

        assert live(world) == (True, True)

    def test_a_strangers_schedule_in_our_group_is_asked_for_once_a_day(self, world: World) -> None:
        theirs = replace(world.account.schedule(NAME), name="theirs", owner=None, uid=None)
        world.account.put_schedule(theirs)
        before = len(world.trace.calls)

        looks(world, 20)

        assert [call.target for call in world.trace.calls[before:] if call.operation == "schedules.find"].count(
            "theirs"
        ) == 1
        assert world.account.schedule("theirs") == theirs

    def test_another_installations_family_is_not_even_asked_for(self, world: World) -> None:
        strange = world.account.add_revision("bgt_tester_reports_nightly", owner="tester/reports/nightly")
        before = len(world.trace.calls)

        looks(world, 6)

        assert strange.arn not in {call.target for call in world.trace.calls[before:]}
        assert strange.arn not in world.account.inactive

    def test_a_world_without_orphans_is_asked_nothing_more(self, world: World) -> None:
        looks(world, 2)
        before = len(world.trace.calls)

        looks(world, 1)

        asked = {call.operation for call in world.trace.calls[before:]}
        assert asked.isdisjoint({"schedules.group", "schedules.groups_of", "ecs.revision"})


class TestRetained:
    def test_what_was_deleted_with_retain_stays_also_after_restarts(self, world: World) -> None:
        world.edit(deletionPolicy="Retain")
        process(world).work()
        world.delete()
        process(world).work()

        looks(world, 3)
        restart(world)
        looks(world, 6)

        assert live(world) == (True, True)
        assert told(world, "OrphanFound") == []

    def test_what_was_taken_up_again_is_an_orphan_like_any_other_also_while_its_old_revision_stays(
        self, world: World
    ) -> None:
        world.edit(deletionPolicy="Retain")
        process(world).work()
        world.delete()
        process(world).work()
        world.apply(image="example.com/report:2")
        process(world).work()
        world.pass_time(5)
        assert len(revisions(world)) == 2
        assert not world.account.schedule(NAME).retained
        orphan(world)

        looks(world, 5)

        assert live(world) == (False, False)

    def test_what_is_retained_lets_no_more_orphans_be_believed(self, world: World) -> None:
        kept = [f"kept-{number}" for number in range(20)]
        for name in kept:
            world.apply(name=name, deletionPolicy="Retain")
        process(world).work()
        for name in kept:
            world.delete(name=name)
        process(world).work()
        for name in ("nightly", "other-0", "other-1"):
            orphan(world, name)

        looks(world, 6)

        assert "More than 2 at once" in told(world, "TooManyOrphans")[0]
        assert len(world.account.schedules) == len(kept) + 1 + OTHERS

    def test_what_force_orphan_left_is_taken_when_aws_allows(self, world: World) -> None:
        world.trace.fail_next("schedules.remove", Blocked("AccessDenied", "Grant it."), times=10_000)
        world.annotate(force_orphan="true")
        world.delete()
        process(world).work()
        assert live(world) == (True, True)
        assert world.find(TASKS, "nightly") is None

        world.trace.mend()
        looks(world, 5)

        assert live(world) == (False, False)
