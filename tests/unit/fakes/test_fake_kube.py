"""The API server in memory keeps the real one's promises."""

from collections.abc import Callable

import pytest

from backgroundtask.kube.cache import Cache
from backgroundtask.kube.resource import TASKS
from fixtures.fake_kube import FakeKube
from fixtures.fake_store import Store
from fixtures.fake_world import Clock
from fixtures.kube_contract import KubeContract, delete, made
from fixtures.trace import Trace


@pytest.fixture
def store() -> Store:
    return Store(Clock())


class TestFakeKube(KubeContract):
    @pytest.fixture
    def api(self, store: Store) -> FakeKube:
        return FakeKube(store, Trace())

    @pytest.fixture
    def home(self) -> str:
        return "reports"

    @pytest.fixture
    def collected(self, store: Store) -> Callable[[Callable[[], bool]], bool]:
        def look(condition: Callable[[], bool]) -> bool:
            store.collect_garbage()
            return condition()

        return look


def test_a_follower_hears_of_each_change_in_order_once_it_is_told(store: Store) -> None:
    cache, api = Cache(), FakeKube(store, Trace())
    watch = store.watch(cache.see)
    task = made(api, "reports")
    assert cache.task("reports", "nightly") is None

    watch.deliver()
    seen = cache.task("reports", "nightly")
    delete(api, task)
    watch.deliver()

    assert seen is not None
    assert seen["metadata"]["uid"] == task["metadata"]["uid"]
    assert cache.counts()[TASKS] == 0
