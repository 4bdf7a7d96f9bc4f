"""What the cache holds, whatever the order in which the news arrive."""

import json
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.kube.cache import Cache
from backgroundtask.kube.resource import REPOSITORIES, RUNS, TASKS, TEMPLATES, Body
from backgroundtask.kube.snapshot import Change, Snapshot, keep
from fixtures.objects import repository_object, run_object, task_object, template_object


def at(body: Body, version: int, **metadata: Any) -> Body:
    return {**body, "metadata": {**body["metadata"], "resourceVersion": str(version), **metadata}}


@dataclass
class World:
    """What an API server would hold, and each message that it sent about it."""

    objects: dict[str, Body] = field(default_factory=dict)
    messages: list[tuple[str, Body]] = field(default_factory=list)
    version: int = 0

    def step(self, action: str, name: str) -> None:
        self.version += 1
        present = self.objects.get(name)
        if action == "delete" and present:
            del self.objects[name]
            self.messages.append(("DELETED", at(present, self.version)))
        if action == "write" and present:
            self._say("MODIFIED", at({**present, "status": {"n": self.version}}, self.version))
        if action == "write" and not present:
            self._say("ADDED", at(task_object(name=name), self.version, uid=f"{name}-{self.version}"))

    def _say(self, event: str, body: Body) -> None:
        self.objects[body["metadata"]["name"]] = body
        self.messages.append((event, body))


def held(cache: Cache) -> dict[str, Body | None]:
    return {name: cache.task(namespace, name) for namespace, name in cache.keys(TASKS)}


def kept(objects: Mapping[str, Body]) -> dict[str, Body]:
    return {name: keep(body) for name, body in objects.items()}


STEPS = st.lists(st.tuples(st.sampled_from(["write", "write", "delete"]), st.sampled_from("ab")), max_size=12)


@given(STEPS, st.randoms(use_true_random=False))
def test_in_whatever_order_news_arrive_and_however_often_the_cache_ends_with_the_newest_truth(
    steps: list[tuple[str, str]], chance: random.Random
) -> None:
    world, cache = World(), Cache()
    for action, name in steps:
        world.step(action, name)
    answers = [(None, body) for event, body in world.messages if event != "DELETED"]
    news: list[tuple[str | None, Body]] = [*world.messages, *world.messages, *answers]
    chance.shuffle(news)

    for event, body in news:
        cache.see(TASKS, event, body)

    assert held(cache) == kept(world.objects)


@given(STEPS, STEPS, st.randoms(use_true_random=False))
def test_a_listing_heals_what_the_watch_has_missed_and_keeps_what_came_after_it_began(
    before: list[tuple[str, str]], after: list[tuple[str, str]], chance: random.Random
) -> None:
    world, cache = World(), Cache()
    for action, name in before:
        world.step(action, name)
    for event, body in world.messages:
        if event != "DELETED" or chance.random() < 0.5:
            cache.see(TASKS, event, body)
    bound, said = cache.newest(TASKS), len(world.messages)
    listed = [body["metadata"]["uid"] for body in world.objects.values()]

    for action, name in after:
        world.step(action, name)
    for event, body in world.messages[said:]:
        cache.see(TASKS, event, body)
    for body in cache.unlisted(TASKS, listed, bound=bound):
        cache.see(TASKS, "DELETED", body)

    assert held(cache) == kept(world.objects)


def test_a_deletion_during_the_listing_is_not_undone_by_it() -> None:
    cache = Cache()
    cache.see(TASKS, "ADDED", at(task_object(), 1))
    bound = cache.newest(TASKS)

    cache.see(TASKS, "DELETED", at(task_object(), 2))
    gone = cache.unlisted(TASKS, [task_object()["metadata"]["uid"]], bound=bound)

    assert gone == []
    assert cache.task("reports", "nightly") is None


def test_what_a_listing_proves_gone_does_not_come_back_with_a_late_answer() -> None:
    cache = Cache()
    cache.see(TASKS, "ADDED", at(task_object(), 1))

    [gone] = cache.unlisted(TASKS, [], bound=cache.newest(TASKS))
    change = cache.see(TASKS, "DELETED", gone)
    cache.put(TASKS, at(task_object(), 2))

    assert change is Change.GONE
    assert cache.task("reports", "nightly") is None


def test_the_version_that_was_last_seen_is_known_and_nought_of_what_never_was() -> None:
    cache = Cache()
    cache.see(TASKS, "ADDED", at(task_object(), 7))
    cache.put(TASKS, at(task_object(), 6))

    assert cache.version(TASKS, "reports", "nightly") == 7
    assert cache.version(TASKS, "reports", "other") == 0
    assert cache.version(RUNS, "reports", "nightly") == 0


def test_an_object_that_gave_way_to_a_namesake_does_not_come_back_after_it() -> None:
    cache = Cache()
    cache.see(TASKS, "ADDED", at(task_object(), 1, uid="old"))
    cache.see(TASKS, "ADDED", at(task_object(), 3, uid="new"))
    cache.see(TASKS, "DELETED", at(task_object(), 4, uid="new"))

    cache.put(TASKS, at(task_object(), 2, uid="old"))

    assert cache.task("reports", "nightly") is None


def test_threads_that_bring_the_same_news_in_their_own_order_agree() -> None:
    world, cache, chance = World(), Cache(), random.Random(7)  # noqa: S311 - an order, not a secret
    for _ in range(60):
        world.step(chance.choice(["write", "write", "delete"]), chance.choice("ab"))

    def bring(order: int) -> None:
        for event, body in random.Random(order).sample(world.messages, len(world.messages)):  # noqa: S311 - likewise
            cache.see(TASKS, event, body)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(bring, range(8)))

    assert held(cache) == kept(world.objects)


def metadata(**changes: Any) -> Body:
    return at(task_object(), 11, **changes)


@pytest.mark.parametrize(
    ("event", "body", "change", "why"),
    [
        ("MODIFIED", task_object(), None, "it is the state that is known"),
        ("MODIFIED", at(task_object(image="old"), 9), None, "it is older"),
        ("MODIFIED", at(task_object(image="old"), 9, uid="older"), None, "it is an older namesake"),
        ("MODIFIED", metadata(managedFields=[{}], annotations={"theirs": "1"}), None, "it is about what is not kept"),
        ("MODIFIED", at(task_object(image="new"), 11, generation=2), Change.CHANGED, "the spec is another"),
        ("MODIFIED", metadata(annotations={"bgtask.dev/paused": "true"}), Change.CHANGED, "it is ours"),
        (
            "MODIFIED",
            metadata(annotations={"argocd.argoproj.io/tracking-id": "a"}),
            Change.CHANGED,
            "a GitOps mark",
        ),
        ("MODIFIED", metadata(finalizers=["bgtask.dev/finalizer"]), Change.CHANGED, "someone holds it"),
        ("MODIFIED", metadata(labels={"a": "b"}), Change.CHANGED, "the labels are others"),
        ("MODIFIED", at(task_object(status={"observedGeneration": 1}), 11), Change.CHANGED, "the status is another"),
        (
            "MODIFIED",
            metadata(deletionTimestamp="2026-11-01T00:00:00Z", finalizers=["a/b"], generation=2),
            Change.CHANGED,
            "deletion counts the generation up",
        ),
        ("ADDED", metadata(uid="newer"), Change.NEW, "it is a newer namesake"),
        ("DELETED", metadata(), Change.GONE, "it is deleted"),
        ("DELETED", metadata(uid="other"), None, "a namesake was deleted, not this one"),
        ("MODIFIED", metadata(deletionTimestamp="2026-11-01T00:00:00Z"), Change.GONE, "nobody holds it any more"),
    ],
)
def test_seeing_tells_what_is_new_about_an_object(event: str, body: Body, change: Change | None, why: str) -> None:
    cache = Cache()
    assert cache.see(TASKS, None, task_object()) == Change.NEW

    seen = cache.see(TASKS, event, body)

    assert seen == change, why


def test_a_body_that_is_not_news_still_moves_the_version_on() -> None:
    cache = Cache()
    cache.see(TASKS, None, task_object())

    cache.see(TASKS, "MODIFIED", metadata(managedFields=[{}]))

    found = cache.task("reports", "nightly")
    assert found is not None
    assert found["metadata"]["resourceVersion"] == "11"


def test_what_is_not_needed_is_not_kept() -> None:
    cache = Cache()
    applied = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "bgtask.dev/paused": "true"}

    cache.see(TASKS, None, metadata(managedFields=[{"manager": "kubectl"}], annotations=applied))

    found = cache.task("reports", "nightly")
    assert found is not None
    assert found["metadata"]["annotations"] == {"bgtask.dev/paused": "true"}
    assert "managedFields" not in found["metadata"]


def test_changing_what_was_read_changes_nothing_else() -> None:
    cache = Cache()
    cache.see(TASKS, None, task_object())
    mine = cache.task("reports", "nightly")
    assert mine is not None

    mine["spec"]["image"] = "mine"

    assert cache.task("reports", "nightly") == keep(task_object())


def test_runs_are_found_by_their_task_and_tasks_by_their_template() -> None:
    cache = Cache()
    for name in ("nightly-2", "nightly-1"):
        cache.see(RUNS, None, run_object(name=name))
    other = at(run_object(name="weekly-1"), 20)
    cache.see(RUNS, None, {**other, "spec": {**other["spec"], "task": "weekly"}})
    cache.see(TASKS, None, task_object(launchTemplate="default"))
    cache.see(TEMPLATES, None, template_object())

    assert [run["metadata"]["name"] for run in cache.runs_of("reports", "nightly")] == ["nightly-1", "nightly-2"]
    assert cache.runs_of("elsewhere", "nightly") == []
    assert cache.tasks_using("default") == [("reports", "nightly")]
    assert cache.template("default") == keep(template_object())
    assert cache.run("reports", "weekly-1") is not None
    assert cache.counts() == {TASKS: 1, RUNS: 3, TEMPLATES: 1, REPOSITORIES: 0}


def test_repositories_are_found_by_their_template_and_are_no_tasks_of_it() -> None:
    cache = Cache()
    for name in ("web", "api"):
        cache.see(REPOSITORIES, None, repository_object(name=name, launchTemplate="default"))
    cache.see(REPOSITORIES, None, repository_object(name="other", launchTemplate="far"))

    assert cache.repositories_using("default") == [("reports", "api"), ("reports", "web")]
    assert cache.tasks_using("default") == []
    assert cache.repository("reports", "api") == keep(repository_object(launchTemplate="default"))
    cache.see(REPOSITORIES, "DELETED", repository_object(name="other"))
    assert cache.repositories_using("far") == []


def test_an_object_that_is_gone_is_found_nowhere() -> None:
    cache = Cache()
    cache.see(RUNS, None, run_object(name="nightly-1"))
    cache.see(TASKS, None, task_object(launchTemplate="default"))

    cache.see(RUNS, "DELETED", run_object(name="nightly-1"))
    cache.see(TASKS, "DELETED", task_object())

    assert cache.runs_of("reports", "nightly") == []
    assert cache.tasks_using("default") == []
    assert cache.counts() == {TASKS: 0, RUNS: 0, TEMPLATES: 0, REPOSITORIES: 0}


def test_a_thousand_tasks_fit_where_their_plain_json_would_not() -> None:
    conditions = [
        {"type": t, "status": "True", "reason": "Succeeded", "message": f"All is well with {t}."} for t in "abcd"
    ]
    plain = packed = 0
    for number in range(1000):
        body = keep(at(task_object(name=f"t{number}", status={"conditions": conditions}), number + 1))
        plain += len(json.dumps(body))
        packed += len(Snapshot.of(body).packed)

    assert packed < plain / 2
