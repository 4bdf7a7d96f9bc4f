"""AWS as it is on a bad day: each call takes 40 ms, and its buckets throttle. Nobody may see an error for it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from bench.figures import Figure, percentile
from bench.life import SECONDS
from bench.stage import Stage, client_of
from bench.tally import CannotMeasureError
from bench.workload import Plan, bodies

_ANSWER = 0.04  # seconds that a call to AWS takes
_SHARE = 5  # of the tasks one in five: a second for each is what AWS gives
_DONE = 25  # Ready, and with them the burst of registrations is spent: from now on everybody waits for a turn
_NO_ERRORS = {
    *("Ready=True Reconciled", "Scheduled=True Scheduled", "LastRunSucceeded=Unknown NoRunYet"),
    *("Ready=Unknown Paced", "Reconciling=True Paced"),  # it waits for its turn, and says so
}


class Throttled:
    """One world whose AWS is slow and throttles as documented."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self._stage = stage
        self._tasks = bodies(max(plan.tasks // _SHARE, _DONE + 5), datetime.now(UTC))

    def run(self) -> Iterator[Figure]:
        """Create the tasks; meanwhile delete one that was there before."""
        leaver, world = "bench-leaver", self._stage.world
        self._stage.start_controller("--aws-rates", "")
        first = {**self._tasks[0], "metadata": {"name": leaver, "namespace": "default"}}
        self._stage.client.ask(do="apply", bodies=[first], until="ready", timeout=SECONDS)
        world.aws.control("PUT", "throttles", {"limits": "aws"})
        for service in ("ecs", "scheduler"):
            world.aws.fault("delay", service, seconds=_ANSWER, principal="client")
        self._stage.rest()
        mark = self._stage.mark()
        with client_of(world) as other, ThreadPoolExecutor(1) as beside:
            other.ask(do="delete", names=[], after=0, timeout=SECONDS)  # it has started, and misses nothing from now on
            leaving = beside.submit(other.ask, do="delete", names=[leaver], after=_DONE, timeout=SECONDS)
            answer = self._stage.client.ask(do="apply", bodies=self._tasks, until="ready", timeout=SECONDS)
            deletion = leaving.result()
        if answer["missing"] or deletion["missing"]:
            raise CannotMeasureError("not everything was done in time")
        self._stage.rest()
        counts, seconds = self._stage.since(mark), list(answer["seconds"].values())
        yield Figure("throttled_create_s", answer["total"], float(len(self._tasks)))
        yield Figure("throttled_create_p50_s", percentile(seconds, 0.5))
        yield Figure("throttled_delete_meanwhile_s", deletion["total"], 10)
        yield Figure("throttled_errors_in_statuses", len(answer["conditions"].keys() - _NO_ERRORS), 0)
        yield Figure("throttled_warnings", len(world.warnings()), 0)
        yield Figure("throttled_refused_by_aws", self._refused())
        yield Figure("throttled_api_writes_per_task", counts.api_writes / len(self._tasks))
        yield Figure("throttled_aws_calls_per_task", counts.aws_calls / len(self._tasks))
        yield Figure("throttled_cpu_controllers_s", counts.cpu["controllers"])

    def _refused(self) -> int:
        limits = self._stage.world.aws.control("GET", "throttles")["limits"]
        return sum(int(one["refused"]) for one in limits)
