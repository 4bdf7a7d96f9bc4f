"""Which revisions may not be retired though nothing points at them any more: those that a run may still start from.

Knows runs; when a schedule can no longer start one, `changes` knows.
"""

import json
from collections.abc import Iterable

from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.plan.identity import has_ended


def revisions_in_use(runs: Iterable[BackgroundTaskRun]) -> frozenset[str]:
    """The revisions (ARNs) of runs that have not ended, and those of frozen launches, which may be sent again."""
    alive = [run.status for run in runs if not has_ended(run)]
    frozen = (_revision_in(one.launch.request) for one in alive if one.launch)
    return frozenset(filter(None, (*(one.task_definition_arn for one in alive), *frozen)))


def _revision_in(request: str) -> str | None:
    try:
        arn = json.loads(request)["taskDefinition"]
    except (ValueError, LookupError, TypeError):  # somebody edited the status
        return None
    return arn if isinstance(arn, str) else None
