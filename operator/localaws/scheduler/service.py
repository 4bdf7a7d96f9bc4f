"""EventBridge Scheduler as one of localaws' services: operations to methods, regions to their state, start and stop.

Knows nothing of HTTP, and nothing of any target: what fires goes through `World.call`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
from collections.abc import Awaitable, Callable

from localaws.contract import Call, NoSuchControlError, Params, World
from localaws.lag import Lag
from localaws.scheduler.groups import Groups
from localaws.scheduler.ignition import Ignition
from localaws.scheduler.request import input_shape
from localaws.scheduler.schedules import Schedules
from localaws.scheduler.state import Region, Schedule
from localaws.scheduler.target import FIRED
from localaws.triggers.lapses import parse_lapses

_Operation = Callable[[Region, Call], Awaitable[Params]]
_GROUP_DELETION = dt.timedelta(seconds=5)  # assumed: AWS says that it takes a while, not how long


def _execution_id() -> str:
    return secrets.token_hex(8)


class SchedulerService:
    """EventBridge Scheduler.

    Args:
        world: clock, background tasks, and the services that schedules call.
        firing_delay: how long after its slot a schedule fires, 0 to 60 seconds as on AWS.
        group_deletion: how long a deleted group stays DELETING, in virtual time.
        new_id: makes the execution id of an attempt.
    """

    name = "scheduler"

    def __init__(
        self,
        world: World,
        *,
        firing_delay: dt.timedelta = dt.timedelta(0),
        group_deletion: dt.timedelta = _GROUP_DELETION,
        new_id: Callable[[], str] = _execution_id,
    ) -> None:
        self._world = world
        self._regions: dict[str, Region] = {}
        self._ignition = Ignition(world, delay=firing_delay, new_id=new_id, completed=self._complete)
        self.lag = Lag(world.clock)
        self._schedules = Schedules(world, self._ignition, self.lag)
        groups = Groups(world, self._ignition, self._schedules, self.lag, deletion=group_deletion)
        self._operations: dict[str, _Operation] = {
            "CreateSchedule": self._schedules.create,
            "UpdateSchedule": self._schedules.update,
            "GetSchedule": self._schedules.get,
            "DeleteSchedule": self._schedules.delete,
            "ListSchedules": self._schedules.list,
            "CreateScheduleGroup": groups.create,
            "GetScheduleGroup": groups.get,
            "ListScheduleGroups": groups.list,
            "DeleteScheduleGroup": groups.delete,
            "TagResource": groups.tag,
            "UntagResource": groups.untag,
            "ListTagsForResource": groups.tags,
        }

    async def handle(self, call: Call) -> Params:
        """Answer one call; every operation of the API's model is there.

        Raises:
            AwsError: ValidationException, ConflictException, ResourceNotFoundException, ServiceQuotaExceededException.
        """
        try:
            return await self._operations[call.operation](self._region(call.region), call)
        finally:
            self.lag.tell(call)

    controls = (("GET", ""), ("PUT", ""))

    def control(self, method: str, path: str, wanted: Params) -> Params:
        """Say, or be told with PUT, which firings are delivered twice or late; see `contract.Controlled`.

        Raises:
            NoSuchControlError: nothing else is driven here.
            ValueError: the lapses make no sense.
        """
        if path or method not in {"GET", "PUT"}:
            raise NoSuchControlError("schedules are driven by GET and PUT /_localaws/scheduler")
        if method == "PUT":
            self._ignition.lapses = parse_lapses(wanted)
        return self._ignition.lapses.as_json()

    async def start(self) -> None:
        """Begin to fire."""
        for service, operation in FIRED:  # models are large: they are read here, not later on the loop
            await asyncio.to_thread(input_shape, service, operation)
        self._ignition.start()

    async def stop(self) -> None:
        """Stop firing, and give up what is being delivered."""
        await self._ignition.stop()

    def _region(self, name: str) -> Region:
        if name not in self._regions:
            self._regions[name] = Region(name, self._world.account, self._world.clock.now())
        return self._regions[name]

    def _complete(self, schedule: Schedule) -> None:
        # Documented: UG, "Deleting a schedule": gone after the last invocation, be it one-time or recurring.
        region = self._region(schedule.region)
        if schedule.definition.deletes_itself and region.schedules.get(schedule.key) is schedule:
            self._schedules.remove(region, schedule)
