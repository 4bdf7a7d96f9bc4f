"""The annotation force-orphan: an object that is being deleted goes, whatever AWS says, and people are told what stays.

It counts on objects that are being deleted and on no others: set in advance, it would turn the next outage into a leak.
"""

from collections.abc import Sequence

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.names import FORCE_ORPHAN
from backgroundtask.controller.context import Context, log
from backgroundtask.errors import Expected
from backgroundtask.kube.resource import REPOSITORIES, RUNS, TASKS, Ref

_SHOWN = 10  # names in an Event, which holds 1024 bytes; the log has all


def is_forced(metadata: ObjectMeta) -> bool:
    """Whether it is to go whatever AWS says."""
    return metadata.deletion_timestamp is not None and metadata.annotations.get(FORCE_ORPHAN) == "true"


def tell_left(context: Context, ref: Ref, why: Exception, left: Sequence[str]) -> None:
    """Say of an object that goes what it leaves behind: names of schedules, ARNs; `why` kept it from being ended."""
    reason = (
        f"{why.reason}: {why.message.rstrip('.')}" if isinstance(why, Expected) else "a bug, see the operator's log"
    )
    shown = [*left[:_SHOWN], *([f"and {len(left) - _SHOWN} more, see the log"] if len(left) > _SHOWN else [])]
    context.recorder.emit(
        ref,
        type="Warning",
        reason="Orphaned",
        message=f"Let go by {FORCE_ORPHAN}; left in AWS: {', '.join(shown) or 'nothing known'}. The cause: {reason}.",
    )
    log.warning(
        "%s %s/%s is let go by %s (%s); left: %s",
        ref.resource.kind, ref.namespace, ref.name, FORCE_ORPHAN, reason, ", ".join(left) or "nothing known",
        extra={"reason": "Orphaned", **_fields(ref)},
        exc_info=None if isinstance(why, Expected) else why,
    )  # fmt: skip


def _fields(ref: Ref) -> dict[str, str]:
    """What a line about the object holds for machines, as in all other lines."""
    if ref.resource in (TASKS, REPOSITORIES):
        return {"task" if ref.resource == TASKS else "repository": f"{ref.namespace}/{ref.name}"}
    return {"run" if ref.resource == RUNS else "template": ref.name}


class Unheeded:
    """Tells once of each object that the annotation does nothing on it yet."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._told: set[str] = set()

    def tell(self, ref: Ref, metadata: ObjectMeta) -> None:
        """Say so where it is so."""
        if metadata.annotations.get(FORCE_ORPHAN) != "true" or metadata.deletion_timestamp is not None:
            self._told.discard(ref.uid)
            return
        if ref.uid in self._told:
            return
        self._told.add(ref.uid)
        message = (
            f"{FORCE_ORPHAN} counts only once this {ref.resource.kind} is being deleted: until then it is ignored."
        )
        self._context.recorder.emit(ref, type="Warning", reason="ForceOrphanIgnored", message=message)
