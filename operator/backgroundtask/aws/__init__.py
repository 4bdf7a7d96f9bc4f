"""Amazon Web Services as the operator uses them: adapters that speak our nouns and raise our three errors.

Only this package knows boto3. It judges nothing: what is wanted, and what a difference means, is decided in `plan`.
"""

from backgroundtask.aws.cloud import Cloud, Clouds
from backgroundtask.aws.ecr import Repositories
from backgroundtask.aws.ecs import Cluster, Ecs
from backgroundtask.aws.inspection import Feed, Inspection, Trust
from backgroundtask.aws.launching import Known, Launched, NotStarted, Started
from backgroundtask.aws.line import Urgency
from backgroundtask.aws.log_events import Line, LogEvents, Page
from backgroundtask.aws.logs import LogGroups
from backgroundtask.aws.pacing import Pace, Pacing, urgency
from backgroundtask.aws.queues import Message, QueueFacts, Queues
from backgroundtask.aws.rates import DOCUMENTED, Rates, rates_of
from backgroundtask.aws.rules import Rules
from backgroundtask.aws.schedules import Group, Schedules
from backgroundtask.aws.tasks import Malformed, task_of

__all__ = [
    "DOCUMENTED",
    "Cloud",
    "Clouds",
    "Cluster",
    "Ecs",
    "Feed",
    "Group",
    "Inspection",
    "Known",
    "Launched",
    "Line",
    "LogEvents",
    "LogGroups",
    "Malformed",
    "Message",
    "NotStarted",
    "Pace",
    "Pacing",
    "Page",
    "QueueFacts",
    "Queues",
    "Rates",
    "Repositories",
    "Rules",
    "Schedules",
    "Started",
    "Trust",
    "Urgency",
    "rates_of",
    "task_of",
    "urgency",
]
