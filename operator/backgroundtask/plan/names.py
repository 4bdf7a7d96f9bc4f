"""What things are called in AWS, and whose they are.

Every name is derived: the same task gives the same names after a crash, in a rebuilt cluster and in the other replica,
so a repeated write meets what the first one left. Knows the charsets and lengths that AWS allows; asks AWS nothing.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

_SCHEDULE_NAME_LENGTH = 64  # EventBridge Scheduler API, CreateSchedule: Name
_STARTED_BY_LENGTH = 128  # Amazon ECS API, RunTask: startedBy, letters, digits, '-', '/', '_'
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAMILY = re.compile(r"bgt_(?P<installation>[a-z0-9]{1,16})_(?P<namespace>[a-z0-9-]{1,63})_(?P<name>[a-z0-9-]{1,52})")
_MARK = re.compile(r"(?P<installation>[a-z0-9]{1,16})/(?P<namespace>[a-z0-9-]{1,63})/(?P<name>[a-z0-9-]{1,52})")


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """Whose an AWS object is: a task of one namespace of one installation. Survives a new UID of the same task."""

    installation: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.installation}/{self.namespace}/{self.name}"

    @property
    def family(self) -> str:
        """The task definition family. `_` cannot occur in Kubernetes names, so no two owners share one."""
        return f"bgt_{self.installation}_{self.namespace}_{self.name}"

    @property
    def started_by(self) -> str:
        """Who started a task, for people who read the ECS console."""
        return str(self)[:_STARTED_BY_LENGTH]

    @property
    def token_prefix(self) -> str:
        """The 33 characters before the slot in a client token (64 characters at most)."""
        return f"{self._digest[:32]}-"

    def schedule_name(self, part: int) -> str:
        """The name of the first (0) or second (1) schedule of a task, unique within the installation's group."""
        mark = "-" if part == 0 else f"_{part + 1}-"
        return f"{self.schedule_prefix}{mark}{self.namespace}-{self.name}"[:_SCHEDULE_NAME_LENGTH]

    @property
    def schedule_prefix(self) -> str:
        """What the names of a task's schedules begin with, and no other task's."""
        return self._digest[:10]

    @property
    def schedule_names(self) -> tuple[str, str]:
        """Every name that a schedule of this task can have."""
        return self.schedule_name(0), self.schedule_name(1)

    @property
    def _digest(self) -> str:
        return hashlib.sha256(str(self).encode()).hexdigest()


def owner_of_family(family: str) -> Owner | None:
    """The owner that a family's name tells, or None where it is not one of ours."""
    found = _FAMILY.fullmatch(family)
    return Owner(**found.groupdict()) if found else None


def owner_of_mark(mark: str | None) -> Owner | None:
    """The owner that a mark tells (`str` of an Owner), or None where it tells none."""
    found = _MARK.fullmatch(mark or "")
    return Owner(**found.groupdict()) if found else None


def owner_of_definition(arn: str) -> Owner | None:
    """The owner of a task definition by its ARN (`…:task-definition/<family>:<revision>`), or None for a stranger's."""
    return owner_of_family(arn.rpartition("/")[2].partition(":")[0])


def family_prefix(installation: str) -> str:
    """What every family of an installation begins with: the pattern of the rule that collects task events."""
    return f"bgt_{installation}_"


def run_name(task: str, slot: datetime) -> str:
    """The name of the run of a slot. It is the slot's lock: a name exists once (kube-controller-manager names Jobs so).

    `slot` is aware; its seconds do not count, as EventBridge promises no more than the minute.
    """
    return f"{task}-{int(slot.timestamp()) // 60}"


def slot_of(text: str) -> datetime | None:
    """The slot that `BGT_SCHEDULED_TIME` tells (`2022-03-22T18:59:43Z`), or None where it tells none.

    Whoever may run tasks may write it, so it can be anything; what lies before 1970 has no run name.
    """
    try:
        slot = datetime.fromisoformat(text)
        return slot.astimezone(UTC) if slot.tzinfo and slot >= _EPOCH else None
    except (ValueError, OverflowError):  # a moment of the year 9999 may lie in the next one in UTC
        return None
