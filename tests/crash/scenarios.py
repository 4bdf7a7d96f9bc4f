"""The other faults, by name: each disturbs a whole run of the workload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from crash import aws_faults, kube_faults
from crash.disturbance import Disturbance

_ALL = ("definitions", "schedules", "ECS tasks")

SCENARIOS: Final[dict[str, Callable[[], Disturbance]]] = {
    "api-server-killed": kube_faults.ApiServerKilled,
    "watches-cut": kube_faults.WatchesCut,
    "watches-expired": kube_faults.WatchesExpire,
    "watches-refused": kube_faults.WatchesRefused,
    "status-conflicts": kube_faults.StatusConflicts,
    "messages-repeated": aws_faults.MessagesRepeated,
    "aws-down": aws_faults.AwsDown,
    "leader-paused": kube_faults.LeaderPaused,
    "denied-GetSchedule": lambda: aws_faults.Denied("GetSchedule", "image", kept=_ALL),
    "denied-ListTaskDefinitions": lambda: aws_faults.Denied("ListTaskDefinitions", "image", kept=_ALL),
    "denied-RegisterTaskDefinition": lambda: aws_faults.Denied("RegisterTaskDefinition", "image", kept=_ALL),
    "denied-DeleteSchedule": lambda: aws_faults.Denied("DeleteSchedule", "delete", kept=_ALL),
}
"""By the name that `--only` takes."""
