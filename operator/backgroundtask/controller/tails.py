"""The last lines of failed runs, fetched after their ends were stored: no end waits for them, and nothing else depends.

What CloudWatch refuses is logged once the last look has failed; it keeps no run and no task waiting.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backgroundtask.api.run import TAIL_LINES, BackgroundTaskRun
from backgroundtask.controller.context import Context, log
from backgroundtask.controller.ledger import Ledger
from backgroundtask.errors import Expected, Paced
from backgroundtask.plan.tails import LOOKS, as_event, next_look, with_tail


@dataclass(slots=True)
class Looks:
    """How often one process has looked for the last lines of each run of a task, by the run's UID."""

    made: dict[str, int] = field(default_factory=dict)
    not_before: datetime | None = None  # AWS is to be asked no sooner

    def keep(self, uids: set[str]) -> None:
        """Forget all runs but these."""
        for gone in self.made.keys() - uids:
            del self.made[gone]


class Tails:
    """Those of one task's runs."""

    def __init__(self, context: Context, template: str, ledger: Ledger, looks: Looks) -> None:
        self._context = context
        self._template = template
        self._ledger = ledger
        self._looks = looks

    def fetch(self) -> datetime | None:
        """Look for what is due, store and tell it; when the next look is due.

        Raises:
            Busy: Conflict, where a run has changed meanwhile, or the API server is in the way.
        """
        runs = self._ledger.runs()
        self._looks.keep({run.metadata.uid for run in runs})
        for run in runs:
            due = self._due(run)
            if due is not None and due <= self._context.now():
                self._look(run)
        return min(filter(None, map(self._due, self._ledger.runs())), default=None)

    def _due(self, run: BackgroundTaskRun) -> datetime | None:
        due = next_look(run, self._looks.made.get(run.metadata.uid, 0), self._context.now())
        return max(due, self._looks.not_before) if due and self._looks.not_before else due

    def _look(self, run: BackgroundTaskRun) -> None:
        made, uid = self._looks.made, run.metadata.uid
        try:
            lines = self._lines(run)
        except Paced as turn:
            self._looks.not_before = self._context.now() + timedelta(seconds=turn.retry_after)
            return
        except Expected as error:
            lines = ()
            if made.get(uid, 0) + 1 == len(LOOKS):
                _complain(run, error)
        self._store(run, lines)
        made[uid] = made.get(uid, 0) + 1

    def _lines(self, run: BackgroundTaskRun) -> tuple[str, ...]:
        logs = run.status.logs
        if logs is None or logs.group is None or logs.stream is None:
            return ()
        cloud = self._context.cloud(self._context.site(self._template))
        cloud.pace.reserve("GetLogEvents", service="cloudwatch-logs", patience=0.0)  # no worker waits for a tail
        return cloud.log_events.tail(logs.group, logs.stream, TAIL_LINES)

    def _store(self, run: BackgroundTaskRun, lines: tuple[str, ...]) -> None:
        found = with_tail(run.status.logs, lines) if run.status.logs else None
        if found is None or not found.tail:
            return
        if self._ledger.status(run, run.status.model_copy(update={"logs": found})) is not None:
            self._ledger.tell_of(run, "LogTail", as_event(found.tail), kind="Warning")


def _complain(run: BackgroundTaskRun, error: Expected) -> None:
    name = f"{run.metadata.namespace}/{run.metadata.name}"
    told = {"run": name, "reason": error.reason}
    log.warning("Cannot read the last lines of run=%s err=%s: %s", name, error.reason, error.message, extra=told)
