"""From what ECS tells about a task to the status of its run.

Events come more than once and in any order. A phase never goes back, an end is final (but for Missed and Lost, which
say that nothing was seen), and what brings an attempt no further changes nothing: so merging is repeatable and writes
little. Of several tasks for one launch the one that was created first counts; the others are recorded as duplicates,
for somebody to stop.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from backgroundtask.api.names import MAIN_CONTAINER
from backgroundtask.api.phases import ENDS, Phase
from backgroundtask.api.run import Attempt, BackgroundTaskRun, LaunchRecord, RunLogs, RunStatus
from backgroundtask.plan.attempts import (
    UNSEEN,
    attempt_of,
    attempt_seen,
    beside,
    is_forgotten,
    is_younger,
    live_task,
    replaced,
    with_counting,
)
from backgroundtask.plan.backoff import launch_delay, retry_delay
from backgroundtask.plan.definition import Logs
from backgroundtask.plan.moments import moment, stamp
from backgroundtask.plan.outcome import Outcome, Task, outcome
from backgroundtask.plan.scene import Policy
from backgroundtask.plan.transitions import conditions, later, stopped

_NEVER_AGAIN = Policy()
_NOTHING: dict[str, Any] = {}
_CONSOLES = {"aws-cn": "amazonaws.cn", "aws-us-gov": "amazonaws-us-gov.com"}  # by partition, apart from AWS's own


def merged(
    run: BackgroundTaskRun, task: Task, *, logs: Logs | None, policy: Policy | None = None, now: datetime
) -> RunStatus:
    """The status of a run after `task` was seen; the same status where that is no news.

    `policy` says what follows from a failure; None, where the spec cannot be read: the run is not tried again.
    """
    status = run.status
    known = attempt_of(status, task.arn)
    if task.arn == status.task_arn and not _is_final(status):
        return _counting(run, task, logs=logs, policy=policy, now=now) if _is_news(status, known, task) else status
    if known is not None:
        return _aside(status, known, task, now)
    if task.arn == status.task_arn or is_forgotten(status, task):
        return status
    if _may_count(status, task):
        return _counting(run, task, logs=logs, policy=policy, now=now)
    if not _comes_first(status, task):
        return _second(status, task, now)
    without = run.model_copy(update={"status": _with_duplicate(status)})
    return _counting(without, task, logs=logs, policy=policy, now=now)


def _is_final(status: RunStatus) -> bool:
    return status.phase in ENDS - UNSEEN


def _is_news(status: RunStatus, known: Attempt | None, task: Task) -> bool:
    if status.task_version is not None and task.version <= status.task_version:
        return False
    if status.phase in UNSEEN or status.task_version is None or known is None:
        return True
    return _stage(task) > (2 if known.completion_time else 1 if known.start_time else 0)


def _stage(task: Task) -> int:
    if task.has_ended:
        return 2
    return 1 if outcome(task).phase == "Running" else 0


def _may_count(status: RunStatus, task: Task) -> bool:
    """Whether a task that nobody knew is the one that the run waits for."""
    if _is_final(status):
        return False
    if status.phase in UNSEEN or not status.task_arn:
        return True
    is_awaited = status.launch is not None and status.launch.task_arn is None
    return is_awaited and live_task(status) is None and all(is_younger(task, one) for one in status.attempts)


def _comes_first(status: RunStatus, task: Task) -> bool:
    """Whether a second task is older than the one that counts, and worth to be counted in its place."""
    if _is_final(status) or live_task(status) is None:
        return False
    return not is_younger(task, attempt_of(status, status.task_arn)) and outcome(task).phase != "Failed"


def _second(status: RunStatus, task: Task, now: datetime) -> RunStatus:
    """A task beside the one that counts; one that failed before that one was created is an attempt like others."""
    is_earlier = live_task(status) is not None and not is_younger(task, attempt_of(status, status.task_arn))
    attempt = attempt_seen(task, None, now).model_copy(update={"duplicate": None if is_earlier else True})
    attempts = beside(status.attempts, attempt)
    return status if attempts == status.attempts else status.model_copy(update={"attempts": attempts})


def _with_duplicate(status: RunStatus) -> RunStatus:
    """The status, its task that counts now marked as a second one."""
    attempts = tuple(
        one.model_copy(update={"duplicate": True}) if one.task_arn == status.task_arn else one
        for one in status.attempts
    )
    return status.model_copy(update={"attempts": attempts})


def _aside(status: RunStatus, known: Attempt, task: Task, now: datetime) -> RunStatus:
    """News of a task that does not count: only its end is any."""
    if known.completion_time or not task.has_ended:
        return status
    return status.model_copy(update={"attempts": replaced(status.attempts, attempt_seen(task, known, now))})


def _counting(
    run: BackgroundTaskRun, task: Task, *, logs: Logs | None, policy: Policy | None, now: datetime
) -> RunStatus:
    """The status after news of the task that counts."""
    status = run.status
    attempt = attempt_seen(task, attempt_of(status, task.arn), now)
    after = status.model_copy(
        update={
            "observed_generation": run.metadata.generation,
            "phase": _phase(status, attempt),
            "task_arn": task.arn,
            "task_definition_arn": task.definition_arn,
            "task_version": task.version,
            "launch": _answered(status.launch, task),
            "launch_failures": None if attempt.start_time else status.launch_failures,
            "retry_time": None,
            "start_time": status.start_time or attempt.start_time,
            "completion_time": None,
            "logs": _output(status, task, logs),
            "attempts": with_counting(status.attempts, attempt),
        }
    )
    seen = outcome(task)
    said, more = replace(seen, phase=after.phase or seen.phase), _NOTHING
    if attempt.completion_time:
        said, more = _consequence(run, after, seen, policy=policy or _NEVER_AGAIN, now=now)
    told = {"phase": said.phase, "reason": said.reason, "message": said.message}
    return after.model_copy(update={**more, **told, "conditions": conditions(run, said, now)})


def _phase(status: RunStatus, attempt: Attempt) -> Phase:
    """Not back to where an earlier attempt was; after an end that was only supposed, from the beginning."""
    before = None if status.phase in UNSEEN else status.phase
    return later(later(before, "Launching"), "Running" if attempt.start_time else "Launching")


def _answered(launch: LaunchRecord | None, task: Task) -> LaunchRecord | None:
    if launch is None or launch.task_arn:
        return launch
    return launch.model_copy(update={"task_arn": task.arn, "refused": None})


def _consequence(
    run: BackgroundTaskRun, after: RunStatus, seen: Outcome, *, policy: Policy, now: datetime
) -> tuple[Outcome, dict[str, Any]]:
    """What the end of an attempt is for the run: its end, too, or another attempt."""
    attempt = after.attempts[-1] if after.attempts else None
    counted = attempt_of(after, after.task_arn) or attempt
    ended_at = (moment(counted.completion_time) if counted else None) or now
    since = min(ended_at, now)  # AWS's clock may be ahead of ours, and nobody is to wait for that, too
    end = {
        "completion_time": stamp(ended_at),
        "exit_code": counted.exit_code if counted else None,
        "stop_code": counted.stop_code if counted else None,
    }
    if seen.phase == "Succeeded":
        return seen, end
    if after.stop is not None:
        return stopped(after.stop.reason, seen.message), end
    is_over = run.spec.cancel or run.metadata.deletion_timestamp is not None
    if seen.is_transient and policy is not _NEVER_AGAIN and not is_over:
        failures = (after.launch_failures or 0) + 1
        retry_time = stamp(since + launch_delay(failures))
        return _again(after, seen), {"launch_failures": failures, "retry_time": retry_time}
    failed = (after.failed_attempts or 0) + 1
    if failed <= policy.backoff_limit and not is_over:
        return _again(after, seen), {"failed_attempts": failed, "retry_time": stamp(since + retry_delay(failed))}
    end["failed_attempts"] = failed
    return (_limit_exceeded(seen, failed, policy) if policy.backoff_limit and not is_over else seen), end


def _again(after: RunStatus, seen: Outcome) -> Outcome:
    message = f"It is tried again: {seen.message}"
    return Outcome(phase=after.phase or "Launching", reason="BackoffRetry", message=message)


def _limit_exceeded(seen: Outcome, failed: int, policy: Policy) -> Outcome:
    limit = f"spec.backoffLimit {policy.backoff_limit}"
    message = f"It failed {failed} times, which is more than {limit} allows, the last time so: {seen.message}"
    return Outcome(phase="Failed", reason="BackoffLimitExceeded", message=message)


def _output(status: RunStatus, task: Task, logs: Logs | None) -> RunLogs | None:
    """Where the output of a task goes; `logs` says where that of a new one does, and a task stays where it began."""
    known = status.logs
    if known is not None and (known.stream or "").endswith(f"/{task.id}"):  # else it is an earlier attempt's
        return known
    return _log_location(logs, task) if logs else None


def _log_location(logs: Logs, task: Task) -> RunLogs:
    stream = f"{logs.stream_prefix}/{MAIN_CONTAINER}/{task.id}"
    return RunLogs(group=logs.group, stream=stream, url=_console(logs, stream, partition=task.arn.split(":")[1]))


def _console(logs: Logs, stream: str, *, partition: str) -> str:
    """The stream's page in the CloudWatch console, which wants names encoded twice and `%` written as `$`."""
    group, stream = (quote(quote(text, safe=""), safe="").replace("%", "$") for text in (logs.group, stream))
    return (
        f"https://{logs.region}.console.{_CONSOLES.get(partition, 'aws.amazon.com')}/cloudwatch/home"
        f"?region={logs.region}#logsV2:log-groups/log-group/{group}/log-events/{stream}"
    )
