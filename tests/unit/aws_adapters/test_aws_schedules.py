"""Schedules and groups, to Scheduler and back."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from backgroundtask.aws import Group, Schedules
from backgroundtask.errors import Busy
from backgroundtask.plan.names import Owner
from backgroundtask.plan.observed import Found
from backgroundtask.plan.schedule import Placement, Schedule, run_task_request
from backgroundtask.plan.scheduler import to_scheduler
from fixtures.wire import Wire

OWNER = Owner("prod", "ns", "job")
ARN = "arn:aws:scheduler:eu-west-1:111122223333:schedule/bgt-prod/job"
GROUP_ARN = "arn:aws:scheduler:eu-west-1:111122223333:schedule-group/bgt-prod"
CHANGED = datetime(2026, 11, 21, 3, tzinfo=UTC)
SCHEDULE = Schedule(
    name=OWNER.schedule_name(0),
    group="bgt-prod",
    expression="cron(0 3 ? * MON-FRI *)",
    time_zone="Europe/Berlin",
    enabled=True,
    request=run_task_request(
        owner=OWNER,
        uid="uid-1",
        definition_arn="arn:aws:ecs:eu-west-1:111122223333:task-definition/bgt_prod_ns_job:1",
        placement=Placement(cluster="arn:aws:ecs:eu-west-1:111122223333:cluster/main", subnets=("subnet-1",)),
        slot="<aws.scheduler.scheduled-time>",
        token="t-<aws.scheduler.scheduled-time>",
    ),
    role="arn:aws:iam::111122223333:role/launch",
    dead_letters="arn:aws:sqs:eu-west-1:111122223333:ticks",
    owner=str(OWNER),
    uid="uid-1",
)


def sent_document(wire: Wire, operation: str) -> dict[str, object]:
    """What the request says, from its body and its path, without the token that botocore adds."""
    (sent,) = [one for one in wire.sent if one.operation == operation]
    document = {key: value for key, value in sent.body.items() if key != "ClientToken"}
    return {**document, "Name": urlsplit(sent.url).path.rpartition("/")[2]}


def test_a_schedule_reads_back_as_it_was_written(wire: Wire) -> None:
    wire.says("CreateSchedule", {"ScheduleArn": ARN})
    schedules = Schedules(wire.clients())

    arn = schedules.create(SCHEDULE)

    wire.says(
        "GetSchedule",
        {**sent_document(wire, "CreateSchedule"), "Arn": ARN, "LastModificationDate": CHANGED.timestamp()},
    )
    found = schedules.find(SCHEDULE.group, SCHEDULE.name)
    assert arn == ARN
    assert found == Found(schedule=SCHEDULE, arn=ARN, changed=CHANGED)
    assert found.changed.tzinfo is UTC


def test_an_update_sends_the_whole_schedule_since_scheduler_forgets_what_is_left_out(wire: Wire) -> None:
    wire.says("UpdateSchedule", {"ScheduleArn": ARN})

    assert Schedules(wire.clients()).update(SCHEDULE) == ARN
    assert sent_document(wire, "UpdateSchedule") == to_scheduler(SCHEDULE)


def test_a_repeated_write_carries_the_token_of_the_first(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    wire.refuses("CreateSchedule", "InternalServerException", status=500)
    wire.says("CreateSchedule", {"ScheduleArn": ARN})

    Schedules(wire.clients(attempts=2)).create(SCHEDULE)

    first, second = (body["ClientToken"] for body in wire.bodies("CreateSchedule"))
    assert first == second


def test_a_schedule_of_the_same_name_is_not_overwritten(wire: Wire) -> None:
    wire.refuses("CreateSchedule", "ConflictException", "Schedule already exists.", status=409)

    with pytest.raises(Busy) as caught:
        Schedules(wire.clients()).create(SCHEDULE)

    assert caught.value.reason == "ScheduleExists"


def test_a_removal_names_group_and_schedule(wire: Wire) -> None:
    wire.says("DeleteSchedule", {})

    Schedules(wire.clients()).remove("bgt-prod", "job")

    url = urlsplit(wire.sent[0].url)
    assert url.path == "/schedules/job"
    assert parse_qs(url.query)["groupName"] == ["bgt-prod"]


def test_all_pages_of_a_group_tell_what_fires(wire: Wire) -> None:
    wire.says("ListSchedules", {"Schedules": [{"Name": "a", "State": "ENABLED"}], "NextToken": "more"})
    wire.says("ListSchedules", {"Schedules": [{"Name": "b", "State": "DISABLED"}]})

    assert Schedules(wire.clients()).enabled_by_name("bgt-prod") == {"a": True, "b": False}
    assert all("ScheduleGroup=bgt-prod" in one.url for one in wire.sent)


def test_a_group_has_its_tags(wire: Wire) -> None:
    wire.says("GetScheduleGroup", {"Arn": GROUP_ARN, "Name": "bgt-prod", "State": "DELETING"})
    wire.says("ListTagsForResource", {"Tags": [{"Key": "a", "Value": "1"}]})

    found = Schedules(wire.clients()).group("bgt-prod")

    assert found == Group(name="bgt-prod", arn=GROUP_ARN, state="DELETING", tags={"a": "1"})


def test_a_new_group_is_made_with_its_tags(wire: Wire) -> None:
    wire.says("CreateScheduleGroup", {"ScheduleGroupArn": GROUP_ARN})

    made = Schedules(wire.clients()).create_group("bgt-prod", {"b": "2", "a": "1"})

    assert made == Group(name="bgt-prod", arn=GROUP_ARN, state="ACTIVE", tags={"a": "1", "b": "2"})
    assert wire.sent[0].body["Tags"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]


def test_a_group_that_another_replica_made_first_is_looked_at_again(wire: Wire) -> None:
    wire.refuses("CreateScheduleGroup", "ConflictException", status=409)

    with pytest.raises(Busy) as caught:
        Schedules(wire.clients()).create_group("bgt-prod", {})

    assert caught.value.reason == "ScheduleGroupExists"


def test_tags_are_set_on_a_group(wire: Wire) -> None:
    wire.says("TagResource", {})

    Schedules(wire.clients()).tag_group(GROUP_ARN, {"a": "1"})

    assert wire.sent[0].body == {"Tags": [{"Key": "a", "Value": "1"}]}
