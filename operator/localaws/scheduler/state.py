"""What a region holds: schedule groups, schedules, and the last change of each with its client token.

Holds and finds. Refuses to know any rule about what may be changed when.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from localaws.contract import Params
from localaws.scheduler import refusals
from localaws.scheduler.changes import Changes
from localaws.scheduler.definition import Definition
from localaws.scheduler.shelf import Key, Shelf

DEFAULT_GROUP = "default"


@dataclass(slots=True, kw_only=True)
class Group:
    """A schedule group."""

    name: str
    arn: str
    created: dt.datetime
    modified: dt.datetime
    tags: dict[str, str] = field(default_factory=dict)
    deleting: bool = False

    def members(self) -> Params:
        """As GetScheduleGroup and ListScheduleGroups answer."""
        return {
            "Arn": self.arn,
            "Name": self.name,
            "State": "DELETING" if self.deleting else "ACTIVE",
            "CreationDate": self.created,
            "LastModificationDate": self.modified,
        }


@dataclass(slots=True, kw_only=True)
class Schedule:
    """A schedule. `considered` is the moment up to which its slots have been looked at, fired or not."""

    region: str
    group: str
    name: str
    arn: str
    created: dt.datetime
    modified: dt.datetime
    definition: Definition
    considered: dt.datetime

    @property
    def key(self) -> Key:
        """Its key in its region."""
        return (self.group, self.name)

    def next_slot(self) -> dt.datetime | None:
        """The next slot to fire; None while it is disabled, and when there is none any more."""
        return self.definition.timing.next_after(self.considered) if self.definition.enabled else None

    def members(self) -> Params:
        """As GetSchedule answers."""
        return {
            "Arn": self.arn,
            "GroupName": self.group,
            "Name": self.name,
            "CreationDate": self.created,
            "LastModificationDate": self.modified,
        } | self.definition.members

    def summary(self) -> Params:
        """As ListSchedules answers."""
        listed = ("Arn", "Name", "GroupName", "State", "CreationDate", "LastModificationDate")
        members = self.members()
        return {name: members[name] for name in listed} | {"Target": {"Arn": members["Target"]["Arn"]}}


class Region:
    """Groups and schedules of one region; the group `default` is always there (documented: UG, "Schedule groups")."""

    def __init__(self, name: str, account: str, now: dt.datetime) -> None:
        self.name = name
        self._account = account
        self.groups: Shelf[Group] = Shelf()
        self.schedules: Shelf[Schedule] = Shelf()
        self.changes = Changes()
        self.groups.add(
            (DEFAULT_GROUP,), Group(name=DEFAULT_GROUP, arn=self.group_arn(DEFAULT_GROUP), created=now, modified=now)
        )

    def group_arn(self, group: str) -> str:
        """The ARN of a schedule group of this name."""
        return f"arn:aws:scheduler:{self.name}:{self._account}:schedule-group/{group}"

    def schedule_arn(self, key: Key) -> str:
        """The ARN of a schedule under this key."""
        return f"arn:aws:scheduler:{self.name}:{self._account}:schedule/{'/'.join(key)}"

    def group(self, name: str) -> Group:
        """The group of this name.

        Raises:
            AwsError: ResourceNotFoundException.
        """
        if (group := self.groups.get((name,))) is None:
            raise refusals.no_group(name)
        return group
