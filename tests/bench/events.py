"""Events of ECS: how soon a run's status tells what an event told, and whether any is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench.figures import Figure, percentile
from bench.life import SECONDS
from bench.stage import Stage
from bench.workload import Execution, Plan, bodies, executions

RATES = (50, 200)
"""Events a second."""

_LOST = 60.0  # seconds after the last event that an outcome is waited for
_STATES = (("first", 1, "PENDING"), ("started", 2, "RUNNING"))
"""What is told of each execution: first the event that its run is made for, then one that its run only changes by."""


class Events:
    """One world: each event is of a run of its own, so that each needs a write; the tasks take turns."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self._stage = stage
        self._plan = plan
        arn = stage.world.template["spec"]["queues"]["events"]
        self._queue = stage.world.aws.client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]

    def run(self) -> Iterator[Figure]:
        """At each rate."""
        now = datetime.now(UTC)
        self._stage.start_controller()
        self._stage.client.ask(do="apply", bodies=bodies(self._plan.tasks, now), until="ready", timeout=SECONDS)
        tasks = json.loads(self._stage.world.kubectl("get", "bgt", "-o", "json"))["items"]
        for rate in RATES:
            slots = now - timedelta(days=rate)  # so that no rate tells of the slots of another
            happened = executions(tasks, round(rate * self._plan.seconds), slots)
            for state in _STATES:
                yield from self._tell(rate, happened, *state)

    def _tell(self, rate: int, happened: list[Execution], what: str, version: int, status: str) -> Iterator[Figure]:
        self._stage.rest()
        aws, mark = self._stage.world.aws, self._stage.mark()
        messages = [one.message(version, status, aws.region, aws.account) for one in happened]
        answer = self._stage.client.ask(
            do="events", messages=messages, rate=rate, aws=aws.url, region=aws.region, queue=self._queue, timeout=_LOST
        )
        self._stage.rest()
        counts, seconds, name = self._stage.since(mark), list(answer["seconds"].values()), f"event_{what}_{rate}_per_s"
        aim = 0.25 if rate == max(RATES) else None
        yield Figure(f"{name}_p50_s", percentile(seconds, 0.5))
        yield Figure(f"{name}_p99_s", percentile(seconds, 0.99), aim)
        yield Figure(f"{name}_lost", len(answer["missing"]), 0)
        yield Figure(f"{name}_sent_late_s", answer["late"])
        yield Figure(f"{name}_api_writes_per_event", counts.api_writes / len(messages))
        yield Figure(f"{name}_events_per_event", counts.event_writes / len(messages))
        for process, used in counts.cpu.items():
            yield Figure(f"{name}_cpu_{process}_s", used)
