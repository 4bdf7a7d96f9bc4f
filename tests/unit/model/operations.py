"""Hypothesis state machines over the controller with an API server and an AWS in memory: schedules and their tasks.

What users, AWS, the queue and crashes do are its rules; each check of `laws` holds after every step, or whenever the
world is left alone for long enough. `test_world_model` lets hypothesis play them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any, Literal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backgroundtask.api.parsing import parse_task, read_metadata
from backgroundtask.controller.holdings import Holdings
from backgroundtask.errors import Blocked, Busy, Expected
from backgroundtask.kube.resource import RUNS, TASKS, TEMPLATES
from backgroundtask.plan.changes import plan
from backgroundtask.plan.desired import desired
from backgroundtask.plan.names import Owner
from backgroundtask.plan.schedule import MAXIMUM_AGE, Schedule
from backgroundtask.plan.scheduler import from_scheduler
from fixtures.fake_account import Rule
from fixtures.fake_process import INSTALLATION
from fixtures.fake_world import EVENTS, GROUP, NAMESPACE, World, event
from fixtures.trace import Call, Crash
from unit.model import laws

NAMES = ("nightly", "weekly")
CLAIMED = ("squatted", "shadowed")  # a stranger has a schedule, or a family, where these would have theirs
CRONS = ("0 3 1 6 *", "30 4 1 6 *", "0 3 1 6 1", None)  # far away: no slot passes by itself
SLOTS = tuple(f"2026-12-0{day}T03:00:00Z" for day in range(1, 6))
FAULTS: tuple[Expected, ...] = (
    Blocked("AccessDenied", "Grant it."),
    Busy("Throttled", "AWS limits it."),
    Busy("AwsUnreachable", "AWS does not answer."),
)
OPERATIONS = (
    "ecs.active_revisions", "ecs.revision", "ecs.register", "ecs.deregister", "ecs.tasks", "ecs.tasks_of", "ecs.stop",
    "schedules.find", "schedules.create", "schedules.update", "schedules.remove", "schedules.enabled_by_name",
    "rules.find", "rules.create", "rules.update", "rules.remove", "rules.enabled_by_name",
    "kube.create", "kube.patch_status", "kube.add_finalizer", "kube.remove_finalizer", "kube.delete", "kube.get",
)  # fmt: skip
SOMEBODYS = {"Arn": "arn:aws:scheduler:::aws-sdk:sns:publish", "RoleArn": "arn:aws:iam::1:role/x", "Input": "{}"}
SIGHTS = ("ecs.active_revisions", "ecs.revision", "schedules.find", "rules.find")  # a failure may pass for an absence
HOUR = 3600.0
SPECS = st.sampled_from(
    [
        {"image": "a:1"},
        {"image": "a:2"},
        *({"cron": cron} for cron in CRONS),
        {"image": "a:3", "cron": CRONS[2]},
        {"suspend": True},
        {"suspend": False},
        {"suspend": True, "image": "a:4"},
        {"successfulRunsHistoryLimit": 0, "failedRunsHistoryLimit": 1},
        {"successfulRunsHistoryLimit": 2, "failedRunsHistoryLimit": 0},
    ]
)
CLOCKS = st.sampled_from(["Scheduler", "Rule"])
DAY = 24 * HOUR


class Strike:
    """Kills the process at the nth write from now, just before it or just after."""

    def __init__(self, moment: Literal["before", "after"], nth: int) -> None:
        self._moment: Literal["before", "after"] = moment
        self._nth = self._left = nth

    def __repr__(self) -> str:
        return f"Strike({self._moment!r}, {self._nth})"

    def again(self) -> Strike:
        """One that has not struck yet."""
        return Strike(self._moment, self._nth)

    def __call__(self, moment: str, call: Call) -> None:
        del call
        if moment != self._moment or self._left < 0:
            return
        self._left -= 1
        if self._left < 0:
            raise Crash


@dataclass(frozen=True)
class Pause:
    """The process stands still before its nth write from now, and makes it, its last one, while another one leads."""

    nth: int


@dataclass(frozen=True)
class Failure:
    """The next calls of an operation fail, before or after their effect."""

    operation: str
    fault: Expected
    times: int
    after_effect: bool


Trouble = Strike | Pause | Failure | None
TROUBLES = st.one_of(
    st.none(),
    st.builds(Strike, st.sampled_from(["before", "after"]), st.integers(0, 5)),
    st.builds(
        Failure, st.sampled_from(OPERATIONS + SIGHTS * 3), st.sampled_from(FAULTS), st.integers(1, 3), st.booleans()
    ),
)


class Listener(logging.Handler):
    """What the operator logs."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class Operations(RuleBasedStateMachine):
    """A cluster with one LaunchTemplate and two tasks: what happens whatever else does."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.chronicle = laws.Chronicle()
        self.ears = self.world.store.watch(self.chronicle.see)
        self.sent: list[laws.Sent] = []
        self.retained: set[str] = set()
        self.late: list[tuple[Schedule, str, float]] = []  # what fires late, its slot, and until when
        self.told: list[str] = []
        self.listener = Listener()
        self.numbers = 0

    def _begin(self, *, clock: str = "Scheduler", **spec: Any) -> None:
        logging.getLogger("backgroundtask").addHandler(self.listener)
        self.world.furnish(clock=clock)
        self._plant_strangers()
        for name in NAMES:
            self.world.apply(name=name, **{"cron": CRONS[0], **spec})
        self.world.start()
        self._work()

    def teardown(self) -> None:
        logging.getLogger("backgroundtask").removeHandler(self.listener)

    @rule()
    def what_is_late_starts(self) -> None:
        """With the revision that the schedule pointed at when its slot came, which has to be ACTIVE still."""
        late, self.late = self.late, []
        for schedule, slot, end in late:
            if self.world.clock.monotonic() <= end and self._stays(schedule.uid):
                self._fire(schedule, slot)

    @precondition(lambda self: self._going())
    @rule(
        data=st.data(),
        code=st.sampled_from([0, 1, None]),
        is_told=st.booleans(),
        times=st.integers(1, 3),
        trouble=TROUBLES,
    )
    def a_task_goes_on(
        self,
        data: st.DataObject,
        code: int | None,
        is_told: bool,  # noqa: FBT001 - drawn by hypothesis
        times: int,
        trouble: Trouble,
    ) -> None:
        """ECS moves a task; its event comes once, more often, or, where the run is known, not at all."""
        arn = data.draw(st.sampled_from(self._going()))
        is_started = self.world.account.tasks[arn]["lastStatus"] == "RUNNING"
        detail = self.world.account.move(arn, "STOPPED" if is_started else "RUNNING", exit_code=code)
        if is_told or (arn, False) not in self.chronicle.recorded:
            self._send(detail, times)
        self._meet(trouble)

    @rule()
    def the_queue_delivers_in_another_order(self) -> None:
        self.world.account.queues[EVENTS].waiting.reverse()

    @rule()
    def a_visibility_timeout_ends(self) -> None:
        self.world.account.redeliver(EVENTS)

    @rule(seconds=st.sampled_from([1.0, 60.0, 601.0, HOUR + 1]))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        self.world.store.collect_garbage()
        self._work()

    @rule()
    def it_works(self) -> None:
        self._work()

    @precondition(lambda self: self.world.process is not None)
    @rule()
    def the_world_is_left_alone(self) -> None:
        """Faults stop and nobody does anything for hours: what was promised for then holds, and nothing is written."""
        self.world.trace.mend()
        self.world.trace.on_write = lambda _, __: None
        for queue in self.world.account.queues:
            self.world.account.redeliver(queue)
        self._rest()
        self._hear()

        self._promises_at_rest()
        self._go_on()

    def _go_on(self) -> None:
        """What was held back for the rest comes back."""

    def _rest(self) -> None:
        for _ in range(14):
            self._pass(301)
        self._pass(DAY)  # every object is looked at fully once a day
        for _ in range(2):
            self._pass(HOUR + 1)

    def _promises_at_rest(self) -> None:
        laws.i3_every_end_is_recorded(self.world, self.chronicle)
        laws.i4_every_slot_that_started_is_recorded(self.world, self.chronicle)
        if self._is_allowed():
            laws.i6_at_rest_one_revision_is_left(self.world, self._used())
        laws.i15_state_is_bounded(self.world, self.chronicle)
        laws.held_runs_have_not_ended(self.world)
        self._i9_aws_is_what_the_specs_say()
        self._i9_nothing_is_written_any_more()

    @invariant()
    def promises_are_kept(self) -> None:
        self._hear()
        self._promises()

    def _promises(self) -> None:
        laws.i1_no_slot_has_two_tasks(self.world)
        laws.i8_a_message_is_deleted_after_its_effect(self.world, self.chronicle, self.sent)
        self._promises_about_tasks()

    def _promises_about_tasks(self) -> None:
        laws.i2_what_is_deleted_leaves_nothing(self.world, self.chronicle, self.retained)
        laws.i6_garbage_is_bounded(self.world)
        laws.i6_what_an_active_run_uses_stays(self.world)
        laws.i7_nothing_goes_back(self.chronicle)
        laws.i10_what_strangers_own_is_as_they_left_it(self.world, self.strangers)
        laws.i11_a_failure_is_no_absence(self.world)
        laws.i13_env_values_are_told_to_nobody(self.world, [*self.told, *self.listener.lines])

    def _meet(self, trouble: Trouble) -> None:
        """Let the operator take up what has happened, and meet a trouble on the way."""
        if isinstance(trouble, Strike):
            self.world.trace.on_write = trouble.again()
        if isinstance(trouble, Failure):
            is_kube = trouble.operation.startswith("kube")
            error = Busy("Conflict", "Someone else changed it.") if is_kube else trouble.fault
            self.world.trace.fail_next(trouble.operation, error, times=trouble.times, after_effect=trouble.after_effect)
        self._work()

    def _delete(self, name: str, *, is_retained: bool, trouble: Trouble) -> None:
        body = self.world.find(TASKS, name)
        if body is None or "deletionTimestamp" in body["metadata"]:
            return
        if is_retained:
            self.world.edit(name=name, deletionPolicy="Retain")
            self.retained.add(body["metadata"]["uid"])
        elif body["spec"].get("deletionPolicy") == "Retain":
            return
        self.world.delete(name=name)
        self._meet(trouble)

    def _slot_comes(self, name: str, slot: str, times: int, code: int | None, *, ends: bool) -> None:
        """Scheduler fires at least once, both schedules of a pair at the same time; the task may end at once."""
        known = set(self.world.account.tasks)
        for schedule in self._schedules(name) * times:
            self._fire(schedule, slot)
        for arn in sorted(self.world.account.tasks.keys() - known) if ends else ():
            self._send(self.world.account.move(arn, "RUNNING"), 1)
            self._send(self.world.account.move(arn, "STOPPED", exit_code=code), times)

    def _slot_comes_late(self, name: str, slot: str) -> None:
        """Scheduler keeps the request as it was at the slot, and tries again for as long as it may."""
        for schedule in self._schedules(name)[:1]:
            self.late.append((schedule, slot, self.world.clock.monotonic() + MAXIMUM_AGE))

    def _schedules(self, name: str) -> list[Schedule]:
        """Those that a task has, on both clocks."""
        account, names = self.world.account, Owner(INSTALLATION, NAMESPACE, name).schedule_names
        kept = (account.schedules[GROUP, one][0] for one in names if (GROUP, one) in account.schedules)
        return [*map(from_scheduler, kept), *(account.rule(one) for one in names if one in account.rules)]

    def _going(self) -> list[str]:
        """The ECS tasks that have not ended."""
        return sorted(arn for arn, one in self.world.account.tasks.items() if one["lastStatus"] != "STOPPED")

    def _i9_aws_is_what_the_specs_say(self) -> None:
        """I9: AWS holds for each task what its spec asks."""
        process = self.world.process
        assert process is not None
        for name in NAMES:
            body = self.world.find(TASKS, name)
            if body is None or not self._is_allowed():
                continue
            metadata, site = read_metadata(body), process.context.site("default")
            owner, spec = process.context.owner(metadata), parse_task(body).spec
            todo = plan(
                desired(owner, metadata.uid, spec, site, now=self.world.clock()),
                Holdings(process.context, metadata, site).observe(),
                now=self.world.clock(),
                retire_after=process.context.settings.retirement_age,
                unchanged_since=self.world.clock(),
                in_use=frozenset(self._used()),
            )
            assert todo.is_empty, (name, todo)
            assert self.world.condition(of=body)["status"] == "True"

    def _i9_nothing_is_written_any_more(self) -> None:
        mark = len(self.world.trace.writes)
        for _ in range(3):
            self._pass(601)
        written = [str(call) for call in self.world.trace.writes[mark:]]
        assert written == [], written

    def _is_allowed(self) -> bool:
        return NAMESPACE in self.world.object(TEMPLATES, "default")["spec"]["namespaces"]

    def _used(self) -> set[str]:
        statuses = (run["status"] for run in self.world.runs() if run["status"].get("completionTime") is None)
        return {arn for status in statuses if (arn := status.get("taskDefinitionArn"))}

    def _fire(self, schedule: Schedule, slot: str) -> None:
        """Start what the schedule asked for at its slot; a task that starts is told of."""
        known = set(self.world.account.tasks)
        arn = self.world.account.fire_as(schedule, slot)
        if arn is not None and arn not in known:
            self._send(self.world.account.tasks[arn], 1)

    def _stays(self, uid: str | None) -> bool:
        """Whether the object is there and not being deleted: its end also ends what was to be started."""
        bodies = (one["metadata"] for one in self.world.store.all(TASKS))
        return any(one["uid"] == uid and "deletionTimestamp" not in one for one in bodies)

    def _send(self, detail: dict[str, Any], times: int) -> None:
        told = laws.environment(detail)
        uid, run = told["BGT_TASK_UID"], told.get("BGT_RUN_UID")
        for _ in range(times):
            self.world.account.send(EVENTS, event(detail))
            message = self.world.account.queues[EVENTS].waiting[-1].id
            self.sent.append(
                laws.Sent(message, arn=detail["taskArn"], uid=uid, run=run, is_end=detail["lastStatus"] == "STOPPED")
            )

    def _pass(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        self.world.store.collect_garbage()
        for arn, task in list(self.world.account.tasks.items()):
            if task["desiredStatus"] == "STOPPED" and task["lastStatus"] != "STOPPED":
                self._send(self.world.account.move(arn, "STOPPED", exit_code=143), 1)
        self._work()

    def _work(self) -> None:
        process = self.world.process
        assert process is not None
        try:
            process.read_queues()
            process.work()
        except Crash:
            self.told += map(str, process.told.told)
            self.world.start()
        else:
            self.told += map(str, process.told.told)
            process.told.told.clear()

    def _hear(self) -> None:
        self.ears.deliver()

    def _plant_strangers(self) -> None:
        self.world.account.add_revision("bgt_other_reports_nightly", digest="d", owner="other/reports/nightly", uid="u")
        self.world.account.add_revision("somebodys-web-server")
        self.world.account.add_revision(f"bgt_{INSTALLATION}_{NAMESPACE}_shadowed")
        theirs = from_scheduler({"Name": "x", "ScheduleExpression": "rate(1 day)", "Target": SOMEBODYS})
        name = Owner(INSTALLATION, NAMESPACE, "squatted").schedule_name(0)
        self.world.account.put_schedule(replace(theirs, name=name, group=GROUP, enabled=False))
        self.world.account.rules[name] = Rule({"Name": name, "State": "DISABLED", "ScheduleExpression": "rate(1 day)"})
        self.strangers = laws.strangers_of(self.world)


class TaskOperations(Operations):
    """Tasks are edited in every way, and slots come of which the schedules do all that there is to do."""

    @initialize(clock=CLOCKS)
    def begin(self, clock: str) -> None:
        self._begin(clock=clock)

    def _promises_at_rest(self) -> None:
        laws.i1_at_rest_one_task_of_a_slot_goes_on(self.world)
        super()._promises_at_rest()

    @rule(name=st.sampled_from(NAMES + CLAIMED), spec=SPECS, trouble=TROUBLES)
    def apply(self, name: str, spec: dict[str, Any], trouble: Trouble) -> None:
        self.numbers += 1
        env = [{"name": "TOKEN", "value": f"{laws.CANARY}-{self.numbers}"}] if "image" in spec else []
        edited = {**spec, **({"env": env} if env else {})}
        if self.world.find(TASKS, name) is None:
            self.world.apply(name=name, **{key: value for key, value in edited.items() if value is not None})
        else:
            self.world.edit(name=name, **edited)
        self._meet(trouble)

    @precondition(lambda self: self.world.runs())
    @rule(data=st.data())
    def delete_a_run(self, data: st.DataObject) -> None:
        names = [run["metadata"]["name"] for run in self.world.runs()]
        self.world.delete(RUNS, data.draw(st.sampled_from(sorted(names))))
        self._work()

    @rule(
        name=st.sampled_from(NAMES),
        slot=st.sampled_from(SLOTS),
        times=st.integers(1, 2),
        code=st.sampled_from([0, 0, 1, 137, None]),
        ends=st.booleans(),
        trouble=TROUBLES,
    )
    def a_slot_comes(
        self,
        name: str,
        slot: str,
        times: int,
        code: int | None,
        ends: bool,  # noqa: FBT001 - drawn by hypothesis
        trouble: Trouble,
    ) -> None:
        self._slot_comes(name, slot, times, code, ends=ends)
        self._meet(trouble)

    @rule(name=st.sampled_from(NAMES), slot=st.sampled_from(SLOTS))
    def a_slot_comes_but_ecs_is_busy(self, name: str, slot: str) -> None:
        self._slot_comes_late(name, slot)

    @rule(data=st.data())
    def somebody_edits_a_schedule(self, data: st.DataObject) -> None:
        account = self.world.account
        if ours := [one for name in NAMES for one in self._schedules(name)]:
            one = replace(data.draw(st.sampled_from(ours)), expression="rate(5 minutes)")
            if one.clock == "Rule":
                account.put_rule(one)
                return
            kept, changed = account.schedules[GROUP, one.name]
            account.schedules[GROUP, one.name] = ({**kept, "ScheduleExpression": one.expression}, changed)

    @rule(name=st.sampled_from(NAMES + CLAIMED), is_retained=st.booleans(), trouble=TROUBLES)
    def delete(self, name: str, is_retained: bool, trouble: Trouble) -> None:  # noqa: FBT001 - drawn by hypothesis
        self._delete(name, is_retained=is_retained, trouble=trouble)

    @rule(is_allowed=st.booleans())
    def change_who_may_use_the_template(self, is_allowed: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
        self.world.edit_template(namespaces=[NAMESPACE] if is_allowed else [])

    @rule(clock=CLOCKS, trouble=TROUBLES)
    def change_the_clock(self, clock: str, trouble: Trouble) -> None:
        self.world.edit_template(clock=clock)
        self._meet(trouble)
