"""The four operations on schedule groups, and the three on their tags.

Knows that a group goes slowly: it is DELETING for a while, and its schedules may fire meanwhile (documented: API,
DeleteScheduleGroup).
"""

from __future__ import annotations

import datetime as dt

from localaws.contract import Call, Params, World
from localaws.lag import Lag
from localaws.scheduler import refusals
from localaws.scheduler.ignition import Ignition
from localaws.scheduler.schedules import Schedules
from localaws.scheduler.state import DEFAULT_GROUP, Group, Region

_MOST_GROUPS = 500  # documented: UG, "Quotas"
_MOST_TAGS = 50  # documented: UG, as for all taggable resources


class Groups:
    """CreateScheduleGroup, GetScheduleGroup, DeleteScheduleGroup, ListScheduleGroups, and tags."""

    def __init__(
        self, world: World, ignition: Ignition, schedules: Schedules, lag: Lag, *, deletion: dt.timedelta
    ) -> None:
        self._world = world
        self._lag = lag
        self._ignition = ignition
        self._schedules = schedules
        self._deletion = deletion

    async def create(self, region: Region, call: Call) -> Params:
        """CreateScheduleGroup."""
        name = call.params["Name"]
        if region.groups.get((name,)):
            if (repeated := region.changes.answer((name,), call)) is not None:
                return repeated
            raise refusals.conflict(f"Schedule group {name} already exists.")
        if len(region.groups) >= _MOST_GROUPS:
            raise refusals.over_quota(f"The limit of {_MOST_GROUPS} schedule groups is reached.")
        now = self._world.clock.now()
        group = Group(name=name, arn=region.group_arn(name), created=now, modified=now)
        _tag(group, call.params.get("Tags", []))
        region.groups.add((name,), group)
        self._lag.created(group.arn)
        return region.changes.remember((name,), call, {"ScheduleGroupArn": group.arn})

    async def get(self, region: Region, call: Call) -> Params:
        """GetScheduleGroup."""
        group = region.group(call.params["Name"])
        if not self._lag.shows(group.arn):
            raise refusals.no_group(group.name)
        return group.members()

    async def list(self, region: Region, call: Call) -> Params:
        """ListScheduleGroups, by name."""
        prefix = call.params.get("NamePrefix", "")
        page, more = region.groups.page(
            call.params, (), lambda group: group.name.startswith(prefix) and self._lag.shows(group.arn)
        )
        return {"ScheduleGroups": [group.members() for group in page], **more}

    async def delete(self, region: Region, call: Call) -> Params:
        """DeleteScheduleGroup."""
        name = call.params["Name"]
        if region.changes.answer((name,), call) is not None:
            return {}
        if name == DEFAULT_GROUP:  # documented: UG, it cannot be deleted; assumed: the wording
            raise refusals.invalid("The default schedule group cannot be deleted.")
        group = region.group(name)
        if group.deleting:  # assumed: the wording, and that it is an error
            raise refusals.conflict(f"Schedule group {name} is being deleted.")
        now = self._world.clock.now()
        group.deleting, group.modified = True, now
        self._world.spawn(self._finish(region, group, now + self._deletion))
        return region.changes.remember_deletion((name,), call, now)

    async def tag(self, region: Region, call: Call) -> Params:
        """TagResource."""
        _tag(self._tagged(region, call), call.params["Tags"])
        return {}

    async def untag(self, region: Region, call: Call) -> Params:
        """UntagResource; a key that is not there is no error."""
        group = self._tagged(region, call)
        for key in call.params["TagKeys"]:
            group.tags.pop(key, None)
        return {}

    async def tags(self, region: Region, call: Call) -> Params:
        """ListTagsForResource."""
        tags = self._tagged(region, call).tags
        return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}

    async def _finish(self, region: Region, group: Group, moment: dt.datetime) -> None:
        await self._world.clock.sleep_until(moment)
        self._ignition.fire_due()
        doomed = [schedule for key, schedule in region.schedules.after((group.name,)) if key[0] == group.name]
        for schedule in doomed:
            self._schedules.remove(region, schedule)
        region.groups.pop((group.name,))

    def _tagged(self, region: Region, call: Call) -> Group:
        arn = call.params["ResourceArn"]
        name = arn.rpartition("/")[2]
        group = region.group(name)
        if group.arn != arn:
            raise refusals.no_group(name)
        return group


def _tag(group: Group, tags: list[Params]) -> None:
    wanted = group.tags | {tag["Key"]: tag["Value"] for tag in tags}
    if len(wanted) > _MOST_TAGS:
        raise refusals.over_quota(f"The limit of {_MOST_TAGS} tags for a schedule group is reached.")
    group.tags = wanted
