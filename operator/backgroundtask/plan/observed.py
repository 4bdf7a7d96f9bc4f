"""What AWS holds for a task, as values. Decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from backgroundtask.plan.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A task definition that ECS holds. Marks are None where it bears none: it was registered by a stranger.

    What its tasks run and get: `image`, `cpu` (ECS CPU units), `memory` (MiB), `task_role` (ARN), `secrets`
    (references), `file_systems` (ids), and whether people may open a shell in them (`has_shell`). `retained` ones
    belong to no object.
    """

    arn: str
    digest: str | None
    owner: str | None
    uid: str | None
    task_role: str | None = None
    secrets: frozenset[str] = frozenset()
    retained: bool = False
    image: str | None = None
    file_systems: frozenset[str] = frozenset()
    has_shell: bool = False
    cpu: int | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A schedule as it stands in AWS, and when it was last changed there; EventBridge does not tell that of a rule."""

    schedule: Schedule
    arn: str
    changed: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What AWS holds for a task: the ACTIVE revisions of its family, newest first, and its schedules by their keys."""

    revisions: tuple[Revision, ...] = ()
    schedules: Mapping[str, Found] = field(default_factory=dict)
