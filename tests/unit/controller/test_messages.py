"""What the messages of the two queues mean."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from backgroundtask.aws import Malformed, Message
from backgroundtask.controller.keys import GivenUp, Tick
from backgroundtask.controller.messages import Events, Ticks
from backgroundtask.errors import Busy
from backgroundtask.plan.schedule import TICK, tick
from fixtures.fake_process import Process
from fixtures.fake_world import KEY, OWNER, World, event
from fixtures.objects import ACCOUNT, REGION

STRANGER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/bgt_other_reports_nightly:1"


SLOT = datetime(2026, 11, 22, 3, tzinfo=UTC)


def environment(slot: str) -> list[dict[str, str]]:
    return [{"Name": "BGT_TASK_UID", "Value": "its-uid"}, {"Name": "BGT_SCHEDULED_TIME", "Value": slot}]


def process(world: World) -> Process:
    assert world.process is not None
    return world.process


def message(body: str, **attributes: str) -> Message:
    return Message(id="1", receipt="r", body=body, attributes=attributes)


@pytest.fixture
def answered() -> list[str]:
    return []


def take(world: World, body: str, answered: list[str]) -> None:
    Events(process(world).context, world.cloud).take(message(body), lambda: answered.append("it"), lambda: None)


class TestEvents:
    def test_an_event_is_delivered_to_its_task_and_answered_by_whoever_stores_it(
        self, world: World, answered: list[str]
    ) -> None:
        task = world.fires()

        take(world, event(world.account.move(task, "RUNNING")), answered)

        [delivery] = process(world).context.inbox.take(KEY)
        assert (delivery.task.arn, delivery.task.uid) == (task, world.task()["metadata"]["uid"])
        assert process(world).context.queue.get(0) == KEY
        assert answered == []

    def test_a_delivery_that_is_given_up_tells_whoever_received_its_message(self, world: World) -> None:
        given_up: list[str] = []
        body = event(world.account.move(world.fires(), "RUNNING"))

        Events(process(world).context, world.cloud).take(message(body), lambda: None, lambda: given_up.append("it"))

        [delivery] = process(world).context.inbox.take(KEY)
        delivery.dropped()
        assert given_up == ["it"]

    def test_what_an_event_leaves_out_is_asked_for(self, world: World, answered: list[str]) -> None:
        task = world.fires()
        detail = {**world.account.move(task, "RUNNING"), "overrides": {}}

        take(world, event(detail), answered)

        [delivery] = process(world).context.inbox.take(KEY)
        assert delivery.task.uid == world.task()["metadata"]["uid"]

    def test_it_is_left_where_aws_cannot_be_asked(self, world: World, answered: list[str]) -> None:
        detail = {**world.account.move(world.fires(), "RUNNING"), "overrides": {}}
        world.trace.fail_next("ecs.tasks", Busy("Throttled", "AWS throttles."))

        with pytest.raises(Busy):
            take(world, event(detail), answered)

        assert answered == []

    def test_what_ecs_knows_no_more_is_nobodys(self, world: World, answered: list[str]) -> None:
        task = world.fires()
        detail = {**world.account.move(task, "STOPPED", exit_code=0), "overrides": {}}
        del world.account.tasks[task]

        take(world, event(detail), answered)
        process(world).work()

        assert answered == ["it"]
        assert world.runs() == []

    @pytest.mark.parametrize("definition", [STRANGER, STRANGER.replace("bgt_other", "somebody")])
    def test_a_strangers_task_is_answered_at_once(self, world: World, answered: list[str], definition: str) -> None:
        detail = {**world.account.move(world.fires(), "RUNNING"), "taskDefinitionArn": definition}

        take(world, event(detail), answered)

        assert answered == ["it"]
        assert process(world).context.queue.get(0) is None

    @pytest.mark.parametrize(
        ("body", "why"),
        [
            ("{", "not JSON"),
            ("[]", "not an object"),
            ("{}", "no detail-type"),
            (json.dumps({"detail-type": "ECS Service Action", "detail": {}}), "another kind of event"),
            (event({}), "no task"),
            (json.dumps({"detail-type": "ECS Task State Change"}), "no detail"),
            (json.dumps({"detail-type": "ECS Task State Change", "detail": []}), "a detail that is no object"),
        ],
    )
    def test_what_tells_no_task_is_malformed(self, world: World, answered: list[str], body: str, why: str) -> None:
        with pytest.raises(Malformed):
            take(world, body, answered)

        assert answered == [], why


class TestTicks:
    def take(self, world: World, body: Any, answered: list[str], **attributes: str) -> None:
        letters = Ticks(process(world).context)
        letters.take(message(json.dumps(body), **attributes), lambda: answered.append("it"), lambda: None)

    def test_a_launch_that_scheduler_gave_up_is_told_on_its_task(self, world: World, answered: list[str]) -> None:
        definition = world.revisions()[0]

        self.take(
            world,
            {"TaskDefinition": definition},
            answered,
            ERROR_CODE="ECS.AccessDeniedException",
            ERROR_MESSAGE="not\nallowed",
        )

        told = process(world).told.told[-1]
        assert (told.about, told.type, told.reason) == ("backgroundtasks nightly", "Warning", "FailedCreate")
        assert told.message.endswith("ECS.AccessDeniedException: not allowed")
        assert answered == ["it"]

    def test_that_of_a_task_that_is_gone_is_answered(self, bare: World, answered: list[str]) -> None:
        definition = STRANGER.replace("bgt_other_reports_nightly", OWNER.family)

        self.take(bare, {"TaskDefinition": definition}, answered)

        assert answered == ["it"]

    def test_a_tick_reaches_its_task_and_is_answered_by_whoever_stores_it(
        self, world: World, answered: list[str]
    ) -> None:
        self.take(world, tick(str(OWNER), "its-uid", "2026-11-22T03:00:00Z"), answered)

        [said] = process(world).context.inbox.take_hints(KEY)
        assert (type(said), said.identity) == (Tick, Tick(SLOT, "its-uid").identity)
        assert process(world).context.queue.get(0) == KEY
        assert answered == []
        assert "FailedCreate" not in process(world).told.reasons()
        said.stored()
        assert answered == ["it"]

    def test_a_request_that_scheduler_gave_up_says_where_to_look(self, world: World, answered: list[str]) -> None:
        request = {
            "TaskDefinition": world.revisions()[0],
            "Overrides": {"ContainerOverrides": [{"Environment": environment("2026-11-22T03:00:00Z")}]},
        }

        self.take(world, request, answered, ERROR_CODE="ECS.ThrottlingException")

        [said] = process(world).context.inbox.take_hints(KEY)
        assert (type(said), said.identity) == (GivenUp, GivenUp(SLOT, "its-uid").identity)
        assert answered == []

    def test_a_tick_that_scheduler_could_not_send_is_a_tick(self, world: World, answered: list[str]) -> None:
        sent = json.dumps(tick(str(OWNER), "its-uid", "2026-11-22T03:00:00Z"))

        self.take(
            world, {"MessageBody": sent, "QueueUrl": "https://sqs/ticks"}, answered, ERROR_CODE="SQS.AccessDenied"
        )

        [said] = process(world).context.inbox.take_hints(KEY)
        assert (type(said), said.identity) == (Tick, Tick(SLOT, "its-uid").identity)
        assert process(world).told.reasons()[-1] == "FailedCreate"
        assert answered == []

    @pytest.mark.parametrize(
        ("overrides", "why"),
        [
            ({}, "it says nothing"),
            ({"ContainerOverrides": []}, "of no container"),
            ({"ContainerOverrides": [{"Environment": [{"Name": "X"}]}]}, "a variable without a value"),
            ({"ContainerOverrides": [{"Environment": "text"}]}, "no variables"),
            ({"ContainerOverrides": ["text"]}, "no container"),
        ],
    )
    def test_a_request_that_names_no_slot_is_only_told_of(
        self, world: World, answered: list[str], overrides: Any, why: str
    ) -> None:
        self.take(world, {"TaskDefinition": world.revisions()[0], "Overrides": overrides}, answered, ERROR_CODE="X")

        assert answered == ["it"], why
        assert process(world).told.reasons()[-1] == "FailedCreate"
        assert not process(world).context.inbox.waits(KEY)

    @pytest.mark.parametrize(
        ("body", "why"),
        [
            ({}, "it is nothing"),
            ({"TaskDefinition": STRANGER}, "of another installation"),
            ({"TaskDefinition": ["x"]}, "no text"),
            ({TICK: "text"}, "a tick that is no object"),
            ({"MessageBody": "text"}, "a message that is not JSON"),
            ({"MessageBody": "[]"}, "a message that is no object"),
            ({"MessageBody": "{}"}, "a message that is no tick"),
            ({"MessageBody": {TICK: {}}}, "a message that is no text"),
            (tick("other/reports/nightly", "uid", "2026-11-22T03:00:00Z"), "a tick of another installation"),
            (tick("nobody", "uid", "2026-11-22T03:00:00Z"), "a tick that names no owner"),
            (tick(str(OWNER), "uid", "tomorrow"), "a tick that names no slot"),
            (tick(str(OWNER), "uid", "<aws.scheduler.scheduled-time>"), "a tick whose slot was not filled in"),
            ({"detail-type": "Scheduled Event", "time": "2026-11-22T03:00:00Z", "resources": ["a"]}, "no rule of ours"),
            ({"detail-type": "Scheduled Event", "time": "now", "resources": ["a"]}, "an event without a time"),
            ({"detail-type": "Scheduled Event", "time": "2026-11-22T03:00:00Z"}, "an event without a rule"),
        ],
    )
    def test_what_tells_of_no_slot_of_ours_is_malformed(
        self, world: World, answered: list[str], body: Any, why: str
    ) -> None:
        with pytest.raises(Malformed):
            self.take(world, body, answered)

        assert answered == [], why
