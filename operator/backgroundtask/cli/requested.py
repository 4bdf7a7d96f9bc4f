"""What a person asks for, as BackgroundTaskRuns: the same objects that `kubectl create -f` would take. Pure.

Knows names, labels and owners of such runs, and which items there are. What a template allows is judged by the
operator, which says so in the run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from backgroundtask.api.names import API_VERSION, RUN_KIND, TASK_KIND, TASK_LABEL, TRIGGER_LABEL
from backgroundtask.api.parsing import parse_run
from backgroundtask.api.task import BackgroundTask
from backgroundtask.errors import Rejected
from backgroundtask.plan.identity import BY_HAND

_ITEMS_SHOWN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a run shall have otherwise than its task, in the words of `BackgroundTaskRun.spec`."""

    overrides: Mapping[str, Any] = field(default_factory=dict, repr=False)
    item: str | None = None
    scheduled_time: str | None = None
    ttl: int | None = None

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> "Wish":
        """What a run was asked for with; a cancelled run can be wished for again."""
        return cls(
            overrides=spec.get("overrides") or {},
            item=spec.get("item"),
            scheduled_time=spec.get("scheduledTime"),
            ttl=spec.get("ttlSecondsAfterFinished"),
        )


def runs(task: BackgroundTask, wish: Wish, *, suffix: str) -> list[dict[str, Any]]:
    """The runs of one request: one, or one for each item of a task with forEach where the wish names none.

    Raises:
        Rejected: an item that the task does not have, or overrides that no API server would take.
    """
    name = f"{task.metadata.name}-{suffix}"
    if not task.spec.for_each or wish.item is not None:
        return [_run(task, wish, name=name, item=_known(task, wish.item))]
    items = enumerate(task.spec.for_each)
    return [_run(task, wish, name=f"{name}-{index}", item=item) for index, item in items]


def _known(task: BackgroundTask, item: str | None) -> str | None:
    items = task.spec.for_each
    if item is None or item in items:
        return item
    if not items:
        raise Rejected("UnknownItem", f"{task.metadata.name} has no forEach, so there is no item to run: leave it out")
    raise Rejected("UnknownItem", f"{task.metadata.name} has no such item; it has {_listed(items)}")


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - _ITEMS_SHOWN} more" if len(items) > _ITEMS_SHOWN else ""
    return ", ".join(items[:_ITEMS_SHOWN]) + more


def _run(task: BackgroundTask, wish: Wish, *, name: str, item: str | None) -> dict[str, Any]:
    metadata = task.metadata
    optional = {
        "overrides": dict(wish.overrides) or None,
        "item": item,
        "scheduledTime": wish.scheduled_time,
        "ttlSecondsAfterFinished": wish.ttl,
    }
    body = {
        "apiVersion": API_VERSION,
        "kind": RUN_KIND,
        "metadata": {
            "name": name,
            "namespace": metadata.namespace,
            "labels": {TASK_LABEL: metadata.name, TRIGGER_LABEL: BY_HAND},
            # As `kubectl create job --from=cronjob/…` does: no blockOwnerDeletion, which would take a right more.
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": TASK_KIND,
                    "name": metadata.name,
                    "uid": metadata.uid,
                    "controller": True,
                }
            ],
        },
        "spec": {"task": metadata.name} | {key: value for key, value in optional.items() if value is not None},
    }
    parse_run(body)  # says in words, and without values, what the API server would refuse
    return body
