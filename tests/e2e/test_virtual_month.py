"""A month in which all goes wrong that can: at its end each slot of each schedule has one run, and the sums agree.

The oracle is AWS's own side: what its schedules, as they stood at each moment, had to fire. What came of it is drawn:
a firing is lost, doubled, late or given up, ends are not told, told twice or long after, ECS forgets, AWS or the API
server is away, the operator is down for hours, or dies at any write, and people suspend, resume and reschedule.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

import pytest

from backgroundtask.api.phases import ENDS
from backgroundtask.controller import metrics
from backgroundtask.cron import parse, times_between
from backgroundtask.errors import Busy
from backgroundtask.kube.resource import RUNS, Body, Resource
from backgroundtask.plan.moments import stamp
from backgroundtask.plan.names import run_name
from backgroundtask.plan.scheduler import from_scheduler
from fixtures.fake_process import Process
from fixtures.fake_world import EVENTS, NOON, TICKS, World, event
from fixtures.trace import Call, Crash

MONTH = timedelta(days=30)
TASKS: dict[str, dict[str, Any]] = {
    "direct": {"cron": "20 */12 * * *"},
    "hurried": {"cron": "40 7 * * *", "startingDeadlineSeconds": 600},
    "pair": {"cron": "5 18 1,15 * 1"},
    "queued": {"cron": "0 */12 * * *", "concurrencyPolicy": "Forbid"},
    "replaced": {"cron": "30 23 * * *", "concurrencyPolicy": "Replace", "startingDeadlineSeconds": 3600},
    "items": {"cron": "10 2 */4 * *", "forEach": ["north", "south"]},
}
OTHER_CRONS = {"direct": "50 5 * * *", "queued": "15 */6 * * *", "hurried": "25 19 * * *"}
AWAY = ("ecs.*", "schedules.*")
HOURS = 3600.0


class Strike:
    """Kills the process at the nth write from now."""

    def __init__(self, nth: int) -> None:
        self._left = nth

    def __call__(self, when: str, call: Call) -> None:
        del call
        self._left -= when == "after"
        if self._left < 0:
            raise Crash


class Month:
    """The world, what is to happen in it and when, and what has to be there at the end."""

    def __init__(self, seed: int, *, dies: bool) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - it draws faults
        self.dies = dies
        self.world = World()
        self.owed: set[tuple[str, datetime]] = set()
        self.told: dict[str, set[str]] = {}  # by name of a run: the UIDs that it had
        self.records: dict[str, Body] = {}
        self.lives: set[str] = set()  # ARNs of tasks whose fate is drawn
        self.agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.is_up = True
        self.watch = self.world.store.watch(self.see)

    @property
    def now(self) -> datetime:
        return self.world.clock.now

    def see(self, resource: Resource, kind: str, body: Body) -> None:
        """Remember each run that there ever was, as it was last."""
        del kind
        if resource == RUNS:
            self.told.setdefault(body["metadata"]["name"], set()).add(body["metadata"]["uid"])
            self.records[body["metadata"]["name"]] = body

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        at = self.world.clock.monotonic() + seconds
        heapq.heappush(self.agenda, (at, next(self.order), act))

    def begin(self) -> None:
        self.world.furnish()
        for name, spec in TASKS.items():
            kept = {"successfulRunsHistoryLimit": 6, "failedRunsHistoryLimit": 6}
            self.world.apply(name=name, **{**kept, **spec})
        self.world.start(resync=4 * HOURS).work()

    # What AWS does.

    def fire(self, since: datetime) -> None:
        """What the schedules, as they stand, had to fire after `since`."""
        for kept, _ in list(self.world.account.schedules.values()):
            schedule = from_scheduler(kept)
            if not schedule.enabled:
                continue
            for slot in _slots(schedule.expression):
                if not since < slot <= self.now:
                    continue
                assert schedule.owner is not None
                self.owed.add((schedule.owner.rpartition("/")[2], slot))
                self.draw_firing(schedule.name, stamp(slot))

    def next_slot(self) -> float:
        """When a schedule fires next, as seconds of the clock."""
        expressions = {kept["ScheduleExpression"] for kept, _ in self.world.account.schedules.values()}
        coming = (next((slot for slot in _slots(one) if slot > self.now), None) for one in expressions)
        return min(((slot - NOON).total_seconds() for slot in coming if slot), default=float("inf"))

    def draw_firing(self, name: str, slot: str) -> None:
        fate = self.chance.random()
        if fate < 0.12:
            self.look_often()
        elif fate < 0.2:
            self.after(self.chance.choice([30, 2000]), lambda: self.give_up(name, slot))
            self.look_often()
        else:
            self.after(1, lambda: self.launch(name, slot))
        if fate > 0.9:
            self.after(self.chance.choice([2, 200, 2900]), lambda: self.launch(name, slot))

    def look_often(self) -> None:
        """Be there whenever the operator might do something about a slot that nothing came of."""
        for seconds in (130, 605, 1260, 3005, 3060, 3120, 4300):
            self.after(seconds, lambda: None)

    def launch(self, name: str, slot: str) -> None:
        account = self.world.account
        if not any(known == name for _, known in account.schedules):
            return
        arn = account.fire(name, slot)
        if arn is not None:
            self.live(arn)

    def give_up(self, name: str, slot: str) -> None:
        """Scheduler could not deliver what it was to send, and says so."""
        kept = next((kept for (_, known), (kept, _) in self.world.account.schedules.items() if known == name), None)
        if kept is not None:
            body = kept["Target"]["Input"].replace("<aws.scheduler.scheduled-time>", slot)
            self.world.account.send(TICKS, body, {"ERROR_CODE": "ThrottlingException"})

    def live(self, arn: str) -> None:
        """An ECS task that was started runs, ends and is forgotten; its events are drawn."""
        if arn in self.lives:
            return
        self.lives.add(arn)
        length = self.chance.choice([30, 30, 300, 300, 2 * HOURS, 5 * HOURS])
        self.after(20, lambda: self.move(arn, "RUNNING"))
        self.after(20 + length, lambda: self.move(arn, "STOPPED"))

    def move(self, arn: str, status: str) -> None:
        task = self.world.account.tasks.get(arn)
        if task is None or task["lastStatus"] == "STOPPED":
            return
        exit_code = self.chance.choice([0, 0, 1]) if status == "STOPPED" else None
        self.draw_event(event(self.world.account.move(arn, status, exit_code=exit_code)))
        if status == "STOPPED":
            self.after(1.5 * HOURS, partial(self.forget, arn))

    def forget(self, arn: str) -> None:
        """ECS shows no task of long ago."""
        self.world.account.tasks.pop(arn, None)

    def draw_event(self, body: str) -> None:
        fate = self.chance.random()
        times = 0 if fate < 0.06 else 2 if fate > 0.9 else 1
        for _ in range(times):
            delay = self.chance.choice([0, 0, 0, 15, 600])
            self.after(delay, lambda: self.world.account.send(EVENTS, body))

    # What people, and bad days, do.

    def draw_trouble(self) -> None:
        self.chance.choice([self.edit, self.edit, self.suspend, self.go_down, self.cut_off, self.die, self.be_busy])()
        self.after(self.chance.uniform(4, 30) * HOURS, self.draw_trouble)

    def edit(self) -> None:
        name = self.chance.choice(list(OTHER_CRONS))
        first = TASKS[name]["cron"]
        is_first = self.world.task(name)["spec"]["cron"] == first
        self.world.edit(name=name, cron=OTHER_CRONS[name] if is_first else first)

    def suspend(self) -> None:
        name = self.chance.choice(list(TASKS))
        self.world.edit(name=name, suspend=True)
        self.after(self.chance.uniform(1, 20) * HOURS, lambda: self.world.edit(name=name, suspend=False))

    def go_down(self) -> None:
        if self.is_up:
            self.is_up = False
            self.after(self.chance.choice([0.1, 1, 5, 30]) * HOURS, self.come_back)

    def come_back(self) -> None:
        self.world.trace.on_write = _let_pass
        self.is_up = True
        self.world.start(resync=4 * HOURS).work()

    def die(self) -> None:
        if self.dies and self.is_up:
            self.world.trace.on_write = Strike(self.chance.randrange(6))

    def cut_off(self) -> None:
        for operation in AWAY:
            self.world.trace.fail_next(operation, Busy("AwsUnreachable", "AWS does not answer."), times=100_000)
        self.after(self.chance.choice([0.2, 1, 6]) * HOURS, self.world.trace.mend)

    def be_busy(self) -> None:
        for operation in ("kube.create", "kube.patch_status"):
            busy = Busy("Throttled", "The API server is busy.")
            self.world.trace.fail_next(operation, busy, times=self.chance.randrange(1, 6))

    # The month itself.

    def step(self) -> None:
        """Go to what is next, and let the operator do what is due then."""
        at = min(self.agenda[0][0], self.next_slot())
        before = self.now
        self.world.clock.advance(at - self.world.clock.monotonic())
        self.fire(before)
        while self.agenda and self.agenda[0][0] <= at:
            heapq.heappop(self.agenda)[2]()
        self.work()

    def work(self) -> None:
        self.work_once()
        self.watch.deliver()

    def work_once(self) -> None:
        known = set(self.world.account.tasks)
        if self.is_up:
            try:
                self.process.work()
                self.process.read_queues()
            except Crash:
                self.is_up = False
                self.after(self.chance.choice([1, 60, 4000]), self.come_back)
        for arn in self.world.account.tasks.keys() - known:
            self.live(arn)
        for arn, task in list(self.world.account.tasks.items()):
            if task["desiredStatus"] == "STOPPED" and task["lastStatus"] != "STOPPED":
                self.after(5, partial(self.move, arn, "STOPPED"))

    @property
    def process(self) -> Process:
        assert self.world.process is not None
        return self.world.process

    def beat(self) -> None:
        """Time passes also where nothing happens."""
        self.after(4 * HOURS, self.beat)

    def run(self) -> None:
        self.begin()
        self.after(600, self.draw_trouble)
        self.beat()
        while self.now < NOON + MONTH:
            self.step()

    def calm(self) -> None:
        """All troubles end; what is under way comes to its end, and nothing new begins."""
        self.world.trace.mend()
        if not self.is_up:
            self.come_back()
        self.world.trace.on_write = _let_pass
        for name in TASKS:
            self.world.edit(name=name, suspend=True)
        self.work()
        end = self.now + timedelta(hours=12)
        self.agenda = [one for one in self.agenda if not _is_trouble(one[2], self)]
        heapq.heapify(self.agenda)
        for seconds in range(0, 12 * 3600, 900):
            self.after(seconds, lambda: None)
        while self.agenda and self.now < end:
            for queue in self.world.account.queues:
                self.world.account.redeliver(queue)
            self.step()

    def expected(self) -> Iterator[str]:
        """The names of the runs of all slots that were owed."""
        for task, slot in self.owed:
            name = run_name(task, slot)
            items = TASKS[task].get("forEach", ())
            yield from [f"{name}-{index}" for index in range(len(items))] or [name]


@lru_cache
def _slots(expression: str) -> tuple[datetime, ...]:
    return tuple(times_between(parse(expression), time_zone="UTC", start=NOON, end=NOON + MONTH + timedelta(days=2)))


def _is_trouble(act: Callable[[], None], month: Month) -> bool:
    return act == month.draw_trouble


def _let_pass(_: str, __: Call) -> None:
    """Nobody strikes."""


def counted(metric: str, **labels: str) -> float:
    """The sum of a counter over all labels that are not told."""
    samples = (one for family in metrics.REGISTRY.collect() for one in family.samples if one.name == metric)
    return sum(one.value for one in samples if labels.items() <= one.labels.items())


def sums() -> tuple[float, float]:
    """How many runs were made for slots, and how many such have ended, as Prometheus is told."""
    return counted("bgt_slots_total"), counted("bgt_runs_total", trigger="schedule")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("seed", "dies"), [(1, False), (2, True)])
def test_after_a_month_of_troubles_each_slot_has_exactly_one_run_that_has_ended(*, seed: int, dies: bool) -> None:
    month = Month(seed, dies=dies)
    made_before, ended_before = sums()

    month.run()
    month.calm()

    names = set(month.expected())
    phases = {name: body["status"].get("phase") for name, body in month.records.items()}
    assert names - phases.keys() == set(), "slots that nobody recorded"
    assert {name for name, uids in month.told.items() if len(uids) > 1} == set(), "slots that had a run twice"
    assert {name: phase for name, phase in phases.items() if phase not in ENDS} == {}
    assert phases.keys() - names == set(), "runs of slots that there never were"
    outcomes = Counter(phases.values())
    assert {"Succeeded", "Failed", "Missed", "Skipped"} <= outcomes.keys()
    if not dies:
        made, ended = sums()
        assert made - made_before == len(names)
        assert ended - ended_before >= len(names)
