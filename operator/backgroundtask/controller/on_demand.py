"""The annotation run-requested-at: another value than the handled one asks for a run, once, whatever happens meanwhile.

The value that a task comes with is only recorded: a cluster that is restored, or built anew from Git, runs nothing. The
run is made before the value counts as handled, and the value is its name, so that a crash in between makes no second
one. Launches nothing.
"""

from backgroundtask.api.names import PAUSED, RUN_REQUESTED_AT
from backgroundtask.controller.ledger import Ledger
from backgroundtask.plan.runs import run_for_request
from backgroundtask.plan.status import Subject

_NEVER_LOOKED_AT = -1


def answer(task: Subject, ledger: Ledger) -> str | None:
    """Make the run that the annotation asks for, or one an item; the value that counts as handled after that.

    Raises:
        Expected: a run cannot be made; then the value is not handled.
    """
    asked, handled = task.run_request, task.status.last_handled_run_at
    if asked is None or asked == handled:
        return handled
    if task.status.observed_generation == _NEVER_LOOKED_AT:
        return asked
    if task.spec is None or task.metadata.annotations.get(PAUSED) == "true":
        return handled
    value = task.metadata.annotations[RUN_REQUESTED_AT]
    items = enumerate(task.spec.for_each) if task.spec.for_each else [(None, None)]
    for index, item in items:
        ledger.create(run_for_request(task.metadata, value, item=item, index=index))
    return asked
