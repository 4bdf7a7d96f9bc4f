"""How the memory of containers is looked at, and which of them is killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from localaws.ecs.memory import Sampler, session_bytes, too_greedy

MIB = 2**20
HOG = f"import sys; held = bytearray(48 * {MIB}); print('up', flush=True); sys.stdin.read()"
FORKING = f"import os, sys; held = bytearray(48 * {MIB}); os.fork(); print('up', flush=True); sys.stdin.read()"


class Wanting:
    """Somebody with two sessions, who notes what is heard."""

    def __init__(self) -> None:
        self.heard: list[Mapping[int, int]] = []
        self.told = asyncio.Event()

    def thresholds(self) -> Mapping[int, int]:
        return {1: 10, 2: 20}

    def sampled(self, usage: Mapping[int, int]) -> None:
        self.heard.append(usage)
        self.told.set()


def test_each_hears_of_its_own_sessions_and_of_none_that_has_ended() -> None:
    async def scenario() -> list[Mapping[int, int]]:
        sampler, wanting = Sampler(period=0, usage=lambda _: {1: 5, 3: 7}), Wanting()
        sampler.watch(wanting)
        await wanting.told.wait()
        await sampler.close()
        return wanting.heard

    assert asyncio.run(scenario())[0] == {1: 5}


def test_who_has_left_hears_nothing_more_and_who_comes_later_does() -> None:
    async def scenario() -> tuple[int, int]:
        sampler, first, second = Sampler(period=0, usage=lambda _: {}), Wanting(), Wanting()
        sampler.watch(first)
        await first.told.wait()
        sampler.leave(first)
        sampler.leave(first)
        before = len(first.heard)
        sampler.watch(second)
        await second.told.wait()
        await sampler.close()
        return before, len(first.heard)

    before, after = asyncio.run(scenario())

    assert before == after


@pytest.mark.timeout(20)  # a real process, perhaps on a busy machine
@pytest.mark.parametrize(("program", "processes"), [(HOG, 1), (FORKING, 2)])
def test_what_processes_of_a_session_share_counts_once_where_it_would_be_too_much(program: str, processes: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for _ in range(processes):
            process.stdout.readline()

        quick = session_bytes({process.pid: 10_000 * MIB})[process.pid]
        exact = session_bytes({process.pid: 60 * MIB})[process.pid]
        process.communicate()

    assert quick > processes * 48 * MIB
    assert 48 * MIB < exact < 80 * MIB


def test_sessions_that_nobody_asked_for_are_left_out() -> None:
    assert session_bytes({}) == {}
    assert session_bytes({2**30: 1}) == {}
    assert set(session_bytes({os.getsid(0): 1 << 60})) == {os.getsid(0)}


@pytest.mark.parametrize(
    ("taken", "greedy", "why"),
    [
        ({"a": 100, "b": 50}, [], "each takes what it may, and so do both"),
        ({"a": 101, "b": 51}, ["a", "b"], "each takes more than it may"),
        ({"a": 10, "b": 51}, ["b"], "one takes more than it may, though both together do not"),
        ({"a": 99, "b": 49, "c": 60}, ["a"], "none takes more than it may, but all together do"),
        ({}, [], "nobody runs"),
    ],
)
def test_who_takes_too_much_is_killed_or_the_greediest_where_all_together_do(
    taken: dict[str, int], greedy: list[str], why: str
) -> None:
    assert too_greedy(taken, {"a": 100, "b": 50, "c": 100}, together=200) == greedy, why
