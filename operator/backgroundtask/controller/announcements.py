"""What people hear of a task's runs: Events and lines of log for what happened to a run.

As a CronJob tells of its Jobs, and a Job of its Pods, so the Events on the task say which runs there were, and those on
the run what became of it: an object has few Events (`kube.correlator`), and a run's own are used up by no other run.
Reasons are those of CronJob and Job wherever these have one (kubernetes/kubernetes: pkg/controller/cronjob,
pkg/controller/job). Told from the transition of a run's status, wherever one is written, so that nothing is told twice
and nothing that was not stored. Knows no values of env or of overrides.
"""

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.phases import ENDS
from backgroundtask.api.run import BackgroundTaskRun, RunStatus
from backgroundtask.controller import metrics
from backgroundtask.controller.context import Context, log
from backgroundtask.kube.resource import RUNS, TASKS, Ref
from backgroundtask.plan.attempts import is_denied

_NOT_STARTED = frozenset({None, "Pending", "Launching"})


class Announcements:
    """Those about the runs of one task."""

    def __init__(self, context: Context, task: ObjectMeta) -> None:
        self._context = context
        self._task = task
        self._key = f"{task.namespace}/{task.name}"

    def tell(self, reason: str, message: str, *, kind: str = "Normal") -> None:
        """Emit an Event on the task."""
        ref = Ref(TASKS, self._task.namespace, self._task.name, self._task.uid)
        self._context.recorder.emit(ref, type=kind, reason=reason, message=message)

    def tell_of(self, run: BackgroundTaskRun, reason: str, message: str, *, kind: str = "Normal") -> None:
        """Emit an Event on a run."""
        ref = Ref(RUNS, run.metadata.namespace, run.metadata.name, run.metadata.uid)
        self._context.recorder.emit(ref, type=kind, reason=reason, message=message)

    def created(self, run: str) -> None:
        """A run was made."""
        self.tell("SuccessfulCreate", f"Created run {run}")

    def changed(self, run: BackgroundTaskRun, after: RunStatus) -> None:
        """The status of `run`, as it was, has become `after`."""
        self._duplicates(run, after)
        before = run.status
        if after.phase in ENDS and after.phase != before.phase:
            self._end(run, after)
            return
        if after.phase == "Running" and before.phase in _NOT_STARTED:
            self._start(run.metadata.name, after)
        failures = (after.launch_failures or 0) > (before.launch_failures or 0)
        if failures and is_denied(after):
            self._again(run, after, "FailedCreate", f"Error starting its ECS task: {after.reason}: {after.message}")
        elif failures or (after.failed_attempts or 0) > (before.failed_attempts or 0):
            when = f", the next is due at {after.retry_time}" if after.retry_time else ""
            self._again(run, after, "BackoffRetry", f"Attempt failed{when}: {after.message}")
        if after.stop is not None and before.stop is None:
            self.tell_of(run, "Stopping", f"Stopping its ECS task: {after.stop.reason}")

    def _duplicates(self, run: BackgroundTaskRun, after: RunStatus) -> None:
        known = {one.task_arn for one in run.status.attempts if one.duplicate}
        for one in after.attempts:
            if one.duplicate and one.task_arn not in known:
                metrics.DUPLICATES.inc()
                message = f"Run {run.metadata.name} has a second ECS task, which is stopped: {one.task_arn}"
                self.tell("UnexpectedJob", message, kind="Warning")

    def _start(self, run: str, after: RunStatus) -> None:
        told = self._fields(run, after)
        log.info(
            "Background task started taskID=%s run=%s taskArn=%s", self._key, run, after.task_arn, extra=told,
        )  # fmt: skip

    def _again(self, run: BackgroundTaskRun, after: RunStatus, reason: str, message: str) -> None:
        name, why = run.metadata.name, f"{after.reason}: {after.message}"
        self.tell_of(run, reason, message, kind="Warning")
        told = {**self._fields(name, after), "reason": after.reason}
        log.warning("Background task execution failed for taskID=%s run=%s err=%s", self._key, name, why, extra=told)

    def _end(self, run: BackgroundTaskRun, after: RunStatus) -> None:
        name, why = run.metadata.name, f"{after.reason}: {after.message}"
        if run.status.phase in _NOT_STARTED and after.exit_code is not None:
            self._start(name, after)
        told = {**self._fields(name, after), "reason": after.reason}
        if after.phase == "Succeeded":
            self.tell("SawCompletedJob", f"Saw completed run: {name}, condition: Complete")
            log.info("Background task succeeded taskID=%s run=%s", self._key, name, extra=self._fields(name, after))
        elif after.phase == "Skipped":
            self.tell(after.reason or "Skipped", f"Skipped run {name}: {after.message}")
            log.info("Background task skipped taskID=%s run=%s: %s", self._key, name, why, extra=told)
        elif after.phase == "Missed":
            self.tell("MissSchedule", f"Missed scheduled time to start run {name}: {after.message}", kind="Warning")
            log.warning("Background task missed taskID=%s run=%s err=%s", self._key, name, why, extra=told)
        else:
            kind = "Normal" if after.phase == "Cancelled" else "Warning"  # that was somebody's wish
            self.tell("SawCompletedJob", f"Saw completed run: {name}, condition: Failed, {why}", kind=kind)
            self.tell_of(run, after.reason or str(after.phase), after.message or "", kind=kind)
            log.warning(
                "Background task execution failed for taskID=%s run=%s err=%s", self._key, name, why, extra=told
            )

    def _fields(self, run: str, after: RunStatus) -> dict[str, str]:
        return {"task": self._key, "run": run} | ({"task_arn": after.task_arn} if after.task_arn else {})
