"""Runs that the operator launches: how soon one that is asked for runs, many at once, and many tasks due every minute.

ECS's own time, from its acceptance of a task until the container has started, is taken off: localaws starts processes
on the same processors.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.figures import Figure, percentile
from bench.life import SECONDS
from bench.stage import Stage
from bench.tally import CannotMeasureError
from bench.workload import Body, Plan, bodies, name
from fixtures.world import INSTALLATION, eventually

_SINGLE = 100
"""Runs that are asked for one after another, each when the one before runs."""
_TOGETHER = 200
_SPREAD = 20
"""BackgroundTasks whose runs are asked for together."""
_LAUNCHES = {"name": "run-task", "service": "ecs", "operations": ["RunTask"], "burst": 20, "rate": 20}
_SHORT = ["true"]
_BRIEF = ["sleep", "2"]
_LONG = ["sleep", "600"]
_SLOTS = 3
"""Slots of each task that have to be kept up with."""
_MINUTE = timedelta(minutes=1)
_WAITING = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
_BATCH = 100  # Amazon ECS API, DescribeTasks: tasks


class OnDemand:
    """One world: runs that somebody asks for."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self._stage = stage
        self._tasks = bodies(max(plan.of(_SPREAD), 1), datetime.now(UTC))
        self._single, self._together = max(plan.of(_SINGLE), 1), max(plan.of(_TOGETHER), 1)

    def run(self) -> Iterator[Figure]:
        """One by one, then all at once while ECS takes 20 launches a second."""
        self._stage.start_controller("--aws-rates", "RunTask=20/20")
        tasks = [with_spec(body, command=_LONG) for body in self._tasks]
        self._stage.client.ask(do="apply", bodies=tasks, until="ready", timeout=SECONDS)
        yield from self._one_by_one()
        yield from self._at_once()

    def _one_by_one(self) -> Iterator[Figure]:
        self._stage.rest()
        mark = self._stage.mark()
        asked = [run(f"single-{number}", self._task(number), _BRIEF) for number in range(self._single)]
        answer = self._stage.client.ask(do="runs", bodies=asked, at_once=False, until="Running", timeout=SECONDS)
        self._refuse_missing(answer)
        self._stage.rest()
        counts, beyond = self._stage.since(mark), self._beyond_ecs(answer["seconds"])
        yield Figure("run_now_p50_s", percentile(list(answer["seconds"].values()), 0.5))
        yield Figure("run_now_p99_s", percentile(list(answer["seconds"].values()), 0.99))
        yield Figure("run_now_beyond_ecs_p50_s", percentile(beyond, 0.5))
        yield Figure("run_now_beyond_ecs_p99_s", percentile(beyond, 0.99))
        yield Figure("run_now_api_writes_per_run", counts.api_writes / self._single)
        yield Figure("run_now_events_per_run", counts.event_writes / self._single)
        yield Figure("run_now_aws_calls_per_run", counts.aws_calls / self._single)

    def _at_once(self) -> Iterator[Figure]:
        world = self._stage.world
        world.aws.set_throttles([_LAUNCHES])
        before = self._launched()
        asked = [run(f"together-{number}", self._task(number), _LONG) for number in range(self._together)]
        answer = self._stage.client.ask(do="runs", bodies=asked, at_once=True, until="Running", timeout=SECONDS)
        self._refuse_missing(answer)
        self._stage.rest()
        seconds = list(answer["seconds"].values())
        floor = max(self._together - _LAUNCHES["burst"], 0) / _LAUNCHES["rate"]
        yield Figure("runs_at_once_s", answer["total"])
        yield Figure("runs_at_once_least_s", floor)
        yield Figure("runs_at_once_p99_s", percentile(seconds, 0.99))
        yield Figure("runs_at_once_doubled", self._launched() - before - self._together, 0)
        yield Figure("runs_at_once_refused_by_aws", self._refused())
        yield Figure("runs_at_once_warnings", len(world.warnings()), 0)
        world.aws.set_throttles([])

    def _task(self, number: int) -> str:
        return name(number % len(self._tasks))

    def _refuse_missing(self, answer: dict[str, Any]) -> None:
        if answer["missing"]:
            raise CannotMeasureError(f"not running within {SECONDS:.0f} s: {', '.join(answer['missing'][:5])}, …")

    def _beyond_ecs(self, seconds: dict[str, float]) -> list[float]:
        """What each run took beyond the time between ECS's acceptance of its task and its start."""
        listed = json.loads(self._stage.world.kubectl("get", "bgtr", "-o", "json"))["items"]
        arns = {body["metadata"]["name"]: body["status"].get("taskArn") for body in listed}
        own = self._own_times(arns[one] for one in seconds)
        return [spent - own[arns[one]] for one, spent in seconds.items() if arns[one] in own]

    def _own_times(self, arns: Iterable[str]) -> dict[str, float]:
        asked, ecs, own = sorted(arns), self._stage.world.aws.client("ecs"), dict[str, float]()
        for start in range(0, len(asked), _BATCH):
            described = ecs.describe_tasks(cluster=f"bgt-{INSTALLATION}", tasks=asked[start : start + _BATCH])["tasks"]
            own |= {
                one["taskArn"]: (one["startedAt"] - one["createdAt"]).total_seconds()
                for one in described
                if "startedAt" in one
            }
        return own

    def _launched(self) -> int:
        """How many ECS tasks there are, whatever has become of them."""
        ecs, cluster = self._stage.world.aws.client("ecs"), f"bgt-{INSTALLATION}"
        states = ("RUNNING", "STOPPED")
        pages = (
            page
            for state in states
            for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus=state)
        )
        return sum(len(page["taskArns"]) for page in pages)

    def _refused(self) -> int:
        limits = self._stage.world.aws.control("GET", "throttles")["limits"]
        return sum(int(one["refused"]) for one in limits)


class EveryMinute:
    """One world: tasks under Forbid, each due every minute."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self._stage = stage
        self._count = plan.tasks

    def run(self) -> Iterator[Figure]:
        """Let each task have a few slots, and see how late their runs are, and whether any is left."""
        self._stage.start_controller()
        tasks = [
            with_spec(
                body, command=_SHORT, cron="* * * * *", concurrencyPolicy="Forbid", successfulRunsHistoryLimit=100
            )
            for body in bodies(self._count, datetime.now(UTC))
        ]
        self._stage.client.ask(do="apply", bodies=tasks, until="ready", timeout=SECONDS)
        first = datetime.now(UTC).replace(second=0, microsecond=0) + _MINUTE
        slots = [first + _MINUTE * number for number in range(_SLOTS)]
        mark = self._stage.mark()
        ended = eventually(lambda: self._ended(slots), "all slots have ended", seconds=SECONDS)
        counts, caught_up = self._stage.since(mark), datetime.now(UTC)
        late = [(_recorded(body) - slot).total_seconds() for slot, body in ended]
        phases = Counter(body["status"]["phase"] for _, body in ended)
        yield Figure("every_minute_slots", len(ended))
        yield Figure("every_minute_succeeded", phases["Succeeded"], len(slots) * self._count, more_is_better=True)
        yield Figure("every_minute_slot_to_recorded_p50_s", percentile(late, 0.5))
        yield Figure("every_minute_slot_to_recorded_p99_s", percentile(late, 0.99), 60)
        yield Figure("every_minute_behind_at_end_s", (caught_up - slots[-1]).total_seconds(), 60)
        runs = max(len(ended), 1)
        yield Figure("every_minute_api_writes_per_run", counts.api_writes / runs)
        yield Figure("every_minute_events_per_run", counts.event_writes / runs)
        yield Figure("every_minute_aws_calls_per_run", counts.aws_calls / runs)
        for process, used in counts.cpu.items():
            yield Figure(f"every_minute_cpu_{process}_s", used)

    def _ended(self, slots: list[datetime]) -> list[tuple[datetime, Body]] | None:
        """Each slot with its run, once the last minute is over and all have ended."""
        since = datetime.now(UTC) - slots[-1]
        if since < timedelta(seconds=5) or (since < _MINUTE and not self._is_read()):
            time.sleep(1)  # nothing to see before; the API server has better things to do
            return None
        wanted = {slot.strftime("%Y-%m-%dT%H:%M:%SZ"): slot for slot in slots}
        listed = json.loads(self._stage.world.kubectl("get", "bgtr", "-o", "json"))["items"]
        found = [(wanted[at], body) for body in listed if (at := body["spec"].get("scheduledTime")) in wanted]
        is_over = len(found) == len(slots) * self._count and all("completionTime" in one["status"] for _, one in found)
        time.sleep(2)  # a listing of all costs the API server a second
        return found if is_over else None

    def _is_read(self) -> bool:
        """Whether no queue has a message: which says, at next to no cost, that the last run may have ended."""
        sqs = self._stage.world.aws.client("sqs")
        for arn in self._stage.world.template["spec"]["queues"].values():
            url = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=_WAITING)["Attributes"]
            if any(int(attributes[name]) for name in _WAITING):
                return False
        return True


def _recorded(body: Body) -> datetime:
    """When the operator stored the end of a run, which is later than the end itself."""
    told = [one["lastTransitionTime"] for one in body["status"]["conditions"] if one["type"] in {"Complete", "Failed"}]
    return datetime.fromisoformat(max(told))


def run(own: str, task: str, command: list[str]) -> Body:
    """A run that somebody asks for."""
    return {
        "apiVersion": "bgtask.dev/v1alpha1",
        "kind": "BackgroundTaskRun",
        "metadata": {"name": own, "namespace": "default"},
        "spec": {"task": task, "overrides": {"command": command}},
    }


def with_spec(body: Body, **members: Any) -> Body:
    """A task with other members in its spec."""
    return {**body, "spec": {**body["spec"], **members}}
