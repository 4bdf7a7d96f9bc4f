"""The words that the operator and the outside world have to spell alike: group, kinds, annotations, labels, prefixes.

Changing any of them strands what is already stored in clusters and in AWS.
"""

from typing import Final

GROUP: Final = "bgtask.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "bgtasks"

TASK_KIND: Final = "BackgroundTask"
TASK_PLURAL: Final = "backgroundtasks"
RUN_KIND: Final = "BackgroundTaskRun"
RUN_PLURAL: Final = "backgroundtaskruns"
TEMPLATE_KIND: Final = "LaunchTemplate"
TEMPLATE_PLURAL: Final = "launchtemplates"
REPOSITORY_KIND: Final = "ImageRepository"
REPOSITORY_PLURAL: Final = "imagerepositories"

FINALIZER: Final = f"{GROUP}/finalizer"

RECONCILE_REQUESTED_AT: Final = f"{GROUP}/reconcile-requested-at"
"""Annotation: another value than the handled one asks for a reconcile now."""
RUN_REQUESTED_AT: Final = f"{GROUP}/run-requested-at"
"""Annotation: another value than the handled one asks for a run; the value found at first sight is only recorded."""
PAUSED: Final = f"{GROUP}/paused"
"""Annotation: `"true"` leaves the object and its AWS side alone until it is gone."""
FORCE_ORPHAN: Final = f"{GROUP}/force-orphan"
"""Annotation: `"true"` lets go of AWS objects that cannot be deleted."""

TASK_LABEL: Final = f"{GROUP}/task"
"""Label of a run: the name of its task."""
TRIGGER_LABEL: Final = f"{GROUP}/trigger"
"""Label of a run: what asked for it."""

LAUNCH_LABEL: Final = f"{GROUP}/launch"
"""Label of a run of a schedule: `Queue` where the operator has to launch it, absent where the schedule does."""

MAIN_CONTAINER: Final = "aws-bg-task"
"""The container whose exit code decides the outcome of an ECS task."""
ENV_PREFIX: Final = "BGT_"
"""Environment variables that begin with it are the operator's."""
ENV_TASK_UID: Final = f"{ENV_PREFIX}TASK_UID"
ENV_SCHEDULED_TIME: Final = f"{ENV_PREFIX}SCHEDULED_TIME"
ENV_RUN: Final = f"{ENV_PREFIX}RUN"
"""Name of the run, in ECS tasks that the operator launched."""
ENV_RUN_UID: Final = f"{ENV_PREFIX}RUN_UID"
ENV_ITEM: Final = f"{ENV_PREFIX}ITEM"
TAG_PREFIX: Final = f"{GROUP}/"
"""AWS tags whose keys begin with it are the operator's."""

MAX_TASK_NAME: Final = 52
"""CronJob's limit for the same reason: `<task>-<unix minutes>` has to fit the 63 characters of a label."""
MAX_RUN_NAME: Final = 100
"""`<task>-<unix minutes>-<item>` fits, and what people and generateName make of it."""
MAX_LABEL: Final = 63
"""Longest DNS label (RFC 1123), and longest value of a Kubernetes label."""
