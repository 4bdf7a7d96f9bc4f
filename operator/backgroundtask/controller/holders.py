"""Which runs of a task have leave to be launched: those that its status names, also where our cache knows them not.

Such a run may be another process's, and on its way to our cache. It keeps its leave until the API server says that it
is not there; then nobody waits for it any more. Gives no leave.
"""

from backgroundtask.api.task_status import TaskStatus
from backgroundtask.controller.context import Context
from backgroundtask.controller.keys import TaskKey
from backgroundtask.controller.ledger import Ledger, readable
from backgroundtask.kube.resource import RUNS


class Holders:
    """Those of one task, for one pass."""

    def __init__(self, context: Context, key: TaskKey, ledger: Ledger) -> None:
        self._context = context
        self._key = key
        self._ledger = ledger
        self._asked_for: set[str] = set()
        self._gone: set[str] = set()

    def of(self, status: TaskStatus) -> frozenset[str]:
        """The names of the runs that have leave; the cache has them then, as far as they can be read.

        Raises:
            Expected: the API server does not tell of one.
        """
        named = frozenset(one.name for one in status.active)
        for name in sorted(named - self._names() - self._asked_for):
            self._ask_for(name)
        return named - self._gone

    def heeded(self, status: TaskStatus) -> TaskStatus:
        """The status without leave for what is proved not to be there."""
        left = tuple(one for one in status.active if one.name not in self._gone)
        return status if left == status.active else status.model_copy(update={"active": left})

    def _names(self) -> frozenset[str]:
        return frozenset(run.metadata.name for run in self._ledger.runs())

    def _ask_for(self, name: str) -> None:
        body = self._context.kube.get(RUNS, self._key.namespace, name)
        self._asked_for.add(name)
        if body is not None:
            self._context.cache.put(RUNS, body)
        is_unreadable = body is not None and readable(body) is None  # whoever launched it can read it
        if name not in self._names() and not is_unreadable:
            self._gone.add(name)
