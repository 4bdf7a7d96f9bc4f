"""What the benchmark asks of the operator: tasks as an application team writes them, and events as ECS sends them.

Pure: time and names are arguments.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backgroundtask.plan.moments import stamp
from backgroundtask.plan.names import Owner, run_name
from fixtures.world import INSTALLATION

Body = dict[str, Any]

IMAGE = "busybox:1.36"
OTHER_IMAGE = "busybox:1.37"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured, and with how much of everything."""

    tasks: int
    seconds: float  # of events, at each rate
    sections: frozenset[str]

    def of_thousand(self, seconds: float) -> float:
        """An aim for 1000 tasks, for as many as there are."""
        return seconds * self.tasks / 1000

    def of(self, count: int) -> int:
        """How many there are where 1000 tasks have `count`."""
        return round(count * self.tasks / 1000)


def name(number: int) -> str:
    """The name of a task."""
    return f"bench-{number:04}"


def bodies(count: int, now: datetime, *, image: str = IMAGE, in_other_words: bool = False) -> list[Body]:
    """Tasks whose next slot is hours away.

    `in_other_words` says the same differently: env in another order, and defaults written out.
    """
    env = [{"name": "REGION", "value": "emea"}, {"name": "LEVEL", "value": "info"}, {"name": "SIZE", "value": "100"}]
    spec: Body = {
        "image": image,
        "cpu": 256,
        "memory": 512,
        "command": ["python", "-m", "reports.nightly"],
        "env": env[::-1] if in_other_words else env,
        "cron": f"0 {(now + timedelta(hours=6)).hour} * * *",
    }
    if in_other_words:
        spec |= {"timeZone": "UTC", "suspend": False, "cpuArchitecture": "X86_64", "deletionPolicy": "Delete"}
    return [
        {
            "apiVersion": "bgtask.dev/v1alpha1",
            "kind": "BackgroundTask",
            "metadata": {"name": name(number), "namespace": "default"},
            "spec": spec,
        }
        for number in range(count)
    ]


@dataclass(frozen=True, slots=True)
class Execution:
    """One ECS task of one slot of one BackgroundTask."""

    task: Body
    slot: datetime
    id: str

    @property
    def run(self) -> str:
        """The name of its BackgroundTaskRun."""
        return run_name(self.task["metadata"]["name"], self.slot)

    def message(self, version: int, status: str, region: str, account: str) -> Body:
        """What SQS holds when ECS has told EventBridge of a status (ECS, "Task state change events")."""
        arns = f"arn:aws:ecs:{region}:{account}"
        family = Owner(INSTALLATION, "default", self.task["metadata"]["name"]).family
        environment = [
            {"name": "BGT_TASK_UID", "value": self.task["metadata"]["uid"]},
            {"name": "BGT_SCHEDULED_TIME", "value": stamp(self.slot)},
        ]
        detail = {
            "taskArn": f"{arns}:task/bgt-{INSTALLATION}/{self.id}",
            "clusterArn": f"{arns}:cluster/bgt-{INSTALLATION}",
            "taskDefinitionArn": f"{arns}:task-definition/{family}:1",
            "group": f"family:{family}",
            "version": version,
            "lastStatus": status,
            "desiredStatus": "RUNNING",
            "launchType": "FARGATE",
            "createdAt": stamp(self.slot),
            **({"startedAt": stamp(self.slot)} if status == "RUNNING" else {}),
            "containers": [{"name": "aws-bg-task", "lastStatus": status}],
            "overrides": {"containerOverrides": [{"name": "aws-bg-task", "environment": environment}]},
        }
        event = {
            "version": "0",
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.id}/{version}")),
            "detail-type": "ECS Task State Change",
            "source": "aws.ecs",
            "account": account,
            "time": stamp(self.slot),
            "region": region,
            "resources": [detail["taskArn"]],
            "detail": detail,
        }
        return {"run": self.run, "version": version, "body": json.dumps(event)}


def executions(tasks: list[Body], count: int, first: datetime) -> list[Execution]:
    """`count` executions, each of a slot of its own, in turn of all tasks; slots are a minute apart."""
    return [
        Execution(tasks[at % len(tasks)], first + timedelta(minutes=at // len(tasks)), uuid.uuid4().hex)
        for at in range(count)
    ]
