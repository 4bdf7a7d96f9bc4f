"""How many messages wait for people: the poison queues, which nobody reads, counted for Prometheus.

What nobody can read, SQS moves there after some receives (Amazon SQS Developer Guide, "Dead-letter queues"); a message
there is an end of a run that may never have been recorded. Knows counts, and reads no message.
"""

from collections.abc import Iterable

from backgroundtask.aws import Cloud
from backgroundtask.controller import metrics
from backgroundtask.controller.context import log
from backgroundtask.errors import Busy, Expected


class PoisonQueues:
    """The poison queues of all queues that templates name. For one thread at a time a cloud."""

    def __init__(self) -> None:
        self._poison: dict[str, str] = {}  # by the queue that it belongs to
        self._told: dict[str, str] = {}  # by queue: the reason why it cannot be looked at

    def look(self, cloud: Cloud, queues: Iterable[str]) -> None:
        """Count what waits in the poison queues of `queues` (ARNs); what keeps from it is told once, and no error."""
        for queue in sorted(set(queues)):
            try:
                self._count(cloud, queue)
            except Busy:
                continue  # the last count is better than none
            except Expected as error:
                self._give_up(queue, error)

    def keep(self, queues: Iterable[str]) -> None:
        """Forget all but these: no template names the others any more."""
        for queue in self._poison.keys() - set(queues):
            self._forget(queue)

    def _count(self, cloud: Cloud, queue: str) -> None:
        poison = cloud.queues.describe(queue).poison
        if poison != self._poison.get(queue):
            self._forget(queue)
        if poison is None:
            return
        self._poison[queue] = poison
        metrics.POISON.labels(poison).set(cloud.queues.waiting(poison))
        self._told.pop(queue, None)

    def _give_up(self, queue: str, error: Expected) -> None:
        poison = self._forget(queue)
        if self._told.get(queue) == error.reason:
            return
        self._told[queue] = error.reason
        fields = {"reason": error.reason}
        log.warning(
            "Cannot count what waits in %s: %s", poison or f"the poison queue of {queue}", error.message, extra=fields
        )

    def _forget(self, queue: str) -> str | None:
        poison = self._poison.pop(queue, None)
        if poison is not None and poison not in self._poison.values():  # two queues may share one
            metrics.POISON.remove(poison)
        return poison
