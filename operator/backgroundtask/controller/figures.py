"""What Prometheus is told about tasks: how many of their runs are active and, where that was asked for, how each fares.

Series of one task go with it; and as they have the names of tenants as labels, nobody gets them unasked.
"""

import threading
from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backgroundtask.api.conditions import READY, find
from backgroundtask.api.phases import ENDS
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.api.task_status import TaskStatus
from backgroundtask.controller.metrics import REGISTRY
from backgroundtask.plan.moments import moment


@dataclass(slots=True)
class _Figures:
    """One task: its active runs by phase, moments in Unix seconds, and how its runs ended since the process began."""

    active: Tally[str] = field(default_factory=Tally)
    moments: dict[str, float] = field(default_factory=dict)
    ready: float | None = None
    ends: Tally[str] = field(default_factory=Tally)


_MOMENTS = {
    "bgt_task_last_success_timestamp_seconds": "When a run of the task last succeeded, in Unix seconds.",
    "bgt_task_last_failure_timestamp_seconds": "When a run of the task last ended otherwise, in Unix seconds.",
    "bgt_task_next_run_timestamp_seconds": "When the next run of the task is due, in Unix seconds.",
}


class Figures(Collector):
    """The tasks as they were at the last look at each: how many runs are active, and, by name, how each task fares.

    Only who leads looks, so that of several replicas one tells. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[tuple[str, str], _Figures] = {}
        self._names = False

    def name_tasks(self) -> None:
        """Tell each task apart from now on: labels `namespace` and `task`, up to six series for each."""
        self._names = True

    def saw(self, namespace: str, name: str, status: TaskStatus, runs: Sequence[BackgroundTaskRun]) -> None:
        """Take in a task and all its runs after a look at them."""
        active: Tally[str] = Tally(run.status.phase or "Pending" for run in runs if run.status.phase not in ENDS)
        times = (status.last_successful_time, status.last_failure_time, status.next_schedule_time)
        verdict = find(status.conditions, READY)
        with self._lock:
            task = self._tasks.setdefault((namespace, name), _Figures())
            task.active = active
            if self._names:
                task.ready = float(verdict is not None and verdict.status == "True")
                task.moments = {
                    metric: at.timestamp()
                    for metric, at in zip(_MOMENTS, map(moment, times), strict=True)
                    if at is not None
                }

    def ended(self, namespace: str, name: str, phase: str) -> None:
        """Count a run of a task."""
        if self._names:
            with self._lock:
                self._tasks.setdefault((namespace, name), _Figures()).ends[phase] += 1

    def forget(self, namespace: str, name: str) -> None:
        """The task is gone, and its series with it."""
        with self._lock:
            self._tasks.pop((namespace, name), None)

    def collect(self) -> Iterable[Metric]:
        """What Prometheus asks for; `bgt_task_*` are empty where tasks are not told apart."""
        with self._lock:
            tasks = {
                key: _Figures(one.active, one.moments, one.ready, one.ends.copy()) for key, one in self._tasks.items()
            }
        yield _active(tasks.values())
        named = tasks if self._names else {}
        for metric, text in _MOMENTS.items():
            yield _gauge(metric, text, {key: one.moments.get(metric) for key, one in named.items()})
        text = "1 where AWS is as the spec of the task asks (condition Ready), else 0."
        yield _gauge("bgt_task_ready", text, {key: one.ready for key, one in named.items()})
        yield _ends(named)


def _active(tasks: Iterable[_Figures]) -> Metric:
    family = GaugeMetricFamily("bgt_runs_active", "Runs that have not ended, by phase.", labels=["phase"])
    total = sum((one.active for one in tasks), Tally[str]())
    for phase in ("Pending", "Launching", "Running"):
        family.add_metric([phase], total[phase])
    return family


def _gauge(metric: str, text: str, values: dict[tuple[str, str], float | None]) -> Metric:
    family = GaugeMetricFamily(metric, text, labels=["namespace", "task"])
    for key, value in values.items():
        if value is not None:
            family.add_metric(key, value)
    return family


def _ends(tasks: dict[tuple[str, str], _Figures]) -> Metric:
    text = "Runs of the task by the phase in which they ended, since the process began."
    family = CounterMetricFamily("bgt_task_runs", text, labels=["namespace", "task", "phase"])
    for key, one in tasks.items():
        for phase, count in one.ends.items():
            family.add_metric([*key, phase], count)
    return family


FIGURES: Final = Figures()
"""Those of this process."""
REGISTRY.register(FIGURES)
