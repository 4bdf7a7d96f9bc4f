"""What a process may not trust when it begins to lead: its own cache, while the last leader's writes are on their way.

The watch brings them in milliseconds, but a lease that is given back is taken in milliseconds, too. Nearly every write
is fenced by the version or the UID that its writer saw; a revision or a schedule in AWS is not. Made for a task that
the last leader has just deleted, it would stay behind. So the first look at each task that is not at rest is at the
API server's newest state. A task at rest costs nothing: for it nothing is made.
"""

from collections.abc import Mapping
from typing import Any

from backgroundtask.api.parsing import read_metadata, read_task_status
from backgroundtask.controller.context import Context
from backgroundtask.controller.keys import TaskKey
from backgroundtask.controller.watch import Watcher
from backgroundtask.kube.cache import DELETED
from backgroundtask.kube.resource import TASKS
from backgroundtask.plan.status import Subject


class Doubts:
    """The tasks that may be further than our cache says. A key is asked about by one thread at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._watcher = Watcher(context)
        self._doubted: set[TaskKey] = set()

    def begin(self) -> None:
        """From now on we lead: doubt each task that we know, once."""
        self._doubted = {TaskKey(*key) for key in self._context.cache.keys(TASKS)}

    def settle(self, key: TaskKey) -> None:
        """Have the cache show the task as it is, before anything is decided about it.

        Raises:
            Expected: the API server does not tell; the doubt stays.
        """
        if key not in self._doubted:
            return
        seen = self._context.cache.task(key.namespace, key.name)
        if seen is not None and not _is_at_rest(seen):
            live = self._context.kube.get(TASKS, key.namespace, key.name)
            self._watcher.see(TASKS, DELETED if live is None else None, seen if live is None else live)
        self._doubted.discard(key)


def _is_at_rest(task: Mapping[str, Any]) -> bool:
    """Whether nothing would be done for a task that is as the cache shows it."""
    metadata = read_metadata(task)
    subject = Subject(metadata=metadata, spec=None, status=read_task_status(task))
    asks_for_run = subject.run_request not in {None, subject.status.last_handled_run_at}
    is_asked_for = subject.is_asked_for or asks_for_run
    return subject.is_ready and not is_asked_for and metadata.deletion_timestamp is None
