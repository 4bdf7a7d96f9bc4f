"""EventBridge Scheduler: schedules and their groups, in our nouns.

What proves absence here: ResourceNotFoundException, unless what is not found was made here just now. Scheduler answers
it for a schedule that is not there and for one whose group is not there, and both mean that nothing fires. It keeps no
tags on schedules, so whose a schedule is stands in its description, and whose a group is in its tags.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from backgroundtask.aws.clients import Clients
from backgroundtask.aws.errors import code_of, translated
from backgroundtask.aws.unseen import Unseen
from backgroundtask.errors import Busy
from backgroundtask.plan.observed import Found
from backgroundtask.plan.schedule import Schedule
from backgroundtask.plan.scheduler import from_scheduler, to_scheduler

if TYPE_CHECKING:
    from mypy_boto3_scheduler.type_defs import TagTypeDef

_ABSENT = "ResourceNotFoundException"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A schedule group. `state` is ACTIVE, or DELETING while AWS empties it."""

    name: str
    arn: str
    state: str
    tags: Mapping[str, str]


class Schedules:
    """EventBridge Scheduler of one account and region."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._unseen: Unseen[bool] = Unseen()  # by group and name: whether it fires

    @translated()
    def find(self, group: str, name: str) -> Found | None:
        """The schedule, or None where Scheduler does not know it (404).

        Raises:
            Busy: ScheduleNotVisible, where it was made here and Scheduler does not show it yet.
        """
        try:
            answer = self._clients.scheduler.get_schedule(GroupName=group, Name=name)
        except ClientError as error:
            if code_of(error) != _ABSENT:
                raise
            if self._unseen.has(group, name):
                raise Busy("ScheduleNotVisible", f"Scheduler does not show the new schedule {name} yet.") from error
            return None
        self._unseen.settled(group, [name])
        changed = answer["LastModificationDate"].astimezone(UTC)
        return Found(schedule=from_scheduler(answer), arn=answer["Arn"], changed=changed)

    @translated()
    def create(self, schedule: Schedule) -> str:
        """Make a schedule that is not there yet; its ARN. One of this name is never overwritten.

        Raises:
            Rejected: InvalidSchedule.
            Blocked: RoleNotAssumable, RoleNotPassable, ScheduleGroupNotFound, QuotaExceeded.
            Busy: ScheduleExists: somebody made one since; look at it first.
        """
        arn = self._clients.scheduler.create_schedule(**to_scheduler(schedule))["ScheduleArn"]
        self._unseen.made(schedule.group, schedule.name, schedule.enabled)
        return arn

    @translated()
    def update(self, schedule: Schedule) -> str:
        """Replace the whole of a schedule that is there; its ARN.

        Raises:
            Rejected, Blocked: as `create`.
            Busy: ScheduleVanished.
        """
        arn = self._clients.scheduler.update_schedule(**to_scheduler(schedule))["ScheduleArn"]
        self._unseen.changed(schedule.group, schedule.name, schedule.enabled)
        return arn

    @translated()
    def remove(self, group: str, name: str) -> None:
        """Delete a schedule. One that Scheduler does not know (404) is done."""
        try:
            self._clients.scheduler.delete_schedule(GroupName=group, Name=name)
        except ClientError as error:
            if code_of(error) != _ABSENT:
                raise
        self._unseen.settled(group, [name])

    @translated()
    def enabled_by_name(self, group: str) -> dict[str, bool]:
        """Every schedule of a group, and whether it fires. A group that is not there (404) holds none.

        What was made here and Scheduler does not list yet is among them.
        """
        listed = self._listed(group)
        self._unseen.settled(group, listed)
        return listed | self._unseen.of(group)

    def _listed(self, group: str) -> dict[str, bool]:
        pages = self._clients.scheduler.get_paginator("list_schedules").paginate(GroupName=group)
        try:
            return {one["Name"]: one["State"] == "ENABLED" for page in pages for one in page["Schedules"]}
        except ClientError as error:
            if code_of(error) != _ABSENT:
                raise
            return {}

    @translated()
    def groups_of(self, prefix: str) -> frozenset[str]:
        """The groups that hold schedules whose names begin with `prefix`: of all groups of the account and region."""
        pages = self._clients.scheduler.get_paginator("list_schedules").paginate(NamePrefix=prefix)
        return frozenset(one["GroupName"] for page in pages for one in page["Schedules"])

    @translated()
    def group(self, name: str) -> Group | None:
        """The group, or None where Scheduler does not know it (404).

        Raises:
            Rejected: InvalidScheduleGroup.
        """
        try:
            answer = self._clients.scheduler.get_schedule_group(Name=name)
        except ClientError as error:
            if code_of(error) != _ABSENT:
                raise
            return None
        tags = self._clients.scheduler.list_tags_for_resource(ResourceArn=answer["Arn"])["Tags"]
        return Group(
            name=name,
            arn=answer["Arn"],
            state=answer["State"],
            tags={tag["Key"]: tag["Value"] for tag in tags},
        )

    @translated()
    def create_group(self, name: str, tags: Mapping[str, str]) -> Group:
        """Make a group that is not there yet.

        Raises:
            Rejected: InvalidScheduleGroup.
            Busy: ScheduleGroupExists: somebody made it since; look at its tags first.
        """
        arn = self._clients.scheduler.create_schedule_group(Name=name, Tags=_tag_list(tags))["ScheduleGroupArn"]
        return Group(name=name, arn=arn, state="ACTIVE", tags=dict(tags))

    @translated()
    def tag_group(self, arn: str, tags: Mapping[str, str]) -> None:
        """Set tags of a group; others stay.

        Raises:
            Blocked: ScheduleGroupNotFound.
        """
        self._clients.scheduler.tag_resource(ResourceArn=arn, Tags=_tag_list(tags))


def _tag_list(tags: Mapping[str, str]) -> "list[TagTypeDef]":
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
