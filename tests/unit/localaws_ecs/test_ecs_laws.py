"""Laws that hold for any history: revision numbers, client tokens, pages."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from localaws.contract import AwsError
from localaws.ecs import paging
from localaws.ecs.catalog import ACTIVE, Catalog
from localaws.ecs.names import Place
from localaws.ecs.tokens import Launched, Tokens

START = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
FAMILIES = st.sampled_from(["a", "b"])
PICK = st.integers(0, 50)


class Revisions(RuleBasedStateMachine):
    """Whatever is registered, deregistered and deleted, in any order and over any time."""

    def __init__(self) -> None:
        super().__init__()
        self.catalog = Catalog(Place("123456789012", "eu-west-1"))
        self.now = START
        self.used: dict[str, list[int]] = {"a": [], "b": []}
        self.active: dict[str, list[int]] = {"a": [], "b": []}

    @rule(family=FAMILIES)
    def register(self, family: str) -> None:
        revision = self.catalog.add(family, {}, {}).revision
        assert revision == len(self.used[family]) + 1, "a number was used twice or left out"
        self.used[family].append(revision)
        self.active[family].append(revision)

    @rule(family=FAMILIES, pick=PICK)
    def deregister(self, family: str, pick: int) -> None:
        if not self.active[family]:
            return
        revision = self.active[family].pop(pick % len(self.active[family]))
        found = self.catalog.revision(f"{family}:{revision}", self.now)
        assert found is not None
        found.deregister(self.now)

    @rule(family=FAMILIES, pick=PICK)
    def delete(self, family: str, pick: int) -> None:
        if not self.used[family]:
            return
        found = self.catalog.revision(f"{family}:{self.used[family][pick % len(self.used[family])]}", self.now)
        if found is not None:
            self.catalog.delete(found, self.now)

    @rule(minutes=st.integers(1, 120))
    def wait(self, minutes: int) -> None:
        self.now += dt.timedelta(minutes=minutes)

    @invariant()
    def a_family_means_its_latest_active_revision(self) -> None:
        for family, active in self.active.items():
            found = self.catalog.find(family, self.now)
            assert (found.revision if found else None) == max(active, default=None)

    @invariant()
    def the_list_of_active_ones_is_complete_and_sorted(self) -> None:
        listed = [(d.family, d.revision) for d in self.catalog.listing(None, descending=False) if d.status == ACTIVE]
        assert listed == sorted((family, n) for family, active in self.active.items() for n in active)


TestRevisions = pytest.mark.timeout(20)(Revisions.TestCase)  # many histories


@dataclass
class Life:
    """A task as a token sees it."""

    arn: str
    ended: dt.datetime | None = None

    @property
    def forget_at(self) -> dt.datetime | None:
        return self.ended + dt.timedelta(hours=1) if self.ended else None


class ClientTokens(RuleBasedStateMachine):
    """Whatever is launched with a token, ends and is tried again, over any time: at most one launch a lifetime."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = Tokens()
        self.now = START
        self.launches: list[tuple[dt.datetime, bytes, Life]] = []

    def living(self) -> tuple[dt.datetime, bytes, Life] | None:
        if not self.launches:
            return None
        at, _, life = self.launches[-1]
        over = self.now >= at + dt.timedelta(hours=24) or (life.forget_at is not None and self.now >= life.forget_at)
        return None if over else self.launches[-1]

    @rule(request=st.sampled_from([b"one", b"two"]))
    def run(self, request: bytes) -> None:
        living = self.living()
        if living is not None and living[1] != request:
            with pytest.raises(AwsError) as refused:
                self.tokens.recall("t", request, self.now)
            assert refused.value.fields == {"resourceIds": [living[2].arn]}
            return
        known = self.tokens.recall("t", request, self.now)
        assert (known is not None) == (living is not None)
        if known is not None and living is not None:
            assert list(known.tasks) == [living[2]]
            return
        life = Life(f"arn-{len(self.launches)}")
        self.launches.append((self.now, request, life))
        self.tokens.keep("t", Launched(request, self.now, [life], []))

    @rule()
    def end(self) -> None:
        if self.launches and self.launches[-1][2].ended is None:
            self.launches[-1][2].ended = self.now

    @rule(minutes=st.sampled_from([1, 59, 60, 600, 1440]))
    def wait(self, minutes: int) -> None:
        self.now += dt.timedelta(minutes=minutes)


TestClientTokens = pytest.mark.timeout(20)(ClientTokens.TestCase)  # many histories


@given(items=st.lists(st.integers(0, 99), unique=True, max_size=40).map(sorted), size=st.integers(1, 100))
def test_pages_are_the_list_cut_in_pieces(items: list[int], size: int) -> None:
    pages: list[list[int]] = []
    token: str | None = ""
    while token is not None:
        params = {"maxResults": size, "nextToken": token}
        after = (paging.resume_key(params, int) or [-1])[0]
        taken, more = paging.page((item for item in items if item > after), lambda item: [item], params)
        pages.append(taken)
        token = more.get("nextToken")

    assert list(itertools.chain(*pages)) == items
    assert all(len(page) == size for page in pages[:-1])
