"""The reconciler of ImageRepositories: what is made, adopted, healed and refused; what goes, and what stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backgroundtask.controller.keys import RepositoryKey
from backgroundtask.errors import Blocked, Busy, Expected, Rejected
from backgroundtask.kube.resource import REPOSITORIES, TEMPLATES
from backgroundtask.plan.repository import Foreign, Newest
from fixtures.fake_process import Process
from fixtures.fake_world import World
from fixtures.trace import Call, Crash

NAME = "reports/api"
OWNER_MARK = {"bgtask.dev/owner": "test/reports/api"}
HOUR = 3600


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def condition(world: World, type_: str = "Ready") -> dict[str, Any]:
    return world.condition(type_, of=world.object(REPOSITORIES, "api"))


def marks(world: World) -> dict[str, str]:
    return {**OWNER_MARK, "bgtask.dev/uid": world.object(REPOSITORIES, "api")["metadata"]["uid"]}


def edit(world: World, **spec: Any) -> None:
    body = world.object(REPOSITORIES, "api")
    kept = {key: value for key, value in {**body["spec"], **spec}.items() if value is not None}
    world.store.replace(REPOSITORIES, body, {**body, "spec": kept})


def annotate(world: World, **annotations: str) -> None:
    body = world.object(REPOSITORIES, "api")
    ours = {f"bgtask.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    metadata = {**body["metadata"], "annotations": {**body["metadata"].get("annotations", {}), **ours}}
    world.store.replace(REPOSITORIES, body, {**body, "metadata": metadata})


@pytest.fixture
def made(bare: World) -> World:
    """A repository that is there."""
    bare.apply_repository()
    process(bare).work()
    assert condition(bare)["status"] == "True"
    return bare


class TestMaking:
    def test_a_repository_is_held_then_made_then_told(self, bare: World) -> None:
        writes = len(bare.trace.writes)
        bare.edit_template(tags={"team": "data"})
        bare.apply_repository(keepImages=5)
        process(bare).work()

        held = bare.account.repositories[NAME]
        status = bare.object(REPOSITORIES, "api")["status"]
        assert (held.scans_on_push, held.lifecycle) == (True, Newest(5))
        assert held.tags == {"team": "data", **marks(bare)}
        assert (status["repositoryUri"], status["repositoryArn"]) == (held.uri, held.arn)
        assert status["observedGeneration"] == 1
        assert condition(bare)["reason"] == "Reconciled"
        done = [str(one) for one in bare.trace.writes[writes:] if "api" in str(one)]
        assert done == [
            "kube.add_finalizer imagerepositories api",
            f"repositories.create {NAME}",
            f"repositories.trim {NAME}",
            "kube.patch_status imagerepositories api",
        ]

    def test_at_rest_it_is_looked_at_each_period_and_nothing_is_written(self, made: World) -> None:
        writes, calls = len(made.trace.writes), len(made.trace.calls)

        made.pass_time(HOUR, step=60)

        looks = [one.operation for one in made.trace.calls[calls:]].count("repositories.find")
        assert 6 <= looks <= 9
        assert made.trace.since(writes) == []

    def test_where_nobody_has_one_ecr_is_never_asked(self, world: World) -> None:
        world.pass_time(2 * HOUR, step=60)

        assert [one for one in world.trace.calls if one.operation.startswith("repositories")] == []

    def test_a_restart_writes_nothing(self, made: World) -> None:
        writes = len(made.trace.writes)

        made.start().work()

        assert made.trace.since(writes) == []

    def test_what_somebody_changed_in_ecr_is_put_right(self, made: World) -> None:
        edit(made, keepImages=5)
        process(made).work()
        held = made.account.repositories[NAME]
        bent = replace(held, scans_on_push=False, lifecycle=Foreign(), tags={**OWNER_MARK, "cost": "1"})
        made.account.repositories[NAME] = bent

        made.pass_time(600, step=60)

        assert made.account.repositories[NAME] == replace(held, tags={**held.tags, "cost": "1"})

    def test_what_somebody_deleted_in_ecr_is_made_anew(self, made: World) -> None:
        made.account.repositories.clear()

        made.pass_time(600, step=60)

        assert made.account.repositories[NAME].tags == marks(made)

    def test_a_policy_goes_with_the_field_that_set_it(self, made: World) -> None:
        edit(made, keepImages=5)
        process(made).work()
        assert made.account.repositories[NAME].lifecycle == Newest(5)

        edit(made, keepImages=None)
        process(made).work()

        assert made.account.repositories[NAME].lifecycle is None

    def test_a_changed_template_is_followed_at_once(self, made: World) -> None:
        made.edit_template(tags={"team": "data"})
        process(made).work()

        assert made.account.repositories[NAME].tags == {**marks(made), "team": "data"}

    def test_a_paused_one_is_left_alone_until_it_is_not(self, bare: World) -> None:
        bare.apply_repository(annotations={"bgtask.dev/paused": "true"})
        process(bare).work()
        assert bare.account.repositories == {}
        assert condition(bare)["reason"] == "Paused"

        annotate(bare, paused="false")
        process(bare).work()

        assert list(bare.account.repositories) == [NAME]


class TestOwnership:
    @pytest.mark.parametrize(
        ("tags", "says"),
        [
            ({}, "bears no tag bgtask.dev/owner"),
            ({"bgtask.dev/owner": "test/reports/web"}, "belongs to test/reports/web"),
            ({"bgtask.dev/owner": "other/reports/api"}, "belongs to other/reports/api"),
        ],
    )
    def test_what_is_not_ours_is_refused_and_left_as_it_is_also_when_the_object_goes(
        self, bare: World, tags: dict[str, str], says: str
    ) -> None:
        before = bare.account.add_repository(NAME, tags=tags, lifecycle=Foreign())
        bare.apply_repository(keepImages=5, deletionPolicy="Delete")
        process(bare).work()

        assert condition(bare, "Stalled")["reason"] == condition(bare)["reason"] == "NotOwned"
        assert says in condition(bare)["message"]
        assert process(bare).told.reasons().count("NotOwned") == 1
        bare.delete(REPOSITORIES, "api")
        process(bare).work()
        assert bare.find(REPOSITORIES, "api") is None
        assert bare.account.repositories == {NAME: before}

    def test_one_that_is_handed_over_is_adopted_as_soon_as_somebody_asks(self, bare: World) -> None:
        bare.account.add_repository("legacy", lifecycle=Foreign(), tags={"cost": "1"})
        bare.apply_repository(called="legacy")
        process(bare).work()
        assert condition(bare)["reason"] == "NotOwned"

        bare.account.add_repository("legacy", lifecycle=Foreign(), tags={"cost": "1", **OWNER_MARK})
        annotate(bare, reconcile_requested_at="now")
        process(bare).work()

        held = bare.account.repositories["legacy"]
        assert condition(bare)["status"] == "True"
        assert held.tags == {"cost": "1", **marks(bare)}
        assert (held.scans_on_push, held.lifecycle) == (True, Foreign())

    def test_one_that_was_retained_is_taken_back_by_an_object_of_the_same_name(self, made: World) -> None:
        made.delete(REPOSITORIES, "api")
        process(made).work()
        assert made.account.repositories[NAME].tags["bgtask.dev/retained"] == "true"

        made.apply_repository()
        process(made).work()

        assert condition(made)["status"] == "True"
        assert made.account.repositories[NAME].tags == {**marks(made), "bgtask.dev/retained": "false"}

    def test_a_namespace_that_the_template_does_not_list_gets_none_and_keeps_what_it_had(self, made: World) -> None:
        made.edit_template(namespaces=["others"])
        made.apply_repository(name="web")
        process(made).work()

        assert list(made.account.repositories) == [NAME]
        for name in ("api", "web"):
            seen = made.condition("Stalled", of=made.object(REPOSITORIES, name))
            assert seen["reason"] == "NamespaceNotAllowed"

    def test_a_name_of_another_namespace_is_refused(self, bare: World) -> None:
        bare.apply_repository(called="payments/api")
        process(bare).work()

        assert condition(bare, "Stalled")["reason"] == "NameNotAllowed"
        assert bare.account.repositories == {}

    def test_a_refused_one_is_looked_at_hourly(self, bare: World) -> None:
        bare.account.add_repository(NAME)
        bare.apply_repository()
        process(bare).work()
        calls = len(bare.trace.calls)

        bare.pass_time(2 * HOUR + 60, step=60)

        assert [one.operation for one in bare.trace.calls[calls:]].count("repositories.find") == 2


class TestParting:
    def test_a_retained_one_stays_with_a_mark_and_all_else_as_it_was(self, made: World) -> None:
        before = made.account.repositories[NAME]

        made.delete(REPOSITORIES, "api")
        process(made).work()

        assert made.find(REPOSITORIES, "api") is None
        after = made.account.repositories[NAME]
        assert after == replace(before, tags={**before.tags, "bgtask.dev/retained": "true"})

    def test_one_that_is_to_go_goes_with_its_object(self, made: World) -> None:
        edit(made, deletionPolicy="Delete")
        process(made).work()

        made.delete(REPOSITORIES, "api")
        process(made).work()

        assert made.find(REPOSITORIES, "api") is None
        assert made.account.repositories == {}

    def test_what_lost_its_mark_meanwhile_is_not_deleted(self, made: World) -> None:
        edit(made, deletionPolicy="Delete")
        process(made).work()
        stripped = replace(made.account.repositories[NAME], tags={})
        made.account.repositories[NAME] = stripped

        made.delete(REPOSITORIES, "api")
        process(made).work()

        assert made.find(REPOSITORIES, "api") is None
        assert made.account.repositories == {NAME: stripped}

    def test_what_is_gone_already_holds_nobody(self, made: World) -> None:
        made.account.repositories.clear()

        made.delete(REPOSITORIES, "api")
        process(made).work()

        assert made.find(REPOSITORIES, "api") is None
        assert made.account.repositories == {}

    def test_it_stays_and_says_why_while_ecr_refuses_and_goes_when_it_does_not(self, made: World) -> None:
        made.trace.fail_next("repositories.tag", Blocked("AccessDenied", "Grant ecr:TagResource."), times=3)
        made.delete(REPOSITORIES, "api")
        process(made).work()
        assert condition(made)["reason"] == condition(made, "Reconciling")["reason"] == "AccessDenied"

        made.pass_time(60, step=1)

        assert made.find(REPOSITORIES, "api") is None
        assert made.account.repositories[NAME].tags["bgtask.dev/retained"] == "true"

    def test_force_lets_it_go_and_says_what_stays(self, made: World) -> None:
        made.trace.fail_next("repositories.*", Blocked("AccessDenied", "Grant it."), times=1000)
        made.delete(REPOSITORIES, "api")
        process(made).work()
        assert made.find(REPOSITORIES, "api") is not None

        annotate(made, force_orphan="true")
        process(made).work()

        assert made.find(REPOSITORIES, "api") is None
        [told] = [one for one in process(made).told.told if one.reason == "Orphaned"]
        assert f"repository/{NAME}" in told.message

    def test_a_paused_one_waits(self, made: World) -> None:
        annotate(made, paused="true")
        made.delete(REPOSITORIES, "api")
        process(made).work()
        assert made.find(REPOSITORIES, "api") is not None

        annotate(made, paused="false")
        process(made).work()

        assert made.find(REPOSITORIES, "api") is None

    def test_a_template_waits_for_its_repositories_and_goes_right_after_the_last(self, made: World) -> None:
        made.delete(TEMPLATES, "default")
        process(made).work()
        template = made.object(TEMPLATES, "default")
        assert "1 ImageRepositories still use it, reports/api" in made.condition(of=template)["message"]

        made.delete(REPOSITORIES, "api")
        process(made).work()

        assert made.find(REPOSITORIES, "api") is None
        assert made.find(TEMPLATES, "default") is None
        assert made.account.repositories[NAME].tags["bgtask.dev/retained"] == "true"


class TestFailures:
    @pytest.mark.parametrize("operation", ["kube.add_finalizer", "repositories.*", "kube.patch_status", "kube.get"])
    @pytest.mark.parametrize("after_effect", [False, True])
    @pytest.mark.parametrize("kind", [Busy, Blocked])
    def test_whatever_fails_is_tried_again(
        self, bare: World, operation: str, kind: type[Expected], *, after_effect: bool
    ) -> None:
        bare.trace.fail_next(operation, kind("Odd", "Odd."), after_effect=after_effect)
        bare.apply_repository(keepImages=5)
        process(bare).work()

        bare.pass_time(60, step=1)

        assert condition(bare)["status"] == "True"
        assert bare.account.repositories[NAME].lifecycle == Newest(5)
        assert bare.account.repositories[NAME].tags == marks(bare)

    @pytest.mark.parametrize("deletion_policy", ["Retain", "Delete"])
    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_a_process_that_ends_at_any_of_its_writes_leaves_what_the_next_one_finishes(
        self, deletion_policy: str, moment: str
    ) -> None:
        for place in range(20):
            world = World()
            world.furnish()
            world.start().work()
            crashed = _live(world, place, moment, deletion_policy)

            world.trace.on_write = lambda *_: None
            world.start().work()
            world.pass_time(60, step=5)

            assert world.find(REPOSITORIES, "api") is None
            kept = world.account.repositories.get(NAME)
            assert (kept is None) == (deletion_policy == "Delete")
            assert kept is None or kept.tags["bgtask.dev/retained"] == "true"
            if not crashed:
                return
        raise AssertionError("it never lived to its end")

    def test_a_busy_ecr_is_not_told_before_it_stays_so(self, bare: World) -> None:
        bare.trace.fail_next("repositories.find", Busy("Throttled", "AWS throttles."), times=100)
        bare.apply_repository()
        process(bare).work()
        assert condition(bare) == {}

        bare.pass_time(HOUR, step=30)

        assert condition(bare)["reason"] == "Throttled"

    def test_a_refusal_of_ecr_is_stalled(self, bare: World) -> None:
        bare.trace.fail_next("repositories.create", Rejected("InvalidRepository", "ECR does not accept it."))
        bare.apply_repository()
        process(bare).work()

        assert condition(bare, "Stalled")["reason"] == "InvalidRepository"

    def test_nothing_is_made_for_an_object_that_is_gone_though_the_watch_has_not_told_so(self, made: World) -> None:
        edit(made, deletionPolicy="Delete")
        process(made).work()
        last = made.start()
        made.delete(REPOSITORIES, "api")
        metadata = {**made.object(REPOSITORIES, "api")["metadata"], "finalizers": []}
        made.store.replace(REPOSITORIES, made.object(REPOSITORIES, "api"), {**_body(made), "metadata": metadata})
        made.account.repositories.clear()

        last.repositories.reconcile(RepositoryKey("reports", "api"))

        assert made.account.repositories == {}

    def test_a_change_during_the_look_is_not_said_to_be_brought_about(self, bare: World) -> None:
        def change(moment: str, call: Call) -> None:
            if (moment, call.operation) == ("before", "repositories.create"):
                bare.trace.on_write = lambda *_: None
                edit(bare, keepImages=7)
                process(bare).watch.deliver()

        bare.trace.on_write = change
        bare.apply_repository()
        process(bare).work()

        done = [one.operation for one in bare.trace.writes if one.target in (NAME, "imagerepositories api")]
        assert done[1:] == ["repositories.create", "repositories.trim", "kube.patch_status"]
        assert bare.object(REPOSITORIES, "api")["status"]["observedGeneration"] == 2


def _body(world: World) -> dict[str, Any]:
    return world.object(REPOSITORIES, "api")


def _live(world: World, place: int, moment: str, deletion_policy: str) -> bool:
    """Apply and delete a repository under a process that ends at the write of that number; whether it did."""
    writes = 0

    def crash(when: str, _: Call) -> None:
        nonlocal writes
        if when == moment:
            writes += 1
            if writes > place:
                raise Crash

    world.trace.on_write = crash
    world.apply_repository(keepImages=5, deletionPolicy=deletion_policy)
    try:
        process(world).work()
        world.delete(REPOSITORIES, "api")
        process(world).work()
    except Crash:
        world.trace.on_write = lambda *_: None
        if world.find(REPOSITORIES, "api") is not None:
            world.start().work()
        if world.find(REPOSITORIES, "api") is not None:
            world.delete(REPOSITORIES, "api")
        return True
    return False
