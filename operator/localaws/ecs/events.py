"""The "ECS Task State Change" event: its envelope.

documented: developer guide, "Amazon ECS task state change events"; EventBridge reference, "AWS service event metadata"
"""

from __future__ import annotations

import datetime as dt
import uuid

from localaws.contract import Params
from localaws.ecs import rendering
from localaws.ecs.model import Task


def task_state_change(task: Task, now: dt.datetime) -> Params:
    """Give the event for a task as it is now. Its id is derived from task and version."""
    return {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{task.arn}#{task.version}")),
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": task.place.account,
        "time": now.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "region": task.place.region,
        "resources": [task.arn],
        "detail": rendering.detail(task, now),
    }
