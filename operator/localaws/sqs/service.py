"""Amazon SQS as one of localaws' services: operations to functions, regions to their queues, start and stop."""

from __future__ import annotations

from collections.abc import Callable

from localaws.contract import Call, Params, World
from localaws.lag import Lag
from localaws.sqs import refusals, sending, settling
from localaws.sqs.administration import Administration
from localaws.sqs.habits import Chance, Habits
from localaws.sqs.receiving import MOST_IN_FLIGHT, Receiving
from localaws.sqs.region import Region

Operation = Callable[[Region, Call], Params]


class SqsService:
    """Amazon SQS; see the package for what it knows. Of a queue `most_in_flight` messages can be in flight at once."""

    name = "sqs"

    def __init__(self, world: World, *, most_in_flight: int = MOST_IN_FLIGHT) -> None:
        self._account = world.account
        self._regions: dict[str, Region] = {}
        self._chance = Chance()
        self._receiving = Receiving(self._chance, most_in_flight=most_in_flight)
        self.lag = Lag(world.clock)
        queues = Administration(world, self.lag)
        self._operations: dict[str, Operation] = {
            "CreateQueue": queues.create,
            "GetQueueUrl": queues.get_url,
            "ListQueues": queues.list,
            "ListDeadLetterSourceQueues": queues.sources,
            "DeleteQueue": queues.delete,
            "PurgeQueue": queues.purge,
            "GetQueueAttributes": queues.attributes,
            "SetQueueAttributes": queues.set_attributes,
            "AddPermission": queues.add_permission,
            "RemovePermission": queues.remove_permission,
            "TagQueue": queues.tag,
            "UntagQueue": queues.untag,
            "ListQueueTags": queues.tags,
            "SendMessage": sending.send,
            "SendMessageBatch": sending.send_batch,
            "DeleteMessage": settling.delete,
            "DeleteMessageBatch": settling.delete_batch,
            "ChangeMessageVisibility": settling.change,
            "ChangeMessageVisibilityBatch": settling.change_batch,
        }

    @property
    def habits(self) -> Habits:
        """What is delivered twice or out of order."""
        return self._chance.habits

    def be(self, habits: Habits) -> None:
        """Take on habits, and begin their chance anew."""
        self._chance.be(habits)

    async def handle(self, call: Call) -> Params:
        """Answer one call; only a long poll waits.

        Raises:
            AwsError: as AWS answers; UnsupportedOperation for what localaws does not offer.
        """
        region = self._region(call.region)
        operation = self._operations.get(call.operation)
        if operation is not None:
            try:
                return operation(region, call)
            finally:
                self.lag.tell(call)
        if call.operation == "ReceiveMessage":
            return await self._receiving.receive(region, call)
        raise refusals.unsupported(f"localaws does not offer {call.operation}.")

    def policy(self, region: str, name: str) -> str | None:
        """The resource policy of a queue as JSON; None where it has none.

        Raises:
            AwsError: NonExistentQueue.
        """
        return self._region(region).by_name(name, self._account).settings.texts.get("Policy")

    def counts(self) -> list[Params]:
        """All queues with the numbers of their messages."""
        return [queue.counts() for region in self._regions.values() for queue in region.queues.values()]

    async def start(self) -> None:
        """Nothing runs by itself: time passes for messages when somebody looks."""

    async def stop(self) -> None:
        """Let go all long polls."""
        for region in self._regions.values():
            for queue in region.queues.values():
                queue.close()

    def _region(self, name: str) -> Region:
        if name not in self._regions:
            self._regions[name] = Region(name, self._account)
        return self._regions[name]
