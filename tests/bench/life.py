"""Tasks from their creation to their deletion: how long it takes, and what it costs the API server and AWS."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bench.figures import Figure, percentile
from bench.stage import Controller, Stage
from bench.tally import CannotMeasureError, Counts, Mark
from bench.workload import OTHER_IMAGE, Plan, bodies, name
from fixtures.world import eventually

SECONDS = 600.0
"""Within which anything has to be done."""

PHASES = ("create", "reapply", "image", "resync", "restart", "delete")
"""In their order; without a creation there is nothing to measure."""

_RESYNC = 25.0  # seconds between two looks, where looks are measured
_OBSERVED = 10.0  # seconds that a restarted controller is watched at least
_READS = ("Describe", "List", "Get")


class Life:
    """One world, `plan.tasks` tasks in it."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self._stage = stage
        self._plan = plan
        self._now = datetime.now(UTC)
        self._empty = 0  # bytes

    def run(self) -> Iterator[Figure]:
        """The phases that were asked for."""
        measures = (self._create, self._reapply, self._image, self._resync, self._restart, self._delete)
        for phase, measure in zip(PHASES, measures, strict=True):
            if phase == "create" or phase in self._plan.sections:
                yield from measure()

    def _create(self) -> Iterator[Figure]:
        controller = self._stage.start_controller()
        self._stage.rest()
        self._empty, cpu = controller.rss(), controller.cpu()
        answer, counts = self._apply("ready", bodies(self._plan.tasks, self._now))
        yield from self._times("create", answer, counts, aim=12, floor=20)
        yield from self._costs("create", counts, writes=2, calls=3)
        yield Figure("rss_empty_MB", self._empty / 1e6, 80, 110)
        yield Figure("rss_full_MB", controller.rss() / 1e6)
        yield self._growth("rss_per_task_KiB", controller)
        yield Figure("cpu_empty_s", cpu)
        yield Figure("cpu_full_s", controller.cpu())

    def _reapply(self) -> Iterator[Figure]:
        """The same again; then the same in other words."""
        for phase, in_other_words in (("reapply", False), ("reapply_in_other_words", True)):
            before = self._generations()
            _, counts = self._apply("observed", bodies(self._plan.tasks, self._now, in_other_words=in_other_words))
            moved = sum(1 for key, value in self._generations().items() if before.get(key) != value)
            yield Figure(f"{phase}_generations_moved", moved)
            yield Figure(f"{phase}_revisions", counts.aws["ecs.RegisterTaskDefinition"], 0)
            yield Figure(f"{phase}_aws_writes", _changing(counts.aws).total(), 0)
            yield Figure(f"{phase}_aws_calls_per_task", counts.aws_calls / self._plan.tasks)
            yield Figure(f"{phase}_api_writes_beyond_moved", max(counts.api_writes - moved, 0), 0)

    def _image(self) -> Iterator[Figure]:
        answer, counts = self._apply("ready", bodies(self._plan.tasks, self._now, image=OTHER_IMAGE))
        yield from self._times("image", answer, counts, aim=10)
        yield from self._costs("image", counts, writes=1, calls=4)

    def _resync(self) -> Iterator[Figure]:
        """Two looks in bulk; the first after a start does not know which revisions wait to be retired."""
        self._stage.controllers[-1].end()
        self._stage.start_controller("--resync", str(_RESYNC))
        for look in ("resync_after_start", "resync"):
            mark = self._stage.mark()
            began = eventually(partial(self._looked_since, mark), "a look in bulk", seconds=2 * _RESYNC)
            quiet = self._stage.rest() - began
            yield from self._calm(look, self._stage.since(mark), quiet, aims=look == "resync")
        self._stage.controllers[-1].end()
        self._stage.start_controller()

    def _looked_since(self, mark: Mark) -> float | None:
        return time.monotonic() if self._stage.since(mark).aws["scheduler.ListSchedules"] else None

    def _restart(self) -> Iterator[Figure]:
        self._stage.controllers[-1].end()
        mark = self._stage.mark()
        controller = self._stage.start_controller()
        quiet = self._stage.rest(at_least=_OBSERVED) - controller.started
        yield from self._calm("restart", self._stage.since(mark), quiet)
        yield Figure("restart_rss_MB", controller.rss() / 1e6)
        yield self._growth("restart_rss_per_task_KiB", controller)

    def _delete(self) -> Iterator[Figure]:
        self._stage.rest()
        mark = self._stage.mark()
        names = [name(number) for number in range(self._plan.tasks)]
        answer = self._stage.client.ask(do="delete", names=names, after=0, timeout=SECONDS)
        self._stage.rest()
        counts = self._stage.since(mark)
        yield from self._times("delete", answer, counts, aim=12)
        yield from self._costs("delete", counts)

    def _apply(self, until: str, wanted: list[dict[str, Any]]) -> tuple[dict[str, Any], Counts]:
        self._stage.rest()
        mark = self._stage.mark()
        answer = self._stage.client.ask(do="apply", bodies=wanted, until=until, timeout=SECONDS)
        if answer["missing"]:
            raise CannotMeasureError(f"not {until} within {SECONDS:.0f} s: {', '.join(answer['missing'][:5])}, …")
        self._stage.rest()
        return answer, self._stage.since(mark)

    def _times(
        self, phase: str, answer: dict[str, Any], counts: Counts, *, aim: float, floor: float | None = None
    ) -> Iterator[Figure]:
        scaled = floor and self._plan.of_thousand(floor)
        yield Figure(f"{phase}_s", answer["total"], self._plan.of_thousand(aim), scaled)
        seconds = list(answer["seconds"].values())
        yield Figure(f"{phase}_p50_s", percentile(seconds, 0.5))
        yield Figure(f"{phase}_p99_s", percentile(seconds, 0.99))
        if "applied" in answer:
            yield Figure(f"{phase}_client_s", answer["applied"])
        for process, used in counts.cpu.items():
            yield Figure(f"{phase}_cpu_{process}_s", used)

    def _costs(
        self, phase: str, counts: Counts, *, writes: float | None = None, calls: float | None = None
    ) -> Iterator[Figure]:
        tasks = self._plan.tasks
        yield Figure(f"{phase}_api_writes_per_task", counts.api_writes / tasks, writes)
        yield Figure(f"{phase}_events_per_task", counts.event_writes / tasks)
        yield Figure(f"{phase}_aws_calls_per_task", counts.aws_calls / tasks, calls)
        for operation, times in sorted(counts.aws.items()):
            yield Figure(f"{phase}_{operation}_calls", times)

    def _calm(self, phase: str, counts: Counts, quiet: float, *, aims: bool = True) -> Iterator[Figure]:
        yield Figure(f"{phase}_api_writes", counts.api_writes, 0)
        yield Figure(f"{phase}_aws_writes", _changing(counts.aws).total(), 0)
        yield Figure(f"{phase}_aws_calls_per_task", counts.aws_calls / self._plan.tasks, 0.1 if aims else None)
        yield Figure(f"{phase}_quiet_s", quiet, 5 if aims else None)
        yield Figure(f"{phase}_cpu_controllers_s", counts.cpu["controllers"])

    def _growth(self, figure: str, controller: Controller) -> Figure:
        return Figure(figure, (controller.rss() - self._empty) / 1024 / self._plan.tasks, 8, 12)

    def _generations(self) -> dict[str, int]:
        columns = "custom-columns=N:.metadata.name,G:.metadata.generation"
        rows = self._stage.world.kubectl("get", "bgt", "--no-headers", "-o", columns).splitlines()
        return {task: int(generation) for task, generation in map(str.split, rows)}


def _changing(calls: Counter[str]) -> Counter[str]:
    return Counter({what: times for what, times in calls.items() if not what.partition(".")[2].startswith(_READS)})
