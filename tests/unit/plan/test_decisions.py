"""What is done next for runs: each row is one scene, and says why."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.plan.life import Decisions, End, Hold, Launch, Policy, Resend, Scene, Search, Step, Stop, decide
from fixtures.runs import (
    SLOT,
    arn,
    asked_run,
    attempt,
    ended,
    failed,
    launch,
    made_run,
    minutes,
    outstanding,
    refused,
    running,
    slot_run,
    unstarted,
)

QUEUED = slot_run()
NAME = QUEUED.metadata.name
LATER = slot_run(1).metadata.name
ASKED = asked_run().metadata.name


def at(after: float) -> datetime:
    return SLOT + minutes(after)


def decided(
    *runs: BackgroundTaskRun, after: float = 0, policy: dict[str, Any] | None = None, **scene: Any
) -> Decisions:
    """What is decided so many minutes after SLOT. `policy`: keywords of Policy."""
    return decide(Scene(now=at(after), policy=Policy(**(policy or {})), runs=runs, **scene))


def told(step: Step) -> tuple[object, ...]:
    """A step in a few words."""
    name = step.run.metadata.name
    match step:
        case Launch():
            words: tuple[object, ...] = (step.number, *(["asks"] if step.needs_leave else []))
        case Stop():
            number = step.task_arn and int(step.task_arn.rpartition("/")[2], 16)
            words = (number, step.reason, *(["new"] if step.is_new else []))
        case Search():
            words = () if step.otherwise is None else ("else", *told(step.otherwise))
        case End():
            words = (step.phase, step.reason)
        case Hold():
            words = (step.reason,)
        case Resend():
            words = ()
    return (type(step).__name__, name, *words)


def steps(*runs: BackgroundTaskRun, **scene: Any) -> list[tuple[object, ...]]:
    return [told(step) for step in decided(*runs, **scene).steps]


FORBID, REPLACE = {"concurrency": "Forbid"}, {"concurrency": "Replace"}
HOUR = timedelta(hours=1)


class TestFirstLaunch:
    @pytest.mark.parametrize(
        ("run", "policy", "after", "expected", "why"),
        [
            (QUEUED, {}, 0, [("Launch", NAME, 0)], "a tick is launched at once"),
            (QUEUED, FORBID, 0, [("Launch", NAME, 0, "asks")], "under Forbid leave is asked for first"),
            (QUEUED, REPLACE, 0, [("Launch", NAME, 0, "asks")], "under Replace, too"),
            (asked_run(), {}, 0, [("Launch", ASKED, 0)], "a request is launched at once"),
            (asked_run(), {"suspended": True}, 0, [("Launch", ASKED, 0)], "suspend stops only the schedule"),
            (
                asked_run(),
                {"starting_deadline": minutes(1)},
                9,
                [("Launch", ASKED, 0)],
                "only a slot can be too late",
            ),
            (made_run(), {}, 0, [("Launch", "by-hand", 0)], "what somebody made is launched"),
            (
                made_run(spec={"scheduledTime": "2020-01-01T00:00:00Z"}),
                {"starting_deadline": minutes(1)},
                0,
                [("Launch", "by-hand", 0)],
                "it has the time of a slot and not its name: it was asked for",
            ),
            (QUEUED, {"suspended": True}, 0, [("End", NAME, "Skipped", "Suspended")], "no slot of a suspended task"),
            (
                QUEUED,
                {"starting_deadline": minutes(5)},
                4.9,
                [("Launch", NAME, 0)],
                "the deadline is not over",
            ),
            (
                QUEUED,
                {"starting_deadline": minutes(5)},
                5,
                [("End", NAME, "Missed", "MissSchedule")],
                "it is over",
            ),
            (
                QUEUED,
                {"starting_deadline": minutes(5), "suspended": True},
                5,
                [("End", NAME, "Missed", "MissSchedule")],
                "it was missed before it was skipped",
            ),
            (QUEUED, {}, 600, [("Launch", NAME, 0)], "known in time, it waits as long as it has to"),
            (
                slot_run(created=at(59)),
                {},
                60,
                [("End", NAME, "Missed", "MissSchedule")],
                "without a deadline it is made up for within the hour",
            ),
            (
                slot_run(created=at(59)),
                {"starting_deadline": 2 * HOUR},
                60,
                [("Launch", NAME, 0)],
                "a longer deadline says otherwise",
            ),
            (slot_run(spec={"cancel": True}), {}, 0, [("End", NAME, "Cancelled", "Cancelled")], "never launched"),
            (slot_run(is_deleted=True), {}, 0, [], "whoever deletes it ends it"),
            (slot_run(phase="Pending"), {}, 0, [("Launch", NAME, 0)], "Pending is where it begins"),
        ],
    )
    def test_a_run_that_the_operator_launches(
        self,
        run: BackgroundTaskRun,
        policy: dict[str, Any],
        after: float,
        expected: list[tuple[object, ...]],
        why: str,
    ) -> None:
        assert steps(run, policy=policy, after=after) == expected, why

    def test_who_has_leave_is_not_asked_for_it_again(self) -> None:
        assert steps(QUEUED, policy=FORBID, holders=frozenset({NAME})) == [("Launch", NAME, 0)]

    def test_the_earliest_is_launched_first(self) -> None:
        runs = [slot_run(2), asked_run(after=1), slot_run(0), made_run(after=0)]

        assert [step[1] for step in steps(*runs)] == ["by-hand", NAME, ASKED, slot_run(2).metadata.name]

    def test_its_deadline_is_looked_at_when_it_comes(self) -> None:
        assert decided(QUEUED, policy={"starting_deadline": minutes(5)}).look_at == at(5)


class TestAwaited:
    """Slots that the schedule launches itself."""

    @pytest.mark.parametrize(
        ("run", "policy", "after", "scene", "expected", "why"),
        [
            (slot_run(queue=False), {}, 49, {}, [("Hold", NAME, "AwaitingSchedule")], "Scheduler still tries"),
            (
                slot_run(queue=False),
                {},
                50,
                {"drained": at(50)},
                [("Search", NAME, "else", "Launch", NAME, 0)],
                "Scheduler has given up",
            ),
            (
                slot_run(queue=False),
                {},
                3,
                {"drained": at(3), "given_up": frozenset({NAME})},
                [("Search", NAME, "else", "Launch", NAME, 0)],
                "a dead letter says so earlier",
            ),
            (
                slot_run(queue=False),
                {},
                3,
                {"drained": at(3), "given_up": frozenset({LATER})},
                [("Hold", NAME, "AwaitingSchedule")],
                "of another slot",
            ),
            (
                slot_run(queue=False, created=at(50)),
                {},
                51,
                {"drained": at(49)},
                [("Hold", NAME, "AwaitingEvents")],
                "what was told of it may still be in the queue",
            ),
            (
                slot_run(queue=False, created=at(50)),
                {},
                51,
                {},
                [("Hold", NAME, "AwaitingEvents")],
                "the queue was never read",
            ),
            (
                slot_run(queue=False),
                {},
                59,
                {"drained": at(58)},
                [("Search", NAME, "else", "End", NAME, "Missed", "MissSchedule")],
                "ECS may have forgotten the token",
            ),
            (
                slot_run(queue=False, created=at(300)),
                {},
                301,
                {"drained": at(299)},
                [("Hold", NAME, "AwaitingEvents")],
                "the operator was down: what happened meanwhile is in the queue",
            ),
            (
                slot_run(queue=False, created=at(300)),
                {},
                310,
                {"drained": at(299)},
                [("Search", NAME, "else", "End", NAME, "Missed", "MissSchedule")],
                "a queue that is not read keeps no slot from being told as missed",
            ),
            (
                slot_run(queue=False),
                {"starting_deadline": minutes(5)},
                5,
                {"drained": at(5)},
                [("Search", NAME, "else", "End", NAME, "Missed", "MissSchedule")],
                "its deadline is over",
            ),
            (
                slot_run(queue=False),
                {"suspended": True},
                49,
                {"drained": at(49)},
                [("Hold", NAME, "AwaitingSchedule")],
                "the schedule may have launched it before it was switched off",
            ),
            (
                slot_run(queue=False),
                {"suspended": True},
                50,
                {"drained": at(50)},
                [("Search", NAME, "else", "End", NAME, "Missed", "MissSchedule")],
                "it was not, and is not launched now",
            ),
            (
                slot_run(queue=False),
                FORBID,
                50,
                {"drained": at(50)},
                [("Search", NAME, "else", "Launch", NAME, 0, "asks")],
                "the policy is newer than the slot",
            ),
        ],
    )
    def test_the_schedule_is_left_alone_with_its_slot_for_as_long_as_it_tries(
        self,
        run: BackgroundTaskRun,
        policy: dict[str, Any],
        after: float,
        scene: dict[str, Any],
        expected: list[tuple[object, ...]],
        why: str,
    ) -> None:
        assert steps(run, policy=policy, after=after, **scene) == expected, why

    def test_it_is_looked_at_when_the_schedule_has_given_up(self) -> None:
        assert decided(slot_run(queue=False)).look_at == at(50)
        assert decided(slot_run(queue=False), policy={"starting_deadline": minutes(2)}).look_at == at(2)

    def test_under_forbid_even_a_slot_that_is_skipped_is_searched_for_first(self) -> None:
        other = asked_run(**running(9))

        found = steps(slot_run(queue=False), other, policy=FORBID, after=50, drained=at(50))

        assert found == [("Search", NAME, "else", "End", NAME, "Skipped", "JobAlreadyActive")]


class TestUnderWay:
    @pytest.mark.parametrize(
        ("status", "policy", "after", "scene", "expected", "why"),
        [
            (running(), {}, 5, {}, [], "it runs"),
            (running(), {"suspended": True}, 5, {}, [], "it goes on, as with CronJob"),
            (running(), {"active_deadline": minutes(6)}, 5, {}, [], "its time is not over"),
            (
                running(),
                {"active_deadline": minutes(5)},
                5,
                {},
                [("Stop", NAME, 1, "DeadlineExceeded", "new")],
                "it is over",
            ),
            (
                running(stop={"reason": "Replaced", "time": "2026-11-21T03:00:00Z"}),
                {"active_deadline": minutes(5)},
                5,
                {},
                [("Stop", NAME, 1, "Replaced")],
                "the first reason stays, and ECS is asked again",
            ),
            (
                {
                    **running(2, launched=8),
                    "attempts": [attempt(1, completionTime="2026-11-21T03:02:00Z"), attempt(2, launched=8)],
                },
                {"active_deadline": minutes(10)},
                10,
                {},
                [("Stop", NAME, 2, "DeadlineExceeded", "new")],
                "all attempts count together",
            ),
            (
                {**running(), "attempts": [*running()["attempts"], attempt(2, duplicate=True)]},
                {},
                5,
                {},
                [("Stop", NAME, 2, "Duplicate")],
                "of two the younger is stopped",
            ),
            (
                {
                    **running(),
                    "attempts": [
                        *running()["attempts"],
                        attempt(2, duplicate=True, completionTime="2026-11-21T03:02:00Z"),
                    ],
                },
                {},
                5,
                {},
                [],
                "until it has ended",
            ),
            (
                running(),
                {},
                9,
                {"gone": {arn(1): at(9)}, "drained": at(9)},
                [],
                "ECS may not show it yet",
            ),
            (
                running(),
                {},
                30,
                {"gone": {arn(1): at(9)}, "drained": at(30)},
                [],
                "ECS was asked when it may not have shown it yet",
            ),
            (
                running(),
                {},
                11,
                {"gone": {arn(1): at(11)}, "drained": at(10)},
                [],
                "an event of its end may still be unread",
            ),
            (
                running(),
                {},
                11,
                {"gone": {arn(1): at(11)}, "drained": at(11)},
                [("End", NAME, "Lost", "TaskForgotten")],
                "nobody will ever know",
            ),
            (running(), {}, 11, {"gone": {arn(2): at(11)}, "drained": at(11)}, [], "another one is gone"),
            (outstanding(), {}, 49, {}, [("Resend", NAME)], "ECS knows the token"),
            (outstanding(), {}, 50, {"drained": at(49)}, [("Search", NAME)], "it may have forgotten it"),
            (
                outstanding(),
                {},
                50,
                {"drained": at(50)},
                [("Search", NAME, "else", "End", NAME, "Lost", "LaunchUnconfirmed")],
                "neither found nor told of",
            ),
            (
                outstanding(),
                {"starting_deadline": minutes(2)},
                3,
                {},
                [("Search", NAME)],
                "too late to launch it, too early to know whether it was",
            ),
            (
                outstanding(),
                {"starting_deadline": minutes(2)},
                5,
                {},
                [("Search", NAME, "else", "End", NAME, "Missed", "MissSchedule")],
                "ECS would show it by now",
            ),
            (
                outstanding(),
                {"suspended": True},
                5,
                {},
                [("Search", NAME, "else", "End", NAME, "Skipped", "Suspended")],
                "no launch of a suspended task, unless it was made",
            ),
            (
                outstanding(attempts=failed()["attempts"], taskArn=arn(1)),
                {"suspended": True, "starting_deadline": minutes(2)},
                5,
                {},
                [("Resend", NAME)],
                "a run that is under way has its next attempt",
            ),
            (
                outstanding(),
                {"active_deadline": minutes(5)},
                5,
                {},
                [("Stop", NAME, None, "DeadlineExceeded", "new")],
                "the intent first",
            ),
        ],
    )
    def test_a_run_that_was_launched(
        self,
        status: dict[str, Any],
        policy: dict[str, Any],
        after: float,
        scene: dict[str, Any],
        expected: list[tuple[object, ...]],
        why: str,
    ) -> None:
        assert steps(slot_run(**status), policy=policy, after=after, **scene) == expected, why

    def test_its_active_deadline_is_looked_at_when_it_comes(self) -> None:
        assert decided(slot_run(**running()), policy={"active_deadline": minutes(5)}).look_at == at(5)

    @pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled", "Skipped"])
    def test_what_turns_up_after_an_end_is_stopped(self, phase: str) -> None:
        run = slot_run(**ended(phase, attempts=[attempt(4)]))

        assert steps(run) == [("Stop", NAME, 4, "Duplicate")]

    @pytest.mark.parametrize("phase", ["Missed", "Lost"])
    def test_nothing_is_stopped_on_a_guess(self, phase: str) -> None:
        assert steps(slot_run(**ended(phase, attempts=[attempt(4)]))) == []


class TestStopping:
    @pytest.mark.parametrize(
        ("status", "after", "expected", "why"),
        [
            (running(), 1, [("Stop", NAME, 1, "Cancelled", "new")], "its task is stopped"),
            (outstanding(), 1, [("Stop", NAME, None, "Cancelled", "new")], "the intent comes first"),
            (
                outstanding(stop={"reason": "Cancelled", "time": "2026-11-21T03:00:00Z"}),
                4,
                [("Search", NAME)],
                "what it has started is looked for",
            ),
            (
                outstanding(stop={"reason": "Cancelled", "time": "2026-11-21T03:00:00Z"}),
                5,
                [("Search", NAME, "else", "End", NAME, "Cancelled", "Cancelled")],
                "there is none",
            ),
            (
                refused(),
                0.5,
                [("Search", NAME, "else", "End", NAME, "Cancelled", "Cancelled")],
                "ECS said that nothing was started, and may be wrong",
            ),
            (
                failed(retryTime="2026-11-21T03:10:00Z"),
                5,
                [("End", NAME, "Cancelled", "Cancelled")],
                "there is no other attempt",
            ),
        ],
    )
    def test_a_run_that_is_cancelled(
        self, status: dict[str, Any], after: float, expected: list[tuple[object, ...]], why: str
    ) -> None:
        assert steps(slot_run(spec={"cancel": True}, **status), after=after) == expected, why

    def test_between_attempts_the_deadline_ends_it_as_failed(self) -> None:
        run = slot_run(**failed(retryTime="2026-11-21T03:30:00Z"))

        found = steps(run, after=20, policy={"active_deadline": minutes(20), "backoff_limit": 3})

        assert found == [("End", NAME, "Failed", "DeadlineExceeded")]

    def test_a_task_that_ecs_has_forgotten_ends_as_what_stopped_it(self) -> None:
        run = slot_run(spec={"cancel": True}, **running())

        found = steps(run, after=20, gone={arn(1): at(20)}, drained=at(20))

        assert found == [("End", NAME, "Cancelled", "Cancelled")]


class TestAgain:
    @pytest.mark.parametrize(
        ("run", "policy", "after", "expected", "why"),
        [
            (slot_run(**failed(retryTime="2026-11-21T03:10:00Z")), {}, 9, [], "it waits"),
            (
                slot_run(**failed(retryTime="2026-11-21T03:10:00Z")),
                {},
                10,
                [("Launch", NAME, 1)],
                "the schedule's own launch was number 0",
            ),
            (
                slot_run(**failed(retryTime="2026-11-21T03:10:00Z", launch=launch(number=4, taskArn=arn(1)))),
                {},
                10,
                [("Launch", NAME, 5)],
                "each launch has a number of its own",
            ),
            (
                slot_run(**failed(retryTime="2026-11-21T03:10:00Z")),
                {"suspended": True, "starting_deadline": minutes(1)},
                10,
                [("Launch", NAME, 1)],
                "it was launched in time, and goes on as with CronJob",
            ),
            (slot_run(**refused()), {}, 0.5, [], "ECS is left alone for a while"),
            (
                slot_run(**refused(number=2)),
                {},
                1,
                [("Search", NAME, "else", "Launch", NAME, 3)],
                "a task may have been started all the same",
            ),
            (
                slot_run(**refused(retry=9)),
                {"starting_deadline": minutes(5)},
                5,
                [("Search", NAME, "else", "End", NAME, "Missed", "MissSchedule")],
                "never launched in time",
            ),
            (
                slot_run(**refused(retry=9)),
                {"suspended": True},
                1,
                [("Search", NAME, "else", "End", NAME, "Skipped", "Suspended")],
                "nothing begins while suspended",
            ),
            (
                asked_run(**refused()),
                {"suspended": True, "starting_deadline": minutes(1)},
                5,
                [("Search", ASKED, "else", "Launch", ASKED, 1)],
                "a request is neither late nor suspended",
            ),
            (
                slot_run(**unstarted(retryTime="2026-11-21T03:04:00Z", launchFailures=1)),
                {"starting_deadline": minutes(5)},
                4,
                [("Launch", NAME, 1)],
                "its deadline is not over",
            ),
            (
                slot_run(**unstarted(retryTime="2026-11-21T03:09:00Z", launchFailures=1)),
                {"starting_deadline": minutes(5)},
                5,
                [("End", NAME, "Failed", "NetworkUnavailable")],
                "it was launched, and never started",
            ),
        ],
    )
    def test_a_run_that_is_tried_again(
        self,
        run: BackgroundTaskRun,
        policy: dict[str, Any],
        after: float,
        expected: list[tuple[object, ...]],
        why: str,
    ) -> None:
        assert steps(run, policy=policy, after=after) == expected, why

    def test_it_is_looked_at_when_its_time_comes(self) -> None:
        assert decided(slot_run(**failed(retryTime="2026-11-21T03:10:00Z")), after=5).look_at == at(10)

    def test_where_two_were_under_way_when_the_policy_came_only_one_goes_on_at_a_time(self) -> None:
        first = slot_run(0, **failed(1, retryTime="2026-11-21T03:10:00Z"))
        second = slot_run(1, **failed(2, retryTime="2026-11-21T03:10:00Z"))

        assert steps(second, first, policy=FORBID, after=10) == [
            ("Launch", NAME, 1),
            ("Hold", LATER, "ConcurrencyForbidden"),
        ]


class TestForbid:
    @pytest.mark.parametrize(
        ("other", "holders", "why"),
        [
            (running(9), set(), "it runs"),
            (outstanding(), set(), "it may run"),
            (failed(9, retryTime="2026-11-21T04:00:00Z"), set(), "it has another attempt"),
            (refused(), set(), "it is launched again"),
            ({}, {ASKED}, "it has leave"),
        ],
    )
    def test_while_one_is_active_a_slot_is_skipped_and_a_request_waits(
        self, other: dict[str, Any], holders: set[str], why: str
    ) -> None:
        active = asked_run(after=-1, **other)
        runs = (active, slot_run(), made_run())

        found = [step for step in steps(*runs, policy=FORBID, holders=frozenset(holders)) if step[1] != ASKED]

        assert found == [("Hold", "by-hand", "ConcurrencyForbidden"), ("End", NAME, "Skipped", "JobAlreadyActive")], why

    @pytest.mark.parametrize(
        ("other", "why"),
        [
            (asked_run(after=-1, **ended()), "it has ended"),
            (asked_run(after=-1, is_deleted=True), "it is deleted before it was launched"),
            (asked_run(after=1), "it waits as well, and was due later"),
        ],
    )
    def test_who_is_not_active_is_in_nobodys_way(self, other: BackgroundTaskRun, why: str) -> None:
        assert steps(slot_run(), other, policy=FORBID)[0] == ("Launch", NAME, 0, "asks"), why

    def test_a_run_that_is_being_deleted_is_active_until_its_task_has_ended(self) -> None:
        deleted = asked_run(is_deleted=True, **running(9))

        assert steps(slot_run(), deleted, policy=FORBID) == [("End", NAME, "Skipped", "JobAlreadyActive")]

    def test_of_two_slots_that_are_due_the_first_gets_leave_and_the_other_is_not_yet_judged(self) -> None:
        assert steps(slot_run(1), slot_run(0), policy=FORBID, after=1) == [("Launch", NAME, 0, "asks")]

    def test_of_two_that_have_leave_the_first_goes_on(self) -> None:
        found = steps(slot_run(0), slot_run(1), policy=FORBID, holders=frozenset({NAME, LATER}), after=1)

        assert found == [("Launch", NAME, 0), ("End", LATER, "Skipped", "JobAlreadyActive")]

    def test_somebody_who_has_leave_and_is_not_known_keeps_all_waiting(self) -> None:
        found = steps(slot_run(), made_run(), policy=FORBID, holders=frozenset({"unknown"}))

        assert found == [("Hold", "by-hand", "ConcurrencyForbidden"), ("Hold", NAME, "ConcurrencyForbidden")]


class TestReplace:
    def test_the_one_under_way_is_stopped_first(self) -> None:
        assert steps(slot_run(0, **running()), slot_run(1), policy=REPLACE, after=1) == [
            ("Stop", NAME, 1, "Replaced", "new"),
            ("Hold", LATER, "Replacing"),
        ]

    def test_while_it_ends_the_new_one_waits(self) -> None:
        stopping = slot_run(0, **running(stop={"reason": "Replaced", "time": "2026-11-21T03:01:00Z"}))

        assert steps(stopping, slot_run(1), policy=REPLACE, after=1) == [
            ("Stop", NAME, 1, "Replaced"),
            ("Hold", LATER, "Replacing"),
        ]

    def test_between_attempts_it_ends_at_once(self) -> None:
        waiting = slot_run(0, **failed(retryTime="2026-11-21T03:01:00Z"))

        assert steps(waiting, slot_run(1), policy=REPLACE, after=1)[0] == ("End", NAME, "Cancelled", "Replaced")

    @pytest.mark.parametrize(
        ("asked", "end"),
        [
            ({"stop": {"reason": "Cancelled", "time": "2026-11-21T03:00:30Z"}}, "Cancelled"),
            ({"stop": {"reason": "Replaced", "time": "2026-11-21T03:00:30Z"}}, "Replaced"),
        ],
    )
    def test_what_ecs_has_denied_may_have_started_all_the_same_and_is_looked_for_before_the_end(
        self, asked: dict[str, Any], end: str
    ) -> None:
        denied = slot_run(0, **refused(**asked))

        found = steps(denied, slot_run(1), policy=REPLACE, after=1)

        assert found[0] == ("Search", NAME, "else", "End", NAME, "Cancelled", end)
        assert found[1] == ("Hold", LATER, "Replacing")

    def test_of_several_slots_that_wait_the_newest_stays(self) -> None:
        found = steps(slot_run(2), slot_run(0), slot_run(1), policy=REPLACE, after=2)

        assert found == [
            ("End", NAME, "Skipped", "Replaced"),
            ("End", LATER, "Skipped", "Replaced"),
            ("Launch", slot_run(2).metadata.name, 0, "asks"),
        ]

    def test_a_slot_that_comes_late_replaces_no_later_one(self) -> None:
        found = steps(slot_run(0), slot_run(1, **running(2, launched=1)), policy=REPLACE, after=2)

        assert found == [("End", NAME, "Skipped", "Replaced")]

    def test_a_request_replaces_too(self) -> None:
        assert steps(slot_run(0, **running()), asked_run(after=1), policy=REPLACE, after=1) == [
            ("Stop", NAME, 1, "Replaced", "new"),
            ("Hold", ASKED, "Replacing"),
        ]

    def test_what_may_no_longer_start_replaces_nothing(self) -> None:
        late = slot_run(1)

        found = steps(slot_run(0, **running()), late, policy={**REPLACE, "starting_deadline": minutes(2)}, after=3)

        assert found == [("End", LATER, "Missed", "MissSchedule")]


class TestSeries:
    """forEach: the items of one slot or one request."""

    def items(self, *statuses: dict[str, Any], after: float = 0) -> list[BackgroundTaskRun]:
        return [slot_run(after, item=f"item-{index}", index=index, **one) for index, one in enumerate(statuses)]

    def test_items_run_one_after_another(self) -> None:
        found = steps(*self.items({}, {}, {}), policy={})

        assert found == [
            ("Launch", f"{NAME}-0", 0),
            ("Hold", f"{NAME}-1", "SeriesOrder"),
            ("Hold", f"{NAME}-2", "SeriesOrder"),
        ]

    @pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled", "Missed", "Lost"])
    def test_the_next_begins_however_the_one_before_it_ended(self, phase: str) -> None:
        assert steps(*self.items(ended(phase), {})) == [("Launch", f"{NAME}-1", 0)]

    def test_one_that_was_pruned_keeps_nobody_waiting(self) -> None:
        assert steps(*self.items({}, {})[1:]) == [("Launch", f"{NAME}-1", 0)]

    def test_a_series_that_has_begun_in_time_is_not_too_late(self) -> None:
        items, policy = self.items({**failed(), **ended("Failed")}, {}, {}), {"starting_deadline": minutes(1)}

        assert steps(*items, policy=policy, after=9) == [
            ("Launch", f"{NAME}-1", 0),
            ("Hold", f"{NAME}-2", "SeriesOrder"),
        ]

    def test_one_that_has_not_is_missed_as_a_whole(self) -> None:
        items, policy = self.items(ended("Missed"), {}), {"starting_deadline": minutes(1)}

        assert steps(*items, policy=policy, after=9) == [("End", f"{NAME}-1", "Missed", "MissSchedule")]

    def test_one_whose_first_item_ecs_never_took_has_not_begun(self) -> None:
        denied = {**refused(), **ended("Missed")}
        items, policy = self.items(denied, {}), {"starting_deadline": minutes(1)}

        assert steps(*items, policy=policy, after=9) == [("End", f"{NAME}-1", "Missed", "MissSchedule")]

    @pytest.mark.parametrize(
        ("items", "expected", "why"),
        [
            (("item-0", "item-1"), ("Hold", f"{NAME}-1", "SeriesOrder"), "it is asked for"),
            (("item-0",), ("End", f"{NAME}-1", "Skipped", "ItemRemoved"), "it was taken out before its turn"),
            ((), ("End", f"{NAME}-1", "Skipped", "ItemRemoved"), "all of them were"),
            (None, ("Hold", f"{NAME}-1", "SeriesOrder"), "nobody knows, as the spec cannot be read"),
        ],
    )
    def test_an_item_that_is_no_longer_asked_for_is_skipped(
        self, items: tuple[str, ...] | None, expected: tuple[object, ...], why: str
    ) -> None:
        found = steps(*self.items(running(0), {}), policy={"items": items}, after=1)

        assert found == [expected], why

    @pytest.mark.parametrize("run", [QUEUED, slot_run(queue=False)], ids=["queued", "awaited"])
    def test_a_slot_from_before_there_were_items_is_not_launched_without_one(self, run: BackgroundTaskRun) -> None:
        found = steps(run, policy={"items": ("a",)}, after=55, drained=at(56))

        assert found[0][-4:] == ("End", NAME, "Missed", "MissSchedule")

    def test_a_request_without_item_is_left_to_be_refused_with_words(self) -> None:
        assert steps(asked_run(), policy={"items": ("a",)}) == [("Launch", ASKED, 0)]

    def test_the_tenth_comes_after_the_second(self) -> None:
        runs = self.items(*([{}] * 11))

        assert [step[1] for step in steps(*reversed(runs))] == [f"{NAME}-{index}" for index in range(11)]

    def test_an_attempt_of_one_item_waits_for_another_item_that_runs_all_the_same(self) -> None:
        items = self.items(failed(retryTime="2026-11-21T03:10:00Z"), running(9))

        assert steps(*items, after=10) == [("Hold", f"{NAME}-0", "ConcurrencyForbidden")]

    def test_two_requests_have_two_series(self) -> None:
        runs = [asked_run(value, item="a", index=0) for value in ("one", "two")]

        assert sorted(step[0] for step in steps(*runs)) == ["Launch", "Launch"]

    def test_under_forbid_all_items_of_a_slot_are_skipped_together(self) -> None:
        found = steps(asked_run(after=-1, **running(9)), *self.items({}, {}), policy=FORBID)

        assert found == [("End", f"{NAME}-{index}", "Skipped", "JobAlreadyActive") for index in (0, 1)]

    def test_an_item_is_skipped_with_the_first_one_though_the_way_is_free_by_now(self) -> None:
        skipped = ended("Skipped", reason="JobAlreadyActive")

        assert steps(*self.items(skipped, {}), policy=FORBID) == [("End", f"{NAME}-1", "Skipped", "JobAlreadyActive")]

    def test_between_two_items_nobody_else_comes_in(self) -> None:
        runs = [*self.items({**failed(), **ended("Failed")}, {}), asked_run(after=-9)]

        assert steps(*runs, policy=FORBID, after=6) == [
            ("Hold", ASKED, "ConcurrencyForbidden"),
            ("Launch", f"{NAME}-1", 0, "asks"),
        ]

    def test_an_item_and_a_run_of_the_whole_slot_are_two(self) -> None:
        whole = slot_run(**running(9))

        assert steps(whole, *self.items({}), policy=FORBID) == [("End", f"{NAME}-0", "Skipped", "JobAlreadyActive")]

    def test_two_series_under_way_when_the_policy_came_wait_for_each_other_only_once(self) -> None:
        begun = {**failed(), **ended("Failed")}
        runs = [*self.items(begun, {}), *self.items(begun, {}, after=1)]

        found = steps(*runs, policy=FORBID, after=6)

        assert found == [("Launch", f"{NAME}-1", 0, "asks"), ("Hold", f"{LATER}-1", "ConcurrencyForbidden")]

    def test_under_replace_the_rest_of_a_series_goes_with_the_item_that_was_stopped(self) -> None:
        runs = [asked_run(item=str(index), index=index) for index in range(2)]
        stopped = asked_run(item="0", index=0, **ended("Cancelled", reason="Replaced"))

        assert steps(stopped, runs[1], policy=REPLACE) == [("End", f"{ASKED}-1", "Skipped", "Replaced")]
