"""Amazon Web Services as the operator uses them: adapters that speak our nouns and raise our three errors.

Only this package knows boto3. It judges nothing: what is wanted, and what a difference means, is decided in `plan`.
"""

from backgroundtask.aws.cloud import Cloud, Clouds
from backgroundtask.aws.ecs import Cluster, Ecs
from backgroundtask.aws.logs import LogGroups
from backgroundtask.aws.queues import Message, QueueFacts, Queues
from backgroundtask.aws.schedules import Group, Schedules
from backgroundtask.aws.tasks import Malformed, task_of

__all__ = [
    "Cloud",
    "Clouds",
    "Cluster",
    "Ecs",
    "Group",
    "LogGroups",
    "Malformed",
    "Message",
    "QueueFacts",
    "Queues",
    "Schedules",
    "task_of",
]
