"""What the messages of the two queues mean: task events become deliveries, dead letters become warnings.

`events` brings ECS' "Task State Change" (Amazon ECS Developer Guide, "Handling events"): at least once, in any order,
without tags; the task it is for is told by its family and by two variables that the launch put into its overrides.
`ticks` brings launches that EventBridge Scheduler gave up. A dead letter means "look", never "missed".
"""

import json
from collections.abc import Callable
from typing import Any

from backgroundtask.aws import Cloud, Malformed, Message, task_of
from backgroundtask.controller import metrics
from backgroundtask.controller.context import Context, log
from backgroundtask.controller.keys import Delivery, TaskKey
from backgroundtask.kube.resource import TASKS, Ref
from backgroundtask.plan.names import owner_of_definition
from backgroundtask.plan.outcome import Task, plain

STATE_CHANGE = "ECS Task State Change"


class Events:
    """The taker of the queue `events`."""

    def __init__(self, context: Context, cloud: Cloud) -> None:
        self._context = context
        self._cloud = cloud

    def take(self, message: Message, stored: Callable[[], None], dropped: Callable[[], None]) -> None:
        """Deliver a task to whoever works on its BackgroundTask; what is nobody's is dropped and counted.

        Raises:
            Malformed: it is no event, or tells no task.
            Expected: AWS cannot be asked for what the event leaves out.
        """
        event = _document(message)
        if event.get("detail-type") != STATE_CHANGE:
            raise Malformed(f"its detail-type is not {STATE_CHANGE}")
        task = task_of(event.get("detail") or {})
        key = self._key(task)
        if key is None:
            metrics.MESSAGES.labels("dropped").inc()
            stored()
            return
        self._context.inbox.put(key, [Delivery(self._complete(task), stored, dropped)])
        self._context.queue.add(key)

    def _key(self, task: Task) -> TaskKey | None:
        owner = owner_of_definition(task.definition_arn)
        if owner is None or owner.installation != self._context.settings.installation:
            return None
        return TaskKey(owner.namespace, owner.name)

    def _complete(self, task: Task) -> Task:
        """The task with its overrides: DescribeTasks has them where an event does not."""
        if task.uid is not None:
            return task
        described, _ = self._cloud.ecs.tasks(task.cluster, [task.arn])
        return described.get(task.arn, task)


class DeadLetters:
    """The taker of the queue `ticks`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def take(self, message: Message, stored: Callable[[], None], dropped: Callable[[], None]) -> None:
        """Warn on the task that EventBridge Scheduler could not start.

        Raises:
            Malformed: it is not the request of a launch.
        """
        del dropped  # nothing here waits
        owner = owner_of_definition(str(_document(message).get("TaskDefinition", "")))
        if owner is None or owner.installation != self._context.settings.installation:
            raise Malformed("it names no task definition of this installation")
        raw = self._context.cache.task(owner.namespace, owner.name)
        code = message.attributes.get("ERROR_CODE", "no code")
        why = plain(f"{code}: {message.attributes.get('ERROR_MESSAGE', 'no message')}")
        metrics.MESSAGES.labels("undelivered").inc()
        task = f"{owner.namespace}/{owner.name}"
        log.warning("Background task execution failed for taskID=%s err=%s", task, why, extra={"task": task})
        if raw is not None:
            self._context.recorder.emit(
                Ref.of(TASKS, raw),
                type="Warning",
                reason="FailedCreate",
                message=f"EventBridge Scheduler could not start the ECS task: {why}",
            )
        stored()


def _document(message: Message) -> dict[str, Any]:
    try:
        document = json.loads(message.body)
    except ValueError as error:
        raise Malformed("its body is not JSON") from error
    if not isinstance(document, dict):
        raise Malformed("its body is not a JSON object")
    return document
