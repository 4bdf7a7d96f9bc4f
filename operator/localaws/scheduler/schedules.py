"""The five operations on schedules.

Knows what may be done to a schedule when. Refusals come in this order (assumed): the request, its role, what it names.
"""

from __future__ import annotations

from localaws.contract import Call, Params, World
from localaws.lag import Lag
from localaws.scheduler import refusals
from localaws.scheduler.definition import Definition, read_definition
from localaws.scheduler.ignition import Ignition
from localaws.scheduler.role import Roles
from localaws.scheduler.shelf import Key
from localaws.scheduler.state import DEFAULT_GROUP, Region, Schedule


class Schedules:
    """CreateSchedule, UpdateSchedule, GetSchedule, DeleteSchedule and ListSchedules."""

    def __init__(self, world: World, ignition: Ignition, lag: Lag) -> None:
        self._world = world
        self._lag = lag
        self._ignition = ignition
        self._roles = Roles(world)

    async def create(self, region: Region, call: Call) -> Params:
        """CreateSchedule."""
        definition = await self._definition(region, call)
        key = _key(call)
        group = region.group(key[0])
        if region.schedules.get(key):
            if (repeated := region.changes.answer(key, call)) is not None:
                return repeated
            raise refusals.conflict(f"Schedule {key[1]} already exists.")  # reported
        if group.deleting:
            raise _group_is_going(key[0])
        self._add(region, key, definition)
        return region.changes.remember(key, call, {"ScheduleArn": region.schedule_arn(key)})

    async def update(self, region: Region, call: Call) -> Params:
        """UpdateSchedule: what is not given goes back to its default (documented: API)."""
        definition = await self._definition(region, call)
        schedule = self._find(region, call)
        if region.group(schedule.group).deleting:
            raise _group_is_going(schedule.group)
        considered = self._ignition.fire_due()
        timing = definition.timing.resuming(schedule.definition.timing)
        if timing is definition.timing:
            considered = timing.opening
        elif timing.once:  # one that has not run yet still does, late if it was disabled at its time (assumed)
            considered = schedule.considered
        schedule.definition = definition.with_timing(timing)
        schedule.considered = considered
        schedule.modified = self._world.clock.now()
        self._ignition.set(schedule)
        return region.changes.remember(schedule.key, call, {"ScheduleArn": schedule.arn})

    async def get(self, region: Region, call: Call) -> Params:
        """GetSchedule."""
        schedule = self._find(region, call)
        if not self._lag.shows(schedule.arn):
            raise refusals.no_schedule(schedule.name)
        return schedule.members()

    async def delete(self, region: Region, call: Call) -> Params:
        """DeleteSchedule."""
        key = _key(call)
        if not region.schedules.get(key) and region.changes.answer(key, call) is not None:
            return {}
        schedule = self._find(region, call)
        self._ignition.fire_due()
        self.remove(region, schedule)
        return region.changes.remember_deletion(key, call, self._world.clock.now())

    async def list(self, region: Region, call: Call) -> Params:
        """ListSchedules, by group and name."""
        group, state = call.params.get("GroupName"), call.params.get("State")
        prefix = call.params.get("NamePrefix", "")
        if group is not None:
            region.group(group)
        page, more = region.schedules.page(
            call.params,
            () if group is None else (group,),
            lambda schedule: (
                schedule.name.startswith(prefix)
                and state in (None, schedule.definition.members["State"])
                and self._lag.shows(schedule.arn)
            ),
        )
        return {"Schedules": [schedule.summary() for schedule in page], **more}

    def remove(self, region: Region, schedule: Schedule) -> None:
        """Take a schedule away, whoever asked for it."""
        self._ignition.drop(schedule)
        region.schedules.pop(schedule.key)
        region.changes.forget(schedule.key)

    async def _definition(self, region: Region, call: Call) -> Definition:
        definition = read_definition(call.params, region=region.name, now=self._world.clock.now())
        await self._roles.require_assumable(definition.role, region.group_arn(_key(call)[0]))
        return definition

    def _add(self, region: Region, key: Key, definition: Definition) -> None:
        now = self._world.clock.now()
        schedule = Schedule(
            region=region.name,
            group=key[0],
            name=key[1],
            arn=region.schedule_arn(key),
            created=now,
            modified=now,
            definition=definition,
            considered=definition.timing.opening,
        )
        region.schedules.add(key, schedule)
        self._lag.created(schedule.arn)
        self._ignition.set(schedule)

    def _find(self, region: Region, call: Call) -> Schedule:
        key = _key(call)
        if (schedule := region.schedules.get(key)) is None:
            raise refusals.no_schedule(key[1])
        return schedule


def _key(call: Call) -> Key:
    return (call.params.get("GroupName", DEFAULT_GROUP), call.params["Name"])


def _group_is_going(name: str) -> Exception:
    return refusals.conflict(f"Schedule group {name} is being deleted.")  # assumed: the wording
