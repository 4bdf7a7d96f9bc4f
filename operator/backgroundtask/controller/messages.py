"""What the messages of the two queues mean: ECS tasks that were seen, and slots that somebody has to look at.

`events` brings ECS' "Task State Change" (Amazon ECS Developer Guide, "Handling events"): at least once, in any order,
without tags; the task it is for is told by its family and by two variables that the launch put into its overrides.
`ticks` brings slots that the operator is to launch, and launches that EventBridge gave up: the request that Scheduler
was to make (SendMessage, where that was to bring a tick), or the event of a rule. A dead letter means "look", never
"missed". Whoever stored what is told answers it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from backgroundtask.api.names import ENV_SCHEDULED_TIME, ENV_TASK_UID
from backgroundtask.api.parsing import read_task_status
from backgroundtask.aws import Cloud, Malformed, Message, task_of
from backgroundtask.controller import metrics
from backgroundtask.controller.context import Context, log
from backgroundtask.controller.keys import Delivery, GivenUp, TaskKey, Tick
from backgroundtask.kube.resource import TASKS, Ref
from backgroundtask.plan.moments import stamp
from backgroundtask.plan.names import Owner, owner_of_definition, owner_of_mark, slot_of
from backgroundtask.plan.outcome import Task, plain
from backgroundtask.plan.schedule import TICK

STATE_CHANGE = "ECS Task State Change"
SCHEDULED_EVENT = "Scheduled Event"
_RULE = ":rule/"  # what comes before the name in the ARN of a rule


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


class Ticks:
    """The taker of the queue `ticks`: slots that the operator is to launch, and launches that AWS gave up."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def take(self, message: Message, stored: Callable[[], None], dropped: Callable[[], None]) -> None:
        """Deliver what is told of a slot to whoever works on its BackgroundTask.

        Raises:
            Malformed: it is neither a tick, nor what a schedule or a rule of this installation was to send.
        """
        told = self._told(_document(message))
        if told is None:
            metrics.MESSAGES.labels("dropped").inc()
            stored()
            return
        key, said = told
        if "ERROR_CODE" in message.attributes or not isinstance(said, Tick):
            self._warn(key, message.attributes)
        if said is None:
            stored()
            return
        self._context.inbox.put(key, [replace(said, stored=stored, dropped=dropped)])
        self._context.queue.add(key)

    def _told(self, document: Mapping[str, Any]) -> tuple[TaskKey, Tick | GivenUp | None] | None:
        if document.get("detail-type") == SCHEDULED_EVENT:
            return self._of_rule(document)
        said = _object(document["MessageBody"], "its MessageBody") if "MessageBody" in document else document
        return self._of_tick(said) if TICK in said else self._of_request(said)

    def _of_tick(self, document: Mapping[str, Any]) -> tuple[TaskKey, Tick]:
        told = document[TICK]
        if not isinstance(told, dict):
            raise Malformed("its tick is not a JSON object")
        key = self._key(owner_of_mark(str(told.get("owner"))))
        slot = slot_of(str(told.get("slot")))
        if slot is None:
            raise Malformed("its tick names no slot")
        return key, Tick(slot, str(told.get("uid")))

    def _of_request(self, document: Mapping[str, Any]) -> tuple[TaskKey, GivenUp | None]:
        """The launch of a schedule. One that names no slot, as older schedules did, is only told of."""
        key = self._key(owner_of_definition(str(document.get("TaskDefinition", ""))))
        told = _environment(document)
        slot = slot_of(told.get(ENV_SCHEDULED_TIME, ""))
        return key, None if slot is None else GivenUp(slot, told.get(ENV_TASK_UID, ""))

    def _of_rule(self, event: Mapping[str, Any]) -> tuple[TaskKey, Tick | GivenUp] | None:
        """An event of a rule that its target refused: it names the rule, and when it was (EventBridge User Guide).

        None where the task of that rule is gone. One that has left the clock since still has the slot.
        """
        slot, resources = slot_of(str(event.get("time"))), event.get("resources")
        arns = [str(arn) for arn in resources] if isinstance(resources, list) else []
        names = {arn.rpartition(_RULE)[2] for arn in arns if _RULE in arn}
        if slot is None or not names:
            raise Malformed("its event names no time or no rule")
        for namespace, name in self._context.cache.keys(TASKS):
            raw = self._context.cache.task(namespace, name)
            if raw is not None and not names.isdisjoint(self._owner(namespace, name).schedule_names):
                return TaskKey(namespace, name), _slot_told(raw, slot)
        return None

    def _key(self, owner: Owner | None) -> TaskKey:
        if owner is None or owner.installation != self._context.settings.installation:
            raise Malformed("it names no task of this installation")
        return TaskKey(owner.namespace, owner.name)

    def _owner(self, namespace: str, name: str) -> Owner:
        return Owner(self._context.settings.installation, namespace, name)

    def _warn(self, key: TaskKey, said: Mapping[str, str]) -> None:
        """Tell on the task what AWS could not do (EventBridge User Guide, "Using dead-letter queues": ERROR_CODE)."""
        why = plain(f"{said.get('ERROR_CODE', 'no code')}: {said.get('ERROR_MESSAGE', 'no message')}")
        metrics.MESSAGES.labels("undelivered").inc()
        log.warning("Background task execution failed for taskID=%s err=%s", key, why, extra={"task": str(key)})
        raw = self._context.cache.task(key.namespace, key.name)
        if raw is None:
            return
        message = f"EventBridge could not start the run of a slot: {why}"
        self._context.recorder.emit(Ref.of(TASKS, raw), type="Warning", reason="FailedCreate", message=message)


def _slot_told(task: Mapping[str, Any], slot: datetime) -> Tick | GivenUp:
    """What a slot of a rule that came to nothing means: the event does not tell the UID, but a namesake was before."""
    metadata = task["metadata"]
    is_of_namesake = stamp(slot) < str(metadata.get("creationTimestamp", ""))
    is_queued = any(one.launch == "Queue" for one in read_task_status(task).schedules)
    return (Tick if is_queued else GivenUp)(slot, "" if is_of_namesake else str(metadata["uid"]))


def _environment(request: Mapping[str, Any]) -> dict[str, str]:
    """What a RunTask request, as Scheduler sends it, tells our container."""
    try:
        [container] = request["Overrides"]["ContainerOverrides"]
        return {str(one["Name"]): str(one["Value"]) for one in container["Environment"]}
    except (KeyError, TypeError, ValueError):
        return {}


def _document(message: Message) -> dict[str, Any]:
    return _object(message.body, "its body")


def _object(text: object, what: str) -> dict[str, Any]:
    try:
        document = json.loads(str(text))
    except ValueError as error:
        raise Malformed(f"{what} is not JSON") from error
    if not isinstance(document, dict):
        raise Malformed(f"{what} is not a JSON object")
    return document
