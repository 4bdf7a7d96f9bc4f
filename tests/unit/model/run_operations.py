"""The state machine of `operations` with all that can happen to runs: asked for, launched, cut off, cancelled, deleted.

Slots come now, as ticks or as launches by the schedule itself; ECS has no room, says no though it starts a task, or
forgets; policies and what the template allows change in between. Each check of `run_laws` holds after every step, or at
rest.
"""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from backgroundtask.aws import NotStarted
from backgroundtask.kube.resource import RUNS, TASKS, TEMPLATES
from backgroundtask.plan.moments import moment, stamp
from backgroundtask.plan.names import Owner
from backgroundtask.plan.schedule import Schedule
from backgroundtask.plan.scheduler import SCHEDULED_TIME
from fixtures.fake_process import INSTALLATION
from fixtures.fake_world import GROUP, NAMESPACE, TICKS
from fixtures.objects import ACCOUNT
from fixtures.trace import Call, Crash, OnWrite
from unit.model import laws, run_laws
from unit.model.operations import CRONS, FAULTS, HOUR, OPERATIONS, Failure, Operations, Pause, Strike, Trouble

NAMES = ("nightly", "nightly", "weekly")
HOURLY, SELDOM = "0 * * * *", CRONS[0]
TWICE = frozenset({"ecs.register"})  # of two leaders each registers what it wants, and one revision retires later
LAUNCHING = ("ecs.run", "ecs.find", "ecs.tasks", "ecs.stop", "kube.patch_status", "kube.add_finalizer", "kube.create")
TROUBLES = st.one_of(
    st.none(),
    st.builds(Strike, st.sampled_from(["before", "after"]), st.integers(0, 7)),
    st.builds(Pause, st.integers(0, 7)),
    st.builds(
        Failure, st.sampled_from(OPERATIONS + LAUNCHING * 4), st.sampled_from(FAULTS), st.integers(1, 3), st.booleans()
    ),
)
POLICIES = st.sampled_from(
    [
        {"concurrencyPolicy": "Allow"},
        {"concurrencyPolicy": "Forbid"},
        {"concurrencyPolicy": "Forbid", "backoffLimit": 2},
        {"concurrencyPolicy": "Replace"},
        {"backoffLimit": 2},
        {"backoffLimit": 0},
        {"startingDeadlineSeconds": 60},
        {"startingDeadlineSeconds": 900},
        {"startingDeadlineSeconds": None},
        {"activeDeadlineSeconds": 300},
        {"activeDeadlineSeconds": None},
        {"forEach": ["a", "b"]},
        {"forEach": None},
        {"suspend": True},
        {"suspend": False},
    ]
)
OVERRIDES = st.sampled_from(
    [
        None,
        None,
        {"env": [{"name": "WHO", "value": f"{laws.CANARY}-of-a-run"}]},
        {"command": ["--for", f"{laws.CANARY}-in-a-command"], "cpu": 512, "memory": 1024},
        {"memory": 99_999},
        {"taskRole": "reader"},
        {"taskRole": "nobodys"},
    ]
)
REQUESTS = st.fixed_dictionaries(
    {
        "overrides": OVERRIDES,
        "item": st.sampled_from([None, None, None, None, "a"]),
        "ttlSecondsAfterFinished": st.sampled_from([None, None, 30]),
        "cancel": st.sampled_from([None, None, None, None, True]),
    }
)
TEMPLATE = st.sampled_from(
    [
        {"limits": {"concurrentRuns": 1}},
        {"limits": {"concurrentRuns": 2}},
        {"limits": {"cpu": 256}},
        {"limits": {}},
        {"launch": "Queue"},
        {"launch": "Direct"},
        {"namespaces": []},
        {"namespaces": [NAMESPACE]},
        {"namespaces": [NAMESPACE]},
        {"taskRoles": {}},
        {"taskRoles": {"reader": f"arn:aws:iam::{ACCOUNT}:role/reader"}},
    ]
)
ENDINGS = st.sampled_from(
    [
        {"stopCode": "SpotInterruption", "stoppedReason": "Your Spot Task was interrupted."},
        {"stopCode": "TaskFailedToStart", "stoppedReason": "Timeout waiting for network interface provisioning."},
        {"stopCode": "TaskFailedToStart", "stoppedReason": "CannotPullContainerError: not found"},
    ]
)
ANSWERS = st.sampled_from(
    [
        NotStarted("CapacityUnavailable", "Capacity is unavailable at this time.", is_transient=True),
        NotStarted("InvalidRequest", "ECS never takes this.", is_transient=False),
    ]
)


class RunOperations(Operations):
    """A cluster with tasks whose runs are asked for, too."""

    def __init__(self) -> None:
        super().__init__()
        self.witness = run_laws.Witness(self.world)
        self.ticks: list[run_laws.Sent] = []
        self.told_of: set[str] = set()  # ARNs of ECS tasks of which an event was sent

    @initialize(
        concurrency=st.sampled_from(["Allow", "Forbid", "Replace"]),
        retries=st.sampled_from([0, 2]),
        deadline=st.sampled_from([{}, {"startingDeadlineSeconds": 120}, {"activeDeadlineSeconds": 600}]),
    )
    def begin(self, concurrency: str, retries: int, deadline: dict[str, int]) -> None:
        self._begin(cron=HOURLY, concurrencyPolicy=concurrency, backoffLimit=retries, **deadline)

    @rule(name=st.sampled_from(NAMES), policy=POLICIES, trouble=TROUBLES)
    def the_policy_changes(self, name: str, policy: dict[str, Any], trouble: Trouble) -> None:
        if self.world.find(TASKS, name) is not None:
            self.world.edit(name=name, **policy)
        self._meet(trouble)

    @rule(name=st.sampled_from(NAMES), image=st.sampled_from(["a:1", "a:2"]), trouble=TROUBLES)
    def apply(self, name: str, image: str, trouble: Trouble) -> None:
        if self.world.find(TASKS, name) is None:
            self.world.apply(name=name, image=image, cron=HOURLY)
        else:
            self.world.edit(name=name, image=image)
        self._meet(trouble)

    @rule(name=st.sampled_from(NAMES), is_sure=st.sampled_from([False, False, True]), trouble=TROUBLES)
    def delete(self, name: str, is_sure: bool, trouble: Trouble) -> None:  # noqa: FBT001 - drawn by hypothesis
        if is_sure:
            self._delete(name, is_retained=False, trouble=trouble)

    @rule(spec=TEMPLATE)
    def the_template_changes(self, spec: dict[str, Any]) -> None:
        self.world.edit_template(**spec)

    @rule(name=st.sampled_from(NAMES), number=st.integers(1, 4), asked=REQUESTS, trouble=TROUBLES)
    def somebody_makes_a_run(self, name: str, number: int, asked: dict[str, Any], trouble: Trouble) -> None:
        run = f"{name}-by-hand-{number}"
        if self.world.find(RUNS, run) is None:
            spec = {"task": name, **{key: value for key, value in asked.items() if value is not None}}
            body = {"apiVersion": "bgtask.dev/v1alpha1", "kind": "BackgroundTaskRun", "spec": spec}
            self.world.store.insert(RUNS, {**body, "metadata": {"name": run, "namespace": NAMESPACE}})
        self._meet(trouble)

    @rule(name=st.sampled_from(NAMES), value=st.sampled_from(["one", "two", "three"]), trouble=TROUBLES)
    def the_annotation_asks(self, name: str, value: str, trouble: Trouble) -> None:
        if self.world.find(TASKS, name) is not None:
            self.world.annotate(name=name, run_requested_at=value)
        self._meet(trouble)

    @precondition(lambda self: self.world.runs())
    @rule(data=st.data(), trouble=TROUBLES)
    def somebody_cancels_a_run(self, data: st.DataObject, trouble: Trouble) -> None:
        run = data.draw(st.sampled_from(self.world.runs()))
        self.world.store.replace(RUNS, run, {**run, "spec": {**run["spec"], "cancel": True}})
        self._meet(trouble)

    @precondition(lambda self: self.world.runs())
    @rule(data=st.data(), trouble=TROUBLES)
    def delete_a_run(self, data: st.DataObject, trouble: Trouble) -> None:
        names = [run["metadata"]["name"] for run in self.world.runs()]
        self.world.delete(RUNS, data.draw(st.sampled_from(sorted(names))))
        self._meet(trouble)

    @rule(
        name=st.sampled_from(NAMES),
        times=st.integers(1, 2),
        code=st.sampled_from([0, 1, None]),
        ends=st.booleans(),
        trouble=TROUBLES,
    )
    def a_slot_comes(
        self,
        name: str,
        times: int,
        code: int | None,
        ends: bool,  # noqa: FBT001 - drawn by hypothesis
        trouble: Trouble,
    ) -> None:
        self._slot_comes(name, self._slot(), times, code, ends=ends)
        self._meet(trouble)

    @rule(name=st.sampled_from(NAMES))
    def a_slot_comes_but_ecs_is_busy(self, name: str) -> None:
        self._slot_comes_late(name, self._slot())

    @rule(name=st.sampled_from(NAMES), trouble=TROUBLES)
    def scheduler_gives_a_slot_up(self, name: str, trouble: Trouble) -> None:
        """What it was to send comes as a dead letter, and it tries no longer."""
        schedule, slot = Owner(INSTALLATION, NAMESPACE, name).schedule_name(0), self._slot()
        kept, _ = self.world.account.schedules.get((GROUP, schedule), (None, None))
        if kept is not None and kept["State"] == "ENABLED":
            self.late = [one for one in self.late if (one[0].name, one[1]) != (schedule, slot)]
            body = kept["Target"]["Input"].replace(SCHEDULED_TIME, slot)
            self.world.account.send(TICKS, body, {"ERROR_CODE": "ThrottlingException"})
        self._meet(trouble)

    @rule(answer=ANSWERS, times=st.integers(1, 3))
    def ecs_will_start_nothing(self, answer: NotStarted, times: int) -> None:
        self.world.account.shortages.extend([answer] * times)

    @rule(answer=ANSWERS)
    def ecs_will_deny_what_it_starts(self, answer: NotStarted) -> None:
        self.witness.lies = [answer]

    @rule(seconds=st.sampled_from([0, 20, 240]))
    def ecs_shows_late_what_it_starts(self, seconds: int) -> None:
        """Its reads lag behind its writes, for some minutes at most (Amazon ECS API, RunTask)."""
        self.world.account.lag = timedelta(seconds=seconds)

    @rule()
    def ecs_forgets(self) -> None:
        """Tasks an hour after their end, and their tokens; what it refused, too."""
        account, now = self.world.account, self.world.clock()
        ends = {arn: moment(task.get("stoppedAt")) for arn, task in account.tasks.items()}
        over = {arn for arn, end in ends.items() if end is not None and end + run_laws.TOKEN_KNOWN <= now}
        for arn in over:
            del account.tasks[arn]
        for token in [token for token, arn in account.tokens.items() if arn in over]:
            del account.tokens[token], account.requests[token]

    @precondition(lambda self: self._going())
    @rule(data=st.data(), ending=ENDINGS, trouble=TROUBLES)
    def a_task_is_cut_off(self, data: st.DataObject, ending: dict[str, str], trouble: Trouble) -> None:
        arn = data.draw(st.sampled_from(self._going()))
        detail = self.world.account.move(arn, "STOPPED")
        self.world.account.tasks[arn] |= ending
        self._send(detail | ending, 1)
        self._meet(trouble)

    @rule(seconds=st.sampled_from([11.0, 45.0, 301.0, 3100.0, HOUR + 1]))
    def some_time_passes(self, seconds: float) -> None:
        self.time_passes(seconds)

    def _meet(self, trouble: Trouble) -> None:
        self.witness.is_late = False
        if isinstance(trouble, Pause):
            self.world.trace.on_write = self._pause(trouble.nth)
        super()._meet(trouble)

    def _pause(self, nth: int) -> OnWrite:
        """What a process that was paused beyond its lease does: the fence lets it make the call that it was at."""
        left = itertools.count(nth, -1)

        def stand_still(moment: str, call: Call) -> None:
            if moment == "after" or next(left) > 0 or call.operation in TWICE:
                return
            self.world.trace.on_write = _undisturbed
            other = self.world.start()
            other.read_queues()
            other.work()
            self.told += map(str, other.told.told)
            self.world.trace.on_write, self.witness.is_late = end, True

        def end(moment: str, call: Call) -> None:
            del moment, call
            self.world.trace.on_write, self.witness.is_late = _undisturbed, False
            raise Crash

        return stand_still

    def _promises(self) -> None:
        run_laws.all_launches_were_right(self.witness)
        run_laws.i5_a_frozen_launch_stays_as_it_is(self.chronicle)
        run_laws.i8_a_tick_is_deleted_after_its_run_is_there(self.world, self.chronicle, self.ticks)
        laws.i8_a_message_is_deleted_after_its_effect(self.world, self.chronicle, self.sent)
        self._promises_about_tasks()

    def _promises_at_rest(self) -> None:
        super()._promises_at_rest()
        run_laws.i19_what_goes_on_is_what_runs_say(self.world, self.witness)
        limits = self.world.object(TEMPLATES, "default")["spec"].get("limits", {})
        run_laws.i19_nobody_waits_for_nothing(self.world, limit=limits.get("concurrentRuns"))

    def _rest(self) -> None:
        """No schedule fires any more and ECS starts what it is asked for; those that wait have their turns."""
        self.witness.lies, self.world.account.lag = [], timedelta()
        self.world.account.shortages.clear()
        for task in self.world.store.all(TASKS):
            self.world.edit(name=task["metadata"]["name"], cron=SELDOM)
        for _ in range(50):
            self._pass(301)
        super()._rest()

    def _go_on(self) -> None:
        """Each hour is a slot again: a schedule fires at no time that is none of its own."""
        for task in self.world.store.all(TASKS):
            self.world.edit(name=task["metadata"]["name"], cron=HOURLY)
        self._work()

    def _slot(self) -> str:
        """The next slot, which is now; those of schedules that nobody fires are lost."""
        now = self.world.clock()
        slot = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        self.world.clock.advance((slot - now).total_seconds())
        return stamp(slot)

    def _fire(self, schedule: Schedule, slot: str) -> None:
        known = {message.id for message in self.world.account.messages(TICKS)}
        super()._fire(schedule, slot)
        for message in self.world.account.messages(TICKS):
            if message.id not in known:
                task = json.loads(message.body)["bgtask.dev/tick"]["owner"].rpartition("/")[2]
                self.ticks.append(run_laws.Sent(message.id, task, schedule.uid or "", slot))

    def _send(self, detail: dict[str, Any], times: int) -> None:
        super()._send(detail, times)
        self.told_of.add(detail["taskArn"])

    def _work(self) -> None:
        super()._work()
        for arn in sorted(self.world.account.tasks.keys() - self.told_of):
            self._send(self.world.account.tasks[arn], 1)


def _undisturbed(moment: str, call: Call) -> None:
    """Writes take effect."""
